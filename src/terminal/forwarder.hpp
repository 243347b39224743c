// Sends what was stored: reversals first, then nearest deadline first, many at once, each payment once. Every attempt
// is on disk before its first byte leaves; an attempt without an answer is made again under the same id. One payment
// that fails waits by itself (backoff) and holds up nobody. New sales go on meanwhile: a pump does a bounded piece of
// work.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/settle.hpp"
#include "terminal/books.hpp"
#include "terminal/network.hpp"

namespace nightdrop::terminal {

class Forwarder {
 public:
  static constexpr std::int64_t suspended_retry_ms = 5 * 60 * 1000;  // after 401 or 403
  static constexpr std::int64_t stall_ms = 1'000;                    // after a write that failed
  static constexpr std::size_t report_payments_max = 100;            // objects in one sync report
  static constexpr std::int64_t release_pause_ms = 1'000;  // paths that come and go end the backoffs no oftener

  Forwarder(Books& books, Network& network);
  Result<void> open();  // takes up a sync run that a crash cut off

  // Does what is to be done now; cheap when there is nothing.
  void pump();
  void path_returned();  // every backoff ends at once, or a moment after the last time
  void forward_now();    // a person asked: ends a suspension too
  void resume() { suspended_until_ms_ = 0; }
  // Expires what passed its deadline unsent and warns at half the window. Called now and then.
  void watch_deadlines();
  // Shorter deadlines need to be looked after sooner.
  void policy_changed() { deadlines_at_ms_ = std::min(deadlines_at_ms_, books_.mono_ms()); }
  PosResult<Payment> release(const std::string& id);  // a person sends an expired payment

  bool something_waits() const { return waits_; }
  bool suspended() const { return suspended_until_ms_ != 0; }
  std::size_t in_flight() const { return in_flight_.size() + reversing_.size(); }
  std::optional<std::int64_t> next_tick_ms() const;  // monotonic
  void forget_undurable();
  Result<void> end_sync();

 private:
  struct Flight {
    std::vector<std::string> ids;  // one, or a batch's
    Route route{Route::Wifi};
    bool inquiry{false};
    bool batch{false};
  };

  Result<void> take_up_sync();
  void stall();
  bool send_reversals(Route route);
  void send_reversal(const hal::Reversal& reversal, Route route);
  void on_reversal_outcome(std::uint64_t flight, const hal::Reversal& reversal, Route route,
                           const hal::HostOutcome& outcome);
  void finish_reversed(const std::string& id, bool done);
  Result<void> report_rejected_reversal(Payment& payment);
  void send_payments(Route route);
  bool goes_alone(const Payment& payment, std::size_t batch) const;
  void fit_window(std::vector<Payment>& rows, std::size_t free, std::size_t batch) const;
  void set_unsendable_aside(std::vector<Payment>& rows);
  void drop_refunds_of_nothing(std::vector<Payment>& rows);
  Result<std::vector<Payment>> mark_forwarding(std::vector<Payment> rows, Route route);
  void launch(std::vector<Payment> payments, Route route);
  void launch_one(const Payment& payment, Route route);
  void launch_batch(std::vector<Payment> payments, Route route);
  void on_outcome(std::uint64_t flight_id, const hal::HostOutcome& outcome);
  void settle(const std::string& id, const Answer& answer, Route route);
  void judge_route(Route route, const Answer& answer);
  void go_singly(const std::string& id, const Answer& answer);
  Result<void> suspend();
  Result<void> ensure_sync(Route route, bool announce);
  static void count_in_sync(hal::SyncRun& run, const Payment& after);
  void maybe_end_sync();
  void plan_next();

  Books& books_;
  Network& network_;
  std::map<std::uint64_t, Flight> flights_;
  std::set<std::string> in_flight_;
  std::map<std::string, std::uint64_t> reversing_;  // the flight whose answer is waited for
  std::set<std::string> singly_;                    // a batch brought them no outcome
  std::uint64_t next_flight_{1};
  std::optional<hal::SyncRun> sync_;
  std::int64_t suspended_until_ms_{0};
  std::int64_t stalled_until_ms_{0};  // the disk said no: not again before
  bool release_due_{false};           // a path returned, and the backoffs have not been ended yet
  std::int64_t release_from_ms_{0};
  std::optional<UtcMs> next_due_;    // engine time
  std::int64_t deadlines_at_ms_{0};  // monotonic
  bool waits_{false};
  bool behind_reversals_{false};  // payments wait for a reversal's first attempt
  bool deadline_told_{false};
};

}  // namespace nightdrop::terminal
