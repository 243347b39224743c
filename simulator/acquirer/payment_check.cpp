#include "simulator/acquirer/payment_check.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "crypto/envelope.hpp"
#include "nightdrop/encoding.hpp"
#include "nightdrop/time_text.hpp"
#include "nightdrop/words.hpp"
#include "simulator/acquirer/card_check.hpp"

namespace nightdrop::simulator {
namespace {

// Reads fields of the body; the first that is wrong is kept, and what is read after it doesn't matter.
class Fields {
 public:
  explicit Fields(JsonView body) : body_(body) {}

  void wrong(std::string_view field, std::string_view what, std::string_view code = "invalid_field") {
    if (error_) return;
    error_ = ApiError{422, std::string(code), std::string(field) + ": " + std::string(what)};
  }
  std::int64_t integer(std::string_view field, std::int64_t low, std::int64_t high) {
    const auto value = body_[field].integer();
    if (!value || *value < low || *value > high) {
      wrong(field, "must be a whole number from " + std::to_string(low) + " to " + std::to_string(high));
    }
    return value.value_or(low);
  }
  std::string text(std::string_view field, std::size_t max) {
    const auto value = body_[field].string();
    if (!value || value->empty() || value->size() > max) {
      wrong(field, "must be a string of 1 to " + std::to_string(max) + " bytes");
    }
    return std::string(value.value_or(""));
  }
  bool boolean(std::string_view field) {
    const auto value = body_[field].boolean();
    if (!value) wrong(field, "must be true or false");
    return value.value_or(false);
  }
  void time(std::string_view field) {
    if (!parse_rfc3339(body_[field].string().value_or(""))) wrong(field, "must be a time as RFC 3339 writes it");
  }
  bool is_null(std::string_view field) const { return body_[field].is_null(); }
  std::optional<ApiError> take_error() { return std::move(error_); }
  bool failed() const { return error_.has_value(); }

 private:
  JsonView body_;
  std::optional<ApiError> error_;
};

void read_identity(Fields& fields, JsonView body, CheckedPayment& payment) {
  payment.id = fields.text("id", 64);
  if (!is_payment_id(payment.id)) fields.wrong("id", "must be pi_ and 32 hex digits in lower case");
  payment.object = fields.text("object", 32);
  if (!from_word<ObjectKind>(payment.object)) fields.wrong("object", "must be payment_intent or refund");
  payment.amount = fields.integer("amount", 1, amount_max);
  payment.card_amount = fields.integer("card_amount", 0, amount_max);
  if (const auto tip = body["amount_details"]["tip"].integer(); !tip || *tip < 0 || *tip > payment.amount) {
    fields.wrong("amount_details.tip", "must be a whole number from 0 to amount");
  }
  payment.currency = fields.text("currency", 3);
  if (payment.currency.size() != 3 ||
      !std::all_of(payment.currency.begin(), payment.currency.end(), [](char c) { return c >= 'a' && c <= 'z'; })) {
    fields.wrong("currency", "must be three lower-case letters");
  }
  payment.merchant_id = fields.text("merchant_id", 64);
  payment.terminal_id = fields.text("terminal_id", 64);
  payment.merchant_reference = fields.text("merchant_reference", 64);
  payment.deferred = fields.boolean("deferred");
  if (payment.deferred)
    fields.time("stored_at");
  else if (!fields.is_null("stored_at"))
    fields.wrong("stored_at", "must be null where deferred is false");
  fields.integer("stan", 1, 999'999);
  if (fields.text("retrieval_reference_number", 12).size() != 12) {
    fields.wrong("retrieval_reference_number", "must have 12 characters");
  }
  fields.time("local_transaction_time");
  if (!fields.is_null("approver")) fields.text("approver", 64);
}

ClearCard read_clear_card(Fields& fields, CheckedPayment& payment) {
  ClearCard clear;
  const auto method = from_word<ReadMethod>(fields.text("read_method", 32));
  if (!method) fields.wrong("read_method", "is none that the contract knows");
  payment.chip = method == ReadMethod::ContactEmv || method == ReadMethod::ContactlessEmv;
  if (!from_word<Brand>(fields.text("brand", 32))) fields.wrong("brand", "is none that the contract knows");
  clear.last4 = fields.text("last4", 4);
  if (clear.last4.size() != 4 || clear.last4.find_first_not_of("0123456789") != std::string::npos) {
    fields.wrong("last4", "must be four digits");
  }
  payment.last4 = clear.last4;
  clear.exp_month = static_cast<int>(fields.integer("exp_month", 1, 12));
  clear.exp_year = static_cast<int>(fields.integer("exp_year", 2000, 2099));
  fields.boolean("fallback");
  return clear;
}

std::vector<std::uint8_t> read_emv(Fields& fields, JsonView body) {
  if (fields.is_null("emv")) return {};
  auto bytes = from_hex(body["emv"].string().value_or("?"));
  if (!bytes) fields.wrong("emv", "must be hex or null");
  return bytes ? *std::move(bytes) : std::vector<std::uint8_t>{};
}

Envelope read_envelope(Fields& fields, JsonView body, const CardKeys& keys) {
  Envelope envelope;
  const JsonView card = body["encrypted_card"];
  if (card["format"].string() != "nd1") fields.wrong("encrypted_card.format", "must be nd1");
  const auto ksn = from_hex(card["ksn"].string().value_or(""));
  if (!ksn || ksn->size() != envelope.ksn.size())
    fields.wrong("encrypted_card.ksn", "must be 24 hex digits");
  else
    std::copy(ksn->begin(), ksn->end(), envelope.ksn.begin());
  if (!std::equal(keys.bdk_id.begin(), keys.bdk_id.end(), envelope.ksn.begin())) {
    fields.wrong("encrypted_card.ksn", "is not of this acquirer's BDK", "bdk_unknown");
  }
  envelope.key_type = envelope_key_type(keys.bdk.size());
  if (card["key_type"].string() != word(envelope.key_type)) {
    fields.wrong("encrypted_card.key_type", "must be " + std::string(word(envelope.key_type)), "key_type_mismatch");
  }
  auto ciphertext = from_base64(card["ciphertext"].string().value_or("?"));
  if (!ciphertext || ciphertext->size() <= 16)
    fields.wrong("encrypted_card.ciphertext", "must be base64 of data and tag");
  else
    envelope.ciphertext = *std::move(ciphertext);
  if (!fields.is_null("encrypted_pin_block")) {
    auto pin = from_base64(body["encrypted_pin_block"].string().value_or("?"));
    if (!pin || pin->size() != 16)
      fields.wrong("encrypted_pin_block", "must be null or base64 of 16 bytes");
    else
      envelope.pin_block = *std::move(pin);
  }
  return envelope;
}

std::string aad_of(const CheckedPayment& payment) {
  EnvelopeBinding binding;
  binding.id = payment.id;
  binding.kind = from_word<ObjectKind>(payment.object).value_or(ObjectKind::PaymentIntent);
  binding.card_amount = payment.card_amount;
  std::copy_n(payment.currency.begin(), 3, binding.currency.code.begin());
  binding.terminal_id = payment.terminal_id;
  return envelope_aad(binding);
}

}  // namespace

bool is_payment_id(std::string_view text) {
  if (!text.starts_with("pi_") && !text.starts_with("re_")) return false;
  const std::string_view digits = text.substr(3);
  return digits.size() == 32 && digits.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::expected<CheckedPayment, ApiError> check_payment(JsonView body, const CardKeys& keys) {
  CheckedPayment payment;
  Fields fields(body);
  read_identity(fields, body, payment);
  // A refund of a payment that is named needs no card.
  const bool cardless =
      payment.object == "refund" && fields.is_null("encrypted_card") && body["payment_intent"].is_string();
  if (cardless) {
    if (auto error = fields.take_error()) return std::unexpected(*std::move(error));
    payment.last4 = body["last4"].string().value_or("");
    return payment;
  }
  const ClearCard clear = read_clear_card(fields, payment);
  const std::vector<std::uint8_t> emv = read_emv(fields, body);
  if (!fields.failed()) {
    if (auto error = check_emv(emv, payment.card_amount, payment.chip)) return std::unexpected(*std::move(error));
  }
  const Envelope envelope = read_envelope(fields, body, keys);
  if (auto error = fields.take_error()) return std::unexpected(*std::move(error));
  auto code = check_card(keys, envelope, aad_of(payment), clear);
  if (!code) return std::unexpected(std::move(code.error()));
  payment.ksn = envelope.ksn;
  payment.issuer_code = *std::move(code);
  return payment;
}

}  // namespace nightdrop::simulator
