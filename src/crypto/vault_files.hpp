// The names of a vault's files, and what each says; shared by who makes a vault and who opens it. `marks` is written
// last: with it the vault exists. `card_keys_erased` and `erased` say that an erasure has begun: what they speak of is
// gone, or goes at the next opening.
#pragma once

#include <string_view>

#include "crypto/vault_directory.hpp"

namespace nightdrop::vault_files {

inline constexpr const char* queue_key = "queue_key";
inline constexpr const char* fingerprint = "fingerprint";
inline constexpr const char* dukpt = "dukpt";
inline constexpr const char* marks = "marks";
inline constexpr const char* card_keys_erased = "card_keys_erased";  // sealed: the vault's marks at that moment
inline constexpr const char* erased = "erased";                      // empty
inline constexpr std::string_view development_mark = "development=true\n";
inline constexpr std::size_t queue_key_size = 32;

// Destroys the files of the card keys. Errors: Io (what could be done was done).
[[nodiscard]] inline Result<void> destroy_card_keys(const VaultDirectory& directory) {
  const auto registers = directory.destroy(dukpt);
  ND_TRY(directory.destroy(fingerprint));
  return registers;
}
// As destroy_card_keys(), and the files of everything that is neither root nor identity.
[[nodiscard]] inline Result<void> destroy_all(const VaultDirectory& directory) {
  const auto card_keys = destroy_card_keys(directory);
  const auto queue = directory.destroy(queue_key);
  ND_TRY(directory.destroy(marks));
  ND_TRY(directory.destroy(card_keys_erased));
  ND_TRY(card_keys);
  return queue;
}

}  // namespace nightdrop::vault_files
