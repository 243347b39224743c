// Clocks that a test can set. SimClock runs on the machine's clocks plus offsets and keeps the offsets in a file, so
// that a daemon that is killed comes back into the same simulated time. ManualClock stands still until it is moved.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "hal/clock.hpp"
#include "nightdrop/result.hpp"

namespace nightdrop::hal {

class SimClock final : public Clock {
 public:
  // `state_file`: where the offsets are kept; empty: nowhere. A missing or unreadable file is a clock without offsets.
  explicit SimClock(std::string state_file = {});

  std::chrono::milliseconds monotonic() const override;
  WallReading wall() const override;
  std::string boot_id() const override;

  // Sets the wall clock alone, as a person or a flat battery does.
  void set_utc(UtcMs utc);
  void set_trusted(bool trusted);
  // Time passes: both clocks move. Requires: by >= 0.
  void advance(std::chrono::milliseconds by);
  // The next SimClock on the same file is another boot of the device: a new boot_id, and monotonic() from 0. The
  // running one stays as it is, because monotonic() may not go back.
  void reboot_at_next_start();

  // Writes the offsets now; each change above did so already. Errors: Io.
  Result<void> save() const;

 private:
  void load();

  std::string state_file_;
  std::string os_boot_id_;
  std::int64_t wall_offset_ms_{0};
  std::int64_t monotonic_offset_ms_{0};
  std::int64_t boots_{0};
  bool reboot_pending_{false};
  bool trusted_{true};
};

// Virtual time for tests: nothing moves by itself.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(UtcMs utc = 1'800'000'000'000) : utc_(utc) {}

  std::chrono::milliseconds monotonic() const override { return monotonic_; }
  WallReading wall() const override { return {utc_, trusted_}; }
  std::string boot_id() const override { return boot_id_; }

  void advance(std::chrono::milliseconds by) {
    monotonic_ += by;
    utc_ += by.count();
  }
  void set_utc(UtcMs utc) { utc_ = utc; }
  void set_trusted(bool trusted) { trusted_ = trusted; }
  void reboot(std::string boot_id) {
    boot_id_ = std::move(boot_id);
    monotonic_ = std::chrono::milliseconds{0};
  }

 private:
  std::chrono::milliseconds monotonic_{0};
  UtcMs utc_;
  bool trusted_{true};
  std::string boot_id_{"manual-boot-1"};
};

}  // namespace nightdrop::hal
