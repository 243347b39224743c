#include "simulation/world/acquirer_model.hpp"

#include <array>

#include "nightdrop/time_text.hpp"

namespace nightdrop::simulation {
namespace {

struct Code {
  std::string_view last4, code, category, advice;
};
// The last four digits of the catalogue's cards that the issuer declines, and two that want another try.
constexpr std::array<Code, 5> declines{{{"0002", "05", "soft", ""},
                                        {"9995", "51", "soft", "24"},
                                        {"9987", "41", "hard", ""},
                                        {"0119", "91", "soft", ""},
                                        {"0143", "14", "hard", ""}}};

AcquirerModel::Answer error(int status, std::string_view code) {
  Json body = Json::object();
  body.set("error", std::move(Json::object().set("code", code).set("message", "refused")));
  return {.status = status, .body = body.dump()};
}

AcquirerModel::Answer pending(const std::string& id) {
  return {.status = 202,
          .body = std::move(Json::object().set("payment", id).set("outcome", "pending")).dump(),
          .retry_after_s = 1};
}

}  // namespace

void AcquirerModel::charge(const Posting& posting) const {
  for (const auto& [key, other] : postings_) {
    if (&other == &posting || !other.charged()) continue;
    if (other.id == posting.id) unsafe("posted twice", brief(posting.id) + " under " + key + " and " + posting.key);
    if (other.reference == posting.reference)
      unsafe("posted twice", "one sale under two ids: " + brief(other.id) + " and " + brief(posting.id));
  }
}

AcquirerModel::Answer AcquirerModel::decide(Posting& posting, JsonView body, std::int64_t now) {
  const std::string_view last4 = body["last4"].string().value_or("");
  Json answer = Json::object();
  answer.set("id", "aq_" + std::to_string(postings_.size())).set("payment", posting.id);
  const bool again = posting.key != posting.id;
  for (const Code& code : declines) {
    if (posting.refund || code.last4 != last4 || (again && posting.amount % 2 == 0)) continue;
    answer.set("outcome", "declined")
        .set("response_code", code.code)
        .set("reason", "declined_" + std::string(code.code))
        .set("category", code.category);
    if (!code.advice.empty()) answer.set("advice_code", code.advice);
    return {.status = 200, .body = answer.dump()};
  }
  const bool partial = !posting.refund && posting.amount % 23 == 7;
  posting.approved = partial ? posting.amount / 2 : posting.amount;
  charge(posting);
  answer.set("outcome", partial ? "partial" : "approved").set("approved_amount", posting.approved);
  answer.set("authorization_code", "831000")
      .set("response_code", partial ? "10" : "00")
      .set("processed_at", rfc3339(now));
  return {.status = 200, .body = answer.dump()};
}

AcquirerModel::Answer AcquirerModel::post(std::string_view key, const std::string& text, std::int64_t now) {
  const auto body = Json::parse(text);
  if (!body || !(*body)["id"].string()) unsafe("request", "the body is no payment");
  const std::string id((*body)["id"].string().value_or(""));
  const std::string named = key.empty() ? id : std::string(key);
  if (tombstones_.contains(id)) return error(422, "reversed");
  if ((*body)["amount"].integer().value_or(0) % 29 == 3)
    return error(422, "invalid_merchant_reference");  // poison: never usable
  if (const auto known = postings_.find(named); known != postings_.end()) {
    const Posting& first = known->second;
    if (first.body != body->dump()) unsafe("one id, two bodies", first_difference(first.body, text));
    if (now < first.settles_at) return pending(id);
    ++replays_;
    return {.status = 200, .body = first.answer, .replayed = true};
  }
  if (const auto ksn = (*body)["encrypted_card"]["ksn"].string()) {
    const auto [owner, fresh] = ksns_.emplace(std::string(*ksn), id);
    if (!fresh && owner->second != id)
      unsafe("ksn reused", std::string(*ksn) + " for " + brief(owner->second) + " and " + brief(id));
  }
  Posting& made = postings_[named];
  made.id = id;
  made.key = named;
  made.reference = (*body)["merchant_reference"].string().value_or("");
  made.original = (*body)["payment_intent"].string().value_or("");
  made.refund = (*body)["object"].string() == "refund";
  made.amount = (*body)["amount"].integer().value_or(0);
  made.body = body->dump();
  const Answer answer = decide(made, body->view(), now);
  made.answer = answer.body;
  if (made.amount % 19 == 5) {
    made.settles_at = now + 500 * (1 + made.amount % 37);
    return pending(id);
  }
  return answer;
}

AcquirerModel::Answer AcquirerModel::inquire(const std::string& id, const std::string& asked, std::int64_t now) const {
  const Posting* latest = nullptr;
  for (const auto& [key, posting] : postings_) {
    if (posting.id == id && (asked.empty() || asked == key)) latest = &posting;
  }
  if (latest == nullptr) return error(404, "unknown_payment");
  if (now < latest->settles_at) return pending(id);
  return {.status = 200, .body = latest->answer};
}

AcquirerModel::Answer AcquirerModel::reverse(const std::string& id) {
  tombstones_.insert(id);
  for (auto& [key, posting] : postings_) {
    if (posting.id == id) posting.reversed = true;
  }
  return {.status = 200, .body = std::move(Json::object().set("payment", id).set("outcome", "reversed")).dump()};
}

AcquirerModel::Answer AcquirerModel::batch(const std::string& text, std::int64_t now) {
  const auto body = Json::parse(text);
  if (!body || !(*body)["payments"].is_array()) unsafe("request", "the body is no batch");
  Json results = Json::array();
  for (const JsonView payment : (*body)["payments"].items()) {
    const Answer answer = post("", payment.dump(), now);
    auto read = Json::parse(answer.body);
    Json result = Json::object();
    result.set("payment", payment["id"].string().value_or(""))
        .set("status", answer.status)
        .set("body", std::move(*read));
    results.push(std::move(result));
  }
  return {.status = 200, .body = std::move(Json::object().set("results", std::move(results))).dump()};
}

std::int64_t AcquirerModel::charged(const std::string& id) const {
  std::int64_t sum = 0;
  for (const auto& [key, posting] : postings_) {
    if (posting.id == id && posting.charged()) sum += posting.approved;
  }
  return sum;
}

}  // namespace nightdrop::simulation
