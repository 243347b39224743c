// The end of a reader's use, on the real programs: an erase order of the station that made it is refused while payments
// wait that no export has, and leaves nothing of the reader's keys behind once they are safe.
#include <filesystem>

#include "e2e/harness.hpp"

namespace nightdrop::e2e {
namespace {

namespace fs = std::filesystem;

struct Erase : testing::Test {
  // Signed by the development station's key for orders.
  std::string order() {
    const std::string file = world.path("order.json");
    const Ended made = run("nightdrop-provision",
                           {"erase-order", "--station", world.path("station"), "--serial", "ND000001", "--out", file});
    EXPECT_EQ(made.exit_code, 0) << made.err;
    return file;
  }
  Ended erase(const std::string& order_file) {
    return run("nightdropd", {"--erase", order_file, "--config", world.path("nightdrop.json")});
  }

  World world;
};

TEST_F(Erase, IsRefusedUntilWhatWaitsIsExported) {
  world.offline();
  EXPECT_WORD(world.pay(1'000, new_card()), "stored");
  EXPECT_WORD(world.pay(2'000, new_card()), "stored");
  const std::string file = order();

  const Ended at_work = erase(file);
  EXPECT_EQ(at_work.exit_code, 65) << at_work.err;
  EXPECT_NE(at_work.err.find("at work"), std::string::npos) << at_work.err;
  ASSERT_EQ(world.stop(), 0);

  const Ended waiting = erase(file);
  EXPECT_EQ(waiting.exit_code, 65) << waiting.err;
  EXPECT_NE(waiting.err.find("2 payments wait"), std::string::npos) << waiting.err;
  EXPECT_TRUE(fs::exists(world.path("nightdrop.json")));

  world.start();
  const std::string exported = world.path("friday.ndjson");
  ASSERT_EQ(run("nightdrop", {"--socket", world.path("run/pos.sock"), "export-sealed", "--out", exported}).exit_code,
            0);
  ASSERT_EQ(world.stop(), 0);
  const Ended erased = erase(file);
  ASSERT_EQ(erased.exit_code, 0) << erased.err;
  for (const char* gone : {"nightdrop.json", "vault", "reader.pem", "queue/queue.db"}) {
    EXPECT_FALSE(fs::exists(world.path(gone))) << gone;
  }

  const Ended imported =
      run("nightdrop-sim", {"acquirer", "import", "--dir", world.path("acquirer"), exported, "--json"});
  ASSERT_EQ(imported.exit_code, 0) << imported.err;
  EXPECT_HOLDS(json(imported.out), R"({"posted":2,"rejected":0,"complete":true})");
  EXPECT_NE(erase(file).exit_code, 0) << "there is no reader any more";
}

// As where the root key is a credential that only the service gets, or a token that is not plugged in.
TEST_F(Erase, IsRefusedWhereTheVaultsRootIsNotReachedAndPaymentsMayWait) {
  world.offline();
  EXPECT_WORD(world.pay(1'000, new_card()), "stored");
  const std::string file = order();
  ASSERT_EQ(world.stop(), 0);
  fs::rename(world.path("vault/root.key"), world.path("root.key.elsewhere"));

  const Ended refused = erase(file);
  EXPECT_EQ(refused.exit_code, 65) << refused.err;
  EXPECT_NE(refused.err.find("payments may wait"), std::string::npos) << refused.err;
  for (const char* kept : {"nightdrop.json", "vault/queue_key", "queue/queue.db"}) {
    EXPECT_TRUE(fs::exists(world.path(kept))) << kept;
  }
  fs::rename(world.path("root.key.elsewhere"), world.path("vault/root.key"));
  const Ended waiting = erase(file);
  EXPECT_NE(waiting.err.find("1 payment waits"), std::string::npos) << waiting.err;
}

}  // namespace
}  // namespace nightdrop::e2e
