// P-256 keys and X.509 certificates by OpenSSL: the development CA, the acquirer's server, the reader's client
// certificate (whose private key is in the vault and never here), and the key that signs policies. OpenSSL's types stay
// inside.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nightdrop/payment.hpp"
#include "nightdrop/result.hpp"
#include "nightdrop/secret.hpp"

namespace nightdrop::keys {

// A private P-256 key; wiped by OpenSSL when it goes.
class PrivateKey {
 public:
  // Errors: CryptoFailed.
  [[nodiscard]] static Result<PrivateKey> generate();
  // A key in PEM, PKCS #8 or SEC 1, without a passphrase.
  // Errors: Malformed (also for any key that is not P-256).
  [[nodiscard]] static Result<PrivateKey> from_pem(std::span<const std::uint8_t> pem);

  PrivateKey(PrivateKey&&) noexcept;
  PrivateKey& operator=(PrivateKey&&) noexcept;
  ~PrivateKey();

  // PKCS #8 in PEM.
  [[nodiscard]] Result<SecretBytes> to_pem() const;
  // "BEGIN PUBLIC KEY".
  [[nodiscard]] Result<std::string> public_pem() const;
  // ECDSA with SHA-256; DER.
  [[nodiscard]] Result<std::vector<std::uint8_t>> sign(std::span<const std::uint8_t> message) const;

  struct Handle;
  const Handle& handle() const { return *handle_; }

 private:
  explicit PrivateKey(std::unique_ptr<Handle> handle);
  std::unique_ptr<Handle> handle_;
};

// A development CA: issues while it lives; its key is never written anywhere.
class CertificateAuthority {
 public:
  // Certificates are good from a day before `now` for ten years after it.
  // Errors: CryptoFailed.
  [[nodiscard]] static Result<CertificateAuthority> make(std::string_view common_name, UtcMs now);
  CertificateAuthority(CertificateAuthority&&) noexcept;
  ~CertificateAuthority();

  // Its own certificate in PEM.
  const std::string& pem() const;
  // A TLS server's certificate for names and addresses. Requires: each host is a DNS name or an address and nothing
  // else.
  [[nodiscard]] Result<std::string> issue_server(const PrivateKey& key, const std::vector<std::string>& hosts) const;
  // A TLS client's certificate; `public_key_der` is its SubjectPublicKeyInfo.
  [[nodiscard]] Result<std::string> issue_client(std::span<const std::uint8_t> public_key_der,
                                                 std::string_view common_name) const;

 private:
  struct State;
  explicit CertificateAuthority(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace nightdrop::keys
