// The engine's time against clocks that lie: an RTC back at 1970, years ahead, an hour back, a reboot with and without
// a wall clock to trust, NTP that comes late. Through all of it no deadline moves unless the acquirer says so.
#include "engine/time_keeper.hpp"

#include <gtest/gtest.h>

#include <random>

namespace nightdrop::engine {
namespace {

constexpr UtcMs start = 1'790'000'000'000;
constexpr std::int64_t second = 1'000;
constexpr std::int64_t hour = 3'600 * second;
constexpr std::int64_t day = 24 * hour;
constexpr std::int64_t year = 365 * day;

// A device: its monotonic clock, its wall clock, and the true time that only the test knows.
struct Device {
  std::int64_t mono{5'000};
  UtcMs wall{start};
  bool wall_trusted{true};
  std::string boot{"boot-1"};
  UtcMs truth{start};

  TimeReading reading() const { return {mono, wall, wall_trusted}; }
  void pass(std::int64_t ms) { mono += ms, wall += ms, truth += ms; }
  void reboot(std::int64_t away_ms) {
    truth += away_ms;
    wall += away_ms;
    mono = 100;
    boot += "'";
  }
};

class Time : public testing::Test {
 protected:
  TimeKeeper begin(const TimeMemory& memory = {}, UtcMs floor = start - 10 * day) {
    return TimeKeeper(memory, device.boot, device.reading(), floor);
  }
  Device device;
};

TEST_F(Time, BeginsWithATrustedWallClock) {
  TimeKeeper time = begin();
  EXPECT_TRUE(time.trusted());
  EXPECT_EQ(time.now(device.reading()), start);
  device.pass(hour);
  EXPECT_EQ(time.now(device.reading()), start + hour);
  EXPECT_EQ(time.untrusted_for_ms(device.reading()), 0);
  EXPECT_EQ(time.take_correction(), 0);
}

TEST_F(Time, AFirstStartAt1970CountsFromThePolicysFirstDay) {
  device.wall = 0;
  device.wall_trusted = false;
  TimeKeeper time = begin({}, start - day);
  EXPECT_FALSE(time.trusted());
  EXPECT_EQ(time.now(device.reading()), start - day);
  device.pass(2 * hour);
  EXPECT_EQ(time.now(device.reading()), start - day + 2 * hour);
  EXPECT_EQ(time.untrusted_for_ms(device.reading()), 2 * hour);
}

TEST_F(Time, AFirstStartBeforeThePolicyIsNotBelieved) {
  device.wall = start - 20 * day;  // "trusted", yet before the policy was made
  TimeKeeper time = begin({}, start - 10 * day);
  EXPECT_FALSE(time.trusted());
  EXPECT_EQ(time.now(device.reading()), start - 10 * day);
}

struct Jump {
  const char* name;
  std::int64_t by;
  bool still_trusted_flag;
};
class TimeJump : public testing::TestWithParam<Jump> {};

TEST_P(TimeJump, MovesNothing) {
  Device device;
  TimeKeeper time(TimeMemory{}, device.boot, device.reading(), start - day);
  device.pass(hour);
  const UtcMs deadline = start + day;
  device.wall += GetParam().by;
  device.wall_trusted = GetParam().still_trusted_flag;
  EXPECT_EQ(time.now(device.reading()), device.truth);
  EXPECT_FALSE(time.trusted());
  device.pass(22 * hour + 59 * 60 * second);
  EXPECT_LT(time.now(device.reading()), deadline) << "nothing expires early";
  device.pass(60 * second);
  EXPECT_EQ(time.now(device.reading()), deadline) << "nor late";
  EXPECT_EQ(time.untrusted_for_ms(device.reading()), 23 * hour);
  EXPECT_EQ(time.take_correction(), 0);
  // The clock is set right again.
  device.wall = device.truth;
  device.wall_trusted = true;
  EXPECT_EQ(time.now(device.reading()), device.truth);
  EXPECT_TRUE(time.trusted());
  EXPECT_EQ(time.untrusted_for_ms(device.reading()), 0);
  EXPECT_EQ(time.take_correction(), 0);
}

INSTANTIATE_TEST_SUITE_P(Jumps, TimeJump,
                         testing::Values(Jump{"an hour back", -hour, true}, Jump{"an hour ahead", hour, true},
                                         Jump{"to 1970", -start, true}, Jump{"to 1970, and says so", -start, false},
                                         Jump{"years ahead", 8 * year, true},
                                         Jump{"a minute and a bit", 61 * second, true},
                                         Jump{"a minute and a bit back", -61 * second, true}),
                         [](const auto& each) {
                           std::string name = each.param.name;
                           for (char& c : name) c = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '_';
                           return name;
                         });

TEST_F(Time, ASmallDisagreementIsBorne) {
  TimeKeeper time = begin();
  device.pass(hour);
  device.wall += 59 * second;
  EXPECT_EQ(time.now(device.reading()), device.truth) << "borne, and not followed";
  EXPECT_TRUE(time.trusted());
  device.wall -= 118 * second;
  EXPECT_EQ(time.now(device.reading()), device.truth);
  EXPECT_TRUE(time.trusted());
}

TEST_F(Time, ManySmallStepsDoNotAddUp) {
  TimeKeeper time = begin();
  for (int i = 0; i < 2'000; ++i) {
    device.pass(second);
    device.wall = time.now(device.reading()) + 61 * second;  // out of bounds: distrusted
    (void)time.now(device.reading());
    EXPECT_FALSE(time.trusted());
    device.wall -= 2 * second;  // within: trusted again
    (void)time.now(device.reading());
    EXPECT_TRUE(time.trusted());
  }
  EXPECT_EQ(time.now(device.reading()), device.truth);
  EXPECT_EQ(time.take_correction(), 0);
}

TEST_F(Time, NeverGoesBackWithinABoot) {
  TimeKeeper time = begin();
  std::mt19937_64 random(7);
  UtcMs last = 0;
  for (int i = 0; i < 5'000; ++i) {
    device.pass(static_cast<std::int64_t>(random() % 5'000));
    if (random() % 10 == 0) device.wall = static_cast<UtcMs>(random() % (4 * static_cast<std::uint64_t>(start)));
    if (random() % 10 == 0) device.wall = device.truth;
    device.wall_trusted = random() % 4 != 0;
    const UtcMs now = time.now(device.reading());
    EXPECT_GE(now, last);
    EXPECT_EQ(now, device.truth);
    last = now;
  }
}

TEST_F(Time, ARestartOfTheProcessGoesOnByTheMonotonicClock) {
  TimeKeeper time = begin();
  device.pass(hour);
  const TimeMemory memory = time.memory(device.reading());
  EXPECT_EQ(memory.high, start + hour);
  EXPECT_EQ(memory.boot_id, device.boot);
  device.pass(3 * hour);  // the process is away
  device.wall = 0;        // and the battery gave up
  device.wall_trusted = false;
  TimeKeeper again = begin(memory);
  EXPECT_EQ(again.now(device.reading()), start + 4 * hour);
  EXPECT_FALSE(again.trusted());
}

TEST_F(Time, DistrustSurvivesARestartOfTheProcess) {
  TimeKeeper time = begin();
  device.wall += year;
  (void)time.now(device.reading());
  device.pass(hour);
  const TimeMemory memory = time.memory(device.reading());
  EXPECT_FALSE(memory.trusted);
  EXPECT_EQ(memory.untrusted_for_ms, hour);
  device.pass(hour);
  TimeKeeper again = begin(memory);
  EXPECT_FALSE(again.trusted());
  EXPECT_EQ(again.untrusted_for_ms(device.reading()), 2 * hour);
  EXPECT_EQ(again.now(device.reading()), start + 2 * hour);
}

TEST_F(Time, ARebootBelievesAPlausibleTrustedWallClock) {
  TimeKeeper time = begin();
  device.pass(hour);
  const TimeMemory memory = time.memory(device.reading());
  device.reboot(10 * hour);
  TimeKeeper again = begin(memory);
  EXPECT_TRUE(again.trusted());
  EXPECT_EQ(again.now(device.reading()), device.truth);
  EXPECT_EQ(again.take_correction(), 0);
}

TEST_F(Time, ARebootBelievesNoWallClockBehindWhatWasSeen) {
  TimeKeeper time = begin();
  device.pass(5 * hour);
  const TimeMemory memory = time.memory(device.reading());
  device.reboot(10 * second);
  device.wall -= hour;
  TimeKeeper again = begin(memory);
  EXPECT_FALSE(again.trusted());
  EXPECT_EQ(again.now(device.reading()), memory.high) << "time goes on from the highest seen";
}

TEST_F(Time, ARebootBearsASecondsStepBackWithoutGoingBack) {
  TimeKeeper time = begin();
  device.pass(hour);
  const TimeMemory memory = time.memory(device.reading());
  device.reboot(0);
  device.wall -= 30 * second;
  TimeKeeper again = begin(memory);
  EXPECT_TRUE(again.trusted());
  EXPECT_EQ(again.now(device.reading()), memory.high);
}

TEST_F(Time, ARebootBelievesNoClockYearsAhead) {
  TimeKeeper time = begin();
  const TimeMemory memory = time.memory(device.reading());
  device.reboot(hour);
  device.wall += 3 * year;
  TimeKeeper again = begin(memory);
  EXPECT_FALSE(again.trusted());
  EXPECT_EQ(again.now(device.reading()), memory.high);
  device.pass(hour);
  (void)again.now(device.reading());
  EXPECT_FALSE(again.trusted()) << "nor later";
}

TEST_F(Time, ARebootAt1970GoesOnFromTheHighestSeenAndALateSyncMovesTimesByTheGap) {
  TimeKeeper time = begin();
  device.pass(hour);
  const TimeMemory memory = time.memory(device.reading());
  device.reboot(6 * hour);
  device.wall = 0;
  device.wall_trusted = false;
  TimeKeeper again = begin(memory);
  EXPECT_FALSE(again.trusted());
  EXPECT_EQ(again.now(device.reading()), memory.high);
  device.pass(2 * hour);
  const UtcMs stored_at = again.now(device.reading());
  device.pass(hour);
  EXPECT_EQ(again.untrusted_for_ms(device.reading()), 3 * hour);
  device.wall = device.truth;  // NTP, late
  device.wall_trusted = true;
  EXPECT_EQ(again.now(device.reading()), device.truth);
  EXPECT_TRUE(again.trusted());
  EXPECT_EQ(stored_at + again.take_correction(), device.truth - hour) << "what was stored an hour ago is an hour old";
  EXPECT_EQ(again.take_correction(), 0) << "said once";
}

TEST_F(Time, UntrustedTimeAddsUpOverBoots) {
  TimeKeeper first = begin();
  device.wall_trusted = false;
  device.wall = 0;
  (void)first.now(device.reading());
  device.pass(hour);
  TimeMemory memory = first.memory(device.reading());
  for (int boot = 0; boot < 3; ++boot) {
    device.reboot(day);
    TimeKeeper again = begin(memory);
    device.pass(hour);
    memory = again.memory(device.reading());
  }
  EXPECT_EQ(memory.untrusted_for_ms, 4 * hour) << "a pulled plug does not begin the day anew";
  EXPECT_FALSE(memory.trusted);
}

TEST_F(Time, TheAcquirersClockCorrectsAnUntrustedOne) {
  device.wall = 0;
  device.wall_trusted = false;
  TimeKeeper time = begin({}, start - 40 * day);
  device.pass(hour);
  const UtcMs taken = time.now(device.reading());
  time.correct(device.truth, device.reading());
  EXPECT_TRUE(time.trusted());
  EXPECT_EQ(time.now(device.reading()), device.truth);
  EXPECT_EQ(taken + time.take_correction(), device.truth);
  device.pass(day);
  EXPECT_EQ(time.now(device.reading()), device.truth) << "the wall clock is as wrong as it was, and that is known";
  EXPECT_TRUE(time.trusted());
}

TEST_F(Time, TheAcquirersClockCanTakeTimeBack) {
  TimeMemory memory{
      .high = start + 2 * day, .boot_id = "another", .mono_ms = 1, .trusted = false, .untrusted_for_ms = hour};
  TimeKeeper time = begin(memory);
  EXPECT_FALSE(time.trusted());
  const UtcMs taken = time.now(device.reading());
  time.correct(device.truth, device.reading());
  EXPECT_EQ(time.now(device.reading()), device.truth);
  EXPECT_EQ(taken + time.take_correction(), device.truth);
}

TEST_F(Time, ATrustedClockIsLeftAlone) {
  TimeKeeper time = begin();
  time.correct(start + hour, device.reading());
  EXPECT_EQ(time.now(device.reading()), start);
  EXPECT_EQ(time.take_correction(), 0);
}

TEST_F(Time, AfterACorrectionAJumpIsNoticedAndAClockSetRightIsNot) {
  device.wall -= 3 * hour;
  device.wall_trusted = false;
  TimeKeeper time = begin({}, start);
  time.correct(device.truth, device.reading());
  ASSERT_TRUE(time.trusted());
  (void)time.take_correction();
  device.pass(hour);
  (void)time.now(device.reading());
  EXPECT_TRUE(time.trusted());
  device.wall = device.truth;  // NTP sets it right: no reason to distrust
  device.wall_trusted = true;
  EXPECT_EQ(time.now(device.reading()), device.truth);
  EXPECT_TRUE(time.trusted());
  device.wall -= hour;
  EXPECT_EQ(time.now(device.reading()), device.truth);
  EXPECT_FALSE(time.trusted());
}

}  // namespace
}  // namespace nightdrop::engine
