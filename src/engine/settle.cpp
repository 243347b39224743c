#include "engine/settle.hpp"

#include "engine/retry.hpp"
#include "nightdrop/result.hpp"

namespace nightdrop::engine {
namespace {

void clear_waiting(Payment& payment) {
  payment.outcome_unknown = false;
  payment.ask_status = false;
  payment.not_before = 0;
  payment.last_attempt_outcome = AttemptOutcome::Answered;
}

// Undecided: goes back to where it waits, to be sent or asked for again under the same id.
void wait_again(Payment& payment, Event event, UtcMs not_before, bool ask) {
  apply(payment, event);
  payment.ask_status = ask;
  payment.not_before = not_before;
}

void decline(Payment& payment, const Policy& policy, const DeclinedAnswer& answer, UtcMs now) {
  apply(payment, Event::HostDeclined);
  if (!payment.first_declined_at) payment.first_declined_at = now;
  // Nobody wants a canceled payment to be approved after all.
  const auto retry_at = payment.cancel_requested ? std::nullopt : decline_retry_at(policy, payment, answer, now);
  Decline decline;
  decline.reason = answer.reason;
  decline.response_code = answer.response_code;
  decline.advice_code = answer.advice_code;
  decline.category = retry_at ? answer.category
                              : (is_never_again(payment.card ? payment.card->brand : Brand::Unknown,
                                                answer.response_code, answer.advice_code, answer.category)
                                     ? DeclineCategory::Hard
                                     : answer.category);
  decline.retry_at = retry_at;
  decline.next_action = next_action(answer.reason, answer.response_code, decline.category, retry_at.has_value());
  payment.decline = decline;
  payment.acknowledged = false;
  clear_waiting(payment);
  if (retry_at) {
    payment.not_before = *retry_at;
  } else {
    erase_card(payment);
  }
}

struct Reader {
  const Payment& before;
  const Policy& policy;
  UtcMs now;
  std::uint64_t random;
  Settlement result;

  UtcMs later(const std::optional<std::chrono::milliseconds>& retry_after) const {
    const auto delay = retry_after ? *retry_after : backoff(before.attempts == 0 ? 1 : before.attempts, random);
    return now + delay.count();
  }

  void operator()(const Approved& answer) {
    Payment& payment = result.payment;
    result.answered = true;
    if (answer.authorization.approved_amount > payment.amount && !before.cancel_requested) {
      return operator()(Rejected{200, "approved_more_than_asked"});
    }
    const bool partial = answer.partial || answer.authorization.approved_amount < payment.amount;
    if (partial && policy.partial_approvals == PartialApprovals::Reverse && !before.cancel_requested) {
      DeclinedAnswer refused;
      refused.reason = "partial_approval_refused";
      refused.response_code = answer.authorization.response_code;
      refused.category = DeclineCategory::Hard;
      decline(payment, policy, refused, now);
      result.reversal = ReversalReason::PartialRefused;
      return;
    }
    payment.authorization = answer.authorization;
    if (payment.card && answer.emv.starts_with("8A02") && answer.emv.size() >= 8) {
      payment.card->authorization_response_code = answer.emv.substr(4, 4);
    }
    clear_waiting(payment);
    erase_card(payment);
    if (before.cancel_requested) {
      // The status stays until the reversal is answered; the row waits for that, not for another attempt.
      payment.not_before = held;
      result.reversal = ReversalReason::Canceled;
      result.answered = false;
      return;
    }
    payment.decline.reset();
    apply(payment, Event::HostApproved);
  }
  void operator()(const DeclinedAnswer& answer) {
    result.answered = true;
    decline(result.payment, policy, answer, now);
  }
  void operator()(const Pending& answer) {
    result.payment.outcome_unknown = true;
    result.payment.last_attempt_outcome = AttemptOutcome::Unknown;
    const auto wait = answer.retry_after.value_or(std::chrono::seconds(1));
    wait_again(result.payment, Event::NoAnswer, now + wait.count(), true);
  }
  void operator()(const Rejected& answer) {
    Payment& payment = result.payment;
    result.answered = true;
    apply(payment, Event::HostRejected);
    Decline review;
    review.reason = answer.code.empty() ? "rejected" : answer.code;
    review.category = DeclineCategory::Hard;
    const bool may_be_charged =
        before.outcome_unknown || before.authorization || answer.status == 409 || answer.status == 200;
    review.next_action =
        may_be_charged
            ? "The acquirer could not use this request, but the card may have been charged; support must look at it."
            : "The acquirer could not use this request; support must look at it. Nothing was charged by it.";
    payment.decline = review;
    payment.acknowledged = false;
    clear_waiting(payment);
    erase_card(payment);
  }
  void operator()(const NotAuthorized&) {
    undo_attempt(now);
    result.suspend_forwarding = true;
  }
  void operator()(const TryAgain& answer) { unknown(later(answer.retry_after)); }
  void operator()(const NotAnAnswer&) {
    unknown(later(std::nullopt));
    result.suspect_route = true;
  }
  void operator()(const NoAnswer&) { unknown(later(std::nullopt)); }
  void operator()(const NeverSent&) { undo_attempt(later(std::nullopt)); }
  void operator()(const NeverReceived&) {
    // Asked, and the acquirer has never seen it: send it now.
    result.payment.outcome_unknown = false;
    result.payment.last_attempt_outcome = AttemptOutcome::Answered;
    wait_again(result.payment, Event::NoAnswer, now, false);
  }
  void operator()(const ReversalDone&) {
    apply(result.payment, Event::Reversed);
    result.payment.cancellation = Cancellation{before.cancel_requested.value_or(CancelReason::Reversed), now};
    result.answered = true;
    clear_waiting(result.payment);
    erase_card(result.payment);
  }

 private:
  void unknown(UtcMs not_before) {
    result.payment.outcome_unknown = true;
    result.payment.last_attempt_outcome = AttemptOutcome::Unknown;
    wait_again(result.payment, Event::NoAnswer, not_before, before.ask_status);
  }
  // This attempt changed nothing; what earlier attempts left open stays open.
  void undo_attempt(UtcMs not_before) {
    result.payment.last_attempt_outcome = AttemptOutcome::NotSent;
    if (!before.outcome_unknown) result.payment.sent = false;
    wait_again(result.payment, Event::NotSent, not_before, before.ask_status);
  }
};

}  // namespace

void apply(Payment& payment, Event event) {
  const auto to = next(payment.status, event);
  ND_ASSERT(to.has_value());
  payment.status = *to;
}

void set_exposure(Payment& payment) {
  payment.counted = is_at_risk(payment.status);
  payment.exposure = payment.counted ? payment.amount : 0;
  // A canceled payment is reported where the acquirer refused to undo it.
  payment.reportable =
      is_reportable(payment.status) || (payment.decline && payment.decline->reason == reversal_rejected);
}

void erase_card(Payment& payment) {
  payment.envelope.reset();
}

bool end_retries(Payment& payment) {
  if (payment.status != Status::Declined || !payment.decline || !payment.decline->retry_at) return false;
  Decline& decline = *payment.decline;
  decline.retry_at.reset();
  decline.next_action = next_action(decline.reason, decline.response_code, decline.category, false);
  payment.not_before = 0;
  erase_card(payment);
  return true;
}

Settlement settle(const Payment& payment, const Answer& answer, const Policy& policy, UtcMs now, std::uint64_t random) {
  Reader reader{payment, policy, now, random, Settlement{payment, false, std::nullopt, false, false}};
  std::visit(reader, answer);
  return std::move(reader.result);
}

}  // namespace nightdrop::engine
