// Deadlines, and clocks that lie about them: one warning at half the window, expiry that keeps and reports, and no jump
// of a wall clock that extends a deadline or expires anything early.
#include <gtest/gtest.h>

#include "unit/terminal/bench.hpp"

namespace nightdrop::test {
namespace {

class Deadlines : public testing::Test {
 protected:
  static constexpr std::int64_t hour = 3'600'000;
  // Moves the wall clock alone; monotonic time stands still.
  void set_wall(UtcMs utc, bool trusted = true) {
    bench.clock.set_utc(utc);
    bench.clock.set_trusted(trusted);
    bench.terminal->tick();
    bench.run();
  }
  Bench bench;
};

TEST_F(Deadlines, AWarningComesOnceAtHalfTheWindow) {
  const std::string id = bench.stored(1'000);
  bench.advance(hour);
  (void)bench.stored(1'000);
  bench.advance(11 * hour - 1'000);
  EXPECT_EQ(bench.events("deadline.near").size(), 0U);
  bench.advance(1'000);
  const auto warnings = bench.event_data("deadline.near");
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(warnings[0]["count"].integer(), 2);
  EXPECT_EQ(warnings[0]["next_deadline"].string(), rfc3339(*bench.row(id).deadline));
  bench.advance(3 * hour);
  EXPECT_EQ(bench.events("deadline.near").size(), 1U) << "once";
}

TEST_F(Deadlines, TheNextSpellIsWarnedOfAgain) {
  (void)bench.stored(1'000);
  bench.advance(13 * hour);
  ASSERT_EQ(bench.events("deadline.near").size(), 1U);
  const std::string late = bench.stored(2'000);
  // Only the first is forwarded; the other's half comes later.
  bench.plan[late] = [](const hal::HostRequest&) { return Bench::reply(503, "", {{"retry-after", "3600"}}); };
  bench.host.answer = [&](const hal::HostRequest& request) -> std::optional<hal::HostOutcome> {
    if (request.body.find(late) != std::string::npos) return hal::NotSent{"not this one", false};
    return bench.acquirer(request);
  };
  bench.online();
  bench.advance(2'000);
  bench.offline();
  EXPECT_EQ(bench.totals().count, 1);
  bench.advance(11 * hour);
  EXPECT_EQ(bench.events("deadline.near").size(), 1U);
  bench.advance(2 * hour);
  EXPECT_EQ(bench.events("deadline.near").size(), 2U);
}

TEST_F(Deadlines, WhatPassesItsDeadlineIsKeptReportedAndNotSent) {
  const std::string id = bench.stored(1'000);
  bench.advance(24 * hour - 1);
  EXPECT_EQ(bench.status(id), "stored");
  bench.advance(1);
  EXPECT_EQ(bench.status(id), "expired");
  const Payment row = bench.row(id);
  EXPECT_TRUE(row.envelope) << "it can still be sent when a person says so";
  EXPECT_EQ(row.decline->reason, "deadline_passed");
  EXPECT_EQ(bench.totals().count, 0);
  EXPECT_EQ(bench.events("payment_intent.expired").size(), 1U);
  EXPECT_EQ(bench.terminal->list_declines(false, 10, "")->data.size(), 1U);
  bench.online();
  bench.advance(hour);
  EXPECT_TRUE(bench.host.log.empty()) << "never forwarded by itself";
  ASSERT_TRUE(bench.terminal->forwarder().release(id));
  bench.terminal->forwarder().forward_now();
  bench.run();
  EXPECT_EQ(bench.status(id), "succeeded");
  EXPECT_FALSE(bench.terminal->forwarder().release(id)) << "once";
  bench.expect_books_in_order();
}

TEST_F(Deadlines, AnExpiredPaymentCanBeVoided) {
  const std::string id = bench.stored(1'000);
  bench.advance(25 * hour);
  EXPECT_EQ(bench.cancel(id).text(), "canceled");
  EXPECT_FALSE(bench.row(id).envelope);
}

TEST_F(Deadlines, AnExpiredPaymentThatWasSentOnceIsVoidedWithAReversal) {
  const std::string id = bench.stored(1'000);
  // The acquirer took it for pending and then denied having it; then the path was gone.
  bench.plan[id] = [&](const hal::HostRequest&) {
    return Bench::reply(202, R"({"payment":")" + id + R"(","outcome":"pending"})");
  };
  bench.host.answer = [&](const hal::HostRequest& request) -> std::optional<hal::HostOutcome> {
    const bool asked = request.method == "GET" && request.path.starts_with("/v1/payments/");
    if (asked) bench.links.set(Route::Wifi, false);
    return asked ? Bench::reply(404, R"({"error":{"code":"unknown_payment"}})") : bench.acquirer(request);
  };
  bench.online();
  bench.advance(25 * hour);
  ASSERT_EQ(bench.status(id), "expired");
  ASSERT_TRUE(bench.row(id).sent);
  EXPECT_EQ(bench.cancel(id).text(), "canceled");
  EXPECT_TRUE(*bench.store->find_reversal(id)) << "should it turn up after all, it is undone";
}

TEST_F(Deadlines, AnUnknownOutcomeNeverExpires) {
  bench.online();
  bench.acquirer_answers = false;
  const Answered lost = bench.pay(1'000);
  bench.advance(9'000);
  ASSERT_EQ(lost.text(), "stored");
  bench.offline();
  bench.advance(100 * hour);
  EXPECT_EQ(bench.status(lost.payment().id), "stored");
  bench.online();
  bench.advance(2'000);
  EXPECT_EQ(bench.status(lost.payment().id), "succeeded");
}

TEST_F(Deadlines, StoringStopsWhenTheOldestHasWaitedTheWindow) {
  bench.policy.storing_window_s = 12 * 3600;
  (void)bench.stored(1'000);
  bench.advance(12 * hour - 1'000);
  EXPECT_EQ(bench.pay(1'000).text(), "stored");
  bench.advance(1'000);
  EXPECT_EQ(bench.pay(1'000).text(), "offline_window_exceeded");
  EXPECT_EQ(bench.reader.listener, nullptr) << "refused before a card is asked for";
  bench.online();
  EXPECT_EQ(bench.pay(1'000).text(), "succeeded");
  bench.offline();
  EXPECT_EQ(bench.pay(1'000).text(), "stored");
}

TEST_F(Deadlines, AnExpiredPaymentStopsStoringUntilSomebodyHasSeenIt) {
  const std::string id = bench.stored(1'000);
  bench.advance(25 * hour);
  EXPECT_EQ(bench.pay(1'000).text(), "offline_window_exceeded");
  ASSERT_TRUE(bench.terminal->acknowledge_decline(id, "seen"));
  bench.run();
  EXPECT_EQ(bench.pay(1'000).text(), "stored");
}

TEST_F(Deadlines, NoJumpOfTheWallClockMovesThem) {
  for (const std::int64_t jump : {-hour, 8 * 365 * 24 * hour, -Bench::utc, 30 * 24 * hour}) {
    Bench each;
    const std::string id = each.stored(1'000);
    const UtcMs deadline = *each.row(id).deadline;
    each.advance(hour);
    each.clock.set_utc(each.clock.wall().utc_ms + jump);
    each.advance(23 * hour - 1'000);
    EXPECT_EQ(each.status(id), "stored") << jump;
    EXPECT_EQ(*each.row(id).deadline, deadline);
    each.advance(1'000);
    EXPECT_EQ(each.status(id), "expired") << jump;
    EXPECT_EQ(each.events("clock.untrusted").size(), 1U) << jump;
  }
}

TEST_F(Deadlines, ARebootAt1970ExpiresNothingAndTheAcquirersTimeMovesWhatWasTakenSince) {
  const std::string before = bench.stored(1'000);
  bench.advance(hour);
  const UtcMs deadline = *bench.row(before).deadline;
  bench.clock.set_utc(0);
  bench.reboot(false);
  EXPECT_EQ(bench.status(before), "stored");
  EXPECT_FALSE(bench.terminal->books().clock().trusted);
  const UtcMs engine_time = bench.terminal->books().now();
  EXPECT_LE(engine_time, bench.truth());
  EXPECT_GE(engine_time, bench.truth() - terminal::Terminal::keep_time_every_ms)
      << "time goes on from the highest seen";
  const std::string since = bench.stored(2'000);
  const UtcMs since_deadline = *bench.row(since).deadline;
  // The acquirer knows that five hours passed while the device was off.
  bench.terminal->books().server_time(engine_time + 5 * hour);  // the probe's answer
  bench.run();
  EXPECT_TRUE(bench.terminal->books().clock().trusted);
  EXPECT_EQ(*bench.row(before).deadline, deadline) << "taken on a good clock: not moved";
  EXPECT_EQ(*bench.row(since).deadline, since_deadline + 5 * hour);
  EXPECT_EQ(*bench.row(since).stored_at + 24 * hour, *bench.row(since).deadline);
  bench.expect_books_in_order();
}

// Switched off twice without a clock: the acquirer's time says how far off the second spell's times are. The first
// spell's were off by less, and nobody knows by how much less.
TEST_F(Deadlines, EachBootWithoutAClockIsASpellOfItsOwn) {
  bench.clock.set_utc(0);
  bench.reboot(false);
  const std::string first = bench.stored(1'000);
  const UtcMs first_deadline = *bench.row(first).deadline;
  bench.restart();  // the process alone: the same spell
  const std::string same = bench.stored(1'500);
  EXPECT_EQ(bench.row(same).time_epoch, bench.row(first).time_epoch);
  bench.advance(hour);
  bench.reboot(false);
  const std::string second = bench.stored(2'000);
  const UtcMs second_deadline = *bench.row(second).deadline;
  EXPECT_NE(bench.row(second).time_epoch, bench.row(first).time_epoch);
  bench.terminal->books().server_time(bench.terminal->books().now() + 5 * hour);
  bench.run();
  EXPECT_EQ(*bench.row(second).deadline, second_deadline + 5 * hour);
  EXPECT_EQ(*bench.row(first).deadline, first_deadline) << "never sent later than its true deadline";
  EXPECT_EQ(bench.events("clock.untrusted").size(), 1U);
  const std::string after = bench.stored(3'000);
  EXPECT_NE(bench.row(after).time_epoch, bench.row(second).time_epoch);
}

TEST_F(Deadlines, AnUntrustedClockStoresForADayAndThenNoMore) {
  bench.policy.forward_deadline_s = bench.policy.storing_window_s = 7 * 86'400;
  bench.clock.set_utc(0);
  bench.reboot(false);
  const std::string first = bench.stored(1'000);
  bench.advance(23 * hour);
  bench.reboot(false);
  bench.advance(hour - 1'000);
  EXPECT_EQ(bench.pay(1'000).text(), "stored");
  bench.advance(1'000 + terminal::Terminal::keep_time_every_ms);
  EXPECT_EQ(bench.pay(1'000).text(), "clock_untrusted") << "a pulled plug does not begin the day anew";
  bench.online();
  EXPECT_TRUE(bench.terminal->books().clock().trusted) << "the probe brought the time";
  // Taken a boot earlier, on a clock that was a month behind: nobody can tell any more how old it is, so a person
  // decides.
  EXPECT_EQ(bench.status(first), "expired");
  ASSERT_TRUE(bench.terminal->forwarder().release(first));
  bench.terminal->forwarder().forward_now();
  bench.run();
  EXPECT_EQ(bench.status(first), "succeeded");
  bench.offline();
  EXPECT_EQ(bench.pay(1'000).text(), "stored");
}

TEST_F(Deadlines, APolicyThatHasRunOutTakesNothingOffline) {
  bench.policy.valid_until = bench.truth() + hour;
  EXPECT_EQ(bench.pay(1'000).text(), "stored");
  bench.advance(hour);
  EXPECT_EQ(bench.pay(1'000).text(), "offline_disabled");
  bench.online();
  EXPECT_EQ(bench.pay(1'000).text(), "succeeded");
}

TEST_F(Deadlines, IdsAndNumbersCarryTheEnginesTime) {
  const std::string id = bench.stored(1'000);
  const Payment row = bench.row(id);
  EXPECT_EQ(row.stan, 1U);
  EXPECT_EQ(row.retrieval_reference_number, "632519000001") << "year, day of the year, hour, stan";
  EXPECT_EQ(row.local_transaction_time, "2026-11-21T19:40:03+00:00");
  EXPECT_TRUE(id.starts_with("pi_01a1ff9f76b37")) << id << ": a UUIDv7 begins with the time";
}

}  // namespace
}  // namespace nightdrop::test
