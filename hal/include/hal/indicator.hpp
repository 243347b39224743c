// Ports: what the device shows of itself, and what restarts it when it hangs. Best effort both.
#pragma once

#include <cstdint>

namespace nightdrop::hal {

enum class Indication : std::uint8_t { Idle, AwaitingCard, Processing, Approved, StoredOffline, Refused, Attention };

class Indicator {
 public:
  virtual ~Indicator() = default;
  virtual void show(Indication indication) = 0;
};

class Watchdog {
 public:
  virtual ~Watchdog() = default;
  // Fed by a completed turn of the loop and by nothing else.
  virtual void feed() = 0;
};

}  // namespace nightdrop::hal
