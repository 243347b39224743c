// Printing a policy, and taking a signed one; the members themselves are read in policy_parse.cpp.
#include "config/policy_json.hpp"

#include "nightdrop/encoding.hpp"
#include "nightdrop/time_text.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop {
namespace {

std::unexpected<PolicyError> refuse(PolicyError::Kind kind, const char* message) {
  return std::unexpected(PolicyError{kind, message});
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view space = " \t\r\n";
  const std::size_t first = text.find_first_not_of(space);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(space) - first + 1);
}

Json texts(const std::vector<std::string>& list) {
  Json array = Json::array();
  for (const std::string& text : list) array.push(Json::string(text));
  return array;
}

template <class Enum, std::size_t N>
Json flagged_words(const std::array<bool, N>& flags) {
  Json array = Json::array();
  for (const auto& [value, name] : words<Enum>) {
    if (flags[static_cast<std::size_t>(value)]) array.push(Json::string(name));
  }
  return array;
}

Json currencies_json(const std::map<Currency, CurrencyLimits>& currencies) {
  Json object = Json::object();
  for (const auto& [currency, limits] : currencies) {
    Json entry = Json::object();
    entry.set("per_transaction", limits.per_transaction)
        .set("device_total", limits.device_total)
        .set("per_card_total", limits.per_card_total)
        .set("refund_total", limits.refund_total)
        .set("approval_threshold", limits.approval_threshold);
    object.set(currency.view(), std::move(entry));
  }
  return object;
}

Json approvers_json(const std::vector<Approver>& approvers) {
  Json array = Json::array();
  for (const Approver& approver : approvers) {
    Json entry = Json::object();
    entry.set("id", approver.id)
        .set("salt", to_base64(approver.salt))
        .set("pin_hash", to_base64(approver.pin_hash))
        .set("iterations", approver.iterations);
    array.push(std::move(entry));
  }
  return array;
}

}  // namespace

Json policy_json(const Policy& policy) {
  Json retries = Json::object();
  retries.set("enabled", policy.decline_retries.enabled)
      .set("max_per_day", policy.decline_retries.max_per_day)
      .set("max_per_30_days", policy.decline_retries.max_per_30_days);
  Json document = Json::object();
  document.set("version", policy.version)
      .set("valid_from", rfc3339(policy.valid_from))
      .set("valid_until", rfc3339(policy.valid_until))
      .set("merchant_id", policy.merchant_id)
      .set("livemode", policy.livemode)
      .set("region", policy.region_name)
      .set("currencies", currencies_json(policy.currencies))
      .set("device_count", policy.device_count)
      .set("per_card_count", policy.per_card_count)
      .set("forward_deadline_s", policy.forward_deadline_s)
      .set("storing_window_s", policy.storing_window_s)
      .set("entry_modes_offline", flagged_words<ReadMethod>(policy.entry_modes_offline))
      .set("fallbacks_per_spell", policy.fallbacks_per_spell)
      .set("brands_offline", flagged_words<Brand>(policy.brands_offline))
      .set("blocked_bins", texts(policy.blocked_bins))
      .set("blocked_fingerprints", texts(policy.blocked_fingerprints))
      .set("partial_approvals", policy.partial_approvals == PartialApprovals::Accept ? "accept" : "reverse")
      .set("decline_retries", std::move(retries))
      .set("approvers", approvers_json(policy.approvers))
      .set("untrusted_clock_s", policy.untrusted_clock_s)
      .set("online_timeout_ms", policy.online_timeout_ms)
      .set("retention_days", policy.retention_days);
  return document;
}

std::expected<Policy, PolicyError> load_policy(std::string_view document, std::string_view signature_base64,
                                               std::string_view signer_pem, std::int64_t highest_version_seen,
                                               const VerifySignature& verify) {
  const std::string_view text = trimmed(signature_base64);
  const auto signature = from_base64(text);
  if (text.empty() || !signature) return refuse(PolicyError::Kind::Unsigned, "the policy has no signature");
  if (const auto verified = verify(signer_pem, bytes_of(document), *signature); !verified) {
    return refuse(PolicyError::Kind::WrongSignature,
                  verified.error().code == Errc::WrongKey
                      ? "the policy's signature is not by its signer over these bytes"
                      : "the policy's signature or its signer's key is damaged");
  }
  auto policy = parse_policy(document);
  if (policy && policy->version < highest_version_seen) {
    return refuse(PolicyError::Kind::Older, "version: is older than that of a policy this reader has taken before");
  }
  return policy;
}

}  // namespace nightdrop
