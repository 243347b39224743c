// What each kind of answer makes of a payment, online (processing) and from the queue (forwarding).
#include "engine/settle.hpp"

#include <gtest/gtest.h>

#include <string_view>

namespace nightdrop::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
constexpr UtcMs now = 1'790'000'000'000;

Payment in_flight(Status status) {
  Payment payment;
  payment.id = "pi_1";
  payment.status = status;
  payment.amount = payment.card_amount = 1'250;
  payment.card.emplace();
  payment.card->brand = Brand::Visa;
  payment.envelope.emplace();
  payment.envelope->ciphertext = {1, 2, 3};
  payment.sent = true;
  payment.attempts = 1;
  payment.last_attempt_outcome = AttemptOutcome::InFlight;
  payment.not_before = 77;
  if (status == Status::Forwarding) {
    payment.deferred = true;
    payment.stored_at = now - 1'000;
    payment.deadline = now + 86'400'000;
  }
  return payment;
}

Approved approved(std::int64_t amount = 1'250, bool partial = false) {
  Approved answer;
  answer.authorization = {"aq_1", "831000", amount, "00", now};
  answer.emv = "8A023030";
  answer.partial = partial;
  return answer;
}

DeclinedAnswer declined(std::string_view code = "51") {
  DeclinedAnswer answer;
  answer.id = "aq_2";
  answer.response_code = code;
  answer.reason = "insufficient_funds";
  return answer;
}

class Settle : public testing::TestWithParam<Status> {
 protected:
  Settle() : payment(in_flight(GetParam())) {}
  Settlement read(const Answer& answer, std::uint64_t random = 12'345) {
    Settlement settlement = settle(payment, answer, policy, now, random);
    EXPECT_EQ(settlement.payment.id, payment.id);
    EXPECT_EQ(settlement.payment.amount, payment.amount);
    EXPECT_EQ(settlement.payment.deferred, payment.deferred);
    EXPECT_EQ(settlement.payment.stored_at, payment.stored_at);
    EXPECT_EQ(settlement.payment.deadline, payment.deadline);
    return settlement;
  }
  // Where an undecided attempt leaves it.
  Status waiting() const { return GetParam() == Status::Forwarding ? Status::Stored : Status::Processing; }
  static void expect_final(const Settlement& settlement, Status status) {
    EXPECT_EQ(settlement.payment.status, status);
    EXPECT_TRUE(settlement.answered);
    EXPECT_FALSE(settlement.payment.envelope) << "no card data outlives the answer";
    EXPECT_FALSE(settlement.payment.outcome_unknown);
    EXPECT_FALSE(settlement.payment.ask_status);
    EXPECT_EQ(settlement.payment.not_before, 0);
    EXPECT_EQ(settlement.payment.last_attempt_outcome, AttemptOutcome::Answered);
    EXPECT_FALSE(settlement.suspend_forwarding);
    EXPECT_FALSE(settlement.suspect_route);
  }
  void expect_unknown(const Settlement& settlement, UtcMs from, UtcMs to) const {
    EXPECT_EQ(settlement.payment.status, waiting());
    EXPECT_FALSE(settlement.answered);
    EXPECT_TRUE(settlement.payment.envelope) << "it goes out again, with its card";
    EXPECT_TRUE(settlement.payment.outcome_unknown);
    EXPECT_TRUE(settlement.payment.sent);
    EXPECT_EQ(settlement.payment.last_attempt_outcome, AttemptOutcome::Unknown);
    EXPECT_GE(settlement.payment.not_before, from);
    EXPECT_LE(settlement.payment.not_before, to);
    EXPECT_EQ(settlement.reversal, std::nullopt);
    EXPECT_FALSE(settlement.suspend_forwarding);
  }
  Policy policy;
  Payment payment;
};

TEST_P(Settle, Approved) {
  const Settlement settlement = read(approved());
  expect_final(settlement, Status::Succeeded);
  EXPECT_EQ(settlement.payment.authorization->code, "831000");
  EXPECT_EQ(settlement.payment.authorization->approved_amount, 1'250);
  EXPECT_EQ(settlement.payment.card->authorization_response_code, "3030");
  EXPECT_FALSE(settlement.payment.decline);
  EXPECT_EQ(settlement.reversal, std::nullopt);
}

TEST_P(Settle, ApprovedAfterADeclineThatWasTriedAgain) {
  payment.decline.emplace();
  payment.decline->reason = "do_not_honor";
  EXPECT_FALSE(read(approved()).payment.decline);
}

TEST_P(Settle, EmvThatIsNoResponseCodeIsLeftAlone) {
  Approved answer = approved();
  for (const char* emv : {"", "8A", "8A0230", "8A01", "9F36020001"}) {
    answer.emv = emv;
    EXPECT_EQ(read(answer).payment.card->authorization_response_code, "") << emv;
  }
}

TEST_P(Settle, ApprovedButCanceledMeanwhileWaitsForItsReversal) {
  payment.cancel_requested = CancelReason::RequestedByCustomer;
  const Settlement settlement = read(approved());
  EXPECT_EQ(settlement.payment.status, GetParam()) << "the status stays until the reversal is answered";
  EXPECT_FALSE(settlement.answered);
  EXPECT_EQ(settlement.reversal, ReversalReason::Canceled);
  EXPECT_EQ(settlement.payment.not_before, held) << "and it is not sent again";
  EXPECT_FALSE(settlement.payment.envelope);
  EXPECT_TRUE(settlement.payment.authorization);
}

TEST_P(Settle, PartialIsReversedAndReportedAsDeclined) {
  const Settlement settlement = read(approved(800, true));
  expect_final(settlement, Status::Declined);
  EXPECT_EQ(settlement.reversal, ReversalReason::PartialRefused);
  EXPECT_EQ(settlement.payment.decline->reason, "partial_approval_refused");
  EXPECT_EQ(settlement.payment.decline->category, DeclineCategory::Hard);
  EXPECT_FALSE(settlement.payment.decline->retry_at);
  EXPECT_FALSE(settlement.payment.authorization) << "nothing of it may read as if it were paid";
}

TEST_P(Settle, PartialIsAcceptedWhereThePolicySaysSo) {
  policy.partial_approvals = PartialApprovals::Accept;
  const Settlement settlement = read(approved(800, true));
  expect_final(settlement, Status::Succeeded);
  EXPECT_EQ(settlement.payment.authorization->approved_amount, 800);
  EXPECT_EQ(settlement.reversal, std::nullopt);
}

TEST_P(Settle, PartialAndCanceledIsReversedOnce) {
  payment.cancel_requested = CancelReason::Duplicate;
  const Settlement settlement = read(approved(800, true));
  EXPECT_EQ(settlement.reversal, ReversalReason::Canceled);
  EXPECT_EQ(settlement.payment.status, GetParam());
}

TEST_P(Settle, LessThanAskedIsPartialWhateverItIsCalled) {
  EXPECT_EQ(read(approved(1'249)).reversal, ReversalReason::PartialRefused);
  policy.partial_approvals = PartialApprovals::Accept;
  EXPECT_EQ(read(approved(1'249)).payment.status, Status::Succeeded);
}

TEST_P(Settle, MoreThanAskedIsForAPersonAndMayBeCharged) {
  const Settlement settlement = read(approved(1'251));
  expect_final(settlement, Status::RequiresReview);
  EXPECT_EQ(settlement.payment.decline->reason, "approved_more_than_asked");
  EXPECT_EQ(settlement.payment.decline->next_action.find("Nothing was charged"), std::string::npos);
  payment.cancel_requested = CancelReason::Abandoned;
  EXPECT_EQ(read(approved(1'251)).reversal, ReversalReason::Canceled) << "canceled: all of it is undone";
}

TEST_P(Settle, Declined) {
  DeclinedAnswer answer = declined();
  answer.advice_code = "24";
  const Settlement settlement = read(answer);
  expect_final(settlement, Status::Declined);
  const Decline& decline = *settlement.payment.decline;
  EXPECT_EQ(decline.reason, "insufficient_funds");
  EXPECT_EQ(decline.response_code, "51");
  EXPECT_EQ(decline.advice_code, "24");
  EXPECT_EQ(decline.category, DeclineCategory::Soft);
  EXPECT_FALSE(decline.retry_at);
  EXPECT_FALSE(decline.next_action.empty());
  EXPECT_FALSE(settlement.payment.acknowledged);
  EXPECT_EQ(settlement.payment.first_declined_at, now);
  EXPECT_FALSE(settlement.payment.authorization);
}

TEST_P(Settle, ANeverAgainCodeIsHardWhateverTheAcquirerCallsIt) {
  EXPECT_EQ(read(declined("41")).payment.decline->category, DeclineCategory::Hard);
}

TEST_P(Settle, ADeclineThatIsTriedAgainKeepsItsCardAndItsTime) {
  policy.decline_retries = {.enabled = true, .max_per_day = 1, .max_per_30_days = 10};
  payment.deferred = true;
  const Settlement settlement = settle(payment, declined(), policy, now, 1);
  EXPECT_EQ(settlement.payment.status, Status::Declined);
  EXPECT_TRUE(settlement.answered);
  EXPECT_TRUE(settlement.payment.envelope);
  EXPECT_EQ(settlement.payment.decline->retry_at, now + 86'400'000);
  EXPECT_EQ(settlement.payment.not_before, now + 86'400'000);
}

TEST_P(Settle, ACanceledPaymentThatIsDeclinedIsNotTriedAgain) {
  policy.decline_retries = {.enabled = true, .max_per_day = 1, .max_per_30_days = 10};
  payment.deferred = true;
  payment.cancel_requested = CancelReason::Abandoned;
  const Settlement settlement = settle(payment, declined(), policy, now, 1);
  expect_final(settlement, Status::Declined);
  EXPECT_FALSE(settlement.payment.decline->retry_at);
  EXPECT_EQ(settlement.reversal, std::nullopt) << "there is nothing to reverse";
}

TEST_P(Settle, PendingIsAskedForNotSentAgain) {
  Settlement settlement = read(Pending{milliseconds(7'000)});
  expect_unknown(settlement, now + 7'000, now + 7'000);
  EXPECT_TRUE(settlement.payment.ask_status);
  settlement = read(Pending{});
  expect_unknown(settlement, now + 1'000, now + 1'000);
}

TEST_P(Settle, RejectedIsForAPersonAndEndsIt) {
  const Settlement settlement = read(Rejected{422, "bad_emv"});
  expect_final(settlement, Status::RequiresReview);
  EXPECT_EQ(settlement.payment.decline->reason, "bad_emv");
  EXPECT_NE(settlement.payment.decline->next_action.find("Nothing was charged"), std::string::npos);
  EXPECT_EQ(read(Rejected{400, ""}).payment.decline->reason, "rejected");
}

TEST_P(Settle, RejectedDoesNotPromiseThatNothingWasChargedWhenThatIsNotKnown) {
  const auto says_nothing_charged = [&](const Answer& answer) {
    return read(answer).payment.decline->next_action.find("Nothing was charged") != std::string::npos;
  };
  EXPECT_FALSE(says_nothing_charged(Rejected{409, "idempotency_conflict"})) << "the key was used with another body";
  payment.outcome_unknown = true;  // an earlier attempt may have been taken
  EXPECT_FALSE(says_nothing_charged(Rejected{422, "x"}));
  payment.outcome_unknown = false;
  payment.authorization.emplace();  // approved, and its reversal was refused
  EXPECT_FALSE(says_nothing_charged(Rejected{0, "reversal_rejected"}));
}

TEST_P(Settle, NotAuthorizedSuspendsAndChangesNothing) {
  for (const int status : {401, 403}) {
    const Settlement settlement = read(NotAuthorized{status});
    EXPECT_EQ(settlement.payment.status, waiting());
    EXPECT_TRUE(settlement.suspend_forwarding);
    EXPECT_FALSE(settlement.answered);
    EXPECT_TRUE(settlement.payment.envelope);
    EXPECT_FALSE(settlement.payment.outcome_unknown);
    EXPECT_FALSE(settlement.payment.sent) << "it may still be voided and adjusted";
  }
}

TEST_P(Settle, TryAgainHonoursRetryAfterAndElseBacksOff) {
  expect_unknown(read(TryAgain{seconds(120)}), now + 120'000, now + 120'000);
  expect_unknown(read(TryAgain{milliseconds(0)}), now, now);
  expect_unknown(read(TryAgain{}, UINT64_MAX), now, now + 500);
  payment.attempts = 30;
  expect_unknown(read(TryAgain{}, 60'000), now + 60'000, now + 60'000);
  payment.attempts = 0;
  expect_unknown(read(TryAgain{}), now, now + 500);
}

TEST_P(Settle, NotAnAnswerMakesTheRouteSuspect) {
  const Settlement settlement = read(NotAnAnswer{"html"});
  expect_unknown(settlement, now, now + 500);
  EXPECT_TRUE(settlement.suspect_route);
}

TEST_P(Settle, NoAnswerIsUnknown) {
  const Settlement settlement = read(NoAnswer{true});
  expect_unknown(settlement, now, now + 500);
  EXPECT_FALSE(settlement.suspect_route);
}

TEST_P(Settle, AQuestionWithoutAnswerIsAskedAgain) {
  payment.ask_status = true;
  EXPECT_TRUE(read(NoAnswer{}).payment.ask_status);
  EXPECT_TRUE(read(TryAgain{}).payment.ask_status);
  EXPECT_TRUE(read(NeverSent{}).payment.ask_status);
  EXPECT_TRUE(read(NotAuthorized{401}).payment.ask_status);
}

TEST_P(Settle, NeverSentLeavesItAsUnsentAsItWas) {
  Settlement settlement = read(NeverSent{});
  EXPECT_EQ(settlement.payment.status, waiting());
  EXPECT_FALSE(settlement.payment.sent);
  EXPECT_FALSE(settlement.payment.outcome_unknown);
  EXPECT_EQ(settlement.payment.last_attempt_outcome, AttemptOutcome::NotSent);
  payment.outcome_unknown = true;  // an earlier attempt's outcome stays open
  settlement = read(NeverSent{});
  EXPECT_TRUE(settlement.payment.sent);
  EXPECT_TRUE(settlement.payment.outcome_unknown);
}

TEST_P(Settle, NeverReceivedIsSentNow) {
  payment.ask_status = payment.outcome_unknown = true;
  const Settlement settlement = read(NeverReceived{});
  EXPECT_EQ(settlement.payment.status, waiting());
  EXPECT_FALSE(settlement.payment.outcome_unknown);
  EXPECT_FALSE(settlement.payment.ask_status);
  EXPECT_EQ(settlement.payment.not_before, now);
  EXPECT_TRUE(settlement.payment.envelope);
}

TEST_P(Settle, ReversalDoneCancels) {
  payment.cancel_requested = CancelReason::RequestedByCustomer;
  const Settlement settlement = read(ReversalDone{});
  expect_final(settlement, Status::Canceled);
  EXPECT_EQ(settlement.payment.cancellation->reason, CancelReason::RequestedByCustomer);
  EXPECT_EQ(settlement.payment.cancellation->at, now);
  payment.cancel_requested.reset();
  EXPECT_EQ(read(ReversalDone{}).payment.cancellation->reason, CancelReason::Reversed);
}

INSTANTIATE_TEST_SUITE_P(States, Settle, testing::Values(Status::Processing, Status::Forwarding),
                         [](const auto& each) { return each.param == Status::Processing ? "online" : "forwarding"; });

TEST(Exposure, FollowsTheStatus) {
  for (std::size_t i = 0; i < status_count; ++i) {
    Payment payment;
    payment.amount = 900;
    payment.status = static_cast<Status>(i);
    set_exposure(payment);
    EXPECT_EQ(payment.counted, is_at_risk(payment.status));
    EXPECT_EQ(payment.exposure, is_at_risk(payment.status) ? 900 : 0);
    EXPECT_EQ(payment.reportable, is_reportable(payment.status));
  }
}

TEST(ApplyDeathTest, AForbiddenCellStopsTheProcess) {
  Payment payment;
  payment.status = Status::Canceled;
  EXPECT_DEATH(apply(payment, Event::HostApproved), "assertion failed");
}

}  // namespace
}  // namespace nightdrop::engine
