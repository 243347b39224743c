// The reader's identity in a TLS handshake without its private key: an OpenSSL key that has the certificate's public
// half and asks the vault for each signature (x509/signer_key.hpp).
#pragma once

#include <memory>
#include <string>

#include "hal/key_vault.hpp"
#include "nightdrop/result.hpp"

struct ssl_ctx_st;

namespace nightdrop::hal {

class VaultTlsKey {
 public:
  // Errors: InvalidArgument when the PEM holds no certificate with a P-256 key.
  // Lifetime: `vault` outlives the key and every connection it was used in.
  static Result<std::unique_ptr<VaultTlsKey>> create(const std::string& certificate_pem, KeyVault& vault);
  ~VaultTlsKey();
  VaultTlsKey(const VaultTlsKey&) = delete;
  VaultTlsKey& operator=(const VaultTlsKey&) = delete;

  // Gives a context the certificate, its chain and the key. Errors: CryptoFailed.
  Result<void> use_in(ssl_ctx_st* context) const;

 private:
  struct Parts;
  explicit VaultTlsKey(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

// Whether the PEM text holds at least one X.509 certificate and nothing that does not parse.
bool holds_certificates(const std::string& pem);

}  // namespace nightdrop::hal
