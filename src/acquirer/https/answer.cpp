#include "acquirer/https/answer.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <ctime>

#include "json/json.hpp"
#include "nightdrop/time_text.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop::acquirer {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t field_max = 64;             // of a code or an id that is kept
constexpr std::int64_t retry_after_max_s = 3600;  // a longer wait is asked for again

std::optional<std::string_view> header(const hal::HostReply& reply, std::string_view name) {
  for (const auto& [key, value] : reply.headers) {
    if (key == name) return value;
  }
  return std::nullopt;
}

// RFC 9110, 10.2.3: seconds or an IMF-fixdate.
std::optional<milliseconds> retry_after(const hal::HostReply& reply, UtcMs now) {
  const auto text = header(reply, "retry-after");
  if (!text) return std::nullopt;
  std::int64_t seconds = 0;
  const auto [end, problem] = std::from_chars(text->data(), text->data() + text->size(), seconds);
  if (problem != std::errc{} || end != text->data() + text->size()) {
    std::tm date{};
    const std::string copy(*text);
    const char* rest = strptime(copy.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
    if (rest == nullptr || *rest != '\0') return std::nullopt;
    seconds = timegm(&date) - now / 1000;
  }
  return milliseconds(std::clamp<std::int64_t>(seconds, 0, retry_after_max_s) * 1000);
}

// A kept text: short, printable ASCII; anything else is cut away.
std::string kept(JsonView value) {
  std::string text;
  for (const char c : value.string().value_or("")) {
    if (text.size() == field_max) break;
    if (c >= 0x20 && c < 0x7F) text.push_back(c);
  }
  return text;
}

NotAnAnswer no_answer(const char* why) {
  return NotAnAnswer{why};
}

Answer read_outcome(JsonView body, const std::string& payment_id, int status, std::optional<milliseconds> wait) {
  if (body["payment"].string() != payment_id) return no_answer("the answer names another payment");
  const auto outcome = body["outcome"].string().value_or("");
  if (status == 202) {
    if (outcome != "pending") return no_answer("202 without pending");
    return Pending{wait};
  }
  if (outcome == "approved" || outcome == "partial") {
    const auto amount = body["approved_amount"].integer();
    if (!amount || *amount < 0 || *amount > amount_max) return no_answer("an approval without its amount");
    Approved approved;
    approved.partial = outcome == "partial";
    approved.authorization = {kept(body["id"]), kept(body["authorization_code"]), *amount, kept(body["response_code"]),
                              parse_rfc3339(body["processed_at"].string().value_or("")).value_or(0)};
    approved.emv = kept(body["emv"]);
    return approved;
  }
  if (outcome == "declined") {
    DeclinedAnswer declined;
    declined.id = kept(body["id"]);
    declined.response_code = kept(body["response_code"]);
    declined.reason = kept(body["reason"]);
    declined.advice_code = kept(body["advice_code"]);
    declined.category = body["category"].string() == "hard" ? DeclineCategory::Hard : DeclineCategory::Soft;
    if (declined.reason.empty()) declined.reason = "declined";
    return declined;
  }
  if (outcome == "pending") return Pending{wait};
  return no_answer("an unknown outcome");
}

bool is_try_again(int status) {
  return status == 408 || status == 425 || status == 429 || status == 500 || status == 502 || status == 503 ||
         status == 504;
}
bool is_rejection(int status) {
  return status == 400 || status == 404 || status == 409 || status == 413 || status == 422;
}

// What the status alone says; nothing where the body must be read (200, 202, 4xx with an error object).
std::optional<Answer> read_status(const hal::HostReply& reply, UtcMs now) {
  if (reply.status == 401 || reply.status == 403) return NotAuthorized{reply.status};
  if (is_try_again(reply.status)) return TryAgain{retry_after(reply, now)};
  if (reply.too_long) return no_answer("an answer longer than 64 KiB");
  if (reply.status != 200 && reply.status != 202 && !is_rejection(reply.status))
    return no_answer("an unexpected HTTP status");
  return std::nullopt;
}

std::optional<Answer> read_failure(const hal::HostOutcome& outcome) {
  if (const auto* not_sent = std::get_if<hal::NotSent>(&outcome)) return NeverSent{not_sent->timed_out};
  if (const auto* unknown = std::get_if<hal::Unknown>(&outcome)) return NoAnswer{unknown->timed_out};
  return std::nullopt;
}

Answer read_body(int status, JsonView body, const std::string& payment_id, bool inquiry,
                 std::optional<milliseconds> wait) {
  if (is_rejection(status)) {
    const JsonView error = body["error"];
    if (!error["code"].is_string()) return no_answer("an error without a code");
    if (inquiry && status == 404 && error["code"].string() == "unknown_payment") return NeverReceived{};
    return Rejected{status, kept(error["code"])};
  }
  return read_outcome(body, payment_id, status, wait);
}

}  // namespace

Answer read_payment_answer(const hal::HostOutcome& outcome, const std::string& payment_id, bool inquiry, UtcMs now) {
  if (const auto failed = read_failure(outcome)) return *failed;
  const auto& reply = std::get<hal::HostReply>(outcome);
  if (const auto settled = read_status(reply, now)) return *settled;
  const auto body = Json::parse(reply.body);
  if (!body || !body->view().is_object()) return no_answer("an answer that is no JSON object");
  return read_body(reply.status, body->view(), payment_id, inquiry, retry_after(reply, now));
}

Answer read_reversal_answer(const hal::HostOutcome& outcome, const std::string& payment_id, UtcMs now) {
  if (const auto failed = read_failure(outcome)) return *failed;
  const auto& reply = std::get<hal::HostReply>(outcome);
  if (const auto settled = read_status(reply, now)) return *settled;
  const auto body = Json::parse(reply.body);
  if (!body || !body->view().is_object()) return no_answer("an answer that is no JSON object");
  if (is_rejection(reply.status)) return read_body(reply.status, body->view(), payment_id, false, std::nullopt);
  if ((*body)["payment"].string() != payment_id) return no_answer("the answer names another payment");
  if ((*body)["outcome"].string() == "pending") return Pending{retry_after(reply, now)};
  if ((*body)["outcome"].string() != "reversed") return no_answer("an unknown outcome");
  return ReversalDone{};
}

std::vector<Answer> read_batch_answer(const hal::HostOutcome& outcome, const std::vector<std::string>& payment_ids,
                                      UtcMs now) {
  const auto all = [&](const Answer& answer) { return std::vector<Answer>(payment_ids.size(), answer); };
  if (const auto failed = read_failure(outcome)) return all(*failed);
  const auto& reply = std::get<hal::HostReply>(outcome);
  if (const auto settled = read_status(reply, now)) return all(*settled);
  const auto body = Json::parse(reply.body);
  if (!body || !body->view().is_object()) return all(no_answer("an answer that is no JSON object"));
  if (is_rejection(reply.status)) return all(Rejected{reply.status, kept((*body)["error"]["code"])});
  if (!(*body)["results"].is_array()) return all(no_answer("a batch answer without results"));

  std::vector<Answer> answers = all(NoAnswer{});
  for (const JsonView result : (*body)["results"].items()) {
    const auto id = result["payment"].string();
    const auto status = result["status"].integer();
    const auto at = std::ranges::find(payment_ids, id.value_or(""));
    if (at == payment_ids.end() || !status || *status < 100 || *status > 599) continue;
    hal::HostReply single;
    single.status = static_cast<int>(*status);
    Answer& answer = answers[static_cast<std::size_t>(at - payment_ids.begin())];
    const auto settled = read_status(single, now);
    answer = settled ? *settled : read_body(single.status, result["body"], *at, false, std::nullopt);
  }
  return answers;
}

std::optional<Capabilities> read_capabilities(const hal::HostOutcome& outcome) {
  const auto* reply = std::get_if<hal::HostReply>(&outcome);
  if (reply == nullptr || reply->status != 200 || reply->too_long) return std::nullopt;
  const auto body = Json::parse(reply->body);
  if (!body) return std::nullopt;
  const auto server_time = parse_rfc3339((*body)["server_time"].string().value_or(""));
  if (!server_time) return std::nullopt;
  Capabilities capabilities;
  capabilities.batch =
      static_cast<std::size_t>(std::clamp<std::int64_t>((*body)["batch"].integer().value_or(0), 0, 100));
  capabilities.http2 = (*body)["http2"].boolean().value_or(false);
  capabilities.server_time = *server_time;
  return capabilities;
}

}  // namespace nightdrop::acquirer
