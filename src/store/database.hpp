// One SQLCipher connection: opened with the raw key, set up for durability, statements prepared once and kept.
// Method: a Query borrows a kept statement and gives it back reset; SQLite's codes become Errors in one place.
// Invariant: damage seen by any statement (a page whose HMAC is wrong) is remembered in damaged().
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "nightdrop/payment.hpp"
#include "nightdrop/result.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace nightdrop::store {

class Database;

// A statement at work; columns are read after step() said true. Lifetime: within the Database's.
class Query {
 public:
  Query(Query&& other) noexcept;
  Query(const Query&) = delete;
  Query& operator=(Query&&) = delete;
  Query& operator=(const Query&) = delete;
  ~Query();

  // Binds the next parameter, in order. Text and blobs must live until the last step().
  Query& bind(std::int64_t value);
  Query& bind(std::string_view value);
  Query& bind(std::span<const std::uint8_t> value);
  Query& bind(const std::optional<std::int64_t>& value);
  Query& bind_text_or_null(std::string_view value);  // empty: NULL
  Query& bind_null();

  [[nodiscard]] Result<bool> step();  // whether there is a row
  [[nodiscard]] Result<void> run();   // to the end, rows ignored
  void again();                       // back to the start, parameters cleared

  std::int64_t integer(int column) const;
  std::optional<std::int64_t> optional_integer(int column) const;
  std::string_view text(int column) const;               // valid until the next step
  std::span<const std::uint8_t> blob(int column) const;  // valid until the next step
  template <std::size_t N>
  std::array<std::uint8_t, N> bytes(int column) const {
    std::array<std::uint8_t, N> out{};
    const auto from = blob(column);
    for (std::size_t i = 0; i < N && i < from.size(); ++i) out[i] = from[i];
    return out;
  }

 private:
  friend class Database;
  Query(Database& database, sqlite3_stmt* statement, bool kept);
  Database* database_;
  sqlite3_stmt* statement_;
  bool kept_;
  int next_{1};
};

class Database {
 public:
  struct Settings {
    const char* vfs{nullptr};
    bool synchronous_normal{false};
    bool salvage{false};  // a copy of a damaged file: its schema may be bent to reach lost pages
  };
  Database() = default;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database() { close(); }

  [[nodiscard]] Result<void> open(const std::filesystem::path& path, std::span<const std::uint8_t, 32> key,
                                  const Settings& settings);
  void close();
  bool is_open() const { return handle_ != nullptr; }

  // `sql` must be a string literal: it is the key of the kept statement.
  [[nodiscard]] Result<Query> query(const char* sql);
  [[nodiscard]] Result<Query> query(const std::string& sql);   // made at run time, of few variants; kept too
  [[nodiscard]] Result<void> execute(const char* sql);         // any number of statements, not kept
  [[nodiscard]] Result<std::int64_t> number(const char* sql);  // one integer, not kept
  // A statement given as a run-time text, prepared for this use.
  [[nodiscard]] Result<Query> once(const std::string& sql);

  bool autocommit() const;
  [[nodiscard]] Result<void> checkpoint();  // the WAL back into the file, and truncated
  bool damaged() const { return damaged_; }
  int wal_frames() const { return wal_frames_; }
  int commit_frames() const { return commit_frames_; }
  // The WAL's salts, read from its header; nothing when there is no WAL.
  std::optional<std::uint64_t> wal_salts();

  // The file's first page as it is on the disk, read through SQLite's own descriptor (closing another one would drop
  // its locks); empty when it cannot be read.
  std::vector<std::uint8_t> first_page();

  std::unexpected<Error> error(int code);

 private:
  static int on_wal(void* self, sqlite3* handle, const char* name, int frames);
  sqlite3* handle_{nullptr};
  std::unordered_map<const char*, sqlite3_stmt*> kept_;
  std::unordered_map<std::string, sqlite3_stmt*> kept_variants_;
  [[nodiscard]] Result<Query> kept(sqlite3_stmt*& statement, const char* sql);
  bool damaged_{false};
  int wal_frames_{0};
  int commit_frames_{0};
};

}  // namespace nightdrop::store

// Declares `name` as the value of a Result, or leaves the function with its error.
#define ND_STORE_JOIN2(a, b) a##b
#define ND_STORE_JOIN(a, b) ND_STORE_JOIN2(a, b)
#define ND_LET(declaration, expression) ND_STORE_LET(declaration, expression, ND_STORE_JOIN(nd_let_, __LINE__))
#define ND_STORE_LET(declaration, expression, name) \
  auto name = (expression);                         \
  if (!name) return std::unexpected(name.error());  \
  declaration = std::move(*name)
