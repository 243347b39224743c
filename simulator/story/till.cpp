#include "simulator/story/till.hpp"

#include <algorithm>
#include <chrono>

namespace nightdrop::simulator {
namespace {

constexpr auto patience = std::chrono::seconds(30);
constexpr int page = 100;

std::string text_of(JsonView value) {
  return std::string(value.string().value_or(""));
}

Json one(std::string_view key, const std::string& value) {
  Json params = Json::object();
  params.set(key, value);
  return params;
}

}  // namespace

void Till::connect() {
  client_ = shop_.connect();
  Json params = Json::object();
  (void)call(*client_, "subscribe", params.set("consumer", "till").set("after", last_seq_));
}

std::uint64_t Till::begin(const std::string& reference, std::int64_t amount, const GuestCard& card) {
  Json params = Json::object();
  params.set("amount", amount).set("currency", "usd").set("merchant_reference", reference);
  const Json intent = call(*client_, "create_payment_intent", params);
  shop_.present(card.json().view());
  const auto request = client_->begin("process_payment_intent", one("id", text_of(intent["id"])).dump());
  if (!request) throw StoryFailure("process_payment_intent: the connection is lost");
  return *request;
}

Sale Till::finish(std::uint64_t request) {
  return outcome(client_->wait(request, patience));
}

Sale Till::sell(const std::string& reference, std::int64_t amount, const GuestCard& card) {
  Sale sale = finish(begin(reference, amount, card));
  if (sale.refused()) shop_.take_card_away();  // it may have been refused before a card was read
  return sale;
}

Sale Till::approve(const std::string& id, std::string_view pin) {
  Json params = one("id", id);
  return request("approve_payment_intent", params.set("approver", manager).set("pin", pin));
}

Sale Till::add_tip(const std::string& id, std::int64_t tip) {
  Json details = Json::object();
  details.set("tip", tip);
  Json params = one("id", id);
  return request("adjust_payment_intent", params.set("amount_details", std::move(details)));
}

Sale Till::take_back(const std::string& id) {
  Json params = one("id", id);
  return request("cancel_payment_intent", params.set("reason", "requested_by_customer"));
}

Sale Till::look_up(const std::string& reference) {
  return request("retrieve_payment_intent", one("merchant_reference", reference));
}

Json Till::offline_status() {
  return call(*client_, "retrieve_offline_status", Json::object());
}

Json Till::sync_report(std::int64_t id) {
  Json params = Json::object();
  return call(*client_, "retrieve_sync_report", params.set("id", id));
}

Json Till::declines() {
  const Json answer = call(*client_, "list_declines", Json::object());
  return answer["data"].copy();
}

std::vector<Json> Till::book() {
  std::vector<Json> all;
  for (bool more = true; more;) {
    Json params = Json::object();
    params.set("limit", page);
    if (!all.empty()) params.set("starting_after", text_of(all.back()["id"]));
    const Json answer = call(*client_, "list_payment_intents", params);
    for (const JsonView payment : answer["data"].items()) all.push_back(payment.copy());
    more = answer["has_more"].boolean().value_or(false);
  }
  return all;
}

Sale Till::request(std::string_view method, const Json& params) {
  return outcome(client_->call(method, params.dump(), patience));
}

Sale Till::outcome(const PosResult<std::string>& answer) {
  Sale sale;
  if (!answer && !answer.error().refused()) throw StoryFailure(std::string("the till: ") + answer.error().error.text);
  auto json = Json::parse(answer ? *answer : answer.error().answer);
  if (!json) throw StoryFailure("the till: an answer is no JSON");
  if (!answer) {
    sale.code = text_of((*json)["data"]["code"]);
    sale.message = text_of((*json)["message"]);
    sale.payment = (*json)["data"]["payment_intent"].exists() ? (*json)["data"]["payment_intent"].copy() : Json::null();
    if (sale.code.empty()) throw StoryFailure("the till: refused without a code");
    return sale;
  }
  sale.payment = std::move(*json);
  note(sale);
  return sale;
}

// What the reader confirmed, the till writes down; nothing else.
void Till::note(const Sale& sale) {
  const std::string status = sale.status();
  const std::string reference = text_of(sale.payment["merchant_reference"]);
  const bool taken = status == "stored" || status == "forwarding" || status == "succeeded";
  if (status == "canceled" && log_.contains(reference)) log_[reference].voided = true;
  if (!taken) return;
  log_[reference] = {sale.id(), sale.payment["amount"].integer().value_or(0),
                     text_of(sale.payment["payment_method"]["last4"]), false};
}

void Till::wait_until(std::string_view what, const std::function<bool()>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!holds()) {
    const auto left = std::chrono::ceil<PosClient::Milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0 || !take_event(left)) throw StoryFailure("waited in vain: " + std::string(what));
  }
}

void Till::read_events() {
  while (take_event(PosClient::Milliseconds(0))) {
  }
}

void Till::wait_for(std::string_view type) {
  last_type_.clear();
  wait_until(type, [&] { return last_type_ == type; });
}

bool Till::take_event(PosClient::Milliseconds within) {
  const auto text = client_->next_event(within);
  if (!text) throw StoryFailure("the reader's events ended");
  if (!*text) return false;
  const auto event = Json::parse(**text);
  if (!event) throw StoryFailure("an event is no JSON");
  last_type_ = text_of((*event)["type"]);
  last_seq_ = std::max(last_seq_, (*event)["seq"].integer().value_or(0));
  exposure_.take(event->view());
  if (last_type_ == "payment_intent.succeeded" || last_type_ == "payment_intent.declined") ++answered_;
  if (last_type_ == "sync.started") sync_open_ = true;
  if (last_type_ == "sync.completed") sync_open_ = false;
  if (last_type_ == "sync.completed") sync_runs_.push_back((*event)["data"]["id"].integer().value_or(0));
  if (last_type_ == "limit.near") near_limit_ = true;
  return true;
}

}  // namespace nightdrop::simulator
