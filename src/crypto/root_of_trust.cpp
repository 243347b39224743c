#include "crypto/root_of_trust.hpp"

#include <algorithm>
#include <cstdlib>

#include "crypto/file_root.hpp"
#include "crypto/primitives.hpp"
#include "crypto/token_root.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop {
namespace {

constexpr std::string_view magic = "NDV1";

std::string aad_of(const char* role) {
  return std::string("nightdrop-vault/1\n") + role;
}

}  // namespace

Result<std::unique_ptr<RootOfTrust>> make_root(const VaultDirectory& directory, const RootSettings& settings) {
  if (settings.kind == RootSettings::Kind::Files) return FileRoot::make(directory, settings);
  return TokenRoot::make(directory, settings);
}

Result<std::unique_ptr<RootOfTrust>> open_root(const VaultDirectory& directory, const RootSettings& settings) {
  if (settings.kind == RootSettings::Kind::Files) return FileRoot::open(directory, settings);
  return TokenRoot::open(directory, settings);
}

Result<void> destroy_root(const VaultDirectory& directory, const RootSettings& settings) {
  if (settings.kind == RootSettings::Kind::Files) return FileRoot::destroy(directory);
  return TokenRoot::destroy(directory, settings);
}

Result<SecretBytes> read_credential(const std::string& name) {
  const char* const folder = std::getenv("CREDENTIALS_DIRECTORY");
  if (folder == nullptr || name.empty() || name.find('/') != std::string::npos) {
    return failure(Errc::NotFound, "there is no systemd credential of that name");
  }
  const auto directory = VaultDirectory::open(folder);
  ND_TRY(directory);
  return directory->read(name.c_str(), true);
}

Result<void> write_sealed(const VaultDirectory& directory, RootOfTrust& root, const char* role,
                          std::span<const std::uint8_t> plaintext) {
  const auto sealed = root.seal(aad_of(role), plaintext);
  ND_TRY(sealed);
  std::vector<std::uint8_t> file(magic.begin(), magic.end());
  file.insert(file.end(), sealed->begin(), sealed->end());
  return directory.replace(role, file, 0600);
}

Result<SecretBytes> read_sealed(const VaultDirectory& directory, RootOfTrust& root, const char* role) {
  const auto file = directory.read(role);
  ND_TRY(file);
  const auto bytes = file->view();
  if (bytes.size() < magic.size() + gcm_nonce_size + gcm_tag_size ||
      !std::ranges::equal(bytes.first(magic.size()), bytes_of(magic))) {
    return failure(Errc::WrongKey, "a file of the vault was changed");
  }
  return root.open(aad_of(role), bytes.subspan(magic.size()));
}

}  // namespace nightdrop
