// The small things: the device's values, cursors, approvers, reversals and sync runs.
#include "store/codec.hpp"
#include "store/database.hpp"
#include "store/sqlcipher_store.hpp"

namespace nightdrop {

using store::Query;

namespace {

store::Bytes encode_run(const hal::SyncRun& run) {
  store::Writer out;
  out.u(1);
  out.i(run.started_at);
  out.opt(run.ended_at);
  out.word(run.route);
  for (const std::int64_t count : {run.forwarded, run.succeeded, run.declined, run.requires_review, run.expired})
    out.i(count);
  out.u(run.amounts.size());
  for (const auto& [currency, sums] : run.amounts) {
    out.currency(currency);
    out.i(sums.first);
    out.i(sums.second);
  }
  return out.take();
}

bool decode_run(std::span<const std::uint8_t> bytes, hal::SyncRun& run) {
  store::Reader in(bytes);
  if (in.u() < 1) return false;
  run.started_at = in.i();
  run.ended_at = in.opt();
  run.route = in.word<Route>(route_count);
  for (std::int64_t* count : {&run.forwarded, &run.succeeded, &run.declined, &run.requires_review, &run.expired})
    *count = in.i();
  for (std::uint64_t left = in.u(); left != 0 && in.ok(); --left) {
    auto& sums = run.amounts[in.currency()];
    sums.first = in.i();
    sums.second = in.i();
  }
  return in.ok();
}

hal::Reversal read_reversal(const Query& query) {
  hal::Reversal r;
  r.payment_id = query.text(0);
  r.reason = static_cast<ReversalReason>(query.integer(1));
  r.created_at = query.integer(2);
  r.attempts = static_cast<std::uint32_t>(query.integer(3));
  r.not_before = query.integer(4);
  return r;
}

}  // namespace

Result<std::optional<store::Bytes>> SqlCipherStore::small(std::string_view key) {
  ND_TRY(ready());
  ND_LET(Query query, db_->query("SELECT value FROM state WHERE key = ?"));
  query.bind(key);
  ND_LET(const bool found, query.step());
  if (!found) return std::nullopt;
  const auto value = query.blob(0);
  return store::Bytes(value.begin(), value.end());
}

Result<void> SqlCipherStore::put_small(std::string_view key, std::span<const std::uint8_t> value) {
  ND_TRY(change());
  ND_LET(Query query,
         db_->query("INSERT INTO state (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2"));
  return query.bind(key).bind(value).run();
}

Result<hal::DeviceState> SqlCipherStore::device_state() {
  ND_TRY(ready());
  return head_.device;
}

Result<void> SqlCipherStore::put_device_state(const hal::DeviceState& state) {
  ND_TRY(change());
  head_.device = state;
  if (state.dukpt_counter != 0) head_.health.was_lost = false;  // from here on the counter is known again
  head_dirty_ = true;
  return {};
}

Result<std::uint64_t> SqlCipherStore::cursor(std::string_view consumer) {
  ND_LET(const auto value, small("cursor/" + std::string(consumer)));
  if (!value) return std::uint64_t{0};
  store::Reader in(*value);
  const std::uint64_t seq = in.u();
  if (!in.ok()) return failure(Errc::Corrupt, "a cursor does not parse");
  return seq;
}

Result<void> SqlCipherStore::set_cursor(std::string_view consumer, std::uint64_t seq) {
  const std::string key = "cursor/" + std::string(consumer);
  ND_LET(const auto known, small(key));
  if (!known) ND_TRY(make_room_for_cursor());
  store::Writer out;
  out.u(seq);
  return put_small(key, out.take());
}

// Names are free, so their number is bounded: a new consumer takes the place of the one that is furthest behind. Should
// that one come again, it gets its events again.
Result<void> SqlCipherStore::make_room_for_cursor() {
  ND_TRY(change());
  std::size_t count = 0;
  std::string last;
  std::uint64_t last_seq = UINT64_MAX;
  {
    ND_LET(Query query, db_->query("SELECT key, value FROM state WHERE key >= 'cursor/' AND key < 'cursor0'"));
    for (;;) {
      ND_LET(const bool any, query.step());
      if (!any) break;
      ++count;
      store::Reader in(query.blob(1));
      const std::uint64_t seq = in.u();
      if (seq >= last_seq && !last.empty()) continue;
      last_seq = seq;
      last = query.text(0);
    }
  }
  if (count < hal::consumers_max) return {};
  ND_LET(Query query, db_->query("DELETE FROM state WHERE key = ?1"));
  return query.bind(std::string_view(last)).run();
}

Result<hal::ApproverState> SqlCipherStore::approver_state(std::string_view approver) {
  ND_LET(const auto value, small("approver/" + std::string(approver)));
  hal::ApproverState state;
  if (!value) return state;
  store::Reader in(*value);
  in.number(state.wrong);
  state.locked_boot_id = in.text();
  state.locked_until_mono_ms = in.i();
  if (!in.ok()) return failure(Errc::Corrupt, "an approver's state does not parse");
  return state;
}

Result<void> SqlCipherStore::put_approver_state(std::string_view approver, const hal::ApproverState& state) {
  store::Writer out;
  out.u(state.wrong);
  out.text(state.locked_boot_id);
  out.i(state.locked_until_mono_ms);
  return put_small("approver/" + std::string(approver), out.take());
}

Result<void> SqlCipherStore::put_reversal(const hal::Reversal& reversal) {
  ND_TRY(change());
  if (reversal.done) {
    ND_LET(Query query, db_->query("DELETE FROM reversals WHERE payment_id = ?"));
    return query.bind(std::string_view(reversal.payment_id)).run();
  }
  ND_LET(Query query,
         db_->query(
             "INSERT INTO reversals (payment_id, reason, created_at, attempts, not_before) VALUES (?1, ?2, ?3, ?4, ?5) "
             "ON CONFLICT (payment_id) DO UPDATE SET reason = ?2, created_at = ?3, attempts = ?4, not_before = ?5"));
  query.bind(std::string_view(reversal.payment_id))
      .bind(static_cast<std::int64_t>(reversal.reason))
      .bind(reversal.created_at);
  return query.bind(std::int64_t{reversal.attempts}).bind(reversal.not_before).run();
}

#define ND_REVERSAL "SELECT payment_id, reason, created_at, attempts, not_before FROM reversals "

Result<std::optional<hal::Reversal>> SqlCipherStore::find_reversal(std::string_view payment_id) {
  ND_TRY(ready());
  ND_LET(Query query, db_->query(ND_REVERSAL "WHERE payment_id = ?"));
  query.bind(payment_id);
  ND_LET(const bool found, query.step());
  if (!found) return std::nullopt;
  return read_reversal(query);
}

Result<std::vector<hal::Reversal>> SqlCipherStore::reversals(std::size_t limit) {
  ND_TRY(ready());
  std::vector<hal::Reversal> found;
  ND_LET(Query query, db_->query(ND_REVERSAL "ORDER BY created_at, payment_id LIMIT ?"));
  query.bind(static_cast<std::int64_t>(limit));
  for (;;) {
    ND_LET(const bool more, query.step());
    if (!more) return found;
    found.push_back(read_reversal(query));
  }
}

Result<std::uint64_t> SqlCipherStore::put_sync_run(const hal::SyncRun& run) {
  ND_TRY(change());
  const std::uint64_t id = run.id != 0 ? run.id : head_.last_sync + 1;
  if (id > head_.last_sync) {
    head_.last_sync = id;
    head_dirty_ = true;
  }
  const auto detail = encode_run(run);
  ND_LET(Query query,
         db_->query("INSERT INTO sync_runs (id, detail) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET detail = ?2"));
  ND_TRY(query.bind(static_cast<std::int64_t>(id)).bind(std::span<const std::uint8_t>(detail)).run());
  return id;
}

Result<std::optional<hal::SyncRun>> SqlCipherStore::sync_run(std::optional<std::uint64_t> id) {
  ND_TRY(ready());
  const auto last = static_cast<std::int64_t>(head_.last_sync);
  ND_LET(Query query, db_->query("SELECT id, detail FROM sync_runs WHERE id = ?"));
  query.bind(id ? static_cast<std::int64_t>(*id) : last);
  ND_LET(const bool found, query.step());
  if (!found) return std::nullopt;
  hal::SyncRun run;
  run.id = static_cast<std::uint64_t>(query.integer(0));
  if (!decode_run(query.blob(1), run)) return failure(Errc::Corrupt, "a sync run does not parse");
  return run;
}

}  // namespace nightdrop
