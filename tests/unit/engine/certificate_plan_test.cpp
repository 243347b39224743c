// When a certificate is spoken of and asked for.
#include "engine/certificate_plan.hpp"

#include <gtest/gtest.h>

namespace nightdrop::engine {
namespace {

constexpr UtcMs day = certificate_daily_ms;
constexpr UtcMs end = 1'800'000'000'000;

TEST(CertificatePlan, NothingBeforeThirtyDays) {
  const CertificateState state{.not_after = end, .renewable = true};
  const auto step = plan_certificate(state, end - 30 * day - 1, true);
  EXPECT_FALSE(step.tell);
  EXPECT_FALSE(step.ask);
  EXPECT_EQ(step.next, end - 30 * day);
  EXPECT_FALSE(expires_soon(end, end - 30 * day - 1));
  EXPECT_TRUE(expires_soon(end, end - 30 * day));
}

TEST(CertificatePlan, TellsAndAsksOnceADay) {
  CertificateState state{.not_after = end, .renewable = true};
  const UtcMs first = end - 30 * day;
  auto step = plan_certificate(state, first, true);
  EXPECT_TRUE(step.tell);
  EXPECT_TRUE(step.ask);
  state.told_at = first;
  state.asked_at = first + 1000;
  step = plan_certificate(state, first + day - 1, true);
  EXPECT_FALSE(step.tell);
  EXPECT_FALSE(step.ask);
  EXPECT_EQ(step.next, first + day);
  step = plan_certificate(state, first + day, true);
  EXPECT_TRUE(step.tell);
  EXPECT_FALSE(step.ask);
  EXPECT_EQ(step.next, first + day + 1000);
  EXPECT_TRUE(plan_certificate(state, first + day + 1000, true).ask);
}

TEST(CertificatePlan, GoesOnAfterTheEnd) {
  const CertificateState state{.not_after = end, .renewable = true};
  const auto step = plan_certificate(state, end + 400 * day, true);
  EXPECT_TRUE(step.tell);
  EXPECT_TRUE(step.ask);
}

TEST(CertificatePlan, AnUntrustedClockSaysNothing) {
  const CertificateState state{.not_after = end, .renewable = true};
  const auto step = plan_certificate(state, end + day, false);
  EXPECT_FALSE(step.tell);
  EXPECT_FALSE(step.ask);
  EXPECT_FALSE(step.next);
}

TEST(CertificatePlan, AsksForNothingItCouldNotCheckOrAwaits) {
  CertificateState state{.not_after = end};
  EXPECT_FALSE(plan_certificate(state, end - day, true).ask);
  EXPECT_TRUE(plan_certificate(state, end - day, true).tell);
  state.renewable = true;
  state.asking = true;
  EXPECT_FALSE(plan_certificate(state, end - day, true).ask);
}

TEST(CertificatePlan, ATimeThatLiesAheadHoldsNothingUp) {
  const CertificateState state{.not_after = end, .renewable = true, .told_at = end, .asked_at = end};
  const auto step = plan_certificate(state, end - 10 * day, true);
  EXPECT_TRUE(step.tell) << "it was told by a clock that was ahead and was corrected";
  EXPECT_TRUE(step.ask);
}

}  // namespace
}  // namespace nightdrop::engine
