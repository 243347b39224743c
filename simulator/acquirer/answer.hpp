// What the acquirer answers, before it becomes HTTP.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "json/json.hpp"

namespace nightdrop::simulator {

struct Answer {
  int status{200};
  std::string body;
  bool replayed{false};
  std::string retry_after;  // the header's value; empty: no header
  std::uint64_t ticket{0};  // what must be durable before the answer leaves; 0: nothing
  std::string outcome;      // for the log: the outcome or the error's code
};

// A refusal of one request: the error code and a sentence that names the field, without any of its content.
struct ApiError {
  int status{422};
  std::string code;
  std::string message;
};

inline Answer error_answer(const ApiError& error) {
  Json inner = Json::object();
  inner.set("code", error.code).set("message", error.message);
  Json body = Json::object();
  body.set("error", std::move(inner));
  return Answer{.status = error.status, .body = body.dump(), .outcome = error.code};
}

}  // namespace nightdrop::simulator
