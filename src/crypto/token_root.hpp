// The root of trust in a PKCS#11 token: SoftHSM in tests; OP-TEE's or a TPM's module on a reader. The root key
// (AES-256) and the identity key (P-256) are made in the token, non-extractable, and a value in it holds the mark, so
// that a copy of the whole disk is found out. The vault's directory holds `root.token`: the ID in the labels of the
// three.
#pragma once

#include <memory>
#include <string>

#include "crypto/root_of_trust.hpp"
#include "pkcs11/token.hpp"

namespace nightdrop {

class TokenRoot final : public RootOfTrust {
 public:
  [[nodiscard]] static Result<std::unique_ptr<RootOfTrust>> make(const VaultDirectory& directory,
                                                                 const RootSettings& settings);
  [[nodiscard]] static Result<std::unique_ptr<RootOfTrust>> open(const VaultDirectory& directory,
                                                                 const RootSettings& settings);
  [[nodiscard]] static Result<void> destroy(const VaultDirectory& directory, const RootSettings& settings);

  [[nodiscard]] Result<std::vector<std::uint8_t>> seal(std::string_view aad,
                                                       std::span<const std::uint8_t> plaintext) override;
  [[nodiscard]] Result<SecretBytes> open(std::string_view aad, std::span<const std::uint8_t> sealed) override;
  const P256Point& public_key() const override { return public_key_; }
  [[nodiscard]] Result<std::vector<std::uint8_t>> sign_digest(std::span<const std::uint8_t> digest) override;
  [[nodiscard]] Result<std::optional<RootMark>> mark() override;
  [[nodiscard]] Result<void> set_mark(const RootMark& mark) override;
  [[nodiscard]] Result<void> destroy() override;

 private:
  TokenRoot(const VaultDirectory& directory, std::unique_ptr<pkcs11::Token> token, const std::string& id);
  Result<void> read_public_key();
  Result<void> destroy_keys();

  const VaultDirectory& directory_;
  std::unique_ptr<pkcs11::Token> token_;
  std::string root_label_, identity_label_, mark_label_;
  P256Point public_key_{};
};

}  // namespace nightdrop
