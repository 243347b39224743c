// The vault's former name, while who includes it moves on: sealed_key_vault.hpp opens one, vault_maker.hpp makes one.
#pragma once

#include "crypto/sealed_key_vault.hpp"
#include "crypto/vault_maker.hpp"

namespace nightdrop {
using FileKeyVault = SealedKeyVault;
}  // namespace nightdrop
