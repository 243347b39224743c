// Opening: the lock, the right key, a new file or the old one, its migrations, and whether it is whole. What goes wrong
// here leaves the files as they were. Damage leads to salvage(), see damage.cpp.
#include <algorithm>
#include <array>
#include <system_error>
#include <utility>

#include "store/database.hpp"
#include "store/files.hpp"
#include "store/sqlcipher_store.hpp"
#include "store/wal.hpp"

namespace nightdrop {

using store::Database;
using store::Query;

namespace {

constexpr auto migrations = std::to_array<const char*>({
#include "store_migrations.inc"
});

bool present(const std::filesystem::path& path) {
  std::error_code failed;
  return std::filesystem::exists(path, failed);
}

bool has_content(const std::filesystem::path& path) {
  std::error_code failed;
  const auto size = std::filesystem::file_size(path, failed);
  return !failed && size > 0;
}

}  // namespace

SqlCipherStore::SqlCipherStore(Options options) : options_(std::move(options)), db_(std::make_unique<Database>()) {}

SqlCipherStore::~SqlCipherStore() {
  close_database();
}

Result<std::unique_ptr<SqlCipherStore>> SqlCipherStore::open(Options options) {
  if (!options.with_key || !options.sha256 || options.dir.empty())
    return failure(Errc::InvalidArgument, "the queue needs a folder, a key and a hash");
  std::unique_ptr<SqlCipherStore> self(new SqlCipherStore(std::move(options)));
  ND_LET(self->files_, store::Files::open(self->options_.dir));
  ND_TRY(self->open_files());
  return self;
}

Result<void> SqlCipherStore::open_files() {
  store::Files::Tag tag{};
  ND_TRY(options_.with_key([&](std::span<const std::uint8_t, 32> key) -> Result<void> {
    constexpr std::string_view purpose = "nightdrop queue key check";
    const std::vector<std::uint8_t> prefix(purpose.begin(), purpose.end());
    tag = options_.sha256(prefix, key);
    return {};
  }));
  const auto known = files_->key_tag();
  if (known && *known != tag) return failure(Errc::WrongKey, "the queue was made with another key");
  key_known_ = known.has_value();
  files_->remove(files_->fresh());
  files_->remove(files_->reading());
  if (present(files_->salvaged())) {
    ND_TRY(files_->swap_in_salvaged());  // a power cut came between the salvage's last steps
  }
  if (has_content(files_->database())) {
    ND_TRY(open_or_recover());
  } else {
    ND_TRY(create_fresh(key_known_));
    ND_TRY(open_database());
  }
  if (!key_known_) ND_TRY(files_->write_key_tag(tag));
  key_known_ = true;
  if (has_content(files_->wal())) {
    // A rest of the last run, perhaps with an erased envelope in it.
    if (auto done = write_back(); !done && done.error().code != Errc::DiskFull) return done;
  }
  keep_reserve();
  return {};
}

Result<void> SqlCipherStore::open_or_recover() {
  if (key_known_ && store::inspect_wal(files_->wal(), files_->read_mark()).damaged) return salvage(true);
  auto opened = open_database();
  if (opened || opened.error().code != Errc::Corrupt) return opened;
  // A wrong key and a damaged first page look the same; the key check beside the file tells them apart.
  if (!key_known_) return failure(Errc::WrongKey, "the queue was made with another key", opened.error().native);
  return salvage(false);
}

Result<void> SqlCipherStore::connect(Database& database, const std::filesystem::path& path) {
  return options_.with_key([&](std::span<const std::uint8_t, 32> key) {
    return database.open(path, key, {options_.vfs, options_.synchronous_normal_for_canary});
  });
}

Result<void> SqlCipherStore::open_database() {
  const auto steps = [&]() -> Result<void> {
    ND_TRY(connect(*db_, files_->database()));
    ND_TRY(migrate(*db_));
    ND_TRY(load_head());
    wal_salts_.reset();
    unknown_ = false;
    return {};
  };
  auto opened = steps();
  if (!opened) db_->close();
  return opened;
}

void SqlCipherStore::close_database() {
  rollback();
  if (db_->is_open() && !unknown_ && (sensitive_wal_ || db_->wal_frames() != 0)) {
    [[maybe_unused]] const auto done = write_back();  // else the next open() does it
  }
  db_->close();
}

Result<void> SqlCipherStore::reopen() {
  rollback();
  const bool damaged = db_->damaged();
  db_->close();
  if (damaged) return salvage(false);
  return open_or_recover();
}

Result<void> SqlCipherStore::refuse_newer(Database& database) {
  ND_LET(const std::int64_t present, database.number("PRAGMA user_version"));
  if (present > static_cast<std::int64_t>(migrations.size()))
    return failure(Errc::NewerSchema, "a later version wrote the queue");
  return {};
}

// Each migration is one transaction with its number: a fault leaves the schema before it or the one after it.
Result<void> SqlCipherStore::migrate(Database& database) {
  ND_LET(const std::int64_t present, database.number("PRAGMA user_version"));
  const auto latest = static_cast<std::int64_t>(
      options_.schema_for_test != 0 ? static_cast<std::size_t>(options_.schema_for_test) : migrations.size());
  ND_TRY(refuse_newer(database));
  for (std::int64_t number = present + 1; number <= latest; ++number) {
    const std::string step = "PRAGMA user_version = " + std::to_string(number);
    ND_TRY(database.execute("BEGIN IMMEDIATE"));
    auto done = database.execute(migrations[static_cast<std::size_t>(number - 1)]);
    if (done) done = database.execute(step.c_str());
    if (done) done = database.execute("COMMIT");
    if (!done) {
      if (!database.autocommit()) [[maybe_unused]]
        const auto undone = database.execute("ROLLBACK");
      return done;
    }
  }
  return {};
}

// The head, and cheap proofs that the file belongs to it.
Result<void> SqlCipherStore::load_head() {
  store::Head head;
  {
    ND_LET(Query query, db_->query("SELECT value FROM state WHERE key = 'head'"));
    ND_LET(const bool found, query.step());
    if (!found || !store::decode(query.blob(0), head)) return failure(Errc::Corrupt, "the queue's head is not there");
  }
  {
    ND_LET(Query query, db_->query("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1"));
    ND_LET(const bool found, query.step());
    const bool chained = found ? static_cast<std::uint64_t>(query.integer(0)) == head.journal_seq &&
                                     query.bytes<32>(1) == head.journal_hash
                               : head.journal_seq == head.anchor_seq;
    if (!chained) return failure(Errc::Corrupt, "the journal's end is not there");
  }
  {
    ND_LET(Query query, db_->query("SELECT n, id, detail FROM payments ORDER BY n DESC LIMIT 1"));
    ND_LET(const bool found, query.step());
    if (found != (head.rows() > 0)) return failure(Errc::Corrupt, "the payments are not those that the head counts");
  }
  head_ = std::move(head);
  ND_TRY(read_totals());
  return {};
}

// Made under another name and renamed when it is whole, so that a power cut leaves a queue or none.
Result<void> SqlCipherStore::create_fresh(bool was_lost) {
  std::filesystem::path aside;
  if (present(files_->wal()) || present(files_->database())) {
    aside = files_->next_damaged();
    if (has_content(files_->wal())) ND_TRY(files_->move(files_->wal(), aside.string() + "-wal"));
    files_->remove(files_->database());
  }
  head_ = {};
  head_.health.was_lost = head_.health.degraded = was_lost;
  if (was_lost) head_.health.set_aside_path = aside.string();
  files_->remove(files_->fresh());
  ND_TRY(connect(*db_, files_->fresh()));
  ND_TRY(db_->execute("PRAGMA journal_mode=WAL"));
  ND_TRY(migrate(*db_));
  ND_TRY(write_head());
  ND_TRY(finish_fresh());
  return files_->move(files_->fresh(), files_->database());
}

// Everything into the file itself, and no log beside it.
Result<void> SqlCipherStore::finish_fresh() {
  ND_TRY(write_back());
  db_->close();
  files_->remove(files_->fresh().string() + "-wal");
  return files_->sync_folder();
}

}  // namespace nightdrop
