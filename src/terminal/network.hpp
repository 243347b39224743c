// The path to the acquirer: link changes and probes in, "online by this route" out. A probe is GET /v1/capabilities;
// its answer also brings the acquirer's clock and what it can do.
#pragma once

#include <functional>
#include <optional>

#include "acquirer/https/answer.hpp"
#include "links/route_chooser.hpp"
#include "terminal/books.hpp"

namespace nightdrop::terminal {

class Network {
 public:
  static constexpr std::chrono::milliseconds probe_timeout{3'000};  // RULES 25
  static constexpr std::int64_t ask_time_every_ms = 10'000;         // while the clock is not trusted

  explicit Network(Books& books);
  // Reads the links and begins to probe.
  void start();
  // Called in the loop, after the network's status or route changed. `returned`: a path came back.
  void on_change(std::function<void(bool returned)> changed) { changed_ = std::move(changed); }
  // Called in the loop, after probes ended without such a change: who waited for them goes on.
  void on_probed(std::function<void()> probed) { probed_ = std::move(probed); }

  std::optional<Route> route() const { return chooser_.good(); }
  links::NetworkStatus status() const { return chooser_.status(); }
  // Nothing is known yet, but soon will be.
  bool undecided() const { return !chooser_.good() && chooser_.probing(); }
  std::size_t batch() const { return capabilities_.batch; }

  void refresh();                        // somebody is about to pay: ask bad routes again now
  void suspect(Route route, bool dead);  // a request told something about its route
  void tick(bool something_waits);       // sends probes that are due
  std::optional<std::int64_t> next_tick_ms(bool something_waits) const;  // monotonic

 private:
  void probe(links::RouteChooser::Probe probe);
  void link_changed(const hal::LinkState& state);
  void settle();  // tells of a change, once
  void tell_quality(Route route, links::Quality before);

  Books& books_;
  links::RouteChooser chooser_;
  acquirer::Capabilities capabilities_;
  std::function<void(bool)> changed_;
  std::function<void()> probed_;
  links::NetworkStatus told_status_{links::NetworkStatus::Unknown};
  std::optional<Route> told_route_;
  bool waits_{false};
  bool needs_time_{false};          // the clock is not trusted: the acquirer's is asked for
  std::int64_t ask_time_at_ms_{0};  // monotonic
};

}  // namespace nightdrop::terminal
