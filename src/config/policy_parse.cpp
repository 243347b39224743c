// The policy document's members, each with its range. Maxima that no rule gives are there to catch a slip of the hand
// (an amount in the wrong unit, a time in milliseconds), and are far above what any acquirer allows.
#include <algorithm>
#include <set>

#include "config/fields.hpp"
#include "config/policy_json.hpp"
#include "config/policy_limits.hpp"
#include "nightdrop/encoding.hpp"
#include "nightdrop/time_text.hpp"

namespace nightdrop {
namespace {

using config::Fields;
using config::Problem;

constexpr std::int64_t version_max = 999'999'999'999'999;  // exact in every JSON reader and writer
constexpr std::size_t list_max = 10'000;

void read_time(Fields& fields, std::string_view key, UtcMs& into) {
  fields.require(key);
  const auto text = fields.take(key).string();
  const auto time = text ? parse_rfc3339(*text) : std::nullopt;
  if (!time) {
    fields.refuse(key, "must be an RFC 3339 time");
    return;
  }
  into = *time;
}

void read_currencies(Fields& fields, std::map<Currency, CurrencyLimits>& into) {
  const JsonView currencies = fields.take("currencies");
  if (!currencies.exists()) return;
  if (!currencies.is_object()) {
    fields.refuse("currencies", "must be an object");
    return;
  }
  into.clear();
  for (const JsonView entry : currencies.items()) {
    const auto currency = config::currency_of(entry.key());
    const std::string path = fields.name("currencies") + "." + std::string(entry.key());
    if (!currency) {
      fields.problem().note(path, "a currency is three lower-case letters");
      return;
    }
    if (into.contains(*currency)) fields.problem().note(path, "is given twice");
    CurrencyLimits limits;
    Fields members(entry, path, fields.problem());
    members.integer("per_transaction", limits.per_transaction, 0, amount_max);
    members.integer("device_total", limits.device_total, 0, config::total_max);
    members.integer("per_card_total", limits.per_card_total, 0, config::total_max);
    members.integer("refund_total", limits.refund_total, 0, config::total_max);
    if (members.has("approval_threshold") && !members.take("approval_threshold").is_null()) {
      limits.approval_threshold = 0;
      members.integer("approval_threshold", *limits.approval_threshold, 0, amount_max);
    }
    into.emplace(*currency, limits);
  }
}

// A list of an enumeration's words as flags by value; `allowed` says which of the words may stand in it.
template <class Enum, std::size_t N, class Allowed>
void read_flags(Fields& fields, std::string_view key, std::array<bool, N>& into, const Allowed& allowed,
                std::string_view refusal) {
  if (!fields.has(key)) return;
  std::vector<std::string> listed;
  fields.texts(key, listed, N);
  std::array<bool, N> flags{};
  for (const std::string& text : listed) {
    const auto value = from_word<Enum>(text);
    if (!value || !allowed(*value)) {
      fields.refuse(key, refusal);
      return;
    }
    flags[static_cast<std::size_t>(*value)] = true;
  }
  into = flags;
}

void read_lists(Fields& fields, Policy& policy) {
  read_flags<ReadMethod>(
      fields, "entry_modes_offline", policy.entry_modes_offline, [](ReadMethod) { return true; },
      "names what is no read method");
  const auto rule_13 = Policy{}.brands_offline;
  read_flags<Brand>(
      fields, "brands_offline", policy.brands_offline,
      [&](Brand brand) { return rule_13[static_cast<std::size_t>(brand)]; },
      "names what is no brand that may be taken offline");

  fields.texts("blocked_bins", policy.blocked_bins, list_max);
  for (const std::string& bin : policy.blocked_bins) {
    if (!config::only(bin, config::digits) || bin.size() > 19) {
      fields.refuse("blocked_bins", "must be texts of 1 to 19 leading digits");
    }
  }
  fields.texts("blocked_fingerprints", policy.blocked_fingerprints, list_max);
  for (const std::string& fingerprint : policy.blocked_fingerprints) {
    if (fingerprint.size() != 35 || !fingerprint.starts_with("fp_") ||
        !config::only(std::string_view(fingerprint).substr(3), "0123456789abcdef")) {
      fields.refuse("blocked_fingerprints", "must be texts of fp_ and 32 lower-case hex digits");
    }
  }
}

void read_bytes(Fields& fields, std::string_view key, std::vector<std::uint8_t>& into, std::size_t min,
                std::size_t max) {
  fields.require(key);
  const auto text = fields.take(key).string();
  auto bytes = from_base64(text.value_or("?"));
  if (!bytes || bytes->size() < min || bytes->size() > max) {
    fields.refuse(key, min == max
                           ? "must be base64 of " + std::to_string(min) + " bytes"
                           : "must be base64 of " + std::to_string(min) + " to " + std::to_string(max) + " bytes");
    return;
  }
  into = std::move(*bytes);
}

void read_approvers(Fields& fields, std::vector<Approver>& into) {
  const JsonView list = fields.take("approvers");
  if (!list.exists()) return;
  if (!list.is_array() || list.size() > 1'000) {
    fields.refuse("approvers", "must be a list of at most 1000 approvers");
    return;
  }
  std::set<std::string> ids;
  for (const JsonView item : list.items()) {
    Fields members(item, fields.name("approvers") + "[" + std::to_string(into.size()) + "]", fields.problem());
    if (!item.is_object()) members.refuse("id", "is missing");
    Approver approver;
    members.require("id");
    members.text("id", approver.id, 64);
    if (!config::only(approver.id, config::id_characters)) members.refuse("id", "must be letters, digits, _ . or -");
    if (!ids.insert(approver.id).second) members.refuse("id", "is given twice");
    read_bytes(members, "salt", approver.salt, 16, 64);
    read_bytes(members, "pin_hash", approver.pin_hash, 32, 32);
    std::int64_t iterations = 0;
    members.require("iterations");
    members.integer("iterations", iterations, 10'000, 10'000'000);
    approver.iterations = static_cast<std::uint32_t>(iterations);
    into.push_back(std::move(approver));
  }
}

void read_decline_retries(Fields& fields, DeclineRetries& into) {
  Fields members(fields.take("decline_retries"), fields.name("decline_retries"), fields.problem());
  std::int64_t per_day = into.max_per_day;
  std::int64_t per_30_days = into.max_per_30_days;
  members.boolean("enabled", into.enabled);
  members.integer("max_per_day", per_day, 0, config::count_max);
  members.integer("max_per_30_days", per_30_days, 0, config::count_max);
  config::check_networks_ceiling(members, per_day, per_30_days);
  into.max_per_day = static_cast<std::uint32_t>(per_day);
  into.max_per_30_days = static_cast<std::uint32_t>(per_30_days);
}

void read_merchant(Fields& fields, Policy& policy) {
  fields.require("merchant_id");
  fields.text("merchant_id", policy.merchant_id, 64);
  if (policy.merchant_id.find(' ') != std::string::npos) fields.refuse("merchant_id", "must have no space");
  fields.boolean("livemode", policy.livemode);
  fields.text("region", policy.region_name, 3);
  if (!config::only(policy.region_name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") || policy.region_name.size() < 2) {
    fields.refuse("region", "must be two or three capital letters");
  }
  policy.region = policy.region_name == "EEA" ? Region::Eea : Region::Other;
}

Policy read_policy(JsonView document, Problem& problem) {
  Policy policy;
  Fields fields(document, "", problem);
  fields.integer("version", policy.version, 1, version_max);
  read_time(fields, "valid_from", policy.valid_from);
  read_time(fields, "valid_until", policy.valid_until);
  if (policy.valid_from >= policy.valid_until) fields.refuse("valid_until", "must be after valid_from");
  read_merchant(fields, policy);
  read_currencies(fields, policy.currencies);
  fields.integer("device_count", policy.device_count, 0, config::count_max);
  fields.integer("per_card_count", policy.per_card_count, 0, config::count_max);
  fields.integer("forward_deadline_s", policy.forward_deadline_s, 1, config::seconds_max);
  fields.integer("storing_window_s", policy.storing_window_s, 0, config::seconds_max);
  read_lists(fields, policy);
  fields.integer("fallbacks_per_spell", policy.fallbacks_per_spell, 0, config::count_max);
  fields.choice<PartialApprovals>("partial_approvals", policy.partial_approvals,
                                  {{"reverse", PartialApprovals::Reverse}, {"accept", PartialApprovals::Accept}});
  read_decline_retries(fields, policy.decline_retries);
  read_approvers(fields, policy.approvers);
  fields.integer("untrusted_clock_s", policy.untrusted_clock_s, 0, config::seconds_max);
  fields.integer("online_timeout_ms", policy.online_timeout_ms, 1, 120'000);
  fields.integer("retention_days", policy.retention_days, 1, 3'650);
  config::check_ceiling(fields, policy);
  return policy;
}

}  // namespace

std::expected<Policy, PolicyError> parse_policy(std::string_view text) {
  const auto document = Json::parse(text);
  if (!document || !document->view().is_object()) {
    return std::unexpected(PolicyError{PolicyError::Kind::Invalid, "the policy is not a JSON object"});
  }
  Problem problem;
  Policy policy = read_policy(document->view(), problem);
  if (problem.found()) {
    return std::unexpected(PolicyError{
        problem.above_ceiling ? PolicyError::Kind::AboveCeiling : PolicyError::Kind::Invalid, problem.sentence()});
  }
  return policy;
}

}  // namespace nightdrop
