// The device's life: it meets the host at each counter, skipping is the same as spending, and the end is the end.
#include <algorithm>
#include <bit>

#include <gtest/gtest.h>

#include "crypto/dukpt.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::dukpt {
namespace {

constexpr InitialKeyId id{0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56};

std::vector<std::uint8_t> initial_key(std::size_t size) {
  std::vector<std::uint8_t> bdk(size);
  for (std::size_t i = 0; i < size; ++i) bdk[i] = static_cast<std::uint8_t>(i * 7 + 1);
  const auto key = derive_initial_key(bdk, id);
  return {key->view().begin(), key->view().end()};
}

std::string state_of(const DukptDevice& device) {
  return hex_lower(device.serialise().view());
}

TEST(DukptDevice, MeetsTheHostForThousandsOfTransactions) {
  const auto key = initial_key(16);
  auto device = DukptDevice::load(key, id).value();
  std::uint32_t expected = 0;
  for (int i = 0; i < 2000; ++i) {
    expected = next_counter(expected).value();
    ASSERT_EQ(device.current(), expected);
    if (i % 37 == 0) {
      ASSERT_TRUE(
          std::ranges::equal(device.working_key(Usage::DataEncrypt, KeyKind::Aes128)->view(),
                             derive_working_key(key, device.ksn(), Usage::DataEncrypt, KeyKind::Aes128)->view()));
    }
    ASSERT_TRUE(device.advance());
  }
}

TEST(DukptDevice, SkippingIsSpending) {
  const auto key = initial_key(16);
  auto spending = DukptDevice::load(key, id).value();
  for (std::uint32_t counter = 1; counter <= 300; ++counter) {
    ASSERT_TRUE(spending.advance());
    auto skipping = DukptDevice::load(key, id).value();
    ASSERT_TRUE(skipping.skip_past(counter));
    ASSERT_EQ(state_of(spending), state_of(skipping)) << counter;
    auto twice = DukptDevice::load(key, id).value();
    ASSERT_TRUE(twice.skip_past(counter / 3));
    ASSERT_TRUE(twice.skip_past(counter));
    ASSERT_EQ(state_of(spending), state_of(twice)) << counter;
  }
}

// Around each place where the counter jumps because a 17th one-bit would be set.
TEST(DukptDevice, SkipsAcrossTheSixteenBitRule) {
  const auto key = initial_key(32);
  for (const std::uint32_t start : {0x0000FFFEu, 0x0001FFFDu, 0x0003FFFBu, 0x7FFF7FFFu, 0xFFFE3FFFu, 0xFFFE7FFFu}) {
    auto spending = DukptDevice::load(key, id).value();
    ASSERT_TRUE(spending.skip_past(start));
    for (int i = 0; i < 6 && !spending.exhausted(); ++i) {
      const std::uint32_t counter = *spending.current();
      ASSERT_TRUE(is_transaction_counter(counter)) << counter;
      ASSERT_TRUE(
          std::ranges::equal(spending.working_key(Usage::PinEncryption, KeyKind::Aes256)->view(),
                             derive_working_key(key, spending.ksn(), Usage::PinEncryption, KeyKind::Aes256)->view()));
      ASSERT_TRUE(spending.advance());
      auto skipping = DukptDevice::load(key, id).value();
      ASSERT_TRUE(skipping.skip_past(counter));
      ASSERT_EQ(state_of(spending), state_of(skipping)) << counter;
    }
  }
}

TEST(DukptDevice, SkippingBackIsNothing) {
  auto device = DukptDevice::load(initial_key(24), id).value();
  ASSERT_TRUE(device.skip_past(1000));
  const auto before = state_of(device);
  ASSERT_TRUE(device.skip_past(1000));
  ASSERT_TRUE(device.skip_past(5));
  EXPECT_EQ(state_of(device), before);
}

TEST(DukptDevice, EndsAtTheLastCounter) {
  auto device = DukptDevice::load(initial_key(16), id).value();
  ASSERT_TRUE(device.skip_past(0xFFFE8000));
  ASSERT_EQ(device.current(), counter_max);
  ASSERT_TRUE(device.update_key(KeyKind::Aes128));
  ASSERT_TRUE(device.advance());
  EXPECT_TRUE(device.exhausted());
  EXPECT_FALSE(device.current().has_value());
  for (std::size_t bit = 0; bit < 32; ++bit) EXPECT_TRUE(device.register_at(bit).empty());
  EXPECT_EQ(device.working_key(Usage::DataEncrypt, KeyKind::Aes128).error().code, Errc::CounterExhausted);
  EXPECT_EQ(device.advance().error().code, Errc::CounterExhausted);
  EXPECT_EQ(device.update_key(KeyKind::Aes128).error().code, Errc::CounterExhausted);
  const auto again = DukptDevice::deserialise(device.serialise().view());
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->exhausted());
  auto fresh = DukptDevice::load(initial_key(16), id).value();
  ASSERT_TRUE(fresh.skip_past(0xFFFFFFFF));
  EXPECT_TRUE(fresh.exhausted());
}

TEST(DukptDevice, SpentKeysAreNowhereInItsState) {
  const auto key = initial_key(16);
  auto device = DukptDevice::load(key, id).value();
  ASSERT_TRUE(device.skip_past(64));
  const std::string state = state_of(device);
  EXPECT_EQ(state.find(hex_lower(key)), std::string::npos);
  for (std::uint32_t counter = 1; counter <= 64; ++counter) {
    EXPECT_EQ(state.find(hex_lower(derive_transaction_key(key, id, counter)->view())), std::string::npos) << counter;
  }
  EXPECT_NE(state.find(hex_lower(derive_transaction_key(key, id, 65)->view())), std::string::npos);
}

TEST(DukptDevice, StateRoundTripAndDamage) {
  auto device = DukptDevice::load(initial_key(32), id).value();
  ASSERT_TRUE(device.skip_past(0x12345));
  const auto bytes = device.serialise();
  const auto again = DukptDevice::deserialise(bytes.view());
  ASSERT_TRUE(again);
  EXPECT_EQ(state_of(*again), state_of(device));
  EXPECT_FALSE(DukptDevice::deserialise(bytes.view().first(bytes.size() - 1)));
  EXPECT_FALSE(DukptDevice::deserialise(bytes.view().first(10)));
  for (const std::size_t position : {0u, 1u, 13u, 17u}) {  // version, key size, counter, registers in use
    SecretBytes damaged(bytes.view());
    damaged.writable()[position] ^= 1;
    EXPECT_FALSE(DukptDevice::deserialise(damaged.view())) << position;
  }
}

TEST(DukptDevice, RefusesKeysOfOtherSizes) {
  const std::vector<std::uint8_t> odd(20);
  EXPECT_EQ(DukptDevice::load(odd, id).error().code, Errc::InvalidArgument);
  EXPECT_EQ(derive_initial_key(odd, id).error().code, Errc::InvalidArgument);
}

}  // namespace
}  // namespace nightdrop::dukpt
