// The root of trust in files: root.key, or a systemd credential (which systemd can bind to a TPM), seals the rest; the
// identity key is such a sealed file. Who has the whole disk and the credential has everything; there is no mark.
#pragma once

#include <memory>
#include <shared_mutex>

#include "crypto/root_of_trust.hpp"

namespace nightdrop {

class FileRoot final : public RootOfTrust {
 public:
  [[nodiscard]] static Result<std::unique_ptr<RootOfTrust>> make(const VaultDirectory& directory,
                                                                 const RootSettings& settings);
  [[nodiscard]] static Result<std::unique_ptr<RootOfTrust>> open(const VaultDirectory& directory,
                                                                 const RootSettings& settings);

  [[nodiscard]] static Result<void> destroy(const VaultDirectory& directory);

  [[nodiscard]] Result<std::vector<std::uint8_t>> seal(std::string_view aad,
                                                       std::span<const std::uint8_t> plaintext) override;
  [[nodiscard]] Result<SecretBytes> open(std::string_view aad, std::span<const std::uint8_t> sealed) override;
  const P256Point& public_key() const override { return public_key_; }
  [[nodiscard]] Result<std::vector<std::uint8_t>> sign_digest(std::span<const std::uint8_t> digest) override;
  [[nodiscard]] Result<std::optional<RootMark>> mark() override { return std::nullopt; }
  [[nodiscard]] Result<void> set_mark(const RootMark&) override { return {}; }
  [[nodiscard]] Result<void> destroy() override;

 private:
  FileRoot(const VaultDirectory& directory, SecretBytes root_key)
      : directory_(directory), root_key_(std::move(root_key)) {}
  Result<void> take_identity(SecretBytes scalar);

  const VaultDirectory& directory_;
  std::shared_mutex mutex_;  // signing shares the keys; destroy() has them alone
  SecretBytes root_key_, identity_;
  P256Point public_key_{};
};

}  // namespace nightdrop
