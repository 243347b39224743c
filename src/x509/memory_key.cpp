// The key stays in OpenSSL's own structure; it leaves it only as PEM, through OpenSSL's wiped memory.
#include "x509/memory_key.hpp"

#include <utility>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "x509/signer_key.hpp"

namespace nightdrop::x509 {
namespace {

using KeyContextPtr = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX_free>>;
using DigestContextPtr = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;

std::unexpected<Error> failed(const char* text) {
  ERR_clear_error();
  return failure(Errc::CryptoFailed, text);
}

Result<Bytes> sign_digest(EVP_PKEY* key, std::span<const std::uint8_t> digest) {
  const KeyContextPtr context(EVP_PKEY_CTX_new(key, nullptr));
  Bytes signature(static_cast<std::size_t>(EVP_PKEY_get_size(key)));
  std::size_t size = signature.size();
  if (!context || EVP_PKEY_sign_init(context.get()) != 1 ||
      EVP_PKEY_CTX_set_signature_md(context.get(), EVP_sha256()) != 1 ||
      EVP_PKEY_sign(context.get(), signature.data(), &size, digest.data(), digest.size()) != 1) {
    return failed("a signature could not be made");
  }
  signature.resize(size);
  return signature;
}

}  // namespace

struct MemoryKey::Parts {
  KeyPtr key;
  PublicKey point{};
};

MemoryKey::MemoryKey(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
MemoryKey::MemoryKey(MemoryKey&&) noexcept = default;
MemoryKey& MemoryKey::operator=(MemoryKey&&) noexcept = default;
MemoryKey::~MemoryKey() = default;

Result<MemoryKey> MemoryKey::generate() {
  KeyPtr key(EVP_EC_gen("P-256"));
  if (!key) return failed("a key could not be made");
  const auto point = point_of(key.get());
  if (!point) return std::unexpected(point.error());
  return MemoryKey(std::make_unique<Parts>(std::move(key), *point));
}

Result<MemoryKey> MemoryKey::from_pem(std::span<const std::uint8_t> pem) {
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return read(bio.get());
}

Result<MemoryKey> MemoryKey::from_file(const std::string& path) {
  const BioPtr bio(BIO_new_file(path.c_str(), "r"));
  if (!bio) {
    ERR_clear_error();
    return failure(Errc::NotFound, "the private key's file cannot be opened");
  }
  return read(bio.get());
}

Result<MemoryKey> MemoryKey::read(bio_st* bio) {
  // A passphrase is never asked for: the callback gives none.
  const auto no_passphrase = [](char*, int, int, void*) { return -1; };
  KeyPtr key(bio == nullptr ? nullptr : PEM_read_bio_PrivateKey(bio, nullptr, no_passphrase, nullptr));
  const auto point = point_of(key.get());
  if (!point) return failure(Errc::Malformed, "this is not a P-256 private key in PEM");
  return MemoryKey(std::make_unique<Parts>(std::move(key), *point));
}

const PublicKey& MemoryKey::public_key() const {
  return parts_->point;
}

Signer MemoryKey::signer() const {
  EVP_PKEY* const key = parts_->key.get();
  return {parts_->point, [key](std::span<const std::uint8_t> digest) { return sign_digest(key, digest); }};
}

Result<Bytes> MemoryKey::sign(std::span<const std::uint8_t> message) const {
  const DigestContextPtr context(EVP_MD_CTX_new());
  Bytes signature(static_cast<std::size_t>(EVP_PKEY_get_size(parts_->key.get())));
  std::size_t size = signature.size();
  if (!context || EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, parts_->key.get()) != 1 ||
      EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) != 1) {
    return failed("a signature could not be made");
  }
  signature.resize(size);
  return signature;
}

Result<Secret<32>> MemoryKey::scalar() const {
  BIGNUM* number = nullptr;
  Secret<32> bytes;
  const bool done = EVP_PKEY_get_bn_param(parts_->key.get(), OSSL_PKEY_PARAM_PRIV_KEY, &number) == 1 &&
                    BN_bn2binpad(number, bytes.writable().data(), 32) == 32;
  BN_clear_free(number);
  if (!done) return failed("a key could not be read");
  return Result<Secret<32>>(std::move(bytes));
}

Result<SecretBytes> MemoryKey::to_pem() const {
  const BioPtr bio(BIO_new(BIO_s_secmem()));
  if (!bio || PEM_write_bio_PKCS8PrivateKey(bio.get(), parts_->key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return failed("a key could not be printed");
  }
  return SecretBytes(content(bio.get()));
}

Result<std::string> MemoryKey::public_pem() const {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_PUBKEY(bio.get(), parts_->key.get()) != 1) return failed("a key could not be printed");
  const auto bytes = content(bio.get());
  return std::string(bytes.begin(), bytes.end());
}

}  // namespace nightdrop::x509
