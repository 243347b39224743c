// What the reader does when its own parts fail: disk, commits, entropy, vault, a damaged file, a second daemon.
// docs/pos_protocol.md, "Errors"; docs/simulated_reader.md, `fail` and "Run it". Nothing acknowledged is ever lost.
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "e2e/harness.hpp"

namespace nightdrop::e2e {
namespace {

// "`store_full`": new payments are refused, "forwarding goes on, nothing acknowledged is lost".
TEST(Faults, DiskFull) {
  World world;
  world.offline();
  const std::string before = world.pay(500, new_card()).id();
  world.fail("disk_full", 1'000'000);
  const Answer refused = world.pay(500, new_card());
  EXPECT_WORD(refused, "store_full");
  EXPECT_HOLDS(refused, R"({"code":-32000,"data":{"payment_intent":{"status":"requires_payment_method"}}})");
  world.online();
  world.await_status(before, "succeeded");
  EXPECT_EQ(world.posted(before), 1);
  world.fail("disk_full", 0);
  EXPECT_WORD(world.pay(500, new_card(), R"({"offline_behavior":"force_offline"})"), "stored");
}

// "Error means unknown until `reopen()`, then all or nothing": whatever the POS was told, the books agree in the end.
TEST(Faults, DiskAndCommitErrorsLoseNothing) {
  World world;
  for (const char* what : {"disk_error", "commit_error"}) {
    for (const bool online : {true, false}) {
      for (int count = 1; count <= 3; ++count) {
        online ? world.online() : world.offline();
        const std::string id = world.create(500);
        world.fail(what, count);
        const Answer ended = world.process(id, new_card());
        world.fail(what, 0);
        if (!ended.ok()) {
          EXPECT_WORD(ended, "store_unavailable") << what;
        }
        const std::string now = world.status(id);
        if (ended.ok()) {
          EXPECT_NE(now, "unknown_payment_intent") << what << ": what was acknowledged is lost";
        }
        world.restart();
        world.online();
        world.await_drained();
        const std::string then = world.status(id);
        EXPECT_EQ(world.posted(id), then == "succeeded"  ? 1
                                    : then == "canceled" ? 0
                                                         : -1)
            << what << " " << count << " " << then;
        EXPECT_WORD(world.pay(500, new_card()), "succeeded") << "it goes on";
      }
    }
  }
  EXPECT_HOLDS(world.stats(), R"({"twice":0})");
  EXPECT_EQ(run("nightdrop", {"--config", world.path("nightdrop.json"), "audit", "verify"}).exit_code, 0);
}

// A random source or a vault that fails refuses the payment, keeps no card, and harms nothing after.
TEST(Faults, EntropyAndVault) {
  World world(WorldOptions{.acquirer = false});
  world.offline();
  for (const char* what : {"entropy", "vault"}) {
    for (int count = 1; count <= 4; ++count) {
      const std::string id = world.create(500);
      world.fail(what, count);
      const Answer ended = world.process(id, new_card());
      if (!ended.ok()) {
        EXPECT_EQ(ended.error()["code"].integer(), -32000) << what << ": " << ended.dump();
        EXPECT_HOLDS(ended,
                     R"({"data":{"payment_intent":{"status":"requires_payment_method","payment_method":null}}})");
      }
      const Answer fresh =
          world.call("create_payment_intent", R"({"amount":5,"currency":"usd","merchant_reference":"f)" +
                                                  std::string(what) + std::to_string(count) + R"("})");
      EXPECT_TRUE(fresh.ok() || fresh.word() == "store_unavailable") << fresh.dump();
      world.fail(what, 0);
      EXPECT_WORD(ended.ok() ? world.retrieve(id) : world.process(id, new_card()), "stored") << what;
    }
  }
}

// A damaged file is "never silently dropped": what can be read is carried over, event `store.degraded` says so,
// payments are refused with `store_unavailable` until a person decides, and what was carried over is forwarded all the
// same.
TEST(Faults, ADamagedQueue) {
  World world;
  world.offline();
  std::vector<std::string> ids;
  for (int i = 0; i < 40; ++i) ids.push_back(world.pay(100, new_card()).id());
  (void)world.stop();
  const std::string file = world.path("queue/queue.db");  // docs/store_format.md
  std::fstream queue(file, std::ios::in | std::ios::out | std::ios::binary);
  const auto middle = static_cast<std::streamoff>(std::filesystem::file_size(file) / 2);
  queue.seekg(middle);
  const char flipped = static_cast<char>(queue.get() ^ 0x10);
  queue.seekp(middle);
  queue.put(flipped);
  queue.close();

  world.start();
  Rpc events = world.connect();
  (void)events.call("subscribe", R"({"consumer":"office","types":["store.degraded"]})");
  const Json told = events.event("store.degraded");
  const Answer refused = world.pay(100, new_card());
  EXPECT_WORD(refused, "store_unavailable");
  std::int64_t there = 0;
  for (const std::string& id : ids) there += world.retrieve(id).ok() ? 1 : 0;
  EXPECT_GE(there + told["data"]["lost"].integer().value_or(0), 40) << told.dump();
  EXPECT_GT(there, 0);
  world.online();
  world.await_drained();
  for (const std::string& id : ids) {
    const std::string now = world.status(id);
    if (now == "succeeded") {
      EXPECT_EQ(world.posted(id), 1);
    }
  }
  EXPECT_HOLDS(world.stats(), R"({"twice":0})");
  EXPECT_EQ(run("nightdrop", {"--config", world.path("nightdrop.json"), "accept-damage"}).exit_code, 0);
  EXPECT_WORD(world.pay(100, new_card()), "succeeded");
}

// "SIGTERM ends it in order, exit 0"; what is stored stays.
TEST(Process, EndsInOrder) {
  World world;
  world.offline();
  const std::string id = world.pay(500, new_card()).id();
  EXPECT_EQ(world.stop(), 0);
  EXPECT_FALSE(std::filesystem::exists(world.path("run/pos.sock")));
  world.start();
  EXPECT_EQ(world.status(id), "stored");
  world.online();
  world.await_status(id, "succeeded");
}

// "A second daemon on the same queue is refused with a clear error, exit 75."
TEST(Process, OneDaemonAQueue) {
  World world(WorldOptions{.acquirer = false});
  const Ended second = world.refused_start();
  EXPECT_EQ(second.exit_code, 75) << second.err;
  EXPECT_FALSE(second.err.empty());
  EXPECT_TRUE(world.call("ping").ok()) << "the first goes on";
}

// "Exit 78: configuration; 65: data that can't be used."
TEST(Process, SaysWhatIsWrong) {
  World world(WorldOptions{.acquirer = false, .start = false});
  EXPECT_EQ(run("nightdropd", {"--config", world.path("nowhere.json")}).exit_code, 78);
  std::ifstream config(world.path("nightdrop.json"));
  const std::string good{std::istreambuf_iterator<char>(config), {}};
  std::ofstream(world.path("nonsense.json")) << merged(json(good).view(), json(R"({"surprise":1})").view()).dump();
  const Ended nonsense = run("nightdropd", {"--config", world.path("nonsense.json")});
  EXPECT_EQ(nonsense.exit_code, 78);
  EXPECT_NE(nonsense.err.find("surprise"), std::string::npos) << "the unknown key is named: " << nonsense.err;
}

// A queue whose key is not the vault's: "a clear error, nothing touched", exit 65.
TEST(Process, AnotherReadersQueueIsRefused) {
  World one(WorldOptions{.acquirer = false});
  one.offline();
  (void)one.pay(500, new_card());
  (void)one.stop();
  World other(WorldOptions{.acquirer = false, .start = false});
  std::filesystem::remove_all(other.path("queue"));
  std::filesystem::copy(one.path("queue"), other.path("queue"), std::filesystem::copy_options::recursive);
  EXPECT_EQ(other.refused_start().exit_code, 65);
  one.start();
  EXPECT_HOLDS(one.offline_status(), R"({"offline_payments_count":1})");
}

}  // namespace
}  // namespace nightdrop::e2e
