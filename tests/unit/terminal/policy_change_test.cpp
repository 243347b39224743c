// A policy that is replaced while the reader runs: in force once it is in the journal, not before, and not without;
// what is stored and what is under way go on.
#include <gtest/gtest.h>

#include "nightdrop/time_text.hpp"
#include "unit/terminal/bench.hpp"

namespace nightdrop::test {
namespace {

class PolicyChange : public testing::Test {
 protected:
  PolicyChange() {
    next = bench.policy;
    next.version = bench.policy.version + 1;
    next.currencies[Currency{}].per_transaction = 500;
  }
  // How the change ended: empty while nobody was told.
  std::string change() {
    std::string ended;
    bench.terminal->change_policy(next, [&](const terminal::PosResult<void>& changed) {
      ended = changed ? "changed" : std::string(word(changed.error().code));
    });
    EXPECT_EQ(ended, "") << "before it is durable";
    EXPECT_NE(bench.terminal->policy().version, next.version);
    bench.run();
    return ended;
  }
  Bench bench;
  Policy next;
};

TEST_F(PolicyChange, IsInForceOnceItIsInTheJournal) {
  EXPECT_EQ(bench.pay(1'000).text(), "stored");
  EXPECT_EQ(change(), "changed");
  const auto changed = bench.event_data("policy.changed");
  ASSERT_EQ(changed.size(), 1U);
  EXPECT_EQ(changed[0]["version"].integer(), next.version);
  EXPECT_EQ(changed[0]["from_version"].integer(), bench.policy.version);
  EXPECT_EQ(bench.store->device_state()->policy_version, next.version) << "in the same commit";
  EXPECT_EQ(bench.pay(501).text(), "amount_exceeds_max_offline_amount");
  EXPECT_EQ(bench.pay(500).text(), "stored");
  bench.expect_books_in_order();
}

TEST_F(PolicyChange, IsNotInForceWhenTheCommitFails) {
  bench.commit_fails = true;
  EXPECT_EQ(change(), "store_unavailable");
  bench.commit_fails = false;
  EXPECT_TRUE(bench.event_data("policy.changed").empty());
  EXPECT_EQ(bench.pay(1'000).text(), "stored") << "the old one goes on";
  EXPECT_EQ(bench.store->device_state()->policy_version, bench.policy.version);
  EXPECT_EQ(change(), "changed");
}

TEST_F(PolicyChange, IsJournalledByTheStartThatFindsIt) {
  EXPECT_TRUE(bench.event_data("policy.changed").empty()) << "a first policy changes nothing";
  EXPECT_EQ(bench.pay(1'000).text(), "stored");
  bench.crash();
  bench.policy = next;
  bench.start();
  ASSERT_EQ(bench.event_data("policy.changed").size(), 1U);
  EXPECT_EQ(bench.event_data("policy.changed")[0]["from_version"].integer(), next.version - 1);
  bench.restart();
  EXPECT_EQ(bench.event_data("policy.changed").size(), 1U) << "once";
}

TEST_F(PolicyChange, WhatIsStoredKeepsItsDeadlineAndNewOnesHaveTheNew) {
  const std::string before = bench.stored(400);
  const auto deadline = bench.row(before).deadline;
  next.forward_deadline_s = 10;
  EXPECT_EQ(change(), "changed");
  const std::string after = bench.stored(400);
  EXPECT_EQ(bench.row(before).deadline, deadline);
  EXPECT_EQ(bench.row(after).deadline, *bench.row(after).stored_at + 10'000);
  bench.advance(10'500);
  EXPECT_EQ(bench.status(after), "expired") << "looked after in its own time";
  EXPECT_EQ(bench.status(before), "stored");
}

TEST_F(PolicyChange, APinThatIsBeingCheckedIsJudgedByThePolicyItWasGivenUnder) {
  bench.policy.currencies[Currency{}].approval_threshold = 100;
  const Answered asked = bench.pay(400);
  ASSERT_EQ(asked.text(), "approval_required");
  std::string answer;
  bench.terminal->checkout().approve(asked.error().payment->id, "manager", Bench::pin("2468"),
                                     [&](const terminal::PosResult<Payment>& approved) {
                                       answer = approved ? word(approved->status) : word(approved.error().code);
                                     });
  next.approvers.clear();
  next.currencies[Currency{}].approval_threshold = 100;
  EXPECT_EQ(change(), "changed");
  EXPECT_EQ(answer, "stored");
  EXPECT_EQ(bench.approve(bench.pay(400).error().payment->id).text(), "approver_invalid");
}

TEST_F(PolicyChange, TellsOfItsLimitsAndOfARefusal) {
  EXPECT_EQ(change(), "changed");
  const auto told = bench.event_data("offline_status.changed");
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told.back()["limits"]["usd"]["per_transaction"].integer(), 500);
  EXPECT_EQ(told.back()["policy"]["version"].integer(), next.version);
  bench.terminal->refuse_policy("update", "version: is older");
  bench.terminal->set_policy_standing(
      {.overlay = OverlayState::None,
       .overlay_reason = {},
       .refused = PolicyRefusal{bench.truth(), PolicyOrigin::Update, "version: is older"}});
  bench.run();
  ASSERT_EQ(bench.event_data("policy.refused").size(), 1U);
  EXPECT_EQ(bench.event_data("policy.refused")[0]["reason"].string(), "version: is older");
  EXPECT_EQ(bench.terminal->offline_status()->policy.refused->reason, "version: is older");
}

}  // namespace
}  // namespace nightdrop::test
