// Keys in the token: made, brought in, listed, destroyed; and the small values. What a key may do is said once, when it
// is made; the token holds it to that.
#include "pkcs11/token.hpp"

#include <algorithm>
#include <array>

#include "pkcs11/session.hpp"

namespace nightdrop::pkcs11 {
namespace {

// P-256 as CKA_EC_PARAMS: the curve's object identifier, 1.2.840.10045.3.1.7.
constexpr std::array<std::uint8_t, 10> p256_parameters{0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07};
constexpr std::string_view application = "nightdrop";
constexpr std::size_t generation_size = 8;

bool may(const KeyTemplate& key, KeyUse use) {
  return std::ranges::find(key.uses, use) != key.uses.end();
}

// What all keys have in common.
void describe_key(Template& made, const KeyTemplate& key, CK_OBJECT_CLASS kind, CK_KEY_TYPE type) {
  made.number(CKA_CLASS, kind).number(CKA_KEY_TYPE, type);
  made.text(CKA_LABEL, key.label).text(CKA_ID, key.label).flag(CKA_TOKEN, key.persistent);
}

void describe_secret(Template& made, const KeyTemplate& key) {
  made.flag(CKA_PRIVATE, true).flag(CKA_SENSITIVE, true).flag(CKA_EXTRACTABLE, key.extractable);
  made.flag(CKA_MODIFIABLE, true);  // lock_extraction() is a change
}

void describe_aes(Template& made, const KeyTemplate& key) {
  describe_key(made, key, CKO_SECRET_KEY, CKK_AES);
  describe_secret(made, key);
  const bool encrypts = may(key, KeyUse::Encrypt);
  made.flag(CKA_ENCRYPT, encrypts || may(key, KeyUse::Derive)).flag(CKA_DECRYPT, encrypts);
  made.flag(CKA_SIGN, may(key, KeyUse::Authenticate)).flag(CKA_VERIFY, may(key, KeyUse::Authenticate));
  made.flag(CKA_WRAP, false).flag(CKA_UNWRAP, false).flag(CKA_DERIVE, false);
}

bool is_aes_size(std::size_t bytes) {
  return bytes == 16 || bytes == 32;
}

std::uint64_t generation_of(std::span<const std::uint8_t> stored) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < generation_size; ++i) number = number << 8 | stored[i];
  return number;
}

// The values under a label: normally one; two where a crash came between making the new and destroying the old.
struct Stored {
  CK_OBJECT_HANDLE object{0};
  std::vector<std::uint8_t> bytes;  // generation, value
};

Result<std::vector<Stored>> stored_values(Session& state, std::string_view label) {
  const auto found = state.find(CKO_DATA, label);
  if (!found) return std::unexpected(found.error());
  std::vector<Stored> values;
  for (const CK_OBJECT_HANDLE object : *found) {
    auto bytes = state.bytes_attribute(object, CKA_VALUE);
    if (!bytes) return std::unexpected(bytes.error());
    if (bytes->size() < generation_size) return failure(Errc::Corrupt, "a value in the token is not one of ours");
    values.push_back({object, std::move(*bytes)});
  }
  std::ranges::sort(values, std::greater{}, [](const Stored& value) { return generation_of(value.bytes); });
  return values;
}

std::string kind_of(Session& state, CK_OBJECT_HANDLE object) {
  const auto type = state.number_attribute(object, CKA_KEY_TYPE);
  const auto bytes = state.number_attribute(object, CKA_VALUE_LEN);
  const std::string bits = std::to_string(bytes.value_or(0) * 8);
  if (type == CK_ULONG{CKK_AES}) return "aes-" + bits;
  if (type == CK_ULONG{CKK_GENERIC_SECRET}) return "hmac-" + bits;
  if (type == CK_ULONG{CKK_EC}) return "p256";
  return "unknown";
}

KeyFacts facts_of(Session& state, CK_OBJECT_HANDLE object, std::string label) {
  KeyFacts facts;
  facts.label = std::move(label);
  facts.kind = kind_of(state, object);
  facts.extractable = state.flag_attribute(object, CKA_EXTRACTABLE, true);
  facts.sensitive = state.flag_attribute(object, CKA_SENSITIVE, false);
  facts.never_extractable = state.flag_attribute(object, CKA_NEVER_EXTRACTABLE, false);
  facts.local = state.flag_attribute(object, CKA_LOCAL, false);
  return facts;
}

}  // namespace

Result<void> Token::generate_aes(std::size_t bytes, const KeyTemplate& key) {
  if (!is_aes_size(bytes)) return failure(Errc::InvalidArgument, "an AES key has 16 or 32 bytes");
  const std::lock_guard lock(state_->mutex);
  ND_TRY(state_->expect_free(key.label));
  Template made;
  describe_aes(made, key);
  made.number(CKA_VALUE_LEN, bytes);
  CK_MECHANISM mechanism{CKM_AES_KEY_GEN, nullptr, 0};
  CK_OBJECT_HANDLE handle = 0;
  ND_CHECK(state_->functions->C_GenerateKey(state_->session, &mechanism, made.data(), made.size(), &handle),
           "the token does not make the AES key");
  return key.persistent ? state_->settle() : Result<void>();
}

Result<void> Token::generate_p256(const KeyTemplate& key) {
  const std::lock_guard lock(state_->mutex);
  ND_TRY(state_->expect_free(key.label));
  Template open_half;
  describe_key(open_half, key, CKO_PUBLIC_KEY, CKK_EC);
  open_half.bytes(CKA_EC_PARAMS, p256_parameters).flag(CKA_PRIVATE, false).flag(CKA_VERIFY, may(key, KeyUse::Sign));
  Template secret_half;
  describe_key(secret_half, key, CKO_PRIVATE_KEY, CKK_EC);
  describe_secret(secret_half, key);
  secret_half.flag(CKA_SIGN, may(key, KeyUse::Sign)).flag(CKA_DERIVE, may(key, KeyUse::Derive));
  CK_MECHANISM mechanism{CKM_EC_KEY_PAIR_GEN, nullptr, 0};
  CK_OBJECT_HANDLE public_half = 0;
  CK_OBJECT_HANDLE private_half = 0;
  ND_CHECK(state_->functions->C_GenerateKeyPair(state_->session, &mechanism, open_half.data(), open_half.size(),
                                                secret_half.data(), secret_half.size(), &public_half, &private_half),
           "the token does not make the P-256 key");
  return key.persistent ? state_->settle() : Result<void>();
}

Result<void> Token::import_aes(std::span<const std::uint8_t> bytes, const KeyTemplate& key) {
  if (!is_aes_size(bytes.size())) return failure(Errc::InvalidArgument, "an AES key has 16 or 32 bytes");
  const std::lock_guard lock(state_->mutex);
  ND_TRY(state_->expect_free(key.label));
  Template made;
  describe_aes(made, key);
  made.bytes(CKA_VALUE, bytes);
  CK_OBJECT_HANDLE handle = 0;
  ND_CHECK(state_->functions->C_CreateObject(state_->session, made.data(), made.size(), &handle),
           "the token does not take the AES key");
  return key.persistent ? state_->settle() : Result<void>();
}

Result<void> Token::import_p256(std::span<const std::uint8_t, 32> scalar, std::span<const std::uint8_t, 65> point,
                                const KeyTemplate& key) {
  const std::lock_guard lock(state_->mutex);
  ND_TRY(state_->expect_free(key.label));
  std::vector<std::uint8_t> octets{0x04, 65};  // a DER OCTET STRING
  octets.insert(octets.end(), point.begin(), point.end());
  Template open_half;
  describe_key(open_half, key, CKO_PUBLIC_KEY, CKK_EC);
  open_half.bytes(CKA_EC_PARAMS, p256_parameters).bytes(CKA_EC_POINT, octets);
  open_half.flag(CKA_PRIVATE, false).flag(CKA_VERIFY, may(key, KeyUse::Sign));
  Template secret_half;
  describe_key(secret_half, key, CKO_PRIVATE_KEY, CKK_EC);
  describe_secret(secret_half, key);
  secret_half.flag(CKA_SIGN, may(key, KeyUse::Sign)).flag(CKA_DERIVE, may(key, KeyUse::Derive));
  secret_half.bytes(CKA_EC_PARAMS, p256_parameters).bytes(CKA_VALUE, scalar);
  CK_OBJECT_HANDLE handle = 0;
  // The private half last: has() tells of a key that is whole.
  ND_CHECK(state_->functions->C_CreateObject(state_->session, open_half.data(), open_half.size(), &handle),
           "the token does not take the P-256 key");
  ND_CHECK(state_->functions->C_CreateObject(state_->session, secret_half.data(), secret_half.size(), &handle),
           "the token does not take the P-256 key");
  return {};
}

Result<void> Token::destroy(std::string_view label) {
  const std::lock_guard lock(state_->mutex);
  const auto secret = state_->key(label);
  if (!secret) return std::unexpected(secret.error());
  const auto open_half = state_->public_key(label);
  state_->secret_keys.erase(std::string(label));
  state_->public_keys.erase(std::string(label));
  ND_CHECK(state_->functions->C_DestroyObject(state_->session, *secret), "the token does not destroy the key");
  if (open_half) {
    ND_CHECK(state_->functions->C_DestroyObject(state_->session, *open_half), "the token does not destroy the key");
  }
  return state_->settle();
}

Result<void> Token::lock_extraction(std::string_view label) {
  const std::lock_guard lock(state_->mutex);
  const auto handle = state_->key(label);
  if (!handle) return std::unexpected(handle.error());
  Template change;
  change.flag(CKA_EXTRACTABLE, false);
  ND_CHECK(state_->functions->C_SetAttributeValue(state_->session, *handle, change.data(), change.size()),
           "the token does not forbid the key's extraction");
  return state_->settle();
}

Result<void> Token::rename_aes(std::string_view label, std::string_view to) {
  const std::lock_guard lock(state_->mutex);
  const auto handle = state_->key(label);
  if (!handle) return std::unexpected(handle.error());
  ND_TRY(state_->expect_free(to));
  Template change;
  change.text(CKA_LABEL, to).text(CKA_ID, to);
  ND_CHECK(state_->functions->C_SetAttributeValue(state_->session, *handle, change.data(), change.size()),
           "the token does not give the key another label");
  state_->secret_keys.erase(std::string(label));
  return state_->settle();
}

Result<KeyFacts> Token::facts(std::string_view label) {
  const std::lock_guard lock(state_->mutex);
  const auto handle = state_->key(label);
  if (!handle) return std::unexpected(handle.error());
  return facts_of(*state_, *handle, std::string(label));
}

Result<std::vector<KeyFacts>> Token::list() {
  const std::lock_guard lock(state_->mutex);
  std::vector<KeyFacts> all;
  for (const CK_OBJECT_CLASS kind : {CKO_SECRET_KEY, CKO_PRIVATE_KEY}) {
    Template wanted;
    wanted.number(CKA_CLASS, kind);
    const auto found = state_->find(wanted);
    if (!found) return std::unexpected(found.error());
    for (const CK_OBJECT_HANDLE object : *found) {
      const auto label = state_->bytes_attribute(object, CKA_LABEL);
      if (!label) return std::unexpected(label.error());
      all.push_back(facts_of(*state_, object, std::string(label->begin(), label->end())));
    }
  }
  std::ranges::sort(all, {}, &KeyFacts::label);
  return all;
}

bool Token::has(std::string_view label) {
  const std::lock_guard lock(state_->mutex);
  for (const CK_OBJECT_CLASS kind : {CKO_SECRET_KEY, CKO_PRIVATE_KEY}) {
    const auto found = state_->find(kind, label);
    if (found && !found->empty()) return true;
  }
  return false;
}

Result<std::vector<std::uint8_t>> Token::read_value(std::string_view label) {
  const std::lock_guard lock(state_->mutex);
  auto values = stored_values(*state_, label);
  if (!values) return std::unexpected(values.error());
  if (values->empty()) return failure(Errc::NotFound, "the token has no value of that label");
  std::vector<std::uint8_t>& newest = values->front().bytes;
  return std::vector<std::uint8_t>(newest.begin() + generation_size, newest.end());
}

Result<void> Token::write_value(std::string_view label, std::span<const std::uint8_t> value) {
  const std::lock_guard lock(state_->mutex);
  const auto before = stored_values(*state_, label);
  if (!before) return std::unexpected(before.error());
  const std::uint64_t generation = before->empty() ? 1 : generation_of(before->front().bytes) + 1;
  std::vector<std::uint8_t> bytes(generation_size);
  for (std::size_t i = 0; i < generation_size; ++i) bytes[i] = static_cast<std::uint8_t>(generation >> (56 - 8 * i));
  bytes.insert(bytes.end(), value.begin(), value.end());
  Template made;
  made.number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, true).flag(CKA_PRIVATE, true).flag(CKA_MODIFIABLE, true);
  made.text(CKA_LABEL, label).text(CKA_APPLICATION, application).bytes(CKA_VALUE, bytes);
  CK_OBJECT_HANDLE handle = 0;
  ND_CHECK(state_->functions->C_CreateObject(state_->session, made.data(), made.size(), &handle),
           "the token does not take the value");
  ND_TRY(state_->settle());
  for (const Stored& old : *before) {
    ND_CHECK(state_->functions->C_DestroyObject(state_->session, old.object),
             "the token does not let the old value go");
  }
  return {};
}

}  // namespace nightdrop::pkcs11
