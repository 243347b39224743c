// What follows from a payment: its lane, its part of the totals, its card's counters. Pure but for the counters' rows.
#include <array>
#include <set>
#include <utility>

#include "store/codec.hpp"
#include "store/database.hpp"
#include "store/row.hpp"

namespace nightdrop {

using store::Query;

namespace store {

bool is_forwardable(const Payment& payment) {
  switch (payment.status) {
    case Status::Stored:
    case Status::Forwarding:
    case Status::Processing: return true;
    case Status::Declined: return payment.decline && payment.decline->retry_at;
    case Status::RequiresPaymentMethod:
    case Status::RequiresConfirmation:
    case Status::RequiresApproval:
    case Status::Succeeded:
    case Status::Expired:
    case Status::Canceled:
    case Status::RequiresReview: return false;
  }
  return false;
}

// A UUIDv7's time (42 bits, until 2109) and 21 of its random ones, so that new rows come last and an id needs no index;
// of any other text a hash (FNV-1a). Ids that have the same number stand side by side.
std::int64_t n_of_id(std::string_view id) {
  constexpr std::size_t needed = 19;
  const std::size_t start = id.find('_');
  std::array<std::uint64_t, needed> digit{};
  bool uuid = start != std::string_view::npos && id.size() == start + 33;
  for (std::size_t i = 0; uuid && i < needed; ++i) {
    const char c = id[start + 1 + i];
    uuid = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    digit[i] = static_cast<std::uint64_t>(c <= '9' ? c - '0' : c - 'a' + 10);
  }
  constexpr std::uint64_t positive = 0x7FFF'FFFF'FFFF'FF00ULL;  // room for the neighbours below the largest number
  if (uuid) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 16; ++i) {
      if (i != 12) value = value << 4 | digit[i];  // digit 12 is the version
    }
    value = value << 2 | (digit[16] & 3);  // the other two bits are the variant
    value = value << 7 | digit[17] << 3 | digit[18] >> 1;
    return static_cast<std::int64_t>(value & 0x7FFF'FFFF'FFFF'FFFFULL);
  }
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const char c : id) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  return static_cast<std::int64_t>(hash >> 1 & positive);
}

}  // namespace store

Result<void> SqlCipherStore::place(Row& row, bool blocked) {
  const Payment& p = row.payment;
  const bool in_lane = store::is_forwardable(p);
  const bool at_risk = p.stored_at && (p.counted || (p.status == Status::Expired && !p.acknowledged));
  bool usual = false;
  if (in_lane && at_risk && p.deadline) {
    const std::int64_t window = *p.deadline - *p.stored_at;
    if (head_.window_rows == 0) head_.window_ms = window;
    usual = window == head_.window_ms;
  }
  row.lane.reset();
  row.wait_until.reset();
  row.oldest.reset();
  row.report.reset();
  row.sync_id.reset();
  row.blocked_by.clear();
  if (in_lane) {
    using store::Hold;
    const Hold hold = blocked ? Hold::Blocked : p.not_before > 0 ? Hold::Waiting : Hold::Ready;
    row.lane = store::lane_of(hold, p.status == Status::Stored && !p.outcome_unknown, usual);
    if (hold == Hold::Waiting) row.wait_until = p.not_before;
    if (hold == Hold::Blocked) row.blocked_by = p.original_payment;
  }
  if (at_risk && !usual) row.oldest = p.stored_at;
  if (p.reportable) row.report = store::report_key(p.acknowledged, p.status);
  if (p.sync_id != 0) row.sync_id = static_cast<std::int64_t>(p.sync_id);
  return {};
}

void SqlCipherStore::add_to_head(const Row& row, int sign) {
  const Payment& p = row.payment;
  head_.by_status[static_cast<std::size_t>(p.status)] += sign;
  if (p.counted) head_.counted += sign;
  if (row.lane && store::lane_has_usual_window(static_cast<int>(*row.lane))) head_.window_rows += sign;
  if (p.exposure != 0) {
    auto& sums = head_.by_currency[p.currency];
    (p.kind == ObjectKind::Refund ? sums.refunds : sums.payments) += sign * p.exposure;
    if (sums.payments == 0 && sums.refunds == 0) head_.by_currency.erase(p.currency);
  }
}

namespace {

std::string card_prefix(std::string_view fingerprint) {
  return "card/" + std::string(fingerprint) + "/";
}
std::string card_end(std::string_view fingerprint) {
  return "card/" + std::string(fingerprint) + "0";
}  // '0' follows '/'

bool counts_for_card(const Payment* p) {
  return p != nullptr && p->counted && p->kind == ObjectKind::PaymentIntent && p->card && !p->card->fingerprint.empty();
}

struct Counters {
  std::int64_t total{0}, count{0}, open{0};
};

Result<Counters> read_counters(std::span<const std::uint8_t> bytes) {
  store::Reader in(bytes);
  Counters c;
  c.total = in.i();
  c.count = in.i();
  c.open = in.i();
  if (!in.ok()) return failure(Errc::Corrupt, "a card's counters do not parse");
  return c;
}

}  // namespace

Result<void> SqlCipherStore::change_card(const Payment& payment, std::int64_t total, std::int64_t count,
                                         std::int64_t open) {
  const std::string& fingerprint = payment.card->fingerprint;
  const std::string key = card_prefix(fingerprint) + std::string(payment.currency.view());
  Counters counters;
  {
    ND_LET(Query query, db_->query("SELECT value FROM state WHERE key = ?"));
    query.bind(std::string_view(key));
    ND_LET(const bool found, query.step());
    if (found) {
      ND_LET(counters, read_counters(query.blob(0)));
    }
  }
  counters.total += total;
  counters.count += count;
  counters.open += open;
  store::Writer out;
  out.i(counters.total);
  out.i(counters.count);
  out.i(counters.open);
  const auto bytes = out.take();
  {
    ND_LET(Query query,
           db_->query("INSERT INTO state (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2"));
    ND_TRY(query.bind(std::string_view(key)).bind(std::span<const std::uint8_t>(bytes)).run());
  }
  if (open >= 0 || counters.open > 0) return {};
  return forget_card(fingerprint);
}

// When the last open payment of a card has left, what it was counted for begins anew.
Result<void> SqlCipherStore::forget_card(const std::string& fingerprint) {
  const std::string from = card_prefix(fingerprint);
  const std::string to = card_end(fingerprint);
  {
    ND_LET(Query query, db_->query("SELECT value FROM state WHERE key >= ? AND key < ?"));
    query.bind(std::string_view(from)).bind(std::string_view(to));
    for (;;) {
      ND_LET(const bool more, query.step());
      if (!more) break;
      ND_LET(const Counters counters, read_counters(query.blob(0)));
      if (counters.open > 0) return {};
    }
  }
  ND_LET(Query query, db_->query("DELETE FROM state WHERE key >= ? AND key < ?"));
  return query.bind(std::string_view(from)).bind(std::string_view(to)).run();
}

Result<void> SqlCipherStore::update_card(const Payment* old, const Payment& now) {
  const bool before = counts_for_card(old);
  const bool after = counts_for_card(&now);
  if (before && after && old->card->fingerprint == now.card->fingerprint && old->currency == now.currency) {
    if (old->amount == now.amount) return {};
    return change_card(now, now.amount - old->amount, 0, 0);
  }
  if (after) ND_TRY(change_card(now, now.amount, 1, 1));
  if (!before) return {};
  const bool taken_back = after || now.status == Status::Canceled || now.status == Status::RequiresPaymentMethod;
  return change_card(*old, taken_back ? -old->amount : 0, taken_back ? -1 : 0, -1);
}

Result<hal::CardTotals> SqlCipherStore::card_totals(std::string_view fingerprint, Currency currency) {
  ND_TRY(ready());
  const std::string from = card_prefix(fingerprint);
  const std::string to = card_end(fingerprint);
  hal::CardTotals totals;
  ND_LET(Query query, db_->query("SELECT value, key FROM state WHERE key >= ? AND key < ?"));
  query.bind(std::string_view(from)).bind(std::string_view(to));
  for (;;) {
    ND_LET(const bool more, query.step());
    if (!more) return totals;
    ND_LET(const Counters counters, read_counters(query.blob(0)));
    totals.count += counters.count;
    if (query.text(1).ends_with(currency.view())) totals.total += counters.total;
  }
}

// After damage: what was counted for a card stays, how many are still open is counted anew from the payments that came
// over.
Result<void> SqlCipherStore::clear_open_cards() {
  std::vector<std::pair<std::string, Counters>> cards;
  {
    ND_LET(Query query, db_->query("SELECT key, value FROM state WHERE key >= 'card/' AND key < 'card0'"));
    for (;;) {
      ND_LET(const bool more, query.step());
      if (!more) break;
      auto counters = read_counters(query.blob(1));
      cards.emplace_back(query.text(0), counters.value_or(Counters{}));
    }
  }
  for (const auto& [key, counters] : cards) {
    store::Writer out;
    out.i(counters.total);
    out.i(counters.count);
    out.i(0);
    const auto bytes = out.take();
    ND_LET(Query query, db_->query("UPDATE state SET value = ? WHERE key = ?"));
    ND_TRY(query.bind(std::span<const std::uint8_t>(bytes)).bind(std::string_view(key)).run());
  }
  return {};
}

Result<void> SqlCipherStore::recount_card(const Payment& payment, const std::set<std::string, std::less<>>& carried) {
  if (!counts_for_card(&payment)) return {};
  const std::string key = card_prefix(payment.card->fingerprint) + std::string(payment.currency.view());
  const bool known = carried.contains(key);
  return change_card(payment, known ? 0 : payment.amount, known ? 0 : 1, 1);
}

Result<void> SqlCipherStore::forget_idle_cards() {
  std::set<std::string> fingerprints;
  {
    ND_LET(Query query, db_->query("SELECT key FROM state WHERE key >= 'card/' AND key < 'card0'"));
    for (;;) {
      ND_LET(const bool more, query.step());
      if (!more) break;
      const std::string_view key = query.text(0);
      fingerprints.emplace(key.substr(5, key.rfind('/') - 5));
    }
  }
  for (const std::string& fingerprint : fingerprints) ND_TRY(forget_card(fingerprint));
  return {};
}

}  // namespace nightdrop
