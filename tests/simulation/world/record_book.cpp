#include "simulation/world/record_book.hpp"

#include <algorithm>
#include <utility>

#include "engine/lifecycle.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop::simulation {
namespace {

// The clock may be off by this much before it is disbelieved (engine/time_keeper.hpp), twice for good measure.
constexpr std::int64_t time_tolerance_ms = 130'000;

std::string told(const Payment& p) {
  return brief(p.id) + " " + std::string(word(p.status)) + " amount " + std::to_string(p.amount) + " attempts " +
         std::to_string(p.attempts) + (p.sent ? " sent" : "") + (p.outcome_unknown ? " unknown" : "") +
         (p.cancel_requested ? " cancel-requested" : "") + (p.envelope ? " envelope" : "") + " not_before " +
         (p.not_before == held ? "held" : std::to_string(p.not_before));
}

// One write is one event of the table, or one of the steps that are taken in memory or in one decision.
bool is_one_step(const Payment* before, Status to) {
  if (before == nullptr) return to == Status::Stored || to == Status::Processing || to == Status::Canceled;
  const Status from = before->status;
  if (from == to) return true;
  for (std::size_t event = 0; event < engine::event_count; ++event) {
    if (engine::next(from, static_cast<engine::Event>(event)) == to) return true;
  }
  if (from == Status::RequiresPaymentMethod)
    return to == Status::Processing || to == Status::Stored;      // read and confirmed in memory
  if (from == Status::Declined) return to == Status::Forwarding;  // retry due, and sent
  return from == Status::Stored && to == Status::RequiresReview;  // its reversal was rejected
}

bool same(const Payment& a, const Payment& b) {
  return a.status == b.status && a.amount == b.amount && a.tip == b.tip && a.attempts == b.attempts &&
         a.sent == b.sent && a.outcome_unknown == b.outcome_unknown && a.cancel_requested == b.cancel_requested &&
         a.kind == b.kind && a.merchant_reference == b.merchant_reference &&
         a.envelope.has_value() == b.envelope.has_value() && a.last_attempt_outcome == b.last_attempt_outcome &&
         a.stan == b.stan && a.refunded_amount == b.refunded_amount;
}

}  // namespace

void RecordBook::apply_turn() {
  for (Change& change : turn) {
    if (change.payment) {
      std::string id = change.payment->id;
      rows.insert_or_assign(std::move(id), std::move(*change.payment));
    }
    if (change.reversal && change.reversal->done) reversals.erase(change.reversal->payment_id);
    if (change.reversal && !change.reversal->done)
      reversals.insert_or_assign(change.reversal->payment_id, *change.reversal);
  }
  turn.clear();
  doubtful = false;
}

const Payment* RecordBook::row(const std::string& id) const {
  const auto found = rows.find(id);
  return found == rows.end() ? nullptr : &found->second;
}

const Payment* RecordBook::newest(const std::string& id) const {
  for (auto change = turn.rbegin(); change != turn.rend(); ++change) {
    if (change->payment && change->payment->id == id) return &*change->payment;
  }
  return row(id);
}

bool RecordBook::can_become(Status before, Status after) {
  std::set<Status> seen{before};
  std::vector<Status> todo{before};
  while (!todo.empty()) {
    const Status at = todo.back();
    todo.pop_back();
    if (at == after) return true;
    for (std::size_t event = 0; event < engine::event_count; ++event) {
      const auto to = engine::next(at, static_cast<engine::Event>(event));
      if (to && seen.insert(*to).second) todo.push_back(*to);
    }
  }
  return false;
}

// --- the transaction ---

Result<void> CheckedStore::begin() {
  if (store_.in_turn()) return stepped(store_.begin());
  auto done = stepped(store_.begin());
  if (!done) return done;
  if (book_.doubtful) compare();  // the store opened itself anew
  book_.turn.clear();
  mark_ = 0;
  return done;
}

Result<void> CheckedStore::mark() {
  mark_ = book_.turn.size();
  return alive(store_.mark());
}

Result<void> CheckedStore::rollback_to_mark() {
  auto done = alive(store_.rollback_to_mark());
  if (done) book_.turn.resize(mark_);
  return done;
}

void CheckedStore::rollback() {
  store_.rollback();
  if (around_.power_gone()) throw PowerCut{};
  around_.turn_lost();
  if (!book_.doubtful) book_.turn.clear();
}

Result<void> CheckedStore::commit() {
  if (!store_.in_turn()) return alive(store_.commit());
  around_.may_crash();
  check_reversals_first();
  RecordBook after = book_;
  after.apply_turn();
  check_caps(after);
  book_.doubtful = true;
  auto done = alive(store_.commit());
  if (!done) return done;
  book_ = std::move(after);
  around_.may_crash();
  return done;
}

Result<void> CheckedStore::reopen() {
  auto done = alive(store_.reopen());
  if (done) compare();
  return done;
}

// --- what is written ---

Result<void> CheckedStore::put(const Payment& payment) {
  check_write(book_.newest(payment.id), payment);
  auto done = stepped(store_.put(payment));
  if (done) book_.turn.push_back({payment, std::nullopt});
  return done;
}

Result<void> CheckedStore::put_reversal(const hal::Reversal& reversal) {
  auto done = stepped(store_.put_reversal(reversal));
  if (done) book_.turn.push_back({std::nullopt, reversal});
  return done;
}

void CheckedStore::check_write(const Payment* before, const Payment& after) {
  const std::string was = before == nullptr ? "nothing" : std::string(word(before->status));
  if (!is_one_step(before, after.status)) unsafe("lifecycle", was + " became " + told(after));
  if (after.counted != engine::is_at_risk(after.status)) unsafe("exposure", told(after));
  const bool ended = after.status == Status::Succeeded || after.status == Status::Canceled ||
                     after.status == Status::RequiresReview || after.status == Status::RequiresPaymentMethod ||
                     (after.status == Status::Declined && !after.decline->retry_at);
  if (ended && after.envelope) unsafe("card data outlives the answer", told(after));
  if (before != nullptr) {
    const bool renamed = before->merchant_reference != after.merchant_reference || before->kind != after.kind ||
                         before->currency != after.currency ||
                         (before->sent && after.sent && before->attempts != 0 && before->stan != after.stan);
    if (renamed) unsafe("identity", told(*before) + " became " + told(after));
  }
  if (after.status == Status::Succeeded && !after.authorization)
    unsafe("succeeded without an authorization", told(after));
  check_times(before, after);
}

void CheckedStore::check_times(const Payment* before, const Payment& after) {
  const std::int64_t now = around_.true_ms();
  const std::int64_t deadline_ms = policy_.forward_deadline_s * 1000;
  const bool enters = after.status == Status::Stored &&
                      (before == nullptr || before->status == Status::Processing || before->status == Status::Expired ||
                       before->status == Status::RequiresPaymentMethod);
  if (enters)
    book_.stored[after.id] = {now, around_.clock().trusted ? 0 : std::max<std::int64_t>(0, now - around_.clock().now),
                              around_.boot()};
  if (enters && before != nullptr && before->status == Status::Expired) book_.released.insert(after.id);
  const auto found = book_.stored.find(after.id);
  if (found == book_.stored.end()) return;
  const auto& [at, lag, boot] = found->second;
  const std::int64_t age = now - at;
  // A time taken on a slow clock that nobody corrected before the device was switched off stays slow: at the next start
  // nothing tells that lag from the time the device was off.
  const std::int64_t slow_ms = boot == around_.boot() ? 0 : lag;
  if (after.status == Status::Expired && (before == nullptr || before->status != Status::Expired)) {
    if (age < deadline_ms - slow_ms - time_tolerance_ms)
      unsafe("expired early", told(after) + ", after " + std::to_string(age / 1000) + " s");
    if (after.outcome_unknown) unsafe("expired with an unknown outcome", told(after));
  }
  const bool first_send = after.status == Status::Forwarding && before != nullptr && before->status == Status::Stored &&
                          !before->sent && after.decline_retries == 0;
  if (first_send && around_.clock().trusted && age > deadline_ms + time_tolerance_ms) {
    unsafe("sent after its deadline", told(after) + ", after " + std::to_string(age / 1000) + " s");
  }
}

// RULES 2-5, 7: of what was accepted offline and is not answered. Retries of declines and what a person released are
// older decisions that no cap is asked for again.
void CheckedStore::check_caps(const RecordBook& book) const {
  std::map<Currency, std::int64_t> sales, refunds;
  std::map<std::string, std::int64_t> cards;  // payments of a card
  std::map<std::pair<std::string, Currency>, std::int64_t> card_sums;
  std::int64_t count = 0;
  for (const auto& [id, row] : book.rows) {
    const bool waits =
        (row.status == Status::Stored || row.status == Status::Forwarding) && row.stored_at && row.decline_retries == 0;
    if (!waits || book.released.contains(id)) continue;
    ++count;
    const auto limits = policy_.currencies.find(row.currency);
    if (limits == policy_.currencies.end()) unsafe("caps", "a currency without limits is stored: " + told(row));
    if (row.kind == ObjectKind::Refund) {
      refunds[row.currency] += row.amount;
      if (refunds[row.currency] > limits->second.refund_total) unsafe("caps", "refund total: " + told(row));
      continue;
    }
    sales[row.currency] += row.amount;
    if (row.amount > limits->second.per_transaction) unsafe("caps", "per transaction: " + told(row));
    if (sales[row.currency] > limits->second.device_total)
      unsafe("caps", "device total: " + std::to_string(sales[row.currency]));
    if (!row.card) continue;
    const std::int64_t times = ++cards[row.card->fingerprint];
    const std::int64_t total = card_sums[{row.card->fingerprint, row.currency}] += row.amount;
    if (total > limits->second.per_card_total || times > policy_.per_card_count) {
      unsafe("caps", "per card: " + told(row) + ", " + std::to_string(times) + " payments of " +
                         std::to_string(policy_.per_card_count) + ", together " + std::to_string(total));
    }
  }
  if (count > policy_.device_count) unsafe("caps", "device count: " + std::to_string(count));
}

// No stored payment is sent while an older reversal has not been tried.
void CheckedStore::check_reversals_first() const {
  const bool sends = std::ranges::any_of(book_.turn, [&](const RecordBook::Change& change) {
    if (!change.payment || change.payment->status != Status::Forwarding) return false;
    const Payment* before = book_.row(change.payment->id);
    return before != nullptr && change.payment->attempts > before->attempts;
  });
  if (!sends) return;
  for (const auto& [id, reversal] : book_.reversals) {
    const bool untried = reversal.attempts == 0 || (reversal.attempts == 1 && around_.reversal_in_flight(id));
    if (untried && !around_.payment_in_flight(id))
      unsafe("reversals first", "a payment is sent before the reversal of " + brief(id) + ", tried " +
                                    std::to_string(reversal.attempts) + " times");
  }
}

// --- after a crash ---

std::string CheckedStore::difference(const RecordBook& book) {
  for (const auto& [id, row] : book.rows) {
    const auto there = store_.find(id);
    if (!there) return "the store cannot be read: " + std::string(there.error().text);
    if (!*there) return "lost: " + told(row);
    if (!same(row, **there)) return "committed " + told(row) + ", on disk " + told(**there);
  }
  std::int64_t count = 0;
  for (std::size_t status = 0; status < status_count; ++status)
    count += store_.count(static_cast<Status>(status)).value_or(0);
  if (count != static_cast<std::int64_t>(book.rows.size())) return "rows on disk that were never committed";
  const auto reversals = store_.reversals(1000);
  if (!reversals) return "the reversals cannot be read";
  for (const hal::Reversal& reversal : *reversals) {
    const auto known = book.reversals.find(reversal.payment_id);
    if (known == book.reversals.end() || known->second.attempts != reversal.attempts)
      return "a reversal that was not committed: " + brief(reversal.payment_id);
  }
  if (reversals->size() != book.reversals.size()) return "a reversal was lost";
  return {};
}

void CheckedStore::compare() {
  if (store_.health().degraded) unsafe("the store is damaged", store_.health().set_aside_path);
  const std::string as_before = difference(book_);
  if (around_.power_gone()) throw PowerCut{};
  if (as_before.empty()) {
    book_.turn.clear();
    book_.doubtful = false;
    return;
  }
  if (!book_.doubtful) unsafe("committed and lost", as_before);
  RecordBook after = book_;
  after.apply_turn();
  const std::string as_after = difference(after);
  if (around_.power_gone()) throw PowerCut{};
  if (!as_after.empty()) unsafe("half a commit", as_before + "; " + as_after);
  book_ = std::move(after);
}

}  // namespace nightdrop::simulation
