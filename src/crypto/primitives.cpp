// Primitives by PSA. HMAC is made from the hash, so that PBKDF2 can start each of its rounds from two prepared states:
// two compressions a round, no key store, no lock.
#include "crypto/primitives.hpp"

#include <algorithm>
#include <utility>

#include <psa/crypto.h>

#include "crypto/psa_key.hpp"

namespace nightdrop {
namespace {

// A running SHA-256. Its failures are bugs or a broken library: they are asserted.
class Sha256 {
 public:
  Sha256() {
    operation_ = psa_hash_operation_init();
    ND_ASSERT(psa_hash_setup(&operation_, PSA_ALG_SHA_256) == PSA_SUCCESS);
  }
  Sha256(const Sha256& other) : operation_(psa_hash_operation_init()) {
    ND_ASSERT(psa_hash_clone(&other.operation_, &operation_) == PSA_SUCCESS);
  }
  Sha256& operator=(const Sha256&) = delete;
  ~Sha256() { psa_hash_abort(&operation_); }  // wipes the state

  Sha256& update(ByteView data) {
    if (!data.empty()) ND_ASSERT(psa_hash_update(&operation_, data.data(), data.size()) == PSA_SUCCESS);
    return *this;
  }
  Digest finish() {
    Digest digest{};
    std::size_t length = 0;
    ND_ASSERT(psa_hash_finish(&operation_, digest.data(), digest.size(), &length) == PSA_SUCCESS);
    return digest;
  }

 private:
  psa_hash_operation_t operation_;
};

// HMAC's two states after the padded key.
class HmacKey {
 public:
  explicit HmacKey(ByteView key) {
    constexpr std::size_t block = 64;
    Secret<block> padded;
    if (key.size() > block) {
      const Digest shortened = sha256(key);
      std::ranges::copy(shortened, padded.writable().begin());
    } else {
      std::ranges::copy(key, padded.writable().begin());
    }
    for (std::uint8_t& byte : padded.writable()) byte ^= 0x36;
    inner_.update(padded.view());
    for (std::uint8_t& byte : padded.writable()) byte ^= 0x36 ^ 0x5C;
    outer_.update(padded.view());
  }
  Digest mac(ByteView first, ByteView second = {}) const {
    const Digest inner = Sha256(inner_).update(first).update(second).finish();
    return Sha256(outer_).update(inner).finish();
  }

 private:
  Sha256 inner_;
  Sha256 outer_;
};

bool aes_key_size(std::size_t size) {
  return size == 16 || size == 24 || size == 32;
}

// The key as PSA takes it: TDES always as three keys, since PSA's CMAC knows no two-key TDES and single DES is EDE with
// one key three times.
Result<SecretBytes> psa_key_bytes(BlockCipher cipher, ByteView key) {
  if (cipher == BlockCipher::Aes) {
    if (!aes_key_size(key.size())) return failure(Errc::InvalidArgument, "an AES key has 16, 24 or 32 bytes");
    return SecretBytes(key);
  }
  if (key.size() != 8 && key.size() != 16 && key.size() != 24) {
    return failure(Errc::InvalidArgument, "a TDES key has 8, 16 or 24 bytes");
  }
  SecretBytes three(24);
  for (std::size_t i = 0; i < 24; ++i) three.writable()[i] = key[i % key.size()];
  return three;
}

enum class Direction : std::uint8_t { Encrypt, Decrypt };

Result<void> crypt(BlockCipher cipher, psa_algorithm_t algorithm, Direction direction, ByteView key, ByteView iv,
                   ByteView in, std::span<std::uint8_t> out) {
  if (out.size() != in.size()) return failure(Errc::InvalidArgument, "input and output differ in length");
  if (algorithm != PSA_ALG_CTR && in.size() % block_size(cipher) != 0) {
    return failure(Errc::InvalidArgument, "data is not of whole blocks");
  }
  if (algorithm != PSA_ALG_ECB_NO_PADDING && iv.size() != block_size(cipher)) {
    return failure(Errc::InvalidArgument, "the initial vector is not one block");
  }
  if (in.empty()) return {};
  const auto bytes = psa_key_bytes(cipher, key);
  ND_TRY(bytes);
  const bool encrypt = direction == Direction::Encrypt;
  const auto imported = PsaKey::import(cipher == BlockCipher::Aes ? PSA_KEY_TYPE_AES : PSA_KEY_TYPE_DES, algorithm,
                                       encrypt ? PSA_KEY_USAGE_ENCRYPT : PSA_KEY_USAGE_DECRYPT, bytes->view());
  ND_TRY(imported);
  // PSA wants room for a block more than it fills; `in` and `out` may also be the same memory.
  SecretBytes result(in.size() + 16);
  psa_cipher_operation_t operation = psa_cipher_operation_init();
  psa_status_t status = encrypt ? psa_cipher_encrypt_setup(&operation, imported->id(), algorithm)
                                : psa_cipher_decrypt_setup(&operation, imported->id(), algorithm);
  if (status == PSA_SUCCESS && algorithm != PSA_ALG_ECB_NO_PADDING) {
    status = psa_cipher_set_iv(&operation, iv.data(), iv.size());
  }
  std::size_t length = 0;
  std::size_t rest = 0;
  const auto room = result.writable();
  if (status == PSA_SUCCESS) {
    status = psa_cipher_update(&operation, in.data(), in.size(), room.data(), room.size(), &length);
  }
  if (status == PSA_SUCCESS) {
    status = psa_cipher_finish(&operation, room.data() + length, room.size() - length, &rest);
  }
  psa_cipher_abort(&operation);
  if (status != PSA_SUCCESS) return psa_failure(status, "the cipher failed");
  ND_ASSERT(length + rest == out.size());
  std::ranges::copy(result.view().first(out.size()), out.begin());
  return {};
}

}  // namespace

Digest sha256(ByteView data) {
  return Sha256().update(data).finish();
}
Digest sha256(ByteView first, ByteView second) {
  return Sha256().update(first).update(second).finish();
}
Digest hmac_sha256(ByteView key, ByteView data) {
  return HmacKey(key).mac(data);
}

SecretBytes hkdf_sha256(ByteView secret, ByteView salt, ByteView info, std::size_t size) {
  ND_ASSERT(size > 0 && size <= 255 * sizeof(Digest));
  const Secret<32> extracted(hmac_sha256(salt, secret));
  SecretBytes out(size);
  SecretBytes input(sizeof(Digest) + info.size() + 1);  // T(n-1) | info | n; the first has no T
  std::ranges::copy(info, input.writable().subspan(sizeof(Digest)).begin());
  std::size_t skip = sizeof(Digest);
  std::uint8_t round = 0;
  for (std::size_t done = 0; done < size; done += sizeof(Digest)) {
    input.writable().back() = ++round;
    const Secret<32> block(hmac_sha256(extracted.view(), input.view().subspan(skip)));
    std::ranges::copy(block.view().first(std::min(size - done, sizeof(Digest))), out.writable().subspan(done).begin());
    std::ranges::copy(block.view(), input.writable().begin());
    skip = 0;
  }
  return out;
}

Digest pbkdf2_hmac_sha256(ByteView pin, ByteView salt, std::uint32_t iterations) {
  ND_ASSERT(iterations > 0);
  constexpr std::array<std::uint8_t, 4> first_block{0, 0, 0, 1};
  const HmacKey key(pin);
  Digest round = key.mac(salt, first_block);
  Digest result = round;
  for (std::uint32_t i = 1; i < iterations; ++i) {
    round = key.mac(round);
    for (std::size_t j = 0; j < result.size(); ++j) result[j] ^= round[j];
  }
  return result;
}

Result<std::vector<std::uint8_t>> aes_gcm_seal(ByteView key, ByteView nonce, ByteView aad, ByteView plaintext) {
  if (!aes_key_size(key.size()) || nonce.size() != gcm_nonce_size) {
    return failure(Errc::InvalidArgument, "key or nonce of a wrong size");
  }
  const auto imported = PsaKey::import(PSA_KEY_TYPE_AES, PSA_ALG_GCM, PSA_KEY_USAGE_ENCRYPT, key);
  ND_TRY(imported);
  std::vector<std::uint8_t> sealed(plaintext.size() + gcm_tag_size);
  std::size_t length = 0;
  const psa_status_t status =
      psa_aead_encrypt(imported->id(), PSA_ALG_GCM, nonce.data(), nonce.size(), aad.data(), aad.size(),
                       plaintext.data(), plaintext.size(), sealed.data(), sealed.size(), &length);
  if (status != PSA_SUCCESS) return psa_failure(status, "sealing failed");
  ND_ASSERT(length == sealed.size());
  return sealed;
}

Result<SecretBytes> aes_gcm_open(ByteView key, ByteView nonce, ByteView aad, ByteView sealed) {
  if (!aes_key_size(key.size()) || nonce.size() != gcm_nonce_size) {
    return failure(Errc::InvalidArgument, "key or nonce of a wrong size");
  }
  if (sealed.size() < gcm_tag_size) return failure(Errc::WrongKey, "sealed data is too short");
  const auto imported = PsaKey::import(PSA_KEY_TYPE_AES, PSA_ALG_GCM, PSA_KEY_USAGE_DECRYPT, key);
  ND_TRY(imported);
  SecretBytes plaintext(sealed.size() - gcm_tag_size);
  std::uint8_t nothing = 0;  // an empty plaintext still wants an address
  std::size_t length = 0;
  const psa_status_t status = psa_aead_decrypt(
      imported->id(), PSA_ALG_GCM, nonce.data(), nonce.size(), aad.data(), aad.size(), sealed.data(), sealed.size(),
      plaintext.empty() ? &nothing : plaintext.writable().data(), plaintext.size(), &length);
  if (status != PSA_SUCCESS) return psa_failure(status, "sealed data does not open");
  ND_ASSERT(length == plaintext.size());
  return plaintext;
}

Result<void> ecb_encrypt(BlockCipher cipher, ByteView key, ByteView in, std::span<std::uint8_t> out) {
  return crypt(cipher, PSA_ALG_ECB_NO_PADDING, Direction::Encrypt, key, {}, in, out);
}
Result<void> ecb_decrypt(BlockCipher cipher, ByteView key, ByteView in, std::span<std::uint8_t> out) {
  return crypt(cipher, PSA_ALG_ECB_NO_PADDING, Direction::Decrypt, key, {}, in, out);
}
Result<void> cbc_encrypt(BlockCipher cipher, ByteView key, ByteView iv, ByteView in, std::span<std::uint8_t> out) {
  return crypt(cipher, PSA_ALG_CBC_NO_PADDING, Direction::Encrypt, key, iv, in, out);
}
Result<void> cbc_decrypt(BlockCipher cipher, ByteView key, ByteView iv, ByteView in, std::span<std::uint8_t> out) {
  return crypt(cipher, PSA_ALG_CBC_NO_PADDING, Direction::Decrypt, key, iv, in, out);
}
Result<void> aes_ctr(ByteView key, ByteView counter, ByteView in, std::span<std::uint8_t> out) {
  return crypt(BlockCipher::Aes, PSA_ALG_CTR, Direction::Encrypt, key, counter, in, out);
}

Result<std::vector<std::uint8_t>> cmac(BlockCipher cipher, ByteView key, ByteView data) {
  const auto bytes = psa_key_bytes(cipher, key);
  ND_TRY(bytes);
  const auto imported = PsaKey::import(cipher == BlockCipher::Aes ? PSA_KEY_TYPE_AES : PSA_KEY_TYPE_DES, PSA_ALG_CMAC,
                                       PSA_KEY_USAGE_SIGN_MESSAGE, bytes->view());
  ND_TRY(imported);
  std::vector<std::uint8_t> mac(block_size(cipher));
  psa_mac_operation_t operation = psa_mac_operation_init();
  psa_status_t status = psa_mac_sign_setup(&operation, imported->id(), PSA_ALG_CMAC);
  if (status == PSA_SUCCESS) status = psa_mac_update(&operation, data.data(), data.size());
  std::size_t length = 0;
  if (status == PSA_SUCCESS) status = psa_mac_sign_finish(&operation, mac.data(), mac.size(), &length);
  psa_mac_abort(&operation);
  if (status != PSA_SUCCESS) return psa_failure(status, "the MAC failed");
  ND_ASSERT(length == mac.size());
  return mac;
}

}  // namespace nightdrop
