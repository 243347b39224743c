// Looks at a write-ahead log before SQLite does. SQLite ends the log at the first frame whose checksum is wrong, which
// is right after a power cut (the rest was never synced) and wrong after a flipped bit (the rest was acknowledged).
// Method: walk the frames; what lies behind the first bad one was acknowledged when the mark says so, or when a later
// transaction follows it, since none is begun before the one before it was synced.
// Format: https://www.sqlite.org/fileformat2.html, 4.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "nightdrop/result.hpp"
#include "store/files.hpp"

namespace nightdrop::store {

struct WalState {
  bool damaged{false};         // acknowledged frames lie behind a bad one
  std::uint64_t valid{0};      // frames up to the last commit that SQLite would find
  std::uint64_t committed{0};  // frames up to the last commit that is there, bad frames counted
};

// What SQLite would make of the WAL at `path`, and whether that would lose something. No file or an empty one is no
// damage.
WalState inspect_wal(const std::filesystem::path& path, const std::optional<Mark>& mark);

// Gives every frame up to the last commit its right salts and checksum, so that SQLite reads them all; a page that was
// damaged then shows by its HMAC. Only ever done to a copy.
Result<void> repair_wal(const std::filesystem::path& copy, const std::optional<Mark>& mark);

}  // namespace nightdrop::store
