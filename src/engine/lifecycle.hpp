// The life of a payment as one table: state by event, every cell filled or Forbidden. Refunds go the same way.
// docs/design.md draws the same table; a test compares the two. Nothing else in the project may set a status.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "nightdrop/payment.hpp"

namespace nightdrop::engine {

enum class Event : std::uint8_t {
  CardRead,        // the reader has the card's data
  CardRefused,     // refused, failed or discarded before anything was sent
  ApprovalNeeded,  // above the approval threshold
  ManagerApproved,
  SendOnline,  // the durable record of an online attempt
  Store,       // accepted offline, or an unknown outcome that may be stored
  Forward,     // about to be sent from the queue
  NotSent,     // the attempt never began: nobody can have it
  NoAnswer,    // outcome unknown, or "again later"
  HostApproved,
  HostDeclined,
  HostRejected,  // the answer can't be used: conflict, malformed, refused request
  Voided,        // canceled before it was sent
  Reversed,      // a reversal undid it, or stands for an unknown outcome that may not be stored
  DeadlinePassed,
  RetryDue,  // a declined payment is tried again under the policy
  Released,  // a person sends an expired or reviewed one again
};
inline constexpr std::size_t event_count = 17;

// What a cell holds where the event cannot happen in the state.
inline constexpr std::optional<Status> forbidden = std::nullopt;

namespace table_detail {
using S = Status;
using Row = std::array<std::optional<Status>, event_count>;
inline constexpr auto x = forbidden;
}  // namespace table_detail

// Rows in the order of Status, columns in the order of Event.
inline constexpr std::array<table_detail::Row, status_count> lifecycle = [] {
  using table_detail::S;
  using table_detail::x;
  constexpr auto pm = S::RequiresPaymentMethod;
  constexpr auto rc = S::RequiresConfirmation;
  constexpr auto ra = S::RequiresApproval;
  constexpr auto pr = S::Processing;
  constexpr auto st = S::Stored;
  constexpr auto fw = S::Forwarding;
  constexpr auto ok = S::Succeeded;
  constexpr auto de = S::Declined;
  constexpr auto ex = S::Expired;
  constexpr auto ca = S::Canceled;
  constexpr auto rr = S::RequiresReview;
  return std::array<table_detail::Row, status_count>{{
      //                   Card  Card     Approval Manager   Send    Store Forw. Not   No     Host  Host  Host Dead-
      //                   Retry  Re-
      //                   Read  Refused  Needed   Approved  Online              Sent  Answer Appr. Decl. Rej.  Void
      //                   Rev. line   Due    leased
      /* requires_pm    */ {rc, pm, x, pm, x, x, x, x, x, x, x, x, ca, x, x, x, x},
      /* requires_conf. */ {x, pm, ra, rc, pr, st, x, x, x, x, x, x, ca, x, x, x, x},
      /* requires_appr. */ {x, pm, x, rc, x, x, x, x, x, x, x, x, ca, x, x, x, x},
      /* processing     */ {x, pm, x, x, x, st, x, pr, pr, ok, de, rr, x, ca, x, x, x},
      /* stored         */ {x, x, x, x, x, x, fw, x, x, x, x, x, ca, ca, ex, x, x},
      /* forwarding     */ {x, x, x, x, x, x, fw, st, st, ok, de, rr, x, ca, x, x, x},
      /* succeeded      */ {x, x, x, x, x, x, x, x, x, x, x, x, x, ca, x, x, x},
      /* declined       */ {x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, st, x},
      /* expired        */ {x, x, x, x, x, x, x, x, x, x, x, x, ca, x, x, x, st},
      /* canceled       */ {x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x},
      /* requires_review*/ {x, x, x, x, x, x, x, x, x, x, x, x, x, ca, x, x, x},
  }};
}();

inline constexpr std::array<std::string_view, event_count> event_names{
    "card_read", "card_refused", "approval_needed", "manager_approved", "send_online",   "store",
    "forward",   "not_sent",     "no_answer",       "host_approved",    "host_declined", "host_rejected",
    "voided",    "reversed",     "deadline_passed", "retry_due",        "released"};

// Where the event leads from the state; nothing where it is forbidden.
constexpr std::optional<Status> next(Status state, Event event) {
  return lifecycle[static_cast<std::size_t>(state)][static_cast<std::size_t>(event)];
}

// No event leads out: what the acquirer, or a void, settled for good. (A succeeded payment can still be reversed by a
// cancel that was recorded while it was in flight.)
constexpr bool is_final(Status state) {
  return state == Status::Succeeded || state == Status::Declined || state == Status::Canceled;
}
// Counted at the merchant's risk: stored, in flight or of unknown outcome (RULES 3, 7).
constexpr bool is_at_risk(Status state) {
  return state == Status::Processing || state == Status::Stored || state == Status::Forwarding;
}
// In the list of declines until acknowledged.
constexpr bool is_reportable(Status state) {
  return state == Status::Declined || state == Status::Expired || state == Status::RequiresReview;
}

namespace table_checks {
consteval bool canceled_is_the_end() {
  for (const auto& cell : lifecycle[static_cast<std::size_t>(Status::Canceled)]) {
    if (cell) return false;
  }
  return true;
}
// Only what is at risk can be answered by the host, and an answer ends the risk.
consteval bool answers_end_the_risk() {
  for (std::size_t s = 0; s < status_count; ++s) {
    for (const Event answer : {Event::HostApproved, Event::HostDeclined, Event::HostRejected}) {
      const auto to = next(static_cast<Status>(s), answer);
      if (to && (!is_at_risk(static_cast<Status>(s)) || is_at_risk(*to))) return false;
    }
  }
  return true;
}
// Rule 1: nothing but the host's approval leads to succeeded. Rule 10: an expired payment is only sent by a person.
consteval bool only_the_host_approves() {
  for (std::size_t s = 0; s < status_count; ++s) {
    for (std::size_t e = 0; e < event_count; ++e) {
      const auto to = lifecycle[s][e];
      if (to == Status::Succeeded && static_cast<Event>(e) != Event::HostApproved) return false;
    }
  }
  return !next(Status::Expired, Event::Forward) && next(Status::Expired, Event::Released) == Status::Stored;
}
static_assert(canceled_is_the_end() && answers_end_the_risk() && only_the_host_approves());
}  // namespace table_checks

}  // namespace nightdrop::engine
