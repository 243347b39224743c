// The station's database: which serial number, initial key ID and certificate went to which reader, and how far each
// attempt came. Method: one SQLCipher file, WAL and synchronous=FULL; each function is one transaction, durable when it
// gives Ok. Invariants: an initial key ID or certificate number is in a committed row before anything that uses it
// leaves, is never in a second row, and is burned by the next attempt however far it came; rows are never deleted.
// May be used from any thread.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "crypto/dukpt.hpp"
#include "keys/outcome.hpp"
#include "nightdrop/payment.hpp"
#include "store/database.hpp"

namespace nightdrop::keys {

enum class UnitState : std::uint8_t { Waiting, Working, Provisioned, Aside };
std::string_view name_of(UnitState state);
std::optional<UnitState> unit_state(std::string_view name);

// What is to be made.
struct Order {
  std::string name;  // the orders file, or "device"
  std::string serial_number;
  std::string merchant;
  std::string connection;
  std::string factory_key;  // SHA-256 of its SubjectPublicKeyInfo, lower-case hex; empty: trusted on first use
};

// A reader as the database knows it. What is in force is empty before it is provisioned.
struct Unit {
  std::int64_t unit{0};
  Order order;
  bool trusted_on_first_use{false};
  UnitState state{UnitState::Waiting};
  std::string reason;
  std::int64_t attempts{0};
  UtcMs ordered_at{0};
  std::optional<UtcMs> finished_at;
  std::optional<std::int64_t> duration_ms;
  std::string initial_key_id;     // 16 hex digits, upper case
  std::string key_check_value;    // of the initial key
  std::string certificate;        // serial number, hex
  std::string certificate_state;  // active or revoked
  UtcMs not_after{0};
  bool erase_ordered{false};        // an order to erase what it has now went out; done or not, the station cannot see
  bool provisioned_in_part{false};  // an attempt came so far that the reader may have taken it into force
};

// What one attempt may give to its reader, and nobody else ever again.
struct Allocation {
  std::int64_t unit{0};
  dukpt::InitialKeyId initial_key_id{};
  std::string certificate;  // serial number, 32 hex digits
};

struct RevokedCertificate {
  std::string serial_number;
  UtcMs at{0};
};

// Where this station's derivation numbers come from; stations that share a BDK need ranges that do not meet.
struct DerivationRange {
  std::uint32_t first{1};
  std::uint32_t last{0x7FFFFFFF};
};

class StationDb {
 public:
  // Opens DIR/station.db, or makes it with `range` where there is none. Errors: Busy (another process has it), Data
  // (the key is another's, or the file is damaged), CannotCreate.
  static Outcome<std::unique_ptr<StationDb>> open(const std::filesystem::path& folder,
                                                  std::span<const std::uint8_t, 32> key, const DerivationRange& range);
  ~StationDb();
  StationDb(const StationDb&) = delete;
  StationDb& operator=(const StationDb&) = delete;

  // Takes an order in, or gives the unit that is there with the order's new connection. Errors: Data (the serial number
  // is another merchant's, or its factory key is known as another).
  Outcome<Unit> take_order(const Order& order, UtcMs now);
  Outcome<std::optional<Unit>> find(std::string_view serial_number);
  Outcome<std::vector<Unit>> units();

  // The factory key a reader showed, where none was expected.
  Outcome<void> trust_factory_key(std::int64_t unit, std::string_view fingerprint, UtcMs now);
  // Begins an attempt: burns what earlier ones had, gives fresh values. A provisioned unit begins again only after an
  // erase order. Errors: Data (provisioned; the range of derivation numbers is at its end).
  Outcome<Allocation> begin_attempt(std::int64_t unit, std::span<const std::uint8_t, 4> bdk_id, UtcMs now);
  // How far it came. sent() comes before the first byte leaves.
  Outcome<void> issued(const Allocation& allocation, std::span<const std::uint8_t> der, UtcMs not_after,
                       std::string_view key_check_value, UtcMs now);
  Outcome<void> sent(const Allocation& allocation, UtcMs now);
  Outcome<void> proven(const Allocation& allocation, UtcMs now);
  Outcome<void> provisioned(const Allocation& allocation, std::int64_t duration_ms, UtcMs now);
  Outcome<void> set_aside(std::int64_t unit, std::string_view reason, UtcMs now);
  // The attempt whose end was not seen: what the reader may have taken into force.
  Outcome<std::optional<Allocation>> unsettled(std::int64_t unit);
  // The DER of a certificate. Errors: Data (there is none).
  Outcome<std::vector<std::uint8_t>> certificate(std::string_view serial_number);

  // Later: a new initial key, an erase order, a revocation.
  Outcome<dukpt::InitialKeyId> allocate_rekey(std::int64_t unit, std::span<const std::uint8_t, 4> bdk_id, UtcMs now);
  Outcome<void> rekey_sent(const dukpt::InitialKeyId& id, std::string_view key_check_value, UtcMs now);
  // The new initial keys that were sent to a unit and that nobody has seen in force, oldest first; 16 hex digits each.
  Outcome<std::vector<std::string>> pending_rekeys(std::int64_t unit);
  // The reader was seen with this initial key: it is the active one from here on.
  Outcome<void> rekey_seen(std::int64_t unit, std::string_view initial_key_id, UtcMs now);
  Outcome<void> erase_ordered(std::int64_t unit, std::string_view nonce, std::string_view certificate,
                              UtcMs valid_until, UtcMs now);
  // Errors: Data (no certificate in force; Ok when it is revoked already).
  Outcome<void> revoke(std::int64_t unit, std::string_view reason, UtcMs now);
  // Everything that belongs on a revocation list at `now`, and the list's number, which is higher each time.
  struct RevocationList {
    std::int64_t number{0};
    std::vector<RevokedCertificate> revoked;
  };
  Outcome<RevocationList> next_revocation_list(UtcMs now);

  // Figures for the report.
  struct Counts {
    std::int64_t units{0}, provisioned{0}, first_pass{0}, aside{0}, waiting{0};
    std::int64_t keys_burned{0}, certificates_void{0}, certificates_revoked{0}, trusted_on_first_use{0};
    std::int64_t mean_ms{0};
  };
  Outcome<Counts> counts();

  // The number the next allocation gets; and raises it: a copy of the database that is older than the HSM knows must
  // not give numbers out again.
  Outcome<std::uint32_t> next_derivation();
  Outcome<void> skip_derivations_to(std::uint32_t next, UtcMs now);

 private:
  StationDb(int lock, std::filesystem::path file) : lock_(lock), file_(std::move(file)) {}
  template <class Steps>
  auto transaction(Steps&& steps) -> Outcome<typename std::invoke_result_t<Steps>::value_type>;
  std::unexpected<Refusal> refused(const Error& error) const;
  Result<void> migrate(const DerivationRange& range);
  Result<void> event(UtcMs at, std::int64_t unit, const char* what, std::string_view detail);
  Result<std::optional<dukpt::InitialKeyId>> next_initial_key_id(std::int64_t unit,
                                                                 std::span<const std::uint8_t, 4> bdk_id,
                                                                 std::string_view purpose, UtcMs now);
  Result<std::string> new_certificate_number(std::int64_t unit);
  Result<void> burn_earlier(std::int64_t unit, UtcMs now);
  Result<void> move_on(const Allocation& allocation, std::string_view state, UtcMs now);
  Result<std::vector<Unit>> select_units(std::string_view serial_number);

  static constexpr int wal_frames_max = 4096;  // written back above that, so that the WAL does not grow without end
  int lock_{-1};
  std::filesystem::path file_;
  std::mutex mutex_;
  store::Database db_;
};

// An initial key ID as text: 16 upper-case hex digits; and back.
std::string initial_key_id_text(const dukpt::InitialKeyId& id);
Result<dukpt::InitialKeyId> parse_initial_key_id(std::string_view text);

}  // namespace nightdrop::keys
