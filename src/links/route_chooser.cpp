#include "links/route_chooser.hpp"

#include <algorithm>

namespace nightdrop::links {
namespace {
constexpr std::array<Route, route_count> by_preference{Route::Ethernet, Route::Wifi, Route::Cellular};
}

void RouteChooser::link(const hal::LinkState& state, std::int64_t /*now_ms*/) {
  State& route = at(state.route);
  if (!state.up) {
    if (route.quality != Quality::Down) ++route.generation;
    route.quality = Quality::Down;
    route.due = false;
    return;
  }
  if (route.quality != Quality::Down) return;
  ++route.generation;
  route.quality = Quality::Unknown;
  route.due = true;
}

std::optional<Route> RouteChooser::good() const {
  for (const Route route : by_preference) {
    if (at(route).quality == Quality::Good) return route;
  }
  return std::nullopt;
}

NetworkStatus RouteChooser::status() const {
  if (good()) return NetworkStatus::Online;
  const bool undecided = std::ranges::any_of(routes_, [](const State& r) { return r.quality == Quality::Unknown; });
  return undecided ? NetworkStatus::Unknown : NetworkStatus::Offline;
}

bool RouteChooser::probing() const {
  return std::ranges::any_of(routes_, [](const State& r) {
    return r.quality != Quality::Down && (r.due || (r.probing && r.probe_generation == r.generation));
  });
}

std::optional<RouteChooser::Probe> RouteChooser::take_probe(std::int64_t now_ms, bool something_waits) {
  const std::int64_t interval = something_waits ? probe_interval_ms : idle_probe_interval_ms;
  for (const Route name : by_preference) {
    State& route = at(name);
    const bool in_flight = route.probing && route.probe_generation == route.generation;
    if (route.quality == Quality::Down || in_flight) continue;
    const bool again = route.quality == Quality::Bad && now_ms - route.probed_at_ms >= interval;
    if (!route.due && !again) continue;
    route.due = false;
    route.probing = true;
    route.probe_generation = route.generation;
    route.probed_at_ms = now_ms;
    return Probe{name, route.generation};
  }
  return std::nullopt;
}

void RouteChooser::probe_answered(const Probe& probe, std::int64_t now_ms, bool is_good) {
  State& route = at(probe.route);
  if (probe.generation != route.generation) return;
  route.probing = false;
  if (route.quality == Quality::Down) return;
  route.probed_at_ms = now_ms;
  route.quality = is_good ? Quality::Good : Quality::Bad;
}

void RouteChooser::suspect(Route name, bool dead) {
  State& route = at(name);
  if (route.quality == Quality::Down) return;
  if (dead) route.quality = Quality::Bad;
  route.due = true;
}

void RouteChooser::refresh() {
  for (State& route : routes_) {
    if (route.quality == Quality::Bad) route.due = true;
  }
}

std::optional<std::int64_t> RouteChooser::next_probe_at(std::int64_t now_ms, bool something_waits) const {
  const std::int64_t interval = something_waits ? probe_interval_ms : idle_probe_interval_ms;
  std::optional<std::int64_t> next;
  for (const State& route : routes_) {
    const bool in_flight = route.probing && route.probe_generation == route.generation;
    if (route.quality == Quality::Down || in_flight) continue;
    if (!route.due && route.quality != Quality::Bad) continue;
    const std::int64_t when = route.due ? now_ms : route.probed_at_ms + interval;
    next = next ? std::min(*next, when) : when;
  }
  return next;
}

}  // namespace nightdrop::links
