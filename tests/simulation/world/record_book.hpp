// What is on the disk, as far as anybody outside of the store can know: every committed row and open reversal, kept
// over crashes and compared with the store after each. CheckedStore stands between the terminal and the real store,
// follows its transaction, and holds every write to the rules: statuses move only along the table, card data ends with
// the answer, caps hold in what is committed, reversals go first, deadlines are kept in true time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/offline_rules.hpp"
#include "hal/record_store.hpp"
#include "nightdrop/policy.hpp"
#include "simulation/world/chance.hpp"

namespace nightdrop::simulation {

struct RecordBook {
  struct Change {
    std::optional<Payment> payment;
    std::optional<hal::Reversal> reversal;
  };
  std::map<std::string, Payment, std::less<>> rows;
  std::map<std::string, hal::Reversal, std::less<>> reversals;  // open ones
  std::vector<Change> turn;                                     // written, not committed
  bool doubtful{false};                                         // the turn's commit was begun and gave no answer
  struct Storing {
    std::int64_t at{0};   // in true time
    std::int64_t lag{0};  // engine time was behind by that much, and not trusted
    int boot{0};
  };
  std::map<std::string, Storing> stored;
  std::set<std::string> released;  // expired, and sent by a person: no cap is asked again

  void apply_turn();
  const Payment* row(const std::string& id) const;
  // The newest state, the open turn's writes included.
  const Payment* newest(const std::string& id) const;
  // Whether what is committed can have come out of `before`.
  static bool can_become(Status before, Status after);
};

class CheckedStore final : public hal::RecordStore {
 public:
  struct Surroundings {
    std::function<void()> may_crash;  // throws PowerCut when its moment has come
    std::function<bool()> power_gone;
    std::function<std::int64_t()> true_ms;
    std::function<int()> boot;
    std::function<engine::ClockState()> clock;  // the engine's
    std::function<void()> turn_lost;
    std::function<bool(const std::string&)> payment_in_flight;
    std::function<bool(const std::string&)> reversal_in_flight;
  };
  CheckedStore(RecordBook& book, hal::RecordStore& store, const Policy& policy, Surroundings surroundings)
      : book_(book), store_(store), policy_(policy), around_(std::move(surroundings)) {}

  // The store holds exactly what was committed; a doubtful turn is there as a whole or not at all.
  void compare();

  Result<void> begin() override;
  Result<void> commit() override;
  void rollback() override;
  bool in_turn() const override { return store_.in_turn(); }
  Result<void> mark() override;
  Result<void> rollback_to_mark() override;
  Result<void> reopen() override;
  hal::StoreHealth health() const override { return store_.health(); }
  Result<void> accept_damage() override { return alive(store_.accept_damage()); }
  bool has_room() const override { return store_.has_room(); }
  Result<void> tidy() override { return stepped(store_.tidy()); }
  Result<std::optional<Payment>> find(std::string_view id) override { return alive(store_.find(id)); }
  Result<std::optional<Payment>> find_by_reference(std::string_view reference) override {
    return alive(store_.find_by_reference(reference));
  }
  Result<void> put(const Payment& payment) override;
  Result<std::vector<Payment>> list(const hal::ListQuery& query) override { return alive(store_.list(query)); }
  Result<std::vector<Payment>> due(UtcMs now, std::size_t limit, const std::vector<std::string>& busy) override {
    return alive(store_.due(now, limit, busy));
  }
  Result<std::optional<UtcMs>> next_due(const std::vector<std::string>& busy) override {
    return alive(store_.next_due(busy));
  }
  Result<std::vector<Payment>> overdue(UtcMs now, std::size_t limit) override {
    return alive(store_.overdue(now, limit));
  }
  Result<void> release_backoff() override { return stepped(store_.release_backoff()); }
  Result<std::int64_t> count(Status status) override { return alive(store_.count(status)); }
  Result<hal::Totals> totals() override { return alive(store_.totals()); }
  Result<hal::CardTotals> card_totals(std::string_view fingerprint, Currency currency) override {
    return alive(store_.card_totals(fingerprint, currency));
  }
  Result<void> shift_times(std::uint64_t time_epoch, std::int64_t delta_ms) override {
    return stepped(store_.shift_times(time_epoch, delta_ms));
  }
  Result<void> put_reversal(const hal::Reversal& reversal) override;
  Result<std::optional<hal::Reversal>> find_reversal(std::string_view id) override {
    return alive(store_.find_reversal(id));
  }
  Result<std::vector<hal::Reversal>> reversals(std::size_t limit) override { return alive(store_.reversals(limit)); }
  Result<hal::JournalEvent> append(std::string_view type, std::string_view created, std::string_view data) override {
    return stepped(store_.append(type, created, data));
  }
  Result<std::vector<hal::JournalEvent>> events_after(std::uint64_t seq, std::size_t limit) override {
    return alive(store_.events_after(seq, limit));
  }
  Result<hal::JournalEvent> last_event() override { return alive(store_.last_event()); }
  Result<void> add_checkpoint(const hal::Checkpoint& checkpoint) override {
    return alive(store_.add_checkpoint(checkpoint));
  }
  Result<std::vector<hal::Checkpoint>> checkpoints_after(std::uint64_t seq, std::size_t limit) override {
    return alive(store_.checkpoints_after(seq, limit));
  }
  Result<hal::Checkpoint> journal_start() override { return alive(store_.journal_start()); }
  Result<std::uint64_t> cursor(std::string_view consumer) override { return alive(store_.cursor(consumer)); }
  Result<void> set_cursor(std::string_view consumer, std::uint64_t seq) override {
    return alive(store_.set_cursor(consumer, seq));
  }
  Result<std::size_t> prune(UtcMs before, std::size_t limit) override { return alive(store_.prune(before, limit)); }
  Result<hal::DeviceState> device_state() override { return alive(store_.device_state()); }
  Result<void> put_device_state(const hal::DeviceState& state) override {
    return stepped(store_.put_device_state(state));
  }
  Result<hal::ApproverState> approver_state(std::string_view approver) override {
    return alive(store_.approver_state(approver));
  }
  Result<void> put_approver_state(std::string_view approver, const hal::ApproverState& state) override {
    return stepped(store_.put_approver_state(approver, state));
  }
  Result<std::uint64_t> put_sync_run(const hal::SyncRun& run) override { return stepped(store_.put_sync_run(run)); }
  Result<std::optional<hal::SyncRun>> sync_run(std::optional<std::uint64_t> id) override {
    return alive(store_.sync_run(id));
  }

 private:
  // A process without power sees no answer any more.
  template <class T>
  T alive(T result) {
    if (around_.power_gone()) throw PowerCut{};
    return result;
  }
  template <class T>
  T stepped(T result) {
    if (around_.power_gone()) throw PowerCut{};
    around_.may_crash();
    return result;
  }
  void check_write(const Payment* before, const Payment& after);
  void check_times(const Payment* before, const Payment& after);
  void check_caps(const RecordBook& book) const;
  void check_reversals_first() const;
  std::string difference(const RecordBook& book);

  RecordBook& book_;
  hal::RecordStore& store_;
  const Policy& policy_;
  Surroundings around_;
  std::size_t mark_{0};
};

}  // namespace nightdrop::simulation
