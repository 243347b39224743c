// The merchant's overlay, member by member: what tightens is in force, what loosens is left out with its name.
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

// By an overlay of which nothing is left out.
std::expected<Policy, PolicyError> tightened(std::string_view overlay, const Policy& policy = signed_policy()) {
  auto merged = tighten_policy(policy, overlay);
  if (!merged) return std::unexpected(merged.error());
  EXPECT_EQ(merged->left_out_sentence(), "");
  return std::move(merged->policy);
}

// What is left out of an overlay that is in force for the rest; nothing it holds loosens anything.
std::vector<std::string> left_out(std::string_view overlay, const Policy& policy = signed_policy()) {
  const auto merged = tighten_policy(policy, overlay);
  if (!merged) return {"refused whole: " + merged.error().message};
  for (const PolicyDifference& difference : compare_policies(policy, merged->policy)) {
    EXPECT_EQ(difference.direction, PolicyDirection::Tighter) << difference.field;
  }
  return merged->left_out;
}

using Names = std::vector<std::string>;

// The field for which the overlay is refused whole; empty where it is not.
std::string blamed(std::string_view overlay) {
  const auto merged = tighten_policy(signed_policy(), overlay);
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
      tightened(R"({"partial_approvals":"reverse","decline_retries":{"enabled":false,"max_per_day":0}})", open);
  ASSERT_TRUE(merged) << merged.error().message;
  EXPECT_EQ(merged->partial_approvals, PartialApprovals::Reverse);
  EXPECT_FALSE(merged->decline_retries.enabled);
  EXPECT_EQ(left_out(R"({"partial_approvals":"accept"})"), Names{"partial_approvals"});
  EXPECT_EQ(left_out(R"({"decline_retries":{"enabled":true}})"), Names{"decline_retries.enabled"});
}

TEST(PolicyOverlay, leaves_out_and_names_what_loosens) {
  EXPECT_EQ(left_out(R"({"device_count":101})"), Names{"device_count"});
  EXPECT_EQ(left_out(R"({"device_count":1,"per_card_count":3})"), Names{"per_card_count"});
  EXPECT_EQ(left_out(R"({"forward_deadline_s":86401})"), Names{"forward_deadline_s"});
  EXPECT_EQ(left_out(R"({"storing_window_s":86401})"), Names{"storing_window_s"});
  EXPECT_EQ(left_out(R"({"fallbacks_per_spell":11})"), Names{"fallbacks_per_spell"});
  EXPECT_EQ(left_out(R"({"untrusted_clock_s":86401})"), Names{"untrusted_clock_s"});
  EXPECT_EQ(left_out(R"({"valid_until":"2027-01-01T00:00:00.001Z"})"), Names{"valid_until"});
  EXPECT_EQ(left_out(R"({"currencies":{"usd":{"per_transaction":10001}}})"), Names{"currencies.usd.per_transaction"});
  EXPECT_EQ(left_out(R"({"currencies":{"usd":{"device_total":100001}}})"), Names{"currencies.usd.device_total"});
  EXPECT_EQ(left_out(R"({"currencies":{"usd":{"per_card_total":20001}}})"), Names{"currencies.usd.per_card_total"});
  EXPECT_EQ(left_out(R"({"currencies":{"usd":{"refund_total":10001}}})"), Names{"currencies.usd.refund_total"});
  EXPECT_EQ(left_out(R"({"currencies":{"usd":{"approval_threshold":5001}}})"),
            Names{"currencies.usd.approval_threshold"});
  EXPECT_EQ(left_out(R"({"currencies":{"usd":{"approval_threshold":null}}})"),
            Names{"currencies.usd.approval_threshold"});
  EXPECT_EQ(left_out(R"({"currencies":{"gbp":{"per_transaction":1}}})"), Names{"currencies.gbp"});
  EXPECT_EQ(left_out(R"({"entry_modes_offline":["contact_emv","keyed"]})"), Names{"entry_modes_offline"});
  EXPECT_EQ(left_out(R"({"decline_retries":{"max_per_day":2}})"), Names{"decline_retries.max_per_day"});
  EXPECT_EQ(left_out(R"({"decline_retries":{"max_per_30_days":11}})"), Names{"decline_retries.max_per_30_days"});
}

TEST(PolicyOverlay, one_field_too_many_switches_no_other_off) {
  const auto merged = tighten_policy(
      signed_policy(), R"({"device_count":101,"per_card_count":1,"currencies":{"usd":{"per_transaction":20000,
          "device_total":500},"gbp":{}},"entry_modes_offline":["contact_emv","keyed"],"brands_offline":["visa"],
          "blocked_bins":["400012"],"partial_approvals":"accept","decline_retries":{"enabled":true,"max_per_day":0},
          "valid_until":"2028-01-01T00:00:00Z","storing_window_s":60,"approvers":[{"id":"carla"},{"id":"ben"}]})");
  ASSERT_TRUE(merged) << merged.error().message;
  EXPECT_EQ(merged->left_out_sentence(),
            "approvers[0].id, valid_until, currencies.gbp, currencies.usd.per_transaction, device_count, "
            "entry_modes_offline, partial_approvals, decline_retries.enabled: would allow more than the signed policy");
  const Policy& policy = merged->policy;
  EXPECT_EQ(policy.device_count, signed_policy().device_count);
  EXPECT_EQ(policy.valid_until, signed_policy().valid_until);
  EXPECT_EQ(policy.per_card_count, 1);
  EXPECT_EQ(policy.storing_window_s, 60);
  ASSERT_EQ(policy.currencies.size(), 1U) << "eur is not named, gbp is not signed";
  EXPECT_EQ(policy.currencies.at(Currency{}).per_transaction, 10'000);
  EXPECT_EQ(policy.currencies.at(Currency{}).device_total, 500);
  EXPECT_TRUE(policy.entry_modes_offline[static_cast<std::size_t>(ReadMethod::ContactEmv)]);
  EXPECT_FALSE(policy.entry_modes_offline[static_cast<std::size_t>(ReadMethod::ContactlessEmv)]) << "not in both";
  EXPECT_FALSE(policy.entry_modes_offline[static_cast<std::size_t>(ReadMethod::Keyed)]) << "not in both";
  EXPECT_FALSE(policy.brands_offline[static_cast<std::size_t>(Brand::Mastercard)]);
  EXPECT_EQ(policy.blocked_bins, (Names{"4242", "400012"}));
  EXPECT_EQ(policy.partial_approvals, PartialApprovals::Reverse);
  EXPECT_FALSE(policy.decline_retries.enabled);
  EXPECT_EQ(policy.decline_retries.max_per_day, 0U);
  ASSERT_EQ(policy.approvers.size(), 1U);
  EXPECT_EQ(policy.approvers[0].id, "ben");
}

TEST(PolicyOverlay, may_not_say_whose_policy_it_is_nor_bring_approvers) {
  for (const char* member : {R"({"version":8})", R"({"valid_from":"2026-02-01T00:00:00Z"})",
                             R"({"merchant_id":"m_0001"})", R"({"livemode":false})", R"({"region":"EEA"})",
                             R"({"online_timeout_ms":1})", R"({"retention_days":1})", R"({"ceiling":{}})"}) {
    const std::string key = std::string(member).substr(2, std::string(member).find("\":") - 2);
    EXPECT_EQ(blamed(member), key);
  }
  EXPECT_EQ(left_out(R"({"approvers":[{"id":"carla"}]})"), Names{"approvers[0].id"});
  EXPECT_EQ(blamed(R"({"approvers":[{"id":5}]})"), "approvers[0].id");
  EXPECT_EQ(blamed(R"({"approvers":[{"id":"anna","salt":"AAAA","pin_hash":"AAAA","iterations":1}]})"),
            "approvers[0].salt");
  EXPECT_EQ(blamed(R"({"approvers":[{"id":"anna"},{"id":"anna"}]})"), "approvers[1].id");
}

TEST(PolicyOverlay, is_read_as_strictly_as_the_policy) {
  EXPECT_EQ(blamed(R"({"devce_count":1})"), "devce_count");
  EXPECT_EQ(blamed(R"({"devce_count":1,"per_card_count":1,"device_count":101})"), "devce_count");
  EXPECT_EQ(blamed(R"({"currencies":{"pounds":{}}})"), "currencies.pounds");
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
