// Checkout: online or offline, and the durable record of what was accepted offline.
#include <algorithm>

#include "engine/lifecycle.hpp"
#include "report/objects.hpp"
#include "terminal/checkout.hpp"

namespace nightdrop::terminal {

using engine::Event;

void Checkout::confirm(const std::string& id, Reply<Payment> reply) {
  if (Intent* intent = intent_of(id); intent != nullptr) {
    if (intent->payment.status == Status::RequiresConfirmation) return confirm_intent(*intent, reply);
    if (intent->payment.status == Status::RequiresApproval) {
      return books_.reply<Payment>(
          reply, refuse(PosCode::ApprovalRequired, "A manager must approve this amount.", intent->payment));
    }
    return books_.reply<Payment>(
        reply, refuse(PosCode::UnexpectedState, "The payment's status does not allow confirming it.", intent->payment));
  }
  // An approval that came after the card has already confirmed: asked again, it is as it is.
  if (const auto row = books_.ports().store.find(id);
      row && *row && (*row)->approved_up_to != 0 && (*row)->kind == ObjectKind::PaymentIntent) {
    return books_.reply<Payment>(reply, PosResult<Payment>(**row));
  }
  books_.reply<Payment>(reply, std::unexpected(missing(id)));
}

void Checkout::confirm_intent(Intent& intent, const Reply<Payment>& reply) {
  if (const auto no = books_.refuse_closed())
    return refuse_card(intent, no->code, "The reader was tampered with; the card's data was discarded.", reply);
  if (std::ranges::find(waiters_, intent.payment.id, &Waiter::id) != waiters_.end()) {
    return books_.reply<Payment>(
        reply, refuse(PosCode::UnexpectedState, "The payment is being confirmed already.", intent.payment));
  }
  if (intent.payment.offline_behavior == OfflineBehavior::ForceOffline) return store_offline(intent, reply);
  if (const auto route = network_.route()) return send_online(intent, *route, reply);
  if (network_.undecided()) {
    waiters_.push_back({intent.payment.id, reply, books_.mono_ms() + network_wait_ms});
    return;
  }
  if (intent.payment.offline_behavior == OfflineBehavior::RequireOnline) {
    return refuse_card(intent, PosCode::NetworkRequired,
                       "This payment must be authorized online and there is no network.", reply);
  }
  store_offline(intent, reply);
}

void Checkout::network_changed() {
  if (network_.undecided() && !network_.route()) return;
  const std::vector<Waiter> waiters = std::move(waiters_);
  waiters_.clear();
  for (const Waiter& waiter : waiters) {
    if (Intent* intent = intent_of(waiter.id); intent != nullptr) confirm_intent(*intent, waiter.reply);
  }
}

void Checkout::store_offline(Intent& intent, const Reply<Payment>& reply) {
  const std::string id = intent.payment.id;
  auto result = books_.decide<Payment>([&] { return try_store(intent, false, true); });
  if (result) {
    intent.payment = *result;  // no longer confirmable; the row is the truth once the turn is durable
    intent.on_disk = true;
    books_.reply<Payment>(reply, std::move(result));  // first: the customer waits for it, the rest waits for nobody
    return after_stored(id);
  }
  if (result.error().code == PosCode::ApprovalRequired) {
    intent.payment = *result.error().payment;
    return books_.reply<Payment>(reply, std::move(result));
  }
  discard_card(intent);
  result.error().payment = intent.payment;
  books_.ports().indicator.show(hal::Indication::Refused);
  books_.reply<Payment>(reply, std::move(result));
}

// Decides by the rules and, where they allow it, writes the stored payment; runs inside the turn's transaction.
// `after_attempt`: an online attempt was made, its row is there. `fresh`: nothing of it can have reached the acquirer.
Result<PosResult<Payment>> Checkout::try_store(Intent& intent, bool after_attempt, bool fresh) {
  if (books_.ports().store.health().degraded) {
    return PosResult<Payment>(refuse(
        PosCode::StoreUnavailable, "The payment store was damaged; payments are refused until a person has decided."));
  }
  const auto exposure = books_.exposure(intent.payment);
  if (!exposure) return std::unexpected(exposure.error());
  const auto decision =
      engine::decide_offline(books_.policy(), intent.payment, intent.facts, *exposure, books_.clock());
  Payment payment = intent.payment;
  if (const auto* no = std::get_if<engine::Refused>(&decision)) {
    ND_TRY(books_.audit_refusal(payment, no->code));
    return PosResult<Payment>(refuse(no->code, no->message));
  }
  if (std::holds_alternative<engine::NeedsApproval>(decision)) {
    if (after_attempt)
      return PosResult<Payment>(
          refuse(PosCode::ApprovalRequired, "A manager must approve this amount; the card must be presented again."));
    engine::apply(payment, Event::ApprovalNeeded);
    ND_TRY(books_.journal("payment_intent.requires_approval", report::payment_json(payment)));
    return PosResult<Payment>(refuse(PosCode::ApprovalRequired, "A manager must approve this amount.", payment));
  }
  ND_TRY(write_stored(payment, *exposure, fresh));
  return PosResult<Payment>(std::move(payment));
}

Result<void> Checkout::write_stored(Payment& payment, const engine::Exposure& before, bool fresh) {
  const UtcMs now = books_.now();
  if (payment.stan == 0) books_.identify_message(payment);
  if (fresh) {
    payment.deferred = true;
    payment.sent = false;
  }
  payment.stored_at = now;
  payment.deadline = now + books_.policy().forward_deadline_s * 1000;
  payment.offline_reference = books_.new_offline_reference();
  if (books_.entropy_failed()) return failure(Errc::Unavailable, "no random bytes for the offline reference");
  payment.not_before = 0;
  if (payment.card && payment.card->fallback) books_.count_fallback();
  engine::apply(payment, Event::Store);
  ND_TRY(books_.record(payment));
  return books_.report_limits(before, payment);
}

// Once durable: the row is the truth, used keys go, forwarding may begin.
void Checkout::after_stored(const std::string& id) {
  books_.then([this, id](bool durable) {
    if (!durable) return;
    intents_.erase(id);
    books_.erase_spent_keys();
    books_.ports().indicator.show(hal::Indication::StoredOffline);
    if (stored_) stored_();
  });
}

void Checkout::tick() {
  const std::int64_t now = books_.mono_ms();
  if (recover_at_ms_ != 0 && now >= recover_at_ms_) {
    recover_at_ms_ = 0;
    if (!recover()) recover_at_ms_ = now + recover_pause_ms;
  }
  if (interaction_ && !interaction_->timed_out && !interaction_->canceled && now >= interaction_->give_up_at_ms) {
    interaction_->timed_out = true;
    books_.ports().reader.cancel();
  }
  std::vector<Waiter> late;
  std::erase_if(waiters_, [&](const Waiter& waiter) {
    if (waiter.until_ms > now) return false;
    late.push_back(waiter);
    return true;
  });
  for (const Waiter& waiter : late) {
    Intent* intent = intent_of(waiter.id);
    if (intent == nullptr) continue;
    if (intent->payment.offline_behavior == OfflineBehavior::RequireOnline) {
      refuse_card(*intent, PosCode::NetworkRequired, "This payment must be authorized online and there is no network.",
                  waiter.reply);
    } else {
      store_offline(*intent, waiter.reply);
    }
  }
  std::vector<std::string> expired;
  std::vector<std::string> ask;
  for (auto& [id, attempt] : online_) {
    if (now >= attempt.give_up_at_ms) {
      expired.push_back(id);
    } else if (attempt.ask_at_ms != 0 && now >= attempt.ask_at_ms) {
      attempt.ask_at_ms = 0;
      ask.push_back(id);
    }
  }
  for (const std::string& id : ask) send_attempt(id, true);
  for (const std::string& id : expired) {
    if (Intent* intent = intent_of(id); intent != nullptr) network_lost(*intent, false);
  }
}

std::optional<std::int64_t> Checkout::next_tick_ms() const {
  std::optional<std::int64_t> next;
  const auto at = [&](std::int64_t when) { next = next ? std::min(*next, when) : when; };
  if (interaction_ && !interaction_->timed_out && !interaction_->canceled) at(interaction_->give_up_at_ms);
  for (const Waiter& waiter : waiters_) at(waiter.until_ms);
  if (recover_at_ms_ != 0) at(recover_at_ms_);
  for (const auto& [id, attempt] : online_) {
    at(attempt.give_up_at_ms);
    if (attempt.ask_at_ms != 0) at(attempt.ask_at_ms);
  }
  return next;
}

}  // namespace nightdrop::terminal
