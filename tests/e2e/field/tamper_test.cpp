// A reader that is opened, on the real programs: its card keys go first, what waits is saved for the acquirer, the rest
// of its keys goes last, and a kill in the middle changes none of that.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gmock/gmock.h>

#include "e2e/field/journal.hpp"
#include "e2e/harness.hpp"

namespace nightdrop::e2e {
namespace {

namespace fs = std::filesystem;

struct Tamper : testing::Test {
  std::string stored(std::int64_t amount) {
    world.offline();
    const Answer sale = world.pay(amount, new_card());
    EXPECT_WORD(sale, "stored");
    return sale.id();
  }
  bool has(const char* vault_file) const { return fs::exists(world.path("vault") + "/" + vault_file); }
  std::vector<std::string> exports() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(world.path("queue"))) {
      if (entry.path().extension() == ".ndjson") found.push_back(entry.path().string());
    }
    std::ranges::sort(found);
    return found;
  }
  Json import(const std::string& file) {
    const Ended taken = run("nightdrop-sim", {"acquirer", "import", "--dir", world.path("acquirer"), file, "--json"});
    EXPECT_EQ(taken.exit_code, 0) << taken.err << taken.out;
    return json(taken.out);
  }
  void await_erased() {
    world.await("every key to be gone", [&] { return has("erased") && !has("queue_key") && !has("dukpt"); });
  }

  World world;
};

TEST_F(Tamper, KeysGoAndWhatWaitedReachesTheAcquirer) {
  const std::string first = stored(1'000);
  const std::string second = stored(2'000);
  ASSERT_TRUE(has("dukpt"));
  ASSERT_TRUE(world.sim().call("tamper").ok());
  EXPECT_FALSE(has("dukpt")) << "the card keys are gone before the circuit is answered";
  EXPECT_FALSE(has("fingerprint"));
  await_erased();

  // It takes nothing and changes nothing, and says why; it still reports.
  EXPECT_WORD(world.call("create_payment_intent", R"({"amount":100,"currency":"usd","merchant_reference":"after"})"),
              "reader_tampered");
  EXPECT_WORD(world.call("cancel_payment_intent", R"({"id":")" + first + R"("})"), "reader_tampered");
  EXPECT_HOLDS(world.call("get_reader"), R"({"tampered":true,"provisioned":false})");
  EXPECT_HOLDS(world.offline_status(), R"({"offline_payments_count":2})");
  EXPECT_TRUE(last_event(world, "tamper.detected").view().is_object());
  EXPECT_HOLDS(last_event(world, "payments.exported"), R"({"count":2})");

  // Also where a path is up again nothing is sent: the identity is gone.
  world.link("wifi", "up");
  const std::string out = world.path("out.ndjson");
  const Ended exported = run("nightdrop", {"--socket", world.path("run/pos.sock"), "export-sealed", "--out", out});
  ASSERT_EQ(exported.exit_code, 0) << exported.err;
  EXPECT_EQ(world.posted(first), -1);
  EXPECT_HOLDS(import(out), R"({"posted":2,"complete":true})");
  EXPECT_EQ(world.posted(first), 1);
  EXPECT_EQ(world.posted(second), 1);

  // After a restart nothing is left to start with, and the way on is told.
  world.stop();
  const Ended refused = world.refused_start();
  EXPECT_EQ(refused.exit_code, 65);
  EXPECT_THAT(refused.err, testing::HasSubstr("export-sealed --from"));
  const std::string copy = world.path("copy.ndjson");
  const Ended copied = run("nightdrop", {"export-sealed", "--from", world.path("queue"), "--out", copy});
  ASSERT_EQ(copied.exit_code, 0) << copied.err;
  EXPECT_HOLDS(import(copy), R"({"posted":0,"already_there":2})");
}

TEST_F(Tamper, ACardThatIsAwaitedIsNotRead) {
  world.offline();
  const std::string id = world.create(500);
  const auto waiting = world.pos().begin("process_payment_intent", R"({"id":")" + id + R"("})");
  world.await("the prompt", [&] { return world.sim().call("get_state")["prompts"]["open"].boolean().value_or(false); });
  ASSERT_TRUE(world.sim().call("tamper").ok());
  EXPECT_FALSE(world.pos().wait(waiting).ok());
  await_erased();
  EXPECT_HOLDS(world.offline_status(), R"({"offline_payments_count":0})");
}

TEST_F(Tamper, APaymentInFlightIsInTheExportAndPostedOnce) {
  const std::string id = stored(700);
  world.faults(R"([{"fault":"delay","ms":60000,"match":{"path":"/v1/payments*"}}])");
  world.online();
  world.await("the attempt", [&] { return world.posted(id) == 1; });
  ASSERT_TRUE(world.sim().call("tamper").ok());
  await_erased();
  ASSERT_EQ(exports().size(), 1U);
  EXPECT_HOLDS(import(exports()[0]), R"({"posted":0,"already_there":1})");
  EXPECT_EQ(world.posted(id), 1);
}

TEST_F(Tamper, WhatWasWrittenWhileTheReaderWasOffIsFoundAtTheStart) {
  const std::string id = stored(900);
  world.stop();
  std::ofstream(world.path("world.json.tamper")) << R"({"tampered":true})";
  world.start();
  await_erased();
  EXPECT_WORD(world.call("create_payment_intent", R"({"amount":100,"currency":"usd","merchant_reference":"after"})"),
              "reader_tampered");
  ASSERT_EQ(exports().size(), 1U);
  EXPECT_HOLDS(import(exports()[0]), R"({"posted":1})");
  EXPECT_EQ(world.posted(id), 1);
}

TEST_F(Tamper, ADiskThatFailsKeepsTheIdentityUntilTheExportIsThere) {
  stored(900);
  world.fail("commit_error", 2);
  ASSERT_TRUE(world.sim().call("tamper").ok());
  EXPECT_FALSE(has("dukpt")) << "whatever the disk of the queue does";
  await_erased();
  ASSERT_FALSE(exports().empty());
  EXPECT_HOLDS(import(exports().back()), R"({"posted":1})");
}

// SIGKILL right after each thing that the response does on the disk: the next start goes on from there, and in the end
// there is an export that holds every payment, and no key.
enum class Cut { Asked, Marked, CardKeysGone, Exported, Erasing, QueueKeyGone };
class TamperKilled : public Tamper, public testing::WithParamInterface<Cut> {
 protected:
  bool reached(Cut cut) const {
    switch (cut) {
      case Cut::Asked: return true;
      case Cut::Marked: return has("card_keys_erased") || has("erased");
      case Cut::CardKeysGone: return !has("dukpt");
      case Cut::Exported: return !exports().empty();
      case Cut::Erasing: return has("erased");
      case Cut::QueueKeyGone: return !has("queue_key");
    }
    return false;
  }
};

TEST_P(TamperKilled, EndsWithAnExportAndWithoutKeys) {
  const std::string id = stored(1'100);
  (void)world.sim().begin("tamper");
  const auto give_up = std::chrono::steady_clock::now() + patience;
  while (!reached(GetParam())) ASSERT_LT(std::chrono::steady_clock::now(), give_up);
  world.kill();
  for (int starts = 0; starts < 3 && !has("erased"); ++starts) {
    world.start();
    if (!world.sim().call("get_state")["tampered"].boolean().value_or(false)) world.sim().call("tamper");
    await_erased();
    world.kill();
  }
  ASSERT_TRUE(has("erased"));
  EXPECT_EQ(world.refused_start().exit_code, 65);
  for (const char* key : {"dukpt", "fingerprint", "queue_key", "identity", "root.key"}) EXPECT_FALSE(has(key)) << key;
  ASSERT_FALSE(exports().empty());
  const Json report = import(exports().back());
  EXPECT_EQ(report["posted"].integer(), 1) << report.dump();
  EXPECT_EQ(world.posted(id), 1);
}

INSTANTIATE_TEST_SUITE_P(After, TamperKilled,
                         testing::Values(Cut::Asked, Cut::Marked, Cut::CardKeysGone, Cut::Exported, Cut::Erasing,
                                         Cut::QueueKeyGone));

}  // namespace
}  // namespace nightdrop::e2e
