// Which route to the acquirer is used. A link that is up says nothing: only the acquirer's own answer to a probe over
// the pinned TLS makes a route good (RULES 25). Pure: told of links, probes and the monotonic time; says whom to probe
// next.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "hal/link_monitor.hpp"
#include "nightdrop/payment.hpp"

namespace nightdrop::links {

enum class Quality : std::uint8_t {
  Down,     // no link
  Unknown,  // up, and nobody has asked yet
  Good,     // the acquirer answered last
  Bad,      // up, but the acquirer did not answer
};

enum class NetworkStatus : std::uint8_t { Unknown, Online, Offline };

class RouteChooser {
 public:
  static constexpr std::int64_t probe_interval_ms = 1'000;        // while something waits (RULES 27)
  static constexpr std::int64_t idle_probe_interval_ms = 10'000;  // while nothing does

  void link(const hal::LinkState& state, std::int64_t now_ms);
  // The routes in order of preference: ethernet, wifi, cellular; the first good one.
  std::optional<Route> good() const;
  NetworkStatus status() const;
  bool probing() const;
  Quality quality(Route route) const { return at(route).quality; }

  struct Probe {
    Route route{Route::Wifi};
    std::uint64_t generation{0};  // of the link when the probe was sent
  };
  // The next route to probe now, if any; the caller sends the probe and reports back.
  std::optional<Probe> take_probe(std::int64_t now_ms, bool something_waits);
  // Ensures: the answer to a probe of an earlier life of the link changes nothing.
  void probe_answered(const Probe& probe, std::int64_t now_ms, bool good);
  // A request on the route failed in a way that tells of the route. The route stays good until a probe says otherwise,
  // unless `dead` (nothing was reached at all).
  void suspect(Route route, bool dead);
  // Routes that are bad are asked again at once (somebody is about to pay).
  void refresh();
  // When take_probe() may next give something; nothing when only an event can.
  std::optional<std::int64_t> next_probe_at(std::int64_t now_ms, bool something_waits) const;

 private:
  struct State {
    Quality quality{Quality::Down};
    bool probing{false};
    bool due{false};  // probe at once
    std::int64_t probed_at_ms{0};
    std::uint64_t generation{0};  // counts ups and downs, so that a late probe of an earlier life is not believed
    std::uint64_t probe_generation{0};
  };
  State& at(Route route) { return routes_[static_cast<std::size_t>(route)]; }
  const State& at(Route route) const { return routes_[static_cast<std::size_t>(route)]; }
  std::array<State, route_count> routes_{};
};

}  // namespace nightdrop::links
