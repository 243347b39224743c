// Backoff stays in its bounds and uses all of them; declines are tried again only as the networks' rules allow.
#include "engine/retry.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

namespace nightdrop::engine {
namespace {

using std::chrono::milliseconds;
constexpr UtcMs now = 1'790'000'000'000;
constexpr std::int64_t hour = 3'600'000;
constexpr std::int64_t day = 24 * hour;

TEST(Backoff, FullJitterBetweenNothingAndTheCeiling) {
  for (std::uint32_t attempts = 1; attempts <= 20; ++attempts) {
    const auto ceiling =
        std::min<milliseconds>(backoff_cap, backoff_base * (std::int64_t{1} << std::min(attempts - 1, 30U)));
    EXPECT_EQ(backoff(attempts, 0), milliseconds(0));
    EXPECT_EQ(backoff(attempts, static_cast<std::uint64_t>(ceiling.count())), ceiling) << attempts;
    EXPECT_EQ(backoff(attempts, static_cast<std::uint64_t>(ceiling.count()) + 1), milliseconds(0)) << attempts;
    std::mt19937_64 random(attempts);
    std::int64_t sum = 0;
    for (int i = 0; i < 2'000; ++i) {
      const auto delay = backoff(attempts, random());
      EXPECT_GE(delay.count(), 0);
      EXPECT_LE(delay, ceiling);
      sum += delay.count();
    }
    EXPECT_NEAR(static_cast<double>(sum) / 2'000, static_cast<double>(ceiling.count()) / 2,
                static_cast<double>(ceiling.count()) * 0.05);
  }
}

TEST(Backoff, NeverPassesTheCapHoweverOften) {
  for (const std::uint32_t attempts : {17U, 18U, 64U, 1'000'000U, UINT32_MAX}) {
    EXPECT_EQ(backoff(attempts, 60'000), backoff_cap);
    EXPECT_LE(backoff(attempts, UINT64_MAX), backoff_cap);
  }
}

class Declines : public testing::Test {
 protected:
  Declines() {
    policy.decline_retries = {.enabled = true, .max_per_day = 1, .max_per_30_days = 10};
    payment.deferred = true;
    payment.envelope.emplace();
    payment.card.emplace();
    payment.card->brand = Brand::Visa;
    answer.response_code = "51";
    answer.reason = "insufficient_funds";
  }
  std::optional<std::int64_t> wait(UtcMs at = now) const {
    const auto when = decline_retry_at(policy, payment, answer, at);
    return when ? std::optional(*when - at) : std::nullopt;
  }
  Policy policy;
  Payment payment;
  DeclinedAnswer answer;
};

TEST_F(Declines, AreFinalUnlessThePolicySaysOtherwise) {
  EXPECT_EQ(wait(), day);
  policy.decline_retries.enabled = false;
  EXPECT_EQ(wait(), std::nullopt);
  policy.decline_retries = {.enabled = true, .max_per_day = 0, .max_per_30_days = 10};
  EXPECT_EQ(wait(), std::nullopt);
  EXPECT_FALSE(Policy{}.decline_retries.enabled) << "the default is no retries";
}

TEST_F(Declines, OnlyWhatWasAcceptedOfflineAndStillHasItsCardIsTriedAgain) {
  payment.deferred = false;
  EXPECT_EQ(wait(), std::nullopt);
  payment.deferred = true;
  payment.envelope.reset();
  EXPECT_EQ(wait(), std::nullopt);
}

TEST_F(Declines, NeverAgainCodesAreFinalForEveryBrand) {
  for (const Brand brand : {Brand::Visa, Brand::Mastercard, Brand::Amex, Brand::Unknown}) {
    payment.card->brand = brand;
    for (const char* code : {"04", "07", "12", "14", "15", "41", "43", "46", "57", "R0", "R1", "R3"}) {
      answer.response_code = code;
      EXPECT_TRUE(is_never_again(brand, code, "", DeclineCategory::Soft)) << code;
      EXPECT_EQ(wait(), std::nullopt) << code;
    }
    for (const char* code : {"05", "51", "54", "61", "62", "65", "91", "96", "", "4", "041"}) {
      answer.response_code = code;
      EXPECT_FALSE(is_never_again(brand, code, "", DeclineCategory::Soft)) << code;
      EXPECT_TRUE(wait()) << code;
    }
  }
}

TEST_F(Declines, HardIsFinalWhateverTheCode) {
  answer.category = DeclineCategory::Hard;
  EXPECT_EQ(wait(), std::nullopt);
}

TEST_F(Declines, MastercardsAdvice03And21AreFinalForMastercardAlone) {
  for (const char* advice : {"03", "21"}) {
    answer.advice_code = advice;
    payment.card->brand = Brand::Mastercard;
    EXPECT_EQ(wait(), std::nullopt) << advice;
    payment.card->brand = Brand::Maestro;
    EXPECT_EQ(wait(), std::nullopt) << advice;
    payment.card->brand = Brand::Visa;
    EXPECT_TRUE(wait()) << advice;
  }
}

TEST_F(Declines, AdviceNamesTheLeastWait) {
  payment.card->brand = Brand::Mastercard;
  policy.decline_retries.max_per_day = 10;
  const std::int64_t own = day / 10;
  const std::map<std::string, std::int64_t> waits{{"24", hour},    {"25", day},     {"26", 2 * day}, {"27", 4 * day},
                                                  {"28", 6 * day}, {"29", 8 * day}, {"30", 10 * day}};
  for (const auto& [advice, least] : waits) {
    answer.advice_code = advice;
    EXPECT_EQ(wait(), std::max(own, least)) << advice;
  }
  answer.advice_code = "31";
  EXPECT_EQ(wait(), own);
}

TEST_F(Declines, ADayHoldsNoMoreThanThePolicyAndTheNetworkAllow) {
  policy.decline_retries.max_per_day = 4;
  EXPECT_EQ(wait(), day / 4);
  policy.decline_retries.max_per_day = 1'000;
  EXPECT_EQ(wait(), day / 15);
  payment.card->brand = Brand::Mastercard;
  EXPECT_EQ(wait(), day / 10);
}

TEST_F(Declines, ThirtyDaysHoldNoMoreThanThePolicyAndTheNetworkAllow) {
  payment.decline_retries = 9;
  EXPECT_TRUE(wait());
  payment.decline_retries = 10;
  EXPECT_EQ(wait(), std::nullopt);
  policy.decline_retries.max_per_30_days = 1'000;
  EXPECT_TRUE(wait());
  payment.decline_retries = 15;
  EXPECT_EQ(wait(), std::nullopt) << "Visa: 15";
  payment.card->brand = Brand::Mastercard;
  EXPECT_TRUE(wait());
  payment.decline_retries = 35;
  EXPECT_EQ(wait(), std::nullopt) << "Mastercard: 35";
}

TEST_F(Declines, AfterThirtyDaysItIsOver) {
  payment.first_declined_at = now - 29 * day;
  EXPECT_TRUE(wait());
  payment.first_declined_at = now - 29 * day - 1;
  EXPECT_EQ(wait(), std::nullopt) << "the next try would be later than that";
  payment.first_declined_at = now - 25 * day;
  payment.card->brand = Brand::Mastercard;
  answer.advice_code = "28";
  EXPECT_EQ(wait(), std::nullopt);
}

// The whole plan played through: never more tries than allowed in any window.
TEST_F(Declines, APlanPlayedToItsEndKeepsTheNetworksLimits) {
  for (const Brand brand : {Brand::Visa, Brand::Mastercard}) {
    payment = {};
    payment.deferred = true;
    payment.envelope.emplace();
    payment.card.emplace();
    payment.card->brand = brand;
    policy.decline_retries = {.enabled = true, .max_per_day = 1'000, .max_per_30_days = 1'000};
    payment.first_declined_at = now;
    std::vector<UtcMs> tries;
    for (UtcMs at = now;;) {
      const auto next = decline_retry_at(policy, payment, answer, at);
      if (!next) break;
      EXPECT_GT(*next, at);
      at = *next;
      tries.push_back(at);
      payment.decline_retries += 1;
    }
    EXPECT_EQ(tries.size(), brand == Brand::Visa ? 15U : 35U);
    EXPECT_LE(tries.back(), now + 30 * day);
    for (const UtcMs from : tries) {
      const auto in_a_day = std::ranges::count_if(tries, [&](UtcMs at) { return at >= from && at < from + day; });
      EXPECT_LE(in_a_day, brand == Brand::Visa ? 15 : 10);
    }
  }
}

TEST(NextAction, SaysSomethingForEveryDecline) {
  for (const char* code : {"", "04", "05", "07", "14", "41", "43", "51", "54", "61", "65", "91"}) {
    for (const auto category : {DeclineCategory::Soft, DeclineCategory::Hard}) {
      const auto text = next_action("declined", code, category, false);
      EXPECT_TRUE(text.ends_with('.')) << code;
      EXPECT_EQ(text.find("tried again by itself"), std::string_view::npos) << code;
      EXPECT_NE(next_action("declined", code, category, true).find("tried again by itself"), std::string_view::npos);
    }
  }
  EXPECT_NE(next_action("deadline_passed", "", DeclineCategory::Soft, false).find("Release"), std::string_view::npos);
}

}  // namespace
}  // namespace nightdrop::engine
