// The offline rules one by one, at their borders ("a cap of n allows n"), and in their order when several refuse.
#include "engine/offline_rules.hpp"

#include <gtest/gtest.h>

#include "nightdrop/time_text.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop::engine {
namespace {

const UtcMs noon = parse_rfc3339("2026-11-21T12:00:00Z").value();
constexpr std::int64_t hour = 3'600'000;
const Currency usd{};
const Currency eur{{'e', 'u', 'r'}};

class Rules : public testing::Test {
 protected:
  Rules() {
    policy.valid_from = noon - 24 * hour;
    policy.valid_until = noon + 24 * hour;
    clock.now = noon;
    payment.amount = payment.card_amount = 1'000;
    payment.card.emplace();
    payment.card->brand = Brand::Visa;
    payment.card->read_method = ReadMethod::ContactlessEmv;
    payment.card->exp_month = 12;
    payment.card->exp_year = 2030;
    payment.card->fingerprint = "fp_0123456789abcdef0123456789abcdef";
  }
  CurrencyLimits& limits() { return policy.currencies.at(usd); }
  void refund() {
    payment.kind = ObjectKind::Refund;
    payment.approver = "manager";
    payment.approved_up_to = payment.amount;
  }
  // "allowed", "needs approval", or the code that refused.
  std::string decision() const {
    const Decision made = decide_offline(policy, payment, facts, exposure, clock);
    if (const auto* refused = std::get_if<Refused>(&made)) {
      EXPECT_STRNE(refused->message, "");
      return std::string(word(refused->code));
    }
    return std::holds_alternative<Allowed>(made) ? "allowed" : "needs approval";
  }

  Policy policy;
  Payment payment;
  CardFacts facts;
  Exposure exposure;
  ClockState clock;
};

TEST_F(Rules, AnOrdinaryPaymentIsAllowed) {
  EXPECT_EQ(decision(), "allowed");
}

TEST_F(Rules, APolicyIsGoodFromItsFirstMomentUntilJustBeforeItsLast) {
  clock.now = policy.valid_from;
  EXPECT_EQ(decision(), "allowed");
  clock.now = policy.valid_from - 1;
  EXPECT_EQ(decision(), "offline_disabled");
  clock.now = policy.valid_until - 1;
  EXPECT_EQ(decision(), "allowed");
  clock.now = policy.valid_until;
  EXPECT_EQ(decision(), "offline_disabled");
}

TEST_F(Rules, AnUntrustedClockIsBorneForAsLongAsThePolicySays) {
  clock.trusted = false;
  clock.untrusted_for_ms = policy.untrusted_clock_s * 1000 - 1;
  EXPECT_EQ(decision(), "allowed");
  clock.untrusted_for_ms += 1;
  EXPECT_EQ(decision(), "clock_untrusted");
  clock.trusted = true;
  EXPECT_EQ(decision(), "allowed");
}

TEST_F(Rules, StoringStopsWhenTheOldestReachesTheWindow) {
  exposure.oldest_stored_at = noon - policy.storing_window_s * 1000 + 1;
  EXPECT_EQ(decision(), "allowed");
  exposure.oldest_stored_at = noon - policy.storing_window_s * 1000;
  EXPECT_EQ(decision(), "offline_window_exceeded");
}

TEST_F(Rules, PerTransactionCapOfNAllowsN) {
  payment.amount = limits().per_transaction;
  EXPECT_EQ(decision(), "allowed");
  payment.amount += 1;
  EXPECT_EQ(decision(), "amount_exceeds_max_offline_amount");
}

TEST_F(Rules, TheRequestMayOnlyTightenTheCap) {
  payment.max_offline_amount = 1'000;
  EXPECT_EQ(decision(), "allowed");
  payment.max_offline_amount = 999;
  EXPECT_EQ(decision(), "amount_exceeds_max_offline_amount");
  payment.max_offline_amount = amount_max;
  payment.amount = limits().per_transaction + 1;
  EXPECT_EQ(decision(), "amount_exceeds_max_offline_amount") << "a larger wish loosens nothing";
  payment.amount = 1;
  payment.max_offline_amount = 0;
  EXPECT_EQ(decision(), "amount_exceeds_max_offline_amount");
}

TEST_F(Rules, DeviceTotalOfNAllowsN) {
  exposure.payments = limits().device_total - payment.amount;
  EXPECT_EQ(decision(), "allowed");
  exposure.payments += 1;
  EXPECT_EQ(decision(), "offline_total_limit_reached");
}

TEST_F(Rules, DeviceCountOfNAllowsN) {
  exposure.count = policy.device_count - 1;
  EXPECT_EQ(decision(), "allowed");
  exposure.count += 1;
  EXPECT_EQ(decision(), "offline_count_limit_reached");
  refund();
  EXPECT_EQ(decision(), "offline_count_limit_reached") << "refunds are counted too";
}

TEST_F(Rules, CardCountAndTotalOfNAllowN) {
  exposure.card_count = policy.per_card_count - 1;
  exposure.card_total = limits().per_card_total - payment.amount;
  EXPECT_EQ(decision(), "allowed");
  exposure.card_count += 1;
  EXPECT_EQ(decision(), "card_offline_limit_reached");
  exposure.card_count -= 1;
  exposure.card_total += 1;
  EXPECT_EQ(decision(), "card_offline_limit_reached");
}

TEST_F(Rules, ACurrencyWithoutAnEntryIsNotTakenOffline) {
  payment.currency = eur;
  EXPECT_EQ(decision(), "offline_currency_not_allowed");
  policy.currencies[eur] = CurrencyLimits{};
  policy.currencies[eur].per_transaction = 999;
  EXPECT_EQ(decision(), "amount_exceeds_max_offline_amount") << "each currency has its own caps";
  policy.currencies[eur].per_transaction = 1'000;
  EXPECT_EQ(decision(), "allowed");
}

TEST_F(Rules, EntryModesAreThePolicys) {
  for (std::size_t i = 0; i < read_method_count; ++i) {
    payment.card->read_method = static_cast<ReadMethod>(i);
    EXPECT_EQ(decision(), i < 2 ? "allowed" : "entry_mode_not_allowed_offline") << word(payment.card->read_method);
  }
  policy.entry_modes_offline.fill(true);
  for (std::size_t i = 0; i < read_method_count; ++i) {
    payment.card->read_method = static_cast<ReadMethod>(i);
    EXPECT_EQ(decision(), "allowed") << word(payment.card->read_method);
  }
}

TEST_F(Rules, FallbacksOfASpellAreCounted) {
  policy.entry_modes_offline.fill(true);
  payment.card->read_method = ReadMethod::MagneticStripeFallback;
  payment.card->fallback = true;
  exposure.fallbacks = policy.fallbacks_per_spell - 1;
  EXPECT_EQ(decision(), "allowed");
  exposure.fallbacks += 1;
  EXPECT_EQ(decision(), "entry_mode_not_allowed_offline");
  payment.card->fallback = false;
  EXPECT_EQ(decision(), "allowed") << "an ordinary read is no fallback";
}

TEST_F(Rules, AnOnlinePinNeedsTheIssuer) {
  facts.online_pin = true;
  EXPECT_EQ(decision(), "online_pin_not_supported_offline");
}

TEST_F(Rules, InTheEeaOnlyAContactChipWithOfflinePin) {
  policy.region = Region::Eea;
  EXPECT_EQ(decision(), "entry_mode_not_allowed_offline");
  facts.offline_pin_verified = true;
  EXPECT_EQ(decision(), "entry_mode_not_allowed_offline") << "contactless, PIN or not";
  payment.card->read_method = ReadMethod::ContactEmv;
  EXPECT_EQ(decision(), "allowed");
  facts.offline_pin_verified = false;
  EXPECT_EQ(decision(), "entry_mode_not_allowed_offline");
}

TEST_F(Rules, BrandsAreThePolicys) {
  for (std::size_t i = 0; i < brand_count; ++i) {
    payment.card->brand = static_cast<Brand>(i);
    const bool listed = payment.card->brand != Brand::Unknown && payment.card->brand < Brand::Girocard;  // RULES 13
    EXPECT_EQ(decision(), listed ? "allowed" : "offline_brand_not_allowed") << word(payment.card->brand);
  }
  payment.card->brand = Brand::Visa;
  policy.brands_offline.fill(false);
  EXPECT_EQ(decision(), "offline_brand_not_allowed");
}

TEST_F(Rules, ACardIsGoodThroughTheLastDayOfItsMonth) {
  EXPECT_FALSE(is_card_expired(11, 2026, parse_rfc3339("2026-11-30T23:59:59.999Z").value()));
  EXPECT_TRUE(is_card_expired(11, 2026, parse_rfc3339("2026-12-01T00:00:00Z").value()));
  EXPECT_FALSE(is_card_expired(2, 2028, parse_rfc3339("2028-02-29T23:59:59Z").value()));
  EXPECT_TRUE(is_card_expired(2, 2028, parse_rfc3339("2028-03-01T00:00:00Z").value()));
  EXPECT_FALSE(is_card_expired(12, 2026, parse_rfc3339("2026-12-31T23:59:59Z").value()));
  EXPECT_TRUE(is_card_expired(12, 2026, parse_rfc3339("2027-01-01T00:00:00Z").value()));
  EXPECT_FALSE(is_card_expired(1, 2027, parse_rfc3339("2026-12-31T23:59:59Z").value()));
  EXPECT_TRUE(is_card_expired(12, 2025, noon));
  payment.card->exp_month = 10;
  payment.card->exp_year = 2026;
  EXPECT_EQ(decision(), "offline_and_card_expired");
  payment.card->exp_month = 11;
  EXPECT_EQ(decision(), "allowed");
}

TEST_F(Rules, TestAndBlockedCardsAreRefusedOnlineToo) {
  facts.test_card = true;
  EXPECT_EQ(decision(), "allowed");
  policy.livemode = true;
  EXPECT_EQ(decision(), "test_card_in_livemode");
  EXPECT_EQ(refuse_card(policy, facts).value().code, PosCode::TestCardInLivemode);
  facts = {};
  facts.blocked = true;
  EXPECT_EQ(decision(), "card_blocked");
  EXPECT_EQ(refuse_card(policy, facts).value().code, PosCode::CardBlocked);
}

TEST_F(Rules, BinsAreBlockedByTheirLeadingDigitsAndFingerprintsWhole) {
  policy.blocked_bins = {"4242", "51"};
  EXPECT_TRUE(is_bin_blocked(policy, "4242424242424242"));
  EXPECT_TRUE(is_bin_blocked(policy, "5100000000000008"));
  EXPECT_FALSE(is_bin_blocked(policy, "4241424242424242"));
  EXPECT_FALSE(is_bin_blocked(policy, "424"));
  EXPECT_FALSE(is_bin_blocked(policy, "1424242"));
  policy.blocked_fingerprints = {"fp_aa"};
  EXPECT_TRUE(is_fingerprint_blocked(policy, "fp_aa"));
  EXPECT_FALSE(is_fingerprint_blocked(policy, "fp_aab"));
  EXPECT_FALSE(is_fingerprint_blocked(policy, "fp_a"));
}

TEST_F(Rules, TheThresholdItselfNeedsNobody) {
  limits().approval_threshold = 1'000;
  EXPECT_EQ(decision(), "allowed");
  payment.amount = 1'001;
  EXPECT_EQ(decision(), "needs approval");
  payment.approved_up_to = 1'000;
  EXPECT_EQ(decision(), "needs approval") << "an approval covers the amount shown";
  payment.approved_up_to = 1'001;
  EXPECT_EQ(decision(), "allowed");
}

TEST_F(Rules, ARefusalGoesBeforeTheQuestionForAManager) {
  limits().approval_threshold = 0;
  payment.amount = limits().per_transaction + 1;
  EXPECT_EQ(decision(), "amount_exceeds_max_offline_amount");
}

TEST_F(Rules, ARefundAlwaysNeedsAManagerAndHasItsOwnCap) {
  payment.kind = ObjectKind::Refund;
  EXPECT_EQ(decision(), "needs approval");
  refund();
  EXPECT_EQ(decision(), "allowed");
  exposure.payments = limits().device_total;  // sales at their cap do not keep refunds out
  EXPECT_EQ(decision(), "allowed");
  exposure.refunds = limits().refund_total - payment.amount;
  EXPECT_EQ(decision(), "allowed");
  exposure.refunds += 1;
  EXPECT_EQ(decision(), "offline_total_limit_reached");
  payment.kind = ObjectKind::PaymentIntent;
  exposure.payments = 0;
  EXPECT_EQ(decision(), "allowed") << "stored refunds do not reduce what may be sold";
}

TEST_F(Rules, ARefundOfAnEarlierPaymentReadsNoCard) {
  refund();
  payment.original_payment = "pi_1";
  payment.card->read_method = ReadMethod::Keyed;
  payment.card->exp_year = 2020;
  exposure.card_count = policy.per_card_count;
  EXPECT_EQ(decision(), "allowed");
  payment.card.reset();
  EXPECT_EQ(decision(), "allowed");
  payment.card.emplace();
  payment.original_payment.clear();  // to a card that is read: the card's rules hold
  EXPECT_NE(decision(), "allowed");
}

TEST_F(Rules, ARefundToACardIsNotCountedAgainstTheCard) {
  refund();
  exposure.card_count = policy.per_card_count;
  exposure.card_total = limits().per_card_total;
  EXPECT_EQ(decision(), "allowed");
}

TEST_F(Rules, TheFirstRuleOfTheOrderIsNamed) {
  // Everything is wrong at once; one thing after the other is put right, and the next rule speaks.
  policy.livemode = true;
  policy.region = Region::Eea;
  policy.currencies.clear();
  facts = {.online_pin = true, .offline_pin_verified = false, .test_card = true, .blocked = true};
  clock = {.now = policy.valid_until, .trusted = false, .untrusted_for_ms = INT64_MAX / 2};
  exposure = {.payments = amount_max,
              .refunds = 0,
              .count = policy.device_count,
              .card_total = amount_max,
              .card_count = 9,
              .fallbacks = 99,
              .oldest_stored_at = 0};
  payment.amount = amount_max;
  payment.card->read_method = ReadMethod::MagneticStripeFallback;
  payment.card->fallback = true;
  payment.card->brand = Brand::Girocard;
  payment.card->exp_year = 2001;

  EXPECT_EQ(decision(), "test_card_in_livemode");
  facts.test_card = false;
  EXPECT_EQ(decision(), "card_blocked");
  facts.blocked = false;
  EXPECT_EQ(decision(), "offline_disabled");
  clock.now = noon;
  EXPECT_EQ(decision(), "clock_untrusted");
  clock.trusted = true;
  EXPECT_EQ(decision(), "offline_window_exceeded");
  exposure.oldest_stored_at.reset();
  EXPECT_EQ(decision(), "entry_mode_not_allowed_offline");
  policy.entry_modes_offline.fill(true);
  EXPECT_EQ(decision(), "entry_mode_not_allowed_offline");  // fallbacks
  exposure.fallbacks = 0;
  EXPECT_EQ(decision(), "online_pin_not_supported_offline");
  facts.online_pin = false;
  EXPECT_EQ(decision(), "entry_mode_not_allowed_offline");  // region
  policy.region = Region::Other;
  EXPECT_EQ(decision(), "offline_brand_not_allowed");
  payment.card->brand = Brand::Visa;
  EXPECT_EQ(decision(), "offline_and_card_expired");
  payment.card->exp_year = 2030;
  EXPECT_EQ(decision(), "offline_currency_not_allowed");
  policy.currencies[usd] = CurrencyLimits{};
  limits().approval_threshold = 0;
  EXPECT_EQ(decision(), "amount_exceeds_max_offline_amount");
  payment.amount = 100;
  EXPECT_EQ(decision(), "offline_total_limit_reached");
  exposure.payments = 0;
  EXPECT_EQ(decision(), "offline_count_limit_reached");
  exposure.count = 0;
  EXPECT_EQ(decision(), "card_offline_limit_reached");
  exposure.card_count = 0;
  EXPECT_EQ(decision(), "card_offline_limit_reached");
  exposure.card_total = 0;
  EXPECT_EQ(decision(), "needs approval");
  payment.approved_up_to = 100;
  EXPECT_EQ(decision(), "allowed");
}

TEST_F(Rules, WhatIsKnownBeforeTheCardIsRefusedBeforeTheCard) {
  EXPECT_EQ(refuse_reader(policy, exposure, clock), std::nullopt);
  EXPECT_EQ(refuse_amount(policy, payment, exposure), std::nullopt);
  payment.card.reset();
  payment.amount = limits().per_transaction + 1;
  EXPECT_EQ(refuse_amount(policy, payment, exposure).value().code, PosCode::AmountExceedsMaxOfflineAmount);
}

}  // namespace
}  // namespace nightdrop::engine
