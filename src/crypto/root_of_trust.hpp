// What a vault stands on: a root key that seals its files, the reader's identity key, and, where the hardware has one,
// a mark that a copy of the disk does not turn back. Two kinds: files (the root key in root.key or in a systemd
// credential, the identity sealed beside it) and a PKCS#11 token, in which both keys are made and which they never
// leave. A sealed file is "NDV1", nonce, ciphertext, tag; its role and format are in the AAD, so that files can't be
// swapped.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/p256.hpp"
#include "crypto/vault_directory.hpp"
#include "nightdrop/result.hpp"
#include "nightdrop/secret.hpp"

namespace nightdrop {

// Where a vault's root of trust is. The default: root.key in the vault's directory or, where it has none, the systemd
// credential nightdrop-root-key.
struct RootSettings {
  enum class Kind : std::uint8_t { Files, Pkcs11 };
  Kind kind{Kind::Files};
  std::string root_credential;  // Files: the name of the credential that holds the 32 bytes of the root key
  std::string module;           // Pkcs11: the module's path
  std::string token_label;
  std::string pin_file;        // the PIN in its first line; or
  std::string pin_credential;  // the name of the credential that holds it
};

// What a token remembers of the vault's DUKPT file: a file that says less is an older copy.
struct RootMark {
  std::array<std::uint8_t, 8> initial_key_id{};
  std::uint32_t ceiling{0};
  std::uint64_t generation{0};
  bool operator==(const RootMark&) const = default;
};

class RootOfTrust {
 public:
  virtual ~RootOfTrust() = default;

  // AES-256-GCM under the root key: nonce, ciphertext, tag. Errors: CryptoFailed, Io (no random bytes).
  [[nodiscard]] virtual Result<std::vector<std::uint8_t>> seal(std::string_view aad,
                                                               std::span<const std::uint8_t> plaintext) = 0;
  // Errors: WrongKey (changed, of another role, or of another root key), CryptoFailed.
  [[nodiscard]] virtual Result<SecretBytes> open(std::string_view aad, std::span<const std::uint8_t> sealed) = 0;

  // 04 | x | y of the identity key.
  virtual const P256Point& public_key() const = 0;
  // ECDSA of a digest of 32 bytes; DER. Thread-safe. Errors: Unavailable (destroyed), CryptoFailed.
  [[nodiscard]] virtual Result<std::vector<std::uint8_t>> sign_digest(std::span<const std::uint8_t> digest) = 0;

  // The mark, where this kind keeps one; nothing where it keeps none or none was written yet.
  [[nodiscard]] virtual Result<std::optional<RootMark>> mark() = 0;
  // Ensures: durable when Ok; does nothing where this kind keeps none.
  [[nodiscard]] virtual Result<void> set_mark(const RootMark& mark) = 0;

  // Destroys identity and root key. Errors: Io, CryptoFailed (what could be done was done).
  [[nodiscard]] virtual Result<void> destroy() = 0;
};

// Makes a root and a fresh identity for a vault in `directory`, in place of what an earlier try has left there.
// Lifetime: `directory` outlives the root. Errors: NotFound (credential, token), InvalidArgument (its contents),
// WrongKey (PIN), Io, CryptoFailed.
[[nodiscard]] Result<std::unique_ptr<RootOfTrust>> make_root(const VaultDirectory& directory,
                                                             const RootSettings& settings);
// The root that make_root() made. Errors: as make_root(); NotFound (there is none).
[[nodiscard]] Result<std::unique_ptr<RootOfTrust>> open_root(const VaultDirectory& directory,
                                                             const RootSettings& settings);

// Destroys a root that need not open any more; none is fine. Errors: Io, CryptoFailed.
[[nodiscard]] Result<void> destroy_root(const VaultDirectory& directory, const RootSettings& settings);

// The contents of a file of $CREDENTIALS_DIRECTORY. Errors: NotFound, Io, InvalidArgument (others may read it).
[[nodiscard]] Result<SecretBytes> read_credential(const std::string& name);

// Seals `plaintext` as file `role`. Durable when Ok. Errors: as VaultDirectory::replace() and RootOfTrust::seal().
[[nodiscard]] Result<void> write_sealed(const VaultDirectory& directory, RootOfTrust& root, const char* role,
                                        std::span<const std::uint8_t> plaintext);
// What write_sealed() sealed as that role. Errors: NotFound, Io, WrongKey.
[[nodiscard]] Result<SecretBytes> read_sealed(const VaultDirectory& directory, RootOfTrust& root, const char* role);

}  // namespace nightdrop
