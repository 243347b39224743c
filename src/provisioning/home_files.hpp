// Files of a reader's home: each written whole and durably, moved durably, and overwritten before they are let go where
// they may hold a key. A power cut leaves a file as it was or as it should be.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "nightdrop/result.hpp"

namespace nightdrop::provisioning {

// Mode 0700; one that is there is kept. Errors: Io.
[[nodiscard]] Result<void> make_private_folder(const std::filesystem::path& folder);
// Puts the bytes into a new file beside it, and that in its place; mode 0600. Durable when Ok. Errors: DiskFull, Io.
[[nodiscard]] Result<void> write_durably(const std::filesystem::path& file, std::span<const std::uint8_t> bytes);
// Writes a new file, mode 0600; its bytes are durable when Ok, its name with the next sync_folder(). Errors: as above.
[[nodiscard]] Result<void> write_new(const std::filesystem::path& file, std::span<const std::uint8_t> bytes);
// The text of a file of at most 256 KiB. Errors: NotFound, Corrupt (longer), Io.
[[nodiscard]] Result<std::string> read_text(const std::filesystem::path& file);
// Renames; what is not there was moved before. Durable with the next sync_folder() of the new place. Errors: Io.
[[nodiscard]] Result<void> move(const std::filesystem::path& from, const std::filesystem::path& to);
[[nodiscard]] Result<void> sync_folder(const std::filesystem::path& folder);
// Removes a file, or a folder with all in it, each file overwritten first; durable when Ok; what is not there is gone
// already. Follows no links. Errors: Io.
[[nodiscard]] Result<void> destroy(const std::filesystem::path& path);

}  // namespace nightdrop::provisioning
