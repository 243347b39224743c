// A batch of readers through one station, with everything going wrong that goes wrong in a hall: lines are cut, carry
// garbage, flip bits and repeat old sessions; readers lose power, the station is killed; some readers believe another
// operator. Promises: every reader is provisioned in the end, no initial key ID and no certificate is given out twice,
// and every reader then takes a payment without a network, which the acquirer opens.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "e2e/hall/factory_world.hpp"

namespace nightdrop::e2e {
namespace {

std::size_t unit_count() {
  const char* given = std::getenv("NIGHTDROP_FACTORY_UNITS");
  return given == nullptr ? 200 : static_cast<std::size_t>(std::stoul(given));
}

// Where in a session a line's mishap comes: within the handshake, the installation, after the commit was asked for.
std::size_t place(std::size_t unit) {
  constexpr std::array<std::size_t, 7> places{20, 150, 700, 1200, 3000, 6000, 9000};
  return places[(unit / 10) % places.size()];
}

// Eight of ten units meet a mishap at first.
Plan first_plan(std::size_t unit) {
  switch (unit % 10) {
    case 0: return {Mishap::Cut, place(unit)};
    case 1: return {Mishap::Garbage, 0};
    case 2: return {Mishap::Flip, place(unit)};
    case 3: return {Mishap::Replay, place(unit)};
    case 4: return {Mishap::Call, place(unit)};                                // the reader loses its power
    case 5: return unit % 50 == 5 ? Plan{Mishap::Call, place(unit)} : Plan{};  // the station is killed
    case 6: return {};                                                         // the reader believes another operator
    default: return {};
  }
}

TEST(Hall, ABatchWithEverythingGoingWrongGivesNothingOutTwice) {
  FactoryWorld hall(unit_count());
  std::mutex mutex;
  std::set<std::size_t> to_kill;
  hall.lines().on_call([&](std::size_t line) {
    if (line % 10 == 5) {
      hall.kill_station();
    } else {
      const std::lock_guard lock(mutex);
      hall.kill(hall.units()[line]);
      to_kill.insert(line);
    }
  });
  for (std::size_t i = 0; i < hall.units().size(); ++i) {
    hall.lines().plan(i, first_plan(i));
    if (i % 10 == 6) hall.units()[i].authority = hall.foreign_authority();
  }

  constexpr int rounds_max = 40;
  int rounds = 0;
  int station_killed = 0;
  hall.put_up_all();
  for (int code = -1; code != 0; ++rounds) {
    ASSERT_LT(rounds, rounds_max) << hall.report("list").dump();
    code = hall.batch(4);
    if (code == 128 + SIGKILL) ++station_killed;
    const std::lock_guard lock(mutex);
    if (code == 128 + SIGKILL) continue;  // resumed at once, with the readers as they are
    for (std::size_t i = 0; i < hall.units().size(); ++i) {
      Unit& unit = hall.units()[i];
      if (unit.authority == hall.foreign_authority()) {  // the mistake is seen and mended
        unit.authority = hall.path("station/ca.pem");
        hall.kill(unit);
      }
    }
    hall.put_up_all();
  }
  EXPECT_GT(rounds, 1);
  if (hall.units().size() >= 50) {
    EXPECT_GT(station_killed, 0);
    EXPECT_FALSE(to_kill.empty());
  }

  std::set<std::string> initial_keys, certificates;
  const Json listed = hall.report("list");
  std::size_t provisioned = 0;
  for (const JsonView unit : listed["units"].items()) {
    EXPECT_EQ(unit["state"].string(), "provisioned") << unit.dump();
    EXPECT_TRUE(initial_keys.insert(std::string(unit["initial_key_id"].string().value_or(""))).second) << unit.dump();
    EXPECT_TRUE(certificates.insert(std::string(unit["certificate"].string().value_or(""))).second) << unit.dump();
    ++provisioned;
  }
  EXPECT_EQ(provisioned, hall.units().size());
  for (Unit& unit : hall.units()) hall.kill(unit);

  hall.start_acquirer();
  std::vector<std::string> problems;
  std::set<std::string> forwarded;
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < hall.units().size(); i = next++) {
      std::string problem, id;
      try {
        id = hall.take_and_forward(hall.units()[i]);
      } catch (const std::exception& error) {
        problem = error.what();
      }
      const std::lock_guard lock(mutex);
      if (!problem.empty()) problems.push_back(problem);
      if (!id.empty()) forwarded.insert(id);
    }
  };
  {
    const std::jthread one(work), two(work), three(work);
  }
  for (const std::string& problem : problems) ADD_FAILURE() << problem;

  // The acquirer opened each envelope under its own initial key, and posted it once.
  std::set<std::string> seen;
  const Json ledger = hall.ledger();
  for (const JsonView row : ledger.view().items()) {
    const std::string id(row["id"].string().value_or(""));
    EXPECT_TRUE(forwarded.contains(id)) << row.dump();
    EXPECT_EQ(row["posted"].integer(), 1) << row.dump();
    const std::string ksn(row["ksn"].string().value_or(""));
    EXPECT_TRUE(seen.insert(ksn.substr(0, 16)).second) << "an initial key of two readers: " << row.dump();
  }
  EXPECT_EQ(seen.size(), hall.units().size());
}

}  // namespace
}  // namespace nightdrop::e2e
