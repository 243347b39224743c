// Opening the station's database, orders and what is read from it. What an attempt writes is in station_attempts.cpp.
#include "keys/line/station_db.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "keys/line/station_transaction.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::keys {
namespace {

constexpr auto migrations = std::to_array<const char*>({
#include "station_migrations.inc"
});

constexpr std::array unit_states{std::pair{UnitState::Waiting, std::string_view("waiting")},
                                 std::pair{UnitState::Working, std::string_view("working")},
                                 std::pair{UnitState::Provisioned, std::string_view("provisioned")},
                                 std::pair{UnitState::Aside, std::string_view("aside")}};

}  // namespace

std::string_view name_of(UnitState state) {
  for (const auto& [each, name] : unit_states) {
    if (each == state) return name;
  }
  return "";
}

std::optional<UnitState> unit_state(std::string_view name) {
  for (const auto& [state, each] : unit_states) {
    if (each == name) return state;
  }
  return std::nullopt;
}

std::string initial_key_id_text(const dukpt::InitialKeyId& id) {
  return hex_upper(id);
}

Result<dukpt::InitialKeyId> parse_initial_key_id(std::string_view text) {
  const auto bytes = from_hex(text);
  dukpt::InitialKeyId id{};
  if (!bytes || bytes->size() != id.size()) return failure(Errc::Malformed, "an initial key ID has 16 hex digits");
  std::copy(bytes->begin(), bytes->end(), id.begin());
  return id;
}

Outcome<std::unique_ptr<StationDb>> StationDb::open(const std::filesystem::path& folder,
                                                    std::span<const std::uint8_t, 32> key,
                                                    const DerivationRange& range) {
  const std::filesystem::path lock_file = folder / "station.lock";
  const int lock = ::open(lock_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock < 0) return refuse(Exit::CannotCreate, lock_file.string() + ": " + std::strerror(errno));
  std::unique_ptr<StationDb> self(new StationDb(lock, folder / "station.db"));
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    return refuse(Exit::Busy, folder.string() + ": another process works with this station");
  }
  // SQLite would make it readable by others, and gives its WAL the mode of the file.
  const int file = ::open(self->file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return refuse(Exit::CannotCreate, self->file_.string() + ": " + std::strerror(errno));
  close(file);
  if (const auto opened = self->db_.open(self->file_, key, {}); !opened) {
    if (opened.error().code == Errc::WrongKey || opened.error().code == Errc::Corrupt) {
      return refuse(Exit::Data, self->file_.string() + ": is damaged, or sealed under another key");
    }
    return self->refused(opened.error());
  }
  if (const auto migrated = self->migrate(range); !migrated) return self->refused(migrated.error());
  return self;
}

StationDb::~StationDb() {
  if (db_.is_open()) {
    [[maybe_unused]] const auto written_back = db_.checkpoint();  // else the next open() finds the WAL
    db_.close();
  }
  if (lock_ >= 0) close(lock_);
}

std::unexpected<Refusal> StationDb::refused(const Error& error) const {
  const Exit exit = error.code == Errc::Io || error.code == Errc::DiskFull || error.code == Errc::ReadOnly
                        ? Exit::CannotCreate
                        : Exit::Software;
  return refuse(exit, file_.string() + ": " + error.text);
}

// Each migration is one transaction with its number: a fault leaves the schema before it or the one after it.
Result<void> StationDb::migrate(const DerivationRange& range) {
  ND_TRY(db_.execute("PRAGMA journal_mode=WAL; PRAGMA foreign_keys=ON"));
  ND_LET(const std::int64_t present, db_.number("PRAGMA user_version"));
  if (present > static_cast<std::int64_t>(migrations.size())) {
    return failure(Errc::NewerSchema, "a later version of this tool wrote the station's database");
  }
  for (std::size_t number = static_cast<std::size_t>(present); number < migrations.size(); ++number) {
    const std::string step = "PRAGMA user_version = " + std::to_string(number + 1);
    const auto steps = [&]() -> Result<void> {
      ND_TRY(db_.execute("BEGIN IMMEDIATE"));
      ND_TRY(db_.execute(migrations[number]));
      if (number == 0) {
        ND_LET(auto row, db_.once("INSERT INTO station VALUES (1, ?, ?, 0)"));
        row.bind(std::int64_t{range.first}).bind(std::int64_t{range.last});
        ND_TRY(row.run());
      }
      ND_TRY(db_.execute(step.c_str()));
      return db_.execute("COMMIT");
    };
    if (auto done = steps(); !done) {
      if (!db_.autocommit()) [[maybe_unused]]
        const auto undone = db_.execute("ROLLBACK");
      return done;
    }
  }
  return {};
}

Result<void> StationDb::event(UtcMs at, std::int64_t unit, const char* what, std::string_view detail) {
  ND_LET(auto row, db_.query("INSERT INTO events (at, unit, what, detail) VALUES (?, ?, ?, ?)"));
  row.bind(at);
  unit == 0 ? row.bind_null() : row.bind(unit);
  return row.bind(std::string_view(what)).bind_text_or_null(detail).run();
}

Outcome<Unit> StationDb::take_order(const Order& order, UtcMs now) {
  auto taken = transaction([&]() -> Result<std::optional<Unit>> {
    ND_LET(auto known, select_units(order.serial_number));
    if (known.empty()) {
      ND_LET(auto row,
             db_.query("INSERT INTO units (order_name, serial_number, merchant, connection, factory_key, state, "
                       "ordered_at) VALUES (?, ?, ?, ?, ?, 'waiting', ?)"));
      row.bind(order.name).bind(order.serial_number).bind(order.merchant).bind(order.connection);
      ND_TRY(row.bind_text_or_null(order.factory_key).bind(now).run());
    } else {
      const Unit& unit = known.front();
      const bool other_key =
          !order.factory_key.empty() && !unit.order.factory_key.empty() && order.factory_key != unit.order.factory_key;
      if (unit.order.merchant != order.merchant || other_key) return std::optional<Unit>();
      ND_LET(auto row,
             db_.query("UPDATE units SET connection = ?, factory_key = coalesce(factory_key, ?) WHERE unit = ?"));
      ND_TRY(row.bind(order.connection).bind_text_or_null(order.factory_key).bind(unit.unit).run());
    }
    ND_LET(auto now_known, select_units(order.serial_number));
    return std::optional<Unit>(std::move(now_known.front()));
  });
  if (!taken) return std::unexpected(taken.error());
  if (!*taken) {
    return refuse(Exit::Data,
                  order.serial_number + ": this serial number is another merchant's, or has another factory key");
  }
  return std::move(**taken);
}

Result<std::vector<Unit>> StationDb::select_units(std::string_view serial_number) {
  ND_LET(
      auto rows,
      db_.query("SELECT u.unit, order_name, u.serial_number, merchant, connection, factory_key, "
                "trusted_on_first_use, u.state, "
                "       u.reason, attempts, ordered_at, finished_at, duration_ms, k.ikid, "
                "k.key_check_value, c.serial_number, "
                "       c.state, c.not_after, EXISTS (SELECT 1 FROM initial_keys p WHERE p.unit = u.unit "
                "AND p.state = 'proven'), "
                "       EXISTS (SELECT 1 FROM erase_orders e WHERE e.unit = u.unit AND e.certificate = u.certificate) "
                "FROM units u LEFT JOIN initial_keys k ON k.unit = u.unit AND k.state = 'active' "
                "LEFT JOIN certificates c ON c.serial_number = u.certificate "
                "WHERE ?1 = '' OR u.serial_number = ?1 ORDER BY u.unit"));
  rows.bind(serial_number);
  std::vector<Unit> units;
  for (;;) {
    ND_LET(const bool more, rows.step());
    if (!more) return units;
    Unit unit;
    unit.unit = rows.integer(0);
    unit.order = {std::string(rows.text(1)), std::string(rows.text(2)), std::string(rows.text(3)),
                  std::string(rows.text(4)), std::string(rows.text(5))};
    unit.trusted_on_first_use = rows.integer(6) != 0;
    unit.state = unit_state(rows.text(7)).value_or(UnitState::Aside);
    unit.reason = rows.text(8);
    unit.attempts = rows.integer(9);
    unit.ordered_at = rows.integer(10);
    unit.finished_at = rows.optional_integer(11);
    unit.duration_ms = rows.optional_integer(12);
    unit.initial_key_id = rows.text(13);
    unit.key_check_value = rows.text(14);
    unit.certificate = rows.text(15);
    unit.certificate_state = rows.text(16);
    unit.not_after = rows.integer(17);
    unit.provisioned_in_part = rows.integer(18) != 0;
    unit.erase_ordered = rows.integer(19) != 0;
    units.push_back(std::move(unit));
  }
}

Outcome<std::optional<Unit>> StationDb::find(std::string_view serial_number) {
  return transaction([&]() -> Result<std::optional<Unit>> {
    ND_LET(auto found, select_units(serial_number));
    if (found.empty()) return std::optional<Unit>();
    return std::optional<Unit>(std::move(found.front()));
  });
}

Outcome<std::vector<Unit>> StationDb::units() {
  return transaction([&] { return select_units(""); });
}

Outcome<std::vector<std::uint8_t>> StationDb::certificate(std::string_view serial_number) {
  auto der = transaction([&]() -> Result<std::vector<std::uint8_t>> {
    ND_LET(auto row, db_.query("SELECT der FROM certificates WHERE serial_number = ? AND der IS NOT NULL"));
    row.bind(serial_number);
    ND_LET(const bool found, row.step());
    if (!found) return std::vector<std::uint8_t>();
    const auto bytes = row.blob(0);
    return std::vector<std::uint8_t>(bytes.begin(), bytes.end());
  });
  if (der && der->empty()) return refuse(Exit::Data, "the station's database has no such certificate");
  return der;
}

Outcome<StationDb::Counts> StationDb::counts() {
  return transaction([&]() -> Result<Counts> {
    ND_LET(
        auto row,
        db_.query(
            "SELECT count(*), coalesce(sum(state = 'provisioned'), 0), "
            "       coalesce(sum(state = 'provisioned' AND attempts = 1), 0), coalesce(sum(state = 'aside'), 0), "
            "       coalesce(sum(state IN ('waiting', 'working')), 0), "
            "       (SELECT count(*) FROM initial_keys WHERE state = 'burned'), "
            "       (SELECT count(*) FROM certificates WHERE state = 'void'), "
            "       (SELECT count(*) FROM certificates WHERE state = 'revoked'), "
            "       coalesce(sum(trusted_on_first_use), 0), "
            "       CAST(coalesce(avg(duration_ms) FILTER (WHERE state = 'provisioned'), 0) AS INTEGER) FROM units"));
    ND_TRY(row.step());
    return Counts{row.integer(0), row.integer(1), row.integer(2), row.integer(3), row.integer(4),
                  row.integer(5), row.integer(6), row.integer(7), row.integer(8), row.integer(9)};
  });
}

Outcome<std::uint32_t> StationDb::next_derivation() {
  return transaction([&]() -> Result<std::uint32_t> {
    ND_LET(const std::int64_t next, db_.number("SELECT next_derivation FROM station"));
    return static_cast<std::uint32_t>(next);
  });
}

Outcome<void> StationDb::skip_derivations_to(std::uint32_t next, UtcMs now) {
  return transaction([&]() -> Result<void> {
    ND_LET(auto row, db_.query("UPDATE station SET next_derivation = max(next_derivation, ?)"));
    ND_TRY(row.bind(std::int64_t{next}).run());
    return event(now, 0, "derivation_numbers_skipped", std::to_string(next));
  });
}

}  // namespace nightdrop::keys
