// The SQLCipher connection. See database.hpp.
#include "store/database.hpp"

#include <array>
#include <cerrno>

#include <sqlcipher/sqlite3.h>

#include "nightdrop/secret.hpp"
#include "store/files.hpp"

namespace nightdrop::store {
namespace {

constexpr const char* settings_sql =
    "PRAGMA cipher_log_level=NONE;"       // it would write to stderr; what fails comes back as an Error
    "PRAGMA cipher_memory_security=OFF;"  // the process locks its memory; the codec's own wiping costs more than it
                                          // gives
    "PRAGMA temp_store=MEMORY;"
    "PRAGMA locking_mode=EXCLUSIVE;"
    "PRAGMA secure_delete=ON;"
    "PRAGMA mmap_size=0;"
    "PRAGMA trusted_schema=OFF;"
    "PRAGMA wal_autocheckpoint=0;"
    "PRAGMA journal_size_limit=0;"
    "PRAGMA cache_size=-2048;";

// The key as SQLCipher wants a raw one: x'…' with 64 hex digits, in memory that is wiped.
Result<void> hand_over_key(sqlite3* handle, std::span<const std::uint8_t, 32> key) {
  constexpr std::string_view digits = "0123456789abcdef";
  Secret<67> text;
  const auto out = text.writable();
  out[0] = 'x';
  out[1] = '\'';
  for (std::size_t i = 0; i < key.size(); ++i) {
    out[2 + 2 * i] = static_cast<std::uint8_t>(digits[key[i] >> 4]);
    out[3 + 2 * i] = static_cast<std::uint8_t>(digits[key[i] & 15]);
  }
  out[66] = '\'';
  if (sqlite3_key(handle, out.data(), static_cast<int>(out.size())) != SQLITE_OK) {
    return failure(Errc::CryptoFailed, "SQLCipher did not take the key");
  }
  return {};
}

}  // namespace

Query::Query(Database& database, sqlite3_stmt* statement, bool kept)
    : database_(&database), statement_(statement), kept_(kept) {}

Query::Query(Query&& other) noexcept
    : database_(other.database_),
      statement_(std::exchange(other.statement_, nullptr)),
      kept_(other.kept_),
      next_(other.next_) {}

Query::~Query() {
  if (statement_ == nullptr) return;
  if (kept_) {
    again();
  } else {
    sqlite3_finalize(statement_);
  }
}

void Query::again() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  next_ = 1;
}

// Binding fails only for a wrong index or a lack of memory: bugs both, and step() would go on with a NULL that STRICT
// tables and NOT NULL refuse; hence the assertion.
Query& Query::bind(std::int64_t value) {
  ND_ASSERT(sqlite3_bind_int64(statement_, next_++, value) == SQLITE_OK);
  return *this;
}
Query& Query::bind(std::string_view value) {
  const char* data = value.data() == nullptr ? "" : value.data();
  ND_ASSERT(sqlite3_bind_text64(statement_, next_++, data, value.size(), nullptr, SQLITE_UTF8) == SQLITE_OK);
  return *this;
}
Query& Query::bind(std::span<const std::uint8_t> value) {
  const void* data = value.data() == nullptr ? "" : static_cast<const void*>(value.data());
  ND_ASSERT(sqlite3_bind_blob64(statement_, next_++, data, value.size(), nullptr) == SQLITE_OK);
  return *this;
}
Query& Query::bind(const std::optional<std::int64_t>& value) {
  return value ? bind(*value) : bind_null();
}
Query& Query::bind_text_or_null(std::string_view value) {
  return value.empty() ? bind_null() : bind(value);
}
Query& Query::bind_null() {
  ND_ASSERT(sqlite3_bind_null(statement_, next_++) == SQLITE_OK);
  return *this;
}

Result<bool> Query::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return database_->error(code);
}

Result<void> Query::run() {
  for (;;) {
    ND_LET(const bool more, step());
    if (!more) return {};
  }
}

std::int64_t Query::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}
std::optional<std::int64_t> Query::optional_integer(int column) const {
  if (sqlite3_column_type(statement_, column) == SQLITE_NULL) return std::nullopt;
  return integer(column);
}
std::string_view Query::text(int column) const {
  const unsigned char* data = sqlite3_column_text(statement_, column);
  if (data == nullptr) return {};
  return {static_cast<const char*>(static_cast<const void*>(data)),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}
std::span<const std::uint8_t> Query::blob(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  if (data == nullptr) return {};
  return {static_cast<const std::uint8_t*>(data), static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

Result<void> Database::open(const std::filesystem::path& path, std::span<const std::uint8_t, 32> key,
                            const Settings& settings) {
  close();
  damaged_ = false;
  constexpr int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  if (const int code = sqlite3_open_v2(path.c_str(), &handle_, flags, settings.vfs); code != SQLITE_OK) {
    auto failed = error(code);
    close();
    return failed;
  }
  const auto set_up = [&]() -> Result<void> {
    // Leaving without having changed anything must not write the WAL back; tidy() does it when it is wanted.
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    if (!settings.salvage) sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    ND_TRY(hand_over_key(handle_, key));
    ND_TRY(execute(settings_sql));
    ND_TRY(execute(settings.synchronous_normal ? "PRAGMA synchronous=NORMAL" : "PRAGMA synchronous=FULL"));
    ND_TRY(number("SELECT count(*) FROM sqlite_schema"));
    if (sqlite3_db_readonly(handle_, "main") == 1) return failure(Errc::ReadOnly, "the queue's file cannot be written");
    return {};
  };
  if (auto done = set_up(); !done) {
    close();
    return done;
  }
  sqlite3_wal_hook(handle_, &Database::on_wal, this);
  return {};
}

void Database::close() {
  for (const auto& [sql, statement] : kept_) sqlite3_finalize(statement);
  for (const auto& [sql, statement] : kept_variants_) sqlite3_finalize(statement);
  kept_.clear();
  kept_variants_.clear();
  if (handle_ != nullptr) sqlite3_close_v2(handle_);
  handle_ = nullptr;
  wal_frames_ = commit_frames_ = 0;
}

int Database::on_wal(void* self, sqlite3*, const char*, int frames) {
  auto& database = *static_cast<Database*>(self);
  database.commit_frames_ = frames >= database.wal_frames_ ? frames - database.wal_frames_ : frames;
  database.wal_frames_ = frames;
  return SQLITE_OK;
}

Result<Query> Database::query(const char* sql) {
  return kept(kept_[sql], sql);
}
Result<Query> Database::query(const std::string& sql) {
  return kept(kept_variants_[sql], sql.c_str());
}

Result<Query> Database::kept(sqlite3_stmt*& statement, const char* sql) {
  if (statement == nullptr) {
    if (const int code = sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
        code != SQLITE_OK) {
      return error(code);
    }
  }
  ND_ASSERT(sqlite3_stmt_busy(statement) == 0);  // a kept statement serves one use at a time
  return Query(*this, statement, true);
}

Result<Query> Database::once(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  if (const int code = sqlite3_prepare_v2(handle_, sql.c_str(), -1, &statement, nullptr); code != SQLITE_OK)
    return error(code);
  return Query(*this, statement, false);
}

Result<void> Database::execute(const char* sql) {
  if (const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr); code != SQLITE_OK) return error(code);
  return {};
}

Result<std::int64_t> Database::number(const char* sql) {
  ND_LET(Query query, once(sql));
  ND_LET(const bool row, query.step());
  return row ? query.integer(0) : 0;
}

bool Database::autocommit() const {
  return sqlite3_get_autocommit(handle_) != 0;
}

Result<void> Database::checkpoint() {
  if (const int code = sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
      code != SQLITE_OK) {
    return error(code);
  }
  // The truncation itself is durable too: what was erased is not to come back with the next power cut.
  sqlite3_file* wal = nullptr;
  if (sqlite3_file_control(handle_, "main", SQLITE_FCNTL_JOURNAL_POINTER, static_cast<void*>(&wal)) == SQLITE_OK &&
      wal != nullptr && wal->pMethods != nullptr) {
    if (const int code = wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL); code != SQLITE_OK) return error(code);
  }
  wal_frames_ = commit_frames_ = 0;
  return {};
}

std::optional<std::uint64_t> Database::wal_salts() {
  sqlite3_file* wal = nullptr;
  if (sqlite3_file_control(handle_, "main", SQLITE_FCNTL_JOURNAL_POINTER, static_cast<void*>(&wal)) != SQLITE_OK)
    return std::nullopt;
  // Without this promise of the disk SQLite repeats the last frame up to a whole sector, and the repetition's end is
  // not synced: a count of frames would claim too much.
  if (wal == nullptr || wal->pMethods == nullptr ||
      (wal->pMethods->xDeviceCharacteristics(wal) & SQLITE_IOCAP_POWERSAFE_OVERWRITE) == 0) {
    return std::nullopt;
  }
  std::array<std::uint8_t, 8> salts{};
  if (wal->pMethods->xRead(wal, salts.data(), static_cast<int>(salts.size()), 16) != SQLITE_OK) return std::nullopt;
  std::uint64_t value = 0;
  for (const std::uint8_t byte : salts) value = value << 8 | byte;
  return value;
}

std::vector<std::uint8_t> Database::first_page() {
  sqlite3_file* file = nullptr;
  std::vector<std::uint8_t> page(page_bytes);
  if (sqlite3_file_control(handle_, "main", SQLITE_FCNTL_FILE_POINTER, static_cast<void*>(&file)) != SQLITE_OK ||
      file == nullptr || file->pMethods == nullptr ||
      file->pMethods->xRead(file, page.data(), static_cast<int>(page.size()), 0) != SQLITE_OK) {
    page.clear();
  }
  return page;
}

std::unexpected<Error> Database::error(int code) {
  const int os = handle_ == nullptr ? 0 : sqlite3_system_errno(handle_);
  switch (code & 0xFF) {
    case SQLITE_FULL: return failure(Errc::DiskFull, "the disk is full", code);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      damaged_ = true;
      return failure(Errc::Corrupt, "the queue's file is damaged or the key is another", code);
    case SQLITE_CONSTRAINT: return failure(Errc::Conflict, "the queue has another row of that name", code);
    case SQLITE_READONLY: return failure(Errc::ReadOnly, "the queue's file cannot be written", code);
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return failure(Errc::Busy, "another process has the queue", code);
    default: break;
  }
  if (code == SQLITE_IOERR_SHORT_READ || code == SQLITE_IOERR_DATA || code == SQLITE_IOERR_CORRUPTFS) {
    damaged_ = true;
    return failure(Errc::Corrupt, "the queue's file ends too early", code);
  }
  if (os == ENOSPC || os == EDQUOT) return failure(Errc::DiskFull, "the disk is full", code);
  if (os == EROFS || ((code & 0xFF) == SQLITE_CANTOPEN && (os == EACCES || os == EPERM))) {
    return failure(Errc::ReadOnly, "the queue's folder cannot be written", code);
  }
  return failure(Errc::Io, "the queue's file could not be read or written", code);
}

}  // namespace nightdrop::store
