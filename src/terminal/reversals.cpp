// Forwarder: reversals, which stand before every payment, and what becomes of the payments that wait for one.
#include "acquirer/https/answer.hpp"
#include "acquirer/https/request.hpp"
#include "engine/lifecycle.hpp"
#include "engine/retry.hpp"
#include "terminal/forwarder.hpp"

namespace nightdrop::terminal {
namespace {
using engine::Event;
constexpr std::size_t reversals_max = 256;  // looked at in one turn
}  // namespace

// True when no reversal stands before the payments: each has been tried at least once.
bool Forwarder::send_reversals(Route route) {
  const auto reversals = books_.ports().store.reversals(reversals_max);
  if (!reversals) {
    stall();
    return false;
  }
  bool clear = true;
  const UtcMs now = books_.now();
  for (const hal::Reversal& reversal : *reversals) {
    if (reversing_.contains(reversal.payment_id)) {
      clear = clear && reversal.attempts > 1;
      continue;
    }
    if (reversal.not_before > now) continue;
    if (in_flight_.contains(reversal.payment_id)) continue;  // its payment is being answered right now
    if (reversing_.size() >= books_.settings().window) return false;
    clear = clear && reversal.attempts > 0;
    send_reversal(reversal, route);
  }
  return clear;
}

void Forwarder::send_reversal(const hal::Reversal& reversal, Route route) {
  hal::Reversal attempt = reversal;
  attempt.attempts += 1;
  if (!books_.write([&] { return books_.ports().store.put_reversal(attempt); })) return stall();
  const std::uint64_t flight = next_flight_++;
  reversing_[attempt.payment_id] = flight;
  books_.then([this, flight, attempt, route](bool durable) {
    if (!durable) {
      reversing_.erase(attempt.payment_id);
      return;
    }
    hal::HostRequest request =
        acquirer::reversal_request(attempt.payment_id, attempt.reason, books_.settings().merchant);
    request.route = route;
    request.timeout = std::chrono::milliseconds(books_.policy().online_timeout_ms);
    books_.ports().host.send(std::move(request), [this, flight, attempt, route](const hal::HostOutcome& outcome) {
      on_reversal_outcome(flight, attempt, route, outcome);
    });
  });
}

void Forwarder::on_reversal_outcome(std::uint64_t flight, const hal::Reversal& reversal, Route route,
                                    const hal::HostOutcome& outcome) {
  // The answer to an attempt that a lost turn has forgotten: a later attempt stands for it, and what this one knows of
  // the reversal, its number of attempts first, is out of date.
  const auto awaited = reversing_.find(reversal.payment_id);
  if (awaited == reversing_.end() || awaited->second != flight) return;
  reversing_.erase(awaited);
  const Answer answer = acquirer::read_reversal_answer(outcome, reversal.payment_id, books_.now());
  judge_route(route, answer);
  const bool done = std::holds_alternative<ReversalDone>(answer);
  if (done || std::holds_alternative<Rejected>(answer)) {
    finish_reversed(reversal.payment_id, done);
  } else {
    hal::Reversal again = reversal;
    auto delay = engine::backoff(reversal.attempts, books_.random());
    if (const auto* later = std::get_if<TryAgain>(&answer); later != nullptr && later->retry_after)
      delay = *later->retry_after;
    again.not_before = books_.now() + delay.count();
    (void)books_.write([&]() -> Result<void> {
      ND_TRY(books_.ports().store.put_reversal(again));
      return std::holds_alternative<NotAuthorized>(answer) ? suspend() : Result<void>();
    });
  }
  pump();
}

// The acquirer has undone it, or will never be able to: the payment that waited for it comes to its end.
void Forwarder::finish_reversed(const std::string& id, bool done) {
  (void)books_.write([&]() -> Result<void> {
    auto reversal = books_.ports().store.find_reversal(id);
    if (!reversal) return std::unexpected(reversal.error());
    if (*reversal) {
      (*reversal)->done = true;
      ND_TRY(books_.ports().store.put_reversal(**reversal));
    }
    ND_TRY(
        books_.journal(done ? "audit.reversed" : "audit.reversal_rejected", std::move(Json::object().set("id", id))));
    auto row = books_.ports().store.find(id);
    if (!row) return std::unexpected(row.error());
    if (!*row) return {};
    if (!done && !engine::is_at_risk((*row)->status)) return report_rejected_reversal(**row);
    if (!(*row)->cancel_requested || !engine::is_at_risk((*row)->status)) return {};
    engine::Settlement settled;
    if (done) {
      settled = engine::settle(**row, ReversalDone{}, books_.policy(), books_.now(), 0);
    } else {
      settled.payment = **row;
      if (settled.payment.status == Status::Stored) engine::apply(settled.payment, Event::Forward);
      settled = engine::settle(settled.payment, Rejected{0, std::string(engine::reversal_rejected)}, books_.policy(),
                               books_.now(), 0);
    }
    return books_.record(settled.payment);
  });
}

// The payment has come to its end without it, but the customer may have been charged: a person must hear of that.
Result<void> Forwarder::report_rejected_reversal(Payment& payment) {
  Decline decline = payment.decline.value_or(Decline{});
  decline.reason = std::string(engine::reversal_rejected);
  decline.category = DeclineCategory::Hard;
  decline.next_action = engine::next_action(decline.reason, "", decline.category, false);
  payment.decline = decline;
  payment.acknowledged = false;
  return books_.record(payment);
}

}  // namespace nightdrop::terminal
