// An overlay can only tighten, for any policy, overlay and payment: what the signed policy refuses stays refused, what
// needs a manager still does; what loosens is left out and named, and switches nothing else off. Laid over twice it
// changes nothing more; over a tighter policy it gives a tighter one.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "config/policy_compare.hpp"
#include "config/policy_overlay.hpp"
#include "engine/offline_rules.hpp"
#include "nightdrop/time_text.hpp"

namespace nightdrop {
namespace {

constexpr UtcMs base = 1'795'290'003'123;
constexpr std::array<Currency, 3> currencies{Currency{}, Currency{{'e', 'u', 'r'}}, Currency{{'j', 'p', 'y'}}};
constexpr std::array<const char*, 4> pans{"4242424242424242", "4000120000000001", "5555555555554444",
                                          "378282246310005"};
const std::array<std::string, 2> fingerprints{"fp_" + std::string(32, '1'), "fp_" + std::string(32, '2')};
const Policy defaults;

std::int64_t up_to(std::int64_t max) {
  return *rc::gen::inRange<std::int64_t>(0, max + 1);
}

bool one_in(int n) {
  return *rc::gen::inRange(0, n) == 0;
}

Policy any_policy() {
  Policy policy;
  policy.merchant_id = "m_1";
  policy.valid_from = base - up_to(1'000);
  policy.valid_until = base + up_to(3'000);
  policy.region = one_in(6) ? Region::Eea : Region::Other;
  policy.region_name = policy.region == Region::Eea ? "EEA" : "US";
  policy.currencies.clear();
  for (const Currency& currency : currencies) {
    if (one_in(4)) continue;
    CurrencyLimits limits{up_to(200), up_to(500), up_to(400), up_to(200), std::nullopt};
    if (one_in(2)) limits.approval_threshold = up_to(200);
    policy.currencies[currency] = limits;
  }
  policy.device_count = up_to(6);
  policy.per_card_count = up_to(4);
  policy.storing_window_s = up_to(3);
  policy.untrusted_clock_s = up_to(3);
  policy.fallbacks_per_spell = up_to(3);
  for (bool& mode : policy.entry_modes_offline) mode = !one_in(4);
  for (std::size_t i = 0; i < brand_count; ++i) policy.brands_offline[i] = defaults.brands_offline[i] && !one_in(4);
  if (one_in(3)) policy.blocked_bins = {"400012"};
  if (one_in(3)) policy.blocked_fingerprints = {fingerprints[0]};
  policy.decline_retries.enabled = one_in(2);
  policy.partial_approvals = one_in(2) ? PartialApprovals::Accept : PartialApprovals::Reverse;
  for (const char* id : {"anna", "ben"}) {
    policy.approvers.push_back({id, std::vector<std::uint8_t>(16, 1), std::vector<std::uint8_t>(32, 2), 100'000});
  }
  return policy;
}

// Mostly lower than what the policy says, so that of many overlays nothing is left out, and sometimes not.
std::int64_t around(std::int64_t signed_value) {
  return one_in(40) ? signed_value + 1 : up_to(signed_value);
}

Json any_limits(const CurrencyLimits& limits) {
  Json json = Json::object();
  if (one_in(2)) json.set("per_transaction", around(limits.per_transaction));
  if (one_in(2)) json.set("device_total", around(limits.device_total));
  if (one_in(2)) json.set("per_card_total", around(limits.per_card_total));
  if (one_in(2)) json.set("refund_total", around(limits.refund_total));
  if (one_in(3)) json.set("approval_threshold", around(limits.approval_threshold.value_or(200)));
  return json;
}

template <class Enum, std::size_t N>
Json some_of(const std::array<bool, N>& flags, const std::array<bool, N>& known) {
  Json list = Json::array();
  for (const auto& [value, name] : words<Enum>) {
    const bool is_in = flags[static_cast<std::size_t>(value)];
    if (is_in ? !one_in(3) : known[static_cast<std::size_t>(value)] && one_in(100)) list.push(Json::string(name));
  }
  return list;
}

std::string any_overlay(const Policy& policy) {
  Json json = Json::object();
  if (one_in(2)) {
    Json named = Json::object();
    for (const auto& [currency, limits] : policy.currencies) {
      if (!one_in(4)) named.set(currency.view(), any_limits(limits));
    }
    if (one_in(10)) named.set("gbp", any_limits(CurrencyLimits{}));
    json.set("currencies", std::move(named));
  }
  if (one_in(2)) json.set("device_count", around(policy.device_count));
  if (one_in(2)) json.set("per_card_count", around(policy.per_card_count));
  if (one_in(2)) json.set("storing_window_s", around(policy.storing_window_s));
  if (one_in(2)) json.set("untrusted_clock_s", around(policy.untrusted_clock_s));
  if (one_in(2)) json.set("fallbacks_per_spell", around(policy.fallbacks_per_spell));
  if (one_in(3)) json.set("valid_until", rfc3339(base + around(policy.valid_until - base)));
  if (one_in(2))
    json.set("entry_modes_offline", some_of<ReadMethod>(policy.entry_modes_offline, {true, true, true, true, true}));
  if (one_in(2)) json.set("brands_offline", some_of<Brand>(policy.brands_offline, defaults.brands_offline));
  if (one_in(2)) json.set("blocked_bins", std::move(Json::array().push(Json::string("5555"))));
  if (one_in(2)) json.set("blocked_fingerprints", std::move(Json::array().push(Json::string(fingerprints[1]))));
  if (one_in(3)) json.set("partial_approvals", "reverse");
  if (one_in(3)) {
    Json named = Json::array();
    named.push(std::move(Json::object().set("id", "ben")));
    if (one_in(4)) named.push(std::move(Json::object().set("id", "carla")));
    json.set("approvers", std::move(named));
  }
  return json.dump();
}

struct Situation {
  Payment payment;
  engine::CardFacts facts;
  engine::Exposure exposure;
  engine::ClockState clock;
  std::string pan;
};

Situation any_situation() {
  Situation now;
  now.payment.kind = one_in(5) ? ObjectKind::Refund : ObjectKind::PaymentIntent;
  now.payment.amount = 1 + up_to(220);
  now.payment.currency = currencies[static_cast<std::size_t>(up_to(2))];
  now.payment.approved_up_to = one_in(3) ? 300 : 0;
  CardSummary card;
  card.read_method = words<ReadMethod>[static_cast<std::size_t>(up_to(read_method_count - 1))].first;
  card.brand = words<Brand>[static_cast<std::size_t>(up_to(brand_count - 1))].first;
  card.exp_month = 12;
  card.exp_year = 2030;
  card.fallback = one_in(5);
  card.fingerprint = fingerprints[static_cast<std::size_t>(up_to(1))];
  now.payment.card = card;
  now.pan = pans[static_cast<std::size_t>(up_to(pans.size() - 1))];
  now.facts.offline_pin_verified = one_in(2);
  now.exposure = {up_to(200), up_to(80), up_to(3), up_to(100), up_to(2), up_to(2), std::nullopt};
  if (one_in(2)) now.exposure.oldest_stored_at = base - up_to(3'000);
  now.clock = {base + up_to(1'000), !one_in(4), up_to(3'000)};
  return now;
}

// 0 refused, 1 with a manager, 2 allowed.
int freedom(const Policy& policy, const Situation& now) {
  engine::CardFacts facts = now.facts;
  facts.blocked =
      engine::is_bin_blocked(policy, now.pan) || engine::is_fingerprint_blocked(policy, now.payment.card->fingerprint);
  const auto decision = engine::decide_offline(policy, now.payment, facts, now.exposure, now.clock);
  if (std::holds_alternative<engine::Refused>(decision)) return 0;
  return std::holds_alternative<engine::NeedsApproval>(decision) ? 1 : 2;
}

bool nothing_looser(const Policy& before, const Policy& after) {
  return std::ranges::all_of(compare_policies(before, after), [](const PolicyDifference& difference) {
    return difference.direction == PolicyDirection::Tighter;
  });
}

TightenedPolicy laid_over(const Policy& policy, const std::string& overlay) {
  auto tightened = tighten_policy(policy, overlay);
  RC_ASSERT(tightened.has_value());  // its values are all within their ranges
  return *std::move(tightened);
}

RC_GTEST_PROP(OverlayProperties, WhatTheSignedPolicyRefusesStaysRefused, ()) {
  const Policy policy = any_policy();
  const TightenedPolicy tightened = laid_over(policy, any_overlay(policy));
  RC_CLASSIFY(tightened.left_out.empty(), "whole");
  RC_ASSERT(nothing_looser(policy, tightened.policy));
  for (int i = 0; i < 20; ++i) {
    const Situation now = any_situation();
    RC_ASSERT(freedom(tightened.policy, now) <= freedom(policy, now));
  }
}

// Whatever an overlay says beside it, a limit below the signed one is in force.
RC_GTEST_PROP(OverlayProperties, WhatTightensIsInForceWhateverIsLeftOut, ()) {
  const Policy policy = any_policy();
  auto overlay = Json::parse(any_overlay(policy));
  const std::int64_t count = up_to(policy.device_count);
  const std::int64_t window = up_to(policy.storing_window_s);
  overlay->set("device_count", count).set("storing_window_s", window).set("per_card_count", policy.per_card_count + 1);
  const TightenedPolicy tightened = laid_over(policy, overlay->dump());
  RC_ASSERT(std::ranges::count(tightened.left_out, "per_card_count") == 1);
  RC_ASSERT(tightened.policy.device_count == count);
  RC_ASSERT(tightened.policy.storing_window_s == window);
  RC_ASSERT(tightened.policy.per_card_count == policy.per_card_count);
}

RC_GTEST_PROP(OverlayProperties, TwiceIsOnce, ()) {
  const Policy policy = any_policy();
  const std::string overlay = any_overlay(policy);
  const Policy once = laid_over(policy, overlay).policy;
  RC_ASSERT(policy_json(laid_over(once, overlay).policy).dump() == policy_json(once).dump());
}

RC_GTEST_PROP(OverlayProperties, ATighterPolicyStaysTighterUnderTheSameOverlay, ()) {
  const Policy policy = any_policy();
  const Policy tighter = laid_over(policy, any_overlay(policy)).policy;
  const std::string overlay = any_overlay(one_in(2) ? tighter : policy);
  RC_ASSERT(nothing_looser(laid_over(policy, overlay).policy, laid_over(tighter, overlay).policy));
}

// A comparison that says "tighter" is believed by the overlay: hold it against the rules themselves.
RC_GTEST_PROP(OverlayProperties, APolicyThatComparesTighterAdmitsNoMore, ()) {
  const Policy before = any_policy();
  Policy after = before;
  const Policy other = any_policy();
  if (one_in(2)) after.currencies = other.currencies;
  if (one_in(2)) after.device_count = other.device_count;
  if (one_in(2)) after.per_card_count = other.per_card_count;
  if (one_in(2)) after.valid_from = other.valid_from;
  if (one_in(2)) after.valid_until = other.valid_until;
  if (one_in(2)) after.entry_modes_offline = other.entry_modes_offline;
  if (one_in(2)) after.blocked_bins = other.blocked_bins;
  if (one_in(2)) after.storing_window_s = other.storing_window_s;
  const bool tighter = nothing_looser(before, after);
  RC_CLASSIFY(tighter, "tighter");
  if (!tighter) return;
  for (int i = 0; i < 20; ++i) {
    const Situation now = any_situation();
    RC_ASSERT(freedom(after, now) <= freedom(before, now));
  }
}

}  // namespace
}  // namespace nightdrop
