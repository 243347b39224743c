// Checkout: one interaction with the card at a time, and what becomes of its data.
#include "acquirer/https/request.hpp"
#include "emv/dictionary.hpp"
#include "emv/pan.hpp"
#include "engine/lifecycle.hpp"
#include "nightdrop/words.hpp"
#include "terminal/checkout.hpp"

namespace nightdrop::terminal {
namespace {

using engine::Event;

// The envelope's additional data (docs/card_envelope.md): what the ciphertext is bound to.
std::string envelope_aad(const Payment& payment, const std::string& terminal_id) {
  return "nightdrop/1\n" + payment.id + "\n" + std::string(word(payment.kind)) + "\n" +
         std::to_string(payment.card_amount) + "\n" + std::string(payment.currency.view()) + "\n" + terminal_id;
}

}  // namespace

// What is known to end in a refusal before a card is asked for.
std::optional<PosError> Checkout::refuse_before_card(const Intent& intent) {
  const auto no = [&](PosCode code, const char* message) {
    return PosError{.code = code, .message = message, .payment = intent.payment};
  };
  if (auto closed = books_.refuse_closed()) {
    closed->payment = intent.payment;
    return closed;
  }
  if (books_.ports().vault.exhausted()) {
    return no(PosCode::ReaderNotProvisioned,
              "The reader's card keys are used up; it takes no cards until it has a new initial key.");
  }
  if (books_.ports().store.health().degraded) {
    return no(PosCode::StoreUnavailable,
              "The payment store was damaged; payments are refused until a person has decided.");
  }
  if (!books_.ports().store.has_room()) {
    return no(PosCode::StoreFull, "The disk is full; new payments are refused, forwarding goes on.");
  }
  const bool certain = intent.payment.offline_behavior == OfflineBehavior::ForceOffline ||
                       (network_.status() == links::NetworkStatus::Offline && !network_.undecided());
  if (!certain) return std::nullopt;
  if (intent.payment.offline_behavior == OfflineBehavior::RequireOnline) {
    return no(PosCode::NetworkRequired, "This payment must be authorized online and there is no network.");
  }
  const auto exposure = books_.exposure(intent.payment);
  if (!exposure) return store_error(exposure.error());
  if (const auto refused = engine::refuse_reader(books_.policy(), *exposure, books_.clock()))
    return no(refused->code, refused->message);
  if (const auto refused = engine::refuse_amount(books_.policy(), intent.payment, *exposure))
    return no(refused->code, refused->message);
  return std::nullopt;
}

void Checkout::collect(const std::string& id, std::chrono::seconds timeout, bool confirm_after, Reply<Payment> reply) {
  Intent* intent = intent_of(id);
  if (intent == nullptr) return books_.reply<Payment>(reply, std::unexpected(missing(id)));
  if (interaction_) {
    return books_.reply<Payment>(
        reply, refuse(PosCode::ReaderBusy, "The reader is waiting for another card.", intent->payment));
  }
  if (intent->payment.status == Status::RequiresConfirmation && confirm_after) return confirm_intent(*intent, reply);
  if (intent->payment.status != Status::RequiresPaymentMethod) {
    return books_.reply<Payment>(reply, refuse(PosCode::UnexpectedState,
                                               "The payment's status does not allow reading a card.", intent->payment));
  }
  if (auto refused = refuse_before_card(*intent)) {
    (void)books_.write([&] { return books_.audit_refusal(intent->payment, refused->code); });
    return books_.reply<Payment>(reply, std::unexpected(std::move(*refused)));
  }
  interaction_ = Interaction{.id = id,
                             .reply = std::move(reply),
                             .confirm_after = confirm_after,
                             .give_up_at_ms = books_.mono_ms() + std::chrono::milliseconds(timeout).count()};
  network_.refresh();
  hal::CardRequest request;
  request.amount = {intent->payment.amount, intent->payment.currency};
  request.kind = intent->payment.kind;
  request.now = books_.now();
  books_.ports().indicator.show(hal::Indication::AwaitingCard);
  books_.ports().reader.start(request, *this);
}

void Checkout::on_prompt(hal::Prompt prompt) {
  if (interaction_ && events_.prompt) events_.prompt(prompt, interaction_->id);
}
void Checkout::on_card_inserted() {
  if (interaction_ && events_.card) events_.card(true, interaction_->id);
}
void Checkout::on_card_removed() {
  if (events_.card) events_.card(false, interaction_ ? interaction_->id : std::string());
}

void Checkout::on_card_outcome(hal::CardOutcome outcome) {
  ND_ASSERT(interaction_.has_value());
  const Interaction interaction = std::move(*interaction_);
  interaction_.reset();
  books_.ports().indicator.show(hal::Indication::Idle);
  Intent* intent = intent_of(interaction.id);
  if (intent == nullptr) return books_.reply<Payment>(interaction.reply, std::unexpected(missing(interaction.id)));

  if (interaction.canceled) {
    books_.reply<Payment>(interaction.reply, refuse(PosCode::Canceled, "The payment was canceled.", intent->payment));
    for (std::size_t i = 0; i + 1 < interaction.cancelers.size(); ++i) {
      books_.reply<Payment>(interaction.cancelers[i], PosResult<Payment>(intent->payment));
    }
    return finish_cancel(*intent, interaction.cancel_reason, interaction.cancelers.back());
  }
  if (auto* card = std::get_if<hal::CardData>(&outcome)) return card_read(*intent, std::move(*card), interaction);
  if (const auto* refused = std::get_if<hal::CardRefused>(&outcome)) {
    if (refused->reason == hal::CardRefusal::EntryNotAllowed) {
      return refuse_card(*intent, PosCode::EntryModeNotAllowedOffline, "This way of reading a card is not allowed now.",
                         interaction.reply);
    }
    return refuse_card(*intent, PosCode::CardDeclinedOffline, "The card declined the payment.", interaction.reply);
  }
  switch (std::get<hal::CardFailed>(outcome).reason) {
    case hal::CardFailure::Removed:
      return refuse_card(*intent, PosCode::CardRemoved, "The card was removed too early.", interaction.reply);
    case hal::CardFailure::Unreadable:
      return refuse_card(*intent, PosCode::CardReadFailed, "The card could not be read.", interaction.reply);
    case hal::CardFailure::Canceled:
      return refuse_card(*intent, PosCode::CardReadTimedOut, "No card was presented in time.", interaction.reply);
  }
}

void Checkout::card_read(Intent& intent, hal::CardData card, const Interaction& interaction) {
  if (const auto closed = books_.refuse_closed())
    return refuse_card(intent, closed->code, "The reader was tampered with; the card's data was discarded.",
                       interaction.reply);
  Payment& payment = intent.payment;
  payment.card_amount = payment.amount;
  const auto fingerprint = books_.ports().vault.fingerprint(card.pan.view());
  const auto envelope =
      fingerprint ? books_.ports().vault.seal_card(card.sensitive.view(),
                                                   envelope_aad(payment, books_.settings().merchant.terminal_id),
                                                   card.online_pin.view(), card.pan.view())
                  : std::unexpected(fingerprint.error());
  if (!envelope) {
    if (envelope.error().code == Errc::CounterExhausted) {
      return refuse_card(intent, PosCode::ReaderNotProvisioned, "The reader's card keys are used up.",
                         interaction.reply);
    }
    return refuse_card(intent, PosCode::StoreUnavailable,
                       "The key vault failed; the card's data was discarded. Try again.", interaction.reply);
  }
  const std::string_view pan(reinterpret_cast<const char*>(card.pan.view().data()), card.pan.size());
  intent.facts = {.online_pin = !card.online_pin.empty(),
                  .offline_pin_verified = card.offline_pin_verified,
                  .test_card = card.test_card,
                  .blocked = engine::is_bin_blocked(books_.policy(), pan) ||
                             engine::is_fingerprint_blocked(books_.policy(), *fingerprint)};
  payment.envelope = *envelope;
  payment.card = std::move(card.summary);
  payment.card->fingerprint = *fingerprint;
  // What a reader's driver hands over is not trusted to be free of card numbers: only the tags that the acquirer needs
  // pass (RULES 16), and the last four digits are taken from the PAN itself.
  payment.card->last4 = emv::last4(pan);
  const auto kept = emv::select_for_acquirer(card.emv);
  if (!kept)
    return refuse_card(intent, PosCode::CardReadFailed, "The card's data could not be read.", interaction.reply);
  payment.emv = *kept;
  engine::apply(payment, Event::CardRead);
  if (const auto no = engine::refuse_card(books_.policy(), intent.facts)) {
    return refuse_card(intent, no->code, no->message, interaction.reply);
  }
  if (interaction.confirm_after) return confirm_intent(intent, interaction.reply);
  books_.reply<Payment>(interaction.reply, PosResult<Payment>(payment));
}

// Forgets all that came from the card.
void Checkout::discard_card(Intent& intent) {
  engine::erase_card(intent.payment);
  intent.payment.card.reset();
  intent.payment.emv.clear();
  intent.facts = {};
  if (const auto to = engine::next(intent.payment.status, Event::CardRefused)) intent.payment.status = *to;
}

void Checkout::refuse_card(Intent& intent, PosCode code, const char* message, const Reply<Payment>& reply) {
  discard_card(intent);
  books_.ports().indicator.show(hal::Indication::Refused);
  (void)books_.write([&] { return books_.audit_refusal(intent.payment, code); });
  books_.reply<Payment>(reply, refuse(code, message, intent.payment));
}

}  // namespace nightdrop::terminal
