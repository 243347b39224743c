// A payment's bytes: everything without a column, in one order under a version byte. A later version appends.
#include <utility>

#include "store/codec.hpp"

namespace nightdrop::store {
namespace {

constexpr std::uint64_t version = 1;

void write_card(Writer& out, const CardSummary& card) {
  out.word(card.brand);
  out.text(card.last4);
  out.i(card.exp_month);
  out.i(card.exp_year);
  out.word(card.read_method);
  out.flag(card.fallback);
  for (const std::string* text :
       {&card.cardholder_name, &card.fingerprint, &card.application_preferred_name, &card.dedicated_file_name,
        &card.application_cryptogram, &card.terminal_verification_results, &card.transaction_status_information,
        &card.authorization_response_code, &card.cardholder_verification_method, &card.account_type}) {
    out.text(*text);
  }
}

void read_card(Reader& in, CardSummary& card) {
  card.brand = in.word<Brand>(brand_count);
  card.last4 = in.text();
  card.exp_month = static_cast<int>(in.i());
  card.exp_year = static_cast<int>(in.i());
  card.read_method = in.word<ReadMethod>(read_method_count);
  card.fallback = in.flag();
  for (std::string* text :
       {&card.cardholder_name, &card.fingerprint, &card.application_preferred_name, &card.dedicated_file_name,
        &card.application_cryptogram, &card.terminal_verification_results, &card.transaction_status_information,
        &card.authorization_response_code, &card.cardholder_verification_method, &card.account_type}) {
    *text = in.text();
  }
}

void write_answer(Writer& out, const Payment& p) {
  out.flag(p.cancel_requested.has_value());
  if (p.cancel_requested) out.word(*p.cancel_requested);
  out.flag(p.authorization.has_value());
  if (p.authorization) {
    out.text(p.authorization->id);
    out.text(p.authorization->code);
    out.i(p.authorization->approved_amount);
    out.text(p.authorization->response_code);
    out.i(p.authorization->processed_at);
  }
  out.flag(p.decline.has_value());
  if (p.decline) {
    out.text(p.decline->reason);
    out.text(p.decline->response_code);
    out.text(p.decline->advice_code);
    out.word(p.decline->category);
    out.text(p.decline->next_action);
    out.opt(p.decline->retry_at);
  }
  out.flag(p.cancellation.has_value());
  if (p.cancellation) {
    out.word(p.cancellation->reason);
    out.i(p.cancellation->at);
  }
}

void read_answer(Reader& in, Payment& p) {
  if (in.flag()) p.cancel_requested = in.word<CancelReason>(4);
  if (in.flag()) {
    Authorization& a = p.authorization.emplace();
    a.id = in.text();
    a.code = in.text();
    a.approved_amount = in.i();
    a.response_code = in.text();
    a.processed_at = in.i();
  }
  if (in.flag()) {
    Decline& d = p.decline.emplace();
    d.reason = in.text();
    d.response_code = in.text();
    d.advice_code = in.text();
    d.category = in.word<DeclineCategory>(2);
    d.next_action = in.text();
    d.retry_at = in.opt();
  }
  if (in.flag()) {
    Cancellation& c = p.cancellation.emplace();
    c.reason = in.word<CancelReason>(4);
    c.at = in.i();
  }
}

void write_forwarding(Writer& out, const Payment& p) {
  out.u(p.stan);
  out.text(p.retrieval_reference_number);
  out.text(p.local_transaction_time);
  out.flag(p.deferred);
  out.i(p.body_version);
  out.opt(p.stored_at);
  out.text(p.offline_reference);
  out.flag(p.may_store);
  out.flag(p.sent);
  out.flag(p.outcome_unknown);
  out.u(p.attempts);
  out.opt(p.last_attempt_at);
  out.flag(p.last_attempt_route.has_value());
  if (p.last_attempt_route) out.word(*p.last_attempt_route);
  out.word(p.last_attempt_outcome);
  out.flag(p.ask_status);
  out.u(p.time_epoch);
}

void read_forwarding(Reader& in, Payment& p) {
  in.number(p.stan);
  p.retrieval_reference_number = in.text();
  p.local_transaction_time = in.text();
  p.deferred = in.flag();
  p.body_version = static_cast<int>(in.i());
  p.stored_at = in.opt();
  p.offline_reference = in.text();
  p.may_store = in.flag();
  p.sent = in.flag();
  p.outcome_unknown = in.flag();
  in.number(p.attempts);
  p.last_attempt_at = in.opt();
  if (in.flag()) p.last_attempt_route = in.word<Route>(route_count);
  p.last_attempt_outcome = in.word<AttemptOutcome>(5);
  p.ask_status = in.flag();
  in.number(p.time_epoch);
}

}  // namespace

Bytes encode_detail(const Payment& p) {
  Writer out;
  out.u(version);
  out.word(p.kind);
  out.currency(p.currency);
  out.i(p.amount);
  out.i(p.tip);
  out.i(p.card_amount);
  out.text(p.description);
  out.u(p.metadata.size());
  for (const auto& [key, value] : p.metadata) {
    out.text(key);
    out.text(value);
  }
  out.word(p.offline_behavior);
  out.word(p.on_network_loss);
  out.opt(p.max_offline_amount);
  out.text(p.original_payment);
  out.i(p.refunded_amount);
  out.flag(p.card.has_value());
  if (p.card) write_card(out, *p.card);
  out.blob(p.emv);
  write_forwarding(out, p);
  out.text(p.approver);
  out.i(p.approved_up_to);
  write_answer(out, p);
  out.u(p.decline_retries);
  out.opt(p.first_declined_at);
  out.flag(p.acknowledged);
  out.text(p.acknowledge_note);
  out.i(p.exposure);
  out.flag(p.counted);
  out.flag(p.reportable);
  return out.take();
}

bool decode_detail(std::span<const std::uint8_t> bytes, Payment& p) {
  Reader in(bytes);
  if (in.u() < version) return false;  // 0 was never written; a later version only appends
  p.kind = in.word<ObjectKind>(2);
  p.currency = in.currency();
  p.amount = in.i();
  p.tip = in.i();
  p.card_amount = in.i();
  p.description = in.text();
  for (std::uint64_t left = in.u(); left != 0 && in.ok(); --left) {
    std::string key = in.text();
    p.metadata.emplace_back(std::move(key), in.text());
  }
  p.offline_behavior = in.word<OfflineBehavior>(3);
  p.on_network_loss = in.word<OnNetworkLoss>(3);
  p.max_offline_amount = in.opt();
  p.original_payment = in.text();
  p.refunded_amount = in.i();
  if (in.flag()) read_card(in, p.card.emplace());
  p.emv = in.blob();
  read_forwarding(in, p);
  p.approver = in.text();
  p.approved_up_to = in.i();
  read_answer(in, p);
  in.number(p.decline_retries);
  p.first_declined_at = in.opt();
  p.acknowledged = in.flag();
  p.acknowledge_note = in.text();
  p.exposure = in.i();
  p.counted = in.flag();
  p.reportable = in.flag();
  return in.ok();
}

Bytes encode_envelope(const Envelope& envelope) {
  Writer out;
  out.fixed(envelope.ksn);
  out.word(envelope.key_type);
  out.blob(envelope.ciphertext);
  out.blob(envelope.pin_block);
  return out.take();
}

bool decode_envelope(std::span<const std::uint8_t> bytes, Envelope& envelope) {
  Reader in(bytes);
  in.fixed(envelope.ksn);
  envelope.key_type = in.word<KeyType>(3);
  envelope.ciphertext = in.blob();
  envelope.pin_block = in.blob();
  return in.ok();
}

}  // namespace nightdrop::store
