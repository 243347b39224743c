// The engine's own time. It is anchored once to a reading that can be believed and then runs on the monotonic clock, so
// a jump of the wall clock moves no deadline. What is believed: the acquirer's server_time always; the wall clock when
// it says it is trusted and agrees with what is known (the highest time ever seen, and in the same boot the monotonic
// clock). Otherwise time goes on from the highest seen and counts as untrusted until server_time corrects it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "nightdrop/payment.hpp"

namespace nightdrop::engine {

struct TimeReading {
  std::int64_t mono_ms{0};
  UtcMs wall{0};
  bool wall_trusted{false};
};

// What is kept on disk of it, written with each commit.
struct TimeMemory {
  UtcMs high{0};            // the highest engine time seen
  std::string boot_id;      // the boot of that reading
  std::int64_t mono_ms{0};  // its monotonic clock
  bool trusted{true};
  std::int64_t untrusted_for_ms{0};
};

class TimeKeeper {
 public:
  // How far a wall clock may be off the monotonic clock's tale within one boot before it is disbelieved.
  static constexpr std::int64_t tolerance_ms = 60'000;
  // How long a reader is believed to have been switched off. A wall clock further ahead needs server_time.
  static constexpr std::int64_t plausible_gap_ms = 30LL * 86'400'000;

  // Takes up where `memory` left off. `floor` is a time it cannot be before (the policy's valid_from); used where
  // memory holds nothing.
  TimeKeeper(const TimeMemory& memory, const std::string& boot_id, const TimeReading& reading, UtcMs floor);

  // Engine time at the reading. Never goes back, corrections by the acquirer aside.
  UtcMs now(const TimeReading& reading);
  bool trusted() const { return trusted_; }
  std::int64_t untrusted_for_ms(const TimeReading& reading) const;

  // The acquirer's clock. Corrects an untrusted clock; a trusted one is left alone (two good clocks may disagree).
  void correct(UtcMs server_time, const TimeReading& reading);
  // By how much engine time was moved since the last call: times that were taken while it was untrusted are off by that
  // much, and the caller moves them. Usually 0.
  std::int64_t take_correction();

  TimeMemory memory(const TimeReading& reading);

 private:
  void check_wall(const TimeReading& reading);
  void distrust(const TimeReading& reading);
  void reanchor(UtcMs time, const TimeReading& reading);
  UtcMs expected(const TimeReading& reading) const { return anchor_ + (reading.mono_ms - anchor_mono_ms_); }

  std::string boot_id_;
  UtcMs anchor_{0};  // engine time at anchor_mono_ms_
  std::int64_t anchor_mono_ms_{0};
  UtcMs high_{0};
  bool trusted_{true};
  bool anchored_{
      true};  // engine time was good at some moment of this boot: only agreement or the acquirer restores trust
  std::int64_t correction_{0};
  std::optional<std::int64_t> server_offset_;  // wall minus engine time when server_time was last believed
  std::int64_t untrusted_before_ms_{0};        // in earlier boots
  std::int64_t untrusted_since_mono_ms_{0};
};

}  // namespace nightdrop::engine
