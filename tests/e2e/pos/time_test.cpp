// Deadlines, windows and clocks: docs/pos_protocol.md, "status"; docs/policy.md; RULES 8 to 10. `advance_s` moves the
// monotonic clock too and so is time that passes; `utc` alone is a clock that jumps, which neither extends nor expires.
#include <gtest/gtest.h>

#include "e2e/harness.hpp"
#include "nightdrop/time_text.hpp"

namespace nightdrop::e2e {
namespace {

UtcMs world_time(World& world) {
  return *parse_rfc3339(*world.sim().call("get_state").result()["clock"]["utc"].string());
}

constexpr const char* hour = R"({"forward_deadline_s":3600,"storing_window_s":7200})";

// "`expired`: passed its deadline unsent; kept and reported, never silently dropped; leaves by the operator's
// decision".
TEST(Deadline, AStoredPaymentExpiresAndIsKept) {
  World world(WorldOptions{.policy = hour});
  world.offline();
  const std::string id = world.pay(500, new_card()).id();
  world.advance(3590);
  EXPECT_EQ(world.status(id), "stored");
  world.advance(11);
  const Answer expired = world.await_status(id, "expired");
  EXPECT_HOLDS(expired, R"({"authorization":null,"offline":{"requires_upload":true}})");
  EXPECT_NE(world.call("list_declines", R"({"acknowledged":false})").dump().find(id), std::string::npos);
  world.restart();
  world.online();
  const std::string other = world.pay(100, new_card(), R"({"offline_behavior":"force_offline"})").id();
  world.await_status(other, "succeeded");
  EXPECT_EQ(world.status(id), "expired") << "\"never forwarded by itself\"";
  EXPECT_EQ(world.posted(id), -1);
}

TEST(Deadline, WhatExpiresIsToldOnce) {
  World world(WorldOptions{.policy = hour, .acquirer = false});
  world.offline();
  Rpc events = world.connect();
  (void)events.call("subscribe", R"({"consumer":"office","types":["deadline.near","payment_intent.expired"]})");
  const Answer stored = world.pay(500, new_card());
  world.advance(1790);
  EXPECT_FALSE(events.next_event(Milliseconds(100)).has_value());
  world.advance(11);
  // "`deadline.near` (half the window)": "`{count, next_deadline}`".
  const Json near = events.event("deadline.near");
  EXPECT_HOLDS(near, R"({"data":{"count":1}})");
  EXPECT_EQ(near["data"]["next_deadline"].dump(), stored["offline"]["deadline"].dump());
  world.advance(1800);
  EXPECT_HOLDS(events.event("payment_intent.expired"),
               R"({"data":{"id":")" + stored.id() + R"(","status":"expired"}})");
}

// "A payment of unknown outcome never expires: it is sent or asked for until it is answered."
TEST(Deadline, AnUnknownOutcomeNeverExpires) {
  World world(WorldOptions{.policy = R"({"forward_deadline_s":3600,"online_timeout_ms":400})"});
  world.online();
  world.faults(R"([{"fault":"cut_after","match":{"path":"/v1/payments*"}},{"fault":"refuse"}])");
  const Answer lost = world.pay(500, new_card());
  ASSERT_EQ(lost.word(), "stored");
  const std::string id = lost.id();
  world.offline();
  world.advance(10'000);
  world.restart();
  world.offline();
  EXPECT_TRUE(world.status(id) == "stored" || world.status(id) == "forwarding") << world.status(id);
  EXPECT_EQ(world.call("list_declines").result()["data"].size(), 0U);
  world.heal();
  world.online();
  world.await_status(id, "succeeded");
  EXPECT_EQ(world.posted(id), 1);
}

// "Storing stops when the oldest stored payment reaches the window" (RULES 9): `offline_window_exceeded`.
TEST(Deadline, StoringStopsWhenTheOldestHasWaitedTooLong) {
  World world(WorldOptions{.policy = R"({"forward_deadline_s":7200,"storing_window_s":3600})"});
  world.offline();
  ASSERT_EQ(world.pay(500, new_card()).word(), "stored");
  world.advance(3590);
  ASSERT_EQ(world.pay(500, new_card()).word(), "stored");
  world.advance(11);
  EXPECT_WORD(world.pay(500, new_card()), "offline_window_exceeded");
  world.online();
  world.await_drained();
  world.offline();
  EXPECT_WORD(world.pay(500, new_card()), "stored");
}

// "Wall-clock jumps (RTC back to 1970, years ahead, −1 h) neither extend a deadline nor expire anything early".
class ClockJumps : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(ClockJumps, NeitherExtendNorExpire) {
  World world(WorldOptions{.policy = hour});
  world.offline();
  const Answer stored = world.pay(500, new_card());
  ASSERT_EQ(stored.word(), "stored");
  world.advance(600);
  for (const bool restarted : {false, true}) {
    world.clock(std::string(R"({"utc":")") + GetParam().second + R"("})");
    if (restarted) {
      world.restart();
      world.offline();
    }
    EXPECT_HOLDS(world.retrieve(stored.id()), R"({"status":"stored"})");
    EXPECT_EQ(world.retrieve(stored.id())["offline"]["deadline"].dump(), stored["offline"]["deadline"].dump());
    EXPECT_WORD(world.pay(500, new_card()), "stored") << "within untrusted_clock_s payments are still stored";
  }
  world.advance(2980);
  EXPECT_EQ(world.status(stored.id()), "stored") << "20 s are left";
  world.advance(25);
  world.await_status(stored.id(), "expired");
}

INSTANTIATE_TEST_SUITE_P(Jumps, ClockJumps,
                         testing::Values(std::pair{"To1970", "1970-01-01T00:00:10.000Z"},
                                         std::pair{"YearsAhead", "2034-06-01T12:00:00.000Z"}),
                         [](const auto& row) { return std::string(row.param.first); });

TEST(Clock, AnHourBackNeitherExtendsNorExpires) {
  World world(WorldOptions{.policy = hour});
  world.offline();
  const Answer stored = world.pay(500, new_card());
  world.clock(R"({"utc":")" + rfc3339(world_time(world) - 3'600'000) + R"("})");
  EXPECT_EQ(world.status(stored.id()), "stored");
  world.advance(3590);
  EXPECT_EQ(world.status(stored.id()), "stored");
  world.advance(11);
  world.await_status(stored.id(), "expired");
}

// "`untrusted_clock_s`: how long payments are still stored without a trusted clock"; "`clock_untrusted`";
// "`server_time` corrects an untrusted clock"; event `clock.untrusted`.
TEST(Clock, WithoutTrustForSoLongOnly) {
  World world(WorldOptions{.policy = R"({"untrusted_clock_s":600})"});
  world.offline();
  Rpc events = world.connect();
  (void)events.call("subscribe", R"({"consumer":"office","types":["clock.untrusted"]})");
  world.clock(R"({"utc":"2033-01-01T00:00:00.000Z","trusted":false})");
  (void)events.event("clock.untrusted");
  EXPECT_WORD(world.pay(500, new_card()), "stored");
  world.advance(590);
  EXPECT_WORD(world.pay(500, new_card()), "stored");
  world.advance(11);
  EXPECT_WORD(world.pay(500, new_card()), "clock_untrusted");
  world.restart();
  world.offline();
  EXPECT_WORD(world.pay(500, new_card()), "clock_untrusted") << "a restart gives no more time";
  world.online();
  world.await_drained();
  world.offline();
  EXPECT_WORD(world.pay(500, new_card()), "stored") << "the acquirer has told the time";
}

// "past `valid_until` the reader takes no offline payments and says so"; it starts all the same: what is stored must go
// out.
TEST(Clock, APolicyThatRunsOut) {
  World world;
  world.offline();
  const std::string before = world.pay(500, new_card()).id();
  const std::string until = rfc3339(world_time(world) + INT64_C(30) * 86'400'000);
  (void)world.stop();
  world.sign_policy(R"({"version":2,"valid_until":")" + until + R"("})");
  world.start();
  world.offline();
  EXPECT_WORD(world.pay(500, new_card()), "stored");
  world.advance(30LL * 86'400 + 1);
  EXPECT_WORD(world.pay(500, new_card()), "offline_disabled");
  world.restart();
  world.offline();
  EXPECT_WORD(world.pay(500, new_card()), "offline_disabled");
  EXPECT_EQ(world.status(before), "expired");
  world.online();
  EXPECT_WORD(world.pay(500, new_card()), "succeeded");
}

}  // namespace
}  // namespace nightdrop::e2e
