// Carrying over: payments, events and the small rows of a damaged file into the fresh one that db_ is. Trees are walked
// first; what is then known to be missing is looked for in every page. What was there and did not come is counted.
#include "store/salvage.hpp"

#include <algorithm>
#include <utility>

#include "store/row.hpp"

namespace nightdrop {

using store::Database;
using store::Query;
using store::Salvage;
using store::walk;
using store::walk_both;

namespace {

#define ND_ALL_COLUMNS                                                                                       \
  "n, id, status, created_at, deadline, not_before, lane, wait_until, oldest, report, sync_id, blocked_by, " \
  "merchant_reference, "                                                                                     \
  "slot, detail"

// The numbers that the table and, when it is damaged, its indexes still name.
std::vector<std::int64_t> numbers_of_payments(Database& from) {
  std::vector<std::int64_t> numbers;
  const auto take = [&](const Query& query) { numbers.push_back(query.integer(0)); };
  if (!walk_both(from, "n", "payments", "n", take)) {
    for (const std::string order : {"", " DESC"}) {
      for (std::size_t status = 0; status < status_count; ++status) {
        walk(from,
             "SELECT n FROM payments INDEXED BY payments_by_status WHERE status = " + std::to_string(status) +
                 " ORDER BY created_at" + order,
             take);
      }
      for (int lane = 0; lane < store::lane_count; ++lane) {
        walk(from,
             "SELECT n FROM payments INDEXED BY payments_by_deadline WHERE lane = " + std::to_string(lane) +
                 " ORDER BY deadline" + order,
             take);
      }
    }
  }
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  return numbers;
}

// Whether a row that some page gave is one: its number follows from its id.
bool proves_itself(std::int64_t n, std::string_view id) {
  const std::int64_t first = store::n_of_id(id);
  return !id.empty() && n >= first && n < first + store::n_tries;
}

}  // namespace

Result<void> SqlCipherStore::salvage_rows(Salvage& found) {
  const auto take_head = [&](const Query& query) {
    store::Head head;
    if (query.text(0) == "head" && store::decode(query.blob(1), head)) found.head = std::move(head);
  };
  walk(found.from, "SELECT key, value FROM state WHERE key = 'head'", take_head);
  if (!found.head && sweepable(found)) store::sweep(found.from, "key, value", "state", take_head);
  if (found.head) head_.device = found.head->device;
  ND_TRY(salvage_small(found));
  ND_TRY(salvage_payments(found));
  return salvage_journal(found);
}

Result<void> SqlCipherStore::carry_payment(Row row, Salvage& found) {
  if (found.payments.contains(row.n)) return {};
  if (row.slot) {
    const auto read = [&](std::int64_t slot) -> Result<std::vector<std::uint8_t>> {
      std::vector<std::uint8_t> bytes;
      walk(found.from, "SELECT bytes FROM envelopes WHERE slot = " + std::to_string(slot),
           [&](const Query& query) { bytes.assign(query.blob(0).begin(), query.blob(0).end()); });
      if (!bytes.empty()) return bytes;
      if (!found.slots) {
        found.slots.emplace();
        if (sweepable(found)) {
          store::sweep(found.from, "slot, bytes", "envelopes", [&](const Query& query) {
            if (query.integer(0) > 0 && query.blob(1).size() == 256) {
              (*found.slots)[query.integer(0)].assign(query.blob(1).begin(), query.blob(1).end());
            }
          });
        }
      }
      const auto swept = found.slots->find(slot);
      return swept == found.slots->end() ? bytes : swept->second;
    };
    auto envelope = join_envelope(*row.slot, read);
    row.slot.reset();
    if (envelope && *envelope) {
      ND_LET(row.slot, store_envelope(**envelope));
    } else {
      ++found.lost;  // the payment is known and reported, but it cannot be sent any more
    }
  }
  const bool blocked = !row.blocked_by.empty();
  ND_TRY(place(row, blocked));
  add_to_head(row, +1);
  ND_TRY(write_row(nullptr, row));
  ND_TRY(recount_card(row.payment, found.cards));
  found.payments.insert(row.n);
  return {};
}

Result<void> SqlCipherStore::salvage_payments(Salvage& found) {
  const auto numbers = numbers_of_payments(found.from);
  Result<void> carried;
  for (const std::int64_t n : numbers) {
    std::optional<Row> row;
    walk(found.from, "SELECT " ND_ALL_COLUMNS " FROM payments NOT INDEXED WHERE n = " + std::to_string(n),
         [&](Query& query) {
           if (auto read = read_row(query)) row = std::move(*read);
         });
    if (row) ND_TRY(carry_payment(std::move(*row), found));
  }
  const auto known = std::max(found.head ? found.head->rows() : 0, static_cast<std::int64_t>(numbers.size()));
  if (static_cast<std::int64_t>(found.payments.size()) < known && sweepable(found)) {
    std::vector<Row> swept;
    store::sweep(found.from, ND_ALL_COLUMNS, "payments", [&](Query& query) {
      if (!proves_itself(query.integer(0), query.text(1)) || found.payments.contains(query.integer(0))) return;
      if (auto read = read_row(query)) swept.push_back(std::move(*read));
    });
    for (Row& row : swept) ND_TRY(carry_payment(std::move(row), found));
  }
  found.carried += static_cast<std::int64_t>(found.payments.size());
  found.lost += std::max<std::int64_t>(0, known - static_cast<std::int64_t>(found.payments.size()));
  return forget_idle_cards();
}

// A row of seq, at, type, text, hash; false for one that does not name its own sequence.
Result<bool> SqlCipherStore::carry_event(const Query& event, Salvage& found) {
  const std::int64_t seq = event.integer(0);
  const bool lost_before = event.text(2) == "journal.lost";
  if (found.events.contains(seq) || event.blob(4).size() != 32) return false;
  if (!lost_before && !event.text(3).starts_with("{\"seq\":" + std::to_string(seq) + ",")) return false;
  ND_LET(Query insert, db_->query("INSERT INTO journal (seq, at, type, text, hash) VALUES (?, ?, ?, ?, ?)"));
  ND_TRY(insert.bind(seq).bind(event.integer(1)).bind(event.text(2)).bind(event.text(3)).bind(event.blob(4)).run());
  found.events.insert(seq);
  if (static_cast<std::uint64_t>(seq) > head_.journal_seq) {
    head_.journal_seq = static_cast<std::uint64_t>(seq);
    head_.journal_hash = event.bytes<32>(4);
  }
  return true;
}

Result<void> SqlCipherStore::salvage_journal(Salvage& found) {
  constexpr const char* columns = "seq, at, type, text, hash";
  Result<void> carried;
  const auto take = [&](const Query& event) {
    if (auto done = carry_event(event, found); !done) carried = std::unexpected(done.error());
  };
  const bool whole = walk_both(found.from, columns, "journal", "seq", take);
  if (found.head) {
    head_.anchor_seq = found.head->anchor_seq;
    head_.anchor_hash = found.head->anchor_hash;
  }
  const std::uint64_t last = found.head ? found.head->journal_seq : head_.journal_seq;
  const auto expected = static_cast<std::int64_t>(last - std::min(last, head_.anchor_seq));
  if (!whole) {  // what lies between two bad pages, event by event
    for (std::uint64_t seq = head_.anchor_seq + 1; seq <= last && carried; ++seq) {
      if (found.events.contains(static_cast<std::int64_t>(seq))) continue;
      walk(found.from, std::string("SELECT ") + columns + " FROM journal WHERE seq = " + std::to_string(seq), take);
    }
  }
  if (static_cast<std::int64_t>(found.events.size()) < expected && sweepable(found))
    store::sweep(found.from, columns, "journal", take);
  ND_TRY(carried);
  if (!found.head && !found.events.empty()) head_.anchor_seq = static_cast<std::uint64_t>(*found.events.begin()) - 1;
  if (found.head && head_.journal_seq < found.head->journal_seq) ND_TRY(bridge_journal(found));
  found.carried += static_cast<std::int64_t>(found.events.size());
  found.lost += std::max<std::int64_t>(0, expected - static_cast<std::int64_t>(found.events.size()));
  return {};
}

// The journal's last event cannot be read, its hash is in the head: an empty event of that number and hash holds the
// place, so that no later one is given the same number.
Result<void> SqlCipherStore::bridge_journal(const Salvage& found) {
  ND_LET(Query insert,
         db_->query("INSERT INTO journal (seq, at, type, text, hash) VALUES (?, 0, 'journal.lost', '', ?)"));
  insert.bind(static_cast<std::int64_t>(found.head->journal_seq))
      .bind(std::span<const std::uint8_t>(found.head->journal_hash));
  ND_TRY(insert.run());
  head_.journal_seq = found.head->journal_seq;
  head_.journal_hash = found.head->journal_hash;
  return {};
}

Result<void> SqlCipherStore::salvage_small(Salvage& found) {
  Result<void> written;
  // One row into a table; `kinds` says what each column is: t text, i integer, b blob.
  const auto copy = [&](const char* sql, const Query& query, std::string_view kinds) {
    auto insert = db_->query(sql);
    if (!insert) {
      written = std::unexpected(insert.error());
      return;
    }
    int column = 0;
    for (const char kind : kinds) {
      if (kind == 't') insert->bind(query.text(column));
      if (kind == 'i') insert->bind(query.integer(column));
      if (kind == 'b') insert->bind(query.blob(column));
      ++column;
    }
    if (auto done = insert->run(); !done) written = done;
  };
  const auto take_state = [&](const Query& query) {
    const std::string_view key = query.text(0);
    if (key.starts_with("card/")) found.cards.emplace(key);
    if (key.starts_with("card/") || key.starts_with("cursor/") || key.starts_with("approver/")) {
      copy("INSERT OR REPLACE INTO state (key, value) VALUES (?, ?)", query, "tb");
    }
  };
  if (!walk_both(found.from, "key, value", "state", "key", take_state) && sweepable(found)) {
    store::sweep(found.from, "key, value", "state", take_state);
  }
  walk_both(found.from, "seq, at, hash, signature", "checkpoints", "seq", [&](const Query& query) {
    copy("INSERT OR REPLACE INTO checkpoints (seq, at, hash, signature) VALUES (?, ?, ?, ?)", query, "iibb");
  });
  walk_both(found.from, "payment_id, reason, created_at, attempts, not_before", "reversals", "payment_id",
            [&](const Query& query) {
              copy(
                  "INSERT OR REPLACE INTO reversals (payment_id, reason, created_at, attempts, not_before) VALUES (?, "
                  "?, ?, ?, ?)",
                  query, "tiiii");
            });
  walk_both(found.from, "id, detail", "sync_runs", "id", [&](const Query& query) {
    copy("INSERT OR REPLACE INTO sync_runs (id, detail) VALUES (?, ?)", query, "ib");
    head_.last_sync = std::max(head_.last_sync, static_cast<std::uint64_t>(query.integer(0)));
  });
  if (found.head) head_.last_sync = std::max(head_.last_sync, found.head->last_sync);
  if (written) written = clear_open_cards();
  return written;
}

}  // namespace nightdrop
