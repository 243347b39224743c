#include "terminal/forwarder.hpp"

#include <algorithm>

#include "acquirer/https/answer.hpp"
#include "acquirer/https/request.hpp"
#include "engine/lifecycle.hpp"
#include "engine/retry.hpp"
#include "nightdrop/time_text.hpp"
#include "report/objects.hpp"

namespace nightdrop::terminal {
namespace {
using engine::Event;
constexpr std::size_t turn_rows_max = 256;  // rows marked in one turn: bounds memory and the turn's length
}  // namespace

Forwarder::Forwarder(Books& books, Network& network) : books_(books), network_(network) {}

Result<void> Forwarder::open() {
  ND_TRY(take_up_sync());
  watch_deadlines();
  plan_next();
  return {};
}

Result<void> Forwarder::take_up_sync() {
  const auto latest = books_.ports().store.sync_run(std::nullopt);
  if (!latest) return std::unexpected(latest.error());
  if (*latest && !(*latest)->ended_at) sync_ = **latest;
  return {};
}

void Forwarder::forget_undurable() {
  flights_.clear();
  in_flight_.clear();
  reversing_.clear();
  sync_.reset();
  stall();
  (void)take_up_sync();
  deadlines_at_ms_ = stalled_until_ms_;
  plan_next();
}

// The disk said no: nothing is tried again before a while has passed.
void Forwarder::stall() {
  stalled_until_ms_ = books_.mono_ms() + stall_ms;
}

void Forwarder::forward_now() {
  suspended_until_ms_ = 0;
  (void)books_.write([&] { return books_.ports().store.release_backoff(); });
  network_.refresh();
  pump();
}

void Forwarder::path_returned() {
  suspended_until_ms_ = 0;
  release_due_ = true;
  watch_deadlines();  // the acquirer may have corrected the clock just now
  pump();
}

void Forwarder::pump() {
  if (books_.mono_ms() < stalled_until_ms_) return;
  if (books_.mono_ms() >= deadlines_at_ms_) watch_deadlines();  // what is overdue is not sent any more (RULES 10)
  if (suspended_until_ms_ != 0 && books_.mono_ms() >= suspended_until_ms_) suspended_until_ms_ = 0;
  if (release_due_ && books_.mono_ms() >= release_from_ms_) {
    // A path that answers probes and takes no payments returns at once each time; that must not become a storm.
    release_due_ = false;
    release_from_ms_ = books_.mono_ms() + release_pause_ms;
    (void)books_.write([&] { return books_.ports().store.release_backoff(); });
  }
  const auto route = books_.is_closed() ? std::nullopt : network_.route();
  behind_reversals_ = false;
  if (route && suspended_until_ms_ == 0) {
    behind_reversals_ = !send_reversals(*route);
    if (!behind_reversals_) send_payments(*route);
  }
  plan_next();
  maybe_end_sync();
}

// What is there to do later, and when.
void Forwarder::plan_next() {
  const std::vector<std::string> busy(in_flight_.begin(), in_flight_.end());
  const auto due = books_.ports().store.next_due(busy);
  next_due_ = due ? *due : std::nullopt;
  if (next_due_ == held) next_due_.reset();
  const auto reversals = books_.ports().store.reversals(turn_rows_max);
  if (reversals) {
    for (const hal::Reversal& reversal : *reversals) {
      if (reversing_.contains(reversal.payment_id)) continue;
      next_due_ = next_due_ ? std::min(*next_due_, reversal.not_before) : reversal.not_before;
    }
  }
  waits_ = next_due_.has_value() || !in_flight_.empty() || !reversing_.empty();
}

std::optional<std::int64_t> Forwarder::next_tick_ms() const {
  std::int64_t next = deadlines_at_ms_;
  if (suspended_until_ms_ != 0) next = std::min(next, std::max(suspended_until_ms_, stalled_until_ms_));
  if (release_due_) next = std::min(next, std::max(release_from_ms_, stalled_until_ms_));
  const bool may_send = network_.route() && !books_.is_closed() && suspended_until_ms_ == 0 && !behind_reversals_;
  if (next_due_ && may_send && in_flight_.size() < books_.settings().window) {
    const std::int64_t due = books_.mono_ms() + std::max<std::int64_t>(0, *next_due_ - books_.now());
    next = std::min(next, std::max(due, stalled_until_ms_));
  }
  return next;
}

// --- payments ---

void Forwarder::send_payments(Route route) {
  const std::size_t window = books_.settings().window;
  if (flights_.size() >= window) return;
  const std::size_t batch = books_.settings().batch ? network_.batch() : 0;
  const std::size_t free = window - flights_.size();
  const std::size_t wanted = std::min(turn_rows_max, batch > 1 ? free * batch : free);
  const std::vector<std::string> busy(in_flight_.begin(), in_flight_.end());
  auto rows = books_.ports().store.due(books_.now(), wanted, busy);
  if (!rows) return stall();
  set_unsendable_aside(*rows);
  drop_refunds_of_nothing(*rows);
  fit_window(*rows, free, batch);
  if (rows->empty()) return;
  const bool fresh = std::ranges::any_of(*rows, [](const Payment& row) { return row.attempts == 0; });
  auto marked = mark_forwarding(std::move(*rows), route);
  if (!marked) return stall();
  if (fresh) (void)books_.write([&] { return ensure_sync(route, true); });
  launch(std::move(*marked), route);
}

// Rows that a damaged store gave back without their card's data: a person must look at them. What was sent already can
// still be asked about.
void Forwarder::set_unsendable_aside(std::vector<Payment>& rows) {
  std::erase_if(rows, [&](Payment& payment) {
    const bool needs_card = payment.kind == ObjectKind::PaymentIntent || payment.original_payment.empty();
    if (payment.envelope || !needs_card || payment.ask_status) return false;
    if (payment.outcome_unknown || payment.last_attempt_outcome == AttemptOutcome::InFlight) {
      payment.ask_status = true;
      return false;
    }
    const auto written = books_.write([&] {
      if (payment.status == Status::Declined) engine::apply(payment, Event::RetryDue);
      engine::apply(payment, Event::Forward);
      engine::Settlement settled =
          engine::settle(payment, Rejected{0, "card_data_lost"}, books_.policy(), books_.now(), 0);
      return books_.record(settled.payment);
    });
    if (!written) stall();
    return true;
  });
}

// A refund whose sale came to nothing has nothing to give back: it is voided. Where a person has yet to decide about
// the sale, a person decides about the refund too. One that may have left already is settled like any other.
void Forwarder::drop_refunds_of_nothing(std::vector<Payment>& rows) {
  std::erase_if(rows, [&](Payment& refund) {
    if (refund.original_payment.empty() || refund.sent || refund.status != Status::Stored) return false;
    const auto sale = books_.ports().store.find(refund.original_payment);
    if (!sale || !*sale || engine::is_at_risk((*sale)->status)) return false;
    const bool paid = (*sale)->status == Status::Succeeded;
    // Accepted when all of the sale was expected; the acquirer then approved a part of it.
    const bool too_much =
        paid && (*sale)->authorization && (*sale)->refunded_amount > (*sale)->authorization->approved_amount;
    if (paid && !too_much) return false;
    const auto written = books_.write([&] {
      if (!paid && engine::is_final((*sale)->status)) {
        engine::apply(refund, Event::Voided);
        engine::erase_card(refund);
        refund.cancellation = Cancellation{CancelReason::Abandoned, books_.now()};
        return books_.record(refund);
      }
      engine::apply(refund, Event::Forward);
      engine::Settlement settled =
          engine::settle(refund, Rejected{0, too_much ? "refund_exceeds_payment" : "sale_unsettled"}, books_.policy(),
                         books_.now(), 0);
      return books_.record(settled.payment);
    });
    if (!written) stall();
    return true;
  });
}

bool Forwarder::goes_alone(const Payment& payment, std::size_t batch) const {
  return batch < 2 || payment.ask_status || payment.decline_retries != 0 || singly_.contains(payment.id);
}

// As many rows as there is room for in the window; a batch takes one place.
void Forwarder::fit_window(std::vector<Payment>& rows, std::size_t free, std::size_t batch) const {
  std::size_t alone = 0;
  std::size_t together = 0;
  const auto too_many = std::ranges::find_if(rows, [&](const Payment& payment) {
    ++(goes_alone(payment, batch) ? alone : together);
    return alone + (together == 0 ? 0 : (together - 1) / batch + 1) > free;
  });
  rows.erase(too_many, rows.end());
}

// The durable record of the attempts that are about to be made.
Result<std::vector<Payment>> Forwarder::mark_forwarding(std::vector<Payment> rows, Route route) {
  const auto written = books_.write([&]() -> Result<void> {
    for (Payment& payment : rows) {
      // Still marked in flight: a crash or a lost turn cut the last attempt off, and nobody knows what became of it.
      if (payment.status == Status::Forwarding || payment.last_attempt_outcome == AttemptOutcome::InFlight)
        payment.outcome_unknown = true;
      const bool first_news = payment.status != Status::Forwarding;
      if (payment.status == Status::Declined) {
        engine::apply(payment, Event::RetryDue);
        payment.decline_retries += 1;
        payment.deadline = books_.now() + books_.policy().forward_deadline_s * 1000;  // a new attempt has its own
      }
      engine::apply(payment, Event::Forward);
      payment.attempts += 1;
      payment.sent = true;
      payment.last_attempt_at = books_.now();
      payment.last_attempt_route = route;
      payment.last_attempt_outcome = AttemptOutcome::InFlight;
      if (first_news && payment.attempts == 1) {
        ND_TRY(books_.record(payment));
      } else {
        ND_TRY(books_.save(payment));
      }
    }
    return {};
  });
  if (!written) return std::unexpected(written.error());
  for (const Payment& payment : rows) in_flight_.insert(payment.id);
  return rows;
}

void Forwarder::launch(std::vector<Payment> payments, Route route) {
  const std::size_t batch = books_.settings().batch ? network_.batch() : 0;
  const std::size_t free = books_.settings().window - flights_.size();
  std::vector<Payment> together;
  for (Payment& payment : payments) {
    if (payments.size() <= free || goes_alone(payment, batch)) {
      launch_one(payment, route);
      continue;
    }
    together.push_back(std::move(payment));
    if (together.size() == batch) launch_batch(std::exchange(together, {}), route);
  }
  if (!together.empty()) launch_batch(std::move(together), route);
}

void Forwarder::launch_one(const Payment& payment, Route route) {
  const std::uint64_t flight = next_flight_++;
  flights_[flight] = {.ids = {payment.id}, .route = route, .inquiry = payment.ask_status};
  books_.then([this, flight, payment, route](bool durable) {
    if (!durable) return;
    hal::HostRequest request = payment.ask_status
                                   ? acquirer::inquiry_request(payment, books_.settings().merchant)
                                   : acquirer::payment_request(payment, books_.settings().merchant, books_.now());
    request.route = route;
    request.timeout = std::chrono::milliseconds(books_.policy().online_timeout_ms);
    books_.ports().host.send(std::move(request),
                             [this, flight](const hal::HostOutcome& outcome) { on_outcome(flight, outcome); });
  });
}

void Forwarder::launch_batch(std::vector<Payment> payments, Route route) {
  const std::uint64_t flight = next_flight_++;
  Flight& made = flights_[flight];
  made.route = route;
  made.batch = true;
  for (const Payment& payment : payments) made.ids.push_back(payment.id);
  books_.then([this, flight, payments = std::move(payments), route](bool durable) {
    if (!durable) return;
    hal::HostRequest request = acquirer::batch_request(payments, books_.settings().merchant, books_.now());
    request.route = route;
    request.timeout = std::chrono::milliseconds(books_.policy().online_timeout_ms);
    books_.ports().host.send(std::move(request),
                             [this, flight](const hal::HostOutcome& outcome) { on_outcome(flight, outcome); });
  });
}

void Forwarder::on_outcome(std::uint64_t flight_id, const hal::HostOutcome& outcome) {
  const auto found = flights_.find(flight_id);
  if (found == flights_.end()) return;
  const Flight flight = std::move(found->second);
  flights_.erase(found);
  std::vector<Answer> answers;
  if (flight.batch) {
    answers = acquirer::read_batch_answer(outcome, flight.ids, books_.now());
    const auto* reply = std::get_if<hal::HostReply>(&outcome);
    if (reply != nullptr && reply->status >= 400 && reply->status < 500 &&
        std::holds_alternative<Rejected>(answers.front())) {
      // The batch itself was refused, none of its payments was judged: they go one by one.
      singly_.insert(flight.ids.begin(), flight.ids.end());
      std::ranges::fill(answers, Answer(TryAgain{std::chrono::milliseconds(0)}));
    }
    for (std::size_t i = 0; i < flight.ids.size(); ++i) go_singly(flight.ids[i], answers[i]);
  } else {
    answers.push_back(acquirer::read_payment_answer(outcome, flight.ids.front(), flight.inquiry, books_.now()));
  }
  judge_route(flight.route, answers.front());
  for (std::size_t i = 0; i < flight.ids.size(); ++i) {
    in_flight_.erase(flight.ids[i]);
    settle(flight.ids[i], answers[i], flight.route);
  }
  pump();
}

void Forwarder::judge_route(Route route, const Answer& answer) {
  if (std::holds_alternative<NeverSent>(answer)) network_.suspect(route, true);
  if (const auto* none = std::get_if<NoAnswer>(&answer)) network_.suspect(route, none->timed_out);
  if (std::holds_alternative<NotAnAnswer>(answer)) network_.suspect(route, false);
}

// What a batch brought no outcome for goes alone the next time, so that neither a payment that the acquirer chokes on
// nor an answer too long for the line holds up the others for ever.
void Forwarder::go_singly(const std::string& id, const Answer& answer) {
  const auto* again = std::get_if<TryAgain>(&answer);
  const bool chokes = again != nullptr && !again->retry_after;
  if (chokes || std::holds_alternative<NotAnAnswer>(answer) || std::holds_alternative<NoAnswer>(answer))
    singly_.insert(id);
}

// 401 or 403: nothing of any payment changes; forwarding stops for a while and says so.
Result<void> Forwarder::suspend() {
  if (suspended_until_ms_ != 0) return {};
  suspended_until_ms_ = books_.mono_ms() + suspended_retry_ms;
  return books_.journal("audit.forwarding_suspended", std::move(Json::object().set("reason", "unauthorized")));
}

void Forwarder::settle(const std::string& id, const Answer& answer, Route route) {
  (void)books_.write([&]() -> Result<void> {
    const auto row = books_.ports().store.find(id);
    if (!row) return std::unexpected(row.error());
    if (!*row || (*row)->status != Status::Forwarding) return {};  // settled by its reversal meanwhile
    engine::Settlement settlement = engine::settle(**row, answer, books_.policy(), books_.now(), books_.random());
    Payment& payment = settlement.payment;
    if (settlement.reversal) ND_TRY(books_.order_reversal(id, *settlement.reversal));
    const bool undecided_cancel = !settlement.answered && payment.cancel_requested && payment.not_before != held;
    if (undecided_cancel && payment.sent) {
      payment.not_before = held;
      ND_TRY(books_.order_reversal(id, ReversalReason::Canceled));
    } else if (undecided_cancel) {
      engine::apply(payment, Event::Voided);
      engine::erase_card(payment);
      payment.cancellation = Cancellation{*payment.cancel_requested, books_.now()};
      return books_.record(payment);
    }
    if (settlement.suspend_forwarding) ND_TRY(suspend());
    if (!settlement.answered) return books_.save(payment);
    ND_TRY(ensure_sync(route, true));
    payment.sync_id = sync_->id;
    hal::SyncRun run = *sync_;
    count_in_sync(run, payment);
    ND_TRY(books_.record(payment));
    if (const auto kept = books_.ports().store.put_sync_run(run); !kept) return std::unexpected(kept.error());
    sync_ = std::move(run);
    singly_.erase(id);
    return {};
  });
}

}  // namespace nightdrop::terminal
