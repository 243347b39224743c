// `nightdrop events`: the journal's events as they come, one a line.
#include <algorithm>
#include <chrono>
#include <utility>

#include "cli/commands.hpp"
#include "nightdrop/time_text.hpp"
#include "report/currency.hpp"

namespace nightdrop::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto caught_up_after = 500ms;
constexpr auto slice = 250ms;

std::string text_of(JsonView value) {
  return report::printable(value.string().value_or(std::string_view()));
}

// What an event says beside its type, short.
std::string summary(std::string_view type, JsonView data) {
  if (type.starts_with("payment_intent.")) {
    return text_of(data["merchant_reference"]) + "  " +
           report::money(data["amount"].integer().value_or(0), data["currency"].string().value_or("usd"));
  }
  if (type == "offline_status.changed") {
    return text_of(data["network_status"]) + ", " +
           std::to_string(data["offline_payments_count"].integer().value_or(0)) + " stored";
  }
  if (type == "sync.completed") {
    return std::to_string(data["succeeded"].integer().value_or(0)) + " approved, " +
           std::to_string(data["declined"].integer().value_or(0)) + " declined";
  }
  if (type == "link.changed")
    return text_of(data["link"]) + ' ' + text_of(data["state"]) +
           (data["reason"].is_string() ? ", " + text_of(data["reason"]) : "");
  if (type == "sync.started") return data["route"].is_string() ? "over " + text_of(data["route"]) : std::string();
  std::string all;
  for (const JsonView value : data.items()) {
    if (value.is_object() || value.is_array() || value.is_null()) continue;
    all += (all.empty() ? "" : ", ") + report::printable(value.key()) + ' ' +
           (value.is_string() ? text_of(value) : report::printable(value.dump()));
  }
  return all;
}

std::string event_line(JsonView event, const report::Style& style) {
  const std::string type = text_of(event["type"]);
  const auto at = parse_rfc3339(event["created"].string().value_or(std::string_view()));
  const std::size_t dot = type.find('.');
  const report::Tone tone = dot == std::string::npos ? report::Tone::Plain : report::status_tone(type.substr(dot + 1));
  const std::string head = report::right(std::to_string(event["seq"].integer().value_or(0)), 6) + "  " +
                           report::left(at ? local_time(*at, style, true).substr(5) : std::string(), 14) + "  ";
  const std::string padded = report::left(type, 32);
  const std::size_t used = report::display_width(head) + report::display_width(padded) + 1;
  const std::string rest = report::clipped(summary(type, event["data"]),
                                           std::max<std::size_t>(style.width > used ? style.width - used : 0, 28));
  return report::toned(head, report::Tone::Dim, style) +
         report::toned(padded, type.starts_with("payment_intent.") ? tone : report::Tone::Plain, style) + ' ' + rest +
         '\n';
}

std::expected<void, Failure> acknowledge(Session& session, const std::string& consumer, std::int64_t through) {
  Json params = Json::object();
  params.set("consumer", consumer).set("through", through);
  if (const auto done = session.call("acknowledge_events", params); !done) return std::unexpected(done.error());
  return {};
}

}  // namespace

int run_events(Session& session, const EventsOptions& options) {
  Json params = Json::object();
  params.set("consumer", options.consumer);
  if (options.after) params.set("after", *options.after);
  if (!options.types.empty()) {
    Json types = Json::array();
    for (const std::string& type : options.types) types.push(Json::string(type));
    params.set("types", std::move(types));
  }
  const auto subscribed = session.call("subscribe", params);
  if (!subscribed) return session.fail(subscribed.error());
  const auto client = session.client();
  if (!client) return session.fail(client.error());

  Interrupts interrupts;
  std::int64_t last_seq = 0;
  std::int64_t acknowledged = 0;
  for (;;) {
    auto text = (*client)->next_event(options.follow ? slice : caught_up_after);
    if (!text) return session.fail(session.answered(std::unexpected(text.error())).error());
    if (*text) {
      const auto event = Json::parse(**text);
      if (!event) return session.fail({Exit::BadAnswer, "the reader sent an event that is no JSON", {}, {}});
      session.console.out(session.console.json() ? **text + '\n' : event_line(event->view(), session.console.style()));
      last_seq = std::max(last_seq, (*event)["seq"].integer().value_or(0));
    }
    const bool stop = interrupts.pending() || (!*text && !options.follow);
    if (options.acknowledge && last_seq > acknowledged && (!*text || stop)) {  // printed first, then acknowledged
      if (const auto done = acknowledge(session, options.consumer, last_seq); !done) return session.fail(done.error());
      acknowledged = last_seq;
    }
    if (stop) return static_cast<int>(Exit::Done);
  }
}

}  // namespace nightdrop::cli
