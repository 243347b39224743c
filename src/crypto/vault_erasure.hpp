// How keys go: a file that says so first, so that an erasure that is cut off is brought to its end by the next opening;
// then the keys' files, overwritten and removed. A disk that cannot even take that file does not stop the rest.
#pragma once

#include "crypto/root_of_trust.hpp"
#include "hal/key_vault.hpp"

namespace nightdrop {

// Destroys the card keys; `marks` are what the vault says of itself from now on.
// Errors: Io, CryptoFailed (what could be done was done).
[[nodiscard]] Result<void> destroy_card_keys(const VaultDirectory& directory, RootOfTrust& root,
                                             const hal::VaultMarks& marks);
// The marks that destroy_card_keys() left; zeros when they can't be read.
hal::VaultMarks read_erased_marks(const VaultDirectory& directory, RootOfTrust& root);
// Destroys everything, the root first: with it all the rest is lost.
[[nodiscard]] Result<void> destroy_vault(const VaultDirectory& directory, RootOfTrust& root);
// Brings destroy_vault() to its end. Errors: as that.
[[nodiscard]] Result<void> finish_erasure(const VaultDirectory& directory, const RootSettings& root);

}  // namespace nightdrop
