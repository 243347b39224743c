// Files of a reader's home, beyond nightdrop/durable_file.hpp: moved durably, and overwritten before they are let go
// where they may hold a key.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "nightdrop/result.hpp"

namespace nightdrop::provisioning {

// Mode 0700; one that is there is kept. Errors: Io.
[[nodiscard]] Result<void> make_private_folder(const std::filesystem::path& folder);
// Renames; what is not there was moved before. Durable with the next sync_folder() of the new place. Errors: Io.
[[nodiscard]] Result<void> move(const std::filesystem::path& from, const std::filesystem::path& to);
// Removes a file, or a folder with all in it, each file overwritten first; durable when Ok; what is not there is gone
// already. Follows no links. Errors: Io.
[[nodiscard]] Result<void> destroy(const std::filesystem::path& path);

}  // namespace nightdrop::provisioning
