// A private key that is elsewhere, as OpenSSL wants it: an EVP_PKEY that has the public half and asks a Signer for each
// signature. The one bridge for all that signs: certificates, requests, revocation lists and TLS handshakes.
// OpenSSL 3.0 deprecates EC_KEY_METHOD in favour of providers, but it is what works from 1.1 to 3.x with one key in the
// hands of the application.
#pragma once

#include <memory>
#include <mutex>
#include <optional>

#include <openssl/evp.h>

#include "nightdrop/result.hpp"
#include "x509/certificate.hpp"
#include "x509/openssl_ptr.hpp"

namespace nightdrop::x509 {

// The public key as an OpenSSL key. Errors: Malformed (no point of P-256).
[[nodiscard]] Result<KeyPtr> public_key_of(const PublicKey& point);
// The other way round. Errors: Malformed (any other kind of key).
[[nodiscard]] Result<PublicKey> point_of(const EVP_PKEY* key);

class SignerKey {
 public:
  // Errors: Malformed (the signer's public key), CryptoFailed.
  [[nodiscard]] static Result<std::unique_ptr<SignerKey>> create(Signer signer);
  ~SignerKey();
  SignerKey(const SignerKey&) = delete;
  SignerKey& operator=(const SignerKey&) = delete;

  // May sign on several threads where the signer may. Lifetime: this object's.
  EVP_PKEY* get() const;
  // Why the signer gave no signature the last time that it gave none; OpenSSL itself has no place for that.
  std::optional<Error> error() const;

  // For OpenSSL's callbacks.
  Result<Bytes> sign(std::span<const std::uint8_t> digest);

 private:
  struct Parts;
  SignerKey(Signer signer, std::unique_ptr<Parts> parts);

  const Signer signer_;
  const std::unique_ptr<Parts> parts_;
  mutable std::mutex mutex_;
  std::optional<Error> error_;
};

}  // namespace nightdrop::x509
