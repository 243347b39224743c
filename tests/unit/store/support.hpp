// What the store's tests share: a folder that goes away, a store with a fixed key, and payments made in one line.
#pragma once

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>

#include <stdlib.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "crypto/primitives.hpp"
#include "store/sqlcipher_store.hpp"

namespace nightdrop::test {

class Folder {
 public:
  Folder() {
    // In memory where there is such a folder: these tests sync thousands of times, and what a sync is worth is not
    // theirs.
    const bool in_memory = ::access("/dev/shm", W_OK) == 0;
    std::string name = ((in_memory ? std::filesystem::path("/dev/shm") : std::filesystem::temp_directory_path()) /
                        "nightdrop-store-XXXXXX")
                           .string();
    path_ = ::mkdtemp(name.data());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::array<std::uint8_t, 32> test_key(std::uint8_t first = 1) {
  std::array<std::uint8_t, 32> key{};
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(first + i * 7);
  return key;
}

inline SqlCipherStore::Options options_in(const std::filesystem::path& dir, std::uint8_t key = 1) {
  SqlCipherStore::Options options;
  options.dir = dir;
  options.with_key = [key](const SqlCipherStore::KeyUse& use) { return use(test_key(key)); };
  options.sha256 = [](std::span<const std::uint8_t> prev, std::span<const std::uint8_t> bytes) {
    std::array<std::uint8_t, 32> out{};
    const auto digest = sha256(prev, bytes);
    std::copy(digest.begin(), digest.end(), out.begin());
    return out;
  };
  options.reserve_bytes = 64 << 10;
  return options;
}

inline std::unique_ptr<SqlCipherStore> open_store(SqlCipherStore::Options options) {
  auto opened = SqlCipherStore::open(std::move(options));
  if (!opened) {
    ADD_FAILURE() << errc_name(opened.error().code) << ": " << opened.error().text << " " << opened.error().native;
    std::abort();
  }
  return std::move(*opened);
}
inline std::unique_ptr<SqlCipherStore> open_store(const Folder& folder) {
  return open_store(options_in(folder.path()));
}

inline constexpr UtcMs start = 1'790'000'000'000;
inline constexpr std::int64_t day = 86'400'000;
inline const Currency usd{};
inline const Currency eur{{'e', 'u', 'r'}};

// pi_ and a UUIDv7 of that time whose random part is `n`.
inline std::string id_of(int n, UtcMs at = start) {
  char text[48];
  std::snprintf(text, sizeof text, "pi_%012llx7%03x8%03x%012x", static_cast<unsigned long long>(at),
                static_cast<unsigned>(n) * 2654435761U >> 20, static_cast<unsigned>(n) & 0xFFFU,
                static_cast<unsigned>(n));
  return text;
}

inline Payment stored(int n, std::int64_t amount = 1000, UtcMs at = start) {
  Payment p;
  p.id = id_of(n, at + n);
  p.status = Status::Stored;
  p.amount = p.card_amount = p.exposure = amount;
  p.counted = true;
  p.created_at = at + n;
  p.stored_at = at + n;
  p.deadline = at + n + day;
  p.card.emplace();
  p.card->last4 = "1111";
  p.card->brand = Brand::Visa;
  p.card->fingerprint = "fp_0123456789abcdef0123456789abcde" + std::to_string(n % 10);
  p.envelope.emplace();
  p.envelope->ksn[11] = static_cast<std::uint8_t>(n);
  p.envelope->ksn[10] = static_cast<std::uint8_t>(n >> 8);
  p.envelope->ciphertext.resize(90);
  for (std::size_t i = 0; i < 90; ++i) {
    p.envelope->ciphertext[i] =
        static_cast<std::uint8_t>((static_cast<std::size_t>(n) * 131 + i * i * 7 + i * 29 + 77) >> (i % 3));
  }
  p.emv.assign(120, 0x9F);
  return p;
}

inline void answer(Payment& p, Status status) {
  p.status = status;
  p.counted = false;
  p.exposure = 0;
  p.envelope.reset();
  if (status == Status::Succeeded) p.authorization = Authorization{"auth", "123456", p.amount, "00", start + 5};
  if (status == Status::Declined) {
    p.decline.emplace();
    p.decline->reason = "do_not_honor";
    p.decline->response_code = "05";
  }
  p.reportable = status == Status::Declined || status == Status::Expired || status == Status::RequiresReview;
}

#define ND_OK(expression)                                                                                       \
  do {                                                                                                          \
    const auto nd_result = (expression);                                                                        \
    ASSERT_TRUE(nd_result) << errc_name(nd_result.error().code) << ": " << nd_result.error().text << " native " \
                           << nd_result.error().native;                                                         \
  } while (false)

inline void put_all(SqlCipherStore& store, const std::vector<Payment>& payments) {
  ND_OK(store.begin());
  for (const Payment& p : payments) ND_OK(store.put(p));
  ND_OK(store.commit());
}

inline std::vector<std::string> ids(const Result<std::vector<Payment>>& payments) {
  std::vector<std::string> out;
  if (!payments) return {"error"};
  for (const Payment& p : *payments) out.push_back(p.id);
  return out;
}

}  // namespace nightdrop::test
