// Small files that a power cut leaves as they were or as they should be: a new file beside the old one, its bytes made
// durable, renamed into the old one's place, and the folder made durable. Plain system calls, so that mode, order and
// what failed are exactly known; here once, because every part that keeps a file needs the same five steps.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "nightdrop/result.hpp"

namespace nightdrop {

// A file descriptor that is closed with its owner.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }

  int get() const { return value_; }
  bool valid() const { return value_ >= 0; }
  int release() { return std::exchange(value_, -1); }

 private:
  int value_{-1};
};

// What the system said last: NotFound, DiskFull or Io, with errno.
inline std::unexpected<Error> os_failure(const char* text) {
  const int native = errno;
  if (native == ENOENT) return failure(Errc::NotFound, text, native);
  if (native == ENOSPC || native == EDQUOT) return failure(Errc::DiskFull, text, native);
  return failure(Errc::Io, text, native);
}

// Whether all of it was written; errno says why not.
inline bool write_all(int descriptor, std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return true;
}
inline bool write_all(int descriptor, std::string_view text) {
  return write_all(descriptor, std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

// Makes the names in a folder durable; empty: the working folder. Errors: NotFound, Io.
[[nodiscard]] inline Result<void> sync_folder(const std::filesystem::path& folder) {
  const Descriptor open(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!open.valid() || ::fsync(open.get()) != 0) return os_failure("the folder cannot be made durable");
  return {};
}

// Writes a new file of exactly that mode. Its bytes are durable when Ok, its name with the next sync_folder(); on an
// error nothing of it stays. Errors: DiskFull, Io (also where there is one).
[[nodiscard]] inline Result<void> write_new_file(const std::filesystem::path& file, std::span<const std::uint8_t> bytes,
                                                 mode_t mode = 0600) {
  const Descriptor open(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!open.valid()) return os_failure("a new file cannot be made");
  if (!write_all(open.get(), bytes) || ::fchmod(open.get(), mode) != 0 || ::fsync(open.get()) != 0) {
    const auto failed = os_failure("the new file cannot be written");
    ::unlink(file.c_str());
    return failed;
  }
  return {};
}

// Puts the bytes into `file`, whatever was there, by way of FILE.new. Durable when Ok; on an error the old contents, or
// the new, are whole. Errors: NotFound (the folder), DiskFull, Io.
[[nodiscard]] inline Result<void> replace_file(const std::filesystem::path& file, std::span<const std::uint8_t> bytes,
                                               mode_t mode = 0600) {
  const std::string fresh = file.string() + ".new";
  ::unlink(fresh.c_str());  // of a power cut
  ND_TRY(write_new_file(fresh, bytes, mode));
  if (::rename(fresh.c_str(), file.c_str()) != 0) {
    const auto failed = os_failure("the new file cannot take the old one's place");
    ::unlink(fresh.c_str());
    return failed;
  }
  return sync_folder(file.parent_path());
}
[[nodiscard]] inline Result<void> replace_file(const std::filesystem::path& file, std::string_view text,
                                               mode_t mode = 0600) {
  return replace_file(file, std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()), mode);
}

// The text of a file of at most `size_max` bytes. Errors: NotFound, Malformed (longer), Io.
[[nodiscard]] inline Result<std::string> read_text_file(const std::filesystem::path& file, std::size_t size_max) {
  const Descriptor open(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!open.valid()) return os_failure("the file cannot be opened");
  std::string text;
  std::array<char, 16'384> piece{};
  while (true) {
    const ssize_t got = ::read(open.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return os_failure("the file cannot be read");
    if (got == 0) return text;
    if (text.size() + static_cast<std::size_t>(got) > size_max) return failure(Errc::Malformed, "the file is too long");
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace nightdrop
