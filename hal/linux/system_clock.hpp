// The device's own time, randomness and watchdog: Linux system calls and nothing else.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "hal/clock.hpp"
#include "hal/entropy.hpp"
#include "hal/indicator.hpp"

namespace nightdrop::hal {

// CLOCK_BOOTTIME and CLOCK_REALTIME; trusted while the kernel says that its clock is synchronised (adjtimex).
class SystemClock final : public Clock {
 public:
  SystemClock();
  std::chrono::milliseconds monotonic() const override;
  WallReading wall() const override;
  std::string boot_id() const override { return boot_id_; }

 private:
  std::string boot_id_;
};

// getrandom(2); waits for the kernel's pool at early boot.
class SystemEntropy final : public Entropy {
 public:
  [[nodiscard]] Result<void> fill(std::span<std::uint8_t> bytes) override;
};

// systemd's watchdog by NOTIFY_SOCKET, without libsystemd. Does nothing where there is none. Not thread-safe.
class SystemdWatchdog final : public Watchdog {
 public:
  // Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID of the environment.
  SystemdWatchdog();
  ~SystemdWatchdog() override;
  SystemdWatchdog(const SystemdWatchdog&) = delete;
  SystemdWatchdog& operator=(const SystemdWatchdog&) = delete;

  // Sends WATCHDOG=1 where the supervisor asked for it, at most twice each interval().
  void feed() override;
  // READY=1: the service takes connections.
  void notify_ready();
  // STOPPING=1: an ordered end has begun.
  void notify_stopping();
  // How often the loop should turn at least; nothing when there is no watchdog. A third of the supervisor's limit.
  std::optional<std::chrono::milliseconds> interval() const { return interval_; }

 private:
  void notify(const char* state);

  int socket_{-1};
  std::optional<std::chrono::milliseconds> interval_;
  std::optional<std::chrono::steady_clock::time_point> fed_at_;
};

}  // namespace nightdrop::hal
