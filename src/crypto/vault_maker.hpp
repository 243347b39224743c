// Makes a vault, in two steps: first the root of trust and the identity key, whose public half goes into a certificate
// request; then the keys that came from outside. Cut off in between there is no vault, and begin() starts anew.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "crypto/dukpt.hpp"
#include "crypto/p256.hpp"
#include "crypto/root_of_trust.hpp"

namespace nightdrop {

// What comes into a vault from outside.
struct VaultContents {
  SecretBytes initial_key;  // AES DUKPT initial key, 16, 24 or 32 bytes; it is not stored, only what it leads to
  dukpt::InitialKeyId initial_key_id{};
  SecretBytes fingerprint_key;  // per merchant, at least 16 bytes
  SecretBytes queue_key;        // 32 bytes; empty: a fresh one
  bool development{false};      // keys that everybody knows: a release build refuses this vault
};

class VaultMaker {
 public:
  // Makes root and identity key in `dir` (created with mode 0700), in place of what an earlier try or an erased vault
  // has left there. The directory is this object's alone. Errors: Conflict (there is a vault), Busy, Io, CryptoFailed;
  // as make_root().
  [[nodiscard]] static Result<VaultMaker> begin(const std::filesystem::path& dir, const RootSettings& root = {});
  VaultMaker(VaultMaker&&) noexcept;
  VaultMaker& operator=(VaultMaker&&) noexcept;
  ~VaultMaker();

  // Of the identity key.
  const P256Point& public_key() const { return public_key_; }
  // ECDSA by the identity key, of a digest of 32 bytes; DER. Errors: Unavailable (complete() is done), CryptoFailed.
  [[nodiscard]] Result<std::vector<std::uint8_t>> sign_digest(std::span<const std::uint8_t> digest);
  // Completes the vault and lets go of the directory: SealedKeyVault::open() can open it now.
  // Ensures: durable when Ok; on an error there is no vault, and complete() may be called again.
  // Errors: InvalidArgument (contents), Io, CryptoFailed.
  [[nodiscard]] Result<void> complete(const VaultContents& contents);

 private:
  struct State;
  explicit VaultMaker(std::unique_ptr<State> state);
  P256Point public_key_{};
  std::unique_ptr<State> state_;  // none once complete
};

// Both steps at once. Errors: InvalidArgument before anything is touched; as both.
[[nodiscard]] Result<void> make_vault(const std::filesystem::path& dir, const VaultContents& contents,
                                      const RootSettings& root = {});

}  // namespace nightdrop
