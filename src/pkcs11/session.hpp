// Inside of a Token: the module's functions, one logged-in session, the mutex that guards it, and the keys' handles by
// label as far as they were asked for. Cryptoki's operations have a state in the session (…Init, then the call), so the
// lock is held over both.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pkcs11/cryptoki.hpp"
#include "pkcs11/token.hpp"

namespace nightdrop::pkcs11 {

struct Session {
  const Functions* functions{nullptr};
  CK_SESSION_HANDLE session{0};
  std::string description;
  std::string softhsm_tokens;  // SoftHSM2 alone, in a folder of ours: where its objects' files are
  std::mutex mutex;
  std::map<std::string, CK_OBJECT_HANDLE, std::less<>> secret_keys;  // AES, and private keys
  std::map<std::string, CK_OBJECT_HANDLE, std::less<>> public_keys;

  Session() = default;
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // All that is below: with the lock held.

  // The objects that a template fits.
  Result<std::vector<CK_OBJECT_HANDLE>> find(Template& wanted);
  // The objects of a class with a label.
  Result<std::vector<CK_OBJECT_HANDLE>> find(CK_OBJECT_CLASS kind, std::string_view label);
  // The AES or private key of that label. Errors: NotFound.
  Result<CK_OBJECT_HANDLE> key(std::string_view label);
  Result<CK_OBJECT_HANDLE> public_key(std::string_view label);
  // Errors: Conflict, InvalidArgument (no label).
  Result<void> expect_free(std::string_view label);

  // Makes what changed in the token durable: an HSM does so by itself, SoftHSM2 leaves it to the page cache.
  Result<void> settle() const;

  Result<std::vector<std::uint8_t>> bytes_attribute(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type);
  std::optional<CK_ULONG> number_attribute(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type);
  bool flag_attribute(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, bool if_absent);
};

// The slot of the token with that label. Errors: NotFound, Io.
[[nodiscard]] Result<CK_SLOT_ID> find_slot(const Functions& functions, std::string_view token_label);
// What a token says of itself, without the PIN.
std::string describe(const Functions& functions, CK_SLOT_ID slot);

}  // namespace nightdrop::pkcs11
