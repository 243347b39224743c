// The files beside the database: the lock that keeps a second process out, the key check that tells a wrong key from a
// damaged file, the mark of the last acknowledged commit, the reserve for a full disk, and what is set aside.
// Method: plain system calls; a new file is written whole, synced and renamed into place, and the folder is synced.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "nightdrop/result.hpp"

namespace nightdrop::store {

inline constexpr std::size_t page_bytes = 4096;  // SQLCipher 4's

// How far the WAL had been acknowledged: written after each commit, never synced, so it may be old but is never ahead.
struct Mark {
  std::uint64_t salts{0};
  std::uint64_t frames{0};
};

class Files {
 public:
  using Tag = std::array<std::uint8_t, 32>;
  // Makes the folder if need be and takes the lock. Errors: Busy, ReadOnly, DiskFull, Io.
  [[nodiscard]] static Result<std::unique_ptr<Files>> open(const std::filesystem::path& dir);
  ~Files();
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;

  std::filesystem::path path(const char* name) const { return dir_ / name; }
  std::filesystem::path database() const { return path("queue.db"); }
  std::filesystem::path wal() const { return path("queue.db-wal"); }
  std::filesystem::path fresh() const { return path("queue.new"); }          // being made; worth nothing until renamed
  std::filesystem::path salvaged() const { return path("queue.salvaged"); }  // whole: takes the database's place
  std::filesystem::path reading() const { return path("queue.reading"); }    // a copy to salvage from

  std::optional<Tag> key_tag() const;
  [[nodiscard]] Result<void> write_key_tag(const Tag& tag) const;

  std::optional<Mark> read_mark() const;
  void write_mark(const Mark& mark) const;  // best effort

  // A copy of the database's first page, without which nothing else in it can be read. Best effort; its own HMAC tells
  // whether it is good.
  void keep_first_page(std::span<const std::uint8_t> page) const;
  // Puts that copy into `file`; false when there is none.
  bool restore_first_page(const std::filesystem::path& file) const;

  // Bytes free on this disk for this process; nothing when it cannot be told.
  std::optional<std::uint64_t> free_bytes() const;
  bool has_reserve() const { return reserved_; }
  void make_reserve(std::uint64_t bytes);  // best effort
  void release_reserve();

  // Renames `from` to `to` durably.
  [[nodiscard]] Result<void> move(const std::filesystem::path& from, const std::filesystem::path& to) const;
  [[nodiscard]] Result<void> sync_folder() const;
  void remove(const std::filesystem::path& file) const;  // and its -wal and -journal; best effort
  // The first free name of queue.damaged-1, -2, …
  std::filesystem::path next_damaged() const;
  // Puts queue.salvaged in the place of queue.db, which is set aside with its WAL. May be repeated after a power cut.
  [[nodiscard]] Result<std::filesystem::path> swap_in_salvaged() const;

 private:
  explicit Files(std::filesystem::path dir) : dir_(std::move(dir)) {}
  std::filesystem::path dir_;
  int lock_{-1};
  int mark_{-1};
  bool reserved_{false};
};

Error os_error(int code, const char* text);

}  // namespace nightdrop::store
