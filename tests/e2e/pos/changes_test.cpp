// Tips, voids and refunds: docs/pos_protocol.md, "Methods" and "Fine print"; RULES 30. The ledger has the last word.
#include <gtest/gtest.h>

#include "e2e/harness.hpp"

namespace nightdrop::e2e {
namespace {

constexpr const char* quick = R"({"online_timeout_ms":400})";

Answer tip(World& world, const std::string& id, int amount) {
  return world.call("adjust_payment_intent",
                    R"({"id":")" + id + R"(","amount_details":{"tip":)" + std::to_string(amount) + "}}");
}
Answer cancel(World& world, const std::string& id, const std::string& more = "") {
  return world.call("cancel_payment_intent", R"({"id":")" + id + "\"" + more + "}");
}
Answer refund(World& world, const std::string& of, const std::string& reference, const std::string& more = "") {
  return world.call("create_refund", R"({"payment_intent":")" + of + R"(","merchant_reference":")" + reference +
                                         R"(","approver":"manager","pin":"2468")" + more + "}");
}

// "`adjust_payment_intent`: while `stored`; caps are checked again"; "a tip added afterwards changes `amount` alone".
TEST(Tips, ChangeTheAmountOfAStoredPayment) {
  World world(WorldOptions{
      .policy = R"({"currencies":{"usd":{"per_transaction":1000,"device_total":1500,"per_card_total":1100}}})"});
  world.offline();
  const std::string id = world.pay(800, new_card(), R"({"amount_details":{"tip":50}})").id();
  EXPECT_HOLDS(tip(world, id, 250), R"({"status":"stored","amount":1000,"amount_details":{"tip":250}})");
  EXPECT_WORD(tip(world, id, 251), "amount_exceeds_max_offline_amount");
  EXPECT_HOLDS(world.retrieve(id), R"({"amount":1000,"amount_details":{"tip":250}})");
  EXPECT_HOLDS(world.offline_status(), R"({"offline_payment_amounts_by_currency":{"usd":1000}})");
  const std::string other = world.pay(500, new_card()).id();
  EXPECT_WORD(tip(world, other, 1), "offline_total_limit_reached");
  EXPECT_HOLDS(tip(world, id, 0), R"({"amount":750,"amount_details":{"tip":0}})");
  EXPECT_HOLDS(tip(world, other, 1), R"({"amount":501})");
  world.restart();
  world.offline();
  EXPECT_HOLDS(world.retrieve(id), R"({"amount":750,"amount_details":{"tip":0}})");
  EXPECT_HOLDS(tip(world, id, 100), R"({"amount":850})");
  world.online();
  world.await_drained();
  EXPECT_HOLDS(world.retrieve(id), R"({"status":"succeeded","amount":850,"authorization":{"approved_amount":850}})");
  EXPECT_HOLDS(world.ledger_row(id), R"({"amount":850,"posted":1})");
  EXPECT_HOLDS(world.ledger_row(other), R"({"amount":501,"posted":1})");
  EXPECT_WORD(tip(world, id, 1), "unexpected_state");
}

TEST(Tips, RespectThePerCardCap) {
  World world(WorldOptions{.policy = R"({"currencies":{"usd":{"per_card_total":1000}}})", .acquirer = false});
  world.offline();
  const std::string id = world.pay(900, new_card()).id();
  EXPECT_WORD(tip(world, id, 101), "card_offline_limit_reached");
  EXPECT_WORD(tip(world, id, 100), "stored");
}

// Same id, same bytes: what was sent once may not change.
TEST(Tips, NotOnceItWasSent) {
  World world(WorldOptions{.policy = quick});
  world.online();
  world.faults(R"([{"fault":"cut_after","match":{"path":"/v1/payments*"}},{"fault":"refuse"}])");
  const Answer stored = world.pay(500, new_card());
  ASSERT_EQ(stored.word(), "stored");
  EXPECT_WORD(tip(world, stored.id(), 10), "unexpected_state");
  world.heal();
  world.await_status(stored.id(), "succeeded");
  EXPECT_HOLDS(world.ledger_row(stored.id()), R"({"amount":500,"posted":1})");
}

// "a `stored` one is voided"; "Reasons: `requested_by_customer`, `duplicate`, `abandoned` (default `abandoned`)".
TEST(Voids, AStoredPaymentIsNeverSent) {
  World world;
  world.offline();
  std::vector<std::string> ids;
  for (const char* reason : {"requested_by_customer", "duplicate", "abandoned", ""}) {
    const std::string id = world.pay(100, new_card()).id();
    const Answer voided = cancel(world, id, *reason == '\0' ? "" : std::string(R"(,"reason":")") + reason + "\"");
    EXPECT_WORD(voided, "canceled");
    EXPECT_EQ(voided["cancellation"]["reason"].string(), *reason == '\0' ? "abandoned" : reason);
    ids.push_back(id);
  }
  world.restart();
  world.online();
  const std::string sent = world.pay(100, new_card(), R"({"offline_behavior":"force_offline"})").id();
  world.await_status(sent, "succeeded");
  for (const std::string& id : ids) {
    EXPECT_EQ(world.status(id), "canceled");
    EXPECT_EQ(world.posted(id), -1);
  }
}

// "a `succeeded` one is refused (`unexpected_state`)", and so is a declined one.
TEST(Voids, WhatIsFinalStays) {
  World world;
  world.online();
  for (const char* card : {"visa_contactless", "visa_decline_51"}) {
    const Answer ended = world.pay(100, card);
    EXPECT_WORD(cancel(world, ended.id()), "unexpected_state");
    EXPECT_EQ(world.status(ended.id()), ended.word());
  }
}

// "one whose outcome is unknown gets a durable reversal"; "it is recorded, the status stays, and after the answer a
// reversal makes it `canceled`".
TEST(Voids, AnUnknownOutcomeIsReversed) {
  World world(WorldOptions{.policy = quick});
  for (const char* fault : {"cut_before", "cut_after"}) {
    for (const bool restarted : {false, true}) {
      world.online();
      world.faults(std::string(R"([{"fault":")") + fault +
                   R"(","match":{"path":"/v1/payments*"}},{"fault":"refuse"}])");
      const Answer stored = world.pay(100, new_card());
      ASSERT_EQ(stored.word(), "stored");
      world.offline();
      EXPECT_TRUE(cancel(world, stored.id(), R"(,"reason":"requested_by_customer")").ok());
      EXPECT_NE(world.status(stored.id()), "canceled") << "nobody knows yet";
      if (restarted) world.restart();
      world.heal();
      world.online();
      EXPECT_HOLDS(world.await_status(stored.id(), "canceled"),
                   R"({"cancellation":{"reason":"requested_by_customer"}})");
      EXPECT_HOLDS(world.ledger_row(stored.id()), R"({"reversed":true})");
      EXPECT_EQ(world.posted(stored.id()), 0);
    }
  }
}

// "On one in flight … it is recorded, the status stays, and after the answer a reversal makes it `canceled`."
TEST(Voids, APaymentInFlightIsReversedAfterItsAnswer) {
  World world;
  world.online();
  world.faults(R"([{"fault":"delay","ms":400,"match":{"path":"/v1/payments"},"count":1}])");
  const std::string id = world.create(100);
  Rpc counter = world.connect();
  world.present(new_card());
  const auto waiting = counter.begin("process_payment_intent", R"({"id":")" + id + R"("})");
  world.await_status(id, "processing");
  EXPECT_HOLDS(cancel(world, id), R"({"status":"processing"})");
  (void)counter.wait(waiting);
  world.await_status(id, "canceled");
  EXPECT_EQ(world.posted(id), 0);
  EXPECT_HOLDS(world.ledger_row(id), R"({"reversed":true})");
}

// Canceling twice is no second reversal and no error.
TEST(Voids, TwiceIsOnce) {
  World world(WorldOptions{.acquirer = false});
  world.offline();
  const std::string id = world.pay(100, new_card()).id();
  const Answer first = cancel(world, id, R"(,"reason":"duplicate")");
  EXPECT_EQ(cancel(world, id, R"(,"reason":"duplicate")").dump(), first.dump());
}

// "`create_refund`: `payment_intent` or (`amount, currency` with a card), `merchant_reference, approver, pin`".
TEST(Refunds, OnlineOfAPayment) {
  World world;
  world.online();
  const std::string sale = world.pay(1000, "visa_contactless").id();
  const Answer part = refund(world, sale, "r1", R"(,"amount":400)");
  EXPECT_HOLDS(part, R"({"object":"refund","status":"succeeded","amount":400})");
  EXPECT_EQ(refund(world, sale, "r1", R"(,"amount":400)").id(), part.id()) << "the same reference, the same refund";
  EXPECT_WORD(refund(world, sale, "r1", R"(,"amount":300)"), "merchant_reference_conflict");
  const Answer rest = refund(world, sale, "r2");
  EXPECT_HOLDS(rest, R"({"status":"succeeded","amount":600})");
  EXPECT_FALSE(refund(world, sale, "r3", R"(,"amount":1)").ok()) << "more than was paid";
  EXPECT_HOLDS(world.ledger_row(part.id()), R"({"object":"refund","amount":400,"posted":1})");
  EXPECT_HOLDS(world.ledger_row(rest.id()), R"({"object":"refund","amount":600,"posted":1})");
}

TEST(Refunds, ToACard) {
  World world;
  for (const bool online : {true, false}) {
    online ? world.online() : world.offline();
    const Answer made =
        world.call("create_refund", std::string(R"({"amount":700,"currency":"usd","merchant_reference":"card-)") +
                                        (online ? "1" : "2") + R"(","approver":"manager","pin":"2468"})");
    EXPECT_HOLDS(made, R"({"object":"refund","status":"requires_payment_method","amount":700})");
    EXPECT_HOLDS(world.process(made.id(), new_card()),
                 std::string(R"({"object":"refund","status":")") + (online ? "succeeded" : "stored") + R"("})");
    world.online();
    world.await_status(made.id(), "succeeded");
    EXPECT_HOLDS(world.ledger_row(made.id()), R"({"object":"refund","amount":700,"posted":1})");
  }
}

// "Refunds offline need a manager, are queued like sales"; "refunds after their sale".
TEST(Refunds, OfflineGoOutAfterTheirSale) {
  World world;
  world.offline();
  std::vector<std::pair<std::string, std::string>> pairs;
  for (int i = 0; i < 5; ++i) {
    const std::string sale = world.pay(500, new_card()).id();
    const Answer back = refund(world, sale, "back-" + std::to_string(i), R"(,"amount":200)");
    ASSERT_EQ(back.word(), "stored") << back.dump();
    pairs.emplace_back(sale, back.id());
  }
  world.faults(R"([{"fault":"cut_before","match":{"every":3}}])");
  world.online();
  world.await_drained();
  const Json ledger = world.ledger();
  const auto place = [&](const std::string& id) {
    int at = 0;
    for (const JsonView row : ledger.view().items()) {
      if (row["id"].string() == id) return at;
      ++at;
    }
    return -1;
  };
  for (const auto& [sale, back] : pairs) {
    EXPECT_EQ(world.status(sale), "succeeded");
    EXPECT_EQ(world.status(back), "succeeded");
    EXPECT_LT(place(sale), place(back));
  }
}

// A refund whose sale came to nothing has nothing to give back: it is never paid out. Where a person has yet to decide
// about the sale, a person decides about the refund.
TEST(Refunds, OfASaleThatCameToNothingPayNothing) {
  World world;
  world.offline();
  const std::string declined = world.pay(500, "visa_decline_51").id();
  const std::string voided = world.pay(500, new_card()).id();
  const std::string rejected = world.pay(500, new_card()).id();
  std::vector<std::string> refunds;
  for (const std::string& sale : {declined, voided, rejected}) {
    const Answer back = refund(world, sale, "back-" + std::to_string(refunds.size()));
    ASSERT_EQ(back.word(), "stored") << back.dump();
    refunds.push_back(back.id());
  }
  ASSERT_EQ(cancel(world, voided).word(), "canceled");
  world.faults(R"([{"fault":"status","code":422,"match":{"id":")" + rejected + R"("}}])");
  world.online();
  world.await_status(declined, "declined");
  world.await_status(rejected, "requires_review");
  world.await_status(refunds[0], "canceled");
  world.await_status(refunds[1], "canceled");
  world.await_status(refunds[2], "requires_review");
  for (const std::string& id : refunds) EXPECT_EQ(world.posted(id), -1);
}

TEST(Refunds, NeedAManagerAndAPaymentToRefund) {
  World world;
  world.online();
  const std::string sale = world.pay(500, "visa_contactless").id();
  EXPECT_WORD(world.call("create_refund", R"({"payment_intent":")" + sale +
                                              R"(","merchant_reference":"r","approver":"manager","pin":"9999"})"),
              "approver_invalid");
  EXPECT_WORD(world.call("create_refund", R"({"payment_intent":")" + sale +
                                              R"(","merchant_reference":"r","approver":"nobody","pin":"2468"})"),
              "approver_invalid");
  const std::string declined = world.pay(500, "visa_decline_51").id();
  const std::string voided = world.pay(500, new_card(), R"({"offline_behavior":"force_offline"})").id();
  world.await_status(voided, "succeeded");
  const std::string fresh = world.create(500);
  EXPECT_WORD(refund(world, declined, "of-declined"), "unexpected_state");
  EXPECT_FALSE(refund(world, fresh, "of-nothing").ok());
  EXPECT_WORD(refund(world, sale, "too-much", R"(,"amount":501)"), "invalid_params");
  const Answer good = refund(world, sale, "good");
  EXPECT_WORD(good, "succeeded");
  EXPECT_WORD(refund(world, good.id(), "of-a-refund"), "unexpected_state");
}

}  // namespace
}  // namespace nightdrop::e2e
