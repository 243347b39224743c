// ECDSA on P-256 with SHA-256: the reader's identity, the journal's checkpoints, the policy's signature. A private key
// is its 32-byte scalar, a public key the 65 bytes 04 | x | y, a signature DER on the wire and r | s inside PSA.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nightdrop/result.hpp"
#include "nightdrop/secret.hpp"

namespace nightdrop {

using P256Point = std::array<std::uint8_t, 65>;
using P256RawSignature = std::array<std::uint8_t, 64>;
using P256Scalar = std::span<const std::uint8_t, 32>;

// A fresh private key.
// Errors: CryptoFailed.
[[nodiscard]] Result<Secret<32>> p256_generate();
// The public key of a private one.
// Errors: InvalidArgument (the scalar is 0 or not below the order).
[[nodiscard]] Result<P256Point> p256_public_key(P256Scalar scalar);

// Signs SHA-256 of the message; DER.
// Errors: InvalidArgument (the scalar), CryptoFailed.
[[nodiscard]] Result<std::vector<std::uint8_t>> p256_sign(P256Scalar scalar, std::span<const std::uint8_t> message);
// Signs a digest of 32 bytes; DER.
[[nodiscard]] Result<std::vector<std::uint8_t>> p256_sign_digest(P256Scalar scalar,
                                                                 std::span<const std::uint8_t> digest);
// Ok only if the DER signature over SHA-256 of the message is by this key.
// Errors: WrongKey (it isn't), Malformed (no DER signature, no point of the curve).
[[nodiscard]] Result<void> p256_verify(const P256Point& key, std::span<const std::uint8_t> message,
                                       std::span<const std::uint8_t> signature);
[[nodiscard]] Result<void> p256_verify_digest(const P256Point& key, std::span<const std::uint8_t> digest,
                                              std::span<const std::uint8_t> signature);

// The shared secret of a private key and another's public one: the common point's x coordinate. To be put through
// hkdf_sha256(), never used as a key itself.
// Errors: Malformed (no point of the curve), InvalidArgument (the scalar), CryptoFailed.
// Standard: NIST SP 800-56A rev. 3, 5.7.1.2.
[[nodiscard]] Result<Secret<32>> p256_ecdh(P256Scalar scalar, const P256Point& peer);

// The key of a PEM text "BEGIN PUBLIC KEY" (SubjectPublicKeyInfo, uncompressed point).
// Errors: Malformed (also for any other kind of key).
// Standard: RFC 5480, RFC 7468.
[[nodiscard]] Result<P256Point> p256_from_spki_pem(std::string_view pem);
// The other way round.
std::string p256_to_spki_pem(const P256Point& key);
std::vector<std::uint8_t> p256_to_spki_der(const P256Point& key);

// A DER ECDSA-Sig-Value as r | s, and back. Strict: minimal lengths, positive minimal integers, nothing after it.
// Errors: Malformed.
// Standard: RFC 3279, 2.2.3.
[[nodiscard]] Result<P256RawSignature> p256_signature_from_der(std::span<const std::uint8_t> der);
std::vector<std::uint8_t> p256_signature_to_der(const P256RawSignature& raw);

}  // namespace nightdrop
