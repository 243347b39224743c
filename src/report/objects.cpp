#include "report/objects.hpp"

#include <algorithm>

#include "nightdrop/time_text.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop::report {
namespace {

Json text_or_null(const std::string& text) {
  return text.empty() ? Json::null() : Json::string(text);
}
Json time_or_null(const std::optional<UtcMs>& time) {
  return time ? Json::string(rfc3339(*time)) : Json::null();
}

Json card_json(const CardSummary& card) {
  Json receipt = Json::object();
  receipt.set("application_preferred_name", text_or_null(card.application_preferred_name))
      .set("dedicated_file_name", text_or_null(card.dedicated_file_name))
      .set("application_cryptogram", text_or_null(card.application_cryptogram))
      .set("terminal_verification_results", text_or_null(card.terminal_verification_results))
      .set("transaction_status_information", text_or_null(card.transaction_status_information))
      .set("authorization_response_code", text_or_null(card.authorization_response_code))
      .set("cardholder_verification_method", text_or_null(card.cardholder_verification_method))
      .set("account_type", text_or_null(card.account_type));
  Json json = Json::object();
  json.set("brand", word(card.brand))
      .set("last4", card.last4)
      .set("exp_month", card.exp_month)
      .set("exp_year", card.exp_year)
      .set("read_method", word(card.read_method))
      .set("cardholder_name", text_or_null(card.cardholder_name))
      .set("fingerprint", card.fingerprint)
      .set("receipt", std::move(receipt));
  return json;
}

bool requires_upload(const Payment& payment) {
  return payment.status == Status::Stored || payment.status == Status::Forwarding || payment.status == Status::Expired;
}

Json offline_json(const Payment& payment) {
  Json json = Json::object();
  json.set("stored_at", time_or_null(payment.stored_at))
      .set("requires_upload", requires_upload(payment))
      .set("deadline", time_or_null(payment.deadline))
      .set("reference", payment.offline_reference)
      .set("attempts", static_cast<std::int64_t>(payment.attempts));
  if (payment.last_attempt_at) {
    Json attempt = Json::object();
    attempt.set("at", rfc3339(*payment.last_attempt_at));
    if (payment.last_attempt_route) {
      attempt.set("route", word(*payment.last_attempt_route));
    } else {
      attempt.set("route", nullptr);
    }
    attempt.set("outcome", word(payment.last_attempt_outcome));
    json.set("last_attempt", std::move(attempt));
  } else {
    json.set("last_attempt", nullptr);
  }
  return json;
}

Json authorization_json(const Authorization& authorization) {
  Json json = Json::object();
  json.set("id", authorization.id)
      .set("code", authorization.code)
      .set("approved_amount", authorization.approved_amount)
      .set("response_code", authorization.response_code);
  if (authorization.processed_at != 0) {
    json.set("processed_at", rfc3339(authorization.processed_at));
  } else {
    json.set("processed_at", nullptr);
  }
  return json;
}

Json decline_json(const Decline& decline) {
  Json json = Json::object();
  json.set("reason", decline.reason)
      .set("response_code", text_or_null(decline.response_code))
      .set("advice_code", text_or_null(decline.advice_code))
      .set("category", word(decline.category))
      .set("next_action", decline.next_action)
      .set("retry_at", time_or_null(decline.retry_at));
  return json;
}

}  // namespace

Json payment_json(const Payment& payment) {
  Json json = Json::object();
  json.set("id", payment.id).set("object", word(payment.kind)).set("amount", payment.amount);
  json.set("amount_details", std::move(Json::object().set("tip", payment.tip)));
  json.set("currency", payment.currency.view())
      .set("status", word(payment.status))
      .set("merchant_reference", payment.merchant_reference)
      .set("description", text_or_null(payment.description));
  Json metadata = Json::object();
  for (const auto& [key, value] : payment.metadata) metadata.set(key, value);
  json.set("metadata", std::move(metadata))
      .set("offline_behavior", word(payment.offline_behavior))
      .set("on_network_loss", word(payment.on_network_loss))
      .set("created", rfc3339(payment.created_at));
  if (payment.kind == ObjectKind::Refund) json.set("payment_intent", text_or_null(payment.original_payment));
  json.set("payment_method", payment.card ? card_json(*payment.card) : Json::null());
  json.set("offline", payment.stored_at ? offline_json(payment) : Json::null());
  json.set("authorization", payment.authorization ? authorization_json(*payment.authorization) : Json::null());
  json.set("decline", payment.decline ? decline_json(*payment.decline) : Json::null());
  if (payment.cancellation) {
    Json cancellation = Json::object();
    cancellation.set("reason", word(payment.cancellation->reason)).set("at", rfc3339(payment.cancellation->at));
    json.set("cancellation", std::move(cancellation));
  } else {
    json.set("cancellation", nullptr);
  }
  if (payment.reportable) json.set("acknowledged", payment.acknowledged);
  return json;
}

namespace {

Json policy_standing_json(const OfflineStatus& status, const Policy& policy) {
  Json json = Json::object();
  json.set("version", policy.version)
      .set("valid_until", rfc3339(policy.valid_until))
      .set("expires_soon", policy.valid_until - status.now < policy_expires_soon_ms)
      .set("overlay", word(status.policy.overlay))
      .set("overlay_reason", text_or_null(status.policy.overlay_reason));
  if (!status.policy.refused) return std::move(json.set("refused", nullptr));
  Json refused = Json::object();
  refused.set("at", rfc3339(status.policy.refused->at))
      .set("origin", word(status.policy.refused->origin))
      .set("reason", status.policy.refused->reason);
  return std::move(json.set("refused", std::move(refused)));
}

Json certificate_json(const std::optional<CertificateStanding>& certificate) {
  if (!certificate) return Json::null();
  Json json = Json::object();
  json.set("not_after", rfc3339(certificate->not_after)).set("expires_soon", certificate->expires_soon);
  return json;
}

}  // namespace

Json offline_status_json(const OfflineStatus& status, const Policy& policy) {
  Json amounts = Json::object();
  for (const auto& [currency, totals] : status.totals.by_currency) {
    if (totals.payments != 0) amounts.set(currency.view(), totals.payments);
  }
  Json limits = Json::object();
  for (const auto& [currency, limit] : policy.currencies) {
    const auto found = status.totals.by_currency.find(currency);
    const std::int64_t used = found == status.totals.by_currency.end() ? 0 : found->second.payments;
    Json one = Json::object();
    one.set("per_transaction", limit.per_transaction)
        .set("device_total", limit.device_total)
        .set("device_total_remaining", std::max<std::int64_t>(0, limit.device_total - used));
    limits.set(currency.view(), std::move(one));
  }
  limits.set("device_count", policy.device_count)
      .set("device_count_remaining", std::max<std::int64_t>(0, policy.device_count - status.totals.count));
  Json forwarding = Json::object();
  forwarding.set("paused", status.paused)
      .set("in_flight", static_cast<std::int64_t>(status.in_flight))
      .set("reason", text_or_null(status.reason));

  Json json = Json::object();
  json.set("network_status", status.network_status);
  if (status.route) {
    json.set("route", word(*status.route));
  } else {
    json.set("route", nullptr);
  }
  json.set("offline_payments_count", status.totals.count)
      .set("offline_payment_amounts_by_currency", std::move(amounts))
      .set("oldest_stored_at", time_or_null(status.totals.oldest_stored_at))
      .set("next_deadline", time_or_null(status.totals.next_deadline))
      .set("limits", std::move(limits))
      .set("forwarding", std::move(forwarding))
      .set("policy", policy_standing_json(status, policy))
      .set("certificate", certificate_json(status.certificate));
  return json;
}

Json sync_report_json(const hal::SyncRun& run, const std::vector<Payment>& payments) {
  Json amounts = Json::object();
  for (const auto& [currency, sums] : run.amounts) {
    amounts.set(currency.view(), std::move(Json::object().set("succeeded", sums.first).set("declined", sums.second)));
  }
  Json list = Json::array();
  for (const Payment& payment : payments) list.push(payment_json(payment));
  Json json = Json::object();
  json.set("id", static_cast<std::int64_t>(run.id))
      .set("started_at", rfc3339(run.started_at))
      .set("ended_at", time_or_null(run.ended_at))
      .set("route", word(run.route))
      .set("forwarded", run.forwarded)
      .set("succeeded", run.succeeded)
      .set("declined", run.declined)
      .set("requires_review", run.requires_review)
      .set("expired", run.expired)
      .set("amounts_by_currency", std::move(amounts))
      .set("payments", std::move(list));
  return json;
}

}  // namespace nightdrop::report
