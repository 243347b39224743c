// The vault's directory: small files that are replaced as a whole. A power cut at any moment leaves the old contents or
// the new ones. The old contents are overwritten before they are let go, and so is a file that is destroyed: best
// effort, for a file system that copies on write, or flash below it, may keep them; they stay sealed even then.
#pragma once

#include <filesystem>
#include <span>
#include <string_view>

#include "nightdrop/result.hpp"
#include "nightdrop/secret.hpp"

namespace nightdrop {

// A directory that is held open, and optionally locked against other processes and objects.
class VaultDirectory {
 public:
  // Makes it with mode 0700 where it is missing. Errors: Io.
  [[nodiscard]] static Result<void> make(const std::filesystem::path& path);
  // Errors: NotFound, Io.
  [[nodiscard]] static Result<VaultDirectory> open(const std::filesystem::path& path);
  // Errors: NotFound, Busy (somebody holds the lock), Io.
  [[nodiscard]] static Result<VaultDirectory> open_locked(const std::filesystem::path& path);
  VaultDirectory(VaultDirectory&& other) noexcept;
  VaultDirectory& operator=(VaultDirectory&&) = delete;
  ~VaultDirectory();

  // Whether a file of that name is there.
  bool has(const char* name) const;
  // The bytes of a small file. Errors: NotFound, Io, Corrupt (too long to be ours), InvalidArgument (with
  // `private_only`: group or others may read it).
  [[nodiscard]] Result<SecretBytes> read(const char* name, bool private_only = false) const;
  // Replaces a file. Ensures: durable when Ok; on an error the old contents, or the new, are whole.
  // Errors: DiskFull, Io.
  [[nodiscard]] Result<void> replace(const char* name, std::span<const std::uint8_t> bytes, unsigned mode) const;
  // Removes what a power cut left of a replacement.
  void remove_leftovers() const;
  // Overwrites a file and removes it, its leftovers too; one that is not there is gone already.
  // Ensures: durable when Ok. Errors: Io (what could be done was done).
  [[nodiscard]] Result<void> destroy(const char* name) const;

 private:
  explicit VaultDirectory(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace nightdrop
