// The durable queue on SQLCipher: payments, totals, card counters and journal in one encrypted file, one transaction a
// turn. Method: every question is an index lookup; what changes with each turn (totals, counters of the device, heads
// of the journal) is one small row, kept in memory and written once a commit, so that a stored payment costs few pages.
// Invariants: totals equal a recount of the rows; the file is held by one process; damage is set aside, never dropped.
// Format and files: docs/store_format.md.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>

#include "hal/record_store.hpp"
#include "store/head.hpp"

namespace nightdrop {

namespace store {
class Database;
class Files;
class Query;
struct Salvage;
}  // namespace store

class SqlCipherStore final : public hal::RecordStore {
 public:
  // Faults that a test or the simulator switches on; each is asked at the moment it would strike.
  struct Faults {
    std::function<bool()> disk_full;     // has_room() says no and no new payment is taken in
    std::function<bool()> disk_error;    // every write fails with Io
    std::function<bool()> commit_error;  // commit() fails with Io; the turn is gone
  };
  using KeyUse = std::function<Result<void>(std::span<const std::uint8_t, 32>)>;
  struct Options {
    std::filesystem::path dir;  // made with mode 0700 when it is not there
    std::function<Result<void>(const KeyUse&)> with_key;
    // SHA-256 of prev || bytes; `prev` may be empty.
    std::function<std::array<std::uint8_t, 32>(std::span<const std::uint8_t> prev, std::span<const std::uint8_t> bytes)>
        sha256;
    const char* vfs{nullptr};              // SQLite VFS by name; nullptr: the system's
    std::uint64_t reserve_bytes{4 << 20};  // preallocated for forwarding's own updates on a full disk
    std::uint64_t room_bytes{1 << 20};     // a new payment needs this much free beside the reserve
    std::uint64_t wal_bytes_max{1 << 20};  // tidy() returns the WAL to the file above this
    Faults faults;
    bool synchronous_normal_for_canary{false};  // test only: a power cut then loses payments, and a test must see it
    int schema_for_test{0};                     // test only: stop at this schema number; 0: the latest
  };

  // Opens the queue, makes it when there is none, upgrades an older one, and carries a damaged one over into a new
  // file. Requires: with_key and sha256. Ensures: on an error nothing that was there has been changed. Errors: Busy
  // (another process has it), WrongKey, NewerSchema, ReadOnly, DiskFull, Io. Damage is no error: see health().
  [[nodiscard]] static Result<std::unique_ptr<SqlCipherStore>> open(Options options);
  ~SqlCipherStore() override;
  SqlCipherStore(const SqlCipherStore&) = delete;
  SqlCipherStore& operator=(const SqlCipherStore&) = delete;

  Result<void> begin() override;
  Result<void> commit() override;
  void rollback() override;
  bool in_turn() const override { return in_turn_; }
  Result<void> mark() override;
  Result<void> rollback_to_mark() override;
  Result<void> reopen() override;
  hal::StoreHealth health() const override { return head_.health; }
  Result<void> accept_damage() override;
  bool has_room() const override;
  Result<void> tidy() override;

  Result<std::optional<Payment>> find(std::string_view id) override;
  Result<std::optional<Payment>> find_by_reference(std::string_view merchant_reference) override;
  Result<void> put(const Payment& payment) override;
  Result<std::vector<Payment>> list(const hal::ListQuery& query) override;
  Result<std::vector<Payment>> due(UtcMs now, std::size_t limit, const std::vector<std::string>& busy) override;
  Result<std::optional<UtcMs>> next_due(const std::vector<std::string>& busy) override;
  Result<std::vector<Payment>> overdue(UtcMs now, std::size_t limit) override;
  Result<void> release_backoff() override;
  Result<std::int64_t> count(Status status) override;
  Result<hal::Totals> totals() override;
  Result<hal::CardTotals> card_totals(std::string_view fingerprint, Currency currency) override;
  Result<void> shift_times(std::uint64_t time_epoch, std::int64_t delta_ms) override;

  Result<void> put_reversal(const hal::Reversal& reversal) override;
  Result<std::optional<hal::Reversal>> find_reversal(std::string_view payment_id) override;
  Result<std::vector<hal::Reversal>> reversals(std::size_t limit) override;

  Result<hal::JournalEvent> append(std::string_view type, std::string_view created, std::string_view data) override;
  Result<std::vector<hal::JournalEvent>> events_after(std::uint64_t seq, std::size_t limit) override;
  Result<hal::JournalEvent> last_event() override;
  Result<void> add_checkpoint(const hal::Checkpoint& checkpoint) override;
  Result<std::vector<hal::Checkpoint>> checkpoints_after(std::uint64_t seq, std::size_t limit) override;
  Result<hal::Checkpoint> journal_start() override;
  Result<std::uint64_t> cursor(std::string_view consumer) override;
  Result<void> set_cursor(std::string_view consumer, std::uint64_t seq) override;
  Result<std::size_t> prune(UtcMs before, std::size_t limit) override;

  Result<hal::DeviceState> device_state() override;
  Result<void> put_device_state(const hal::DeviceState& state) override;
  Result<hal::ApproverState> approver_state(std::string_view approver) override;
  Result<void> put_approver_state(std::string_view approver, const hal::ApproverState& state) override;
  Result<std::uint64_t> put_sync_run(const hal::SyncRun& run) override;
  Result<std::optional<hal::SyncRun>> sync_run(std::optional<std::uint64_t> id) override;

  // Pages written by the last commit: what a commit costs.
  int last_commit_frames() const { return last_commit_frames_; }
  // Counts everything anew from the rows and compares with what is kept. Slow; for tests and the audit command.
  // Errors: Corrupt, with the text of the first thing that differs.
  [[nodiscard]] Result<void> verify();

 private:
  struct Row;
  explicit SqlCipherStore(Options options);

  // open.cpp
  Result<void> open_files();
  Result<void> open_or_recover();
  Result<void> open_database();
  Result<void> create_fresh(bool was_lost);
  Result<void> connect(store::Database& database, const std::filesystem::path& path);
  Result<void> migrate(store::Database& database);
  static Result<void> refuse_newer(store::Database& database);
  Result<void> load_head();
  Result<void> finish_fresh();
  void close_database();

  // turn.cpp
  Result<void> write_head();
  Result<void> change();  // before every write: a turn is open and no fault strikes
  Result<void> ready();   // before every read: damage seen outside of a turn is dealt with first
  Result<void> own_turn(const std::function<Result<void>()>& work);
  void keep_reserve();
  Result<void> write_back();

  // payments.cpp, derive.cpp
  Result<std::optional<Row>> row_by_id(std::string_view id, std::int64_t* free_n);
  Result<std::optional<Row>> row_by_n(std::int64_t n);
  static Result<Row> read_row(store::Query& query);
  Result<Payment> whole(Row row);
  Result<void> write_row(const Row* old, const Row& row);
  Result<void> place(Row& row, bool blocked);
  Result<bool> is_blocked(const Payment& payment);
  Result<void> unblock(const Payment& original);
  void add_to_head(const Row& row, int sign);
  Result<void> update_card(const Payment* old, const Payment& now);
  Result<void> forget_card(const std::string& fingerprint);
  Result<void> change_card(const Payment& payment, std::int64_t total, std::int64_t count, std::int64_t open);

  // envelopes.cpp
  Result<std::int64_t> store_envelope(const Envelope& envelope);
  Result<std::optional<Envelope>> load_envelope(std::int64_t slot);
  using SlotReader = std::function<Result<std::vector<std::uint8_t>>(std::int64_t slot)>;
  static Result<std::optional<Envelope>> join_envelope(std::int64_t slot, const SlotReader& read);
  Result<void> erase_envelope(std::int64_t slot);
  Result<void> keep_envelope(const Row* old, const Payment& payment, Row& row);

  // queue.cpp
  Result<hal::Totals> read_totals();
  Result<void> promote(UtcMs now);
  struct Ordered {
    std::int64_t key{0};
    std::int64_t n{0};
  };
  Result<std::vector<Ordered>> lane_rows(const std::vector<int>& lanes, std::int64_t until, std::size_t limit);
  Result<std::vector<std::int64_t>> busy_rows(const std::vector<std::string>& busy);

  // journal.cpp, state.cpp
  Result<std::size_t> prune_payments(UtcMs before, std::size_t limit);
  Result<std::size_t> prune_journal(UtcMs before, std::size_t limit);
  Result<std::optional<std::vector<std::uint8_t>>> small(std::string_view key);
  Result<void> make_room_for_cursor();
  Result<void> put_small(std::string_view key, std::span<const std::uint8_t> value);

  // damage.cpp, salvage.cpp
  Result<void> salvage(bool wal_damaged);
  Result<void> copy_damaged();
  Result<void> open_damaged(store::Salvage& found, bool wal_damaged);
  Result<void> sweepable(store::Salvage& found);
  Result<void> salvage_rows(store::Salvage& found);
  Result<void> salvage_small(store::Salvage& found);
  Result<void> salvage_payments(store::Salvage& found);
  Result<void> carry_payment(Row row, store::Salvage& found);
  Result<void> salvage_journal(store::Salvage& found);
  Result<bool> carry_event(const store::Query& event, store::Salvage& found);
  Result<void> bridge_journal(const store::Salvage& found);
  Result<void> clear_open_cards();
  Result<void> recount_card(const Payment& payment, const std::set<std::string, std::less<>>& carried);
  Result<void> forget_idle_cards();

  // verify.cpp
  Result<void> verify_payments();
  Result<void> verify_journal();

  Options options_;
  std::unique_ptr<store::Files> files_;
  std::unique_ptr<store::Database> db_;
  store::Head head_, head_at_begin_, head_at_mark_;
  bool key_known_{false};  // the key check beside the file says that the key is right
  bool in_turn_{false};
  bool marked_{false};
  bool broken_{false};  // SQLite gave the turn up: nothing but rollback() helps
  bool head_dirty_{false};
  bool head_dirty_at_mark_{false};
  bool erased_{false};  // an envelope went in this turn
  bool sensitive_wal_{false};
  bool unknown_{false};  // the last commit failed: what is on the disk shows when it is opened again
  std::optional<std::uint64_t> wal_salts_;
  int last_commit_frames_{0};
};

}  // namespace nightdrop
