// The power goes at every single write of the station's database: what it gave out is known when it is opened again,
// and nothing is given out a second time. The database opens on the fault disk because that is the process's default
// VFS.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include <unistd.h>

#include "keys/line/station_db.hpp"
#include "powerloss/store/fault_disk.hpp"

namespace nightdrop::keys {
namespace {

namespace fs = std::filesystem;
using test::FaultDisk;
using test::Unsynced;

constexpr std::array<std::uint8_t, 32> key{7};
constexpr std::array<std::uint8_t, 4> bdk_id{0xA1, 0xB2, 0xC3, 0xD4};
constexpr UtcMs at = 1'790'000'000'000;

// What the station was told is durable, before the power went.
struct Told {
  std::set<std::string> initial_keys;
  std::set<std::string> certificates;
  std::set<std::string> sent;         // certificates that may have left
  std::set<std::string> provisioned;  // serial numbers of readers
};

Outcome<std::unique_ptr<StationDb>> open_station(const fs::path& folder) {
  return StationDb::open(folder, key, {100, 100'000});
}

// One reader: an attempt that comes to nothing once its certificate was sent, then one that is brought to its end.
bool make_reader(StationDb& db, const std::string& serial, Told& told) {
  const auto unit = db.take_order({"orders.csv", serial, "m_1", "unix:x", ""}, at);
  if (!unit) return false;
  for (const bool to_its_end : {false, true}) {
    const auto got = db.begin_attempt(unit->unit, bdk_id, at);
    if (!got) return false;
    EXPECT_TRUE(told.initial_keys.insert(initial_key_id_text(got->initial_key_id)).second);
    EXPECT_TRUE(told.certificates.insert(got->certificate).second);
    if (!db.issued(*got, std::vector<std::uint8_t>{1, 2}, at + 1000, "0011223344", at) || !db.sent(*got, at))
      return false;
    told.sent.insert(got->certificate);
    if (!to_its_end) continue;
    if (!db.proven(*got, at) || !db.provisioned(*got, 40, at)) return false;
    told.provisioned.insert(serial);
    told.sent.erase(got->certificate);
  }
  return true;
}

// Whether the station, opened again on a whole disk, knows all that it was told is durable, and goes on from there.
void check(const fs::path& folder, const Told& told) {
  const auto opened = open_station(folder);
  ASSERT_TRUE(opened) << opened.error().message;
  StationDb& db = **opened;
  for (const std::string& serial : told.provisioned) {
    const auto unit = db.find(serial);
    ASSERT_TRUE(unit && *unit) << serial << " is not known any more";
    EXPECT_EQ((*unit)->state, UnitState::Provisioned) << serial;
    EXPECT_TRUE(told.initial_keys.contains((*unit)->initial_key_id)) << serial;
  }
  std::set<std::string> in_force;  // also by a transaction that the disk took and nobody was told of
  for (const char* serial : {"A", "B", "C"}) {
    const auto unit = db.take_order({"orders.csv", serial, "m_1", "unix:x", ""}, at);
    ASSERT_TRUE(unit) << unit.error().message;
    if (unit->state == UnitState::Provisioned) {
      in_force.insert(unit->certificate);
      continue;
    }
    const auto got = db.begin_attempt(unit->unit, bdk_id, at);
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_FALSE(told.initial_keys.contains(initial_key_id_text(got->initial_key_id))) << "given out a second time";
    EXPECT_FALSE(told.certificates.contains(got->certificate)) << "given out a second time";
  }
  const auto list = db.next_revocation_list(at);
  ASSERT_TRUE(list);
  for (const std::string& number : told.sent) {
    const bool listed =
        std::ranges::find(list->revoked, number, &RevokedCertificate::serial_number) != list->revoked.end();
    EXPECT_NE(listed, in_force.contains(number)) << "a certificate that may have left is in force or on the list";
  }
}

// Runs until the power goes at the cut-th write; gives whether it went.
bool cut_at(long cut, Unsynced unsynced) {
  std::string name = "/tmp/nd-station-cut-XXXXXX";
  const fs::path folder = mkdtemp(name.data());
  Told told;
  bool went_dark = false;
  {
    FaultDisk disk("station-cut", {.cut_at = cut, .unsynced = unsynced});
    sqlite3_vfs_register(sqlite3_vfs_find(disk.name()), 1);
    if (const auto db = open_station(folder)) {
      for (const char* serial : {"A", "B"}) {
        if (!make_reader(**db, serial, told)) break;
      }
    }
    went_dark = disk.dead();
  }
  EXPECT_TRUE(went_dark || told.provisioned.size() == 2);
  check(folder, told);
  fs::remove_all(folder);
  return went_dark;
}

TEST(StationPowerCut, WhatWasGivenOutIsKnownAfterACutAtAnyWrite) {
  for (const Unsynced unsynced : {Unsynced::Dropped, Unsynced::Torn, Unsynced::Kept}) {
    long cut = 1;
    for (; cut_at(cut, unsynced) && !testing::Test::HasFailure(); ++cut) {
    }
    EXPECT_FALSE(testing::Test::HasFailure()) << "cut at write " << cut;
    EXPECT_GT(cut, 60);
  }
}

}  // namespace
}  // namespace nightdrop::keys
