// Random lives: whatever answers come in whatever order, the public functions keep a payment inside the table, its card
// data ends with the final answer, and what it adds to the totals is never negative and gone when it is settled.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "engine/settle.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop::engine {
namespace {

Answer any_answer() {
  const auto wait = *rc::gen::element<std::optional<std::chrono::milliseconds>>(
      std::nullopt, std::chrono::milliseconds(0), std::chrono::seconds(30));
  switch (*rc::gen::inRange(0, 10)) {
    case 0: {
      Approved approved;
      approved.partial = *rc::gen::arbitrary<bool>();
      approved.authorization.approved_amount = *rc::gen::inRange<std::int64_t>(0, 5'000);
      return approved;
    }
    case 1: {
      DeclinedAnswer declined;
      declined.reason = "x";
      declined.response_code = *rc::gen::element<std::string>("05", "51", "41", "");
      declined.advice_code = *rc::gen::element<std::string>("", "03", "24", "30");
      declined.category = *rc::gen::element(DeclineCategory::Soft, DeclineCategory::Hard);
      return declined;
    }
    case 2: return Pending{wait};
    case 3: return Rejected{*rc::gen::element(400, 409, 422), "code"};
    case 4: return NotAuthorized{401};
    case 5: return TryAgain{wait};
    case 6: return NotAnAnswer{"html"};
    case 7: return NoAnswer{*rc::gen::arbitrary<bool>()};
    case 8: return NeverSent{};
    default: return NeverReceived{};
  }
}

void check(const Payment& payment) {
  Payment counted = payment;
  set_exposure(counted);
  RC_ASSERT(counted.exposure >= 0);
  RC_ASSERT(counted.counted == is_at_risk(counted.status));
  RC_ASSERT(counted.counted || counted.exposure == 0);
  if (payment.status == Status::Succeeded) {
    RC_ASSERT(payment.authorization.has_value());
    RC_ASSERT(!payment.decline);
  }
  const bool final_answer = payment.status == Status::Succeeded || payment.status == Status::Canceled ||
                            payment.status == Status::RequiresReview ||
                            (payment.status == Status::Declined && !payment.decline->retry_at);
  if (final_answer) RC_ASSERT(!payment.envelope);
  if (payment.outcome_unknown) RC_ASSERT(payment.sent);
}

RC_GTEST_PROP(LifecycleProperties, AnyAnswersInAnyOrderKeepThePromises, ()) {
  Policy policy;
  policy.decline_retries = {.enabled = *rc::gen::arbitrary<bool>(), .max_per_day = 2, .max_per_30_days = 4};
  policy.partial_approvals = *rc::gen::element(PartialApprovals::Reverse, PartialApprovals::Accept);
  Payment payment;
  payment.amount = *rc::gen::inRange<std::int64_t>(1, 5'000);
  payment.card.emplace();
  payment.card->brand = *rc::gen::element(Brand::Visa, Brand::Mastercard);
  payment.envelope.emplace();
  payment.deferred = true;
  UtcMs now = 1'790'000'000'000;
  apply(payment, Event::CardRead);
  const bool online = *rc::gen::arbitrary<bool>();
  apply(payment, online ? Event::SendOnline : Event::Store);
  payment.deferred = !online;
  payment.sent = online;

  const std::string id = payment.id;
  const std::int64_t amount = payment.amount;
  const int steps = *rc::gen::inRange(1, 25);
  for (int step = 0; step < steps; ++step) {
    now += *rc::gen::inRange<std::int64_t>(0, 200'000'000);
    if (is_at_risk(payment.status) && *rc::gen::inRange(0, 8) == 0) payment.cancel_requested = CancelReason::Abandoned;
    if (payment.status == Status::Declined && payment.decline->retry_at) {
      apply(payment, Event::RetryDue);
      payment.decline_retries += 1;
    }
    if (payment.not_before == held) break;  // approved, and waits for its reversal alone
    if (payment.status == Status::Stored) apply(payment, Event::Forward);
    if (payment.status != Status::Processing && payment.status != Status::Forwarding) break;
    payment.attempts += 1;
    payment.sent = true;
    const bool was_unknown = payment.outcome_unknown;
    const Answer answer = any_answer();
    const Settlement settlement = settle(payment, answer, policy, now, *rc::gen::arbitrary<std::uint64_t>());
    check(settlement.payment);
    RC_ASSERT(settlement.payment.id == id);
    RC_ASSERT(settlement.payment.amount == amount);
    const bool decided = std::holds_alternative<Approved>(answer) || std::holds_alternative<DeclinedAnswer>(answer) ||
                         std::holds_alternative<Rejected>(answer);
    if (!decided) {
      RC_ASSERT(is_at_risk(settlement.payment.status));  // no outcome is made up
      RC_ASSERT(settlement.payment.envelope.has_value());
      RC_ASSERT(!settlement.reversal);
      RC_ASSERT(!was_unknown || std::holds_alternative<NeverReceived>(answer) || settlement.payment.outcome_unknown);
    }
    if (std::holds_alternative<Approved>(answer) && payment.cancel_requested)
      RC_ASSERT(settlement.reversal == ReversalReason::Canceled);
    if (settlement.reversal) RC_ASSERT(std::holds_alternative<Approved>(answer));
    payment = settlement.payment;
  }
}

RC_GTEST_PROP(LifecycleProperties, AWalkAlongTheTableNeverLeavesACanceledPayment, ()) {
  Status status = Status::RequiresPaymentMethod;
  bool canceled = false;
  for (int i = 0; i < 40; ++i) {
    const auto event = static_cast<Event>(*rc::gen::inRange<int>(0, static_cast<int>(event_count)));
    const auto to = next(status, event);
    if (!to) continue;
    RC_ASSERT(!canceled);
    if (*to == Status::Succeeded) RC_ASSERT(event == Event::HostApproved && is_at_risk(status));
    status = *to;
    canceled = status == Status::Canceled;
  }
}

}  // namespace
}  // namespace nightdrop::engine
