// The relays' thread, and what the engine is told of the links. The table here is the loop's; a relay has its own copy,
// which changes on its own thread while set() waits.
#include "hal/sim/sim_links.hpp"

#include <csignal>
#include <future>
#include <thread>
#include <utility>

#include <pthread.h>

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include "hal/sim/relay.hpp"
#include "hal/sim/sim_state_file.hpp"
#include "json/json.hpp"

namespace nightdrop::hal {
namespace {

std::size_t index_of(Route route) {
  return static_cast<std::size_t>(route);
}

// What the device itself can see of a link.
LinkState visible(Route route, const SimLinkSettings& settings) {
  return {route, settings.mode != SimLinkMode::Down, settings.signal_dbm};
}

Json settings_json(const SimLinkSettings& settings) {
  Json json = Json::object();
  json.set("state", word(settings.mode))
      .set("latency_ms", settings.latency_ms)
      .set("loss_percent", settings.loss_percent)
      .set("bytes_per_s", settings.bytes_per_s)
      .set("signal_dbm", settings.signal_dbm);
  return json;
}

SimLinkSettings settings_of(JsonView json, SimLinkSettings settings) {
  if (const auto mode = from_word<SimLinkMode>(json["state"].string().value_or(""))) settings.mode = *mode;
  settings.latency_ms = static_cast<int>(json["latency_ms"].integer().value_or(settings.latency_ms));
  settings.loss_percent = static_cast<int>(json["loss_percent"].integer().value_or(settings.loss_percent));
  settings.bytes_per_s = json["bytes_per_s"].integer().value_or(settings.bytes_per_s);
  if (const auto signal = json["signal_dbm"].integer()) settings.signal_dbm = static_cast<int>(*signal);
  return settings;
}

}  // namespace

struct SimLinks::Listener {
  std::function<void(const LinkState&)> changed;
};

class SimLinks::Relays {
 public:
  explicit Relays(const SimLinksConfig& config) : work_(context_.get_executor()) {
    for (std::size_t i = 0; i < route_count; ++i) {
      relays_[i] = std::make_unique<Relay>(context_, config.acquirer_host, config.acquirer_port,
                                           config.seed + static_cast<std::uint32_t>(i));
    }
  }
  ~Relays() {
    context_.stop();
    if (thread_.joinable()) thread_.join();
  }
  Relays(const Relays&) = delete;
  Relays& operator=(const Relays&) = delete;

  Result<void> start(const SimLinkTable& table) {
    for (std::size_t i = 0; i < route_count; ++i) {
      ND_TRY(relays_[i]->reserve());
      ND_TRY(relays_[i]->apply(table[i]));
    }
    // Signals are the main thread's.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    thread_ = std::thread([this] { context_.run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return {};
  }
  std::uint16_t port(Route route) const { return relays_[index_of(route)]->port(); }
  // Waits: the relays' thread never blocks, and what a test was told has happened has happened.
  void apply(Route route, const SimLinkSettings& settings) {
    std::promise<void> applied;
    asio::post(context_, [&] {
      const auto result = relays_[index_of(route)]->apply(settings);
      ND_ASSERT(result.has_value());  // the port is ours, so it can be listened on
      applied.set_value();
    });
    applied.get_future().wait();
  }

 private:
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::array<std::unique_ptr<Relay>, route_count> relays_;
  std::thread thread_;
};

SimLinks::SimLinks(SimLinksConfig config, Post post, std::unique_ptr<Relays> relays)
    : config_(std::move(config)),
      table_(config_.initial),
      listener_(std::make_shared<Listener>()),
      post_(std::move(post)),
      relays_(std::move(relays)) {}

SimLinks::~SimLinks() = default;

Result<std::unique_ptr<SimLinks>> SimLinks::create(SimLinksConfig config, Post post) {
  if (!config.state_file.empty()) {
    if (const auto saved = read_sim_state(config.state_file)) {
      for (const auto& [route, name] : words<Route>) {
        SimLinkSettings& settings = config.initial[index_of(route)];
        settings = settings_of((*saved)[name], settings);
      }
    }
  }
  auto relays = std::make_unique<Relays>(config);
  if (auto started = relays->start(config.initial); !started) return std::unexpected(started.error());
  return std::unique_ptr<SimLinks>(new SimLinks(std::move(config), std::move(post), std::move(relays)));
}

std::string SimLinks::connect_to(Route route) const {
  return "127.0.0.1:" + std::to_string(relays_->port(route));
}

void SimLinks::set(Route route, const SimLinkSettings& settings) {
  SimLinkSettings& current = table_[index_of(route)];
  const LinkState before = visible(route, current);
  const LinkState after = visible(route, settings);
  current = settings;
  relays_->apply(route, settings);
  save();
  if (before.up == after.up && before.signal_dbm == after.signal_dbm) return;
  post_([listener = std::weak_ptr<Listener>(listener_), after] {
    const auto alive = listener.lock();
    if (alive != nullptr && alive->changed) alive->changed(after);
  });
}

const SimLinkSettings& SimLinks::settings(Route route) const {
  return table_[index_of(route)];
}

std::vector<LinkState> SimLinks::links() const {
  std::vector<LinkState> all;
  for (const auto& [route, name] : words<Route>) all.push_back(visible(route, table_[index_of(route)]));
  return all;
}

void SimLinks::on_change(std::function<void(const LinkState&)> changed) {
  listener_->changed = std::move(changed);
}

void SimLinks::save() const {
  if (config_.state_file.empty()) return;
  Json state = Json::object();
  for (const auto& [route, name] : words<Route>) state.set(name, settings_json(table_[index_of(route)]));
  static_cast<void>(write_sim_state(config_.state_file, state.view()));  // best effort, as the clock's
}

}  // namespace nightdrop::hal
