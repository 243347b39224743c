// Everything a station wants a reader to take into use, checked as a whole before any of it is staged: what passes here
// makes a reader that works, and nothing in it is anybody else's. A refusal names the file or field.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "config/config.hpp"
#include "crypto/vault_maker.hpp"
#include "provisioning/reader.hpp"

namespace nightdrop::provisioning {

// What the reader knows by itself.
struct ReaderFacts {
  std::filesystem::path home;  // absolute: what the paths in nightdrop.json are relative to
  std::string serial_number;
  x509::PublicKey identity{};
  x509::Certificate authority;  // the manufacturing CA
  VaultConfig vault;            // what its vault stands on
  UtcMs now{0};
};

struct CheckedInstallation {
  VaultContents contents;
  Installed check_values;
  Config config;
};

// The names of the files that an installation has, each once; nightdrop.json is the last.
std::span<const std::string_view> installed_files();

// Errors: a sentence that names the file or field.
[[nodiscard]] OrReason<CheckedInstallation> check_installation(const Installation& what, const ReaderFacts& reader,
                                                               std::span<const std::uint8_t> kbpk);

}  // namespace nightdrop::provisioning
