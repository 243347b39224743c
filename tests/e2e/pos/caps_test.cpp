// Every cap of the policy: "A cap of *n* allows *n*: refused is only what would exceed it" (docs/policy.md).
#include <gtest/gtest.h>

#include "e2e/harness.hpp"

namespace nightdrop::e2e {
namespace {

std::unique_ptr<World> dark(const std::string& policy, bool acquirer = false) {
  auto world = std::make_unique<World>(WorldOptions{.policy = policy, .acquirer = acquirer});
  world->offline();
  return world;
}

void forward_all(World& world) {
  world.online();
  world.await_drained();
  world.offline();
}

// "`currencies.usd.per_transaction`", tip included (RULES 2).
TEST(Caps, PerTransaction) {
  const auto world = dark(R"({"currencies":{"usd":{"per_transaction":500},"eur":{"per_transaction":300}}})");
  EXPECT_WORD(world->pay(500, new_card()), "stored");
  EXPECT_WORD(world->pay(501, new_card()), "amount_exceeds_max_offline_amount");
  EXPECT_WORD(world->pay(500, new_card(), R"({"amount_details":{"tip":100}})"), "stored");
  EXPECT_WORD(world->pay(501, new_card(), R"({"amount_details":{"tip":100}})"), "amount_exceeds_max_offline_amount");
  EXPECT_WORD(world->pay(300, new_card(), R"({"currency":"eur"})"), "stored");
  EXPECT_WORD(world->pay(301, new_card(), R"({"currency":"eur"})"), "amount_exceeds_max_offline_amount");
}

// "`max_offline_amount` (may only tighten the policy)"
TEST(Caps, TheRequestMayOnlyTighten) {
  const auto world = dark(R"({"currencies":{"usd":{"per_transaction":500}}})");
  EXPECT_WORD(world->pay(400, new_card(), R"({"max_offline_amount":400})"), "stored");
  EXPECT_WORD(world->pay(401, new_card(), R"({"max_offline_amount":400})"), "amount_exceeds_max_offline_amount");
  EXPECT_WORD(world->pay(501, new_card(), R"({"max_offline_amount":90000})"), "amount_exceeds_max_offline_amount");
}

// "`device_total`: sum of stored, in flight and unknown", per currency; it survives the process and is freed by
// forwarding.
TEST(Caps, DeviceTotal) {
  const auto world = dark(R"({"currencies":{"usd":{"device_total":1000},"eur":{"device_total":700}}})", true);
  EXPECT_WORD(world->pay(600, new_card()), "stored");
  EXPECT_WORD(world->pay(401, new_card()), "offline_total_limit_reached");
  world->restart();
  world->offline();
  EXPECT_WORD(world->pay(401, new_card()), "offline_total_limit_reached");
  EXPECT_WORD(world->pay(400, new_card()), "stored");
  EXPECT_WORD(world->pay(1, new_card()), "offline_total_limit_reached");
  EXPECT_WORD(world->pay(700, new_card(), R"({"currency":"eur"})"), "stored");
  forward_all(*world);
  EXPECT_WORD(world->pay(1000, new_card()), "stored");
  EXPECT_WORD(world->pay(1, new_card()), "offline_total_limit_reached");
}

// "`device_count`", over all currencies, and `device_count_remaining` tells what is left.
TEST(Caps, DeviceCount) {
  const auto world = dark(R"({"device_count":3})", true);
  EXPECT_WORD(world->pay(100, new_card()), "stored");
  EXPECT_WORD(world->pay(100, new_card(), R"({"currency":"eur"})"), "stored");
  EXPECT_HOLDS(world->offline_status(), R"({"limits":{"device_count":3,"device_count_remaining":1}})");
  EXPECT_WORD(world->pay(100, new_card()), "stored");
  EXPECT_WORD(world->pay(100, new_card()), "offline_count_limit_reached");
  world->restart();
  world->offline();
  EXPECT_WORD(world->pay(100, new_card()), "offline_count_limit_reached");
  forward_all(*world);
  EXPECT_WORD(world->pay(100, new_card()), "stored");
}

// "`per_card_count`: 2" and "`per_card_total`: per fingerprint, since the card's payments were last all forwarded".
TEST(Caps, PerCard) {
  const auto world = dark(R"({"currencies":{"usd":{"per_card_total":300}}})", true);
  const std::string card = new_card();
  const std::string other = new_card();
  EXPECT_WORD(world->pay(100, card), "stored");
  EXPECT_WORD(world->pay(100, card), "stored");
  EXPECT_WORD(world->pay(100, card), "card_offline_limit_reached");
  EXPECT_WORD(world->pay(200, other), "stored");
  EXPECT_WORD(world->pay(101, other), "card_offline_limit_reached");
  world->restart();
  world->offline();
  EXPECT_WORD(world->pay(101, other), "card_offline_limit_reached");
  EXPECT_WORD(world->pay(100, other), "stored");
  forward_all(*world);
  EXPECT_WORD(world->pay(300, card), "stored");
  EXPECT_WORD(world->pay(300, other), "stored");
}

// A void frees what it held; a refused payment never held anything.
TEST(Caps, AVoidFreesWhatItHeld) {
  const auto world = dark(R"({"device_count":1,"per_card_count":1,"currencies":{"usd":{"device_total":500}}})");
  const std::string card = new_card();
  for (int i = 0; i < 3; ++i) {
    const Answer stored = world->pay(500, card);
    ASSERT_EQ(stored.word(), "stored") << stored.dump();
    EXPECT_WORD(world->pay(1, new_card()), "offline_total_limit_reached");
    EXPECT_WORD(world->call("cancel_payment_intent", R"({"id":")" + stored.id() + R"("})"), "canceled");
  }
}

// "`refund_total`: stored refunds; they do not reduce `device_total`"; "count against their own cap" (RULES 30).
TEST(Caps, Refunds) {
  const auto world = dark(R"({"currencies":{"usd":{"refund_total":500,"device_total":1000}}})", true);
  world->online();
  const std::string sale = world->pay(5000, "visa_contactless").id();
  world->offline();
  const auto refund = [&](std::int64_t amount, const std::string& reference) {
    return world->call("create_refund", R"({"payment_intent":")" + sale + R"(","amount":)" + std::to_string(amount) +
                                            R"(,"merchant_reference":")" + reference +
                                            R"(","approver":"manager","pin":"2468"})");
  };
  EXPECT_WORD(refund(300, "r1"), "stored");
  EXPECT_WORD(refund(201, "r2"), "offline_total_limit_reached");
  EXPECT_WORD(refund(200, "r3"), "stored");
  EXPECT_WORD(refund(1, "r4"), "offline_total_limit_reached");
  EXPECT_HOLDS(world->offline_status(), R"({"limits":{"usd":{"device_total_remaining":1000}}})");
  EXPECT_WORD(world->pay(1000, new_card()), "stored");
  world->online();
  world->await_drained();
  EXPECT_WORD(refund(500, "r5"), "succeeded");
}

// "in-flight and unknown payments count as stored" (RULES 7): an answer that was lost frees nothing.
TEST(Caps, AnUnknownOutcomeCounts) {
  const auto world = dark(R"({"device_count":1})", true);
  world->online();
  world->faults(R"([{"fault":"cut_after","match":{"method":"POST"}},{"fault":"refuse"}])");
  EXPECT_WORD(world->pay(100, new_card()), "stored");
  world->offline();
  EXPECT_HOLDS(world->offline_status(),
               R"({"offline_payments_count":1,"offline_payment_amounts_by_currency":{"usd":100}})");
  EXPECT_WORD(world->pay(100, new_card()), "offline_count_limit_reached");
}

// "`limit.near` (80 %)", "`limit.reached`": `{limit, currency, used, cap}`.
TEST(Caps, NearAndReachedAreTold) {
  const auto world = dark(R"({"device_count":5,"currencies":{"usd":{"device_total":1000}}})");
  Rpc events = world->connect();
  (void)events.call("subscribe", R"({"consumer":"office","types":["limit.near","limit.reached"]})");
  ASSERT_EQ(world->pay(700, new_card()).word(), "stored");
  ASSERT_EQ(world->pay(100, new_card()).word(), "stored");
  EXPECT_HOLDS(events.event("limit.near"),
               R"({"data":{"limit":"device_total","currency":"usd","used":800,"cap":1000}})");
  ASSERT_EQ(world->pay(200, new_card()).word(), "stored");
  EXPECT_HOLDS(events.event("limit.reached"),
               R"({"data":{"limit":"device_total","currency":"usd","used":1000,"cap":1000}})");
  ASSERT_EQ(world->pay(10, new_card(), R"({"currency":"eur"})").word(), "stored");
  EXPECT_HOLDS(events.event("limit.near"), R"({"data":{"limit":"device_count","used":4,"cap":5}})");
  ASSERT_EQ(world->pay(10, new_card(), R"({"currency":"eur"})").word(), "stored");
  EXPECT_HOLDS(events.event("limit.reached"), R"({"data":{"limit":"device_count","used":5,"cap":5}})");
}

}  // namespace
}  // namespace nightdrop::e2e
