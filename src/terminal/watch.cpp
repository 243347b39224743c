// Forwarder: sync runs from their start to their report, deadlines, and what a person releases after one.
#include <algorithm>

#include "engine/lifecycle.hpp"
#include "engine/retry.hpp"
#include "nightdrop/time_text.hpp"
#include "report/objects.hpp"
#include "terminal/forwarder.hpp"

namespace nightdrop::terminal {
namespace {
using engine::Event;
constexpr std::size_t overdue_max = 256;            // expired in one turn
constexpr std::int64_t deadline_check_ms = 60'000;  // besides the next deadline itself
}  // namespace

// --- sync runs ---

Result<void> Forwarder::ensure_sync(Route route, bool announce) {
  if (sync_) return {};
  hal::SyncRun run;
  run.started_at = books_.now();
  run.route = route;
  const auto id = books_.ports().store.put_sync_run(run);
  if (!id) return std::unexpected(id.error());
  run.id = *id;
  sync_ = run;
  if (!announce) return {};
  return books_.journal("sync.started", report::sync_report_json(run, {}));
}

void Forwarder::count_in_sync(hal::SyncRun& run, const Payment& after) {
  run.forwarded += 1;
  auto& sums = run.amounts[after.currency];
  if (after.status == Status::Succeeded) {
    run.succeeded += 1;
    sums.first += after.authorization ? after.authorization->approved_amount : after.amount;
  } else if (after.status == Status::Declined) {
    run.declined += 1;
    sums.second += after.amount;
  } else if (after.status == Status::RequiresReview) {
    run.requires_review += 1;
  }
}

// A run ends when the queue is drained, or what is left of it has to wait.
void Forwarder::maybe_end_sync() {
  if (!in_flight_.empty() || !reversing_.empty()) return;
  const bool drained = !next_due_.has_value();
  if (drained && network_.route() && books_.offline_spell_counts()) books_.end_spell();
  if (!sync_) return;
  const bool waits_for_now = next_due_ && *next_due_ <= books_.now() && network_.route() && suspended_until_ms_ == 0;
  if (waits_for_now) return;
  (void)end_sync();
}

Result<void> Forwarder::end_sync() {
  if (!sync_) return {};
  hal::SyncRun run = *sync_;
  run.ended_at = books_.now();
  const auto done = books_.write([&]() -> Result<void> {
    if (const auto id = books_.ports().store.put_sync_run(run); !id) return std::unexpected(id.error());
    hal::ListQuery query;
    query.sync_id = run.id;
    query.limit = report_payments_max;
    const auto payments = books_.ports().store.list(query);
    if (!payments) return std::unexpected(payments.error());
    return books_.journal("sync.completed", report::sync_report_json(run, *payments));
  });
  if (done) sync_.reset();
  return done;
}

// --- deadlines ---

void Forwarder::watch_deadlines() {
  if (books_.mono_ms() < stalled_until_ms_) {
    deadlines_at_ms_ = stalled_until_ms_;
    return;
  }
  const UtcMs now = books_.now();
  const Policy& policy = books_.policy();
  const auto overdue = books_.ports().store.overdue(now, overdue_max);
  if (overdue) {
    for (Payment payment : *overdue) {
      if (in_flight_.contains(payment.id) || payment.status != Status::Stored) continue;
      const auto expired = books_.write([&]() -> Result<void> {
        engine::apply(payment, Event::DeadlinePassed);
        Decline decline;
        decline.reason = "deadline_passed";
        decline.category = DeclineCategory::Soft;
        decline.next_action = engine::next_action(decline.reason, "", decline.category, false);
        payment.decline = decline;
        payment.acknowledged = false;
        return books_.record(payment);
      });
      if (!expired) {
        stall();
        deadlines_at_ms_ = stalled_until_ms_;
        return;
      }
      if (sync_) sync_->expired += 1;
    }
  }
  // Soon enough for the warning of whatever is stored from now on.
  deadlines_at_ms_ = books_.mono_ms() + std::min(deadline_check_ms, policy.forward_deadline_s * 1000 / 2);
  const auto totals = books_.ports().store.totals();
  if (!totals) return;
  if (totals->next_deadline)
    deadlines_at_ms_ =
        std::min(deadlines_at_ms_, books_.mono_ms() + std::max<std::int64_t>(1, *totals->next_deadline - now));
  if (!totals->next_deadline || !totals->oldest_stored_at) {
    deadline_told_ = false;
    return;
  }
  const UtcMs warn_at = *totals->next_deadline - policy.forward_deadline_s * 1000 / 2;
  if (now < warn_at) {
    deadline_told_ = false;  // what was near is gone; the next one is told of in its time
    deadlines_at_ms_ = std::min(deadlines_at_ms_, books_.mono_ms() + (warn_at - now));
    return;
  }
  if (deadline_told_) return;
  deadline_told_ = books_
                       .write([&] {
                         Json data = Json::object();
                         data.set("count", totals->count).set("next_deadline", rfc3339(*totals->next_deadline));
                         return books_.journal("deadline.near", std::move(data));
                       })
                       .has_value();
}

PosResult<Payment> Forwarder::release(const std::string& id) {
  if (auto no = books_.refuse_closed()) return std::unexpected(std::move(*no));
  return books_.decide<Payment>([&]() -> Result<PosResult<Payment>> {
    const auto row = books_.ports().store.find(id);
    if (!row) return std::unexpected(row.error());
    if (!*row)
      return PosResult<Payment>(refuse(PosCode::UnknownPaymentIntent, "There is no such payment on this reader."));
    Payment payment = **row;
    if (!engine::next(payment.status, Event::Released)) {
      return PosResult<Payment>(
          refuse(PosCode::UnexpectedState, "Only an expired payment is released for forwarding.", payment));
    }
    engine::apply(payment, Event::Released);
    payment.decline.reset();
    payment.deadline = books_.now() + books_.policy().forward_deadline_s * 1000;
    payment.not_before = 0;
    ND_TRY(books_.journal("audit.released", std::move(Json::object().set("id", id))));
    ND_TRY(books_.record(payment));
    return PosResult<Payment>(std::move(payment));
  });
}

}  // namespace nightdrop::terminal
