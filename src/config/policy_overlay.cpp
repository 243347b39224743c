// Method: the overlay's members are laid over the signed policy's own JSON, the result is read by the parser that reads
// every policy, and the outcome is compared with what was signed. So an overlay's values are held to the same ranges,
// and a rule that is added to the policy is refused here until policy_compare.cpp knows its order.
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
    if (!under.exists()) overlay.problem().note(path, "is not in the signed policy");
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

// [{"id":"anna"}]: a selection from the signed approvers, whose PINs stay the signed ones.
void lay_approvers(Fields& overlay, JsonView policy, Json& into) {
  if (!overlay.has("approvers")) return;
  const JsonView named = overlay.take("approvers");
  if (!named.is_array()) return overlay.refuse("approvers", "must be a list");
  Json kept = Json::array();
  std::size_t index = 0;
  for (const JsonView item : named.items()) {
    Fields members(item, "approvers[" + std::to_string(index++) + "]", overlay.problem());
    members.require("id");
    const auto id = members.take("id").string();
    const auto approvers = policy["approvers"].items();
    const auto found =
        std::ranges::find_if(approvers, [&](JsonView approver) { return id && approver["id"].string() == *id; });
    if (found == approvers.end()) {
      members.refuse("id", "is no approver of the signed policy; an overlay names some of them by id alone");
      return;
    }
    kept.push(found->copy());
  }
  into.set("approvers", std::move(kept));
}

// The signed policy's JSON with the overlay's members in it.
Json lay_over(const Policy& policy, JsonView document, Problem& problem) {
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
  lay_approvers(overlay, signed_policy.view(), whole);
  return whole;
}

}  // namespace

std::expected<Policy, PolicyError> tighten_policy(const Policy& policy, std::string_view overlay) {
  const auto document = Json::parse(overlay);
  if (!document || !document->view().is_object()) {
    return std::unexpected(PolicyError{PolicyError::Kind::Invalid, "the overlay is not a JSON object"});
  }
  Problem problem;
  const Json whole = lay_over(policy, document->view(), problem);
  if (problem.found()) return std::unexpected(PolicyError{PolicyError::Kind::Invalid, problem.sentence()});
  auto merged = parse_policy(whole.dump());
  if (!merged) return merged;
  for (const PolicyDifference& difference : compare_policies(policy, *merged)) {
    if (difference.direction == PolicyDirection::Tighter) continue;
    return std::unexpected(
        PolicyError{PolicyError::Kind::Loosens, difference.field + ": would allow more than the signed policy"});
  }
  return merged;
}

}  // namespace nightdrop
