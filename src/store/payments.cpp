// Payments: finding, writing, and what a written row changes in the totals and the card's counters, in the same turn.
#include <utility>

#include "store/codec.hpp"
#include "store/database.hpp"
#include "store/row.hpp"

namespace nightdrop {

using store::Query;

#define ND_ROW_COLUMNS                                                                                       \
  "n, id, status, created_at, deadline, not_before, lane, wait_until, oldest, report, sync_id, blocked_by, " \
  "merchant_reference, slot, detail"

Result<SqlCipherStore::Row> SqlCipherStore::read_row(Query& query) {
  Row row;
  Payment& p = row.payment;
  row.n = query.integer(0);
  p.id = query.text(1);
  const std::int64_t status = query.integer(2);
  if (status < 0 || status >= static_cast<std::int64_t>(status_count))
    return failure(Errc::Corrupt, "a payment has no known status");
  p.status = static_cast<Status>(status);
  p.created_at = query.integer(3);
  if (query.integer(4) != store::no_deadline) p.deadline = query.integer(4);
  p.not_before = query.integer(5);
  row.lane = query.optional_integer(6);
  row.wait_until = query.optional_integer(7);
  row.oldest = query.optional_integer(8);
  row.report = query.optional_integer(9);
  row.sync_id = query.optional_integer(10);
  p.sync_id = static_cast<std::uint64_t>(row.sync_id.value_or(0));
  row.blocked_by = query.text(11);
  p.merchant_reference = query.text(12);
  row.slot = query.optional_integer(13);
  if (!store::decode_detail(query.blob(14), p)) return failure(Errc::Corrupt, "a payment's detail does not parse");
  return row;
}

Result<std::optional<SqlCipherStore::Row>> SqlCipherStore::row_by_id(std::string_view id, std::int64_t* free_n) {
  const std::int64_t first = store::n_of_id(id);
  ND_LET(Query query, db_->query("SELECT " ND_ROW_COLUMNS " FROM payments WHERE n BETWEEN ? AND ? ORDER BY n"));
  query.bind(first).bind(first + store::n_tries - 1);
  std::int64_t next = first;
  for (;;) {
    ND_LET(const bool more, query.step());
    if (!more) break;
    if (query.text(1) == id) {
      ND_LET(Row row, read_row(query));
      return row;
    }
    if (query.integer(0) == next) ++next;
  }
  if (free_n != nullptr) *free_n = next < first + store::n_tries ? next : 0;
  return std::nullopt;
}

Result<std::optional<SqlCipherStore::Row>> SqlCipherStore::row_by_n(std::int64_t n) {
  ND_LET(Query query, db_->query("SELECT " ND_ROW_COLUMNS " FROM payments WHERE n = ?"));
  query.bind(n);
  ND_LET(const bool found, query.step());
  if (!found) return std::nullopt;
  ND_LET(Row row, read_row(query));
  return row;
}

Result<Payment> SqlCipherStore::whole(Row row) {
  if (row.slot) {
    ND_LET(row.payment.envelope, load_envelope(*row.slot));
  }
  return std::move(row.payment);
}

Result<std::optional<Payment>> SqlCipherStore::find(std::string_view id) {
  ND_TRY(ready());
  ND_LET(auto row, row_by_id(id, nullptr));
  if (!row) return std::nullopt;
  ND_LET(Payment payment, whole(std::move(*row)));
  return payment;
}

Result<std::optional<Payment>> SqlCipherStore::find_by_reference(std::string_view merchant_reference) {
  ND_TRY(ready());
  std::int64_t n = 0;
  {
    ND_LET(Query query, db_->query("SELECT n FROM payments WHERE merchant_reference = ?"));
    query.bind(merchant_reference);
    ND_LET(const bool found, query.step());
    if (!found) return std::nullopt;
    n = query.integer(0);
  }
  ND_LET(auto row, row_by_n(n));
  if (!row) return failure(Errc::Corrupt, "an index names a payment that is not there");
  ND_LET(Payment payment, whole(std::move(*row)));
  return payment;
}

Result<bool> SqlCipherStore::is_blocked(const Payment& payment) {
  if (payment.original_payment.empty() || !store::is_forwardable(payment)) return false;
  ND_LET(const auto original, row_by_id(payment.original_payment, nullptr));
  return original && store::is_forwardable(original->payment);
}

Result<void> SqlCipherStore::put(const Payment& payment) {
  ND_TRY(change());
  std::int64_t free_n = 0;
  ND_LET(const auto old, row_by_id(payment.id, &free_n));
  if (!old && options_.faults.disk_full && options_.faults.disk_full())
    return failure(Errc::DiskFull, "the disk is full (simulated)");
  if (!old && free_n == 0) return failure(Errc::Conflict, "too many payments have nearly the same id");
  if (!payment.merchant_reference.empty() && (!old || old->payment.merchant_reference != payment.merchant_reference)) {
    ND_LET(Query query, db_->query("SELECT 1 FROM payments WHERE merchant_reference = ?"));
    query.bind(std::string_view(payment.merchant_reference));
    ND_LET(const bool taken, query.step());
    if (taken) return failure(Errc::Conflict, "another payment has the merchant reference");
  }
  Row row;
  row.n = old ? old->n : free_n;
  row.payment = payment;
  row.payment.envelope.reset();
  ND_LET(const bool blocked, is_blocked(payment));
  if (old) add_to_head(*old, -1);
  ND_TRY(place(row, blocked));
  add_to_head(row, +1);
  head_dirty_ = true;
  ND_TRY(keep_envelope(old ? &*old : nullptr, payment, row));
  ND_TRY(write_row(old ? &*old : nullptr, row));
  ND_TRY(update_card(old ? &old->payment : nullptr, payment));
  if (old && store::is_forwardable(old->payment) && !store::is_forwardable(payment)) ND_TRY(unblock(payment));
  return {};
}

// Writes the envelope's slots when it is new, leaves them when it is the same, erases them when it is gone.
Result<void> SqlCipherStore::keep_envelope(const Row* old, const Payment& payment, Row& row) {
  if (old != nullptr && old->slot) {
    ND_LET(const auto there, load_envelope(*old->slot));
    const bool same = payment.envelope && there && there->ksn == payment.envelope->ksn &&
                      there->ciphertext == payment.envelope->ciphertext &&
                      there->pin_block == payment.envelope->pin_block && there->key_type == payment.envelope->key_type;
    if (same) {
      row.slot = old->slot;
      return {};
    }
    ND_TRY(erase_envelope(*old->slot));
  }
  if (payment.envelope) {
    ND_LET(row.slot, store_envelope(*payment.envelope));
  }
  return {};
}

// An update names only the indexed columns that change, so that SQLite leaves the other indexes' pages alone.
Result<void> SqlCipherStore::write_row(const Row* old, const Row& row) {
  const Payment& p = row.payment;
  const auto detail = store::encode_detail(p);
  const std::int64_t deadline = p.deadline.value_or(store::no_deadline);
  if (old == nullptr) {
    ND_LET(Query query, db_->query("INSERT INTO payments (" ND_ROW_COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"));
    query.bind(row.n)
        .bind(std::string_view(p.id))
        .bind(static_cast<std::int64_t>(p.status))
        .bind(p.created_at)
        .bind(deadline);
    query.bind(p.not_before).bind(row.lane).bind(row.wait_until).bind(row.oldest).bind(row.report).bind(row.sync_id);
    query.bind_text_or_null(row.blocked_by).bind_text_or_null(p.merchant_reference).bind(row.slot);
    return query.bind(std::span<const std::uint8_t>(detail)).run();
  }
  const Payment& before = old->payment;
  const bool status = before.status != p.status || before.created_at != p.created_at;
  const bool created = before.created_at != p.created_at;
  const bool lane = old->lane != row.lane || before.deadline != p.deadline;
  const bool reference = before.merchant_reference != p.merchant_reference;
  std::string sql = "UPDATE payments SET not_before=?, slot=?, detail=?";
  if (status) sql += ", status=?";
  if (created) sql += ", created_at=?";
  if (lane) sql += ", lane=?, deadline=?";
  if (old->wait_until != row.wait_until) sql += ", wait_until=?";
  if (old->oldest != row.oldest) sql += ", oldest=?";
  if (old->report != row.report) sql += ", report=?";
  if (old->sync_id != row.sync_id) sql += ", sync_id=?";
  if (old->blocked_by != row.blocked_by) sql += ", blocked_by=?";
  if (reference) sql += ", merchant_reference=?";
  sql += " WHERE n=?";
  ND_LET(Query query, db_->query(sql));
  query.bind(p.not_before).bind(row.slot).bind(std::span<const std::uint8_t>(detail));
  if (status) query.bind(static_cast<std::int64_t>(p.status));
  if (created) query.bind(p.created_at);
  if (lane) query.bind(row.lane).bind(deadline);
  if (old->wait_until != row.wait_until) query.bind(row.wait_until);
  if (old->oldest != row.oldest) query.bind(row.oldest);
  if (old->report != row.report) query.bind(row.report);
  if (old->sync_id != row.sync_id) query.bind(row.sync_id);
  if (old->blocked_by != row.blocked_by) query.bind_text_or_null(row.blocked_by);
  if (reference) query.bind_text_or_null(p.merchant_reference);
  return query.bind(row.n).run();
}

// The refunds that waited for this sale may go now.
Result<void> SqlCipherStore::unblock(const Payment& original) {
  std::vector<std::int64_t> waiting;
  {
    ND_LET(Query query, db_->query("SELECT n FROM payments WHERE blocked_by = ?"));
    query.bind(std::string_view(original.id));
    for (;;) {
      ND_LET(const bool more, query.step());
      if (!more) break;
      waiting.push_back(query.integer(0));
    }
  }
  for (const std::int64_t n : waiting) {
    ND_LET(auto old, row_by_n(n));
    if (!old) continue;
    Row row = *old;
    add_to_head(*old, -1);
    ND_TRY(place(row, false));
    add_to_head(row, +1);
    ND_TRY(write_row(&*old, row));
  }
  return {};
}

}  // namespace nightdrop
