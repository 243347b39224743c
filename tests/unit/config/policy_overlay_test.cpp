// The merchant's overlay, member by member: what tightens is in force, what loosens is refused with its name.
// docs/policy.md, The merchant's overlay.
#include "config/policy_overlay.hpp"

#include <gtest/gtest.h>

#include "config/policy_compare.hpp"
#include "nightdrop/time_text.hpp"

namespace nightdrop {
namespace {

Policy signed_policy() {
  Policy policy;
  policy.version = 7;
  policy.merchant_id = "m_0001";
  policy.valid_from = *parse_rfc3339("2026-01-01T00:00:00Z");
  policy.valid_until = *parse_rfc3339("2027-01-01T00:00:00Z");
  policy.currencies[Currency{{'e', 'u', 'r'}}] = CurrencyLimits{};
  policy.currencies[Currency{}].approval_threshold = 5'000;
  policy.blocked_bins = {"4242"};
  for (const char* id : {"anna", "ben"})
    policy.approvers.push_back({id, std::vector<std::uint8_t>(16, 1), std::vector<std::uint8_t>(32, 2), 100'000});
  return policy;
}

std::expected<Policy, PolicyError> tightened(std::string_view overlay) {
  return tighten_policy(signed_policy(), overlay);
}

// The field that is blamed; empty where the overlay is good.
std::string blamed(std::string_view overlay) {
  const auto merged = tightened(overlay);
  if (merged) return {};
  return merged.error().message.substr(0, merged.error().message.find(": "));
}

TEST(PolicyOverlay, says_nothing_changes_nothing) {
  const auto merged = tightened("{}");
  ASSERT_TRUE(merged) << merged.error().message;
  EXPECT_TRUE(compare_policies(signed_policy(), *merged).empty());
  EXPECT_EQ(policy_json(*merged).dump(), policy_json(signed_policy()).dump());
}

TEST(PolicyOverlay, lowers_caps_and_times) {
  const auto merged = tightened(
      R"({"device_count":40,"per_card_count":1,"forward_deadline_s":3600,"storing_window_s":0,"fallbacks_per_spell":0,
          "untrusted_clock_s":60,"valid_until":"2026-12-31T00:00:00Z"})");
  ASSERT_TRUE(merged) << merged.error().message;
  EXPECT_EQ(merged->device_count, 40);
  EXPECT_EQ(merged->per_card_count, 1);
  EXPECT_EQ(merged->forward_deadline_s, 3'600);
  EXPECT_EQ(merged->storing_window_s, 0);
  EXPECT_EQ(merged->fallbacks_per_spell, 0);
  EXPECT_EQ(merged->untrusted_clock_s, 60);
  EXPECT_EQ(rfc3339(merged->valid_until), "2026-12-31T00:00:00.000Z");
  EXPECT_EQ(merged->version, 7) << "the signed one's";
}

TEST(PolicyOverlay, keeps_only_the_currencies_it_names_and_the_limits_it_leaves_out) {
  const auto merged = tightened(R"({"currencies":{"usd":{"per_transaction":5000,"approval_threshold":3000}}})");
  ASSERT_TRUE(merged) << merged.error().message;
  ASSERT_EQ(merged->currencies.size(), 1U);
  const CurrencyLimits& usd = merged->currencies.at(Currency{});
  EXPECT_EQ(usd.per_transaction, 5'000);
  EXPECT_EQ(usd.approval_threshold, 3'000);
  EXPECT_EQ(usd.device_total, 100'000);
}

TEST(PolicyOverlay, may_ask_for_a_manager_where_the_policy_asks_for_none) {
  const auto merged = tightened(R"({"currencies":{"eur":{"approval_threshold":0}}})");
  ASSERT_TRUE(merged) << merged.error().message;
  EXPECT_EQ(merged->currencies.at(Currency{{'e', 'u', 'r'}}).approval_threshold, 0);
}

TEST(PolicyOverlay, adds_to_what_is_blocked_and_selects_from_what_is_allowed) {
  const auto merged = tightened(
      R"({"blocked_bins":["400012","4242"],"blocked_fingerprints":["fp_00000000000000000000000000000001"],
          "entry_modes_offline":["contact_emv"],"brands_offline":["visa"],"approvers":[{"id":"ben"}]})");
  ASSERT_TRUE(merged) << merged.error().message;
  EXPECT_EQ(merged->blocked_bins, (std::vector<std::string>{"4242", "400012"}));
  EXPECT_EQ(merged->blocked_fingerprints.size(), 1U);
  EXPECT_FALSE(merged->entry_modes_offline[static_cast<std::size_t>(ReadMethod::ContactlessEmv)]);
  EXPECT_TRUE(merged->brands_offline[static_cast<std::size_t>(Brand::Visa)]);
  EXPECT_FALSE(merged->brands_offline[static_cast<std::size_t>(Brand::Mastercard)]);
  ASSERT_EQ(merged->approvers.size(), 1U);
  EXPECT_EQ(merged->approvers[0].id, "ben");
  EXPECT_EQ(merged->approvers[0].pin_hash, signed_policy().approvers[1].pin_hash) << "the PIN stays the signed one";
}

TEST(PolicyOverlay, switches_off_only) {
  Policy open = signed_policy();
  open.partial_approvals = PartialApprovals::Accept;
  open.decline_retries.enabled = true;
  const auto merged =
      tighten_policy(open, R"({"partial_approvals":"reverse","decline_retries":{"enabled":false,"max_per_day":0}})");
  ASSERT_TRUE(merged) << merged.error().message;
  EXPECT_EQ(merged->partial_approvals, PartialApprovals::Reverse);
  EXPECT_FALSE(merged->decline_retries.enabled);
  EXPECT_EQ(blamed(R"({"partial_approvals":"accept"})"), "partial_approvals");
  EXPECT_EQ(blamed(R"({"decline_retries":{"enabled":true}})"), "decline_retries.enabled");
}

TEST(PolicyOverlay, is_refused_whole_when_anything_loosens) {
  EXPECT_EQ(blamed(R"({"device_count":101})"), "device_count");
  EXPECT_EQ(blamed(R"({"device_count":1,"per_card_count":3})"), "per_card_count");
  EXPECT_EQ(blamed(R"({"forward_deadline_s":86401})"), "forward_deadline_s");
  EXPECT_EQ(blamed(R"({"storing_window_s":86401})"), "storing_window_s");
  EXPECT_EQ(blamed(R"({"fallbacks_per_spell":11})"), "fallbacks_per_spell");
  EXPECT_EQ(blamed(R"({"untrusted_clock_s":86401})"), "untrusted_clock_s");
  EXPECT_EQ(blamed(R"({"valid_until":"2027-01-01T00:00:00.001Z"})"), "valid_until");
  EXPECT_EQ(blamed(R"({"currencies":{"usd":{"per_transaction":10001}}})"), "currencies.usd.per_transaction");
  EXPECT_EQ(blamed(R"({"currencies":{"usd":{"device_total":100001}}})"), "currencies.usd.device_total");
  EXPECT_EQ(blamed(R"({"currencies":{"usd":{"per_card_total":20001}}})"), "currencies.usd.per_card_total");
  EXPECT_EQ(blamed(R"({"currencies":{"usd":{"refund_total":10001}}})"), "currencies.usd.refund_total");
  EXPECT_EQ(blamed(R"({"currencies":{"usd":{"approval_threshold":5001}}})"), "currencies.usd.approval_threshold");
  EXPECT_EQ(blamed(R"({"currencies":{"usd":{"approval_threshold":null}}})"), "currencies.usd.approval_threshold");
  EXPECT_EQ(blamed(R"({"currencies":{"gbp":{"per_transaction":1}}})"), "currencies.gbp");
  EXPECT_EQ(blamed(R"({"entry_modes_offline":["contact_emv","keyed"]})"), "entry_modes_offline");
  EXPECT_EQ(blamed(R"({"decline_retries":{"max_per_day":2}})"), "decline_retries.max_per_day");
  EXPECT_EQ(blamed(R"({"decline_retries":{"max_per_30_days":11}})"), "decline_retries.max_per_30_days");
  EXPECT_EQ(tightened(R"({"device_count":101})").error().kind, PolicyError::Kind::Loosens);
}

TEST(PolicyOverlay, may_not_say_whose_policy_it_is_nor_bring_approvers) {
  for (const char* member : {R"({"version":8})", R"({"valid_from":"2026-02-01T00:00:00Z"})",
                             R"({"merchant_id":"m_0001"})", R"({"livemode":false})", R"({"region":"EEA"})",
                             R"({"online_timeout_ms":1})", R"({"retention_days":1})", R"({"ceiling":{}})"}) {
    const std::string key = std::string(member).substr(2, std::string(member).find("\":") - 2);
    EXPECT_EQ(blamed(member), key);
  }
  EXPECT_EQ(blamed(R"({"approvers":[{"id":"carla"}]})"), "approvers[0].id");
  EXPECT_EQ(blamed(R"({"approvers":[{"id":"anna","salt":"AAAA","pin_hash":"AAAA","iterations":1}]})"),
            "approvers[0].salt");
  EXPECT_EQ(blamed(R"({"approvers":[{"id":"anna"},{"id":"anna"}]})"), "approvers[1].id");
}

TEST(PolicyOverlay, is_read_as_strictly_as_the_policy) {
  EXPECT_EQ(blamed(R"({"devce_count":1})"), "devce_count");
  EXPECT_EQ(blamed(R"({"device_count":-1})"), "device_count");
  EXPECT_EQ(blamed(R"({"device_count":null})"), "device_count");
  EXPECT_EQ(blamed(R"({"device_count":1,"device_count":2})"), "device_count");
  EXPECT_EQ(blamed(R"({"currencies":{"usd":{},"usd":{}}})"), "currencies.usd");
  EXPECT_EQ(blamed(R"({"currencies":{"usd":{"per_transacton":1}}})"), "currencies.usd.per_transacton");
  EXPECT_EQ(blamed(R"({"currencies":[]})"), "currencies");
  EXPECT_EQ(blamed(R"({"currencies":null})"), "currencies");
  EXPECT_EQ(blamed(R"({"blocked_bins":"4242"})"), "blocked_bins");
  EXPECT_EQ(blamed(R"({"blocked_bins":["12a"]})"), "blocked_bins");
  EXPECT_EQ(blamed(R"({"approvers":{"id":"anna"}})"), "approvers");
  EXPECT_EQ(blamed("[]"), "the overlay is not a JSON object");
  EXPECT_EQ(blamed(""), "the overlay is not a JSON object");
}

}  // namespace
}  // namespace nightdrop
