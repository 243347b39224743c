// Checkout: the online attempt. Its row is durable before its first byte leaves; an unknown outcome becomes a stored
// payment under the same id with the same body, or, where it may not be stored, a durable reversal (RULES 18).
#include "acquirer/https/answer.hpp"
#include "acquirer/https/request.hpp"
#include "engine/lifecycle.hpp"
#include "terminal/checkout.hpp"

namespace nightdrop::terminal {
namespace {
using engine::Event;
// The daemon gives up a little after the request's own timeout, so that the request's answer decides where there is
// one.
constexpr std::int64_t grace_ms = 500;
}  // namespace

void Checkout::send_online(Intent& intent, Route route, const Reply<Payment>& reply) {
  const std::string id = intent.payment.id;
  const auto sent = books_.decide<Payment>([&]() -> Result<PosResult<Payment>> {
    Payment payment = intent.payment;
    const auto exposure = books_.exposure(payment);
    if (!exposure) return std::unexpected(exposure.error());
    if (payment.stan == 0) books_.identify_message(payment);
    payment.deferred = false;
    payment.stored_at.reset();
    payment.sent = true;
    payment.attempts += 1;
    payment.last_attempt_at = books_.now();
    payment.last_attempt_route = route;
    payment.last_attempt_outcome = AttemptOutcome::InFlight;
    payment.not_before = held;  // not the queue's to send while it is attended
    payment.may_store = payment.offline_behavior != OfflineBehavior::RequireOnline &&
                        std::holds_alternative<engine::Allowed>(
                            engine::decide_offline(books_.policy(), payment, intent.facts, *exposure, books_.clock()));
    engine::apply(payment, Event::SendOnline);
    ND_TRY(books_.record(payment));
    return PosResult<Payment>(std::move(payment));
  });
  if (!sent) {
    discard_card(intent);
    PosError error = sent.error();
    error.payment = intent.payment;
    return books_.reply<Payment>(reply, std::unexpected(std::move(error)));
  }
  intent.payment = *sent;
  intent.on_disk = true;
  const std::int64_t timeout_ms = books_.policy().online_timeout_ms;
  online_[id] = {.reply = reply, .route = route, .give_up_at_ms = books_.mono_ms() + timeout_ms + grace_ms};
  books_.then([this, id, reply](bool durable) {
    if (!durable) return reply(std::unexpected(store_error(Error{Errc::Io, 0, ""})));
    books_.erase_spent_keys();
    books_.ports().indicator.show(hal::Indication::Processing);
    send_attempt(id, false);
  });
}

void Checkout::send_attempt(const std::string& id, bool inquiry) {
  const auto attempt = online_.find(id);
  const auto intent = intents_.find(id);
  if (attempt == online_.end() || intent == intents_.end()) return;
  hal::HostRequest request =
      inquiry ? acquirer::inquiry_request(intent->second.payment, books_.settings().merchant)
              : acquirer::payment_request(intent->second.payment, books_.settings().merchant, books_.now());
  request.route = attempt->second.route;
  request.timeout = std::chrono::milliseconds(books_.policy().online_timeout_ms);
  books_.ports().host.send(std::move(request), [this, id, inquiry](const hal::HostOutcome& outcome) {
    on_online_outcome(id, inquiry, outcome);
  });
}

void Checkout::on_online_outcome(const std::string& id, bool inquiry, const hal::HostOutcome& outcome) {
  const auto attempt = online_.find(id);
  Intent* intent = intent_of(id);
  if (attempt == online_.end() || intent == nullptr)
    return;  // given up already: the queue asks again under the same id
  const Answer answer = acquirer::read_payment_answer(outcome, id, inquiry, books_.now());
  if (const auto* pending = std::get_if<Pending>(&answer)) {
    attempt->second.ask_at_ms =
        books_.mono_ms() + pending->retry_after.value_or(std::chrono::milliseconds(500)).count();
    return;
  }
  if (std::holds_alternative<NeverSent>(answer)) network_.suspect(attempt->second.route, true);
  if (const auto* none = std::get_if<NoAnswer>(&answer)) network_.suspect(attempt->second.route, none->timed_out);
  if (std::holds_alternative<NotAnAnswer>(answer)) network_.suspect(attempt->second.route, false);

  const bool known_not_sent =
      !inquiry && (std::holds_alternative<NeverSent>(answer) || std::holds_alternative<NotAuthorized>(answer));
  const bool no_outcome = std::holds_alternative<NoAnswer>(answer) || std::holds_alternative<NotAnAnswer>(answer) ||
                          std::holds_alternative<TryAgain>(answer) || std::holds_alternative<NeverReceived>(answer);
  if (known_not_sent || no_outcome ||
      (inquiry && !std::holds_alternative<Approved>(answer) && !std::holds_alternative<DeclinedAnswer>(answer))) {
    return network_lost(*intent, known_not_sent);
  }
  settle_online(*intent, answer);
}

void Checkout::settle_online(Intent& intent, const Answer& answer) {
  const std::string id = intent.payment.id;
  auto settled = books_.decide<Payment>([&]() -> Result<PosResult<Payment>> {
    ND_TRY(follow_row(intent.payment));
    engine::Settlement settlement =
        engine::settle(intent.payment, answer, books_.policy(), books_.now(), books_.random());
    Payment& payment = settlement.payment;
    if (settlement.reversal) ND_TRY(books_.order_reversal(payment.id, *settlement.reversal));
    // The person at the counter hears of it now.
    if (payment.status == Status::Declined) payment.acknowledged = true;
    if (settlement.answered) {
      ND_TRY(books_.record(payment));
    } else {
      ND_TRY(books_.save(payment));
    }
    return PosResult<Payment>(payment);
  });
  if (settled) {
    books_.ports().indicator.show(settled->status == Status::Succeeded ? hal::Indication::Approved
                                                                       : hal::Indication::Refused);
  }
  end_online(id, std::move(settled));
}

// Others write the row while the attempt is under way: a cancel, a refund of it.
Result<void> Checkout::follow_row(Payment& payment) {
  const auto row = books_.ports().store.find(payment.id);
  if (!row) return std::unexpected(row.error());
  if (!*row) return {};
  payment.cancel_requested = (*row)->cancel_requested;
  payment.refunded_amount = (*row)->refunded_amount;
  return {};
}

// The call is over; the row goes on by itself where it must.
void Checkout::end_online(const std::string& id, PosResult<Payment> result) {
  const auto attempt = online_.find(id);
  const Reply<Payment> reply =
      attempt == online_.end() ? Reply<Payment>([](const PosResult<Payment>&) {}) : attempt->second.reply;
  if (attempt != online_.end()) online_.erase(attempt);
  const bool unwritten = !result && !result.error().payment;
  if (unwritten) recover_at_ms_ = books_.mono_ms() + recover_pause_ms;  // the row still says "under way"
  const auto intent = intents_.find(id);
  if (intent != intents_.end()) {
    if (result) intent->second.payment = *result;
    if (intent->second.payment.status != Status::RequiresPaymentMethod) intents_.erase(intent);
  }
  books_.then([this](bool durable) {
    if (durable && stored_) stored_();
  });
  books_.reply<Payment>(reply, std::move(result));
}

// No outcome: stored, failed or asked about, as the POS wished and the rules allow.
void Checkout::network_lost(Intent& intent, bool known_not_sent) {
  const std::string id = intent.payment.id;
  auto result = books_.decide<Payment>([&]() -> Result<PosResult<Payment>> {
    Payment& payment = intent.payment;
    ND_TRY(follow_row(payment));
    payment.last_attempt_outcome = known_not_sent ? AttemptOutcome::NotSent : AttemptOutcome::Unknown;
    payment.sent = !known_not_sent;
    payment.outcome_unknown = !known_not_sent;
    const bool require = payment.offline_behavior == OfflineBehavior::RequireOnline;
    if (payment.cancel_requested) return reverse_unknown(payment, *payment.cancel_requested);
    if (!require && payment.on_network_loss == OnNetworkLoss::Ask) {
      ND_TRY(books_.save(payment));
      return PosResult<Payment>(
          refuse(PosCode::NetworkLost,
                 "The network was lost; resolve_network_loss decides what becomes of the payment.", payment));
    }
    if (!require && payment.on_network_loss == OnNetworkLoss::Store) {
      auto stored = try_store(intent, true, known_not_sent);
      if (!stored || *stored) return stored;
      if (known_not_sent)
        return take_back(intent, stored->error().code, "The network was lost and the payment may not be stored.");
    }
    if (known_not_sent) {
      return take_back(intent, require ? PosCode::NetworkRequired : PosCode::NetworkLost,
                       "The network was lost before the payment was sent.");
    }
    auto reversed = reverse_unknown(payment, CancelReason::Reversed);
    if (!reversed || !*reversed) return reversed;
    return PosResult<Payment>(
        refuse(PosCode::NetworkLost, "The network was lost; the payment is reversed.", **reversed));
  });
  if (result && result->status == Status::Stored) after_stored(id);
  if (!result && result.error().payment && result.error().payment->status != Status::Processing)
    intent.payment = *result.error().payment;
  end_online(id, std::move(result));
}

// Nothing of it reached anybody: as if the card had not been read.
Result<PosResult<Payment>> Checkout::take_back(Intent& intent, PosCode code, const char* message) {
  Payment before = intent.payment;
  discard_card(intent);
  Payment payment = intent.payment;
  intent.payment = std::move(before);
  payment.not_before = 0;
  payment.sent = false;
  payment.outcome_unknown = false;
  payment.stan = 0;
  ND_TRY(books_.save(payment));
  ND_TRY(books_.audit_refusal(payment, code));
  return PosResult<Payment>(refuse(code, message, payment));
}

// A reversal stands for the unknown outcome; it goes out before any stored payment.
Result<PosResult<Payment>> Checkout::reverse_unknown(Payment& before, CancelReason reason) {
  Payment payment = before;
  if (payment.sent) {
    const auto why = reason == CancelReason::Reversed ? ReversalReason::Timeout : ReversalReason::Canceled;
    ND_TRY(books_.order_reversal(payment.id, why));
  }
  engine::apply(payment, Event::Reversed);
  engine::erase_card(payment);
  payment.cancellation = Cancellation{reason, books_.now()};
  payment.outcome_unknown = false;
  payment.not_before = 0;
  ND_TRY(books_.record(payment));
  return PosResult<Payment>(payment);
}

void Checkout::resolve_network_loss(const std::string& id, bool store, Reply<Payment> reply) {
  if (auto no = books_.refuse_closed()) return books_.reply<Payment>(reply, std::unexpected(std::move(*no)));
  Intent* intent = intent_of(id);
  if (intent == nullptr) return books_.reply<Payment>(reply, std::unexpected(missing(id)));
  if (intent->payment.status != Status::Processing || online_.contains(id)) {
    return books_.reply<Payment>(
        reply, refuse(PosCode::UnexpectedState, "There is no network loss to resolve.", intent->payment));
  }
  // Decided as if the network had been lost just now.
  intent->payment.on_network_loss = store && intent->payment.may_store ? OnNetworkLoss::Store : OnNetworkLoss::Fail;
  online_[id] = {.reply = std::move(reply), .route = intent->payment.last_attempt_route.value_or(Route::Wifi)};
  network_lost(*intent, intent->payment.last_attempt_outcome == AttemptOutcome::NotSent);
}

Result<void> Checkout::recover() {
  // A handful at most: one attended payment a connection. Each leaves the status, so the list ends.
  hal::ListQuery query;
  query.status = Status::Processing;
  const auto rows = books_.ports().store.list(query);
  if (!rows) return std::unexpected(rows.error());
  for (const Payment& row : *rows) {
    if (online_.contains(row.id)) continue;
    Intent* intent = intent_of(row.id);
    if (intent == nullptr) continue;
    const bool asked =
        row.on_network_loss == OnNetworkLoss::Ask && row.offline_behavior != OfflineBehavior::RequireOnline;
    const bool in_flight = row.last_attempt_outcome == AttemptOutcome::InFlight;
    if (row.cancel_requested && !in_flight) continue;  // its reversal ends it
    if (asked && !in_flight) continue;                 // still waits for the POS
    if (!asked && !row.may_store) intent->payment.on_network_loss = OnNetworkLoss::Fail;
    network_lost(*intent, row.last_attempt_outcome == AttemptOutcome::NotSent);
  }
  return {};
}

}  // namespace nightdrop::terminal
