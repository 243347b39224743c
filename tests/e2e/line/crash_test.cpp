// The real program, killed at every step of one unit: run again it ends with a provisioned reader, and nothing that can
// be given out once was given out twice, by the readers' account and by the database's.
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "e2e/provision/program.hpp"
#include "json/json.hpp"
#include "keys/line/provision_unit.hpp"
#include "keys/line/station_db.hpp"
#include "unit/station/world.hpp"

namespace nightdrop::keys {
namespace {

const std::string program = std::string(NIGHTDROP_BIN_DIR) + "/nightdrop-provision";
constexpr int crashed = 86;

test::Ended batch(const MadeStation& station, const std::string& orders, const char* crash_at) {
  if (crash_at != nullptr) setenv("NIGHTDROP_STATION_CRASH", crash_at, 1);
  const auto ended =
      test::run(program, {"--json", "batch", "--station", station.folder().string(), "--policy",
                          station.path("policy.json"), "--config-template", station.path("template.json"),
                          "--acquirer-dir", station.path("acquirer"), orders});
  unsetenv("NIGHTDROP_STATION_CRASH");
  return ended;
}

std::string write_orders(const MadeStation& station, const std::string& serial) {
  const std::string file = station.path(serial + ".csv");
  EXPECT_TRUE(write_file(
      file, "serial_number,merchant_id,connect\n" + serial + ",m_1,unix:" + station.path(serial + ".sock") + "\n"));
  return file;
}

// How often each value is in `all` beyond once.
std::size_t repeated(const std::vector<std::string>& all) {
  return all.size() - std::set<std::string>(all.begin(), all.end()).size();
}

TEST(StationKilled, at_every_step_goes_on_and_gives_nothing_twice) {
  const MadeStation station;
  std::vector<std::string> keys;
  std::vector<std::string> certificates;
  int number = 0;
  for (const char* step : crash_steps) {
    SCOPED_TRACE(step);
    const std::string serial = "ND00000" + std::to_string(number++);
    MemoryHome home(serial);
    const ListeningReader reader(home, station.authority(), station.path(serial + ".sock"));
    const std::string orders = write_orders(station, serial);
    ASSERT_EQ(batch(station, orders, step).exit_code, crashed);
    const auto again = batch(station, orders, nullptr);
    ASSERT_EQ(again.exit_code, 0) << again.out << again.err;
    EXPECT_EQ(home.facts().state, provisioning::ReaderState::Provisioned);
    EXPECT_TRUE(std::filesystem::exists(station.path("acquirer/readers/" + serial + ".pem")));
    const auto told = Json::parse(again.out);
    ASSERT_TRUE(told) << again.out;
    const bool was_in_force = std::string_view(step) == "committed" || std::string_view(step) == "published";
    EXPECT_EQ((*told)["settled"].integer(), was_in_force ? 1 : 0);
    EXPECT_EQ((*told)["provisioned_before"].integer(), std::string_view(step) == "recorded" ? 1 : 0);
    const auto quiet = batch(station, orders, nullptr);
    EXPECT_EQ(quiet.exit_code, 0) << "a third time there is nothing to do";
    keys.insert(keys.end(), home.seen_keys.begin(), home.seen_keys.end());
    certificates.insert(certificates.end(), home.seen_certificates.begin(), home.seen_certificates.end());
  }
  EXPECT_EQ(repeated(keys), 0U);
  EXPECT_EQ(repeated(certificates), 0U);
  EXPECT_GT(keys.size(), crash_steps.size()) << "some were sent before the crash and are burned";
}

TEST(StationKilled, what_the_database_has_is_what_the_readers_have) {
  const MadeStation station;
  MemoryHome home("ND000001");
  const ListeningReader reader(home, station.authority(), station.path("ND000001.sock"));
  const std::string orders = write_orders(station, "ND000001");
  for (const char* step : {"sent", "installed", "proven"}) ASSERT_EQ(batch(station, orders, step).exit_code, crashed);
  ASSERT_EQ(batch(station, orders, nullptr).exit_code, 0);
  const auto listed = test::run(program, {"--json", "list", "--station", station.folder().string()});
  ASSERT_EQ(listed.exit_code, 0) << listed.err;
  const auto list = Json::parse(listed.out);
  ASSERT_TRUE(list);
  const JsonView unit = (*list)["units"].items().front();
  EXPECT_EQ(unit["initial_key_id"].string(), home.seen_keys.back());
  EXPECT_EQ(unit["certificate"].string(), home.seen_certificates.back());
  EXPECT_EQ(unit["attempts"].integer(), 4);
  const auto report = test::run(program, {"--json", "report", "--station", station.folder().string()});
  EXPECT_EQ((*Json::parse(report.out))["initial_keys_burned"].integer(), 3);
  EXPECT_EQ((*Json::parse(report.out))["certificates_void"].integer(), 3);
  EXPECT_EQ((*Json::parse(report.out))["first_pass"].integer(), 0);
}

}  // namespace
}  // namespace nightdrop::keys
