// JSON-RPC 2.0 as text: requests in, results, errors and notifications out.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "json/json.hpp"
#include "terminal/pos_error.hpp"

namespace nightdrop::pos {

inline constexpr int parse_error = -32700;
inline constexpr int invalid_request = -32600;
inline constexpr int method_not_found = -32601;
inline constexpr int invalid_params = -32602;
inline constexpr int refused = -32000;

// A request, or what was wrong with it.
struct Request {
  Json document;   // owns what the views below point into
  std::string id;  // as JSON text; "null" where there is none
  bool notification{false};
  std::string method;
  JsonView params;
};
struct BadRequest {
  std::string id;
  int code{invalid_request};
  const char* message{""};
};

std::expected<Request, BadRequest> read_request(std::string_view line);

std::string result_line(std::string_view id, JsonView result);
std::string error_line(std::string_view id, int code, std::string_view message);
std::string error_line(std::string_view id, const terminal::PosError& error);
std::string notification_line(std::string_view params);  // method "event"

}  // namespace nightdrop::pos
