// What an attempt to provision a unit writes, and what comes after: rekeying, erase orders, revocation. Each function
// is one transaction; see station_db.hpp for what may never happen.
#include <algorithm>

#include "crypto/primitives.hpp"
#include "keys/line/station_db.hpp"
#include "keys/line/station_transaction.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::keys {
namespace {

constexpr const char* range_at_its_end =
    "the station's range of derivation numbers is at its end; another BDK or another range is needed";

}  // namespace

// The number goes up in the same transaction that gives it away, and ikid is a primary key besides.
Result<std::optional<dukpt::InitialKeyId>> StationDb::next_initial_key_id(std::int64_t unit,
                                                                          std::span<const std::uint8_t, 4> bdk_id,
                                                                          std::string_view purpose, UtcMs now) {
  ND_LET(auto next, db_.query("UPDATE station SET next_derivation = next_derivation + 1 WHERE next_derivation <= "
                              "last_derivation RETURNING next_derivation - 1"));
  ND_LET(const bool there_is_one, next.step());
  if (!there_is_one) return std::optional<dukpt::InitialKeyId>();
  const auto number = static_cast<std::uint32_t>(next.integer(0));
  ND_TRY(next.run());
  dukpt::InitialKeyId id{};
  std::copy(bdk_id.begin(), bdk_id.end(), id.begin());
  for (std::size_t i = 0; i < 4; ++i) id[4 + i] = static_cast<std::uint8_t>(number >> (24 - 8 * i));
  ND_LET(auto row,
         db_.query("INSERT INTO initial_keys (ikid, unit, purpose, state, at) VALUES (?, ?, ?, 'allocated', ?)"));
  const std::string text = initial_key_id_text(id);
  ND_TRY(row.bind(text).bind(unit).bind(purpose).bind(now).run());
  return id;
}

// 126 random bits, the first digit 4 to 7: no leading zero and no sign, so that every form of it is the same text.
Result<std::string> StationDb::new_certificate_number(std::int64_t unit) {
  for (;;) {
    std::array<std::uint8_t, 16> bytes{};
    ND_TRY(random_bytes(bytes));
    bytes[0] = static_cast<std::uint8_t>((bytes[0] & 0x3F) | 0x40);
    const std::string number = hex_lower(bytes);
    ND_LET(auto row, db_.query("INSERT INTO certificates (serial_number, unit, state) VALUES (?, ?, 'allocated') "
                               "ON CONFLICT DO NOTHING RETURNING 1"));
    row.bind(number).bind(unit);
    ND_LET(const bool is_new, row.step());
    if (!is_new) continue;
    ND_TRY(row.run());
    return number;
  }
}

Result<void> StationDb::burn_earlier(std::int64_t unit, UtcMs now) {
  ND_LET(auto keys, db_.query("UPDATE initial_keys SET state = 'burned', at = ? WHERE unit = ? AND state <> 'burned'"));
  ND_TRY(keys.bind(now).bind(unit).run());
  ND_LET(auto unused,
         db_.query("UPDATE certificates SET state = 'unused' WHERE unit = ? AND state IN ('allocated', 'issued')"));
  ND_TRY(unused.bind(unit).run());
  ND_LET(auto left,
         db_.query("UPDATE certificates SET state = 'void', revoked_at = ?, reason = 'never in force' WHERE unit = ? "
                   "AND state IN ('sent', 'proven')"));
  ND_TRY(left.bind(now).bind(unit).run());
  ND_LET(auto active,
         db_.query("UPDATE certificates SET state = 'revoked', revoked_at = ?, reason = 'erased' WHERE unit = ? "
                   "AND state = 'active'"));
  return active.bind(now).bind(unit).run();
}

Outcome<Allocation> StationDb::begin_attempt(std::int64_t unit, std::span<const std::uint8_t, 4> bdk_id, UtcMs now) {
  const char* refusal = nullptr;
  auto allocation = transaction([&]() -> Result<Allocation> {
    ND_LET(auto may,
           db_.query("SELECT state <> 'provisioned' OR EXISTS (SELECT 1 FROM erase_orders e WHERE e.unit = u.unit "
                     "AND e.certificate = u.certificate) FROM units u WHERE unit = ?"));
    may.bind(unit);
    ND_LET(const bool known, may.step());
    if (!known || may.integer(0) == 0) {
      refusal = "is provisioned in the station's database; an erase order comes before a second provisioning";
      return Allocation{};
    }
    ND_TRY(may.run());
    ND_TRY(burn_earlier(unit, now));
    Allocation fresh{unit, {}, {}};
    ND_LET(const auto id, next_initial_key_id(unit, bdk_id, "provisioning", now));
    if (!id) {
      refusal = range_at_its_end;
      return Allocation{};
    }
    fresh.initial_key_id = *id;
    ND_LET(fresh.certificate, new_certificate_number(unit));
    ND_LET(auto row,
           db_.query("UPDATE units SET state = 'working', reason = NULL, attempts = attempts + 1 WHERE unit = ?"));
    ND_TRY(row.bind(unit).run());
    ND_TRY(event(now, unit, "attempt", initial_key_id_text(*id)));
    return fresh;
  });
  if (allocation && refusal != nullptr) return refuse(Exit::Data, refusal);
  return allocation;
}

Outcome<void> StationDb::issued(const Allocation& allocation, std::span<const std::uint8_t> der, UtcMs not_after,
                                std::string_view key_check_value, UtcMs now) {
  return transaction([&]() -> Result<void> {
    ND_LET(auto certificate,
           db_.query("UPDATE certificates SET state = 'issued', der = ?, not_after = ? WHERE serial_number = ? "
                     "AND state = 'allocated'"));
    ND_TRY(certificate.bind(der).bind(not_after).bind(allocation.certificate).run());
    ND_LET(auto key,
           db_.query("UPDATE initial_keys SET key_check_value = ?, at = ? WHERE ikid = ? AND state = 'allocated'"));
    return key.bind(key_check_value).bind(now).bind(initial_key_id_text(allocation.initial_key_id)).run();
  });
}

Result<void> StationDb::move_on(const Allocation& allocation, std::string_view state, UtcMs now) {
  const std::string id = initial_key_id_text(allocation.initial_key_id);
  ND_LET(auto key, db_.query("UPDATE initial_keys SET state = ?, at = ? WHERE ikid = ? AND state <> 'burned'"));
  ND_TRY(key.bind(state).bind(now).bind(id).run());
  ND_LET(
      auto certificate,
      db_.query("UPDATE certificates SET state = ? WHERE serial_number = ? AND state IN ('issued', 'sent', 'proven')"));
  return certificate.bind(state).bind(allocation.certificate).run();
}

Outcome<void> StationDb::sent(const Allocation& allocation, UtcMs now) {
  return transaction([&] { return move_on(allocation, "sent", now); });
}

Outcome<void> StationDb::proven(const Allocation& allocation, UtcMs now) {
  return transaction([&] { return move_on(allocation, "proven", now); });
}

Outcome<void> StationDb::provisioned(const Allocation& allocation, std::int64_t duration_ms, UtcMs now) {
  return transaction([&]() -> Result<void> {
    ND_TRY(move_on(allocation, "active", now));
    ND_LET(auto unit,
           db_.query("UPDATE units SET state = 'provisioned', reason = NULL, certificate = ?, finished_at = ?, "
                     "duration_ms = ? WHERE unit = ?"));
    ND_TRY(unit.bind(allocation.certificate).bind(now).bind(duration_ms).bind(allocation.unit).run());
    return event(now, allocation.unit, "provisioned", allocation.certificate);
  });
}

Outcome<void> StationDb::trust_factory_key(std::int64_t unit, std::string_view fingerprint, UtcMs now) {
  return transaction([&]() -> Result<void> {
    ND_LET(
        auto row,
        db_.query("UPDATE units SET factory_key = ?, trusted_on_first_use = 1 WHERE unit = ? AND factory_key IS NULL"));
    ND_TRY(row.bind(fingerprint).bind(unit).run());
    return event(now, unit, "factory_key_trusted_on_first_use", fingerprint);
  });
}

Outcome<void> StationDb::set_aside(std::int64_t unit, std::string_view reason, UtcMs now) {
  return transaction([&]() -> Result<void> {
    ND_LET(auto row,
           db_.query("UPDATE units SET state = 'aside', reason = ? WHERE unit = ? AND state <> 'provisioned'"));
    ND_TRY(row.bind(reason).bind(unit).run());
    return event(now, unit, "set_aside", reason);
  });
}

Outcome<std::optional<Allocation>> StationDb::unsettled(std::int64_t unit) {
  return transaction([&]() -> Result<std::optional<Allocation>> {
    ND_LET(auto row,
           db_.query("SELECT k.ikid, c.serial_number FROM initial_keys k JOIN certificates c ON c.unit = k.unit AND "
                     "c.state = 'proven' WHERE k.unit = ? AND k.state = 'proven'"));
    row.bind(unit);
    ND_LET(const bool found, row.step());
    if (!found) return std::optional<Allocation>();
    ND_LET(const auto id, parse_initial_key_id(row.text(0)));
    return std::optional(Allocation{unit, id, std::string(row.text(1))});
  });
}

Outcome<dukpt::InitialKeyId> StationDb::allocate_rekey(std::int64_t unit, std::span<const std::uint8_t, 4> bdk_id,
                                                       UtcMs now) {
  auto id = transaction([&] { return next_initial_key_id(unit, bdk_id, "rekey", now); });
  if (!id) return std::unexpected(id.error());
  if (!*id) return refuse(Exit::Data, range_at_its_end);
  return **id;
}

Outcome<void> StationDb::rekey_sent(const dukpt::InitialKeyId& id, std::string_view key_check_value, UtcMs now) {
  return transaction([&]() -> Result<void> {
    const std::string text = initial_key_id_text(id);
    ND_LET(auto row, db_.query("UPDATE initial_keys SET state = 'sent', key_check_value = ?, at = ? WHERE ikid = ? AND "
                               "state = 'allocated' RETURNING unit"));
    row.bind(key_check_value).bind(now).bind(text);
    ND_LET(const bool found, row.step());
    const std::int64_t unit = found ? row.integer(0) : 0;
    ND_TRY(row.run());
    return event(now, unit, "rekey", text);
  });
}

Outcome<std::vector<std::string>> StationDb::pending_rekeys(std::int64_t unit) {
  return transaction([&]() -> Result<std::vector<std::string>> {
    ND_LET(auto row,
           db_.query(
               "SELECT ikid FROM initial_keys WHERE unit = ? AND purpose = 'rekey' AND state = 'sent' ORDER BY ikid"));
    row.bind(unit);
    std::vector<std::string> pending;
    for (;;) {
      ND_LET(const bool more, row.step());
      if (!more) return pending;
      pending.emplace_back(row.text(0));
    }
  });
}

Outcome<void> StationDb::rekey_seen(std::int64_t unit, std::string_view initial_key_id, UtcMs now) {
  return transaction([&]() -> Result<void> {
    ND_LET(auto earlier,
           db_.query("UPDATE initial_keys SET state = 'burned', at = ?1 WHERE unit = ?2 AND state = 'active' AND "
                     "EXISTS (SELECT 1 FROM initial_keys WHERE ikid = ?3 AND unit = ?2 AND state = 'sent')"));
    ND_TRY(earlier.bind(now).bind(unit).bind(initial_key_id).run());
    ND_LET(
        auto present,
        db_.query("UPDATE initial_keys SET state = 'active', at = ? WHERE unit = ? AND ikid = ? AND state = 'sent'"));
    ND_TRY(present.bind(now).bind(unit).bind(initial_key_id).run());
    return event(now, unit, "rekey_seen", initial_key_id);
  });
}

Outcome<void> StationDb::erase_ordered(std::int64_t unit, std::string_view nonce, std::string_view certificate,
                                       UtcMs valid_until, UtcMs now) {
  return transaction([&]() -> Result<void> {
    ND_LET(auto row,
           db_.query("INSERT INTO erase_orders (nonce, unit, certificate, valid_until, at) VALUES (?, ?, ?, ?, ?)"));
    ND_TRY(row.bind(nonce).bind(unit).bind(certificate).bind(valid_until).bind(now).run());
    return event(now, unit, "erase_order", certificate);
  });
}

Outcome<void> StationDb::revoke(std::int64_t unit, std::string_view reason, UtcMs now) {
  auto found = transaction([&]() -> Result<bool> {
    ND_LET(
        auto row,
        db_.query("UPDATE certificates SET state = 'revoked', revoked_at = coalesce(revoked_at, ?), "
                  "reason = coalesce(reason, ?) WHERE serial_number = (SELECT certificate FROM units WHERE unit = ?) "
                  "RETURNING serial_number"));
    row.bind(now).bind(reason).bind(unit);
    ND_LET(const bool there_is_one, row.step());
    const std::string number(there_is_one ? row.text(0) : "");
    ND_TRY(row.run());
    if (there_is_one) ND_TRY(event(now, unit, "revoked", number + ": " + std::string(reason)));
    return there_is_one;
  });
  if (!found) return std::unexpected(found.error());
  if (!*found) return refuse(Exit::Data, "this unit has no certificate that ever was in force");
  return {};
}

Outcome<StationDb::RevocationList> StationDb::next_revocation_list(UtcMs now) {
  return transaction([&]() -> Result<RevocationList> {
    RevocationList list;
    ND_LET(auto number, db_.query("UPDATE station SET crl_number = crl_number + 1 RETURNING crl_number"));
    ND_TRY(number.step());
    list.number = number.integer(0);
    ND_TRY(number.run());
    ND_LET(auto row,
           db_.query("SELECT serial_number, revoked_at FROM certificates WHERE state IN ('revoked', 'void') AND "
                     "coalesce(not_after, ?1) >= ?1 ORDER BY revoked_at, serial_number"));
    row.bind(now);
    for (;;) {
      ND_LET(const bool more, row.step());
      if (!more) return list;
      list.revoked.push_back({std::string(row.text(0)), row.integer(1)});
    }
  });
}

}  // namespace nightdrop::keys
