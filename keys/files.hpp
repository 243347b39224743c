// Files of the provisioning tool: all private to their owner (0600, folders 0700), written whole or not at all.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "keys/outcome.hpp"
#include "nightdrop/secret.hpp"

namespace nightdrop::keys {

// The bytes of a file of at most a mebibyte.
// Errors: NoInput.
Outcome<std::string> read_file(const std::filesystem::path& file);
// As read_file(), for what must be wiped.
Outcome<SecretBytes> read_secret_file(const std::filesystem::path& file);
// Puts the bytes into `file`, whatever was there: a new file beside it, fsync, rename, fsync of the folder.
// Errors: CannotCreate.
Outcome<void> write_file(const std::filesystem::path& file, std::span<const std::uint8_t> bytes);
Outcome<void> write_file(const std::filesystem::path& file, std::string_view text);
// Makes a folder, and those above it.
// Errors: CannotCreate.
Outcome<void> make_folder(const std::filesystem::path& folder);

}  // namespace nightdrop::keys
