#include "crypto/psa_key.hpp"

#include <type_traits>
#include <utility>

#include <psa/crypto.h>

namespace nightdrop {

static_assert(std::is_same_v<psa_key_id_t, std::uint32_t> && std::is_same_v<psa_status_t, std::int32_t> &&
              std::is_same_v<psa_key_type_t, std::uint16_t> && std::is_same_v<psa_algorithm_t, std::uint32_t> &&
              std::is_same_v<psa_key_usage_t, std::uint32_t>);

std::unique_lock<std::mutex> psa_lock() {
  // The one piece of process-wide state of the house: it guards the process-wide state of mbedTLS.
  static std::mutex mutex;
  std::unique_lock lock(mutex);
  static const psa_status_t ready = psa_crypto_init();
  ND_ASSERT(ready == PSA_SUCCESS);
  return lock;
}

std::unexpected<Error> psa_failure(std::int32_t status, const char* text) {
  switch (status) {
    case PSA_ERROR_INVALID_ARGUMENT:
    case PSA_ERROR_NOT_SUPPORTED: return failure(Errc::InvalidArgument, text, status);
    case PSA_ERROR_INVALID_SIGNATURE: return failure(Errc::WrongKey, text, status);
    default: return failure(Errc::CryptoFailed, text, status);
  }
}

Result<PsaKey> PsaKey::import(std::uint16_t type, std::uint32_t algorithm, std::uint32_t usage,
                              std::span<const std::uint8_t> bytes) {
  auto lock = psa_lock();
  psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
  psa_set_key_type(&attributes, type);
  psa_set_key_algorithm(&attributes, algorithm);
  psa_set_key_usage_flags(&attributes, usage);
  psa_key_id_t id = 0;
  const psa_status_t status = psa_import_key(&attributes, bytes.data(), bytes.size(), &id);
  if (status != PSA_SUCCESS) return psa_failure(status, "the key is not one of its kind");
  return PsaKey(std::move(lock), id);
}

PsaKey::PsaKey(PsaKey&& other) noexcept : lock_(std::move(other.lock_)), id_(std::exchange(other.id_, 0)) {}

PsaKey::~PsaKey() {
  if (id_ != 0) psa_destroy_key(id_);
}

}  // namespace nightdrop
