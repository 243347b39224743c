// Using keys: each operation by its mechanism, with the lock held from …Init to the end.
#include <array>
#include <limits>

#include "pkcs11/session.hpp"
#include "pkcs11/token.hpp"

namespace nightdrop::pkcs11 {
namespace {

constexpr std::size_t aes_block = 16;
constexpr std::size_t gcm_nonce = 12;
constexpr std::size_t gcm_tag = 16;
constexpr std::size_t point_size = 65;

CK_BYTE* in_bytes(std::span<const std::uint8_t> bytes) {
  static constexpr CK_BYTE nothing = 0;  // modules refuse null where nothing is meant
  return const_cast<CK_BYTE*>(bytes.empty() ? &nothing : bytes.data());
}

CK_GCM_PARAMS gcm_parameters(std::span<const std::uint8_t> nonce, std::span<const std::uint8_t> aad) {
  return {in_bytes(nonce), nonce.size(), nonce.size() * 8, in_bytes(aad), aad.size(), gcm_tag * 8};
}

// A key that is in the token for one call.
class PassingKey {
 public:
  PassingKey(const Functions& functions, CK_SESSION_HANDLE session) : functions_(functions), session_(session) {}
  ~PassingKey() {
    if (handle_ != 0) functions_.C_DestroyObject(session_, handle_);
  }
  PassingKey(const PassingKey&) = delete;
  PassingKey& operator=(const PassingKey&) = delete;

  Result<CK_OBJECT_HANDLE> make(std::span<const std::uint8_t> bytes) {
    Template made;
    made.number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES).flag(CKA_TOKEN, false);
    made.flag(CKA_PRIVATE, true).flag(CKA_SENSITIVE, true).flag(CKA_EXTRACTABLE, false).flag(CKA_WRAP, true);
    made.flag(CKA_ENCRYPT, false).flag(CKA_DECRYPT, false).flag(CKA_SIGN, false).flag(CKA_VERIFY, false);
    made.flag(CKA_UNWRAP, false).bytes(CKA_VALUE, bytes);
    ND_CHECK(functions_.C_CreateObject(session_, made.data(), made.size(), &handle_),
             "the token does not take a key to wrap with");
    return handle_;
  }

 private:
  const Functions& functions_;
  CK_SESSION_HANDLE session_;
  CK_OBJECT_HANDLE handle_{0};
};

// A CKA_EC_POINT: an OCTET STRING around 04 | x | y; some modules leave the OCTET STRING out.
Result<std::vector<std::uint8_t>> point_of(std::vector<std::uint8_t> attribute) {
  if (attribute.size() == point_size + 2 && attribute[0] == 0x04 && attribute[1] == point_size) {
    attribute.erase(attribute.begin(), attribute.begin() + 2);
  }
  if (attribute.size() != point_size || attribute[0] != 0x04) {
    return failure(Errc::Malformed, "the token's public key is not an uncompressed P-256 point");
  }
  return attribute;
}

// One call of C_Sign with `mechanism`.
Result<std::vector<std::uint8_t>> sign_with(Session& state, std::string_view label, CK_MECHANISM_TYPE type,
                                            std::span<const std::uint8_t> data, std::size_t size) {
  const auto handle = state.key(label);
  if (!handle) return std::unexpected(handle.error());
  CK_MECHANISM mechanism{type, nullptr, 0};
  ND_CHECK(state.functions->C_SignInit(state.session, &mechanism, *handle), "the key is not for this");
  std::vector<std::uint8_t> out(size);
  CK_ULONG length = out.size();
  ND_CHECK(state.functions->C_Sign(state.session, in_bytes(data), data.size(), out.data(), &length),
           "the token does not sign");
  if (length != size) return failure(Errc::CryptoFailed, "the token's signature has another size");
  return out;
}

}  // namespace

Result<void> Token::encrypt_ecb(std::string_view label, std::span<const std::uint8_t> in, std::span<std::uint8_t> out) {
  if (in.empty() || in.size() % aes_block != 0 || out.size() != in.size()) {
    return failure(Errc::InvalidArgument, "ECB takes whole blocks");
  }
  const std::lock_guard lock(state_->mutex);
  const auto handle = state_->key(label);
  if (!handle) return std::unexpected(handle.error());
  CK_MECHANISM mechanism{CKM_AES_ECB, nullptr, 0};
  ND_CHECK(state_->functions->C_EncryptInit(state_->session, &mechanism, *handle), "the key does not encrypt");
  CK_ULONG length = out.size();
  ND_CHECK(state_->functions->C_Encrypt(state_->session, in_bytes(in), in.size(), out.data(), &length),
           "the token does not encrypt");
  if (length != out.size()) return failure(Errc::CryptoFailed, "the token's ciphertext has another size");
  return {};
}

Result<std::vector<std::uint8_t>> Token::seal(std::string_view label, std::span<const std::uint8_t> nonce,
                                              std::span<const std::uint8_t> aad,
                                              std::span<const std::uint8_t> plaintext) {
  if (nonce.size() != gcm_nonce) return failure(Errc::InvalidArgument, "a GCM nonce has 12 bytes");
  const std::lock_guard lock(state_->mutex);
  const auto handle = state_->key(label);
  if (!handle) return std::unexpected(handle.error());
  CK_GCM_PARAMS parameters = gcm_parameters(nonce, aad);
  CK_MECHANISM mechanism{CKM_AES_GCM, &parameters, sizeof(parameters)};
  ND_CHECK(state_->functions->C_EncryptInit(state_->session, &mechanism, *handle), "the key does not encrypt");
  std::vector<std::uint8_t> sealed(plaintext.size() + gcm_tag);
  CK_ULONG length = sealed.size();
  ND_CHECK(state_->functions->C_Encrypt(state_->session, in_bytes(plaintext), plaintext.size(), sealed.data(), &length),
           "the token does not encrypt");
  if (length != sealed.size()) return failure(Errc::CryptoFailed, "the token's ciphertext has another size");
  return sealed;
}

Result<SecretBytes> Token::open_sealed(std::string_view label, std::span<const std::uint8_t> nonce,
                                       std::span<const std::uint8_t> aad, std::span<const std::uint8_t> sealed) {
  if (nonce.size() != gcm_nonce) return failure(Errc::InvalidArgument, "a GCM nonce has 12 bytes");
  if (sealed.size() < gcm_tag) return failure(Errc::InvalidArgument, "sealed data is at least its tag");
  const std::lock_guard lock(state_->mutex);
  const auto handle = state_->key(label);
  if (!handle) return std::unexpected(handle.error());
  CK_GCM_PARAMS parameters = gcm_parameters(nonce, aad);
  CK_MECHANISM mechanism{CKM_AES_GCM, &parameters, sizeof(parameters)};
  ND_CHECK(state_->functions->C_DecryptInit(state_->session, &mechanism, *handle), "the key does not decrypt");
  SecretBytes plaintext(sealed.size());  // modules want room for the tag too
  CK_ULONG length = plaintext.size();
  const CK_RV code = state_->functions->C_Decrypt(state_->session, in_bytes(sealed), sealed.size(),
                                                  plaintext.writable().data(), &length);
  // SoftHSM says "general error" where the tag differs.
  if (code == CKR_ENCRYPTED_DATA_INVALID || code == CKR_GENERAL_ERROR || code == CKR_ENCRYPTED_DATA_LEN_RANGE) {
    return failure(Errc::WrongKey, "the sealed data is not this key's, or was changed", static_cast<int>(code));
  }
  ND_CHECK(code, "the token does not decrypt");
  if (length > sealed.size() - gcm_tag) return failure(Errc::CryptoFailed, "the token's plaintext has another size");
  plaintext.truncate(length);
  return Result<SecretBytes>(std::move(plaintext));
}

Result<std::vector<std::uint8_t>> Token::cmac(std::string_view label, std::span<const std::uint8_t> data) {
  const std::lock_guard lock(state_->mutex);
  return sign_with(*state_, label, CKM_AES_CMAC, data, aes_block);
}

Result<std::vector<std::uint8_t>> Token::sign_digest(std::string_view label, std::span<const std::uint8_t> digest) {
  if (digest.size() != 32) return failure(Errc::InvalidArgument, "a SHA-256 digest has 32 bytes");
  const std::lock_guard lock(state_->mutex);
  return sign_with(*state_, label, CKM_ECDSA, digest, 64);
}

Result<std::vector<std::uint8_t>> Token::public_key(std::string_view label) {
  const std::lock_guard lock(state_->mutex);
  const auto handle = state_->public_key(label);
  if (!handle) return std::unexpected(handle.error());
  auto attribute = state_->bytes_attribute(*handle, CKA_EC_POINT);
  if (!attribute) return std::unexpected(attribute.error());
  return point_of(std::move(*attribute));
}

Result<std::vector<std::uint8_t>> Token::wrap_out(std::string_view label, std::span<const std::uint8_t> wrapping_key) {
  if (wrapping_key.size() != 32) return failure(Errc::InvalidArgument, "the wrapping key has 32 bytes");
  const std::lock_guard lock(state_->mutex);
  const auto handle = state_->key(label);
  if (!handle) return std::unexpected(handle.error());
  PassingKey passing(*state_->functions, state_->session);
  const auto wrapping = passing.make(wrapping_key);
  if (!wrapping) return std::unexpected(wrapping.error());
  CK_MECHANISM mechanism{CKM_AES_KEY_WRAP_PAD, nullptr, 0};
  std::vector<std::uint8_t> wrapped(64);
  CK_ULONG length = wrapped.size();
  ND_CHECK(state_->functions->C_WrapKey(state_->session, &mechanism, *wrapping, *handle, wrapped.data(), &length),
           "the token does not let this key out");
  wrapped.resize(length);
  return wrapped;
}

}  // namespace nightdrop::pkcs11
