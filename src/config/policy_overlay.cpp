// Method: the overlay's members are laid over the signed policy's own JSON and the result is read by the parser that
// reads every policy, so that an overlay's values are held to the same ranges: that is what the merchant wants. Of it
// and the signed policy the tighter is taken field by field, and the outcome is compared with what was signed: a rule
// that is added to the policy is refused here until the comparison knows its order.
#include "config/policy_overlay.hpp"

#include <algorithm>
#include <array>

#include "config/fields.hpp"
#include "config/policy_compare.hpp"

namespace nightdrop {
namespace {

using config::Fields;
using config::Problem;

// Members that replace the policy's: what they say is held against it afterwards.
constexpr std::array<std::string_view, 10> replacing{
    "valid_until",         "device_count",        "per_card_count", "forward_deadline_s", "storing_window_s",
    "entry_modes_offline", "fallbacks_per_spell", "brands_offline", "partial_approvals",  "untrusted_clock_s"};
// Whose policy it is, and what has no tighter side: a shorter time-out sends more payments offline, and a shorter
// retention loses the audit log.
constexpr std::array<std::string_view, 8> not_the_merchants{
    "version", "valid_from", "merchant_id", "livemode", "region", "online_timeout_ms", "retention_days", "ceiling"};

void lay_members(Fields& overlay, JsonView under, std::initializer_list<std::string_view> keys, Json& into) {
  for (const JsonView member : under.items()) into.set(member.key(), member);
  for (const std::string_view key : keys) {
    if (overlay.has(key)) into.set(key, overlay.take(key));
  }
}

// Only the currencies that the overlay names stay; a limit that it leaves out stays as signed.
void lay_currencies(Fields& overlay, JsonView policy, Json& into) {
  if (!overlay.has("currencies")) return;
  const JsonView named = overlay.take("currencies");
  Fields each(named, "currencies", overlay.problem());
  Json kept = Json::object();
  for (const JsonView entry : named.items()) {
    const std::string path = "currencies." + std::string(entry.key());
    const JsonView under = policy["currencies"][entry.key()];
    Fields members(each.take(entry.key()), path, overlay.problem());
    Json limits = Json::object();
    lay_members(members, under,
                {"per_transaction", "device_total", "per_card_total", "refund_total", "approval_threshold"}, limits);
    kept.set(entry.key(), std::move(limits));
  }
  into.set("currencies", std::move(kept));
}

void lay_retries(Fields& overlay, JsonView policy, Json& into) {
  if (!overlay.has("decline_retries")) return;
  Fields members(overlay.take("decline_retries"), "decline_retries", overlay.problem());
  Json retries = Json::object();
  lay_members(members, policy["decline_retries"], {"enabled", "max_per_day", "max_per_30_days"}, retries);
  into.set("decline_retries", std::move(retries));
}

// A list of what is blocked is added to the signed one.
void lay_blocked(Fields& overlay, JsonView policy, std::string_view key, Json& into) {
  if (!overlay.has(key)) return;
  if (!overlay.take(key).is_array()) return overlay.refuse(key, "must be a list");
  Json all = policy[key].copy();
  std::set<std::string, std::less<>> known;
  for (const JsonView item : policy[key].items()) known.emplace(item.string().value_or(""));
  for (const JsonView item : overlay.take(key).items()) {
    if (!item.is_string() || known.emplace(*item.string()).second) all.push(item.copy());
  }
  into.set(key, std::move(all));
}

// [{"id":"anna"}]: a selection from the signed approvers, whose PINs stay the signed ones. Who is none of them is left
// out.
void lay_approvers(Fields& overlay, JsonView policy, Json& into, std::vector<std::string>& left_out) {
  if (!overlay.has("approvers")) return;
  const JsonView named = overlay.take("approvers");
  if (!named.is_array()) return overlay.refuse("approvers", "must be a list");
  Json kept = Json::array();
  std::size_t index = 0;
  for (const JsonView item : named.items()) {
    Fields members(item, "approvers[" + std::to_string(index++) + "]", overlay.problem());
    members.require("id");
    const auto id = members.take("id").string();
    if (!id) return members.refuse("id", "must be a text");
    const auto approvers = policy["approvers"].items();
    const auto found =
        std::ranges::find_if(approvers, [&](JsonView approver) { return approver["id"].string() == *id; });
    if (found == approvers.end()) {
      left_out.push_back(members.name("id"));
    } else {
      kept.push(found->copy());
    }
  }
  into.set("approvers", std::move(kept));
}

// The signed policy's JSON with the overlay's members in it.
Json lay_over(const Policy& policy, JsonView document, Problem& problem, std::vector<std::string>& left_out) {
  const Json signed_policy = policy_json(policy);
  Json whole = signed_policy.view().copy();
  Fields overlay(document, "", problem);
  for (const std::string_view key : not_the_merchants) {
    if (overlay.has(key)) overlay.refuse(key, "may not be in an overlay");
  }
  for (const std::string_view key : replacing) {
    if (overlay.has(key)) whole.set(key, overlay.take(key));
  }
  lay_currencies(overlay, signed_policy.view(), whole);
  lay_retries(overlay, signed_policy.view(), whole);
  lay_blocked(overlay, signed_policy.view(), "blocked_bins", whole);
  lay_blocked(overlay, signed_policy.view(), "blocked_fingerprints", whole);
  lay_approvers(overlay, signed_policy.view(), whole, left_out);
  return whole;
}

void keep_lower(std::int64_t& limit, std::int64_t wanted) {
  limit = std::min(limit, wanted);
}

// None is the loosest.
void keep_lower(std::optional<std::int64_t>& threshold, std::optional<std::int64_t> wanted) {
  if (wanted && (!threshold || *wanted < *threshold)) threshold = wanted;
}

template <std::size_t N>
void keep_common(std::array<bool, N>& allowed, const std::array<bool, N>& wanted) {
  for (std::size_t i = 0; i < N; ++i) allowed[i] = allowed[i] && wanted[i];
}

void keep_tighter(std::map<Currency, CurrencyLimits>& currencies, const std::map<Currency, CurrencyLimits>& wanted) {
  std::erase_if(currencies, [&](const auto& entry) { return !wanted.contains(entry.first); });
  for (auto& [currency, limits] : currencies) {
    const CurrencyLimits& other = wanted.at(currency);
    keep_lower(limits.per_transaction, other.per_transaction);
    keep_lower(limits.device_total, other.device_total);
    keep_lower(limits.per_card_total, other.per_card_total);
    keep_lower(limits.refund_total, other.refund_total);
    keep_lower(limits.approval_threshold, other.approval_threshold);
  }
}

// Of each field that an overlay may have the tighter. Requires: `wanted` was laid over `policy`, so that its lists of
// what is blocked hold the policy's, and its approvers are some of the policy's.
Policy tighter_of(Policy policy, const Policy& wanted) {
  policy.valid_until = std::min(policy.valid_until, wanted.valid_until);
  keep_tighter(policy.currencies, wanted.currencies);
  keep_lower(policy.device_count, wanted.device_count);
  keep_lower(policy.per_card_count, wanted.per_card_count);
  keep_lower(policy.forward_deadline_s, wanted.forward_deadline_s);
  keep_lower(policy.storing_window_s, wanted.storing_window_s);
  keep_common(policy.entry_modes_offline, wanted.entry_modes_offline);
  keep_lower(policy.fallbacks_per_spell, wanted.fallbacks_per_spell);
  keep_common(policy.brands_offline, wanted.brands_offline);
  policy.blocked_bins = wanted.blocked_bins;
  policy.blocked_fingerprints = wanted.blocked_fingerprints;
  if (wanted.partial_approvals == PartialApprovals::Reverse) policy.partial_approvals = PartialApprovals::Reverse;
  DeclineRetries& retries = policy.decline_retries;
  retries.enabled = retries.enabled && wanted.decline_retries.enabled;
  retries.max_per_day = std::min(retries.max_per_day, wanted.decline_retries.max_per_day);
  retries.max_per_30_days = std::min(retries.max_per_30_days, wanted.decline_retries.max_per_30_days);
  policy.approvers = wanted.approvers;
  keep_lower(policy.untrusted_clock_s, wanted.untrusted_clock_s);
  return policy;
}

bool is_tighter(const PolicyDifference& difference) {
  return difference.direction == PolicyDirection::Tighter;
}

}  // namespace

std::string TightenedPolicy::left_out_sentence() const {
  std::string names;
  for (const std::string& field : left_out) names += (names.empty() ? "" : ", ") + field;
  return names.empty() ? names : names + ": would allow more than the signed policy";
}

std::expected<TightenedPolicy, PolicyError> tighten_policy(const Policy& policy, std::string_view overlay) {
  const auto document = Json::parse(overlay);
  if (!document || !document->view().is_object()) {
    return std::unexpected(PolicyError{PolicyError::Kind::Invalid, "the overlay is not a JSON object"});
  }
  Problem problem;
  TightenedPolicy tightened;
  const Json whole = lay_over(policy, document->view(), problem, tightened.left_out);
  if (problem.found()) return std::unexpected(PolicyError{PolicyError::Kind::Invalid, problem.sentence()});
  const auto wanted = parse_policy(whole.dump());
  if (!wanted) return std::unexpected(wanted.error());
  for (const PolicyDifference& difference : compare_policies(policy, *wanted)) {
    if (!is_tighter(difference)) tightened.left_out.push_back(difference.field);
  }
  tightened.policy = tighter_of(policy, *wanted);
  const auto differences = compare_policies(policy, tightened.policy);
  const auto looser = std::ranges::find_if_not(differences, is_tighter);
  if (looser == differences.end()) return tightened;
  return std::unexpected(
      PolicyError{PolicyError::Kind::Loosens, looser->field + ": would allow more than the signed policy"});
}

}  // namespace nightdrop
