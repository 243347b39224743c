// The policy document: every key's default, range and refusal; its ceiling; its signature and its age.
#include "config/policy_json.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "crypto/p256.hpp"
#include "nightdrop/encoding.hpp"
#include "nightdrop/time_text.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop {
namespace {

const std::string required =
    R"("valid_from": "2026-01-01T00:00:00Z", "valid_until": "2027-01-01T00:00:00Z", "merchant_id": "m_0001")";

std::string document(const std::string& members) {
  return "{" + required + (members.empty() ? "" : ", ") + members + "}";
}

std::string approver(const std::string& id = "manager", const std::string& salt = "AAAAAAAAAAAAAAAAAAAAAA==",
                     const std::string& hash = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                     const std::string& iterations = "100000") {
  return R"({"id": ")" + id + R"(", "salt": ")" + salt + R"(", "pin_hash": ")" + hash + R"(", "iterations": )" +
         iterations + "}";
}

TEST(PolicyJson, what_is_left_out_has_the_contracts_defaults) {
  const auto policy = parse_policy(document(""));
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ(policy->version, 1);
  EXPECT_EQ(policy->valid_from, *parse_rfc3339("2026-01-01T00:00:00Z"));
  EXPECT_EQ(policy->valid_until, *parse_rfc3339("2027-01-01T00:00:00Z"));
  EXPECT_EQ(policy->merchant_id, "m_0001");
  EXPECT_FALSE(policy->livemode);
  EXPECT_EQ(policy->region_name, "US");
  ASSERT_EQ(policy->currencies.size(), 1U);
  const CurrencyLimits& usd = policy->currencies.at(Currency{{'u', 's', 'd'}});
  EXPECT_EQ(usd.per_transaction, 10'000);
  EXPECT_EQ(usd.device_total, 100'000);
  EXPECT_EQ(usd.per_card_total, 20'000);
  EXPECT_EQ(usd.refund_total, 10'000);
  EXPECT_EQ(usd.approval_threshold, std::nullopt);
  EXPECT_EQ(policy->device_count, 100);
  EXPECT_EQ(policy->per_card_count, 2);
  EXPECT_EQ(policy->forward_deadline_s, 86'400);
  EXPECT_EQ(policy->storing_window_s, 86'400);
  EXPECT_EQ(policy->entry_modes_offline, (std::array{true, true, false, false, false}));
  EXPECT_EQ(policy->fallbacks_per_spell, 10);
  for (const auto& [brand, name] : words<Brand>) {
    EXPECT_EQ(policy->brands_offline[static_cast<std::size_t>(brand)],
              brand >= Brand::Visa && brand <= Brand::CartesBancaires)
        << name;
  }
  EXPECT_EQ(policy->partial_approvals, PartialApprovals::Reverse);
  EXPECT_FALSE(policy->decline_retries.enabled);
  EXPECT_EQ(policy->decline_retries.max_per_day, 1U);
  EXPECT_EQ(policy->decline_retries.max_per_30_days, 10U);
  EXPECT_TRUE(policy->approvers.empty());
  EXPECT_EQ(policy->untrusted_clock_s, 86'400);
  EXPECT_EQ(policy->online_timeout_ms, 8'000);
  EXPECT_EQ(policy->retention_days, 400);
}

TEST(PolicyJson, every_key_is_read) {
  const std::string members =
      R"("version": 7, "livemode": true, "region": "EEA",
         "currencies": {"eur": {"per_transaction": 1, "device_total": 2, "per_card_total": 3, "refund_total": 4,
                                "approval_threshold": 5}},
         "device_count": 8, "per_card_count": 9, "forward_deadline_s": 10, "storing_window_s": 11,
         "entry_modes_offline": ["keyed", "magnetic_stripe_fallback"], "fallbacks_per_spell": 12,
         "brands_offline": ["jcb"], "blocked_bins": ["424242"],
         "blocked_fingerprints": ["fp_00112233445566778899aabbccddeeff"], "partial_approvals": "accept",
         "decline_retries": {"enabled": true, "max_per_day": 10, "max_per_30_days": 15},
         "approvers": [)" +
      approver() + R"(], "untrusted_clock_s": 13, "online_timeout_ms": 14, "retention_days": 15, "ceiling": {})";
  const auto policy = parse_policy(document(members));
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ(policy->version, 7);
  EXPECT_TRUE(policy->livemode);
  EXPECT_EQ(policy->region, Region::Eea);
  ASSERT_EQ(policy->currencies.size(), 1U);
  const CurrencyLimits& eur = policy->currencies.at(Currency{{'e', 'u', 'r'}});
  EXPECT_EQ(eur.per_transaction, 1);
  EXPECT_EQ(eur.device_total, 2);
  EXPECT_EQ(eur.per_card_total, 3);
  EXPECT_EQ(eur.refund_total, 4);
  EXPECT_EQ(eur.approval_threshold, 5);
  EXPECT_EQ(policy->device_count, 8);
  EXPECT_EQ(policy->per_card_count, 9);
  EXPECT_EQ(policy->forward_deadline_s, 10);
  EXPECT_EQ(policy->storing_window_s, 11);
  EXPECT_EQ(policy->entry_modes_offline, (std::array{false, false, false, true, true}));
  EXPECT_EQ(policy->fallbacks_per_spell, 12);
  EXPECT_EQ(std::count(policy->brands_offline.begin(), policy->brands_offline.end(), true), 1);
  EXPECT_TRUE(policy->brands_offline[static_cast<std::size_t>(Brand::Jcb)]);
  EXPECT_EQ(policy->blocked_bins, std::vector<std::string>{"424242"});
  EXPECT_EQ(policy->blocked_fingerprints.size(), 1U);
  EXPECT_EQ(policy->partial_approvals, PartialApprovals::Accept);
  EXPECT_TRUE(policy->decline_retries.enabled);
  EXPECT_EQ(policy->decline_retries.max_per_day, 10U);
  EXPECT_EQ(policy->decline_retries.max_per_30_days, 15U);
  ASSERT_EQ(policy->approvers.size(), 1U);
  EXPECT_EQ(policy->approvers[0].id, "manager");
  EXPECT_EQ(policy->approvers[0].salt.size(), 16U);
  EXPECT_EQ(policy->approvers[0].pin_hash.size(), 32U);
  EXPECT_EQ(policy->approvers[0].iterations, 100'000U);
  EXPECT_EQ(policy->untrusted_clock_s, 13);
  EXPECT_EQ(policy->online_timeout_ms, 14);
  EXPECT_EQ(policy->retention_days, 15);

  const std::string printed = policy_json(*policy).dump();
  const auto again = parse_policy(printed);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(policy_json(*again).dump(), printed);
}

struct Refusal {
  const char* name;
  std::string members;
  const char* field;
  PolicyError::Kind kind{PolicyError::Kind::Invalid};
};

class RefusedPolicy : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedPolicy, names_the_field) {
  const auto policy = parse_policy(document(GetParam().members));
  ASSERT_FALSE(policy);
  EXPECT_TRUE(policy.error().message.starts_with(std::string(GetParam().field) + ": ")) << policy.error().message;
  EXPECT_EQ(policy.error().kind, GetParam().kind);
}

constexpr auto above = PolicyError::Kind::AboveCeiling;

INSTANTIATE_TEST_SUITE_P(
    Members, RefusedPolicy,
    testing::Values(
        Refusal{"unknown", R"("device_counts": 3)", "device_counts"},
        Refusal{"twice", R"("device_count": 3, "device_count": 4)", "device_count"},
        Refusal{"version_zero", R"("version": 0)", "version"}, Refusal{"version_text", R"("version": "1")", "version"},
        Refusal{"version_fraction", R"("version": 1.5)", "version"},
        Refusal{"livemode", R"("livemode": 1)", "livemode"}, Refusal{"region", R"("region": "eea")", "region"},
        Refusal{"currencies_list", R"("currencies": [])", "currencies"},
        Refusal{"currency_capitals", R"("currencies": {"USD": {}})", "currencies.USD"},
        Refusal{"currency_length", R"("currencies": {"usdt": {}})", "currencies.usdt"},
        Refusal{"currency_number", R"("currencies": {"usd": 3})", "currencies.usd"},
        Refusal{"currency_twice", R"("currencies": {"usd": {}, "usd": {}})", "currencies.usd"},
        Refusal{"misspelt_limit", R"("currencies": {"usd": {"per_transactions": 3}})",
                "currencies.usd.per_transactions"},
        Refusal{"negative", R"("currencies": {"usd": {"per_transaction": -1}})", "currencies.usd.per_transaction"},
        Refusal{"per_transaction", R"("currencies": {"usd": {"per_transaction": 100000000}})",
                "currencies.usd.per_transaction"},
        Refusal{"device_total", R"("currencies": {"usd": {"device_total": 1e15}})", "currencies.usd.device_total"},
        Refusal{"per_card_total", R"("currencies": {"usd": {"per_card_total": null}})",
                "currencies.usd.per_card_total"},
        Refusal{"refund_total", R"("currencies": {"usd": {"refund_total": true}})", "currencies.usd.refund_total"},
        Refusal{"threshold", R"("currencies": {"usd": {"approval_threshold": -1}})",
                "currencies.usd.approval_threshold"},
        Refusal{"device_count", R"("device_count": -1)", "device_count"},
        Refusal{"per_card_count", R"("per_card_count": -1)", "per_card_count"},
        Refusal{"forward_deadline", R"("forward_deadline_s": 0)", "forward_deadline_s"},
        Refusal{"storing_window", R"("storing_window_s": 86400000)", "storing_window_s"},
        Refusal{"entry_mode", R"("entry_modes_offline": ["swipe"])", "entry_modes_offline"},
        Refusal{"entry_modes_text", R"("entry_modes_offline": "contact_emv")", "entry_modes_offline"},
        Refusal{"fallbacks", R"("fallbacks_per_spell": -1)", "fallbacks_per_spell"},
        Refusal{"brand", R"("brands_offline": ["vlsa"])", "brands_offline"},
        Refusal{"brand_unknown", R"("brands_offline": ["unknown"])", "brands_offline"},
        Refusal{"brand_of_no_offline", R"("brands_offline": ["interac"])", "brands_offline"},
        Refusal{"bin", R"("blocked_bins": ["4242x"])", "blocked_bins"},
        Refusal{"bin_empty", R"("blocked_bins": [""])", "blocked_bins"},
        Refusal{"bin_number", R"("blocked_bins": [424242])", "blocked_bins"},
        Refusal{"fingerprint", R"("blocked_fingerprints": ["fp_00"])", "blocked_fingerprints"},
        Refusal{"fingerprint_capitals", R"("blocked_fingerprints": ["fp_00112233445566778899AABBCCDDEEFF"])",
                "blocked_fingerprints"},
        Refusal{"partial", R"("partial_approvals": "keep")", "partial_approvals"},
        Refusal{"retries_key", R"("decline_retries": {"max": 3})", "decline_retries.max"},
        Refusal{"retries_list", R"("decline_retries": [])", "decline_retries"},
        Refusal{"retries_per_day", R"("decline_retries": {"max_per_day": 11})", "decline_retries.max_per_day", above},
        Refusal{"retries_per_30_days", R"("decline_retries": {"max_per_30_days": 16})",
                "decline_retries.max_per_30_days", above},
        Refusal{"approver_key", R"("approvers": [{"id": "m", "pin": "1"}])", "approvers[0].salt"},
        Refusal{"approver_text", R"("approvers": ["m"])", "approvers[0]"},
        Refusal{"approver_id", R"("approvers": [)" + approver("a b") + "]", "approvers[0].id"},
        Refusal{"approver_twice", R"("approvers": [)" + approver() + "," + approver() + "]", "approvers[1].id"},
        Refusal{"approver_salt", R"("approvers": [)" + approver("m", "AAAA") + "]", "approvers[0].salt"},
        Refusal{"approver_hash", R"("approvers": [)" + approver("m", "AAAAAAAAAAAAAAAAAAAAAA==", "AAAA") + "]",
                "approvers[0].pin_hash"},
        Refusal{"approver_fast",
                R"("approvers": [)" +
                    approver("m", "AAAAAAAAAAAAAAAAAAAAAA==", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "1") +
                    "]",
                "approvers[0].iterations"},
        Refusal{"untrusted_clock", R"("untrusted_clock_s": -1)", "untrusted_clock_s"},
        Refusal{"online_timeout", R"("online_timeout_ms": 0)", "online_timeout_ms"},
        Refusal{"retention", R"("retention_days": 0)", "retention_days"},
        Refusal{"valid_from_number", R"("valid_from": 3)", "valid_from"},
        Refusal{"ceiling_text", R"("ceiling": "none")", "ceiling"},
        Refusal{"ceiling_key", R"("ceiling": {"merchant_id": "m"})", "ceiling.merchant_id"},
        Refusal{"ceiling_negative", R"("ceiling": {"device_count": -1})", "ceiling.device_count"},
        Refusal{"ceiling_device_count", R"("device_count": 51, "ceiling": {"device_count": 50})", "device_count",
                above},
        Refusal{"ceiling_default", R"("ceiling": {"device_count": 99})", "device_count", above},
        Refusal{"ceiling_per_card", R"("ceiling": {"per_card_count": 1})", "per_card_count", above},
        Refusal{"ceiling_deadline", R"("ceiling": {"forward_deadline_s": 86399})", "forward_deadline_s", above},
        Refusal{"ceiling_window", R"("ceiling": {"storing_window_s": 86399})", "storing_window_s", above},
        Refusal{"ceiling_fallbacks", R"("ceiling": {"fallbacks_per_spell": 9})", "fallbacks_per_spell", above},
        Refusal{"ceiling_clock", R"("ceiling": {"untrusted_clock_s": 86399})", "untrusted_clock_s", above},
        Refusal{"ceiling_timeout", R"("ceiling": {"online_timeout_ms": 7999})", "online_timeout_ms", above},
        Refusal{"ceiling_retention", R"("ceiling": {"retention_days": 399})", "retention_days", above},
        Refusal{"ceiling_amount", R"("ceiling": {"currencies": {"usd": {"per_transaction": 9999}}})",
                "currencies.usd.per_transaction", above},
        Refusal{"ceiling_total", R"("ceiling": {"currencies": {"usd": {"device_total": 99999}}})",
                "currencies.usd.device_total", above},
        Refusal{"ceiling_card_total", R"("ceiling": {"currencies": {"usd": {"per_card_total": 19999}}})",
                "currencies.usd.per_card_total", above},
        Refusal{"ceiling_refunds", R"("ceiling": {"currencies": {"usd": {"refund_total": 9999}}})",
                "currencies.usd.refund_total", above},
        Refusal{"ceiling_threshold_off", R"("ceiling": {"currencies": {"usd": {"approval_threshold": 30000}}})",
                "currencies.usd.approval_threshold", above},
        Refusal{"ceiling_currency", R"("ceiling": {"currencies": {"eur": {}}})", "currencies.usd", above},
        Refusal{"ceiling_retries", R"("decline_retries": {"enabled": true},
                "ceiling": {"decline_retries": {"enabled": false}})",
                "decline_retries.enabled", above},
        Refusal{"ceiling_per_day", R"("ceiling": {"decline_retries": {"max_per_day": 0}})",
                "decline_retries.max_per_day", above}),
    [](const auto& refusal) { return refusal.param.name; });

TEST(PolicyJson, at_the_ceiling_is_within_it) {
  const auto policy = parse_policy(document(
      R"("ceiling": {"currencies": {"usd": {"per_transaction": 10000, "device_total": 100000}, "eur": {"device_total": 0}},
         "device_count": 100, "per_card_count": 2, "forward_deadline_s": 86400,
         "decline_retries": {"max_per_day": 1, "max_per_30_days": 10}})"));
  EXPECT_TRUE(policy) << policy.error().message;
  EXPECT_TRUE(parse_policy(document(R"("ceiling": null)")));
}

TEST(PolicyJson, a_cap_of_zero_and_no_currency_are_policies_too) {
  EXPECT_TRUE(parse_policy(document(R"("device_count": 0, "per_card_count": 0, "currencies": {})")));
}

TEST(PolicyJson, what_has_no_default_must_be_there) {
  const auto refused = [](const std::string& text) {
    const auto policy = parse_policy(text);
    return policy ? std::string("accepted") : policy.error().message;
  };
  EXPECT_TRUE(refused("{}").starts_with("valid_from: "));
  EXPECT_TRUE(refused(R"({"valid_from": "2026-01-01T00:00:00Z"})").starts_with("valid_until: "));
  EXPECT_TRUE(refused(R"({"valid_from": "2026-01-01T00:00:00Z", "valid_until": "2027-01-01T00:00:00Z"})")
                  .starts_with("merchant_id: "));
  EXPECT_TRUE(refused(R"({"valid_from": "2027-01-01T00:00:00Z", "valid_until": "2027-01-01T00:00:00Z",
                          "merchant_id": "m"})")
                  .starts_with("valid_until: "));
  EXPECT_NE(refused("[]"), "accepted");
  EXPECT_NE(refused(""), "accepted");
  EXPECT_NE(refused(document("") + "x"), "accepted");
}

Result<void> verify(std::string_view pem, std::span<const std::uint8_t> message,
                    std::span<const std::uint8_t> signature) {
  const auto key = p256_from_spki_pem(pem);
  if (!key) return std::unexpected(key.error());
  return p256_verify(*key, message, signature);
}

class SignedPolicy : public testing::Test {
 protected:
  static std::span<const std::uint8_t> bytes(const std::string& text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
  }
  std::string sign(const std::string& text) const { return to_base64(*p256_sign(key_.view(), bytes(text))); }
  static PolicyError::Kind kind(const std::expected<Policy, PolicyError>& policy) {
    EXPECT_FALSE(policy);
    return policy ? PolicyError::Kind{255} : policy.error().kind;
  }

  Secret<32> key_ = *p256_generate();
  std::string signer_ = p256_to_spki_pem(*p256_public_key(key_.view()));
  std::string text_ = document(R"("version": 3)");
};

TEST_F(SignedPolicy, is_taken_at_its_version_or_above_the_highest_seen) {
  for (const std::int64_t seen : {0, 1, 3}) {
    const auto policy = load_policy(text_, sign(text_) + "\n", signer_, seen, verify);
    ASSERT_TRUE(policy) << policy.error().message;
    EXPECT_EQ(policy->version, 3);
  }
  EXPECT_EQ(kind(load_policy(text_, sign(text_), signer_, 4, verify)), PolicyError::Kind::Older);
}

TEST_F(SignedPolicy, is_refused_unsigned_changed_or_by_another) {
  EXPECT_EQ(kind(load_policy(text_, "", signer_, 0, verify)), PolicyError::Kind::Unsigned);
  EXPECT_EQ(kind(load_policy(text_, " \n", signer_, 0, verify)), PolicyError::Kind::Unsigned);
  EXPECT_EQ(kind(load_policy(text_, "not base64!", signer_, 0, verify)), PolicyError::Kind::Unsigned);
  EXPECT_EQ(kind(load_policy(text_ + " ", sign(text_), signer_, 0, verify)), PolicyError::Kind::WrongSignature);
  const std::string other = p256_to_spki_pem(*p256_public_key(p256_generate()->view()));
  EXPECT_EQ(kind(load_policy(text_, sign(text_), other, 0, verify)), PolicyError::Kind::WrongSignature);
  EXPECT_EQ(kind(load_policy(text_, sign(text_), "no key", 0, verify)), PolicyError::Kind::WrongSignature);
  EXPECT_EQ(kind(load_policy(text_, "AAAA", signer_, 0, verify)), PolicyError::Kind::WrongSignature);
}

TEST_F(SignedPolicy, is_refused_above_its_ceiling_though_the_signature_is_good) {
  const std::string text = document(R"("device_count": 2, "ceiling": {"device_count": 1})");
  EXPECT_EQ(kind(load_policy(text, sign(text), signer_, 0, verify)), PolicyError::Kind::AboveCeiling);
}

TEST_F(SignedPolicy, the_signature_comes_before_the_content) {
  const std::string text = "no JSON at all";
  EXPECT_EQ(kind(load_policy(text, sign(text_), signer_, 0, verify)), PolicyError::Kind::WrongSignature);
  EXPECT_EQ(kind(load_policy(text, sign(text), signer_, 0, verify)), PolicyError::Kind::Invalid);
}

TEST_F(SignedPolicy, an_expired_one_is_taken) {
  const std::string text =
      R"({"valid_from": "2000-01-01T00:00:00Z", "valid_until": "2001-01-01T00:00:00Z", "merchant_id": "m"})";
  EXPECT_TRUE(load_policy(text, sign(text), signer_, 0, verify));
}

}  // namespace
}  // namespace nightdrop
