#include "crypto/vault_maker.hpp"

#include <utility>

#include "crypto/primitives.hpp"
#include "crypto/spending.hpp"
#include "crypto/vault_files.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop {
namespace {

constexpr std::size_t fingerprint_key_min = 16;

Result<void> check(const VaultContents& contents) {
  ND_TRY(dukpt::aes_kind(contents.initial_key.size()));
  if (contents.fingerprint_key.size() < fingerprint_key_min) {
    return failure(Errc::InvalidArgument, "a fingerprint key has at least 16 bytes");
  }
  if (!contents.queue_key.empty() && contents.queue_key.size() != vault_files::queue_key_size) {
    return failure(Errc::InvalidArgument, "a queue key has 32 bytes");
  }
  return {};
}

// The key as given, or a fresh one where none is.
Result<SecretBytes> given_or_fresh(const SecretBytes& given, std::size_t size) {
  if (!given.empty()) return SecretBytes(given.view());
  SecretBytes fresh(size);
  ND_TRY(random_bytes(fresh.writable()));
  return fresh;
}

}  // namespace

struct VaultMaker::State {
  explicit State(VaultDirectory opened) : directory(std::move(opened)) {}
  VaultDirectory directory;
  std::unique_ptr<RootOfTrust> root;
};

VaultMaker::VaultMaker(std::unique_ptr<State> state)
    : public_key_(state->root->public_key()), state_(std::move(state)) {}
VaultMaker::VaultMaker(VaultMaker&&) noexcept = default;
VaultMaker& VaultMaker::operator=(VaultMaker&&) noexcept = default;
VaultMaker::~VaultMaker() = default;

Result<VaultMaker> VaultMaker::begin(const std::filesystem::path& dir, const RootSettings& root) {
  ND_TRY(VaultDirectory::make(dir));
  auto directory = VaultDirectory::open_locked(dir);
  ND_TRY(directory);
  auto state = std::make_unique<State>(std::move(*directory));
  if (state->directory.has(vault_files::marks) && !state->directory.has(vault_files::erased)) {
    return failure(Errc::Conflict, "there is a vault already");
  }
  ND_TRY(vault_files::destroy_all(state->directory));
  auto made = make_root(state->directory, root);
  ND_TRY(made);
  state->root = std::move(*made);
  ND_TRY(state->directory.destroy(vault_files::erased));
  return VaultMaker(std::move(state));
}

Result<std::vector<std::uint8_t>> VaultMaker::sign_digest(std::span<const std::uint8_t> digest) {
  if (state_ == nullptr) return failure(Errc::Unavailable, "the vault is complete; open it");
  return state_->root->sign_digest(digest);
}

Result<void> VaultMaker::complete(const VaultContents& contents) {
  ND_TRY(check(contents));
  if (state_ == nullptr) return failure(Errc::Conflict, "the vault is complete");
  auto device = dukpt::DukptDevice::load(contents.initial_key.view(), contents.initial_key_id);
  ND_TRY(device);
  const auto queue_key = given_or_fresh(contents.queue_key, vault_files::queue_key_size);
  ND_TRY(queue_key);
  const Spending spending{.device = std::move(*device)};
  const VaultDirectory& directory = state_->directory;
  RootOfTrust& root = *state_->root;
  const SecretBytes bytes = spending_to_bytes(spending, 0, 1);
  const std::string_view marks = contents.development ? vault_files::development_mark : std::string_view();
  ND_TRY(write_sealed(directory, root, vault_files::queue_key, queue_key->view()));
  ND_TRY(write_sealed(directory, root, vault_files::fingerprint, contents.fingerprint_key.view()));
  ND_TRY(write_sealed(directory, root, vault_files::dukpt, bytes.view()));
  ND_TRY(root.set_mark({contents.initial_key_id, 0, 1}));
  // Last: with it the vault exists.
  ND_TRY(write_sealed(directory, root, vault_files::marks, bytes_of(marks)));
  state_.reset();
  return {};
}

Result<void> make_vault(const std::filesystem::path& dir, const VaultContents& contents, const RootSettings& root) {
  ND_TRY(check(contents));
  auto maker = VaultMaker::begin(dir, root);
  ND_TRY(maker);
  return maker->complete(contents);
}

}  // namespace nightdrop
