#include "simulation/world/sim_host.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "nightdrop/time_text.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop::simulation {
namespace {

constexpr std::string_view payments = "/v1/payments";

std::string header(const hal::HostRequest& request, std::string_view name) {
  for (const auto& [key, value] : request.headers) {
    if (key == name) return value;
  }
  return {};
}

}  // namespace

SimHost::FlightPtr SimHost::read(hal::HostRequest request) {
  auto flight = std::make_shared<Flight>();
  std::string_view path = request.path;
  if (path == "/v1/capabilities") {
    flight->kind = Kind::Capabilities;
  } else if (path == "/v1/payments:batch") {
    flight->kind = Kind::Batch;
    const auto body = Json::parse(request.body);
    if (!body) unsafe("request", "a batch that is no JSON");
    for (const JsonView payment : (*body)["payments"].items())
      flight->ids.emplace_back(payment["id"].string().value_or(""));
  } else if (path == payments) {
    flight->kind = Kind::Payment;
    const auto body = Json::parse(request.body);
    if (!body) unsafe("request", "a payment that is no JSON");
    flight->ids.emplace_back((*body)["id"].string().value_or(""));
  } else {
    if (!path.starts_with(payments)) unsafe("request", "an unknown path: " + request.path);
    path.remove_prefix(payments.size() + 1);
    const bool reversal = path.ends_with("/reversal");
    flight->kind = reversal ? Kind::Reversal : Kind::Inquiry;
    if (reversal) path.remove_suffix(std::string_view("/reversal").size());
    flight->ids.emplace_back(path);
  }
  flight->request = std::move(request);
  return flight;
}

// --- what must be true before a byte leaves ---

void SimHost::check_payment(const std::string& id, std::int64_t attempt) {
  const Payment* row = book_.row(id);
  if (row == nullptr) unsafe("sent before it was durable", brief(id) + " has no committed row");
  const bool recorded =
      row->sent && row->attempts >= 1 && (attempt == 0 || row->attempts == static_cast<std::uint32_t>(attempt));
  if (!recorded || (row->status != Status::Processing && row->status != Status::Forwarding)) {
    unsafe("sent before it was durable", brief(id) + " is committed as " + std::string(word(row->status)) + " with " +
                                             std::to_string(row->attempts) + " attempts, sent is attempt " +
                                             std::to_string(attempt));
  }
}

void SimHost::check(const Flight& flight) {
  if (flight.kind == Kind::Payment) {
    const std::string text = header(flight.request, "Nightdrop-Attempt");
    std::int64_t attempt = 0;
    std::from_chars(text.data(), text.data() + text.size(), attempt);
    if (attempt < 1) unsafe("request", "no Nightdrop-Attempt");
    check_payment(flight.ids.front(), attempt);
    const std::string key = header(flight.request, "Idempotency-Key");
    if (key != flight.ids.front() && !key.starts_with(flight.ids.front() + ":retry-"))
      unsafe("idempotency key", key + " for " + flight.ids.front());
  }
  if (flight.kind == Kind::Batch) {
    for (const std::string& id : flight.ids) check_payment(id, 0);
  }
  if (flight.kind == Kind::Inquiry && book_.row(flight.ids.front()) == nullptr)
    unsafe("sent before it was durable", "an inquiry of nothing");
  if (flight.kind == Kind::Reversal) {
    const auto found = book_.reversals.find(flight.ids.front());
    if (found == book_.reversals.end() || found->second.attempts == 0) {
      unsafe("sent before it was durable", "the reversal of " + brief(flight.ids.front()));
    }
  }
}

void SimHost::remember_body(const std::string& id, const std::string& body) {
  const auto [known, fresh] = bodies_.emplace(id, body);
  if (!fresh && known->second != body) unsafe("one id, two bodies", first_difference(known->second, body));
}

void SimHost::remember_bodies(const Flight& flight) {
  if (flight.kind == Kind::Payment) remember_body(flight.ids.front(), flight.request.body);
  if (flight.kind != Kind::Batch) return;
  const auto body = Json::parse(flight.request.body);
  for (const JsonView payment : (*body)["payments"].items())
    remember_body(std::string(payment["id"].string().value_or("")), payment.dump());
}

void SimHost::send(hal::HostRequest request, std::function<void(hal::HostOutcome)> done) {
  around_.may_crash();
  const FlightPtr flight = read(std::move(request));
  flight->done = std::move(done);
  check(*flight);
  flights_.push_back(flight);
  meet_fate(flight);
  around_.may_crash();
}

// --- fates ---

void SimHost::meet_fate(const FlightPtr& flight) {
  const std::int64_t now = around_.now();
  const std::int64_t timeout = flight->request.timeout.count();
  if (!around_.link_up(flight->request.route))
    return finish_at(flight, now + chance_.between(1, 20), hal::NotSent{"no link", false});
  switch (paths[flight->request.route]) {
    case Path::BlackHole:
      if (chance_.per_mille(500)) return finish_at(flight, now + timeout, hal::NotSent{"no connection", true});
      remember_bodies(*flight);
      return finish_at(flight, now + timeout, hal::Unknown{"timeout", true});
    case Path::Captive: return finish_at(flight, now + 30, reply(200, "<html>Please sign in</html>"));
    case Path::Good: break;
  }
  if (flight->kind != Kind::Capabilities && unauthorized)
    return finish_at(flight, now + 20, reply(chance_.per_mille(500) ? 401 : 403, "{}"));
  if (chance_.per_mille(trouble_per_mille)) return meet_trouble(flight);
  remember_bodies(*flight);
  const std::int64_t latency = chance_.between(2, latency_max_ms);
  around_.at(now + latency / 2,
             [this, flight, answer_at = now + latency] { finish_at(flight, answer_at, process(*flight)); });
}

void SimHost::meet_trouble(const FlightPtr& flight) {
  const std::int64_t now = around_.now();
  const std::int64_t timeout = flight->request.timeout.count();
  const std::int64_t soon = now + chance_.between(2, latency_max_ms);
  if (chance_.per_mille(100)) return finish_at(flight, soon, hal::NotSent{"refused", false});
  remember_bodies(*flight);
  switch (chance_.between(1, 9)) {
    case 1: return finish_at(flight, soon, hal::Unknown{"cut", false});  // the request was lost
    case 2:                                                              // the answer is lost
      process_at(flight, now + 1);
      return finish_at(flight, soon, hal::Unknown{"cut", false});
    case 3:  // the answer comes too late
      process_at(flight, now + chance_.between(1, 2 * timeout));
      return finish_at(flight, now + timeout, hal::Unknown{"timeout", true});
    case 4:  // the request lies around somewhere and arrives when nobody waits for it
      process_at(flight, now + chance_.between(timeout, 1'200'000));
      return finish_at(flight, soon, hal::Unknown{"cut", false});
    case 5:  // answered, and a copy of the request arrives later
      process_at(flight, now + chance_.between(1'000, 1'200'000));
      around_.at(now + 1, [this, flight, soon] { finish_at(flight, soon, process(*flight)); });
      return;
    case 6:
      if (chance_.per_mille(500)) process_at(flight, now + 1);
      return finish_at(flight, soon, garbage());
    case 7:
    case 8: {
      constexpr std::array<int, 7> codes{408, 425, 429, 500, 502, 503, 504};
      if (chance_.per_mille(400)) process_at(flight, now + 1);
      const std::int64_t wait = chance_.per_mille(300) ? chance_.between(0, 40) : -1;
      return finish_at(flight, soon, reply(codes[static_cast<std::size_t>(chance_.below(7))], "later", wait));
    }
    default:
      if (flight->kind == Kind::Batch)
        return finish_at(flight, soon, reply(404, R"({"error":{"code":"not_found","message":"no batch here"}})"));
      return finish_at(flight, soon, hal::Unknown{"cut", false});
  }
}

hal::HostReply SimHost::reply(int status, std::string body, std::int64_t retry_after_s) {
  hal::HostReply made;
  made.status = status;
  made.body = std::move(body);
  if (retry_after_s >= 0) made.headers.emplace_back("retry-after", std::to_string(retry_after_s));
  return made;
}

hal::HostReply SimHost::garbage() {
  switch (chance_.below(6)) {
    case 0: return reply(200, "<html>502</html>");
    case 1: return reply(302, "");
    case 2:
      return reply(200,
                   R"({"payment":"pi_00000000000000000000000000000000","outcome":"approved","approved_amount":1})");
    case 3: return reply(200, R"({"outcome":"perhaps"})");
    case 4: return reply(404, "not found");
    default: {
      auto made = reply(200, std::string(100, 'x'));
      made.too_long = true;
      return made;
    }
  }
}

AcquirerModel::Answer SimHost::answer_of(const Flight& flight) {
  switch (flight.kind) {
    case Kind::Capabilities: {
      Json body = Json::object();
      body.set("batch", batch).set("http2", false).set("server_time", rfc3339(around_.now()));
      return {.status = 200, .body = body.dump()};
    }
    case Kind::Payment:
      return acquirer_.post(header(flight.request, "Idempotency-Key"), flight.request.body, around_.now());
    case Kind::Batch: return acquirer_.batch(flight.request.body, around_.now());
    case Kind::Inquiry:
      return acquirer_.inquire(flight.ids.front(), header(flight.request, "Idempotency-Key"), around_.now());
    case Kind::Reversal: return acquirer_.reverse(flight.ids.front());
  }
  return {};
}

hal::HostOutcome SimHost::process(const Flight& flight) {
  AcquirerModel::Answer answer = answer_of(flight);
  if (flight.kind != Kind::Capabilities) {
    around_.note("acquirer: " + flight.request.method + " " + flight.request.path + " " +
                 (flight.ids.empty() ? "" : brief(flight.ids.front())) + " -> " + std::to_string(answer.status) +
                 (answer.replayed ? " replayed" : ""));
  }
  hal::HostReply made = reply(answer.status, std::move(answer.body), answer.retry_after_s);
  if (answer.replayed) made.headers.emplace_back("idempotency-replayed", "true");
  return made;
}

void SimHost::process_at(const FlightPtr& flight, std::int64_t at) {
  around_.at(at, [this, flight] { (void)process(*flight); });
}

void SimHost::finish_at(const FlightPtr& flight, std::int64_t at, hal::HostOutcome outcome) {
  around_.at(at, [this, flight, outcome = std::move(outcome)] { finish(flight, outcome); });
}

void SimHost::finish(const FlightPtr& flight, hal::HostOutcome outcome) {
  if (flight->over) return;
  flight->over = true;
  flights_.remove(flight);
  if (std::holds_alternative<hal::Unknown>(outcome)) ++unknown_outcomes_;
  around_.post([flight, outcome = std::move(outcome)] { flight->done(outcome); });
}

void SimHost::drop_route(Route route) {
  for (const FlightPtr& flight : std::list<FlightPtr>(flights_)) {
    if (flight->request.route == route) finish_at(flight, around_.now() + 1, hal::Unknown{"the link went down", false});
  }
}

void SimHost::forget_flights() {
  for (const FlightPtr& flight : flights_) flight->over = true;
  flights_.clear();
}

void SimHost::disown_flights() {
  for (const FlightPtr& flight : flights_) flight->disowned = true;
}

bool SimHost::payment_in_flight(const std::string& id) const {
  return std::ranges::any_of(flights_, [&](const FlightPtr& flight) {
    return flight->kind != Kind::Reversal && std::ranges::find(flight->ids, id) != flight->ids.end();
  });
}

bool SimHost::reversal_in_flight(const std::string& id) const {
  return std::ranges::any_of(flights_, [&](const FlightPtr& flight) {
    return flight->kind == Kind::Reversal && !flight->disowned && flight->ids.front() == id;
  });
}

}  // namespace nightdrop::simulation
