#include "crypto/file_root.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <mutex>
#include <utility>

#include "crypto/primitives.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop {
namespace {

constexpr const char* root_file = "root.key";
constexpr const char* identity_role = "identity";
constexpr const char* usual_credential = "nightdrop-root-key";
constexpr std::size_t root_key_size = 32;

bool has_credential(const std::string& name) {
  const char* const folder = std::getenv("CREDENTIALS_DIRECTORY");
  std::error_code error;
  return folder != nullptr && std::filesystem::exists(std::filesystem::path(folder) / name, error);
}

Result<SecretBytes> root_key_of(const VaultDirectory& directory, const RootSettings& settings) {
  const bool named = !settings.root_credential.empty();
  const bool in_file = !named && (directory.has(root_file) || !has_credential(usual_credential));
  auto key = in_file ? directory.read(root_file, true)
                     : read_credential(named ? settings.root_credential : std::string(usual_credential));
  ND_TRY(key);
  if (key->size() != root_key_size) return failure(Errc::Corrupt, "the root key has a wrong length");
  return key;
}

}  // namespace

Result<std::unique_ptr<RootOfTrust>> FileRoot::make(const VaultDirectory& directory, const RootSettings& settings) {
  ND_TRY(directory.destroy(root_file));
  if (settings.root_credential.empty() && !has_credential(usual_credential)) {
    SecretBytes fresh(root_key_size);
    ND_TRY(random_bytes(fresh.writable()));
    ND_TRY(directory.replace(root_file, fresh.view(), 0400));
  }
  auto root_key = root_key_of(directory, settings);
  ND_TRY(root_key);
  auto root = std::unique_ptr<FileRoot>(new FileRoot(directory, std::move(*root_key)));
  const auto scalar = p256_generate();
  ND_TRY(scalar);
  ND_TRY(root->take_identity(SecretBytes(scalar->view())));
  ND_TRY(write_sealed(directory, *root, identity_role, scalar->view()));
  return root;
}

Result<std::unique_ptr<RootOfTrust>> FileRoot::open(const VaultDirectory& directory, const RootSettings& settings) {
  auto root_key = root_key_of(directory, settings);
  ND_TRY(root_key);
  auto root = std::unique_ptr<FileRoot>(new FileRoot(directory, std::move(*root_key)));
  auto identity = read_sealed(directory, *root, identity_role);
  ND_TRY(identity);
  ND_TRY(root->take_identity(std::move(*identity)));
  return root;
}

Result<void> FileRoot::take_identity(SecretBytes scalar) {
  if (scalar.size() != 32) return failure(Errc::Corrupt, "the identity key has a wrong length");
  const auto point = p256_public_key(scalar.view().first<32>());
  ND_TRY(point);
  public_key_ = *point;
  identity_ = std::move(scalar);
  return {};
}

Result<std::vector<std::uint8_t>> FileRoot::seal(std::string_view aad, std::span<const std::uint8_t> plaintext) {
  const std::shared_lock lock(mutex_);
  if (root_key_.empty()) return failure(Errc::Unavailable, "the vault was erased");
  std::array<std::uint8_t, gcm_nonce_size> nonce{};
  ND_TRY(random_bytes(nonce));
  const auto sealed = aes_gcm_seal(root_key_.view(), nonce, bytes_of(aad), plaintext);
  ND_TRY(sealed);
  std::vector<std::uint8_t> bytes(nonce.begin(), nonce.end());
  bytes.insert(bytes.end(), sealed->begin(), sealed->end());
  return bytes;
}

Result<SecretBytes> FileRoot::open(std::string_view aad, std::span<const std::uint8_t> sealed) {
  const std::shared_lock lock(mutex_);
  if (root_key_.empty()) return failure(Errc::Unavailable, "the vault was erased");
  return aes_gcm_open(root_key_.view(), sealed.first(gcm_nonce_size), bytes_of(aad), sealed.subspan(gcm_nonce_size));
}

Result<std::vector<std::uint8_t>> FileRoot::sign_digest(std::span<const std::uint8_t> digest) {
  const std::shared_lock lock(mutex_);
  if (identity_.empty()) return failure(Errc::Unavailable, "the vault was erased");
  return p256_sign_digest(identity_.view().first<32>(), digest);
}

Result<void> FileRoot::destroy() {
  const std::lock_guard lock(mutex_);
  root_key_ = SecretBytes();
  identity_ = SecretBytes();
  return destroy(directory_);
}

Result<void> FileRoot::destroy(const VaultDirectory& directory) {
  const auto key_gone = directory.destroy(root_file);
  ND_TRY(directory.destroy(identity_role));
  return key_gone;
}

}  // namespace nightdrop
