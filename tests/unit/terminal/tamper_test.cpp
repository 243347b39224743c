// A reader that is opened, in virtual time: the order of its steps, what each waits for, and that it takes none back.
#include "unit/terminal/bench.hpp"

namespace nightdrop::test {
namespace {

struct Tamper : testing::Test {
  void open_the_case() {
    bench.terminal->tamper().begin();
    bench.advance(10);
  }
  std::vector<std::string> steps() { return bench.events("tamper."); }
  Bench bench;
};

TEST_F(Tamper, CardKeysGoBeforeAnythingIsWritten) {
  bench.commit_fails = true;
  bench.terminal->tamper().begin();
  EXPECT_EQ(bench.vault.state(), hal::VaultState::CardKeysErased);
  bench.advance(10);
  EXPECT_TRUE(bench.exports.empty());
  bench.commit_fails = false;
  bench.advance(3'000);
  EXPECT_EQ(steps(), std::vector<std::string>{"tamper.detected"});
  EXPECT_EQ(bench.exports.size(), 1U);
  EXPECT_EQ(bench.vault.state(), hal::VaultState::Erased);
}

TEST_F(Tamper, IdentityAndQueueKeyWaitForTheExport) {
  bench.offline();
  const std::string id = bench.stored(1'000);
  bench.export_fails = true;
  open_the_case();
  bench.advance(60'000);
  EXPECT_EQ(bench.vault.state(), hal::VaultState::CardKeysErased) << "what waits would be lost";
  bench.export_fails = false;
  bench.advance(2'000);
  EXPECT_EQ(bench.vault.state(), hal::VaultState::Erased);
  ASSERT_EQ(bench.exports.size(), 1U);
  EXPECT_EQ(bench.exports[0].payments, 1);
  EXPECT_NE(bench.exports[0].text.find(id), std::string::npos);
  EXPECT_EQ(bench.events("payments.exported").size(), 1U);
}

TEST_F(Tamper, ACommitThatFailsForLongDoesNotFillTheDiskWithExports) {
  bench.offline();
  (void)bench.stored(1'000);
  bench.terminal->tamper().begin();
  bench.terminal->tick();
  bench.terminal->end_turn();
  ASSERT_EQ(steps(), std::vector<std::string>{"tamper.detected"});
  bench.commit_fails = true;
  bench.advance(60'000);
  EXPECT_EQ(bench.exports.size(), 1U);
  EXPECT_EQ(bench.vault.state(), hal::VaultState::CardKeysErased);
  bench.commit_fails = false;
  bench.advance(3'000);
  EXPECT_EQ(bench.vault.state(), hal::VaultState::Erased);
  EXPECT_EQ(bench.events("payments.exported").size(), 1U);
  ASSERT_EQ(bench.exports.size(), 1U);
  EXPECT_EQ(bench.terminal->export_sealed()->text, bench.exports[0].text);
}

TEST_F(Tamper, TheVaultIsAskedAgainUntilItsDiskSaysYes) {
  bench.vault.fails = true;
  open_the_case();
  EXPECT_EQ(bench.vault.state(), hal::VaultState::CardKeysErased);
  bench.advance(5'000);
  EXPECT_NE(bench.vault.state(), hal::VaultState::Erased);
  bench.vault.fails = false;
  bench.advance(5'000);
  EXPECT_EQ(bench.vault.state(), hal::VaultState::Erased);
  EXPECT_EQ(bench.exports.size(), 1U) << "the export is not written again for it";
}

TEST_F(Tamper, NothingIsTakenChangedOrSentAndEverythingIsStillTold) {
  bench.offline();
  const std::string id = bench.stored(1'000);
  const std::string open = bench.create(500);
  open_the_case();
  EXPECT_EQ(bench.terminal->checkout().create({.amount = 1, .merchant_reference = "x"}).error().code,
            PosCode::ReaderTampered);
  const Answered collected;
  bench.terminal->checkout().collect(open, std::chrono::seconds(5), true, collected.reply());
  bench.run();
  EXPECT_EQ(collected.text(), "reader_tampered");
  EXPECT_EQ(bench.cancel(id).text(), "reader_tampered") << "the export says that it is to be posted";
  EXPECT_EQ(bench.terminal->forwarder().release(id).error().code, PosCode::ReaderTampered);
  EXPECT_EQ(bench.terminal->rekey(FakeVault::good_block).error().code, PosCode::ReaderTampered);
  bench.online();
  bench.advance(60'000);
  EXPECT_TRUE(bench.ledger.empty());
  EXPECT_EQ(bench.status(id), "stored");
  EXPECT_EQ(bench.terminal->offline_status()->totals.count, 1);
  EXPECT_EQ(bench.terminal->export_sealed()->text, bench.exports[0].text);
}

TEST_F(Tamper, ACardThatWasReadIsDropped) {
  bench.offline();
  const std::string id = bench.create(1'000);
  const Answered collected;
  bench.terminal->checkout().collect(id, std::chrono::seconds(60), false, collected.reply());
  bench.run();
  bench.present(Bench::card());
  bench.run();
  ASSERT_EQ(collected.text(), "requires_confirmation");
  open_the_case();
  const Answered confirmed;
  bench.terminal->checkout().confirm(id, confirmed.reply());
  bench.run();
  EXPECT_EQ(confirmed.text(), "reader_tampered");
  EXPECT_EQ(bench.totals().count, 0);
}

TEST_F(Tamper, ACrashAtAnyStepIsGoneOnFrom) {
  // As far as the first, second and third end of a turn, and with the export on the disk but not noted.
  for (int turns = 0; turns < 4; ++turns) {
    Bench one;
    one.offline();
    (void)one.stored(1'000);
    one.terminal->tamper().begin();
    for (int turn = 0; turn < turns; ++turn) {
      one.terminal->tick();
      if (turn + 1 < turns) one.terminal->end_turn();
    }
    one.restart();
    one.advance(2'000);
    EXPECT_EQ(one.vault.state(), hal::VaultState::Erased) << turns;
    EXPECT_EQ(one.events("tamper.detected").size(), 1U) << turns << ": told once";
    ASSERT_FALSE(one.exports.empty()) << turns;
    EXPECT_EQ(one.exports.back().payments, 1) << turns;
  }
}

// Whoever puts back a copy of the vault from before does not get a reader that works.
TEST_F(Tamper, AVaultFromBeforeIsErasedAgain) {
  open_the_case();
  bench.vault.erased = hal::VaultState::Ready;
  bench.restart();
  EXPECT_EQ(bench.vault.state(), hal::VaultState::CardKeysErased);
  bench.advance(2'000);
  EXPECT_EQ(bench.vault.state(), hal::VaultState::Erased);
}

// --- keys that change ---

TEST_F(Tamper, RekeyIsJournalledAndOldPaymentsKeepTheirBytes) {
  bench.offline();
  const std::string id = bench.stored(1'000);
  const std::string body = bench.terminal->export_sealed()->text;
  EXPECT_EQ(bench.terminal->rekey("another block").error().field, "key_block");
  EXPECT_TRUE(bench.events("keys.changed").empty());
  ASSERT_TRUE(bench.terminal->rekey(FakeVault::good_block).has_value());
  bench.run();
  const auto told = bench.event_data("keys.changed");
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0]["previous_initial_key_id"].string(), "0102030405060708");
  EXPECT_EQ(told[0]["initial_key_id"].string(), "0102030405060709");
  EXPECT_EQ(told[0]["previous_counter"].integer(), 1);
  bench.online();
  bench.advance(1'000);
  ASSERT_TRUE(bench.ledger.contains(id));
  EXPECT_NE(body.find(bench.ledger[id]), std::string::npos);
  bench.restart();
  EXPECT_EQ(bench.events("keys.changed").size(), 1U) << "known to the queue";
}

TEST_F(Tamper, ARekeyWhoseTurnWasCutOffIsToldOfAtTheStart) {
  bench.offline();
  (void)bench.stored(1'000);
  ASSERT_TRUE(bench.vault.rekey(FakeVault::good_block).has_value());
  bench.restart();
  EXPECT_EQ(bench.events("keys.changed").size(), 1U);
  bench.restart();
  EXPECT_EQ(bench.events("keys.changed").size(), 1U);
}

// --- older copies ---

TEST_F(Tamper, AnOlderCopyIsGoneOnWithOnlyWhereThatIsAllowedAndThenJournalled) {
  bench.vault.refuses_resume = hal::older_queue_text;
  bench.crash();
  bench.settings.accepted_copies = hal::Older::AcceptQueue;
  bench.start();
  EXPECT_EQ(bench.vault.accepts, hal::Older::AcceptQueue);
  const auto told = bench.event_data("rollback.accepted");
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0]["older"].string(), "queue");
  bench.vault.refuses_resume = nullptr;
  bench.restart();
  EXPECT_EQ(bench.events("rollback.accepted").size(), 1U) << "what is no older copy is not accepted";
  EXPECT_EQ(bench.events("rollback.not_needed").size(), 1U) << "and that the option had nothing to do is told";
}

TEST_F(Tamper, EachCheckpointFollowsTheVaultsMarks) {
  (void)bench.stored(1'000);
  ASSERT_TRUE(bench.terminal->stop().has_value());
  const auto told = bench.event_data("vault.marks");
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0]["initial_key_id"].string(), "0102030405060708");
  EXPECT_EQ(told[0]["counter"].integer(), 1);
  const auto points = bench.store->checkpoints_after(0, 10);
  ASSERT_EQ(points->size(), 1U);
  EXPECT_EQ(points->front().seq, bench.store->last_event()->seq);
}

}  // namespace
}  // namespace nightdrop::test
