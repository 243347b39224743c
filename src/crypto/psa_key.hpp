// One key in PSA's key store for as long as it is used, and the lock that makes PSA usable from several threads: before
// mbedTLS 3.6 its key store has none of its own. PSA's types are named by their widths here, so that psa/crypto.h stays
// in the .cpp files.
#pragma once

#include <cstdint>
#include <mutex>
#include <span>

#include "nightdrop/result.hpp"

namespace nightdrop {

// Initialises PSA the first time and gives the lock that guards its key store and generator.
std::unique_lock<std::mutex> psa_lock();
// An error for a psa_status_t.
std::unexpected<Error> psa_failure(std::int32_t status, const char* text);

class PsaKey {
 public:
  // Puts a volatile key into the store; it is gone, and the lock free, when the object is.
  // Errors: InvalidArgument (PSA does not take such a key), CryptoFailed.
  [[nodiscard]] static Result<PsaKey> import(std::uint16_t type, std::uint32_t algorithm, std::uint32_t usage,
                                             std::span<const std::uint8_t> bytes);
  PsaKey(PsaKey&& other) noexcept;
  PsaKey& operator=(PsaKey&&) = delete;
  ~PsaKey();

  std::uint32_t id() const { return id_; }

 private:
  PsaKey(std::unique_lock<std::mutex> lock, std::uint32_t id) : lock_(std::move(lock)), id_(id) {}
  std::unique_lock<std::mutex> lock_;
  std::uint32_t id_{0};
};

}  // namespace nightdrop
