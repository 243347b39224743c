// Damage: the file is set aside and whatever can be read is carried over into a new one. A page whose HMAC is wrong fails
// every read that meets it, so tables are walked from both ends, and what lies between is looked up one by one: payments
// by the numbers that the indexes still name, events by their sequence. What was there and did not come is counted.
#include <algorithm>
#include <set>
#include <system_error>
#include <utility>

#include "store/database.hpp"
#include "store/files.hpp"
#include "store/row.hpp"
#include "store/wal.hpp"

namespace nightdrop {

namespace store {

struct Salvage {
  std::optional<Head> head;  // of the damaged file, if it could be read
  std::int64_t carried{0};
  std::int64_t lost{0};
  std::set<std::string, std::less<>> cards;  // keys of the counters that were carried
};

}  // namespace store

using store::Database;
using store::Query;
using store::Salvage;

namespace {

// Every row of a statement up to its end or the first that cannot be read; true when the end was reached.
template <class Take>
bool walk(Database& from, const std::string& sql, const Take& take) {
  auto query = from.once(sql);
  if (!query) return false;
  for (;;) {
    auto more = query->step();
    if (!more) return false;
    if (!*more) return true;
    take(*query);
  }
}

// A table from both ends: `columns` of `table` in the order of `key`, each row once.
template <class Take>
bool walk_both(Database& from, const std::string& columns, const std::string& table, const std::string& key, const Take& take) {
  const std::string sql = "SELECT " + columns + " FROM " + table + " NOT INDEXED ORDER BY " + key;
  return walk(from, sql, take) || (walk(from, sql + " DESC", take), false);
}

std::vector<std::int64_t> numbers_of_payments(Database& from, bool& whole) {
  std::vector<std::int64_t> numbers;
  const auto take = [&](const Query& query) { numbers.push_back(query.integer(0)); };
  whole = walk_both(from, "n", "payments", "n", take);
  if (!whole) {
    for (const std::string order : {"", " DESC"}) {
      for (std::size_t status = 0; status < status_count; ++status) {
        walk(from, "SELECT n FROM payments INDEXED BY payments_by_status WHERE status = " + std::to_string(status) + " ORDER BY created_at" + order, take);
      }
      for (int lane = 0; lane < store::lane_count; ++lane) {
        walk(from, "SELECT n FROM payments INDEXED BY payments_by_deadline WHERE lane = " + std::to_string(lane) + " ORDER BY deadline" + order, take);
      }
      walk(from, "SELECT n FROM payments INDEXED BY payments_by_reference WHERE merchant_reference IS NOT NULL ORDER BY merchant_reference" + order, take);
    }
  }
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  return numbers;
}

}  // namespace

Result<void> SqlCipherStore::salvage(bool wal_damaged) {
  db_->close();
  auto source = files_->database();
  if (wal_damaged) {
    files_->remove(files_->reading());
    std::error_code failed;
    std::filesystem::copy_file(source, files_->reading(), failed);
    if (!failed) std::filesystem::copy_file(files_->wal(), files_->reading().string() + "-wal", failed);
    if (failed) return std::unexpected(store::os_error(failed.value(), "the damaged queue could not be copied"));
    source = files_->reading();
    if (auto repaired = store::repair_wal(source.string() + "-wal", files_->read_mark()); !repaired && repaired.error().code != Errc::Corrupt) {
      return repaired;
    }
  }
  files_->remove(files_->fresh());
  Salvage found;
  const auto steps = [&]() -> Result<void> {
    ND_TRY(connect(*db_, files_->fresh()));
    ND_TRY(db_->execute("PRAGMA journal_mode=WAL"));
    ND_TRY(migrate(*db_));
    head_ = {};
    ND_TRY(db_->execute("BEGIN IMMEDIATE"));
    Database from;
    if (auto opened = connect(from, source); opened) {
      ND_TRY(salvage_rows(from, found));
    } else if (opened.error().code != Errc::Corrupt) {
      return opened;
    }
    from.close();
    head_.health = found.head ? found.head->health : hal::StoreHealth{};
    head_.health.degraded = true;
    head_.health.carried_over = found.carried;
    head_.health.lost = found.lost;
    head_.health.set_aside_path = files_->next_damaged().string();
    if (!found.head) head_.health.was_lost = true;  // the counters are not known
    ND_TRY(write_head());
    ND_TRY(db_->execute("COMMIT"));
    return finish_fresh();
  };
  if (auto done = steps(); !done) {
    db_->close();
    return done;
  }
  ND_TRY(files_->move(files_->fresh(), files_->salvaged()));
  ND_TRY(files_->swap_in_salvaged());
  files_->remove(files_->reading());
  return open_database();
}

Result<void> SqlCipherStore::salvage_rows(Database& from, Salvage& found) {
  walk(from, "SELECT value FROM state WHERE key = 'head'", [&](const Query& query) {
    store::Head head;
    if (store::decode(query.blob(0), head)) found.head = std::move(head);
  });
  if (found.head) head_.device = found.head->device;
  ND_TRY(salvage_small(from, found));
  ND_TRY(salvage_payments(from, found));
  ND_TRY(salvage_journal(from, found));
  return {};
}

Result<void> SqlCipherStore::salvage_payments(Database& from, Salvage& found) {
  bool whole = false;
  std::int64_t carried = 0;
  const auto numbers = numbers_of_payments(from, whole);
  for (const std::int64_t n : numbers) {
    std::optional<Row> row;
    walk(from, "SELECT n, id, status, created_at, deadline, not_before, lane, wait_until, oldest, report, sync_id, blocked_by, "
               "merchant_reference, slot, detail FROM payments NOT INDEXED WHERE n = " + std::to_string(n),
         [&](Query& query) {
           if (auto read = read_row(query)) row = std::move(*read);
         });
    if (!row) continue;
    if (row->slot) {
      auto envelope = load_envelope_from(from, *row->slot);
      row->slot.reset();
      if (envelope && *envelope) {
        ND_LET(row->slot, store_envelope(**envelope));
      } else {
        ++found.lost;  // the payment is known and reported, but it cannot be sent any more
      }
    }
    const bool blocked = !row->blocked_by.empty();
    ND_TRY(place(*row, blocked));
    add_to_head(*row, +1);
    ND_TRY(write_row(nullptr, *row));
    ND_TRY(recount_card(row->payment, found.cards));
    ++carried;
  }
  found.carried += carried;
  const std::int64_t known = found.head ? found.head->rows() : static_cast<std::int64_t>(numbers.size());
  found.lost += std::max<std::int64_t>(0, known - carried);
  return forget_idle_cards();
}

Result<void> SqlCipherStore::salvage_journal(Database& from, Salvage& found) {
  std::uint64_t first = 1, last = 0, seen = 0;
  if (found.head) {
    first = found.head->anchor_seq + 1;
    last = found.head->journal_seq;
  } else {
    bool any = false;
    walk_both(from, "seq", "journal", "seq", [&](const Query& query) {
      const auto seq = static_cast<std::uint64_t>(query.integer(0));
      first = any ? std::min(first, seq) : seq;
      last = std::max(last, seq);
      any = true;
    });
  }
  store::Head& head = head_;
  for (std::uint64_t seq = first; seq <= last; ++seq) {
    bool came = false;
    Result<void> written;
    auto query = from.query("SELECT at, type, text, hash FROM journal WHERE seq = ?");
    if (!query) break;
    query->bind(static_cast<std::int64_t>(seq));
    if (auto row = query->step(); row && *row) {
      ND_LET(Query insert, db_->query("INSERT INTO journal (seq, at, type, text, hash) VALUES (?, ?, ?, ?, ?)"));
      insert.bind(static_cast<std::int64_t>(seq)).bind(query->integer(0)).bind(query->text(1)).bind(query->text(2));
      ND_TRY(insert.bind(query->blob(3)).run());
      head.journal_seq = seq;
      head.journal_hash = query->bytes<32>(3);
      came = true;
    }
    if (came) ++seen;
  }
  if (found.head) {
    // The chain goes on from where it was, also when its last events are among what was lost.
    head.anchor_seq = found.head->anchor_seq;
    head.anchor_hash = found.head->anchor_hash;
    if (head.journal_seq != found.head->journal_seq) ND_TRY(bridge_journal(found));
  } else if (first > 1) {
    head.anchor_seq = first - 1;
  }
  found.carried += static_cast<std::int64_t>(seen);
  if (last >= first) found.lost += static_cast<std::int64_t>(last - first + 1 - seen);
  return {};
}

// The journal's last event cannot be read, its hash is in the head: an empty event of that number and hash holds the place,
// so that no later one is given the same number.
Result<void> SqlCipherStore::bridge_journal(const Salvage& found) {
  ND_LET(Query insert, db_->query("INSERT INTO journal (seq, at, type, text, hash) VALUES (?, 0, 'journal.lost', '', ?)"));
  insert.bind(static_cast<std::int64_t>(found.head->journal_seq)).bind(std::span<const std::uint8_t>(found.head->journal_hash));
  ND_TRY(insert.run());
  head_.journal_seq = found.head->journal_seq;
  head_.journal_hash = found.head->journal_hash;
  return {};
}

Result<void> SqlCipherStore::salvage_small(Database& from, Salvage& found) {
  Result<void> written;
  const auto copy = [&](const char* sql, const Query& query, int columns, bool first_is_text, int texts_until) {
    auto insert = db_->query(sql);
    if (!insert) {
      written = std::unexpected(insert.error());
      return;
    }
    for (int column = 0; column < columns; ++column) {
      if (column == 0 && first_is_text) {
        insert->bind(query.text(column));
      } else if (column < texts_until) {
        insert->bind(query.integer(column));
      } else {
        insert->bind(query.blob(column));
      }
    }
    if (auto done = insert->run(); !done) written = done;
  };
  walk_both(from, "key, value", "state", "key", [&](const Query& query) {
    if (query.text(0) == "head") return;
    if (query.text(0).starts_with("card/")) found.cards.emplace(query.text(0));
    copy("INSERT OR REPLACE INTO state (key, value) VALUES (?, ?)", query, 2, true, 1);
  });
  walk_both(from, "seq, at, hash, signature", "checkpoints", "seq", [&](const Query& query) {
    copy("INSERT OR REPLACE INTO checkpoints (seq, at, hash, signature) VALUES (?, ?, ?, ?)", query, 4, false, 2);
  });
  walk_both(from, "payment_id, reason, created_at, attempts, not_before", "reversals", "payment_id", [&](const Query& query) {
    copy("INSERT OR REPLACE INTO reversals (payment_id, reason, created_at, attempts, not_before) VALUES (?, ?, ?, ?, ?)", query, 5, true, 5);
  });
  walk_both(from, "id, detail", "sync_runs", "id", [&](const Query& query) {
    copy("INSERT OR REPLACE INTO sync_runs (id, detail) VALUES (?, ?)", query, 2, false, 1);
    head_.last_sync = std::max(head_.last_sync, static_cast<std::uint64_t>(query.integer(0)));
  });
  if (found.head) head_.last_sync = std::max(head_.last_sync, found.head->last_sync);
  if (written) written = clear_open_cards();
  return written;
}

}  // namespace nightdrop
