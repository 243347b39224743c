// The clocks a test can set, and the switchboard of faults.
#include "hal/sim/sim_clock.hpp"

#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "hal/sim/sim_faults.hpp"

namespace nightdrop::hal {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

class SimClockTest : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(file_); }
  const std::string file_ = testing::TempDir() + "nightdrop-sim-clock-" + std::to_string(getpid()) + ".json";
};
// Whether `value` is `expected`, give or take what the test itself may have taken.
bool near(std::int64_t value, std::int64_t expected) {
  return value >= expected && value < expected + 60'000;
}

constexpr UtcMs november_2026 = 1'795'290'000'000;

TEST_F(SimClockTest, TheWallClockCanBeSetBothWaysAndTheMonotonicOneDoesNotCare) {
  SimClock clock;
  EXPECT_TRUE(clock.wall().trusted);
  const milliseconds before = clock.monotonic();
  clock.set_utc(november_2026);
  EXPECT_TRUE(near(clock.wall().utc_ms, november_2026));
  clock.set_utc(0);
  EXPECT_TRUE(near(clock.wall().utc_ms, 0));
  clock.set_trusted(false);
  EXPECT_FALSE(clock.wall().trusted);
  EXPECT_TRUE(near(clock.monotonic().count(), before.count()));
}

TEST_F(SimClockTest, AdvanceMovesBothClocks) {
  SimClock clock;
  clock.set_utc(november_2026);
  const milliseconds before = clock.monotonic();
  clock.advance(hours(5));
  EXPECT_TRUE(near(clock.wall().utc_ms, november_2026 + 5 * 3'600'000));
  EXPECT_TRUE(near(clock.monotonic().count(), before.count() + 5 * 3'600'000));
}

TEST_F(SimClockTest, ARestartedProcessIsInTheSameTime) {
  milliseconds before{};
  std::string boot;
  {
    SimClock clock(file_);
    clock.set_utc(november_2026);
    clock.set_trusted(false);
    clock.advance(hours(2));
    before = clock.monotonic();
    boot = clock.boot_id();
  }
  const SimClock again(file_);
  EXPECT_TRUE(near(again.wall().utc_ms, november_2026 + 2 * 3'600'000));
  EXPECT_FALSE(again.wall().trusted);
  EXPECT_TRUE(near(again.monotonic().count(), before.count()));
  EXPECT_EQ(again.boot_id(), boot);
}

TEST_F(SimClockTest, ARebootTakesEffectAtTheNextStart) {
  std::string boot;
  {
    SimClock clock(file_);
    clock.advance(hours(2));
    boot = clock.boot_id();
    clock.reboot_at_next_start();
    EXPECT_EQ(clock.boot_id(), boot);
    EXPECT_GE(clock.monotonic(), hours(2));
  }
  {
    const SimClock rebooted(file_);
    EXPECT_NE(rebooted.boot_id(), boot);
    EXPECT_TRUE(near(rebooted.monotonic().count(), 0));
    boot = rebooted.boot_id();
  }
  EXPECT_EQ(SimClock(file_).boot_id(), boot) << "one reboot, not one at each start";
}

TEST_F(SimClockTest, AnotherBootOfTheMachineStartsTheMonotonicClockAnew) {
  std::ofstream(file_) << R"({"os_boot_id":"another","wall_offset_ms":0,"monotonic_offset_ms":999999999999,"boots":0})";
  EXPECT_TRUE(near(SimClock(file_).monotonic().count(), SimClock().monotonic().count()));
}

TEST_F(SimClockTest, ADamagedFileIsAClockWithoutOffsets) {
  std::ofstream(file_) << R"({"wall_offset_ms":1)";
  EXPECT_TRUE(near(SimClock().wall().utc_ms, SimClock(file_).wall().utc_ms));
  EXPECT_TRUE(SimClock(file_).wall().trusted);
}

TEST(ManualClock, StandsStillUntilItIsMoved) {
  ManualClock clock(november_2026);
  EXPECT_EQ(clock.wall().utc_ms, november_2026);
  EXPECT_EQ(clock.monotonic().count(), 0);
  clock.advance(milliseconds(1500));
  EXPECT_EQ(clock.wall().utc_ms, november_2026 + 1500);
  EXPECT_EQ(clock.monotonic().count(), 1500);
  clock.set_utc(0);
  EXPECT_EQ(clock.monotonic().count(), 1500);
  const std::string boot = clock.boot_id();
  clock.reboot("manual-boot-2");
  EXPECT_EQ(clock.monotonic().count(), 0);
  EXPECT_NE(clock.boot_id(), boot);
}

TEST(SimFaults, FailAsOftenAsOrderedAndEachKindByItself) {
  SimFaults faults;
  EXPECT_FALSE(faults.take(SimFault::DiskFull));
  faults.order(SimFault::DiskFull, 2);
  EXPECT_FALSE(faults.take(SimFault::Vault));
  EXPECT_TRUE(faults.take(SimFault::DiskFull));
  EXPECT_EQ(faults.left(SimFault::DiskFull), 1u);
  EXPECT_TRUE(faults.take(SimFault::DiskFull));
  EXPECT_FALSE(faults.take(SimFault::DiskFull));
  faults.order(SimFault::CommitError, 5);
  faults.order(SimFault::CommitError, 0);
  EXPECT_FALSE(faults.take(SimFault::CommitError));
}

struct Sevens final : Entropy {
  Result<void> fill(std::span<std::uint8_t> bytes) override {
    std::fill(bytes.begin(), bytes.end(), std::uint8_t{7});
    return {};
  }
};

TEST(SimEntropy, FailsWhenToldTo) {
  Sevens real;
  SimFaults faults;
  SimEntropy entropy(real, faults);
  std::array<std::uint8_t, 4> bytes{};
  faults.order(SimFault::Entropy, 1);
  EXPECT_FALSE(entropy.fill(bytes).has_value());
  EXPECT_EQ(bytes[0], 0);
  EXPECT_TRUE(entropy.fill(bytes).has_value());
  EXPECT_EQ(bytes[3], 7);
}

}  // namespace
}  // namespace nightdrop::hal
