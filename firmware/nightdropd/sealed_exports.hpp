// The sealed exports that a tampered reader leaves in its queue folder (docs/sealed_export.md): written before its keys
// go, and the one thing of it that is still of use after.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "nightdrop/payment.hpp"
#include "nightdrop/result.hpp"

namespace nightdrop::firmware {

// Writes sealed-export-<time>.ndjson. Ensures: whole and durable when Ok; otherwise nothing of that name is there.
// Errors: DiskFull, Io.
Result<void> keep_sealed_export(const std::filesystem::path& folder, std::string_view text, UtcMs at);

// The newest of them.
std::optional<std::filesystem::path> newest_sealed_export(const std::filesystem::path& folder);

}  // namespace nightdrop::firmware
