// A PKCS#11 token: SoftHSM2 in development and tests, an HSM on the key side, OP-TEE's or a TPM's module on a reader.
// Keys are named by their label, used by handle, and never come out but wrapped. Method: the module is loaded once a
// process (C_Initialize is the process's), a Token owns one logged-in session and guards it with a mutex, so that it
// may be used from any thread. Only this folder includes Cryptoki; what goes wrong gives an Error whose `native` is the
// CKR_…
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nightdrop/result.hpp"
#include "nightdrop/secret.hpp"

namespace nightdrop::pkcs11 {

// Where a token is. The PIN comes from a file, a systemd credential or a prompt, never from argv.
struct TokenLocation {
  std::string module;       // the module's path, e.g. /usr/lib/softhsm/libsofthsm2.so
  std::string token_label;  // CKA_LABEL of the token
};

// What a key may be used for; what is not named is forbidden by the token itself.
enum class KeyUse : std::uint8_t {
  Encrypt,       // AES: CKM_AES_ECB, CKM_AES_GCM
  Authenticate,  // AES: CKM_AES_CMAC; generic secret: CKM_SHA256_HMAC
  Sign,          // P-256: CKM_ECDSA
  Derive,        // AES: CKM_AES_ECB of derivation data; P-256: ECDH
};

struct KeyTemplate {
  std::string label;  // unique among keys of its class; Conflict if it is there already
  std::vector<KeyUse> uses;
  bool extractable{false};  // may leave wrapped (never in clear); lock_extraction() takes it back for ever
  bool persistent{true};    // false: gone with the session
};

struct KeyFacts {
  std::string label;
  std::string kind;  // "aes-128", "aes-256", "p256", "hmac-256"
  bool extractable{false};
  bool sensitive{true};
  bool never_extractable{false};  // CKA_NEVER_EXTRACTABLE
  bool local{false};              // made in the token (CKA_LOCAL), not brought in
};

struct Session;  // session.hpp: Cryptoki's side

class Token {
 public:
  // Makes a fresh token in a free slot, with both PINs; as `softhsm2-util --init-token --free`.
  // Errors: Conflict (a token of that label is there), Io (the module), InvalidArgument (a PIN's length).
  [[nodiscard]] static Result<void> initialise(const TokenLocation& where, const SecretBytes& so_pin,
                                               const SecretBytes& user_pin);
  // Logs in. Errors: NotFound (no such token), WrongKey (the PIN), Unavailable (the PIN is locked), Io (the module).
  [[nodiscard]] static Result<std::unique_ptr<Token>> open(const TokenLocation& where, const SecretBytes& user_pin);
  ~Token();
  Token(const Token&) = delete;
  Token& operator=(const Token&) = delete;

  // "SoftHSM v2, serial number …": for transcripts.
  std::string description() const;

  // Making keys. Ensures of all that change something: durable when Ok.
  // Errors: Conflict (the label is taken), InvalidArgument, CryptoFailed, Io.
  [[nodiscard]] Result<void> generate_aes(std::size_t bytes, const KeyTemplate& key);
  [[nodiscard]] Result<void> generate_p256(const KeyTemplate& key);
  // Brings a key in: its clear bytes were in this process; CKA_LOCAL stays false, which listings show.
  [[nodiscard]] Result<void> import_aes(std::span<const std::uint8_t> bytes, const KeyTemplate& key);
  [[nodiscard]] Result<void> import_p256(std::span<const std::uint8_t, 32> scalar,
                                         std::span<const std::uint8_t, 65> point, const KeyTemplate& key);
  // Errors: NotFound.
  [[nodiscard]] Result<void> destroy(std::string_view label);
  [[nodiscard]] Result<void> lock_extraction(std::string_view label);
  // An AES key's other name: for one whose name is told by its check value. Errors: NotFound, Conflict.
  [[nodiscard]] Result<void> rename_aes(std::string_view label, std::string_view to);
  [[nodiscard]] Result<KeyFacts> facts(std::string_view label);
  [[nodiscard]] Result<std::vector<KeyFacts>> list();
  bool has(std::string_view label);

  // Using them. Errors of all: NotFound, InvalidArgument (sizes), CryptoFailed (also a use the key is not for).
  [[nodiscard]] Result<void> encrypt_ecb(std::string_view label, std::span<const std::uint8_t> in,
                                         std::span<std::uint8_t> out);
  // AES-GCM as aes_gcm_seal() and aes_gcm_open() of crypto/primitives.hpp; WrongKey where the tag differs.
  [[nodiscard]] Result<std::vector<std::uint8_t>> seal(std::string_view label, std::span<const std::uint8_t> nonce,
                                                       std::span<const std::uint8_t> aad,
                                                       std::span<const std::uint8_t> plaintext);
  [[nodiscard]] Result<SecretBytes> open_sealed(std::string_view label, std::span<const std::uint8_t> nonce,
                                                std::span<const std::uint8_t> aad,
                                                std::span<const std::uint8_t> sealed);
  [[nodiscard]] Result<std::vector<std::uint8_t>> cmac(std::string_view label, std::span<const std::uint8_t> data);
  // ECDSA of a digest of 32 bytes; r | s.
  [[nodiscard]] Result<std::vector<std::uint8_t>> sign_digest(std::string_view label,
                                                              std::span<const std::uint8_t> digest);
  // 04 | x | y.
  [[nodiscard]] Result<std::vector<std::uint8_t>> public_key(std::string_view label);
  // An extractable AES key's bytes, wrapped under `wrapping_key` (32 bytes that the caller made for this one call; the
  // token forgets them before this returns). There because PKCS#11 has no mechanism for TR-31 blocks: an HSM that has
  // its own takes this function's place. Errors: Unsupported (the key is not extractable). Standard: RFC 5649.
  [[nodiscard]] Result<std::vector<std::uint8_t>> wrap_out(std::string_view label,
                                                           std::span<const std::uint8_t> wrapping_key);

  // A small value kept in the token (CKO_DATA, private): a counter that a copy of the disk does not turn back. A crash
  // while it is written leaves the old value or the new. Errors: NotFound, CryptoFailed.
  [[nodiscard]] Result<std::vector<std::uint8_t>> read_value(std::string_view label);
  [[nodiscard]] Result<void> write_value(std::string_view label, std::span<const std::uint8_t> value);

 private:
  explicit Token(std::unique_ptr<Session> state);
  std::unique_ptr<Session> state_;
};

// For SoftHSM2 alone: makes a folder for its tokens with a configuration file and sets SOFTHSM2_CONF for this process.
// Called before the module is first loaded: SoftHSM reads its configuration once a process.
// Errors: Io, Conflict (this process runs SoftHSM with another folder already).
[[nodiscard]] Result<void> use_softhsm_folder(const std::string& folder);

// The path of SoftHSM2's module where Debian puts it.
inline constexpr const char* softhsm_module = "/usr/lib/softhsm/libsofthsm2.so";

}  // namespace nightdrop::pkcs11
