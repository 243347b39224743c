#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include <algorithm>
#include <charconv>

#include "firmware/nightdropd/hardware.hpp"
#include "hal/linux/system_clock.hpp"
#include "hal/sim/card_hooks.hpp"
#include "hal/sim/card_reader.hpp"
#include "hal/sim/sim_control.hpp"

namespace nightdrop::firmware {
namespace {

// https://host:port with nothing after; checked by the configuration.
std::pair<std::string, std::uint16_t> host_and_port(const std::string& url) {
  std::string rest = url.substr(url.find("//") + 2);
  const auto colon = rest.rfind(':');
  if (colon == std::string::npos || rest.back() == ']') return {rest, 443};
  std::uint16_t port = 443;
  std::from_chars(rest.data() + colon + 1, rest.data() + rest.size(), port);
  std::string host = rest.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return {host, port};
}

hal::SimLinkTable initial_links(const Config& config) {
  hal::SimLinkTable table{};
  for (std::size_t i = 0; i < route_count; ++i) {
    const SimLink& link = config.sim.links[i];
    hal::SimLinkSettings& settings = table[i];
    settings.mode = static_cast<hal::SimLinkMode>(link.state);
    settings.latency_ms = static_cast<int>(link.latency_ms);
    settings.loss_percent = static_cast<int>(link.loss_percent);
    settings.bytes_per_s = link.bytes_per_s;
    if (link.signal_dbm) settings.signal_dbm = static_cast<int>(*link.signal_dbm);
  }
  return table;
}
static_assert(static_cast<int>(SimLinkState::Captive) == static_cast<int>(hal::SimLinkMode::Captive));

class SimHardware final : public Hardware {
 public:
  SimHardware(asio::io_context& loop, const Config& config)
      : loop_(loop),
        config_(config),
        clock_(config.sim.world_file.empty() ? std::string() : config.sim.world_file + ".clock"),
        entropy_(system_entropy_, faults_),
        reader_(entropy_, post(), config.serial_number),
        tamper_(config.sim.world_file.empty() ? std::string() : config.sim.world_file + ".tamper") {}

  Result<void> start() {
    const auto [host, port] = host_and_port(config_.acquirer.url);
    hal::SimLinksConfig links{.acquirer_host = host,
                              .acquirer_port = port,
                              .initial = initial_links(config_),
                              .state_file = config_.sim.world_file};
    auto made = hal::SimLinks::create(std::move(links), post());
    if (!made) return std::unexpected(made.error());
    links_ = std::move(*made);
    return {};
  }

  hal::Clock& clock() override { return clock_; }
  hal::Entropy& entropy() override { return entropy_; }
  hal::CardReader& reader() override { return reader_; }
  hal::LinkMonitor& links() override { return *links_; }
  hal::Indicator& indicator() override { return indicator_; }
  hal::TamperMonitor& tamper() override { return tamper_; }
  hal::RouteBinding binding(Route route) const override {
    return {.interface = "", .connect_to = links_->connect_to(route)};
  }
  HardwareFaults faults() override {
    const auto take = [this](hal::SimFault kind) { return [this, kind] { return faults_.take(kind); }; };
    return {take(hal::SimFault::DiskFull), take(hal::SimFault::DiskError), take(hal::SimFault::CommitError),
            take(hal::SimFault::Vault)};
  }

  Result<void> open(std::function<void()> clock_changed) override {
    if (config_.sim_socket.empty()) return {};
    auto control = hal::SimControl::create(loop_, config_.sim_socket,
                                           {.links = *links_,
                                            .clock = clock_,
                                            .faults = faults_,
                                            .indicator = indicator_,
                                            .tamper = tamper_,
                                            .cards = hal::card_hooks(reader_),
                                            .on_clock_changed = std::move(clock_changed)});
    if (!control) return std::unexpected(control.error());
    control_ = std::move(*control);
    return {};
  }

 private:
  std::function<void(std::function<void()>)> post() {
    return [this](std::function<void()> work) { asio::post(loop_, std::move(work)); };
  }

  asio::io_context& loop_;
  const Config& config_;
  hal::SimFaults faults_;
  hal::SystemEntropy system_entropy_;
  hal::SimClock clock_;
  hal::SimEntropy entropy_;
  hal::SimIndicator indicator_;
  hal::SimCardReader reader_;
  hal::SimTamper tamper_;
  std::unique_ptr<hal::SimLinks> links_;
  std::unique_ptr<hal::SimControl> control_;
};

}  // namespace

Result<std::unique_ptr<Hardware>> make_sim_hardware(asio::io_context& loop, const Config& config) {
  auto hardware = std::make_unique<SimHardware>(loop, config);
  ND_TRY(hardware->start());
  return hardware;
}

}  // namespace nightdrop::firmware
