// Port: time. The engine never believes the wall clock by itself; it asks whether it is trusted.
#pragma once

#include <chrono>
#include <string>

#include "nightdrop/payment.hpp"

namespace nightdrop::hal {

struct WallReading {
  UtcMs utc_ms{0};
  bool trusted{false};  // set by NTP, GNSS, the network or a battery-backed RTC that says it is good
};

class Clock {
 public:
  virtual ~Clock() = default;
  // Never goes back while the device runs, also across suspend (CLOCK_BOOTTIME).
  virtual std::chrono::milliseconds monotonic() const = 0;
  virtual WallReading wall() const = 0;
  // Changes with each start of the device; monotonic() values of two boots cannot be compared.
  virtual std::string boot_id() const = 0;
};

}  // namespace nightdrop::hal
