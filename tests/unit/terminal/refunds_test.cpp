// Refunds: a manager's, never more than was paid, behind their sale, counted with the payment whatever becomes of them.
#include <gtest/gtest.h>

#include "unit/terminal/bench.hpp"

namespace nightdrop::test {
namespace {

class Refunds : public testing::Test {
 protected:
  std::string sale(std::int64_t amount = 5'000) {
    bench.online();
    const Answered paid = bench.pay(amount);
    EXPECT_EQ(paid.text(), "succeeded");
    return paid.payment().id;
  }
  Bench bench;
};

TEST_F(Refunds, GiveBackInPartsAndNeverMoreThanWasPaid) {
  const std::string id = sale();
  EXPECT_EQ(bench.refund(id, 2'000).text(), "succeeded");
  EXPECT_EQ(bench.row(id).refunded_amount, 2'000);
  EXPECT_EQ(bench.refund(id, 3'001).text(), "invalid_params");
  EXPECT_EQ(bench.refund(id, 0).text(), "succeeded") << "all that is left";
  EXPECT_EQ(bench.row(id).refunded_amount, 5'000);
  EXPECT_EQ(bench.refund(id, 1).text(), "invalid_params");
  EXPECT_EQ(bench.refund(id, 0).text(), "invalid_params");
  bench.expect_books_in_order();
}

TEST_F(Refunds, SendTheOriginalsCardAndItsName) {
  const std::string id = sale();
  const Answered refunded = bench.refund(id, 1'500);
  ASSERT_EQ(refunded.text(), "succeeded");
  const Json body = std::move(*Json::parse(bench.ledger.at(refunded.payment().id)));
  EXPECT_EQ(body["object"].string(), "refund");
  EXPECT_EQ(body["payment_intent"].string(), id);
  EXPECT_EQ(body["amount"].integer(), 1'500);
  EXPECT_EQ(body["approver"].string(), "manager");
  EXPECT_TRUE(body["encrypted_card"].is_null());
}

TEST_F(Refunds, TheSameReferenceIsTheSameRefund) {
  const std::string id = sale();
  const Answered once = bench.refund(id, 1'000, "back-1");
  const Answered twice = bench.refund(id, 1'000, "back-1");
  ASSERT_EQ(twice.text(), "succeeded");
  EXPECT_EQ(once.payment().id, twice.payment().id);
  EXPECT_EQ(bench.row(id).refunded_amount, 1'000);
  EXPECT_EQ(bench.refund(id, 1'001, "back-1").text(), "merchant_reference_conflict");
}

TEST_F(Refunds, NeedAManager) {
  const std::string id = sale();
  terminal::RefundParams params;
  params.payment_intent = id;
  params.approver = "manager";
  params.intent.merchant_reference = "r";
  Answered wrong;
  bench.terminal->checkout().refund(params, Bench::pin("9999"), wrong.reply());
  bench.run();
  EXPECT_EQ(wrong.text(), "approver_invalid");
  EXPECT_EQ(bench.row(id).refunded_amount, 0);
}

TEST_F(Refunds, OfflineHaveTheirOwnCap) {
  const std::string id = sale(10'000);
  const std::string other = sale(10'000);
  bench.offline();
  EXPECT_EQ(bench.refund(id, 6'000).text(), "stored");
  EXPECT_EQ(bench.totals().by_currency[usd].refunds, 6'000);
  EXPECT_EQ(bench.totals().by_currency[usd].payments, 0);
  EXPECT_EQ(bench.refund(other, 4'001).text(), "offline_total_limit_reached");
  EXPECT_EQ(bench.row(other).refunded_amount, 0) << "refused: nothing is given back";
  EXPECT_EQ(bench.refund(other, 4'000).text(), "stored");
  EXPECT_EQ(bench.events("limit.reached").size(), 1U);
  bench.expect_books_in_order();
}

TEST_F(Refunds, ADeclinedOneGivesNothingBack) {
  const std::string id = sale();
  bench.offline();
  const Answered stored = bench.refund(id, 2'000);
  ASSERT_EQ(stored.text(), "stored");
  EXPECT_EQ(bench.row(id).refunded_amount, 2'000);
  const std::string refund = stored.payment().id;
  bench.plan[refund] = [&](const hal::HostRequest&) {
    return Bench::reply(200, R"({"payment":")" + refund +
                                 R"(","outcome":"declined","response_code":"05","reason":"x","category":"hard"})");
  };
  bench.online();
  EXPECT_EQ(bench.status(refund), "declined");
  EXPECT_EQ(bench.row(id).refunded_amount, 0);
  EXPECT_EQ(bench.refund(id, 5'000).text(), "succeeded");
}

TEST_F(Refunds, AVoidedOneGivesNothingBack) {
  const std::string id = sale();
  bench.offline();
  const Answered stored = bench.refund(id, 2'000);
  EXPECT_EQ(bench.cancel(stored.payment().id).text(), "canceled");
  EXPECT_EQ(bench.row(id).refunded_amount, 0);
}

TEST_F(Refunds, OneThatWasNeverSentGivesNothingBack) {
  const std::string id = sale();
  bench.policy.currencies[usd].refund_total = 100;  // so that it may not be stored either
  bench.host.answer = [this](const hal::HostRequest& request) -> std::optional<hal::HostOutcome> {
    return request.path == "/v1/capabilities" ? bench.acquirer(request) : hal::NotSent{"refused", false};
  };
  const Answered lost = bench.refund(id, 2'000, "back-1");
  EXPECT_EQ(lost.text(), "offline_total_limit_reached");
  EXPECT_EQ(bench.row(id).refunded_amount, 0);
  bench.host.answer = [this](const hal::HostRequest& request) { return bench.acquirer(request); };
  bench.advance(5'000);
  EXPECT_EQ(bench.refund(id, 2'000, "back-1").text(), "succeeded") << "under the same reference";
  EXPECT_EQ(bench.row(id).refunded_amount, 2'000);
  bench.expect_books_in_order();
}

TEST_F(Refunds, GoBehindTheirSale) {
  const std::string id = bench.stored(5'000);
  bench.plan[id] = [](const hal::HostRequest&) { return Bench::reply(503, "", {{"retry-after", "20"}}); };
  bench.online();
  const Answered back = bench.refund(id, 5'000);
  ASSERT_EQ(back.text(), "stored");
  bench.advance(10'000);
  EXPECT_EQ(bench.status(back.payment().id), "stored") << "the sale has not been answered";
  bench.plan.clear();
  bench.advance(15'000);
  EXPECT_EQ(bench.status(id), "succeeded");
  EXPECT_EQ(bench.status(back.payment().id), "succeeded");
  EXPECT_EQ(bench.row(id).refunded_amount, 5'000);
}

TEST_F(Refunds, OfASaleThatWasDeclinedIsNotPaidOut) {
  const std::string id = bench.stored(5'000);
  const Answered back = bench.refund(id, 5'000);
  ASSERT_EQ(back.text(), "stored");
  bench.plan[id] = [&](const hal::HostRequest&) {
    return Bench::reply(
        200, R"({"payment":")" + id + R"(","outcome":"declined","response_code":"51","reason":"x","category":"hard"})");
  };
  bench.online();
  bench.advance(5'000);
  EXPECT_EQ(bench.status(id), "declined");
  EXPECT_EQ(bench.status(back.payment().id), "canceled");
  EXPECT_EQ(bench.ledger.count(back.payment().id), 0U);
  EXPECT_EQ(bench.row(id).refunded_amount, 0);
}

TEST_F(Refunds, OfASaleThatWasVoidedIsNotPaidOut) {
  const std::string id = bench.stored(5'000);
  const Answered back = bench.refund(id, 1'000);
  ASSERT_EQ(back.text(), "stored");
  ASSERT_EQ(bench.cancel(id).text(), "canceled");
  bench.online();
  bench.advance(5'000);
  EXPECT_EQ(bench.status(back.payment().id), "canceled");
  EXPECT_TRUE(bench.ledger.empty());
}

TEST_F(Refunds, WhatCannotBeRefunded) {
  EXPECT_EQ(bench.refund("pi_nobody", 100).text(), "unknown_payment_intent");
  const std::string id = bench.stored(5'000);
  (void)bench.cancel(id);
  EXPECT_EQ(bench.refund(id, 100).text(), "unexpected_state");
  const std::string paid = sale();
  const Answered back = bench.refund(paid, 100);
  EXPECT_EQ(bench.refund(back.payment().id, 100).text(), "unexpected_state") << "a refund of a refund";
}

TEST_F(Refunds, TwoThatWaitForAProbeDoNotGiveBackTwice) {
  const std::string id = sale();
  bench.offline();
  bench.acquirer_answers = false;
  bench.links.set(Route::Wifi, true);
  bench.run();
  const Answered first = bench.refund(id, 5'000);
  EXPECT_EQ(first.text(), "no answer") << "a probe is under way";
  const Answered second = bench.refund(id, 5'000);
  EXPECT_EQ(second.text(), "invalid_params");
  bench.acquirer_answers = true;
  bench.run();
  EXPECT_EQ(first.text(), "succeeded");
  EXPECT_EQ(bench.row(id).refunded_amount, 5'000);
}

TEST_F(Refunds, AreNotForgottenWhenTheSalesAnswerComesLater) {
  bench.online();
  bench.acquirer_answers = false;
  const Answered paid = bench.pay(5'000);  // in flight
  const std::string id(Json::parse(bench.host.log.at(0).body)->view()["id"].string().value_or(""));
  const Answered back = bench.refund(id, 2'000);
  EXPECT_EQ(back.text(), "stored");
  bench.acquirer_answers = true;
  bench.advance(5'000);
  EXPECT_EQ(paid.text(), "succeeded");
  EXPECT_EQ(bench.row(id).refunded_amount, 2'000);
  EXPECT_EQ(bench.refund(id, 3'001).text(), "invalid_params");
  EXPECT_EQ(bench.status(back.payment().id), "succeeded");
}

TEST_F(Refunds, OfAPartialApprovalGiveBackNoMoreThanWasApproved) {
  bench.policy.partial_approvals = PartialApprovals::Accept;
  bench.online();
  bench.host.answer = [&](const hal::HostRequest& request) -> std::optional<hal::HostOutcome> {
    const auto body = Json::parse(request.body);
    if (request.path != "/v1/payments" || (*body)["object"].string() != "payment_intent")
      return bench.acquirer(request);
    return Bench::reply(200, R"({"payment":")" + std::string((*body)["id"].string().value_or("")) +
                                 R"(","outcome":"partial","approved_amount":800})");
  };
  const Answered paid = bench.pay(1'250);
  ASSERT_EQ(paid.text(), "succeeded");
  EXPECT_EQ(bench.refund(paid.payment().id, 801).text(), "invalid_params");
  const Answered back = bench.refund(paid.payment().id, 0);
  ASSERT_EQ(back.text(), "succeeded");
  EXPECT_EQ(back.payment().amount, 800);
}

TEST_F(Refunds, ToACardThatIsRead) {
  terminal::RefundParams params;
  params.approver = "manager";
  params.intent.amount = 700;
  params.intent.merchant_reference = "goodwill";
  Answered made;
  bench.terminal->checkout().refund(params, Bench::pin("2468"), made.reply());
  bench.run();
  ASSERT_EQ(made.text(), "requires_payment_method");
  Answered done;
  bench.terminal->checkout().collect(made.payment().id, std::chrono::seconds(60), true, done.reply());
  bench.run();
  EXPECT_EQ(bench.reader.request.kind, ObjectKind::Refund);
  bench.present(Bench::card());
  EXPECT_EQ(done.text(), "stored");
  EXPECT_EQ(done.payment().kind, ObjectKind::Refund);
  bench.online();
  EXPECT_EQ(bench.status(made.payment().id), "succeeded");
}

}  // namespace
}  // namespace nightdrop::test
