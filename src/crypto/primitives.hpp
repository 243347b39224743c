// The cryptographic primitives that the rest is made of, all computed by the PSA Crypto API. Keys come in as bytes and
// leave no trace in PSA's key store. Every function may be called from any thread: PSA's key store is guarded by one
// mutex (psa_key.hpp); hashing touches no shared state and is not.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "nightdrop/random.hpp"
#include "nightdrop/result.hpp"
#include "nightdrop/secret.hpp"

namespace nightdrop {

using ByteView = std::span<const std::uint8_t>;
using Digest = std::array<std::uint8_t, 32>;

// SHA-256.
// Standard: FIPS 180-4.
Digest sha256(ByteView data);
// SHA-256 of two parts as if they were one: the journal's hash(n-1) and event(n).
Digest sha256(ByteView first, ByteView second);
// HMAC with SHA-256 under a key of any length.
// Standard: FIPS 198-1.
Digest hmac_sha256(ByteView key, ByteView data);
// HKDF with SHA-256: `size` bytes of key for one purpose, told by `info`, out of a secret of any shape.
// Requires: 0 < size <= 8160.
// Standard: RFC 5869.
SecretBytes hkdf_sha256(ByteView secret, ByteView salt, ByteView info, std::size_t size);
// PBKDF2 with HMAC-SHA-256, 32 bytes; about a microsecond an iteration.
// Requires: iterations > 0.
// Standard: RFC 8018, 5.2.
Digest pbkdf2_hmac_sha256(ByteView pin, ByteView salt, std::uint32_t iterations);

inline constexpr std::size_t gcm_nonce_size = 12;
inline constexpr std::size_t gcm_tag_size = 16;

// AES-GCM: the ciphertext, then the 16-byte tag.
// Requires: key of 16, 24 or 32 bytes; a 12-byte nonce never used before with this key.
// Errors: InvalidArgument (sizes), CryptoFailed.
// Standard: NIST SP 800-38D.
[[nodiscard]] Result<std::vector<std::uint8_t>> aes_gcm_seal(ByteView key, ByteView nonce, ByteView aad,
                                                             ByteView plaintext);
// The plaintext of aes_gcm_seal().
// Errors: WrongKey (key, nonce, AAD or a bit of the data is another), InvalidArgument, CryptoFailed.
[[nodiscard]] Result<SecretBytes> aes_gcm_open(ByteView key, ByteView nonce, ByteView aad, ByteView sealed);

// Block ciphers for key blocks and PIN blocks. A TDES key has 8 (single DES), 16 or 24 bytes.
enum class BlockCipher : std::uint8_t { Aes, Tdes };
constexpr std::size_t block_size(BlockCipher cipher) {
  return cipher == BlockCipher::Aes ? 16 : 8;
}

// Each of these requires: a key of a size that fits the cipher, data of whole blocks (CTR: any length), an output
// as long as the input, an IV of one block. Input and output may be the same memory.
// Errors: InvalidArgument, CryptoFailed.
// Standard: NIST SP 800-38A.
[[nodiscard]] Result<void> ecb_encrypt(BlockCipher cipher, ByteView key, ByteView in, std::span<std::uint8_t> out);
[[nodiscard]] Result<void> ecb_decrypt(BlockCipher cipher, ByteView key, ByteView in, std::span<std::uint8_t> out);
[[nodiscard]] Result<void> cbc_encrypt(BlockCipher cipher, ByteView key, ByteView iv, ByteView in,
                                       std::span<std::uint8_t> out);
[[nodiscard]] Result<void> cbc_decrypt(BlockCipher cipher, ByteView key, ByteView iv, ByteView in,
                                       std::span<std::uint8_t> out);
[[nodiscard]] Result<void> aes_ctr(ByteView key, ByteView counter, ByteView in, std::span<std::uint8_t> out);

// CMAC, one block long.
// Errors: InvalidArgument (key size), CryptoFailed.
// Standard: NIST SP 800-38B.
[[nodiscard]] Result<std::vector<std::uint8_t>> cmac(BlockCipher cipher, ByteView key, ByteView data);

}  // namespace nightdrop
