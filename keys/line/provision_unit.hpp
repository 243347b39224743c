// Provisioning one reader over a stream, from the handshake to the record in the database. Method: what may be given
// out once is allocated in a durable commit before it leaves; each step that matters is recorded before the next
// begins, and a process that dies between two steps leaves a state from which the next attempt goes on: a reader that
// took its keys into force is found out by asking it, any other gets fresh values.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <string>

#include "keys/line/recipe.hpp"
#include "keys/line/station.hpp"
#include "keys/outcome.hpp"
#include "provisioning/stream.hpp"

namespace nightdrop::keys {

// The places between two steps, in their order; tests end the process there.
inline constexpr std::array crash_steps{"opened",    "allocated", "identity",  "issued",    "sent",
                                        "installed", "proven",    "committed", "published", "recorded"};
using CrashPoint = std::function<void(const char* step)>;

// Where NIGHTDROP_STATION_CRASH=STEP or STEP:SERIAL says so, the process ends at that step; a release build has none.
CrashPoint crash_point_of_environment(const std::string& serial_number);

struct UnitResult {
  std::string serial_number;
  std::string initial_key_id;
  std::string key_check_value;
  std::string certificate;  // serial number
  std::string factory_key;  // SHA-256 of its SubjectPublicKeyInfo
  bool trusted_on_first_use{false};
  bool settled{false};  // the reader had its keys in force from an attempt whose end was not seen
  std::int64_t duration_ms{0};
};

struct UnitRun {
  Station& station;
  const Recipe& recipe;
  std::function<UtcMs()> clock;
  provisioning::Timeouts timeouts{};
};

// Provisions the reader at the other end of `stream`. `unit` is the order's row. Ensures: Ok means the reader is
// locked, the acquirer's file is written and the database says so. Errors: Unavailable (the line, or the reader's no),
// Data (who it is, what it proved), those of the station. The message begins with a word for the report's table: line,
// timeout, authentication, protocol, refused, check_value, proof, station.
Outcome<UnitResult> provision_unit(const UnitRun& run, const Unit& unit, provisioning::Stream& stream,
                                   const CrashPoint& crash);

// As provision_unit() for an order that was taken, over its connection: connects, asks again where the commit's answer
// was lost, and sets the unit aside where it failed. Errors: as provision_unit().
Outcome<UnitResult> run_unit(const UnitRun& run, const Order& order);

// SHA-256 of a P-256 key's SubjectPublicKeyInfo, lower-case hex.
std::string key_fingerprint(const x509::PublicKey& key);
// The message of a session's failure, with its word in front.
Refusal refusal_of(const provisioning::Failure& failure);

}  // namespace nightdrop::keys
