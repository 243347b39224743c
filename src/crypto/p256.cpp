#include "crypto/p256.hpp"

#include <algorithm>
#include <optional>

#include <psa/crypto.h>

#include "crypto/primitives.hpp"
#include "crypto/psa_key.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop {
namespace {

constexpr psa_algorithm_t ecdsa = PSA_ALG_ECDSA(PSA_ALG_SHA_256);
constexpr std::string_view pem_begin = "-----BEGIN PUBLIC KEY-----";
constexpr std::string_view pem_end = "-----END PUBLIC KEY-----";
// SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING of 65 bytes, no unused bits }
constexpr std::array<std::uint8_t, 26> spki_prefix{0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48,
                                                   0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48,
                                                   0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};

Result<PsaKey> import_private(P256Scalar scalar, psa_key_usage_t usage) {
  return PsaKey::import(PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1), ecdsa, usage, scalar);
}

// One INTEGER of a signature into 32 bytes; gives what follows it.
std::optional<std::span<const std::uint8_t>> read_integer(std::span<const std::uint8_t> der,
                                                          std::span<std::uint8_t, 32> out) {
  if (der.size() < 3 || der[0] != 0x02) return std::nullopt;
  const std::size_t length = der[1];
  if (length == 0 || length > 33 || der.size() < 2 + length) return std::nullopt;
  auto value = der.subspan(2, length);
  if ((value[0] & 0x80) != 0) return std::nullopt;  // negative
  if (value[0] == 0) {
    if (length > 1 && (value[1] & 0x80) == 0) return std::nullopt;  // not minimal
    value = value.subspan(1);
  }
  if (value.size() > 32) return std::nullopt;
  std::ranges::fill(out, std::uint8_t{0});
  std::ranges::copy(value, out.last(value.size()).begin());
  return der.subspan(2 + length);
}

void append_integer(std::vector<std::uint8_t>& der, std::span<const std::uint8_t> value) {
  while (value.size() > 1 && value[0] == 0) value = value.subspan(1);
  const bool sign_byte = (value[0] & 0x80) != 0;
  der.push_back(0x02);
  der.push_back(static_cast<std::uint8_t>(value.size() + (sign_byte ? 1 : 0)));
  if (sign_byte) der.push_back(0);
  der.insert(der.end(), value.begin(), value.end());
}

}  // namespace

Result<Secret<32>> p256_generate() {
  // A scalar that is 0 or not below the order is refused by the import; one of 2^32 is.
  for (int attempt = 0; attempt < 8; ++attempt) {
    Secret<32> scalar;
    ND_TRY(random_bytes(scalar.writable()));
    if (p256_public_key(scalar.view())) return scalar;
  }
  return failure(Errc::CryptoFailed, "no private key came out");
}

Result<P256Point> p256_public_key(P256Scalar scalar) {
  const auto key = import_private(scalar, PSA_KEY_USAGE_SIGN_HASH);
  ND_TRY(key);
  P256Point point{};
  std::size_t length = 0;
  const psa_status_t status = psa_export_public_key(key->id(), point.data(), point.size(), &length);
  if (status != PSA_SUCCESS || length != point.size()) return psa_failure(status, "no public key");
  return point;
}

Result<std::vector<std::uint8_t>> p256_sign(P256Scalar scalar, std::span<const std::uint8_t> message) {
  return p256_sign_digest(scalar, sha256(message));
}

Result<std::vector<std::uint8_t>> p256_sign_digest(P256Scalar scalar, std::span<const std::uint8_t> digest) {
  if (digest.size() != 32) return failure(Errc::InvalidArgument, "a SHA-256 digest has 32 bytes");
  const auto key = import_private(scalar, PSA_KEY_USAGE_SIGN_HASH);
  ND_TRY(key);
  P256RawSignature raw{};
  std::size_t length = 0;
  const psa_status_t status =
      psa_sign_hash(key->id(), ecdsa, digest.data(), digest.size(), raw.data(), raw.size(), &length);
  if (status != PSA_SUCCESS || length != raw.size()) return psa_failure(status, "signing failed");
  return p256_signature_to_der(raw);
}

Result<void> p256_verify(const P256Point& key, std::span<const std::uint8_t> message,
                         std::span<const std::uint8_t> signature) {
  return p256_verify_digest(key, sha256(message), signature);
}

Result<void> p256_verify_digest(const P256Point& key, std::span<const std::uint8_t> digest,
                                std::span<const std::uint8_t> signature) {
  if (digest.size() != 32) return failure(Errc::InvalidArgument, "a SHA-256 digest has 32 bytes");
  const auto raw = p256_signature_from_der(signature);
  ND_TRY(raw);
  const auto imported =
      PsaKey::import(PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1), ecdsa, PSA_KEY_USAGE_VERIFY_HASH, key);
  if (!imported) return failure(Errc::Malformed, "the public key is no point of P-256", imported.error().native);
  const psa_status_t status =
      psa_verify_hash(imported->id(), ecdsa, digest.data(), digest.size(), raw->data(), raw->size());
  // r or s out of range comes back as an invalid argument: it is no signature either.
  if (status == PSA_ERROR_INVALID_SIGNATURE || status == PSA_ERROR_INVALID_ARGUMENT) {
    return failure(Errc::WrongKey, "the signature is not by this key");
  }
  if (status != PSA_SUCCESS) return psa_failure(status, "the signature cannot be checked");
  return {};
}

Result<Secret<32>> p256_ecdh(P256Scalar scalar, const P256Point& peer) {
  const auto key =
      PsaKey::import(PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1), PSA_ALG_ECDH, PSA_KEY_USAGE_DERIVE, scalar);
  ND_TRY(key);
  Secret<32> shared;
  std::size_t length = 0;
  const psa_status_t status =
      psa_raw_key_agreement(PSA_ALG_ECDH, key->id(), peer.data(), peer.size(), shared.writable().data(), 32, &length);
  if (status == PSA_ERROR_INVALID_ARGUMENT)
    return failure(Errc::Malformed, "the peer's key is no point of P-256", status);
  if (status != PSA_SUCCESS || length != 32) return psa_failure(status, "no key agreement");
  return shared;
}

Result<P256Point> p256_from_spki_pem(std::string_view pem) {
  const auto begin = pem.find(pem_begin);
  if (begin == std::string_view::npos) return failure(Errc::Malformed, "no PEM public key");
  const auto body = begin + pem_begin.size();
  const auto end = pem.find(pem_end, body);
  if (end == std::string_view::npos) return failure(Errc::Malformed, "no PEM public key");
  std::string text;
  for (const char c : pem.substr(body, end - body)) {
    if (c != '\n' && c != '\r') text += c;
  }
  const auto der = from_base64(text);
  ND_TRY(der);
  P256Point point{};
  if (der->size() != spki_prefix.size() + point.size() ||
      !std::equal(spki_prefix.begin(), spki_prefix.end(), der->begin()) || (*der)[spki_prefix.size()] != 0x04) {
    return failure(Errc::Malformed, "not the public key of a P-256 key pair");
  }
  std::copy(der->begin() + spki_prefix.size(), der->end(), point.begin());
  return point;
}

std::vector<std::uint8_t> p256_to_spki_der(const P256Point& key) {
  std::vector<std::uint8_t> der(spki_prefix.begin(), spki_prefix.end());
  der.insert(der.end(), key.begin(), key.end());
  return der;
}

std::string p256_to_spki_pem(const P256Point& key) {
  constexpr std::size_t line = 64;
  const std::string text = to_base64(p256_to_spki_der(key));
  std::string pem(pem_begin);
  for (std::size_t i = 0; i < text.size(); i += line) {
    pem += '\n';
    pem += text.substr(i, line);
  }
  pem += '\n';
  pem += pem_end;
  pem += '\n';
  return pem;
}

Result<P256RawSignature> p256_signature_from_der(std::span<const std::uint8_t> der) {
  P256RawSignature raw{};
  const std::span<std::uint8_t, 64> view(raw);
  if (der.size() < 2 || der[0] != 0x30 || der[1] >= 0x80 || der[1] != der.size() - 2) {
    return failure(Errc::Malformed, "not a DER signature");
  }
  const auto after_r = read_integer(der.subspan(2), view.first<32>());
  if (!after_r) return failure(Errc::Malformed, "not a DER signature");
  const auto after_s = read_integer(*after_r, view.last<32>());
  if (!after_s || !after_s->empty()) return failure(Errc::Malformed, "not a DER signature");
  return raw;
}

std::vector<std::uint8_t> p256_signature_to_der(const P256RawSignature& raw) {
  std::vector<std::uint8_t> der{0x30, 0};
  const std::span<const std::uint8_t, 64> view(raw);
  append_integer(der, view.first<32>());
  append_integer(der, view.last<32>());
  der[1] = static_cast<std::uint8_t>(der.size() - 2);
  return der;
}

}  // namespace nightdrop
