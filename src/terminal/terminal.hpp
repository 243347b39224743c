// The terminal: what a reader does, put together. Inputs come in on the loop's thread (commands, card events, host
// completions, link changes, tick()); end_turn() commits what they decided and lets the effects out. No I/O of its own,
// no thread and no clock but the ports: the same code runs in the daemon, in the simulator and in tests under virtual
// time.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "report/objects.hpp"
#include "terminal/certificate_watch.hpp"
#include "terminal/checkout.hpp"
#include "terminal/forwarder.hpp"
#include "terminal/tamper.hpp"

namespace nightdrop::terminal {

class Terminal {
 public:
  // While payments wait or the clock is not trusted, time is written down this often: a reboot without a clock goes on
  // from the last time written, and deadlines are late by no more than this.
  static constexpr std::int64_t keep_time_every_ms = 5 * 60 * 1000;

  // Lifetime: ports, policy and settings outlive the terminal.
  Terminal(const Ports& ports, const Policy& policy, const Settings& settings);

  // Takes up where the last run ended: time, key counter, unfinished attempts. Errors: the store's and the vault's.
  Result<void> start();
  // Signs the journal's head and leaves everything durable.
  Result<void> stop();

  // Ends a turn of the loop: one commit for all that was decided, then replies and requests leave.
  void end_turn();
  void tick();
  // Monotonic time, in ms, of the next tick() that has something to do.
  std::optional<std::int64_t> next_tick_ms() const;

  Checkout& checkout() { return checkout_; }
  Forwarder& forwarder() { return forwarder_; }
  Books& books() { return books_; }
  Network& network() { return network_; }
  TamperResponse& tamper() { return tamper_; }
  const Policy& policy() const { return books_.policy(); }
  // Another policy, from the next decision on; see Books::change_policy().
  void change_policy(Policy policy, Reply<void> done);
  // Journals that a policy was not taken: `what` is "configured", "update" or "overlay".
  void refuse_policy(std::string_view what, const std::string& reason);
  // What the status tells of the policy besides itself.
  void set_policy_standing(PolicyStanding standing) { policy_standing_ = std::move(standing); }

  // --- reading; what an open turn has decided is seen, so replies wait for the turn (Books::reply) ---
  PosResult<Payment> retrieve(const std::string& id);
  PosResult<Payment> retrieve_by_reference(const std::string& merchant_reference);
  struct Page {
    std::vector<Payment> data;
    bool has_more{false};
  };
  PosResult<Page> list(std::optional<Status> status, std::size_t limit, const std::string& starting_after);
  PosResult<Page> list_declines(std::optional<bool> acknowledged, std::size_t limit, const std::string& starting_after);
  PosResult<Payment> acknowledge_decline(const std::string& id, const std::string& note);
  PosResult<report::OfflineStatus> offline_status();
  PosResult<Json> sync_report(std::optional<std::uint64_t> id);
  // A person has looked at the damage that store.degraded reported.
  PosResult<void> accept_damage();

  // Takes a new initial key from a TR-31 block, which the present keys authenticate. What was sealed before stays as it
  // is. Ensures: durable and journalled.
  PosResult<hal::VaultMarks> rekey(const std::string& key_block);

  // --- the sealed export ---
  // Of what waits now. Changes nothing; what it says is of this moment.
  PosResult<SealedExport> export_sealed();
  // It has been received whole. Ensures: journalled, and what it covers may be erased.
  PosResult<void> exported(const SealedExport& made);

 private:
  PosResult<Page> page(const hal::ListQuery& query);
  void tell_status();
  void tell_policy_expiry();
  bool time_matters() const;

  Books books_;
  Network network_;
  Managers managers_;
  Checkout checkout_;
  Forwarder forwarder_;
  CertificateWatch certificate_;
  TamperResponse tamper_;
  PolicyStanding policy_standing_;
  std::int64_t tidy_at_ms_{0};
  std::int64_t prune_at_ms_{0};
  std::int64_t keep_time_at_ms_{0};
  bool degraded_told_{false};
  bool expiry_told_{false};  // policy.expiring, once a start and policy
};

}  // namespace nightdrop::terminal
