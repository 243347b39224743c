#include "nightdrop/result.hpp"

#include <gtest/gtest.h>

#include "hal/card_reader.hpp"
#include "hal/clock.hpp"
#include "hal/entropy.hpp"
#include "hal/host_link.hpp"
#include "hal/indicator.hpp"
#include "hal/key_vault.hpp"
#include "hal/link_monitor.hpp"
#include "hal/record_store.hpp"
#include "nightdrop/policy.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop {
namespace {

Result<int> half(int value) {
  if (value % 2 != 0) return failure(Errc::InvalidArgument, "odd");
  return value / 2;
}
Result<int> quarter(int value) {
  ND_TRY(half(value));
  return half(*half(value));
}

TEST(Result, TryPassesTheErrorOn) {
  EXPECT_EQ(quarter(8).value(), 2);
  ASSERT_FALSE(quarter(3));
  EXPECT_EQ(quarter(3).error().code, Errc::InvalidArgument);
}

TEST(ResultDeathTest, AssertionsStayOn) {
  EXPECT_DEATH(ND_ASSERT(1 == 2), "assertion failed: 1 == 2");
}

}  // namespace
}  // namespace nightdrop
