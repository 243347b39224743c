// The turn: one transaction, marks inside it, the head written once at its end, and what is done between turns.
#include <utility>

#include "store/database.hpp"
#include "store/files.hpp"
#include "store/sqlcipher_store.hpp"

namespace nightdrop {

using store::Query;

namespace {
bool strikes(const std::function<bool()>& fault) {
  return fault && fault();
}
}  // namespace

Result<void> SqlCipherStore::ready() {
  if (in_turn_) {
    if (!broken_ && db_->autocommit()) broken_ = true;  // SQLite rolled the turn back by itself
    if (broken_) return failure(Errc::Unavailable, "the turn was lost and must be rolled back");
    return {};
  }
  if (!db_->is_open() || db_->damaged() || unknown_) return reopen();
  return {};
}

Result<void> SqlCipherStore::change() {
  if (!in_turn_) return failure(Errc::Unavailable, "no turn is open");
  ND_TRY(ready());
  if (strikes(options_.faults.disk_error)) return failure(Errc::Io, "the disk fails (simulated)");
  return {};
}

Result<void> SqlCipherStore::begin() {
  if (in_turn_) return {};
  ND_TRY(ready());
  keep_reserve();
  ND_LET(Query query, db_->query("BEGIN IMMEDIATE"));
  ND_TRY(query.run());
  in_turn_ = true;
  broken_ = marked_ = erased_ = head_dirty_ = false;
  head_at_begin_ = head_;
  return {};
}

Result<void> SqlCipherStore::write_head() {
  const auto bytes = store::encode(head_);
  ND_LET(Query query,
         db_->query("INSERT INTO state (key, value) VALUES ('head', ?1) ON CONFLICT (key) DO UPDATE SET value = ?1"));
  return query.bind(std::span<const std::uint8_t>(bytes)).run();
}

Result<void> SqlCipherStore::commit() {
  if (!in_turn_) return {};
  const auto give_up = [&](const Error& error) -> Result<void> {
    rollback();
    unknown_ = true;
    return std::unexpected(error);
  };
  if (auto able = change(); !able) return give_up(able.error());
  if (strikes(options_.faults.commit_error)) return give_up({Errc::Io, 0, "the commit failed (simulated)"});
  if (head_dirty_) {
    if (auto written = write_head(); !written) return give_up(written.error());
  }
  const int frames_before = db_->wal_frames();
  auto query = db_->query("COMMIT");
  if (!query) return give_up(query.error());
  if (auto done = query->run(); !done) {
    query->again();
    return give_up(done.error());
  }
  const int frames = db_->wal_frames();
  last_commit_frames_ = frames >= frames_before ? frames - frames_before : frames;
  if (last_commit_frames_ > 0) {
    if (!wal_salts_ || frames_before == 0) wal_salts_ = db_->wal_salts();
    if (wal_salts_) files_->write_mark({*wal_salts_, static_cast<std::uint64_t>(frames)});
  }
  in_turn_ = false;
  sensitive_wal_ = sensitive_wal_ || erased_;
  return {};
}

void SqlCipherStore::rollback() {
  if (!in_turn_) return;
  if (db_->is_open() && !db_->autocommit()) {
    bool undone = false;
    if (auto query = db_->query("ROLLBACK"); query) undone = query->run().has_value();
    if (!undone) unknown_ = true;
  }
  head_ = head_at_begin_;
  in_turn_ = broken_ = marked_ = head_dirty_ = erased_ = false;
}

Result<void> SqlCipherStore::mark() {
  if (!in_turn_) return failure(Errc::Unavailable, "no turn is open");
  ND_TRY(ready());
  if (marked_) {
    ND_LET(Query release, db_->query("RELEASE decision"));
    ND_TRY(release.run());
  }
  ND_LET(Query query, db_->query("SAVEPOINT decision"));
  ND_TRY(query.run());
  marked_ = true;
  head_at_mark_ = head_;
  head_dirty_at_mark_ = head_dirty_;
  return {};
}

Result<void> SqlCipherStore::rollback_to_mark() {
  if (!in_turn_ || !marked_) return failure(Errc::Unavailable, "no mark is set");
  ND_TRY(ready());
  ND_LET(Query query, db_->query("ROLLBACK TO decision"));
  ND_TRY(query.run());
  head_ = head_at_mark_;
  head_dirty_ = head_dirty_at_mark_;
  return {};
}

Result<void> SqlCipherStore::own_turn(const std::function<Result<void>()>& work) {
  if (in_turn_) return work();
  ND_TRY(begin());
  if (auto done = work(); !done) {
    rollback();
    return done;
  }
  return commit();
}

Result<void> SqlCipherStore::accept_damage() {
  return own_turn([&]() -> Result<void> {
    ND_TRY(change());
    head_.health.degraded = false;
    head_dirty_ = true;
    return {};
  });
}

bool SqlCipherStore::has_room() const {
  if (strikes(options_.faults.disk_full)) return false;
  if (options_.reserve_bytes != 0 && !files_->has_reserve()) return false;
  const auto free = files_->free_bytes();
  return !free || *free >= options_.room_bytes;
}

// The reserve is given to forwarding before the disk is so full that a commit would fail, and taken back when there is
// room for it twice.
void SqlCipherStore::keep_reserve() {
  if (options_.reserve_bytes == 0) return;
  const auto free = files_->free_bytes();
  if (!free) return;
  if (files_->has_reserve()) {
    if (*free < options_.room_bytes) files_->release_reserve();
  } else if (*free >= 2 * options_.reserve_bytes + options_.room_bytes) {
    files_->make_reserve(options_.reserve_bytes);
  }
}

Result<void> SqlCipherStore::write_back() {
  ND_TRY(db_->checkpoint());
  files_->keep_first_page(db_->first_page());
  wal_salts_.reset();
  sensitive_wal_ = false;
  return {};
}

Result<void> SqlCipherStore::tidy() {
  if (in_turn_) return {};
  ND_TRY(ready());
  constexpr std::uint64_t frame_bytes = 24 + store::page_bytes;
  const bool grown = static_cast<std::uint64_t>(db_->wal_frames()) * frame_bytes > options_.wal_bytes_max;
  if (!sensitive_wal_ && !grown) return {};
  return write_back();
}

}  // namespace nightdrop
