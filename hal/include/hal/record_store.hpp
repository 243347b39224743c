// Port: the durable queue, its totals and its journal. All writes of a turn of the loop share one transaction (that is
// the group commit); a decision that fails half-way is rolled back to its mark without the others. Nothing a turn
// promised may leave the box before its commit() said Ok. An Error from commit() means unknown until reopen(), and then
// all or nothing. Single-threaded; reads see the turn's own writes.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nightdrop/payment.hpp"
#include "nightdrop/result.hpp"

namespace nightdrop::hal {

// What is at risk, kept with every put() and never scanned for.
struct CurrencyTotals {
  std::int64_t payments{0};  // sum of exposure of sales
  std::int64_t refunds{0};   // sum of exposure of refunds
};
struct Totals {
  std::map<Currency, CurrencyTotals> by_currency;
  std::int64_t count{0};                  // counted payments and refunds
  std::optional<UtcMs> oldest_stored_at;  // of counted ones and of expired ones that nobody has acknowledged
  std::optional<UtcMs> next_deadline;     // of stored ones
};
// Of one fingerprint's sales, since they were last all forwarded; a voided one is taken back, a refund never counts.
struct CardTotals {
  std::int64_t total{0};  // in the asked currency
  std::int64_t count{0};  // in all currencies
};

inline constexpr std::size_t consumers_max = 64;  // whose cursors are kept

struct Reversal {
  std::string payment_id;
  ReversalReason reason{ReversalReason::Timeout};
  UtcMs created_at{0};
  std::uint32_t attempts{0};
  UtcMs not_before{0};
  bool done{false};
};

struct JournalEvent {
  std::uint64_t seq{0};
  std::string type;
  std::string text;  // the exact bytes: {"seq":…,"type":…,"created":…,"data":…}
  std::array<std::uint8_t, 32> hash{};
};
struct Checkpoint {
  std::uint64_t seq{0};
  std::array<std::uint8_t, 32> hash{};
  std::vector<std::uint8_t> signature;  // DER
};

struct ListQuery {
  std::optional<Status> status;
  bool reportable{false};            // only declined, expired and requires_review
  std::optional<bool> acknowledged;  // with reportable
  std::optional<std::uint64_t> sync_id;
  std::optional<UtcMs> created_from, created_to;  // both inclusive
  std::string starting_after;                     // an id, exclusive; empty: from the newest
  std::size_t limit{100};
};

struct SyncRun {
  std::uint64_t id{0};
  UtcMs started_at{0};
  std::optional<UtcMs> ended_at;
  Route route{Route::Wifi};
  std::int64_t forwarded{0}, succeeded{0}, declined{0}, requires_review{0}, expired{0};
  std::map<Currency, std::pair<std::int64_t, std::int64_t>> amounts;  // succeeded, declined
};

struct ApproverState {
  std::uint32_t wrong{0};                // wrong PINs since the last right one
  std::string locked_boot_id;            // empty: not locked
  std::int64_t locked_until_mono_ms{0};  // on the monotonic clock of that boot
};

// Single values that decisions change; written as a whole.
struct DeviceState {
  // The vault's marks of the last turn (hal/key_vault.hpp); zeros: not known.
  std::array<std::uint8_t, 8> initial_key_id{};
  std::uint32_t dukpt_counter{0};
  std::uint64_t vault_generation{0};
  std::uint32_t stan{0};             // last used; 1…999999, wraps
  UtcMs time_high{0};                // the highest engine time seen
  std::string boot_id;               // of that reading
  std::int64_t mono_ms{0};           // monotonic clock at that reading
  std::int64_t untrusted_for_ms{0};  // how long the clock has been untrusted, over boots
  std::uint64_t time_epoch{1};
  std::int64_t policy_version{0};  // highest accepted
  std::int64_t fallbacks_in_spell{0};
  bool clock_trusted{true};
  std::uint64_t turn{0};          // counts commits: tells whether one that seemed to fail has landed after all
  std::uint64_t exported_seq{0};  // of the event payments.exported of the last sealed export; 0: none
  std::array<std::uint8_t, 32> exported{};  // digest of what waited then
  UtcMs tampered_at{0};                     // when the reader was tampered with; 0: never
};

struct StoreHealth {
  bool degraded{false};          // damage was found: no new payments until a person decides
  std::int64_t carried_over{0};  // rows read from the damaged file
  std::int64_t lost{0};          // rows known to have been there that could not be read
  std::string set_aside_path;    // where the damaged file is
  bool was_lost{false};          // the queue started empty though the reader had one: counters must not be reused
};

class RecordStore {
 public:
  virtual ~RecordStore() = default;

  // The turn's transaction. begin() when one is open, and commit() when none is, do nothing.
  [[nodiscard]] virtual Result<void> begin() = 0;
  [[nodiscard]] virtual Result<void> commit() = 0;
  virtual void rollback() = 0;
  virtual bool in_turn() const = 0;
  // One decision inside the turn: mark() before, rollback_to_mark() to undo it alone.
  [[nodiscard]] virtual Result<void> mark() = 0;
  [[nodiscard]] virtual Result<void> rollback_to_mark() = 0;
  // After an Error from commit(): closes and opens again. Then what is there is what was committed.
  [[nodiscard]] virtual Result<void> reopen() = 0;
  virtual StoreHealth health() const = 0;
  // A person has looked at the damage: payments are taken again. Durable with the turn.
  [[nodiscard]] virtual Result<void> accept_damage() = 0;
  // Room for at least one more payment, forwarding's reserve left aside. Cheap.
  virtual bool has_room() const = 0;
  // Between turns: returns the WAL to the file and truncates it when anything sensitive was erased or it has grown.
  [[nodiscard]] virtual Result<void> tidy() = 0;

  [[nodiscard]] virtual Result<std::optional<Payment>> find(std::string_view id) = 0;
  [[nodiscard]] virtual Result<std::optional<Payment>> find_by_reference(std::string_view merchant_reference) = 0;
  // Inserts or replaces; applies the change of exposure/counted to the totals and the card's counters.
  // Errors: Conflict when another payment has the merchant reference; DiskFull; Io.
  [[nodiscard]] virtual Result<void> put(const Payment& payment) = 0;
  // Newest first by created_at. Errors: NotFound when starting_after names nothing.
  [[nodiscard]] virtual Result<std::vector<Payment>> list(const ListQuery& query) = 0;
  // What to forward next: stored, forwarding, processing and declined-with-a-retry rows whose not_before has come, not
  // named in `busy`, a refund only when its original is not waiting here; nearest deadline first. A row with
  // `outcome_unknown` counts too.
  [[nodiscard]] virtual Result<std::vector<Payment>> due(UtcMs now, std::size_t limit,
                                                         const std::vector<std::string>& busy) = 0;
  // Earliest not_before of anything forwardable (rows in `busy` left out); nothing when there is nothing to forward.
  [[nodiscard]] virtual Result<std::optional<UtcMs>> next_due(const std::vector<std::string>& busy) = 0;
  // Stored, never sent or known not to have been, and past their deadline.
  [[nodiscard]] virtual Result<std::vector<Payment>> overdue(UtcMs now, std::size_t limit) = 0;
  // Makes every forwardable row due at once (a path returned); what is `held`, and a decline's own wait, stay.
  [[nodiscard]] virtual Result<void> release_backoff() = 0;
  [[nodiscard]] virtual Result<std::int64_t> count(Status status) = 0;
  [[nodiscard]] virtual Result<Totals> totals() = 0;
  [[nodiscard]] virtual Result<CardTotals> card_totals(std::string_view fingerprint, Currency currency) = 0;
  // Moves stored_at, deadline and not_before of unsent rows of a spell of the clock: it was found to be off by
  // `delta_ms`.
  [[nodiscard]] virtual Result<void> shift_times(std::uint64_t time_epoch, std::int64_t delta_ms) = 0;

  // Sets or updates; done rows go away.
  [[nodiscard]] virtual Result<void> put_reversal(const Reversal& reversal) = 0;
  [[nodiscard]] virtual Result<std::optional<Reversal>> find_reversal(std::string_view payment_id) = 0;
  [[nodiscard]] virtual Result<std::vector<Reversal>> reversals(std::size_t limit) = 0;

  // Appends to the hash chain; `data` is JSON. Gives the event back with seq and exact text.
  [[nodiscard]] virtual Result<JournalEvent> append(std::string_view type, std::string_view created,
                                                    std::string_view data) = 0;
  [[nodiscard]] virtual Result<std::vector<JournalEvent>> events_after(std::uint64_t seq, std::size_t limit) = 0;
  [[nodiscard]] virtual Result<JournalEvent> last_event() = 0;  // seq 0 and a zero hash when empty
  [[nodiscard]] virtual Result<void> add_checkpoint(const Checkpoint& checkpoint) = 0;
  [[nodiscard]] virtual Result<std::vector<Checkpoint>> checkpoints_after(std::uint64_t seq, std::size_t limit) = 0;
  // The last event that was pruned: what is left begins right after it. seq 0 and a zero hash when nothing was.
  [[nodiscard]] virtual Result<Checkpoint> journal_start() { return Checkpoint{}; }
  // A consumer's durable cursor; 0 when it has none. Of more than consumers_max the one furthest behind is forgotten.
  [[nodiscard]] virtual Result<std::uint64_t> cursor(std::string_view consumer) = 0;
  [[nodiscard]] virtual Result<void> set_cursor(std::string_view consumer, std::uint64_t seq) = 0;
  // Drops final, unreported payments and events older than `before`; the chain stays verifiable from the last
  // checkpoint at or before the cut. At most `limit` rows a call. Gives how many went.
  [[nodiscard]] virtual Result<std::size_t> prune(UtcMs before, std::size_t limit) = 0;

  [[nodiscard]] virtual Result<DeviceState> device_state() = 0;
  [[nodiscard]] virtual Result<void> put_device_state(const DeviceState& state) = 0;
  [[nodiscard]] virtual Result<ApproverState> approver_state(std::string_view approver) = 0;
  [[nodiscard]] virtual Result<void> put_approver_state(std::string_view approver, const ApproverState& state) = 0;
  [[nodiscard]] virtual Result<std::uint64_t> put_sync_run(const SyncRun& run) = 0;  // id 0: a new one; gives its id
  [[nodiscard]] virtual Result<std::optional<SyncRun>> sync_run(
      std::optional<std::uint64_t> id) = 0;  // nullopt: the latest
};

}  // namespace nightdrop::hal
