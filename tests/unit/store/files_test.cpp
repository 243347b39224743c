// The queue's files: who may open them, what is refused without touching anything, and what erasing leaves behind.
#include <fstream>
#include <iterator>
#include <map>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.hpp"

#define SQLITE_HAS_CODEC
#include <sqlcipher/sqlite3.h>

namespace nightdrop::test {
namespace {

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::map<std::string, std::string> snapshot(const std::filesystem::path& dir) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) {
    std::string bytes = contents(entry.path());
    if (!bytes.empty()) files[entry.path().filename()] = std::move(bytes);  // SQLite may leave an empty log
  }
  return files;
}

// Every page of the database, free ones included, decrypted: what somebody with the key could find in it.
std::string plaintext_of(const std::filesystem::path& file) {
  sqlite3* handle = nullptr;
  EXPECT_EQ(sqlite3_open(file.c_str(), &handle), SQLITE_OK);
  std::string key = "x'";
  for (const std::uint8_t byte : test_key()) {
    char hex[3];
    std::snprintf(hex, sizeof hex, "%02x", byte);
    key += hex;
  }
  key += "'";
  EXPECT_EQ(sqlite3_key(handle, key.data(), static_cast<int>(key.size())), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(handle, "PRAGMA locking_mode=EXCLUSIVE; SELECT count(*) FROM sqlite_schema", nullptr, nullptr,
                         nullptr),
            SQLITE_OK);
  sqlite3_int64 size = 0;
  unsigned char* bytes = sqlite3_serialize(handle, "main", &size, 0);
  EXPECT_NE(bytes, nullptr);
  std::string text;
  if (bytes != nullptr)
    text.assign(static_cast<const char*>(static_cast<const void*>(bytes)), static_cast<std::size_t>(size));
  sqlite3_free(bytes);
  sqlite3_close(handle);
  return text;
}

std::string needle(const Payment& p) {
  const auto& c = p.envelope->ciphertext;
  return {c.begin() + 20, c.begin() + 44};
}

void expect_error(const SqlCipherStore::Options& options, Errc code) {
  const auto refused = SqlCipherStore::open(options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(errc_name(refused.error().code), std::string(errc_name(code)));
}

TEST(Files, ASecondOpenerIsBusy) {
  const Folder folder;
  auto store = open_store(folder);
  expect_error(options_in(folder.path()), Errc::Busy);
  store.reset();
  open_store(folder);
}

TEST(Files, AnotherProcessIsBusyToo) {
  const Folder folder;
  auto store = open_store(folder);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto refused = SqlCipherStore::open(options_in(folder.path()));
    ::_exit(!refused && refused.error().code == Errc::Busy ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(Files, AWrongKeyTouchesNothing) {
  const Folder folder;
  {
    put_all(*open_store(folder), {stored(1)});
  }
  for (const bool with_check : {true, false}) {
    if (!with_check) std::filesystem::remove(folder / "queue.keycheck");
    const auto before = snapshot(folder.path());
    expect_error(options_in(folder.path(), 2), Errc::WrongKey);
    EXPECT_TRUE(snapshot(folder.path()) == before);
  }
  auto store = open_store(folder);
  EXPECT_TRUE(store->find(stored(1).id)->has_value());
  EXPECT_FALSE(store->health().degraded);
}

TEST(Files, ALaterSchemaTouchesNothing) {
  const Folder folder;
  {
    put_all(*open_store(folder), {stored(1)});
  }
  sqlite3* handle = nullptr;
  ASSERT_EQ(sqlite3_open((folder / "queue.db").c_str(), &handle), SQLITE_OK);
  std::string key = "PRAGMA key=\"x'";
  for (const std::uint8_t byte : test_key()) {
    char hex[3];
    std::snprintf(hex, sizeof hex, "%02x", byte);
    key += hex;
  }
  ASSERT_EQ(sqlite3_exec(handle, (key + "'\"; PRAGMA user_version=99").c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(handle);
  const auto before = snapshot(folder.path());
  expect_error(options_in(folder.path()), Errc::NewerSchema);
  EXPECT_TRUE(snapshot(folder.path()) == before);
}

// The kernel refuses root nothing, so the store is opened as nobody.
TEST(Files, AFolderThatCannotBeWrittenIsReadOnly) {
  const Folder folder;
  {
    put_all(*open_store(folder), {stored(1)});
  }
  const auto before = snapshot(folder.path());
  ::chmod(folder.path().c_str(), S_IRUSR | S_IXUSR | S_IROTH | S_IXOTH);
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    ::chmod(entry.path().c_str(), S_IRUSR | S_IROTH);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && ::setuid(65534) != 0) ::_exit(2);
    const auto refused = SqlCipherStore::open(options_in(folder.path()));
    ::_exit(!refused && refused.error().code == Errc::ReadOnly ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  ::chmod(folder.path().c_str(), S_IRWXU);
  EXPECT_TRUE(snapshot(folder.path()) == before);
}

TEST(Files, AQueueThatIsGoneIsSaidToBe) {
  const Folder folder;
  {
    auto store = open_store(folder);
    EXPECT_FALSE(store->health().was_lost);
    put_all(*store, {stored(1)});
  }
  std::filesystem::remove(folder / "queue.db");
  open_store(folder).reset();
  auto store = open_store(folder);  // still said after another restart
  EXPECT_TRUE(store->health().was_lost);
  EXPECT_TRUE(store->health().degraded);
  ND_OK(store->begin());
  ND_OK(store->put_device_state({.dukpt_counter = 1000}));
  ND_OK(store->accept_damage());
  ND_OK(store->commit());
  EXPECT_FALSE(store->health().was_lost);
  EXPECT_FALSE(store->health().degraded);
}

TEST(Erasure, NoPageKeepsAnEnvelopeThatWasAnswered) {
  const Folder folder;
  std::vector<Payment> all;
  {
    auto store = open_store(folder);
    for (int n = 1; n <= 150; ++n) {
      Payment p = stored(n);
      if (n % 2 == 0) p.id = id_of(n * 37, start - n * 1000);  // also between others, so that pages are split
      all.push_back(p);
      put_all(*store, {p});
    }
    sqlite3_int64 found = 0;
    store.reset();
    const std::string before = plaintext_of(folder / "queue.db");
    for (const Payment& p : all) found += before.find(needle(p)) != std::string::npos ? 1 : 0;
    ASSERT_EQ(found, 150) << "the search must be able to find one";
    store = open_store(folder);
    for (std::size_t i = 0; i < 140; ++i) {
      Payment& p = all[i * 59 % 150];
      Payment answered = p;
      answer(answered, Status::Succeeded);
      answered.decline =
          Decline{std::string(i % 7 * 40, 'x'), "", "", DeclineCategory::Soft, "", {}};  // rows grow and move
      put_all(*store, {answered});
      ND_OK(store->tidy());
      EXPECT_EQ(std::filesystem::file_size(folder / "queue.db-wal"), 0U);
    }
    ND_OK(store->verify());
  }
  const std::string after = plaintext_of(folder / "queue.db");
  for (std::size_t i = 0; i < 150; ++i) {
    const bool found = after.find(needle(all[i * 59 % 150])) != std::string::npos;
    EXPECT_EQ(found, i >= 140) << i;
  }
  for (const auto& [name, bytes] : snapshot(folder.path())) {
    for (const Payment& p : all) EXPECT_EQ(bytes.find(needle(p)), std::string::npos) << name;
  }
}

TEST(Erasure, ALongEnvelopeTakesSlotsThatAreUsedAgain) {
  const Folder folder;
  auto store = open_store(folder);
  Payment p = stored(1);
  p.envelope->ciphertext.resize(900, 0x5A);
  put_all(*store, {p});
  EXPECT_EQ((*store->find(p.id))->envelope->ciphertext, p.envelope->ciphertext);
  answer(p, Status::Succeeded);
  put_all(*store, {p});
  ND_OK(store->tidy());
  const auto size = std::filesystem::file_size(folder / "queue.db");
  for (int n = 2; n < 5; ++n) {
    Payment q = stored(n);
    q.envelope->ciphertext.resize(900, 0x5B);
    put_all(*store, {q});
    answer(q, Status::Succeeded);
    put_all(*store, {q});
    ND_OK(store->tidy());
  }
  EXPECT_LE(std::filesystem::file_size(folder / "queue.db"), size + 2 * 4096);
  ND_OK(store->verify());
}

TEST(Room, IsRefusedWhenTheDiskIsFullAndForwardingGoesOn) {
  const Folder folder;
  auto options = options_in(folder.path());
  bool full = false;
  options.faults.disk_full = [&] { return full; };
  auto store = open_store(options);
  EXPECT_TRUE(store->has_room());
  Payment p = stored(1);
  put_all(*store, {p});
  full = true;
  EXPECT_FALSE(store->has_room());
  ND_OK(store->begin());
  ND_OK(store->mark());
  const auto refused = store->put(stored(2));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::DiskFull);
  ND_OK(store->rollback_to_mark());
  answer(p, Status::Succeeded);
  ND_OK(store->put(p));
  ND_OK(store->commit());
  EXPECT_EQ(*store->count(Status::Succeeded), 1);
  ND_OK(store->verify());
}

TEST(Room, TheReserveIsGivenUpWhenLittleIsFree) {
  const Folder folder;
  {
    open_store(folder);
  }
  EXPECT_TRUE(std::filesystem::exists(folder / "reserve.bin"));
  auto options = options_in(folder.path());
  options.room_bytes = ~0ULL >> 1;  // more than any disk has
  auto store = open_store(options);
  EXPECT_FALSE(store->has_room());
  put_all(*store, {stored(1)});
  EXPECT_FALSE(std::filesystem::exists(folder / "reserve.bin"));
  store = nullptr;
  store = open_store(folder);
  EXPECT_TRUE(std::filesystem::exists(folder / "reserve.bin"));
  EXPECT_TRUE(store->has_room());
}

TEST(Faults, AFailedCommitLeavesNothingBehind) {
  const Folder folder;
  auto options = options_in(folder.path());
  bool fails = false;
  options.faults.commit_error = [&] { return fails; };
  auto store = open_store(options);
  put_all(*store, {stored(1)});
  fails = true;
  ND_OK(store->begin());
  ND_OK(store->put(stored(2)));
  EXPECT_FALSE(store->commit());
  EXPECT_FALSE(store->in_turn());
  fails = false;
  ND_OK(store->reopen());
  EXPECT_EQ(store->totals()->count, 1);
  put_all(*store, {stored(3)});
  ND_OK(store->verify());
}

TEST(Upgrade, AnOlderQueueBecomesWhatAFreshOneIs) {
  const Folder older, fresh;
  const auto schema_of = [](const std::filesystem::path& file) {
    const std::string text = plaintext_of(file);
    std::vector<std::string> statements;
    for (const char* name : {"payments", "payments_by_status", "envelopes", "state", "journal", "checkpoints",
                             "reversals", "reversals_by_age", "sync_runs"}) {
      for (const std::string verb : {"CREATE TABLE ", "CREATE INDEX "}) {
        const auto at = text.find(verb + name + (verb == "CREATE TABLE " ? " (" : " ON"));
        if (at != std::string::npos) statements.push_back(text.substr(at, 60));
      }
    }
    return statements;
  };
  {
    auto options = options_in(older.path());
    options.schema_for_test = 1;
    put_all(*open_store(options), {stored(1), stored(2)});
  }
  EXPECT_LT(schema_of(older / "queue.db").size(), 9U);
  {
    auto store = open_store(older);
    EXPECT_TRUE(store->find(stored(2).id)->has_value());
    ND_OK(store->begin());
    ND_OK(store->put_sync_run({}));
    ND_OK(store->commit());
    ND_OK(store->verify());
  }
  {
    open_store(fresh);
  }
  EXPECT_EQ(schema_of(older / "queue.db").size(), 9U);
  EXPECT_EQ(schema_of(older / "queue.db"), schema_of(fresh / "queue.db"));
}

}  // namespace
}  // namespace nightdrop::test
