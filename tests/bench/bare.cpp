#include "tests/bench/bare.hpp"

#include <fcntl.h>
#include <sqlcipher/sqlite3.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>

namespace nightdrop::bench {
namespace {

// Sizes of one stored payment's rows as the engine writes them (SELECT avg(length(…)) on its queue).
constexpr std::size_t detail_bytes = 640;
constexpr std::size_t envelope_bytes = 256;
constexpr std::size_t event_bytes = 1'250;
constexpr std::size_t head_bytes = 330;

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "bench: %s\n", what);
  std::exit(1);
}

}  // namespace

BareFile::BareFile(const std::filesystem::path& path) : file_(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
  if (file_ < 0) die("no file for the bare write");
}
BareFile::~BareFile() {
  close(file_);
}

void BareFile::write_and_sync() {
  // Over the same 4 MiB again and again, as a write-ahead log is.
  static const std::array<char, 4096> block{};
  if (pwrite(file_, block.data(), block.size(), (written_++ % 1024) * 4096) != 4096 || fdatasync(file_) != 0)
    die("the bare write failed");
}

BareSqlCipher::BareSqlCipher(const std::filesystem::path& path, const std::filesystem::path& migrations) {
  if (sqlite3_open(path.c_str(), &database_) != SQLITE_OK) die("bare SQLCipher cannot be opened");
  execute("PRAGMA key = \"x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f'\"");
  execute(
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA locking_mode=EXCLUSIVE; PRAGMA temp_store=MEMORY;"
      "PRAGMA secure_delete=ON; PRAGMA wal_autocheckpoint=0");
  std::set<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(migrations)) {
    if (entry.path().extension() == ".sql") files.insert(entry.path());
  }
  for (const auto& file : files) {
    std::ifstream in(file);
    execute({std::istreambuf_iterator<char>(in), {}});
  }
  begin_ = prepare("BEGIN IMMEDIATE");
  payment_ = prepare(
      "INSERT INTO payments (n, id, status, created_at, deadline, not_before, lane, wait_until, oldest, "
      "merchant_reference, slot, detail) "
      "VALUES (?1, 'pi_' || hex(randomblob(16)), 4, ?1, ?1, 0, 0, NULL, ?1, 'order-' || ?1, ?1, randomblob(?2))");
  envelope_ = prepare("INSERT INTO envelopes (slot, bytes) VALUES (?1, randomblob(?2))");
  event_ = prepare(
      "INSERT INTO journal (seq, at, type, text, hash) VALUES (?1, ?1, 'payment_intent.stored', hex(randomblob(?2)), "
      "randomblob(32))");
  state_ = prepare(
      "INSERT INTO state (key, value) VALUES ('head', randomblob(?2)), ('card', randomblob(24)) ON CONFLICT (key) DO "
      "UPDATE SET value = excluded.value");
  commit_ = prepare("COMMIT");
}

BareSqlCipher::~BareSqlCipher() {
  for (sqlite3_stmt* statement : {begin_, payment_, envelope_, event_, state_, commit_}) sqlite3_finalize(statement);
  sqlite3_close(database_);
}

void BareSqlCipher::execute(const std::string& sql) {
  if (sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) die(sqlite3_errmsg(database_));
}

sqlite3_stmt* BareSqlCipher::prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database_, sql, -1, &statement, nullptr) != SQLITE_OK) die(sqlite3_errmsg(database_));
  return statement;
}

void BareSqlCipher::run(sqlite3_stmt* statement) {
  while (sqlite3_step(statement) == SQLITE_ROW) {
  }
  if (sqlite3_reset(statement) != SQLITE_OK) die(sqlite3_errmsg(database_));
}

void BareSqlCipher::insert() {
  const auto sized = [&](sqlite3_stmt* statement, std::size_t bytes) {
    sqlite3_bind_int64(statement, 1, next_);
    sqlite3_bind_int64(statement, 2, static_cast<std::int64_t>(bytes));
    run(statement);
  };
  run(begin_);
  sized(payment_, detail_bytes);
  sized(envelope_, envelope_bytes);
  sized(event_, event_bytes / 2);
  sized(state_, head_bytes);
  run(commit_);
  ++next_;
  // The engine returns its log to the file as well, between turns and not in them.
  if (next_ % 200 == 0) execute("PRAGMA wal_checkpoint(TRUNCATE)");
}

}  // namespace nightdrop::bench
