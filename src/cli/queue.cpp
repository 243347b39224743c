// The queue of stored payments: status, forward, report; and the policy that bounds it.
#include <algorithm>
#include <chrono>
#include <utility>

#include "cli/commands.hpp"
#include "nightdrop/time_text.hpp"
#include "report/chart.hpp"
#include "report/listings.hpp"

namespace nightdrop::cli {
namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

constexpr auto look_every = 300ms;

struct QueueState {
  std::int64_t count{0};
  std::int64_t in_flight{0};
  bool paused{false};
  std::string network;
  std::string reason;
};

QueueState state_of(JsonView status) {
  const JsonView forwarding = status["forwarding"];
  return {.count = status["offline_payments_count"].integer().value_or(0),
          .in_flight = forwarding["in_flight"].integer().value_or(0),
          .paused = forwarding["paused"].boolean().value_or(false),
          .network = std::string(status["network_status"].string().value_or("unknown")),
          .reason = report::printable(forwarding["reason"].string().value_or(std::string_view()))};
}

std::string progress_line(const QueueState& state, std::int64_t at_first) {
  const std::int64_t done = std::max<std::int64_t>(at_first - state.count, 0);
  std::string line = "Forwarding " + report::bar(done, std::max<std::int64_t>(at_first, 1), 20) + ' ' +
                     std::to_string(done) + " of " + std::to_string(std::max(at_first, state.count)) + ", " +
                     std::to_string(state.count) + " left";
  if (state.paused) return line + ", paused" + (state.reason.empty() ? "" : ": " + state.reason);
  if (state.network == "offline") line += ", waiting for the network";
  return line;
}

// Waits until nothing is left to send. Errors: TryLater when the time is over; interrupted.
std::expected<QueueState, Failure> drain(Session& session, int timeout_s) {
  Interrupts interrupts;
  const auto started = Steady::now();
  std::int64_t at_first = -1;
  for (;;) {
    const auto status = session.call("retrieve_offline_status");
    if (!status) return std::unexpected(status.error());
    const QueueState state = state_of(status->json.view());
    at_first = std::max(at_first, state.count);
    if (state.count == 0 && state.in_flight == 0) {
      session.console.end_progress();
      return state;
    }
    session.console.progress(progress_line(state, at_first));
    if (timeout_s > 0 && Steady::now() - started > std::chrono::seconds(timeout_s)) {
      session.console.end_progress();
      return std::unexpected(
          Failure{Exit::TryLater,
                  std::to_string(state.count) + " payments are still stored; forwarding goes on by itself",
                  {},
                  {}});
    }
    const auto client = session.client();
    if (!client) return std::unexpected(client.error());
    if (const auto event = (*client)->next_event(look_every); !event)
      return std::unexpected(session.answered(std::unexpected(event.error())).error());
    if (interrupts.pending())
      return std::unexpected(Failure{Exit::Interrupted, "stopped watching; forwarding goes on by itself", {}, {}});
  }
}

// The journal's payment events, as what was at risk over time.
std::expected<report::Exposure, Failure> exposure(Session& session) {
  report::Exposure book;
  const auto client = session.client();
  if (!client) return std::unexpected(client.error());
  Json types = Json::array();
  for (const char* status :
       {"stored", "forwarding", "succeeded", "declined", "expired", "canceled", "requires_review"}) {
    types.push(Json::string("payment_intent." + std::string(status)));
  }
  Json params = Json::object();
  params.set("consumer", "nightdrop-exposure").set("types", std::move(types)).set("after", 0);
  if (const auto subscribed = session.call("subscribe", params); !subscribed)
    return std::unexpected(subscribed.error());
  for (;;) {
    const auto text = (*client)->next_event(500ms);
    if (!text) return std::unexpected(session.answered(std::unexpected(text.error())).error());
    if (!*text) return book;
    if (const auto event = Json::parse(**text)) book.take(event->view());
  }
}

int show_exposure(Session& session) {
  const auto book = exposure(session);
  if (!book) return session.fail(book.error());
  const auto& all_points = book->by_currency();
  const report::Style style = session.console.style();
  if (session.console.json()) {
    Json all = Json::object();
    for (const auto& [currency, series] : all_points) {
      Json list = Json::array();
      for (const auto& point : series)
        list.push(std::move(Json::object().set("at", rfc3339(point.at)).set("amount", point.amount)));
      all.set(currency, std::move(list));
    }
    session.console.out(all.dump() + '\n');
    return static_cast<int>(Exit::Done);
  }
  if (all_points.empty()) session.console.out("Nothing was stored.\n");
  for (const auto& [currency, series] : all_points) {
    session.console.out(
        "At risk over time, " + report::printable(currency) + "\n\n" +
        report::exposure_chart(series, std::max(series.back().at, series.front().at + 1000), currency, style) + "\n");
  }
  return static_cast<int>(Exit::Done);
}

}  // namespace

int run_status(Session& session) {
  const auto status = session.call("retrieve_offline_status");
  if (!status) return session.fail(status.error());
  return session.show(*status, [&](JsonView object) {
    const auto reader = session.call("get_reader");
    return report::status_listing(object, reader ? reader->json.view() : JsonView(), session.console.style());
  });
}

int run_forward(Session& session, const Options& options) {
  const auto accepted = session.call("forward_stored_payments");
  if (!accepted) return session.fail(accepted.error());
  if (options.no_wait) {
    return session.show(*accepted, [](JsonView) { return std::string("Forwarding has started.\n"); });
  }
  if (const auto drained = drain(session, options.forward_timeout_s); !drained) return session.fail(drained.error());
  const auto report = session.call("retrieve_sync_report");
  if (!report) {
    if (!session.console.json()) session.console.out("Nothing is stored.\n");
    return static_cast<int>(Exit::Done);
  }
  return session.show(*report, [&](JsonView object) { return report::sync_report(object, session.console.style()); });
}

int run_report(Session& session, const Options& options) {
  if (options.exposure) return show_exposure(session);
  Json params = Json::object();
  if (!options.report_id.empty()) {
    const bool number = std::ranges::all_of(options.report_id, [](char c) { return c >= '0' && c <= '9'; }) &&
                        options.report_id.size() < 16;
    if (number) {
      params.set("id", std::int64_t{std::stoll(options.report_id)});
    } else {
      params.set("id", options.report_id);
    }
  }
  const auto report = session.call("retrieve_sync_report", params);
  if (!report) return session.fail(report.error());
  return session.show(*report, [&](JsonView object) { return report::sync_report(object, session.console.style()); });
}

int run_accept_damage(Session& session) {
  const auto accepted = session.call("accept_store_damage");
  if (!accepted) return session.fail(accepted.error());
  return session.show(*accepted, [](JsonView) { return std::string("Recorded; payments are taken again.\n"); });
}

}  // namespace nightdrop::cli
