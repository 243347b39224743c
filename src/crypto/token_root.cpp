#include "crypto/token_root.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "crypto/primitives.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop {
namespace {

constexpr const char* id_file = "root.token";
constexpr std::size_t id_size = 8;
constexpr std::size_t mark_size = 8 + 4 + 8;  // IKID, ceiling, generation
constexpr std::size_t root_key_size = 32;

// The PIN: a file's first line, so that an editor's line feed does no harm.
Result<SecretBytes> pin_of(const RootSettings& settings) {
  auto read = [&]() -> Result<SecretBytes> {
    if (!settings.pin_credential.empty()) return read_credential(settings.pin_credential);
    const std::filesystem::path file(settings.pin_file);
    const auto folder = VaultDirectory::open(file.has_parent_path() ? file.parent_path() : ".");
    ND_TRY(folder);
    return folder->read(file.filename().c_str(), true);
  };
  auto pin = read();
  if (!pin && pin.error().code == Errc::NotFound) {
    return failure(Errc::NotFound, "the token's PIN file is not there", pin.error().native);
  }
  ND_TRY(pin);
  const auto bytes = pin->view();
  const auto end = std::ranges::find_if(bytes, [](std::uint8_t byte) { return byte == '\n' || byte == '\r'; });
  pin->truncate(static_cast<std::size_t>(end - bytes.begin()));
  return pin;
}

Result<std::unique_ptr<pkcs11::Token>> open_token(const RootSettings& settings) {
  const auto pin = pin_of(settings);
  ND_TRY(pin);
  return pkcs11::Token::open({settings.module, settings.token_label}, *pin);
}

Result<std::string> read_id(const VaultDirectory& directory) {
  const auto file = directory.read(id_file);
  if (!file && file.error().code == Errc::NotFound) {
    return failure(Errc::NotFound, "the vault is not one of a token", file.error().native);
  }
  ND_TRY(file);
  if (file->size() != 2 * id_size) return failure(Errc::Corrupt, "root.token has a wrong length");
  const auto id = file->view();
  return std::string(id.begin(), id.end());
}

}  // namespace

TokenRoot::TokenRoot(const VaultDirectory& directory, std::unique_ptr<pkcs11::Token> token, const std::string& id)
    : directory_(directory),
      token_(std::move(token)),
      root_label_("nightdrop-root-" + id),
      identity_label_("nightdrop-identity-" + id),
      mark_label_("nightdrop-mark-" + id) {}

Result<std::unique_ptr<RootOfTrust>> TokenRoot::make(const VaultDirectory& directory, const RootSettings& settings) {
  ND_TRY(destroy(directory, settings));
  auto token = open_token(settings);
  ND_TRY(token);
  std::array<std::uint8_t, id_size> bytes{};
  ND_TRY(random_bytes(bytes));
  const std::string id = hex_lower(bytes);
  // Before the keys: a making that is cut off is cleared away by the next.
  ND_TRY(directory.replace(id_file, bytes_of(id), 0600));
  auto root = std::unique_ptr<TokenRoot>(new TokenRoot(directory, std::move(*token), id));
  ND_TRY(root->token_->generate_aes(root_key_size, {root->root_label_, {pkcs11::KeyUse::Encrypt}}));
  ND_TRY(root->token_->generate_p256({root->identity_label_, {pkcs11::KeyUse::Sign}}));
  ND_TRY(root->read_public_key());
  return root;
}

Result<std::unique_ptr<RootOfTrust>> TokenRoot::open(const VaultDirectory& directory, const RootSettings& settings) {
  const auto id = read_id(directory);
  ND_TRY(id);
  auto token = open_token(settings);
  ND_TRY(token);
  auto root = std::unique_ptr<TokenRoot>(new TokenRoot(directory, std::move(*token), *id));
  ND_TRY(root->read_public_key());
  return root;
}

Result<void> TokenRoot::read_public_key() {
  const auto point = token_->public_key(identity_label_);
  ND_TRY(point);
  if (point->size() != public_key_.size()) return failure(Errc::Corrupt, "the token's identity key is no P-256 key");
  std::ranges::copy(*point, public_key_.begin());
  return {};
}

Result<std::vector<std::uint8_t>> TokenRoot::seal(std::string_view aad, std::span<const std::uint8_t> plaintext) {
  std::vector<std::uint8_t> bytes(gcm_nonce_size);
  ND_TRY(random_bytes(bytes));
  const auto sealed = token_->seal(root_label_, bytes, bytes_of(aad), plaintext);
  ND_TRY(sealed);
  bytes.insert(bytes.end(), sealed->begin(), sealed->end());
  return bytes;
}

Result<SecretBytes> TokenRoot::open(std::string_view aad, std::span<const std::uint8_t> sealed) {
  return token_->open_sealed(root_label_, sealed.first(gcm_nonce_size), bytes_of(aad), sealed.subspan(gcm_nonce_size));
}

Result<std::vector<std::uint8_t>> TokenRoot::sign_digest(std::span<const std::uint8_t> digest) {
  const auto raw = token_->sign_digest(identity_label_, digest);
  if (!raw && raw.error().code == Errc::NotFound) return failure(Errc::Unavailable, "the vault was erased");
  ND_TRY(raw);
  if (raw->size() != std::tuple_size_v<P256RawSignature>) {
    return failure(Errc::CryptoFailed, "the token's signature has a wrong length");
  }
  P256RawSignature signature{};
  std::ranges::copy(*raw, signature.begin());
  return p256_signature_to_der(signature);
}

Result<std::optional<RootMark>> TokenRoot::mark() {
  const auto value = token_->read_value(mark_label_);
  if (!value && value.error().code == Errc::NotFound) {
    // Every complete vault has one: without it nothing tells whether this is an older copy.
    return failure(Errc::Corrupt, "the token has lost the vault's mark");
  }
  ND_TRY(value);
  if (value->size() != mark_size) return failure(Errc::Corrupt, "the vault's mark in the token has a wrong length");
  RootMark mark;
  std::copy_n(value->begin(), 8, mark.initial_key_id.begin());
  for (std::size_t i = 8; i < 12; ++i) mark.ceiling = mark.ceiling << 8 | (*value)[i];
  for (std::size_t i = 12; i < mark_size; ++i) mark.generation = mark.generation << 8 | (*value)[i];
  return mark;
}

Result<void> TokenRoot::set_mark(const RootMark& mark) {
  std::array<std::uint8_t, mark_size> value{};
  std::ranges::copy(mark.initial_key_id, value.begin());
  for (std::size_t i = 0; i < 4; ++i) value[8 + i] = static_cast<std::uint8_t>(mark.ceiling >> (24 - 8 * i));
  for (std::size_t i = 0; i < 8; ++i) value[12 + i] = static_cast<std::uint8_t>(mark.generation >> (56 - 8 * i));
  return token_->write_value(mark_label_, value);
}

// The mark's value stays: a token has no function here to remove it, and it says nothing of any key.
Result<void> TokenRoot::destroy_keys() {
  const auto gone = [&](const std::string& label) -> Result<void> {
    const auto done = token_->destroy(label);
    return done || done.error().code == Errc::NotFound ? Result<void>() : done;
  };
  const auto root_gone = gone(root_label_);
  ND_TRY(gone(identity_label_));
  return root_gone;
}

Result<void> TokenRoot::destroy() {
  ND_TRY(destroy_keys());
  return directory_.destroy(id_file);
}

Result<void> TokenRoot::destroy(const VaultDirectory& directory, const RootSettings& settings) {
  if (!directory.has(id_file)) return {};
  const auto id = read_id(directory);
  if (id) {
    auto token = open_token(settings);
    ND_TRY(token);
    ND_TRY(TokenRoot(directory, std::move(*token), *id).destroy_keys());
  }
  return directory.destroy(id_file);
}

}  // namespace nightdrop
