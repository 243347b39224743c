#include "unit/terminal/bench.hpp"

namespace nightdrop::test {

Bench::Bench() {
  policy.valid_from = utc - 30 * day;
  policy.valid_until = utc + 365 * day;
  policy.merchant_id = "m_0001";
  policy.approvers = {{"manager", {1}, {2}, 1}, {"owner", {1}, {2}, 1}};
  settings.merchant = {"m_0001", "ND000001", "ND000001"};
  settings.batch = true;
  settings.sha256 = [](std::span<const std::uint8_t> prev, std::span<const std::uint8_t> bytes) {
    return sha256(prev, bytes);
  };
  settings.keep_export = [this](const terminal::SealedExport& made, UtcMs) -> Result<void> {
    if (export_fails) return failure(Errc::DiskFull, "no room for the export");
    exports.push_back(made);
    return {};
  };
  host.answer = [this](const hal::HostRequest& request) { return acquirer(request); };
  start();
}

Bench::~Bench() {
  terminal.reset();
  store.reset();
}

void Bench::start() {
  auto options = options_in(folder.path());
  options.faults.commit_error = [this] { return commit_fails; };
  options.faults.disk_error = [this] { return disk_fails; };
  options.faults.disk_full = [this] { return disk_is_full; };
  store = open_store(std::move(options));
  const terminal::Ports ports{*store, vault, reader, host, links, clock, entropy, indicator, certificate};
  terminal = std::make_unique<terminal::Terminal>(ports, policy, settings);
  const auto started = terminal->start();
  ASSERT_TRUE(started) << started.error().text;
  run();
}

void Bench::crash() {
  terminal.reset();
  store.reset();
  host.waiting.clear();
  vault.checks.clear();
  reader = {};
}

void Bench::reboot(bool wall_trusted) {
  crash();
  clock.reboot("boot-" + std::to_string(clock.wall().utc_ms) + (wall_trusted ? "t" : "u"));
  clock.set_trusted(wall_trusted);
  start();
}

void Bench::run() {
  for (int rounds = 0; rounds < 10'000; ++rounds) {
    terminal->end_turn();
    bool any = false;
    while (!vault.checks.empty()) {
      auto check = std::move(vault.checks.front());
      vault.checks.pop_front();
      check.second(check.first);
      any = true;
    }
    any = host.deliver() || any;
    if (!any && !terminal->books().pending()) return;
  }
  std::string last;
  for (std::size_t i = host.log.size() - std::min<std::size_t>(4, host.log.size()); i < host.log.size(); ++i) {
    last += "\n" + host.log[i].method + " " + host.log[i].path;
  }
  ADD_FAILURE() << "the terminal never comes to rest; probes " << host.probes << ", requests " << host.log.size()
                << ", last:" << last;
}

void Bench::advance(std::int64_t ms) {
  const std::int64_t end = clock.monotonic().count() + ms;
  for (int steps = 0; steps < 200'000; ++steps) {
    const std::int64_t now = clock.monotonic().count();
    std::int64_t next = std::min(end, std::max(now + 1, terminal->next_tick_ms().value_or(end)));
    if (const auto timeout = host.next_timeout_ms()) next = std::min(next, std::max(now + 1, *timeout));
    clock.advance(std::chrono::milliseconds(next - now));
    lived_ms_ += next - now;
    terminal->tick();
    run();
    if (next == end) return;
  }
  ADD_FAILURE() << "the terminal wakes up without end";
}

std::string Bench::create(std::int64_t amount, const std::function<void(terminal::IntentParams&)>& change) {
  terminal::IntentParams params;
  params.amount = amount;
  params.merchant_reference = "order-" + std::to_string(++references_);
  if (change) change(params);
  const auto made = terminal->checkout().create(params);
  EXPECT_TRUE(made) << (made ? "" : word(made.error().code));
  run();
  return made ? made->id : "";
}

hal::CardData Bench::card(const std::string& pan) {
  hal::CardData data;
  data.summary.brand = Brand::Visa;
  data.summary.last4 = pan.substr(pan.size() - 4);
  data.summary.exp_month = 12;
  data.summary.exp_year = 2030;
  data.summary.read_method = ReadMethod::ContactlessEmv;
  data.pan = SecretBytes({reinterpret_cast<const std::uint8_t*>(pan.data()), pan.size()});
  data.sensitive = SecretBytes({reinterpret_cast<const std::uint8_t*>(pan.data()), pan.size()});
  data.emv = {0x9F, 0x27, 0x01, 0x80};
  return data;
}

void Bench::present(hal::CardOutcome outcome) {
  ASSERT_NE(reader.listener, nullptr) << "no card was asked for";
  hal::CardListener* listener = std::exchange(reader.listener, nullptr);
  reader.canceled = false;
  listener->on_card_outcome(std::move(outcome));
  run();
}

Answered Bench::pay(std::int64_t amount, const std::function<void(terminal::IntentParams&)>& change,
                    const std::function<void(hal::CardData&)>& with_card) {
  const std::string id = create(amount, change);
  Answered answered;
  terminal->checkout().collect(id, std::chrono::seconds(60), true, answered.reply());
  run();
  if (answered.yet()) return answered;
  hal::CardData data = card("4" + std::to_string(100'000'000'000'000 + ++cards_));
  if (with_card) with_card(data);
  present(std::move(data));
  return answered;
}

std::string Bench::stored(std::int64_t amount) {
  const Answered answered = pay(amount, [](auto& params) { params.offline_behavior = OfflineBehavior::ForceOffline; });
  EXPECT_EQ(answered.text(), "stored");
  return answered.yet() && *answered.slot ? answered.payment().id : "";
}

Answered Bench::cancel(const std::string& id, CancelReason reason) {
  Answered answered;
  terminal->checkout().cancel(id, reason, answered.reply());
  run();
  return answered;
}

Answered Bench::approve(const std::string& id, const std::string& digits) {
  Answered answered;
  terminal->checkout().approve(id, "manager", pin(digits), answered.reply());
  run();
  return answered;
}

Answered Bench::refund(const std::string& id, std::int64_t amount, const std::string& reference) {
  terminal::RefundParams params;
  params.payment_intent = id;
  params.approver = "manager";
  params.intent.amount = amount;
  params.intent.merchant_reference = reference.empty() ? "refund-" + std::to_string(++references_) : reference;
  Answered answered;
  terminal->checkout().refund(params, pin("2468"), answered.reply());
  run();
  return answered;
}

void Bench::online(Route route) {
  acquirer_answers = true;
  links.set(route, true);
  run();
}

void Bench::offline() {
  for (const auto& [route, up] : std::map<Route, bool>(links.states)) {
    if (up) links.set(route, false);
  }
  run();
}

hal::HostReply Bench::reply(int status, std::string body, std::vector<std::pair<std::string, std::string>> headers) {
  return {status, std::move(headers), std::move(body), false};
}

std::string Bench::approval(const std::string& id, std::int64_t amount) {
  Json json = Json::object();
  json.set("id", "aq_" + id).set("payment", id).set("outcome", "approved").set("approved_amount", amount);
  json.set("authorization_code", "831000").set("response_code", "00").set("processed_at", rfc3339(utc));
  return json.dump();
}

// One payment's request: planned for its id, or taken once and approved.
std::optional<hal::HostOutcome> Bench::take(const hal::HostRequest& request) {
  const auto body = Json::parse(request.body);
  const std::string id(body ? (*body)["id"].string().value_or("") : "");
  if (const auto planned = plan.find(id); planned != plan.end()) return planned->second(request);
  if (reversed.contains(id)) {
    return reply(200, R"({"id":"aq_x","payment":")" + id +
                          R"(","outcome":"declined","response_code":"21","reason":"reversed","category":"hard"})");
  }
  const auto [entry, fresh] = ledger.emplace(id, request.body);
  EXPECT_EQ(entry->second, request.body) << "the body of one id changed";
  return reply(200, approval(id, (*body)["amount"].integer().value_or(0)));
}

std::optional<hal::HostOutcome> Bench::acquirer(const hal::HostRequest& request) {
  if (!links.states[request.route]) return hal::NotSent{"the link is down", false};
  if (!acquirer_answers) return std::nullopt;
  if (request.path == "/v1/capabilities") {
    const std::string json =
        R"({"batch":)" + std::to_string(batch) + R"(,"http2":true,"server_time":")" + rfc3339(truth()) + "\"}";
    return reply(200, json);
  }
  if (request.path == "/v1/payments") return take(request);
  const std::string rest = request.path.substr(std::string("/v1/payments/").size());
  if (rest.ends_with("/reversal")) {
    const std::string id = rest.substr(0, rest.find('/'));
    if (const auto planned = plan.find(id + ":reversal"); planned != plan.end()) return planned->second(request);
    reversed.insert(id);
    return reply(200, R"({"payment":")" + id + R"(","outcome":"reversed"})");
  }
  if (request.path == "/v1/payments:batch") {
    const auto body = Json::parse(request.body);
    std::string results;
    for (const JsonView payment : (*body)["payments"].items()) {
      hal::HostRequest single = request;
      single.body = payment.dump();
      const auto outcome = take(single);
      const auto* answered = outcome ? std::get_if<hal::HostReply>(&*outcome) : nullptr;
      if (answered == nullptr) continue;
      if (!results.empty()) results += ',';
      results += R"({"payment":")" + std::string(payment["id"].string().value_or("")) + R"(","status":)" +
                 std::to_string(answered->status) + ",\"body\":" + answered->body + "}";
    }
    return reply(200, "{\"results\":[" + results + "]}");
  }
  if (const auto planned = plan.find("GET " + rest); planned != plan.end()) return planned->second(request);
  if (!ledger.contains(rest)) return reply(404, R"({"error":{"code":"unknown_payment","message":"never received"}})");
  return reply(200, approval(rest, Json::parse(ledger[rest])->view()["amount"].integer().value_or(0)));
}

Payment Bench::row(const std::string& id) {
  const auto found = store->find(id);
  EXPECT_TRUE(found && *found) << id << " is not in the queue";
  return found && *found ? **found : Payment{};
}

hal::Totals Bench::totals() {
  const auto all = store->totals();
  EXPECT_TRUE(all);
  return all.value_or(hal::Totals{});
}

std::vector<std::string> Bench::events(std::string_view prefix) {
  std::vector<std::string> types;
  const auto all = store->events_after(0, 100'000);
  EXPECT_TRUE(all);
  for (const auto& event : *all) {
    if (event.type.starts_with(prefix)) types.push_back(event.type);
  }
  return types;
}

std::vector<Json> Bench::event_data(std::string_view type) {
  std::vector<Json> data;
  const auto all = store->events_after(0, 100'000);
  EXPECT_TRUE(all);
  for (const auto& event : *all) {
    if (event.type != type) continue;
    const auto parsed = Json::parse(event.text);
    EXPECT_TRUE(parsed);
    data.push_back((*parsed)["data"].copy());
  }
  return data;
}

void Bench::expect_books_in_order() {
  const auto verified = store->verify();
  EXPECT_TRUE(verified) << verified.error().text;
  const hal::Totals all = totals();
  EXPECT_GE(all.count, 0);
  for (const auto& [currency, sums] : all.by_currency) {
    EXPECT_GE(sums.payments, 0);
    EXPECT_GE(sums.refunds, 0);
  }
}

}  // namespace nightdrop::test
