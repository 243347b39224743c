// A small world of keys and certificates at a fixed time.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "x509/certificate.hpp"
#include "x509/memory_key.hpp"

namespace nightdrop::x509 {

inline constexpr UtcMs day = 86'400'000;
inline constexpr UtcMs now = 1'795'269'600'000;  // 2026-11-21T14:00:00Z

inline MemoryKey new_key() {
  auto key = MemoryKey::generate();
  EXPECT_TRUE(key);
  return *std::move(key);
}

inline IssueOptions options(std::string common_name, Purpose purpose, std::string serial_number = "1f") {
  return {.common_name = std::move(common_name),
          .serial_number = std::move(serial_number),
          .not_before = now - day,
          .not_after = now + 365 * day,
          .purpose = purpose,
          .hosts = {}};
}

// A key and its certificate.
struct Authority {
  MemoryKey key{new_key()};
  Certificate certificate;

  explicit Authority(const std::string& name = "Test CA") {
    auto made = make_authority(key.signer(), options(name, Purpose::Authority, "ca"));
    EXPECT_TRUE(made) << made.error().text;
    if (made) certificate = *made;
  }
  Result<Certificate> issue_for(const MemoryKey& subject, const IssueOptions& what) const {
    return issue(key.signer(), certificate, subject.public_key(), what);
  }
};

}  // namespace nightdrop::x509
