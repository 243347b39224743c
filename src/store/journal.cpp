// The journal: audit log and event stream in one, a hash chain in the payments' own transactions. Pruning removes
// events from its beginning and keeps the hash that the rest is chained to.
#include <algorithm>
#include <charconv>
#include <chrono>

#include "store/database.hpp"
#include "store/row.hpp"

namespace nightdrop {

using store::Query;

namespace {

std::optional<int> digits(std::string_view text, std::size_t at, std::size_t size) {
  if (text.size() < at + size) return std::nullopt;
  int value = 0;
  const auto [end, bad] = std::from_chars(text.data() + at, text.data() + at + size, value);
  if (bad != std::errc{} || end != text.data() + at + size) return std::nullopt;
  return value;
}

// RFC 3339 in UTC, seconds or finer: milliseconds since 1970. Anything else counts as the beginning of time.
UtcMs parse_utc(std::string_view text) {
  const auto year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2);
  const auto hour = digits(text, 11, 2), minute = digits(text, 14, 2), second = digits(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second) return 0;
  using namespace std::chrono;
  const year_month_day date(std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                            std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return 0;
  const auto at = sys_days(date) + hours(*hour) + minutes(*minute) + seconds(*second);
  return duration_cast<milliseconds>(at.time_since_epoch()).count() + digits(text, 20, 3).value_or(0);
}

hal::JournalEvent read_event(const Query& query) {
  return {static_cast<std::uint64_t>(query.integer(0)), std::string(query.text(1)), std::string(query.text(2)),
          query.bytes<32>(3)};
}

}  // namespace

Result<hal::JournalEvent> SqlCipherStore::append(std::string_view type, std::string_view created,
                                                 std::string_view data) {
  ND_TRY(change());
  hal::JournalEvent event;
  event.seq = head_.journal_seq + 1;
  event.type = type;
  event.text.reserve(64 + type.size() + created.size() + data.size());
  event.text.append("{\"seq\":").append(std::to_string(event.seq)).append(",\"type\":\"").append(type);
  event.text.append("\",\"created\":\"").append(created).append("\",\"data\":").append(data).append("}");
  const std::vector<std::uint8_t> bytes(event.text.begin(), event.text.end());
  event.hash = options_.sha256(head_.journal_hash, bytes);
  {
    ND_LET(Query query, db_->query("INSERT INTO journal (seq, at, type, text, hash) VALUES (?, ?, ?, ?, ?)"));
    query.bind(static_cast<std::int64_t>(event.seq))
        .bind(parse_utc(created))
        .bind(type)
        .bind(std::string_view(event.text));
    ND_TRY(query.bind(std::span<const std::uint8_t>(event.hash)).run());
  }
  head_.journal_seq = event.seq;
  head_.journal_hash = event.hash;
  head_dirty_ = true;
  return event;
}

Result<std::vector<hal::JournalEvent>> SqlCipherStore::events_after(std::uint64_t seq, std::size_t limit) {
  ND_TRY(ready());
  std::vector<hal::JournalEvent> events;
  ND_LET(Query query, db_->query("SELECT seq, type, text, hash FROM journal WHERE seq > ? ORDER BY seq LIMIT ?"));
  query.bind(static_cast<std::int64_t>(seq)).bind(static_cast<std::int64_t>(limit));
  for (;;) {
    ND_LET(const bool more, query.step());
    if (!more) return events;
    events.push_back(read_event(query));
  }
}

Result<hal::JournalEvent> SqlCipherStore::last_event() {
  ND_TRY(ready());
  ND_LET(Query query, db_->query("SELECT seq, type, text, hash FROM journal ORDER BY seq DESC LIMIT 1"));
  ND_LET(const bool found, query.step());
  if (found) return read_event(query);
  hal::JournalEvent none;  // all were pruned, or there never was one
  none.seq = head_.journal_seq;
  none.hash = head_.journal_hash;
  return none;
}

Result<void> SqlCipherStore::add_checkpoint(const hal::Checkpoint& checkpoint) {
  ND_TRY(change());
  ND_LET(Query query, db_->query("INSERT INTO checkpoints (seq, at, hash, signature) VALUES "
                                 "(?1, coalesce((SELECT at FROM journal WHERE seq = ?1), 0), ?2, ?3) "
                                 "ON CONFLICT (seq) DO UPDATE SET hash = ?2, signature = ?3"));
  query.bind(static_cast<std::int64_t>(checkpoint.seq)).bind(std::span<const std::uint8_t>(checkpoint.hash));
  return query.bind(std::span<const std::uint8_t>(checkpoint.signature)).run();
}

Result<std::vector<hal::Checkpoint>> SqlCipherStore::checkpoints_after(std::uint64_t seq, std::size_t limit) {
  ND_TRY(ready());
  std::vector<hal::Checkpoint> checkpoints;
  ND_LET(Query query, db_->query("SELECT seq, hash, signature FROM checkpoints WHERE seq > ? ORDER BY seq LIMIT ?"));
  query.bind(static_cast<std::int64_t>(seq)).bind(static_cast<std::int64_t>(limit));
  for (;;) {
    ND_LET(const bool more, query.step());
    if (!more) return checkpoints;
    const auto signature = query.blob(2);
    checkpoints.push_back(
        {static_cast<std::uint64_t>(query.integer(0)), query.bytes<32>(1), {signature.begin(), signature.end()}});
  }
}

Result<hal::Checkpoint> SqlCipherStore::journal_start() {
  ND_TRY(ready());
  return hal::Checkpoint{head_.anchor_seq, head_.anchor_hash, {}};
}

// Final and nothing to report: succeeded and canceled. Their oldest come first in the index of statuses.
Result<std::size_t> SqlCipherStore::prune_payments(UtcMs before, std::size_t limit) {
  std::vector<std::int64_t> old;
  for (const Status status : {Status::Succeeded, Status::Canceled}) {
    ND_LET(Query query,
           db_->query("SELECT n FROM payments WHERE status = ? AND created_at < ? ORDER BY created_at LIMIT ?"));
    query.bind(static_cast<std::int64_t>(status)).bind(before).bind(static_cast<std::int64_t>(limit - old.size()));
    for (;;) {
      ND_LET(const bool more, query.step());
      if (!more) break;
      old.push_back(query.integer(0));
    }
  }
  std::size_t gone = 0;
  for (const std::int64_t n : old) {
    ND_LET(const auto row, row_by_n(n));
    if (!row || row->payment.reportable || row->payment.counted || row->payment.exposure != 0) continue;
    if (row->slot) ND_TRY(erase_envelope(*row->slot));
    add_to_head(*row, -1);
    head_dirty_ = true;
    ND_LET(Query query, db_->query("DELETE FROM payments WHERE n = ?"));
    ND_TRY(query.bind(n).run());
    ++gone;
  }
  return gone;
}

Result<std::size_t> SqlCipherStore::prune_journal(UtcMs before, std::size_t limit) {
  std::int64_t cut = 0;
  {
    ND_LET(Query query, db_->query("SELECT seq, at FROM checkpoints ORDER BY seq"));
    for (;;) {
      ND_LET(const bool more, query.step());
      if (!more || query.integer(1) >= before) break;
      cut = query.integer(0);
    }
  }
  const std::int64_t last = std::min(cut, static_cast<std::int64_t>(head_.anchor_seq + limit));
  if (limit == 0 || last <= static_cast<std::int64_t>(head_.anchor_seq)) return std::size_t{0};
  {
    ND_LET(Query query, db_->query("SELECT hash FROM journal WHERE seq = ?"));
    query.bind(last);
    ND_LET(const bool found, query.step());
    if (!found) return failure(Errc::Corrupt, "an event of the journal is not there");
    head_.anchor_hash = query.bytes<32>(0);
  }
  const auto gone = static_cast<std::size_t>(last) - static_cast<std::size_t>(head_.anchor_seq);
  head_.anchor_seq = static_cast<std::uint64_t>(last);
  head_dirty_ = true;
  {
    ND_LET(Query query, db_->query("DELETE FROM journal WHERE seq <= ?"));
    ND_TRY(query.bind(last).run());
  }
  // The checkpoint at the cut stays: it vouches for the hash that the rest is chained to.
  ND_LET(Query query, db_->query("DELETE FROM checkpoints WHERE seq < ?"));
  ND_TRY(query.bind(last).run());
  return gone;
}

Result<std::size_t> SqlCipherStore::prune(UtcMs before, std::size_t limit) {
  ND_TRY(ready());
  std::size_t gone = 0;
  const auto pruned = own_turn([&]() -> Result<void> {
    ND_TRY(change());
    ND_LET(gone, prune_payments(before, limit));
    ND_LET(const std::size_t events, prune_journal(before, limit - gone));
    gone += events;
    return {};
  });
  if (!pruned) return std::unexpected(pruned.error());
  return gone;
}

}  // namespace nightdrop
