// What holds keys and card data is locked into memory, left out of core dumps, and gone when it is let go of. The
// kernel is asked: /proc/self/smaps tells the flags of the pages, /proc/self/mem what is in them.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

#include "nightdrop/secret.hpp"

namespace nightdrop {
namespace {

// The flags of the mapping that holds an address: "lo" locked, "dd" not dumped. Empty when nothing is mapped there.
std::string flags_at(const void* address) {
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  std::ifstream maps("/proc/self/smaps");
  std::string line;
  bool inside = false;
  while (std::getline(maps, line)) {
    std::uintptr_t from = 0, to = 0;
    char dash = 0;
    std::istringstream range(line);
    if (range >> std::hex >> from >> dash >> to && dash == '-') inside = from <= wanted && wanted < to;
    if (inside && line.starts_with("VmFlags:")) return line + " ";
  }
  return {};
}

TEST(SecretBytesTest, AreLockedAndLeftOutOfCoreDumps) {
  const SecretBytes secret(64);
  const std::string flags = flags_at(secret.view().data());
#ifndef __SANITIZE_ADDRESS__  // the sanitizer makes mlock() do nothing
  EXPECT_NE(flags.find(" lo "), std::string::npos) << flags;
#endif
  EXPECT_NE(flags.find(" dd "), std::string::npos) << flags;

  const std::string ordinary(4096, 'x');
  EXPECT_EQ(flags_at(ordinary.data()).find(" dd "), std::string::npos) << "the question has no answer here";
}

TEST(SecretBytesTest, AreNoLongerMappedWhenTheyAreLetGoOf) {
  const std::uint8_t* where = nullptr;
  {
    SecretBytes secret(8192);
    where = secret.view().data();
    ASSERT_FALSE(flags_at(where).empty());
    const SecretBytes moved(std::move(secret));
    EXPECT_EQ(moved.view().data(), where);
    EXPECT_TRUE(secret.empty());
  }
  EXPECT_EQ(flags_at(where).find(" dd "), std::string::npos);
}

TEST(SecretBytesTest, WhatIsCutOffIsWiped) {
  SecretBytes secret(32);
  std::ranges::fill(secret.writable(), std::uint8_t{0xA5});
  const std::span<const std::uint8_t> whole = secret.view();
  secret.truncate(8);
  EXPECT_EQ(std::ranges::count(whole, std::uint8_t{0xA5}), 8);
}

TEST(SecretTest, IsWipedWhenItIsMovedFromAndWhenItEnds) {
  alignas(Secret<16>) unsigned char room[sizeof(Secret<16>)];
  auto* secret = new (room) Secret<16>();
  std::ranges::fill(secret->writable(), std::uint8_t{0xA5});
  const Secret<16> moved(std::move(*secret));
  EXPECT_EQ(std::ranges::count(room, 0xA5), 0);
  EXPECT_EQ(std::ranges::count(moved.view(), std::uint8_t{0xA5}), 16);

  std::ranges::fill(secret->writable(), std::uint8_t{0xA5});
  secret->~Secret();
  EXPECT_EQ(std::ranges::count(room, 0xA5), 0);
}

}  // namespace
}  // namespace nightdrop
