// OpenSSL calls sign() or sign_sig() with a digest; the signer answers. Nothing here ever holds a private key.

// EC_KEY and its methods are deprecated in OpenSSL 3.0 (see the header).
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#include "x509/signer_key.hpp"

#include <cstring>
#include <utility>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>

namespace nightdrop::x509 {
namespace {

using EcKeyPtr = std::unique_ptr<EC_KEY, Freed<EC_KEY_free>>;
using MethodPtr = std::unique_ptr<EC_KEY_METHOD, Freed<EC_KEY_METHOD_free>>;

// Where an EC_KEY keeps its SignerKey: a number OpenSSL hands out once a process.
int slot() {
  static const int number = EC_KEY_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return number;
}

Result<Bytes> signature_of(const unsigned char* digest, int length, EC_KEY* key) {
  auto* signer = static_cast<SignerKey*>(EC_KEY_get_ex_data(key, slot()));
  if (signer == nullptr || length != 32)
    return failure(Errc::CryptoFailed, "another digest than SHA-256 was asked for");
  return signer->sign({digest, 32});
}

// EC_KEY_METHOD's sign: the DER signature of a digest. `out` has room for ECDSA_size() bytes.
int sign(int /*type*/, const unsigned char* digest, int length, unsigned char* out, unsigned int* out_length,
         const BIGNUM* /*kinv*/, const BIGNUM* /*r*/, EC_KEY* key) {
  const auto der = signature_of(digest, length, key);
  if (!der || der->size() > static_cast<std::size_t>(ECDSA_size(key))) return 0;
  std::memcpy(out, der->data(), der->size());
  *out_length = static_cast<unsigned int>(der->size());
  return 1;
}

ECDSA_SIG* sign_sig(const unsigned char* digest, int length, const BIGNUM* /*kinv*/, const BIGNUM* /*r*/, EC_KEY* key) {
  const auto der = signature_of(digest, length, key);
  if (!der) return nullptr;
  const unsigned char* bytes = der->data();
  return d2i_ECDSA_SIG(nullptr, &bytes, static_cast<long>(der->size()));
}

// An EC_KEY with the public half alone; null if the point is not on the curve.
EcKeyPtr ec_key_of(const PublicKey& point) {
  EcKeyPtr key(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
  if (key && EC_KEY_oct2key(key.get(), point.data(), point.size(), nullptr) != 1) key.reset();
  if (key && EC_KEY_check_key(key.get()) != 1) key.reset();
  ERR_clear_error();
  return key;
}

std::unexpected<Error> no_point() {
  return failure(Errc::Malformed, "the public key is no point of P-256");
}

}  // namespace

Result<KeyPtr> public_key_of(const PublicKey& point) {
  EcKeyPtr ec = ec_key_of(point);
  if (!ec) return no_point();
  KeyPtr key(EVP_PKEY_new());
  if (!key || EVP_PKEY_assign_EC_KEY(key.get(), ec.get()) != 1) {
    return failure(Errc::CryptoFailed, "OpenSSL took no public key");
  }
  static_cast<void>(ec.release());  // the EVP_PKEY owns it now
  return key;
}

Result<PublicKey> point_of(const EVP_PKEY* key) {
  char group[32] = {};
  PublicKey point{};
  std::size_t size = 0;
  const bool ok =
      key != nullptr && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
      EVP_PKEY_get_group_name(key, group, sizeof(group), nullptr) == 1 && std::string_view(group) == "prime256v1" &&
      EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size(), &size) == 1 &&
      size == point.size() && point[0] == 4 && ec_key_of(point) != nullptr;
  ERR_clear_error();
  if (!ok) return failure(Errc::Malformed, "the key is not an uncompressed point of P-256");
  return point;
}

struct SignerKey::Parts {
  MethodPtr method;  // outlives the key
  KeyPtr key;
};

SignerKey::SignerKey(Signer signer, std::unique_ptr<Parts> parts)
    : signer_(std::move(signer)), parts_(std::move(parts)) {}
SignerKey::~SignerKey() = default;

Result<std::unique_ptr<SignerKey>> SignerKey::create(Signer signer) {
  EcKeyPtr ec = ec_key_of(signer.public_key);
  if (!ec) return no_point();
  auto parts = std::make_unique<Parts>();
  parts->method.reset(EC_KEY_METHOD_new(EC_KEY_OpenSSL()));
  parts->key.reset(EVP_PKEY_new());
  EC_KEY* const raw = ec.get();
  if (!parts->method || !parts->key) return failure(Errc::CryptoFailed, "OpenSSL made no key");
  EC_KEY_METHOD_set_sign(parts->method.get(), x509::sign, nullptr, sign_sig);
  if (EC_KEY_set_method(raw, parts->method.get()) != 1 || EVP_PKEY_assign_EC_KEY(parts->key.get(), raw) != 1) {
    ERR_clear_error();
    return failure(Errc::CryptoFailed, "OpenSSL took no key of the signer's");
  }
  static_cast<void>(ec.release());  // the EVP_PKEY owns it now
  std::unique_ptr<SignerKey> key(new SignerKey(std::move(signer), std::move(parts)));
  if (EC_KEY_set_ex_data(raw, slot(), key.get()) != 1) return failure(Errc::CryptoFailed, "OpenSSL kept no signer");
  return key;
}

EVP_PKEY* SignerKey::get() const {
  return parts_->key.get();
}

std::optional<Error> SignerKey::error() const {
  const std::lock_guard lock(mutex_);
  return error_;
}

Result<Bytes> SignerKey::sign(std::span<const std::uint8_t> digest) {
  auto signature = signer_.sign(digest);
  if (!signature) {
    const std::lock_guard lock(mutex_);
    error_ = signature.error();
  }
  return signature;
}

}  // namespace nightdrop::x509
