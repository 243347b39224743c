// Params are checked whole before anything happens: a call either has its full effect or none, and a misspelt field is
// never ignored.
#include "hal/sim/sim_methods.hpp"

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <optional>

#include "nightdrop/time_text.hpp"

namespace nightdrop::hal {
namespace {

std::unexpected<SimRpcError> wrong(std::string_view field, std::string_view message) {
  return std::unexpected(SimRpcError{-32602, std::string(message), std::string(field)});
}

// The first of the params' fields that is none of `known`.
std::optional<SimRpcError> unknown_field(JsonView params, std::initializer_list<std::string_view> known) {
  for (const JsonView& member : params.items()) {
    if (std::ranges::find(known, member.key()) == known.end())
      return SimRpcError{-32602, "this field is unknown", std::string(member.key())};
  }
  return std::nullopt;
}

// An optional whole number in a range; `otherwise` where it is absent.
std::expected<std::int64_t, SimRpcError> number(JsonView params, std::string_view field, std::int64_t least,
                                                std::int64_t most, std::int64_t otherwise) {
  const JsonView value = params[field];
  if (!value.exists()) return otherwise;
  const auto given = value.integer();
  if (!given || *given < least || *given > most) {
    return wrong(field, "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  }
  return *given;
}

template <class Enum>
std::expected<Enum, SimRpcError> choice(JsonView params, std::string_view field) {
  const auto text = params[field].string();
  const auto value = text ? from_word<Enum>(*text) : std::nullopt;
  if (value) return *value;
  std::string message = "must be one of";
  for (const auto& [each, name] : words<Enum>) message += " " + std::string(name);
  return wrong(field, message);
}

constexpr std::int64_t delay_ms_max = 3'600'000;
constexpr std::int64_t repeat_max = 10'000;
constexpr std::int64_t advance_s_max = 10LL * 366 * 86'400;

}  // namespace

SimRpcResult SimMethods::call(std::string_view method, JsonView params) {
  if (method == "list_cards") return list_cards(params);
  if (method == "present_card") return present_card(params);
  if (method == "remove_card") return remove_card(params);
  if (method == "set_link") return set_link(params);
  if (method == "set_clock") return set_clock(params);
  if (method == "fail") return fail(params);
  if (method == "tamper") return tamper(params);
  if (method == "get_state") return get_state(params);
  return std::unexpected(SimRpcError{-32601, "there is no such method", ""});
}

SimRpcResult SimMethods::list_cards(JsonView params) {
  if (auto error = unknown_field(params, {})) return std::unexpected(*error);
  Json result = Json::object();
  result.set("cards", world_.cards.catalogue());
  return result;
}

// The card is `card` (a name, or an object), or the params themselves without what says when.
SimRpcResult SimMethods::present_card(JsonView params) {
  const auto delay = number(params, "delay_ms", 0, delay_ms_max, 0);
  if (!delay) return std::unexpected(delay.error());
  const auto repeat = number(params, "repeat", 1, repeat_max, 1);
  if (!repeat) return std::unexpected(repeat.error());
  Json card;
  if (params["card"].exists()) {
    if (auto error = unknown_field(params, {"card", "delay_ms", "repeat"})) return std::unexpected(*error);
    if (!params["card"].is_string() && !params["card"].is_object())
      return wrong("card", "must be a card's name or an object");
    card = params["card"].copy();
  } else if (params["pan"].exists()) {
    card = Json::object();
    for (const JsonView& member : params.items()) {
      if (member.key() != "delay_ms" && member.key() != "repeat") card.set(member.key(), member);
    }
  } else {
    return wrong("card", "is missing");
  }
  if (auto checked = world_.cards.check(card.view()); !checked)
    return wrong(checked.error().field, checked.error().message);
  const int times = static_cast<int>(*repeat);
  if (*delay == 0) {
    world_.cards.present(card.view(), times);
  } else {
    after_(std::chrono::milliseconds(*delay), [this, text = card.dump(), times] {
      if (const auto later = Json::parse(text)) world_.cards.present(later->view(), times);
    });
  }
  return Json::object();
}

SimRpcResult SimMethods::remove_card(JsonView params) {
  if (auto error = unknown_field(params, {})) return std::unexpected(*error);
  world_.cards.remove();
  return Json::object();
}

SimRpcResult SimMethods::set_link(JsonView params) {
  if (auto error =
          unknown_field(params, {"link", "state", "latency_ms", "loss_percent", "bytes_per_s", "signal_dbm"})) {
    return std::unexpected(*error);
  }
  const auto route = choice<Route>(params, "link");
  if (!route) return std::unexpected(route.error());
  const auto mode = choice<SimLinkMode>(params, "state");
  if (!mode) return std::unexpected(mode.error());
  SimLinkSettings settings = world_.links.settings(*route);  // what is not named stays
  const auto latency = number(params, "latency_ms", 0, 60'000, settings.latency_ms);
  if (!latency) return std::unexpected(latency.error());
  const auto loss = number(params, "loss_percent", 0, 100, settings.loss_percent);
  if (!loss) return std::unexpected(loss.error());
  const auto rate = number(params, "bytes_per_s", 0, 1'000'000'000, settings.bytes_per_s);
  if (!rate) return std::unexpected(rate.error());
  const auto signal = number(params, "signal_dbm", -150, 0, settings.signal_dbm.value_or(0));
  if (!signal) return std::unexpected(signal.error());
  settings.mode = *mode;
  settings.latency_ms = static_cast<int>(*latency);
  settings.loss_percent = static_cast<int>(*loss);
  settings.bytes_per_s = *rate;
  if (params["signal_dbm"].exists()) settings.signal_dbm = static_cast<int>(*signal);
  world_.links.set(*route, settings);
  return link_json(*route);
}

SimRpcResult SimMethods::set_clock(JsonView params) {
  if (auto error = unknown_field(params, {"utc", "trusted", "advance_s", "reboot"})) return std::unexpected(*error);
  const JsonView utc = params["utc"];
  const JsonView trusted = params["trusted"];
  const JsonView reboot = params["reboot"];
  std::optional<UtcMs> time = utc.integer();
  if (const auto text = utc.string()) time = parse_rfc3339(*text);
  if (utc.exists() && !time) return wrong("utc", "must be an RFC 3339 time, or milliseconds since 1970");
  if (trusted.exists() && !trusted.is_bool()) return wrong("trusted", "must be true or false");
  if (reboot.exists() && !reboot.is_bool()) return wrong("reboot", "must be true or false");
  const auto advance = number(params, "advance_s", 0, advance_s_max, 0);
  if (!advance) return std::unexpected(advance.error());
  if (params["advance_s"].exists() && (utc.exists() || trusted.exists())) {
    return wrong("advance_s", "does not go with utc or trusted");
  }
  if (params.size() == 0) return wrong("utc", "utc, trusted or advance_s is missing");
  if (time) world_.clock.set_utc(*time);
  if (trusted.exists()) world_.clock.set_trusted(trusted.boolean().value_or(true));
  if (*advance > 0) world_.clock.advance(std::chrono::seconds(*advance));
  if (reboot.boolean().value_or(false)) world_.clock.reboot_at_next_start();
  if (world_.on_clock_changed) world_.on_clock_changed();
  return clock_json();
}

SimRpcResult SimMethods::fail(JsonView params) {
  if (auto error = unknown_field(params, {"what", "count"})) return std::unexpected(*error);
  const auto kind = choice<SimFault>(params, "what");
  if (!kind) return std::unexpected(kind.error());
  const auto count = number(params, "count", 0, std::numeric_limits<std::int32_t>::max(), 1);
  if (!count) return std::unexpected(count.error());
  world_.faults.order(*kind, static_cast<std::uint32_t>(*count));
  return Json::object();
}

SimRpcResult SimMethods::tamper(JsonView params) {
  if (auto error = unknown_field(params, {"clear"})) return std::unexpected(*error);
  const JsonView clear = params["clear"];
  if (clear.exists() && !clear.is_bool()) return wrong("clear", "must be true or false");
  const auto latched = clear.boolean().value_or(false) ? world_.tamper.clear() : world_.tamper.spring();
  if (!latched) return std::unexpected(SimRpcError{-32603, "the latch's file could not be written", ""});
  return std::move(Json::object().set("tampered", world_.tamper.tampered()));
}

SimRpcResult SimMethods::get_state(JsonView params) {
  if (auto error = unknown_field(params, {})) return std::unexpected(*error);
  Json links = Json::object();
  for (const auto& [route, name] : words<Route>) links.set(name, link_json(route));
  Json faults = Json::object();
  for (const auto& [kind, name] : words<SimFault>) faults.set(name, world_.faults.left(kind));
  Json state = Json::object();
  state.set("links", std::move(links))
      .set("prompts", world_.cards.prompts())
      .set("indicator", word(world_.indicator.last()))
      .set("clock", clock_json())
      .set("tampered", world_.tamper.tampered())
      .set("faults", std::move(faults));
  return state;
}

Json SimMethods::link_json(Route route) const {
  const SimLinkSettings& settings = world_.links.settings(route);
  Json json = Json::object();
  json.set("link", word(route))
      .set("state", word(settings.mode))
      .set("latency_ms", settings.latency_ms)
      .set("loss_percent", settings.loss_percent)
      .set("bytes_per_s", settings.bytes_per_s)
      .set("signal_dbm", settings.signal_dbm);
  return json;
}

Json SimMethods::clock_json() const {
  const WallReading wall = world_.clock.wall();
  Json json = Json::object();
  json.set("utc", rfc3339(wall.utc_ms))
      .set("trusted", wall.trusted)
      .set("monotonic_ms", std::int64_t{world_.clock.monotonic().count()})
      .set("boot_id", world_.clock.boot_id());
  return json;
}

}  // namespace nightdrop::hal
