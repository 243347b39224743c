#include "terminal/network.hpp"

#include <algorithm>

#include "nightdrop/words.hpp"

namespace nightdrop::terminal {
namespace {

const char* kind(Route route) {
  switch (route) {
    case Route::Ethernet: return "wired";
    case Route::Wifi: return "wireless";
    case Route::Cellular: return "cellular";
  }
  return "";
}

Json link_event(Route route, const char* state, const char* reason) {
  Json data = Json::object();
  data.set("link", word(route)).set("kind", kind(route)).set("state", state).set("reason", reason);
  return data;
}

}  // namespace

Network::Network(Books& books) : books_(books) {}

void Network::start() {
  for (const hal::LinkState& link : books_.ports().links.links()) chooser_.link(link, books_.mono_ms());
  books_.ports().links.on_change([this](const hal::LinkState& state) { link_changed(state); });
  tick(true);
}

void Network::link_changed(const hal::LinkState& state) {
  const bool was_up = chooser_.quality(state.route) != links::Quality::Down;
  chooser_.link(state, books_.mono_ms());
  if (was_up == state.up) return;
  if (!state.up) books_.ports().host.drop_route(state.route);
  (void)books_.write([&] {
    return books_.journal("link.changed",
                          link_event(state.route, state.up ? "up" : "down", state.up ? "link_up" : "link_lost"));
  });
  tick(waits_);
  settle();
}

void Network::refresh() {
  chooser_.refresh();
  tick(waits_);
}

void Network::suspect(Route route, bool dead) {
  const auto before = chooser_.quality(route);
  chooser_.suspect(route, dead);
  tell_quality(route, before);
  tick(waits_);
  settle();
}

void Network::tick(bool something_waits) {
  waits_ = something_waits;
  const std::int64_t now = books_.mono_ms();
  needs_time_ = !books_.clock().trusted;
  // A good route is not probed by itself, and only a probe brings the acquirer's time.
  if (const auto route = chooser_.good(); route && needs_time_ && now >= ask_time_at_ms_) {
    ask_time_at_ms_ = now + ask_time_every_ms;
    chooser_.suspect(*route, false);
  }
  while (const auto next = chooser_.take_probe(books_.mono_ms(), something_waits)) probe(*next);
}

std::optional<std::int64_t> Network::next_tick_ms(bool something_waits) const {
  auto next = chooser_.next_probe_at(books_.mono_ms(), something_waits);
  if (needs_time_ && chooser_.good()) next = std::min(next.value_or(ask_time_at_ms_), ask_time_at_ms_);
  return next;
}

void Network::probe(links::RouteChooser::Probe probe) {
  hal::HostRequest request = acquirer::capabilities_request(books_.settings().merchant);
  request.route = probe.route;
  request.timeout = probe_timeout;
  books_.ports().host.send(std::move(request), [this, probe](const hal::HostOutcome& outcome) {
    const Route route = probe.route;
    const auto capabilities = acquirer::read_capabilities(outcome);
    const auto before = chooser_.quality(route);
    chooser_.probe_answered(probe, books_.mono_ms(), capabilities.has_value());
    if (capabilities) {
      capabilities_ = *capabilities;
      books_.server_time(capabilities->server_time);
    }
    tell_quality(route, before);
    settle();
  });
}

void Network::tell_quality(Route route, links::Quality before) {
  const auto after = chooser_.quality(route);
  if (after == before || (after != links::Quality::Good && before != links::Quality::Good)) return;
  const bool good = after == links::Quality::Good;
  (void)books_.write([&] {
    return books_.journal("link.changed",
                          link_event(route, good ? "good" : "bad", good ? "acquirer_answered" : "no_answer"));
  });
}

void Network::settle() {
  const auto status = chooser_.status();
  const auto route = chooser_.good();
  if (status == told_status_ && route == told_route_) {
    if (probed_ && !undecided()) probed_();
    return;
  }
  const bool returned = route.has_value() && !told_route_;
  told_status_ = status;
  told_route_ = route;
  if (changed_) changed_(returned);
}

}  // namespace nightdrop::terminal
