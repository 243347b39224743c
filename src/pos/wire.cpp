#include "pos/wire.hpp"

#include "report/objects.hpp"

namespace nightdrop::pos {

std::expected<Request, BadRequest> read_request(std::string_view line) {
  auto document = Json::parse(line);
  if (!document) return std::unexpected(BadRequest{"null", parse_error, "The line is not JSON."});
  const JsonView view = document->view();
  if (view.is_array()) return std::unexpected(BadRequest{"null", invalid_request, "Batches are not taken."});
  if (!view.is_object()) return std::unexpected(BadRequest{"null", invalid_request, "A request is an object."});
  const JsonView id = view["id"];
  const bool id_good = !id.exists() || id.is_null() || id.is_string() || id.is_integer();
  const std::string id_text = id.exists() && id_good ? id.dump() : "null";
  if (!id_good)
    return std::unexpected(BadRequest{"null", invalid_request, "id must be a string, a whole number or null."});
  if (view["jsonrpc"].string() != "2.0")
    return std::unexpected(BadRequest{id_text, invalid_request, "jsonrpc must be \"2.0\"."});
  const auto method = view["method"].string();
  if (!method) return std::unexpected(BadRequest{id_text, invalid_request, "method must be a string."});
  for (const JsonView member : view.items()) {
    const auto key = member.key();
    if (key != "jsonrpc" && key != "id" && key != "method" && key != "params") {
      return std::unexpected(
          BadRequest{id_text, invalid_request, "A request has jsonrpc, id, method and params alone."});
    }
  }
  const JsonView params = view["params"];
  if (params.exists() && !params.is_object()) {
    return std::unexpected(BadRequest{id_text, invalid_params, "params must be an object."});
  }
  Request request;
  request.id = id_text;
  request.notification = !id.exists();
  request.method = *method;
  request.document = std::move(*document);
  request.params = request.document["params"];
  return request;
}

std::string result_line(std::string_view id, JsonView result) {
  std::string line = R"({"jsonrpc":"2.0","id":)";
  line += id;
  line += R"(,"result":)";
  line += result.dump();
  line += "}\n";
  return line;
}

std::string error_line(std::string_view id, int code, std::string_view message) {
  Json error = Json::object();
  error.set("code", code).set("message", message);
  std::string line = R"({"jsonrpc":"2.0","id":)";
  line += id;
  line += R"(,"error":)";
  line += error.dump();
  line += "}\n";
  return line;
}

std::string error_line(std::string_view id, const terminal::PosError& failed) {
  Json data = Json::object();
  data.set("code", word(failed.code));
  if (failed.payment) data.set("payment_intent", report::payment_json(*failed.payment));
  if (!failed.field.empty()) data.set("field", failed.field);
  if (failed.attempts_remaining) data.set("attempts_remaining", *failed.attempts_remaining);
  if (failed.retry_after_s) data.set("retry_after_s", *failed.retry_after_s);
  Json error = Json::object();
  error.set("code", failed.code == PosCode::InvalidParams ? invalid_params : refused);
  error.set("message", failed.message).set("data", std::move(data));
  std::string line = R"({"jsonrpc":"2.0","id":)";
  line += id;
  line += R"(,"error":)";
  line += error.dump();
  line += "}\n";
  return line;
}

std::string notification_line(std::string_view params) {
  std::string line = R"({"jsonrpc":"2.0","method":"event","params":)";
  line += params;
  line += "}\n";
  return line;
}

}  // namespace nightdrop::pos
