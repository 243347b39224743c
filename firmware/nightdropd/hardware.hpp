// The hardware a daemon stands on, behind hal/'s ports: chosen by the configuration, owned here. A reader maker adds a
// variant (or puts a driver into hal/linux) and changes nothing else.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "config/config.hpp"
#include "hal/card_reader.hpp"
#include "hal/clock.hpp"
#include "hal/entropy.hpp"
#include "hal/indicator.hpp"
#include "hal/link_monitor.hpp"
#include "hal/linux/curl_host_link.hpp"
#include "hal/tamper_monitor.hpp"

namespace asio {
class io_context;
}

namespace nightdrop::firmware {

// Faults that the simulated hardware plays; never on real hardware.
struct HardwareFaults {
  std::function<bool()> disk_full, disk_error, commit_error, vault;
};

class Hardware {
 public:
  virtual ~Hardware() = default;
  virtual hal::Clock& clock() = 0;
  virtual hal::Entropy& entropy() = 0;
  virtual hal::CardReader& reader() = 0;
  virtual hal::LinkMonitor& links() = 0;
  virtual hal::Indicator& indicator() = 0;
  virtual hal::TamperMonitor& tamper() = 0;
  // How each route reaches the acquirer.
  virtual hal::RouteBinding binding(Route route) const = 0;
  virtual HardwareFaults faults() = 0;
  // Opens what outside may talk to the hardware by; after the terminal has started.
  virtual Result<void> open(std::function<void()> clock_changed) = 0;
};

// hal "sim": the simulated reader with its world socket. Errors: Io, Busy.
Result<std::unique_ptr<Hardware>> make_sim_hardware(asio::io_context& loop, const Config& config);

}  // namespace nightdrop::firmware
