#include "simulator/acquirer/api.hpp"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

#include "nightdrop/time_text.hpp"
#include "simulator/acquirer/json_slices.hpp"

namespace nightdrop::simulator {
namespace {

constexpr std::string_view payments_path = "/v1/payments";
constexpr std::string_view batch_path = "/v1/payments:batch";
constexpr std::string_view capabilities_path = "/v1/capabilities";
constexpr std::string_view certificate_path = "/v1/certificate";
constexpr std::string_view one_payment = "/v1/payments/";
constexpr std::string_view reversal_end = "/reversal";
constexpr std::size_t payment_body_max = 65'536;
constexpr std::size_t too_long_padding = 70'000;

Answer capabilities() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  Json body = Json::object();
  body.set("batch", static_cast<std::uint64_t>(batch_max)).set("http2", false);
  body.set("server_time", rfc3339(std::chrono::duration_cast<std::chrono::milliseconds>(now).count()));
  return Answer{.body = body.dump(), .outcome = "capabilities"};
}

// The id of /v1/payments/{id} or /v1/payments/{id}/reversal; empty for other paths.
std::string id_in_path(std::string_view path, bool reversal) {
  if (!path.starts_with(one_payment)) return {};
  path.remove_prefix(one_payment.size());
  if (reversal) {
    if (!path.ends_with(reversal_end)) return {};
    path.remove_suffix(reversal_end.size());
  }
  return path.find('/') == std::string_view::npos ? std::string(path) : std::string();
}

// The same answer with one member changed: of a batch, in its first result.
std::string with_member(const std::string& body, std::string_view member, std::string_view value) {
  auto document = Json::parse(body);
  if (!document || !document->view().is_object()) return body;
  const auto results = (*document)["results"].items();
  if (results.empty()) {
    document->set(member, value);
    return document->dump();
  }
  Json changed = Json::array();
  for (const JsonView result : results) {
    Json copy = result.copy();
    if (result["payment"].string() == results.front()["payment"].string()) {
      Json inner = result["body"].copy();
      inner.set(member, value);
      copy.set("body", std::move(inner));
      if (member == "payment") copy.set("payment", value);
    }
    changed.push(std::move(copy));
  }
  document->set("results", std::move(changed));
  return document->dump();
}

// Changes what leaves as the fault says. `answer` is empty where the request was not processed.
ApiReply shape(const Fault& fault, Answer answer) {
  ApiReply reply;
  reply.answer = std::move(answer);
  std::string& body = reply.answer.body;
  const auto replace = [&](int status, std::string text, const char* type) {
    reply.answer.status = status;
    reply.answer.retry_after.clear();
    reply.answer.replayed = false;
    body = std::move(text);
    reply.content_type = type;
  };
  switch (fault.kind) {
    case FaultKind::None:
    case FaultKind::Refuse:
    case FaultKind::Pending:
    case FaultKind::Partial:
    case FaultKind::Replay: break;
    case FaultKind::CutBefore:
    case FaultKind::CutAfter: reply.cut = true; break;
    case FaultKind::Delay: reply.delay_ms = fault.ms; break;
    case FaultKind::SlowDrip: reply.drip_ms = fault.ms; break;
    case FaultKind::Status:
      replace(fault.code, error_answer({fault.code, "simulated_fault", "the plan of faults says so"}).body,
              "application/json");
      reply.answer.retry_after = fault.retry_after;
      break;
    case FaultKind::Html:
      replace(200,
              "<!DOCTYPE html><html><head><title>Guest Wi-Fi</title></head><body><h1>Welcome. Please sign "
              "in.</h1></body></html>",
              "text/html; charset=utf-8");
      break;
    case FaultKind::Garbage: replace(200, "{\"payment\":\"pi_\x01\xFF,,]", "application/json"); break;
    case FaultKind::Redirect:
      replace(302, "", "text/html");
      reply.location = "http://login.guest-wifi.example/";
      break;
    case FaultKind::WrongId: body = with_member(body, "payment", "pi_00000000000070008000000000000000"); break;
    case FaultKind::UnknownOutcome: body = with_member(body, "outcome", "perhaps"); break;
    case FaultKind::TooLong: body = with_member(body, "padding", std::string(too_long_padding, 'x')); break;
  }
  return reply;
}

bool needs_an_answer(FaultKind kind) {
  return kind == FaultKind::WrongId || kind == FaultKind::UnknownOutcome || kind == FaultKind::TooLong;
}

// An answer for a fault that changes one, to a request that is not processed.
Answer empty_answer(const std::vector<std::string>& ids) {
  Json body = Json::object();
  if (!ids.empty()) body.set("payment", ids.front());
  body.set("outcome", "approved").set("approved_amount", 1).set("response_code", "00");
  return Answer{.body = body.dump(), .outcome = "not_processed"};
}

std::string log_line(const ApiRequest& request, const std::vector<std::string>& ids, const Fault& fault,
                     const ApiReply& reply) {
  std::string_view route = request.path == batch_path              ? "batch"
                           : request.path == capabilities_path     ? "capabilities"
                           : request.path == certificate_path      ? "certificate"
                           : request.path == payments_path         ? "payment"
                           : request.path.ends_with(reversal_end)  ? "reversal"
                           : request.path.starts_with(one_payment) ? "status"
                                                                   : "unknown";
  std::string line = "acquirer: " + std::string(route);
  // An id is printed only where it has an id's form: anything else could be card data in the wrong place.
  if (ids.size() == 1 && is_payment_id(ids.front())) line += " " + ids.front();
  if (ids.size() > 1) line += " of " + std::to_string(ids.size());
  line += " -> " + std::to_string(reply.answer.status) + " " + reply.answer.outcome;
  if (fault.kind != FaultKind::None) line += " fault=" + std::string(fault_name(fault.kind));
  return line;
}

}  // namespace

ApiReply Api::handle(const ApiRequest& request) {
  ++traffic_.requests;
  if (auto error = check_reader(request)) {
    ++traffic_.forbidden;
    ApiReply reply;
    reply.answer = error_answer(*error);
    traffic_.log(log_line(request, {}, {}, reply));
    return reply;
  }
  const std::vector<std::string> ids = ids_of(request);
  const Fault fault = faults_.pick(request.method, request.path, ids);
  Answer answer;
  if (fault.processed) {
    answer = durable(this->answer(request, fault));
    if (fault.kind == FaultKind::Replay) answer = durable(this->answer(request, fault));
  } else if (needs_an_answer(fault.kind)) {
    answer = empty_answer(ids);
  }
  ApiReply reply = shape(fault, std::move(answer));
  if (reply.cut) ++traffic_.cuts;
  traffic_.log(log_line(request, ids, fault, reply));
  return reply;
}

std::optional<ApiError> Api::check_reader(const ApiRequest& request) const {
  switch (request.caller.standing) {
    case Standing::Unknown: return ApiError{403, "reader_unknown", "the client certificate is of no registered reader"};
    case Standing::Revoked: return ApiError{403, "certificate_revoked", "a certificate of this reader was revoked"};
    case Standing::Expired: return ApiError{403, "certificate_expired", "the client certificate has run out"};
    case Standing::Good: break;
  }
  // A POST says who sends it; where a GET does, it must be true as well.
  if (!request.reader_header && request.method != "POST") return std::nullopt;
  if (request.reader_header != request.caller.serial_number) {
    return ApiError{403, "reader_mismatch", "Nightdrop-Reader: is not the serial number of the client certificate"};
  }
  return std::nullopt;
}

std::vector<std::string> Api::ids_of(const ApiRequest& request) const {
  if (request.path == payments_path || request.path == batch_path) {
    const auto body = Json::parse(request.body);
    if (!body) return {};
    std::vector<std::string> ids;
    if (const auto id = (*body)["id"].string()) ids.emplace_back(*id);
    for (const JsonView payment : (*body)["payments"].items()) ids.emplace_back(payment["id"].string().value_or(""));
    return ids;
  }
  const std::string id = id_in_path(request.path, request.path.ends_with(reversal_end));
  return id.empty() ? std::vector<std::string>{} : std::vector<std::string>{id};
}

Answer Api::answer(const ApiRequest& request, const Fault& fault) {
  const bool post = request.method == "POST";
  const bool get = request.method == "GET";
  if (get && request.path == capabilities_path) return capabilities();
  if (post && request.path == certificate_path) return renewals_.renew(request.caller, request.body);
  if (post && request.path == batch_path) return batch(request, fault);
  if (post && request.path == payments_path) {
    if (request.body.size() > payment_body_max)
      return error_answer({413, "too_large", "the body is longer than 64 KiB"});
    if (!request.idempotency_key) return error_answer({400, "idempotency_key_missing", "Idempotency-Key: is missing"});
    return host_.payment(request.caller.serial_number, request.idempotency_key, request.body, fault);
  }
  if (const std::string id = id_in_path(request.path, true); post && !id.empty()) {
    return host_.reversal(id, request.idempotency_key, request.body);
  }
  if (const std::string id = id_in_path(request.path, false); get && !id.empty())
    return host_.status(id, request.idempotency_key, fault);
  return error_answer({404, "unknown_route", "there is nothing here"});
}

Answer Api::batch(const ApiRequest& request, const Fault& fault) {
  const auto body = Json::parse(request.body);
  if (!body || !(*body)["payments"].is_array()) {
    return error_answer({400, "malformed_json", "the body must be an object with the array payments"});
  }
  const std::size_t count = (*body)["payments"].size();
  if (count == 0 || count > batch_max) return error_answer({413, "too_many", "payments: must hold 1 to 100"});
  // Each payment byte for byte as it was sent, so that it is the same payment when it comes alone.
  const auto slices = array_slices(request.body, "payments");
  if (slices.size() != count) return error_answer({400, "malformed_json", "payments: cannot be told apart"});
  Json results = Json::array();
  std::uint64_t ticket = 0;
  for (const std::string_view slice : slices) {
    const Answer answer = host_.payment(request.caller.serial_number, std::nullopt, slice, fault);
    ticket = std::max(ticket, answer.ticket);
    Json result = Json::object();
    const auto payment = Json::parse(slice);
    result.set("payment", payment ? (*payment)["id"].string().value_or("") : std::string_view());
    result.set("status", answer.status);
    auto answer_body = Json::parse(answer.body);
    result.set("body", answer_body ? *std::move(answer_body) : Json::null());
    results.push(std::move(result));
  }
  Json whole = Json::object();
  whole.set("results", std::move(results));
  return Answer{.body = whole.dump(), .ticket = ticket, .outcome = "batch"};
}

// What an answer says is on the disk before it leaves.
Answer Api::durable(Answer answer) {
  if (host_.wait(answer.ticket)) return answer;
  return error_answer({503, "ledger_unavailable", "the ledger cannot be written now; send it again"});
}

}  // namespace nightdrop::simulator
