// The vault's root of trust as the configuration names it: "vault_backend" (docs/operations.md).
#pragma once

#include "config/config.hpp"
#include "crypto/root_of_trust.hpp"

namespace nightdrop::firmware {

inline RootSettings root_settings(const VaultConfig& vault) {
  RootSettings settings;
  settings.kind = vault.backend == VaultBackend::Pkcs11 ? RootSettings::Kind::Pkcs11 : RootSettings::Kind::Files;
  settings.root_credential = vault.root_credential;
  settings.module = vault.module;
  settings.token_label = vault.token_label;
  settings.pin_file = vault.pin_file;
  settings.pin_credential = vault.pin_credential;
  return settings;
}

}  // namespace nightdrop::firmware
