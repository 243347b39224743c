#include "engine/time_keeper.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace nightdrop::engine {

TimeKeeper::TimeKeeper(const TimeMemory& memory, const std::string& boot_id, const TimeReading& reading, UtcMs floor)
    : boot_id_(boot_id),
      anchor_mono_ms_(reading.mono_ms),
      untrusted_before_ms_(memory.untrusted_for_ms),
      untrusted_since_mono_ms_(reading.mono_ms) {
  const bool same_boot = memory.boot_id == boot_id && reading.mono_ms >= memory.mono_ms;
  if (same_boot) {
    // The process was away, the device was not: the monotonic clock knows for how long.
    const std::int64_t away = reading.mono_ms - memory.mono_ms;
    anchor_ = memory.high + away;
    trusted_ = memory.trusted;
    if (!trusted_) untrusted_before_ms_ += away;
    high_ = anchor_;
    check_wall(reading);
    return;
  }
  // Another boot: the monotonic clock tells nothing about the gap, the wall clock may.
  const UtcMs known = std::max(memory.high, floor);
  const bool first_time = memory.high == 0;
  const bool plausible =
      reading.wall >= known - tolerance_ms && (first_time || reading.wall <= known + plausible_gap_ms);
  if (reading.wall_trusted && plausible) {
    anchor_ = std::max(reading.wall, memory.high);
    trusted_ = true;
    untrusted_before_ms_ = 0;
  } else {
    anchor_ = known;
    trusted_ = false;
    anchored_ = false;
  }
  high_ = anchor_;
}

UtcMs TimeKeeper::now(const TimeReading& reading) {
  check_wall(reading);
  high_ = std::max(high_, expected(reading));
  return high_;
}

void TimeKeeper::check_wall(const TimeReading& reading) {
  const std::int64_t off = reading.wall - expected(reading);
  if (trusted_) {
    // Where time came from the acquirer, a wall clock that is as wrong as it was matters only when it jumps again.
    const bool right = reading.wall_trusted && std::llabs(off) <= tolerance_ms;
    const bool wrong_as_before = server_offset_ && std::llabs(off - *server_offset_) <= tolerance_ms;
    if (!right && !wrong_as_before) distrust(reading);
    return;
  }
  if (!reading.wall_trusted) return;
  const bool agrees = std::llabs(off) <= tolerance_ms;
  const bool late_sync = !anchored_ && off >= -tolerance_ms && off <= plausible_gap_ms;
  // Where the monotonic clock has known better all along, agreeing restores trust and moves nothing: many small steps
  // would add up to a large one.
  if (agrees && anchored_) return reanchor(std::max(high_, expected(reading)), reading);
  if (agrees || late_sync) reanchor(std::max(reading.wall, high_), reading);
}

void TimeKeeper::reanchor(UtcMs time, const TimeReading& reading) {
  correction_ += time - std::max(high_, expected(reading));
  anchor_ = time;
  anchor_mono_ms_ = reading.mono_ms;
  high_ = time;
  trusted_ = true;
  anchored_ = true;
  untrusted_before_ms_ = 0;
}

void TimeKeeper::distrust(const TimeReading& reading) {
  trusted_ = false;
  server_offset_.reset();
  untrusted_before_ms_ = 0;
  untrusted_since_mono_ms_ = reading.mono_ms;
}

std::int64_t TimeKeeper::untrusted_for_ms(const TimeReading& reading) const {
  if (trusted_) return 0;
  return untrusted_before_ms_ + (reading.mono_ms - untrusted_since_mono_ms_);
}

void TimeKeeper::correct(UtcMs server_time, const TimeReading& reading) {
  now(reading);
  if (trusted_) return;
  reanchor(server_time, reading);
  server_offset_ = reading.wall - server_time;
}

std::int64_t TimeKeeper::take_correction() {
  return std::exchange(correction_, 0);
}

TimeMemory TimeKeeper::memory(const TimeReading& reading) {
  const UtcMs high = now(reading);
  return TimeMemory{high, boot_id_, reading.mono_ms, trusted_, untrusted_for_ms(reading)};
}

}  // namespace nightdrop::engine
