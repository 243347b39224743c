// The books: every write of the terminal goes through here, with the time it is written at. One turn of the loop is one
// transaction; effects (replies, requests, prompts) wait in it and run when it is durable, or are told that it is lost.
// A decision inside the turn is all or nothing. Counters that live in memory (engine time, STAN, DUKPT) are written in
// the same commit as what they were spent on.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/offline_rules.hpp"
#include "engine/time_keeper.hpp"
#include "json/json.hpp"
#include "nightdrop/policy.hpp"
#include "terminal/ports.hpp"
#include "terminal/pos_error.hpp"

namespace nightdrop::terminal {

class Books {
 public:
  using Effect = std::move_only_function<void(bool durable)>;

  Books(const Ports& ports, const Policy& policy, const Settings& settings);

  // Reads the device's state and takes up its time. Call once, before anything else.
  Result<void> open();

  // --- time ---
  UtcMs now();
  engine::ClockState clock();
  bool clock_trusted() const { return time_->trusted(); }  // as of the last reading
  std::int64_t mono_ms() const { return ports_.clock.monotonic().count(); }
  const std::string& boot_id() const { return boot_id_; }
  // The acquirer said what time it is.
  void server_time(UtcMs time);
  // Notices a clock that lost or regained trust and journals it; moves times that were taken on a wrong clock.
  void watch_clock();

  // --- the turn ---
  // Runs `decision` inside the turn: a Result<PosResult<T>>-returning callable. An Error undoes what it wrote.
  template <class T, class Decision>
  PosResult<T> decide(Decision&& decision) {
    if (auto opened = begin_decision(); !opened) return std::unexpected(store_error(opened.error()));
    Result<PosResult<T>> result = decision();
    if (result) return std::move(*result);
    undo_decision();
    return std::unexpected(store_error(result.error()));
  }
  // As decide(), where nobody waits for the outcome.
  Result<void> write(const std::function<Result<void>()>& decision);
  // Runs when the turn has ended: durable, or lost.
  void then(Effect effect) { effects_.push_back(std::move(effect)); }
  // A reply that must not leave before what it says is on the disk.
  template <class T>
  void reply(const Reply<T>& to, PosResult<T> value) {
    then([to, value = std::move(value)](bool durable) mutable {
      if (durable) return to(std::move(value));
      to(std::unexpected(store_error(Error{Errc::Io, 0, ""})));
    });
  }
  // Commits and runs the effects. False when the commit failed: the store was opened anew, and `follow` has made memory
  // follow it before anybody is told, so that no answer speaks of what is gone.
  bool finish_turn(const std::function<void()>& follow);
  // Tells the vault, once what was sealed is durable: its spent keys can go, and the queue has come this far.
  void erase_spent_keys();
  bool pending() const { return !effects_.empty() || ports_.store.in_turn(); }

  // --- writes; only inside a decision ---
  Result<void> save(Payment& payment);
  // save(), and the event payment_intent.<its status>.
  Result<void> record(Payment& payment);
  Result<void> journal(std::string_view type, Json data);
  // A durable reversal. One that is under way keeps its attempts and its turn, however often it is asked for.
  Result<void> order_reversal(const std::string& id, ReversalReason reason);
  // A refusal: in the audit log, sent to nobody.
  Result<void> audit_refusal(const Payment& payment, PosCode code);
  // limit.near and limit.reached, when `before` and `after` lie on either side.
  Result<void> report_limits(const engine::Exposure& before, const Payment& added);
  // What the rules look at; the payment itself, if it is counted already, left out.
  Result<engine::Exposure> exposure(const Payment& payment);

  // --- numbers ---
  std::string new_payment_id();
  std::string new_offline_reference();
  std::uint64_t random();
  // Fixes what identifies the message to the host: STAN, RRN, local time (ISO 8583 DE11, DE37, DE12/13).
  void identify_message(Payment& payment);
  void count_fallback() { ++state_.fallbacks_in_spell; }
  // An offline spell ends when the queue is empty and a path is up.
  void end_spell() { state_.fallbacks_in_spell = 0; }
  Result<void> checkpoint();  // signs the journal's head
  // --- a reader that was tampered with ---
  // From now on nothing is taken, changed or sent.
  void close() { closed_ = true; }
  bool is_closed() const { return closed_; }
  // Why nothing may be taken or changed; nothing while the reader is whole.
  std::optional<PosError> refuse_closed() const;
  // The vault has another initial key than it had; `counter`: the last value spent under that one.
  Result<void> journal_keys(const std::array<std::uint8_t, 8>& previous, std::uint32_t counter);
  bool tampered_before() const { return state_.tampered_at != 0; }
  Result<void> note_tampered();

  // A sealed export has reached whoever asked for it: journals it and remembers what it covers.
  Result<void> note_export(const SealedExport& made);
  bool offline_spell_counts() const { return state_.fallbacks_in_spell != 0; }

  // Called after each durable turn that journalled something.
  void on_events(std::function<void()> told) { events_told_ = std::move(told); }
  // Tells of new events as soon as no turn is open. Called at the end of a turn.
  void tell_events();

  // Journals policy.changed and puts `policy` in force as soon as that is durable: from the next decision on. What is
  // stored keeps its deadline. `done` hears of it then; on an error the old one stays in force.
  void change_policy(Policy policy, Reply<void> done);
  const Policy& policy() const { return *policy_; }  // until the next turn: a change replaces it
  const Settings& settings() const { return settings_; }
  // Which older copy open() went on with, "queue" or "vault"; empty: neither was one.
  const std::string& accepted_older() const { return accepted_older_; }
  const Ports& ports() const { return ports_; }
  bool entropy_failed() const { return entropy_failed_; }

 private:
  engine::TimeReading reading() const;
  Result<void> count_refund(const Payment& refund);
  Result<void> begin_decision();
  void undo_decision();
  bool commit_turn();
  bool landed_after_all(std::uint64_t turn);
  Result<void> write_state();
  Result<void> journal_policy(std::int64_t version, std::int64_t from_version);
  Result<void> load_state();
  Result<void> resume_vault();
  Result<void> journal_accepted();
  Result<void> journal_nothing_to_accept();
  std::uint64_t last_seq();

  Ports ports_;
  const Policy* policy_;
  std::unique_ptr<const Policy> own_policy_;  // where it was changed
  const Settings& settings_;
  std::string boot_id_;
  hal::DeviceState state_;
  std::optional<engine::TimeKeeper> time_;
  bool was_trusted_{true};
  bool new_spell_{false};  // of an untrusted clock, not written yet: this boot follows one that was untrusted too
  std::vector<Effect> effects_;
  std::function<void()> events_told_;
  bool journalled_{false};
  bool tell_due_{false};
  bool turn_lost_{false};  // the store gave up the whole turn in mid-decision
  std::int64_t pending_shift_ms_{0};
  bool entropy_failed_{false};
  bool closed_{false};
  std::string accepted_older_;   // which older copy open() went on with; empty: none
  std::uint64_t last_id_ms_{0};  // of the newest payment id, and its count within that millisecond
  unsigned last_id_count_{0};
  std::uint64_t last_checkpoint_{0};
  std::uint64_t committed_seq_{0};  // of the last event that is durable
};

}  // namespace nightdrop::terminal
