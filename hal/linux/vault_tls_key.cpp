// The chain comes from the PEM text, the key is x509's bridge to a signer. Nothing here ever holds a private key.
#include "hal/linux/vault_tls_key.hpp"

#include <utility>
#include <vector>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "x509/signer_key.hpp"

namespace nightdrop::hal {
namespace {

using x509::CertificatePtr;

// All certificates of a PEM text, in order; empty when something in it does not parse.
std::vector<CertificatePtr> certificates(const std::string& pem) {
  std::vector<CertificatePtr> all;
  const x509::BioPtr bio = x509::bio_over(pem);
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) all.emplace_back(certificate);
  const auto error = ERR_peek_last_error();
  ERR_clear_error();
  const bool at_end = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  if (!at_end) all.clear();
  return all;
}

}  // namespace

bool holds_certificates(const std::string& pem) {
  return !certificates(pem).empty();
}

struct VaultTlsKey::Parts {
  std::vector<CertificatePtr> chain;  // the reader's own first
  std::unique_ptr<x509::SignerKey> key;
};

VaultTlsKey::VaultTlsKey(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
VaultTlsKey::~VaultTlsKey() = default;

Result<std::unique_ptr<VaultTlsKey>> VaultTlsKey::create(const std::string& certificate_pem, KeyVault& vault) {
  auto parts = std::make_unique<Parts>();
  parts->chain = certificates(certificate_pem);
  if (parts->chain.empty()) return failure(Errc::InvalidArgument, "the client certificate is no PEM certificate");
  const auto point = x509::point_of(X509_get0_pubkey(parts->chain.front().get()));
  if (!point) return failure(Errc::InvalidArgument, "the client certificate's key is not on P-256");
  auto key = x509::SignerKey::create(
      {*point, [&vault](std::span<const std::uint8_t> digest) { return vault.sign_digest(digest); }});
  if (!key) return std::unexpected(key.error());
  parts->key = *std::move(key);
  return std::unique_ptr<VaultTlsKey>(new VaultTlsKey(std::move(parts)));
}

Result<void> VaultTlsKey::use_in(ssl_ctx_st* context) const {
  bool ok = SSL_CTX_use_certificate(context, parts_->chain.front().get()) == 1;
  for (std::size_t i = 1; ok && i < parts_->chain.size(); ++i) {
    ok = SSL_CTX_add1_chain_cert(context, parts_->chain[i].get()) == 1;
  }
  ok = ok && SSL_CTX_use_PrivateKey(context, parts_->key->get()) == 1;
  if (!ok) {
    ERR_clear_error();
    return failure(Errc::CryptoFailed, "the TLS context took no client certificate");
  }
  return {};
}

}  // namespace nightdrop::hal
