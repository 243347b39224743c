#include "acquirer/https/request.hpp"

#include "json/json.hpp"
#include "nightdrop/encoding.hpp"
#include "nightdrop/result.hpp"
#include "nightdrop/time_text.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop::acquirer {
namespace {

// "<id>" or "<id>:retry-<n>" for a decline that is tried again.
hal::HostRequest request(const char* method, std::string path, const Merchant& merchant) {
  hal::HostRequest made;
  made.method = method;
  made.path = std::move(path);
  made.headers = {{"Nightdrop-Reader", merchant.serial_number}, {"Accept", "application/json"}};
  return made;
}

Json encrypted_card(const Envelope& envelope) {
  Json card = Json::object();
  card.set("format", "nd1")
      .set("ksn", hex_upper(envelope.ksn))
      .set("key_type", word(envelope.key_type))
      .set("ciphertext", to_base64(envelope.ciphertext));
  return card;
}

Json body_version_1(const Payment& payment, const Merchant& merchant) {
  Json body = Json::object();
  body.set("id", payment.id).set("object", word(payment.kind)).set("amount", payment.amount);
  body.set("amount_details", std::move(Json::object().set("tip", payment.tip)));
  body.set("card_amount", payment.card_amount).set("currency", payment.currency.view());
  body.set("merchant_id", merchant.merchant_id).set("terminal_id", merchant.terminal_id);
  body.set("merchant_reference", payment.merchant_reference);
  if (payment.kind == ObjectKind::Refund && !payment.original_payment.empty()) {
    body.set("payment_intent", payment.original_payment);
  }
  body.set("deferred", payment.deferred);
  if (payment.deferred && payment.stored_at) {
    body.set("stored_at", rfc3339(*payment.stored_at));
  } else {
    body.set("stored_at", nullptr);
  }
  body.set("stan", static_cast<std::int64_t>(payment.stan))
      .set("retrieval_reference_number", payment.retrieval_reference_number)
      .set("local_transaction_time", payment.local_transaction_time);
  if (payment.card) {
    body.set("read_method", word(payment.card->read_method))
        .set("brand", word(payment.card->brand))
        .set("last4", payment.card->last4)
        .set("exp_month", payment.card->exp_month)
        .set("exp_year", payment.card->exp_year)
        .set("fallback", payment.card->fallback);
  }
  if (payment.approver.empty()) {
    body.set("approver", nullptr);
  } else {
    body.set("approver", payment.approver);
  }
  if (payment.emv.empty()) {
    body.set("emv", nullptr);
  } else {
    body.set("emv", hex_upper(payment.emv));
  }
  if (payment.envelope) {
    body.set("encrypted_card", encrypted_card(*payment.envelope));
  } else {
    body.set("encrypted_card", nullptr);
  }
  if (payment.envelope && !payment.envelope->pin_block.empty()) {
    body.set("encrypted_pin_block", to_base64(payment.envelope->pin_block));
  } else {
    body.set("encrypted_pin_block", nullptr);
  }
  return body;
}

}  // namespace

std::string payment_body(const Payment& payment, const Merchant& merchant) {
  ND_ASSERT(payment.body_version == 1);
  return body_version_1(payment, merchant).dump();
}

std::string idempotency_key(const Payment& payment) {
  if (payment.decline_retries == 0) return payment.id;
  return payment.id + ":retry-" + std::to_string(payment.decline_retries);
}

hal::HostRequest payment_request(const Payment& payment, const Merchant& merchant, UtcMs now) {
  hal::HostRequest made = request("POST", "/v1/payments", merchant);
  made.headers.emplace_back("Idempotency-Key", idempotency_key(payment));
  made.headers.emplace_back("Content-Type", "application/json");
  made.headers.emplace_back("Nightdrop-Attempt", std::to_string(payment.attempts));
  made.headers.emplace_back("Nightdrop-Sent-At", rfc3339(now));
  made.body = payment_body(payment, merchant);
  return made;
}

hal::HostRequest inquiry_request(const Payment& payment, const Merchant& merchant) {
  hal::HostRequest made = request("GET", "/v1/payments/" + payment.id, merchant);
  // The id alone would be answered for the newest attempt that arrived, which may be the decline before this one.
  if (payment.decline_retries != 0) made.headers.emplace_back("Idempotency-Key", idempotency_key(payment));
  return made;
}

hal::HostRequest reversal_request(const std::string& payment_id, ReversalReason reason, const Merchant& merchant) {
  hal::HostRequest made = request("POST", "/v1/payments/" + payment_id + "/reversal", merchant);
  made.headers.emplace_back("Idempotency-Key", payment_id + ":reversal");
  made.headers.emplace_back("Content-Type", "application/json");
  made.body = std::move(Json::object().set("reason", word(reason))).dump();
  return made;
}

hal::HostRequest batch_request(const std::vector<Payment>& payments, const Merchant& merchant, UtcMs now) {
  hal::HostRequest made = request("POST", "/v1/payments:batch", merchant);
  made.headers.emplace_back("Content-Type", "application/json");
  made.headers.emplace_back("Nightdrop-Sent-At", rfc3339(now));
  // Spliced as text: each payment's bytes are the very ones it has when it goes alone.
  made.body = "{\"payments\":[";
  for (std::size_t i = 0; i < payments.size(); ++i) {
    if (i != 0) made.body += ',';
    made.body += payment_body(payments[i], merchant);
  }
  made.body += "]}";
  return made;
}

hal::HostRequest capabilities_request(const Merchant& merchant) {
  return request("GET", "/v1/capabilities", merchant);
}

}  // namespace nightdrop::acquirer
