// What is asked of the queue: what to forward, what is overdue, what is at risk, what there was. Every answer comes
// from the front of an index range, whatever the queue's length; ranges are merged here.
#include <algorithm>
#include <limits>
#include <utility>

#include "store/database.hpp"
#include "store/row.hpp"

namespace nightdrop {

using store::Hold;
using store::Query;

namespace {
constexpr std::int64_t always = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t promoted_max = 1000;
std::int64_t as_limit(std::size_t limit) {
  return static_cast<std::int64_t>(std::min<std::size_t>(limit, 1U << 30));
}
}  // namespace

// The first `limit` rows of each lane with a deadline up to `until`, all together nearest deadline first.
Result<std::vector<SqlCipherStore::Ordered>> SqlCipherStore::lane_rows(const std::vector<int>& lanes,
                                                                       std::int64_t until, std::size_t limit) {
  std::vector<Ordered> rows;
  for (const int lane : lanes) {
    ND_LET(
        Query query,
        db_->query("SELECT deadline, n FROM payments WHERE lane = ? AND deadline <= ? ORDER BY deadline, n LIMIT ?"));
    query.bind(std::int64_t{lane}).bind(until).bind(as_limit(limit));
    for (;;) {
      ND_LET(const bool more, query.step());
      if (!more) break;
      rows.push_back({query.integer(0), query.integer(1)});
    }
  }
  std::sort(rows.begin(), rows.end(),
            [](const Ordered& a, const Ordered& b) { return std::pair(a.key, a.n) < std::pair(b.key, b.n); });
  return rows;
}

Result<std::vector<std::int64_t>> SqlCipherStore::busy_rows(const std::vector<std::string>& busy) {
  std::vector<std::int64_t> rows;
  for (const std::string& id : busy) {
    ND_LET(const auto row, row_by_id(id, nullptr));
    if (row) rows.push_back(row->n);
  }
  return rows;
}

// Rows whose time has come move from the waiting lanes to the ready ones, so that due() needs the deadline's order
// alone. Each put() can cause one such move at most.
Result<void> SqlCipherStore::promote(UtcMs now) {
  {
    ND_LET(Query query, db_->query("SELECT 1 FROM payments WHERE wait_until <= ? LIMIT 1"));
    query.bind(now);
    ND_LET(const bool any, query.step());
    if (!any) return {};
  }
  return own_turn([&]() -> Result<void> {
    ND_TRY(change());
    ND_LET(Query query, db_->query("UPDATE payments SET lane = lane - 4, wait_until = NULL WHERE n IN "
                                   "(SELECT n FROM payments WHERE wait_until <= ? ORDER BY wait_until LIMIT ?)"));
    return query.bind(now).bind(as_limit(promoted_max)).run();
  });
}

Result<std::vector<Payment>> SqlCipherStore::due(UtcMs now, std::size_t limit, const std::vector<std::string>& busy) {
  ND_TRY(ready());
  ND_TRY(promote(now));
  ND_LET(const auto taken, busy_rows(busy));
  ND_LET(const auto rows, lane_rows({0, 1, 2, 3}, always, limit + busy.size()));
  std::vector<Payment> payments;
  for (const Ordered& each : rows) {
    if (payments.size() == limit) break;
    if (std::find(taken.begin(), taken.end(), each.n) != taken.end()) continue;
    ND_LET(auto row, row_by_n(each.n));
    if (!row) return failure(Errc::Corrupt, "an index names a payment that is not there");
    if (row->payment.not_before > now) continue;  // the clock went back
    ND_LET(Payment payment, whole(std::move(*row)));
    payments.push_back(std::move(payment));
  }
  return payments;
}

Result<std::optional<UtcMs>> SqlCipherStore::next_due(const std::vector<std::string>& busy) {
  ND_TRY(ready());
  ND_LET(const auto taken, busy_rows(busy));
  std::optional<UtcMs> next;
  const auto is_taken = [&](std::int64_t n) { return std::find(taken.begin(), taken.end(), n) != taken.end(); };
  ND_LET(const auto ready_rows, lane_rows({0, 1, 2, 3}, always, busy.size() + 1));
  for (const Ordered& each : ready_rows) {
    if (is_taken(each.n)) continue;
    ND_LET(const auto row, row_by_n(each.n));
    if (row) next = std::min(next.value_or(always), row->payment.not_before);
  }
  ND_LET(Query query,
         db_->query("SELECT wait_until, n FROM payments WHERE wait_until < ? ORDER BY wait_until LIMIT ?"));
  query.bind(held).bind(as_limit(busy.size() + 1));
  for (;;) {
    ND_LET(const bool more, query.step());
    if (!more) return next;
    if (!is_taken(query.integer(1))) next = std::min(next.value_or(always), query.integer(0));
  }
}

Result<std::vector<Payment>> SqlCipherStore::overdue(UtcMs now, std::size_t limit) {
  ND_TRY(ready());
  std::vector<int> lanes;
  for (int lane = 0; lane < store::lane_count; ++lane) {
    if (store::lane_expires(lane)) lanes.push_back(lane);
  }
  ND_LET(const auto rows, lane_rows(lanes, std::min(now, store::no_deadline - 1), limit));
  std::vector<Payment> payments;
  for (const Ordered& each : rows) {
    if (payments.size() == limit) break;
    ND_LET(auto row, row_by_n(each.n));
    if (!row) return failure(Errc::Corrupt, "an index names a payment that is not there");
    ND_LET(Payment payment, whole(std::move(*row)));
    payments.push_back(std::move(payment));
  }
  return payments;
}

Result<void> SqlCipherStore::release_backoff() {
  ND_TRY(ready());
  {
    ND_LET(Query query, db_->query("SELECT 1 FROM payments WHERE wait_until < ? LIMIT 1"));
    query.bind(held);
    ND_LET(const bool any, query.step());
    if (!any) return {};
  }
  return own_turn([&]() -> Result<void> {
    ND_TRY(change());
    ND_LET(Query query, db_->query("UPDATE payments SET lane = lane - 4, wait_until = NULL, not_before = 0 "
                                   "WHERE wait_until < ? AND status <> ?"));
    return query.bind(held).bind(static_cast<std::int64_t>(Status::Declined)).run();
  });
}

Result<std::int64_t> SqlCipherStore::count(Status status) {
  ND_TRY(ready());
  return head_.by_status[static_cast<std::size_t>(status)];
}

Result<hal::Totals> SqlCipherStore::totals() {
  ND_TRY(ready());
  return read_totals();
}

Result<hal::Totals> SqlCipherStore::read_totals() {
  hal::Totals totals;
  totals.by_currency = head_.by_currency;
  totals.count = head_.counted;
  for (int lane = 0; lane < store::lane_count; ++lane) {
    ND_LET(Query query, db_->query("SELECT deadline FROM payments WHERE lane = ? ORDER BY deadline LIMIT 1"));
    query.bind(std::int64_t{lane});
    ND_LET(const bool any, query.step());
    if (!any || query.integer(0) == store::no_deadline) continue;
    const UtcMs deadline = query.integer(0);
    if (store::lane_expires(lane)) totals.next_deadline = std::min(totals.next_deadline.value_or(always), deadline);
    if (store::lane_has_usual_window(lane)) {
      totals.oldest_stored_at = std::min(totals.oldest_stored_at.value_or(always), deadline - head_.window_ms);
    }
  }
  ND_LET(Query query, db_->query("SELECT oldest FROM payments WHERE oldest IS NOT NULL ORDER BY oldest LIMIT 1"));
  ND_LET(const bool any, query.step());
  if (any) totals.oldest_stored_at = std::min(totals.oldest_stored_at.value_or(always), query.integer(0));
  return totals;
}

Result<void> SqlCipherStore::shift_times(std::uint64_t time_epoch, std::int64_t delta_ms) {
  ND_TRY(ready());
  return own_turn([&]() -> Result<void> {
    ND_TRY(change());
    std::vector<int> lanes(store::lane_count);
    for (int lane = 0; lane < store::lane_count; ++lane) lanes[static_cast<std::size_t>(lane)] = lane;
    ND_LET(const auto rows, lane_rows(lanes, always, promoted_max << 20));
    for (const Ordered& each : rows) {
      ND_LET(auto old, row_by_n(each.n));
      if (!old || old->payment.sent || old->payment.time_epoch != time_epoch) continue;
      Row row = *old;
      Payment& p = row.payment;
      if (p.stored_at) *p.stored_at += delta_ms;
      if (p.deadline) *p.deadline += delta_ms;
      if (p.not_before > 0 && p.not_before != held) p.not_before = std::max<UtcMs>(1, p.not_before + delta_ms);
      const bool blocked = !old->blocked_by.empty();
      add_to_head(*old, -1);
      ND_TRY(place(row, blocked));
      add_to_head(row, +1);
      head_dirty_ = true;
      ND_TRY(write_row(&*old, row));
    }
    return {};
  });
}

namespace {

// The ranges of an index that answer a list: which statement, and the value its first parameter takes.
struct Ranges {
  const char* sql;
  std::vector<std::int64_t> keys;
};

#define ND_PAGE "created_at BETWEEN ?2 AND ?3 AND (created_at, n) < (?4, ?5) ORDER BY created_at DESC, n DESC LIMIT ?6"

Ranges ranges_of(const hal::ListQuery& query) {
  Ranges ranges{"SELECT created_at, n FROM payments WHERE status = ?1 AND " ND_PAGE, {}};
  if (query.sync_id) {
    return {"SELECT created_at, n FROM payments WHERE sync_id = ?1 AND " ND_PAGE,
            {static_cast<std::int64_t>(*query.sync_id)}};
  }
  for (std::size_t i = 0; i < status_count; ++i) {
    const auto status = static_cast<Status>(i);
    if (query.status && *query.status != status) continue;
    if (!query.reportable) {
      ranges.keys.push_back(static_cast<std::int64_t>(i));
      continue;
    }
    for (const bool acknowledged : {false, true}) {
      if (query.acknowledged.value_or(acknowledged) == acknowledged)
        ranges.keys.push_back(store::report_key(acknowledged, status));
    }
  }
  if (query.reportable) ranges.sql = "SELECT created_at, n FROM payments WHERE report = ?1 AND " ND_PAGE;
  return ranges;
}

}  // namespace

Result<std::vector<Payment>> SqlCipherStore::list(const hal::ListQuery& query) {
  ND_TRY(ready());
  Ordered before{always, always};
  if (!query.starting_after.empty()) {
    ND_LET(const auto row, row_by_id(query.starting_after, nullptr));
    if (!row) return failure(Errc::NotFound, "the list cannot start after what is not there");
    before = {row->payment.created_at, row->n};
  }
  const Ranges ranges = ranges_of(query);
  const bool filter = query.sync_id && (query.status || query.reportable);  // of one run there are few
  std::vector<Ordered> rows;
  for (const std::int64_t key : ranges.keys) {
    ND_LET(Query page, db_->query(ranges.sql));
    page.bind(key)
        .bind(query.created_from.value_or(std::numeric_limits<std::int64_t>::min()))
        .bind(query.created_to.value_or(always));
    page.bind(before.key).bind(before.n).bind(as_limit(filter ? always : query.limit));
    for (;;) {
      ND_LET(const bool more, page.step());
      if (!more) break;
      rows.push_back({page.integer(0), page.integer(1)});
    }
  }
  std::sort(rows.begin(), rows.end(),
            [](const Ordered& a, const Ordered& b) { return std::pair(a.key, a.n) > std::pair(b.key, b.n); });
  std::vector<Payment> payments;
  for (const Ordered& each : rows) {
    if (payments.size() == query.limit) break;
    ND_LET(auto row, row_by_n(each.n));
    if (!row) return failure(Errc::Corrupt, "an index names a payment that is not there");
    const Payment& p = row->payment;
    if (filter && ((query.status && p.status != *query.status) || (query.reportable && !p.reportable) ||
                   (query.reportable && query.acknowledged && p.acknowledged != *query.acknowledged))) {
      continue;
    }
    ND_LET(Payment payment, whole(std::move(*row)));
    payments.push_back(std::move(payment));
  }
  return payments;
}

}  // namespace nightdrop
