// A private P-256 key in this process: development's, the acquirer's server key (a file by its contract) and tests'. An
// operator's keys are in an HSM, a reader's in its vault; both hand in a Signer of their own.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "nightdrop/result.hpp"
#include "nightdrop/secret.hpp"
#include "x509/certificate.hpp"

struct bio_st;

namespace nightdrop::x509 {

// Wiped by OpenSSL when it goes.
class MemoryKey {
 public:
  // Errors: CryptoFailed.
  [[nodiscard]] static Result<MemoryKey> generate();
  // A key in PEM, PKCS #8 or SEC 1, without a passphrase. Errors: Malformed (also for any key that is not P-256).
  [[nodiscard]] static Result<MemoryKey> from_pem(std::span<const std::uint8_t> pem);

  // The same from a file. Errors: NotFound (the file cannot be opened), Malformed.
  [[nodiscard]] static Result<MemoryKey> from_file(const std::string& path);

  MemoryKey(MemoryKey&&) noexcept;
  MemoryKey& operator=(MemoryKey&&) noexcept;
  ~MemoryKey();

  const PublicKey& public_key() const;
  // Thread-safe. Lifetime: the key outlives its signer; it may be moved meanwhile.
  Signer signer() const;
  // ECDSA with SHA-256; DER. Errors: CryptoFailed.
  [[nodiscard]] Result<Bytes> sign(std::span<const std::uint8_t> message) const;
  // The private number itself, for a token that is to have this key. Errors: CryptoFailed.
  [[nodiscard]] Result<Secret<32>> scalar() const;
  // PKCS #8. Errors: CryptoFailed.
  [[nodiscard]] Result<SecretBytes> to_pem() const;
  // "BEGIN PUBLIC KEY". Errors: CryptoFailed.
  [[nodiscard]] Result<std::string> public_pem() const;

 private:
  struct Parts;
  static Result<MemoryKey> read(bio_st* bio);
  explicit MemoryKey(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace nightdrop::x509
