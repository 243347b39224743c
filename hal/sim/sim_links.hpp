// The simulated device's links. Each route is a loopback port that carries real TCP to the acquirer's address, and does
// to it what its link does: delay, loss, a rate, a reset, silence, or another server that answers in the acquirer's
// place. The relays run on a thread of their own, which sleeps while nothing moves.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hal/link_monitor.hpp"
#include "nightdrop/result.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop {
namespace hal {
enum class SimLinkMode : std::uint8_t {
  Up,
  Down,       // connections are reset, connects refused, at once
  Blackhole,  // connects, nothing comes back; what was open freezes, and goes on if the link comes up again
  Captive,    // another server answers (a login page in plain HTTP): the TLS handshake fails
};
}  // namespace hal

template <>
inline constexpr auto words<hal::SimLinkMode> = std::to_array({
    std::pair{hal::SimLinkMode::Up, std::string_view("up")},
    std::pair{hal::SimLinkMode::Down, std::string_view("down")},
    std::pair{hal::SimLinkMode::Blackhole, std::string_view("blackhole")},
    std::pair{hal::SimLinkMode::Captive, std::string_view("captive")},
});

namespace hal {

struct SimLinkSettings {
  SimLinkMode mode{SimLinkMode::Down};
  int latency_ms{0};            // round trip; half of it each way, and one whole for a TCP connect
  int loss_percent{0};          // of segments; a lost one comes a retransmission later, with all that follows it
  std::int64_t bytes_per_s{0};  // of the link, each way, shared by its connections; 0: no limit
  std::optional<int> signal_dbm;
  bool operator==(const SimLinkSettings&) const = default;
};
using SimLinkTable = std::array<SimLinkSettings, route_count>;  // by Route

struct SimLinksConfig {
  std::string acquirer_host;  // an address or a name
  std::uint16_t acquirer_port{0};
  SimLinkTable initial = default_links();
  std::string state_file;  // keeps the links over a restart of the process; empty: initial at each start
  std::uint32_t seed{1};   // of the losses

  // Wi-Fi up, ethernet and cellular down.
  static SimLinkTable default_links() {
    SimLinkTable table{};
    table[static_cast<std::size_t>(Route::Wifi)] = {.mode = SimLinkMode::Up, .signal_dbm = -55};
    table[static_cast<std::size_t>(Route::Cellular)].signal_dbm = -85;
    return table;
  }
};

class SimLinks final : public LinkMonitor {
 public:
  // Runs a function on the loop's thread, later.
  using Post = std::function<void(std::function<void()>)>;

  // Opens the loopback ports and starts the thread. Errors: Io.
  // Lifetime: what `post` runs on outlives it.
  static Result<std::unique_ptr<SimLinks>> create(SimLinksConfig config, Post post);
  ~SimLinks() override;
  SimLinks(const SimLinks&) = delete;
  SimLinks& operator=(const SimLinks&) = delete;

  // Where a client of the route connects to in the acquirer's place, "127.0.0.1:port"; the same for the object's life.
  std::string connect_to(Route route) const;

  // Puts the settings into force before it returns. The monitor's callback follows, posted, if what the device can see
  // of the link (carrier, signal) changed: a black hole and a portal it cannot see. On the loop's thread.
  void set(Route route, const SimLinkSettings& settings);
  const SimLinkSettings& settings(Route route) const;

  std::vector<LinkState> links() const override;
  void on_change(std::function<void(const LinkState&)> changed) override;

 private:
  class Relays;
  SimLinks(SimLinksConfig config, Post post, std::unique_ptr<Relays> relays);
  void save() const;

  SimLinksConfig config_;
  SimLinkTable table_;
  // Posted callbacks hold it weakly: they may run after this object is gone.
  struct Listener;
  std::shared_ptr<Listener> listener_;
  Post post_;
  std::unique_ptr<Relays> relays_;
};

}  // namespace hal
}  // namespace nightdrop
