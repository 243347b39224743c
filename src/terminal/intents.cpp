// Checkout: intents from their making to their end, without card and host.
#include <algorithm>

#include "engine/lifecycle.hpp"
#include "terminal/checkout.hpp"

namespace nightdrop::terminal {

using engine::Event;

Checkout::Checkout(Books& books, Network& network, Managers& managers)
    : books_(books), network_(network), managers_(managers) {}

Checkout::Intent* Checkout::intent_of(const std::string& id) {
  if (const auto found = intents_.find(id); found != intents_.end()) {
    // An attempt that nobody attends is the queue's: its row may have moved on.
    const bool attended =
        !found->second.on_disk || found->second.payment.status != Status::Processing || online_.contains(id);
    if (attended) return &found->second;
    intents_.erase(found);
  }
  // A row that waits for a card again (an attempt that was never sent), or for a decision, after a restart.
  const auto row = books_.ports().store.find(id);
  if (!row || !*row) return nullptr;
  if ((*row)->status != Status::RequiresPaymentMethod && (*row)->status != Status::Processing) return nullptr;
  // What the card showed is gone, but for what was decided by it while it was there.
  Intent intent{
      .payment = **row, .facts = {.offline_pin_verified = (*row)->may_store}, .order = next_order_++, .on_disk = true};
  return &intents_.emplace(id, std::move(intent)).first->second;
}

PosError Checkout::missing(const std::string& id) {
  const auto row = books_.ports().store.find(id);
  if (row && *row) {
    return {.code = PosCode::UnexpectedState, .message = "The payment's status does not allow this.", .payment = **row};
  }
  return {.code = PosCode::UnknownPaymentIntent, .message = "There is no such payment on this reader.", .field = "id"};
}

std::optional<Payment> Checkout::find(std::string_view id_or_reference) const {
  for (const auto& [id, intent] : intents_) {
    const bool row_knows_better = intent.on_disk && engine::is_at_risk(intent.payment.status);
    if (row_knows_better) continue;
    if (id == id_or_reference || intent.payment.merchant_reference == id_or_reference) return intent.payment;
  }
  return std::nullopt;
}

std::vector<Payment> Checkout::in_memory() const {
  std::vector<const Intent*> order;
  for (const auto& [id, intent] : intents_) {
    if (!intent.on_disk) order.push_back(&intent);
  }
  std::ranges::sort(order, std::greater<>(), &Intent::order);
  std::vector<Payment> payments;
  for (const Intent* intent : order) payments.push_back(intent->payment);
  return payments;
}

PosResult<Payment> Checkout::same_reference(const IntentParams& params, const Payment& existing) {
  const bool in_memory_alone = intents_.contains(existing.id);
  const bool same = existing.kind == params.kind && existing.amount - existing.tip == params.amount - params.tip &&
                    (!in_memory_alone || existing.tip == params.tip) && existing.currency == params.currency &&
                    existing.description == params.description && existing.metadata == params.metadata &&
                    existing.offline_behavior == params.offline_behavior &&
                    existing.on_network_loss == params.on_network_loss &&
                    existing.max_offline_amount == params.max_offline_amount;
  if (same) return existing;
  return refuse(PosCode::MerchantReferenceConflict,
                "Another payment with other parameters has this merchant_reference.", existing);
}

void Checkout::make_room() {
  if (intents_.size() < intents_max) return;
  auto oldest = intents_.end();
  for (auto at = intents_.begin(); at != intents_.end(); ++at) {
    if (at->second.payment.status != Status::RequiresPaymentMethod) continue;
    if (interaction_ && interaction_->id == at->first) continue;
    if (oldest == intents_.end() || at->second.order < oldest->second.order) oldest = at;
  }
  if (oldest != intents_.end()) intents_.erase(oldest);
}

PosResult<Payment> Checkout::create(const IntentParams& params) {
  if (auto no = books_.refuse_closed()) return std::unexpected(std::move(*no));
  if (const auto existing = find(params.merchant_reference)) return same_reference(params, *existing);
  const auto row = books_.ports().store.find_by_reference(params.merchant_reference);
  if (!row) return std::unexpected(store_error(row.error()));
  if (*row) return same_reference(params, **row);

  Intent intent;
  intent.order = next_order_++;
  Payment& payment = intent.payment;
  payment.id = books_.new_payment_id();
  if (books_.entropy_failed())
    return refuse(PosCode::StoreUnavailable, "The reader's random source failed; try again.");
  payment.kind = params.kind;
  payment.amount = params.amount;
  payment.tip = params.tip;
  payment.card_amount = params.amount;
  payment.currency = params.currency;
  payment.merchant_reference = params.merchant_reference;
  payment.description = params.description;
  payment.metadata = params.metadata;
  payment.offline_behavior = params.offline_behavior;
  payment.on_network_loss = params.on_network_loss;
  payment.max_offline_amount = params.max_offline_amount;
  payment.created_at = books_.now();
  make_room();
  const Payment made = payment;
  intents_.emplace(made.id, std::move(intent));
  network_.refresh();  // by the time the card is there, the route is known
  return made;
}

// --- approval ---

void Checkout::approve(const std::string& id, const std::string& approver, SecretBytes pin, Reply<Payment> reply) {
  if (auto no = books_.refuse_closed()) return books_.reply<Payment>(reply, std::unexpected(std::move(*no)));
  const Intent* intent = intent_of(id);
  if (intent == nullptr) return books_.reply<Payment>(reply, std::unexpected(missing(id)));
  if (!engine::next(intent->payment.status, Event::ManagerApproved)) {
    return books_.reply<Payment>(
        reply, refuse(PosCode::UnexpectedState, "The payment's status allows no approval.", intent->payment));
  }
  managers_.check(approver, std::move(pin), [this, id, approver, reply](const PosResult<void>& checked) {
    Intent* now = intent_of(id);
    if (now == nullptr) return books_.reply<Payment>(reply, std::unexpected(missing(id)));
    if (!checked) {
      PosError error = checked.error();
      error.payment = now->payment;
      return books_.reply<Payment>(reply, std::unexpected(std::move(error)));
    }
    if (!engine::next(now->payment.status, Event::ManagerApproved)) {
      return books_.reply<Payment>(
          reply, refuse(PosCode::UnexpectedState, "The payment's status allows no approval.", now->payment));
    }
    const bool waited_for_it = now->payment.status == Status::RequiresApproval;
    const auto approved = books_.decide<Payment>([&]() -> Result<PosResult<Payment>> {
      Json data = Json::object();
      data.set("id", id).set("approver", approver).set("amount", now->payment.amount);
      ND_TRY(books_.journal("audit.approved", std::move(data)));
      engine::apply(now->payment, Event::ManagerApproved);
      now->payment.approver = approver;
      now->payment.approved_up_to = now->payment.amount;
      return PosResult<Payment>(now->payment);
    });
    // The card is there and the person has said yes: what was asked for goes on.
    if (approved && waited_for_it) return confirm_intent(*now, reply);
    books_.reply<Payment>(reply, approved);
  });
}

// --- tips ---

void Checkout::adjust(const std::string& id, std::int64_t tip, Reply<Payment> reply) {
  if (auto no = books_.refuse_closed()) return books_.reply<Payment>(reply, std::unexpected(std::move(*no)));
  books_.reply<Payment>(reply, books_.decide<Payment>([&]() -> Result<PosResult<Payment>> {
    auto row = books_.ports().store.find(id);
    if (!row) return std::unexpected(row.error());
    if (!*row) {
      if (const auto intent = find(id)) {
        return PosResult<Payment>(
            refuse(PosCode::UnexpectedState, "Only a stored payment's tip can be adjusted.", *intent));
      }
      return PosResult<Payment>(std::unexpected(missing(id)));
    }
    Payment& payment = **row;
    if (payment.status != Status::Stored || payment.sent || payment.kind == ObjectKind::Refund) {
      return PosResult<Payment>(
          refuse(PosCode::UnexpectedState, "Only a stored payment that was never sent can be adjusted.", payment));
    }
    const auto before = books_.exposure(payment);
    if (!before) return std::unexpected(before.error());
    Payment adjusted = payment;
    adjusted.tip = tip;
    adjusted.amount = payment.amount - payment.tip + tip;
    if (adjusted.amount > amount_max) {
      return PosResult<Payment>(std::unexpected(PosError{
          .code = PosCode::InvalidParams, .message = "The amount would be too large.", .field = "amount_details"}));
    }
    if (adjusted.amount > payment.amount) {
      // A smaller amount breaks no cap; a larger one is decided as if it were new.
      if (const auto no = engine::refuse_amount(books_.policy(), adjusted, *before)) {
        ND_TRY(books_.audit_refusal(adjusted, no->code));
        return PosResult<Payment>(refuse(no->code, no->message, payment));
      }
      if (const auto no = engine::refuse_card_caps(books_.policy(), adjusted, *before)) {
        ND_TRY(books_.audit_refusal(adjusted, no->code));
        return PosResult<Payment>(refuse(no->code, no->message, payment));
      }
      const auto& limits = books_.policy().currencies.at(adjusted.currency);
      if (limits.approval_threshold && adjusted.amount > *limits.approval_threshold &&
          adjusted.approved_up_to < adjusted.amount) {
        return PosResult<Payment>(
            refuse(PosCode::ApprovalRequired, "With this tip the amount needs a manager's approval.", payment));
      }
    }
    ND_TRY(books_.record(adjusted));
    return PosResult<Payment>(adjusted);
  }));
}

// --- voids ---

void Checkout::cancel(const std::string& id, CancelReason reason, Reply<Payment> reply) {
  if (auto no = books_.refuse_closed()) return books_.reply<Payment>(reply, std::unexpected(std::move(*no)));
  if (interaction_ && interaction_->id == id) {
    // The call that waits for the card ends first; then this one.
    interaction_->canceled = true;
    interaction_->cancel_reason = reason;
    interaction_->cancelers.push_back(std::move(reply));
    books_.ports().reader.cancel();
    return;
  }
  const auto found = intents_.find(id);
  if (found == intents_.end() || found->second.on_disk) return cancel_on_disk(id, reason, reply);
  finish_cancel(found->second, reason, reply);
}

void Checkout::finish_cancel(Intent& intent, CancelReason reason, const Reply<Payment>& reply) {
  const std::string id = intent.payment.id;
  for (auto waiter = waiters_.begin(); waiter != waiters_.end();) {
    if (waiter->id != id) {
      ++waiter;
      continue;
    }
    books_.reply<Payment>(waiter->reply, refuse(PosCode::Canceled, "The payment was canceled.", intent.payment));
    waiter = waiters_.erase(waiter);
  }
  const auto canceled = books_.decide<Payment>([&]() -> Result<PosResult<Payment>> {
    Payment payment = intent.payment;
    engine::apply(payment, Event::Voided);
    engine::erase_card(payment);
    payment.cancellation = Cancellation{reason, books_.now()};
    ND_TRY(books_.record(payment));
    return PosResult<Payment>(payment);
  });
  if (canceled) intents_.erase(id);
  books_.reply<Payment>(reply, canceled);
}

void Checkout::cancel_on_disk(const std::string& id, CancelReason reason, const Reply<Payment>& reply) {
  const auto canceled = books_.decide<Payment>([&]() -> Result<PosResult<Payment>> {
    const auto row = books_.ports().store.find(id);
    if (!row) return std::unexpected(row.error());
    if (!*row) {
      return PosResult<Payment>(refuse(PosCode::UnknownPaymentIntent, "There is no such payment on this reader."));
    }
    Payment payment = **row;
    if (payment.status == Status::Canceled) return PosResult<Payment>(payment);
    const bool void_it =
        engine::next(payment.status, Event::Voided).has_value() && (!payment.sent || payment.status == Status::Expired);
    if (void_it) {
      // It was sent once and the acquirer denied having it; should it turn up there after all, it is undone.
      if (payment.sent) ND_TRY(books_.order_reversal(payment.id, ReversalReason::Canceled));
      engine::apply(payment, Event::Voided);
      engine::erase_card(payment);
      payment.cancellation = Cancellation{reason, books_.now()};
      ND_TRY(books_.record(payment));
      return PosResult<Payment>(payment);
    }
    if (engine::end_retries(payment)) {
      // Declined it stays: that is what the acquirer said. It is not asked again.
      ND_TRY(books_.record(payment));
      ND_TRY(books_.journal("audit.cancel_requested", std::move(Json::object().set("id", id).set("in_flight", false))));
      return PosResult<Payment>(payment);
    }
    if (!engine::is_at_risk(payment.status)) {
      return PosResult<Payment>(
          refuse(PosCode::UnexpectedState, "The payment's status does not allow canceling it.", payment));
    }
    payment.cancel_requested = reason;
    const bool in_flight = payment.last_attempt_outcome == AttemptOutcome::InFlight;
    if (!in_flight) {
      // Nobody knows whether the acquirer has it: the reversal settles it either way.
      payment.not_before = held;
      ND_TRY(books_.order_reversal(payment.id, ReversalReason::Canceled));
    }
    ND_TRY(books_.save(payment));
    ND_TRY(
        books_.journal("audit.cancel_requested", std::move(Json::object().set("id", id).set("in_flight", in_flight))));
    return PosResult<Payment>(payment);
  });
  if (canceled) {
    if (const auto intent = intents_.find(id); intent != intents_.end()) intent->second.payment = *canceled;
    if (canceled->status == Status::Canceled) intents_.erase(id);
    books_.then([this](bool durable) {
      if (durable && stored_) stored_();
    });
  }
  books_.reply<Payment>(reply, canceled);
}

// --- refunds ---

void Checkout::refund(const RefundParams& params, SecretBytes pin, Reply<Payment> reply) {
  if (auto no = books_.refuse_closed()) return books_.reply<Payment>(reply, std::unexpected(std::move(*no)));
  managers_.check(params.approver, std::move(pin), [this, params, reply](const PosResult<void>& checked) {
    if (!checked) return books_.reply<Payment>(reply, std::unexpected(checked.error()));
    IntentParams wanted = params.intent;
    wanted.kind = ObjectKind::Refund;
    std::optional<Payment> original;
    if (!params.payment_intent.empty()) {
      const auto row = books_.ports().store.find(params.payment_intent);
      if (!row) return books_.reply<Payment>(reply, std::unexpected(store_error(row.error())));
      if (!*row)
        return books_.reply<Payment>(reply,
                                     refuse(PosCode::UnknownPaymentIntent, "There is no such payment on this reader."));
      original = **row;
      const bool refundable =
          original->kind == ObjectKind::PaymentIntent && !original->cancel_requested &&
          (original->status == Status::Succeeded ||
           (engine::is_at_risk(original->status) && wanted.offline_behavior != OfflineBehavior::RequireOnline));
      if (!refundable) {
        return books_.reply<Payment>(reply,
                                     refuse(PosCode::UnexpectedState, "This payment cannot be refunded.", original));
      }
      wanted.currency = original->currency;
    }
    if (const auto existing = books_.ports().store.find_by_reference(wanted.merchant_reference);
        existing && *existing && (*existing)->status != Status::RequiresPaymentMethod) {
      const bool same = (*existing)->kind == ObjectKind::Refund &&
                        (*existing)->original_payment == params.payment_intent &&
                        (wanted.amount == 0 || (*existing)->amount == wanted.amount);
      if (same) return books_.reply<Payment>(reply, PosResult<Payment>(**existing));
      return books_.reply<Payment>(reply, refuse(PosCode::MerchantReferenceConflict,
                                                 "Another payment has this merchant_reference.", **existing));
    }
    if (original) {
      const std::int64_t total = original->authorization ? original->authorization->approved_amount : original->amount;
      // Refunds that wait for a probe are not on the disk yet.
      std::int64_t waiting = 0;
      for (const auto& [id, intent] : intents_) {
        const Payment& other = intent.payment;
        const bool counts = other.original_payment == original->id && other.status == Status::RequiresConfirmation;
        if (counts && other.merchant_reference != wanted.merchant_reference) waiting += other.amount;
      }
      const std::int64_t left = total - original->refunded_amount - waiting;
      if (wanted.amount == 0) wanted.amount = left;
      if (wanted.amount > left || left <= 0) {
        return books_.reply<Payment>(
            reply, std::unexpected(PosError{.code = PosCode::InvalidParams,
                                            .message = "More than is left of the payment cannot be refunded.",
                                            .field = "amount",
                                            .payment = original}));
      }
    }
    const auto made = create(wanted);
    if (!made || made->status != Status::RequiresPaymentMethod) return books_.reply<Payment>(reply, made);
    if (interaction_ && interaction_->id == made->id) {
      return books_.reply<Payment>(reply,
                                   refuse(PosCode::ReaderBusy, "The reader is waiting for this refund's card.", *made));
    }
    Intent& intent = *intent_of(made->id);
    intent.payment.approver = params.approver;
    intent.payment.approved_up_to = intent.payment.amount;
    if (!original) return books_.reply<Payment>(reply, PosResult<Payment>(intent.payment));
    // The card is the original's; there is nothing to read.
    intent.payment.original_payment = original->id;
    intent.payment.card = original->card;
    engine::apply(intent.payment, Event::CardRead);
    // A refund never overtakes its sale: while that waits in the queue, so does this.
    if (original->status != Status::Succeeded) return store_offline(intent, reply);
    confirm_intent(intent, reply);
  });
}

void Checkout::shut() {
  if (interaction_ && !interaction_->timed_out) {
    interaction_->timed_out = true;
    books_.ports().reader.cancel();
  }
  for (const Waiter& waiter : std::exchange(waiters_, {})) {
    if (Intent* intent = intent_of(waiter.id); intent != nullptr) confirm_intent(*intent, waiter.reply);
  }
}

void Checkout::forget_undurable() {
  // Whoever waited for a probe had a card in memory alone: that is given up, and said.
  for (const Waiter& waiter : std::exchange(waiters_, {})) {
    books_.reply<Payment>(waiter.reply, std::unexpected(store_error(Error{Errc::Io, 0, ""})));
  }
  std::erase_if(intents_, [](const auto& entry) {
    return entry.second.on_disk || entry.second.payment.status != Status::RequiresPaymentMethod;
  });
  // Attempts of earlier turns are durable and still under way; those of this turn were told that they are lost.
  std::erase_if(online_, [this](const auto& entry) {
    const auto row = books_.ports().store.find(entry.first);
    if (!row || !*row || (*row)->status != Status::Processing) return true;
    intents_.emplace(entry.first, Intent{.payment = **row,
                                         .facts = {.offline_pin_verified = (*row)->may_store},
                                         .order = next_order_++,
                                         .on_disk = true});
    return false;
  });
  recover_at_ms_ = books_.mono_ms() + recover_pause_ms;
}

}  // namespace nightdrop::terminal
