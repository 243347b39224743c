// OpenSSL calls sign() with the handshake's digest; the vault answers. Nothing here ever holds a private key.
#include "hal/linux/vault_tls_key.hpp"

// EC_KEY and its methods are deprecated in OpenSSL 3.0 (see the header).
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#include <cstring>
#include <utility>
#include <vector>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace nightdrop::hal {
namespace {

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* value) const {
    Free(value);
  }
};
using CertificatePtr = std::unique_ptr<X509, Freed<X509_free>>;
using BioPtr = std::unique_ptr<BIO, Freed<BIO_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using EcKeyPtr = std::unique_ptr<EC_KEY, Freed<EC_KEY_free>>;
using MethodPtr = std::unique_ptr<EC_KEY_METHOD, Freed<EC_KEY_METHOD_free>>;
using SignaturePtr = std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG_free>>;

// All certificates of a PEM text, in order; empty when something in it does not parse.
std::vector<CertificatePtr> certificates(const std::string& pem) {
  std::vector<CertificatePtr> all;
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) all.emplace_back(certificate);
  const auto error = ERR_peek_last_error();
  ERR_clear_error();
  const bool at_end = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  if (!at_end) all.clear();
  return all;
}

// Where an EC_KEY keeps the vault that signs for it: a number OpenSSL hands out once a process.
int vault_slot() {
  static const int slot = EC_KEY_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return slot;
}

Result<std::vector<std::uint8_t>> vault_signature(const unsigned char* digest, int length, EC_KEY* key) {
  auto* vault = static_cast<KeyVault*>(EC_KEY_get_ex_data(key, vault_slot()));
  if (vault == nullptr || length != 32) return failure(Errc::CryptoFailed, "the handshake asked for another digest");
  return vault->sign_digest({digest, 32});
}

// EC_KEY_METHOD's sign: the DER signature of a digest. `out` has room for ECDSA_size() bytes.
int sign(int /*type*/, const unsigned char* digest, int length, unsigned char* out, unsigned int* out_length,
         const BIGNUM* /*kinv*/, const BIGNUM* /*r*/, EC_KEY* key) {
  const auto der = vault_signature(digest, length, key);
  if (!der || der->size() > static_cast<std::size_t>(ECDSA_size(key))) return 0;
  std::memcpy(out, der->data(), der->size());
  *out_length = static_cast<unsigned int>(der->size());
  return 1;
}

ECDSA_SIG* sign_sig(const unsigned char* digest, int length, const BIGNUM* /*kinv*/, const BIGNUM* /*r*/, EC_KEY* key) {
  const auto der = vault_signature(digest, length, key);
  if (!der) return nullptr;
  const unsigned char* bytes = der->data();
  return d2i_ECDSA_SIG(nullptr, &bytes, static_cast<long>(der->size()));
}

}  // namespace

bool holds_certificates(const std::string& pem) {
  return !certificates(pem).empty();
}

struct VaultTlsKey::Parts {
  std::vector<CertificatePtr> chain;  // the reader's own first
  MethodPtr method;                   // outlives the key
  KeyPtr key;
};

VaultTlsKey::VaultTlsKey(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
VaultTlsKey::~VaultTlsKey() = default;

Result<std::unique_ptr<VaultTlsKey>> VaultTlsKey::create(const std::string& certificate_pem, KeyVault& vault) {
  auto parts = std::make_unique<Parts>();
  parts->chain = certificates(certificate_pem);
  if (parts->chain.empty()) return failure(Errc::InvalidArgument, "the client certificate is no PEM certificate");

  // get1 gives a copy of the certificate's key, which then may be given a method of its own.
  EVP_PKEY* certified = X509_get0_pubkey(parts->chain.front().get());
  EcKeyPtr public_key(certified == nullptr ? nullptr : EVP_PKEY_get1_EC_KEY(certified));
  if (public_key == nullptr || EC_GROUP_get_curve_name(EC_KEY_get0_group(public_key.get())) != NID_X9_62_prime256v1) {
    ERR_clear_error();
    return failure(Errc::InvalidArgument, "the client certificate's key is not on P-256");
  }
  EcKeyPtr key(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
  parts->method.reset(EC_KEY_METHOD_new(EC_KEY_OpenSSL()));
  if (key == nullptr || parts->method == nullptr) return failure(Errc::CryptoFailed, "OpenSSL made no key");
  EC_KEY_METHOD_set_sign(parts->method.get(), sign, nullptr, sign_sig);
  parts->key.reset(EVP_PKEY_new());
  if (EC_KEY_set_public_key(key.get(), EC_KEY_get0_public_key(public_key.get())) != 1 ||
      EC_KEY_set_method(key.get(), parts->method.get()) != 1 ||
      EC_KEY_set_ex_data(key.get(), vault_slot(), &vault) != 1 || parts->key == nullptr ||
      EVP_PKEY_assign_EC_KEY(parts->key.get(), key.get()) != 1) {
    ERR_clear_error();
    return failure(Errc::CryptoFailed, "OpenSSL took no key of the vault's");
  }
  static_cast<void>(key.release());  // the EVP_PKEY owns it now
  return std::unique_ptr<VaultTlsKey>(new VaultTlsKey(std::move(parts)));
}

Result<void> VaultTlsKey::use_in(ssl_ctx_st* context) const {
  bool ok = SSL_CTX_use_certificate(context, parts_->chain.front().get()) == 1;
  for (std::size_t i = 1; ok && i < parts_->chain.size(); ++i) {
    ok = SSL_CTX_add1_chain_cert(context, parts_->chain[i].get()) == 1;
  }
  ok = ok && SSL_CTX_use_PrivateKey(context, parts_->key.get()) == 1;
  if (!ok) {
    ERR_clear_error();
    return failure(Errc::CryptoFailed, "the TLS context took no client certificate");
  }
  return {};
}

}  // namespace nightdrop::hal
