#include "provisioning/messages.hpp"

#include <algorithm>

#include "config/fields.hpp"
#include "json/json.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::provisioning {
namespace {

using config::Fields;
using config::Problem;

constexpr std::size_t key_block_max = 1024;
constexpr std::size_t files_max = 16;
constexpr std::size_t text_max = 256 * 1024;
constexpr std::size_t shown_max = 300;

Json typed(std::string_view type) {
  Json json = Json::object();
  json.set("type", type);
  return json;
}

Json to_json(const MakeIdentity& request) {
  Json json = typed("make_identity");
  json.set("common_name", request.common_name);
  return json;
}
Json to_json(const Installation& request) {
  Json files = Json::array();
  for (const File& file : request.files) {
    files.push(std::move(Json::object().set("name", file.name).set("content", file.content)));
  }
  Json json = typed("install");
  json.set("files", std::move(files))
      .set("initial_key_block", request.initial_key_block)
      .set("fingerprint_key_block", request.fingerprint_key_block)
      .set("development", request.development);
  return json;
}
Json to_json(const Prove& request) {
  Json json = typed("prove");
  json.set("challenge", hex_lower(request.challenge));
  return json;
}
Json to_json(const Commit&) {
  return typed("commit");
}
Json to_json(const Erase& request) {
  Json json = typed("erase");
  json.set("order", request.order);
  return json;
}

Json to_json(const Ready&) {
  return typed("ready");
}
Json to_json(const IdentityMade& answer) {
  Json json = typed("identity_made");
  json.set("request", to_base64(answer.request));
  return json;
}
Json to_json(const Installed& answer) {
  Json json = typed("installed");
  json.set("initial_key_check_value", answer.initial_key_check_value)
      .set("fingerprint_key_check_value", answer.fingerprint_key_check_value);
  return json;
}
Json to_json(const Proof& answer) {
  Json json = typed("proof");
  json.set("signature", to_base64(answer.signature))
      .set("ksn", hex_upper(answer.ksn))
      .set("mac", hex_upper(answer.mac));
  return json;
}
Json to_json(const Committed&) {
  return typed("committed");
}
Json to_json(const Erased&) {
  return typed("erased");
}
Json to_json(const Refused& answer) {
  Json json = typed("refused");
  json.set("reason", answer.reason);
  return json;
}

// A text of any characters, line ends too.
void free_text(Fields& fields, std::string_view key, std::string& into) {
  fields.require(key);
  const auto text = fields.take(key).string();
  if (!text || text->empty() || text->size() > text_max) {
    fields.refuse(key, "must be a text");
  } else {
    into = *text;
  }
}

void required_text(Fields& fields, std::string_view key, std::string& into, std::size_t max) {
  fields.require(key);
  fields.text(key, into, max);
}

// Hex digits for as many bytes as `into` has.
void hex_bytes(Fields& fields, std::string_view key, std::span<std::uint8_t> into) {
  std::string text;
  required_text(fields, key, text, 2 * into.size());
  const auto bytes = from_hex(text);
  if (!bytes || bytes->size() != into.size()) {
    fields.refuse(key, "must be " + std::to_string(2 * into.size()) + " hexadecimal digits");
  } else {
    std::ranges::copy(*bytes, into.begin());
  }
}

void base64_bytes(Fields& fields, std::string_view key, x509::Bytes& into, std::size_t max) {
  std::string text;
  free_text(fields, key, text);
  auto bytes = from_base64(text);
  if (!bytes || bytes->empty() || bytes->size() > max) {
    fields.refuse(key, "must be base64");
  } else {
    into = std::move(*bytes);
  }
}

void check_value(Fields& fields, std::string_view key, std::string& into) {
  required_text(fields, key, into, 10);
  if (into.size() != 10 || !from_hex(into)) fields.refuse(key, "must be 10 hexadecimal digits");
}

// What a reader says for a person to read. It ends on a terminal, in a report and in the station's database: whoever
// has the line steers none of them by it.
void shown_text(Fields& fields, std::string_view key, std::string& into) {
  free_text(fields, key, into);
  into.resize(std::min(into.size(), shown_max));
  std::ranges::replace_if(into, [](char c) { return c < ' ' || c > '~'; }, '?');
}

Installation read_installation(Fields& fields) {
  Installation what;
  fields.require("files");
  const JsonView files = fields.take("files");
  if (!files.is_array() || files.size() > files_max) {
    fields.refuse("files", "must be a list of at most 16 files");
  } else {
    std::size_t at = 0;
    for (const JsonView item : files.items()) {
      Fields one(item, "files[" + std::to_string(at++) + "]", fields.problem());
      File& file = what.files.emplace_back();
      required_text(one, "name", file.name, 64);
      free_text(one, "content", file.content);
    }
  }
  required_text(fields, "initial_key_block", what.initial_key_block, key_block_max);
  required_text(fields, "fingerprint_key_block", what.fingerprint_key_block, key_block_max);
  fields.require("development");
  fields.boolean("development", what.development);
  return what;
}

Request read_request(std::string_view type, Fields& fields) {
  if (type == "make_identity") {
    MakeIdentity request;
    required_text(fields, "common_name", request.common_name, 64);
    return request;
  }
  if (type == "install") return read_installation(fields);
  if (type == "prove") {
    Prove request;
    hex_bytes(fields, "challenge", request.challenge);
    return request;
  }
  if (type == "erase") {
    Erase request;
    free_text(fields, "order", request.order);
    return request;
  }
  if (type != "commit") fields.refuse("type", "is no request of this protocol");
  return Commit{};
}

Answer read_answer(std::string_view type, Fields& fields) {
  if (type == "ready") return Ready{};
  if (type == "identity_made") {
    IdentityMade answer;
    base64_bytes(fields, "request", answer.request, 4096);
    return answer;
  }
  if (type == "installed") {
    Installed answer;
    check_value(fields, "initial_key_check_value", answer.initial_key_check_value);
    check_value(fields, "fingerprint_key_check_value", answer.fingerprint_key_check_value);
    return answer;
  }
  if (type == "proof") {
    Proof answer;
    base64_bytes(fields, "signature", answer.signature, 72);
    hex_bytes(fields, "ksn", answer.ksn);
    answer.mac.resize(16);
    hex_bytes(fields, "mac", answer.mac);
    return answer;
  }
  if (type == "committed") return Committed{};
  if (type == "erased") return Erased{};
  Refused answer{"the answer cannot be read"};
  if (type == "refused") {
    shown_text(fields, "reason", answer.reason);
  } else {
    fields.refuse("type", "is no answer of this protocol");
  }
  return answer;
}

template <class Message, class Read>
std::expected<Message, std::string> decode(std::string_view text, const Read& read) {
  const auto json = Json::parse(text);
  if (!json || !json->view().is_object()) return std::unexpected("the message is no JSON object");
  Problem problem;
  Message message;
  {
    Fields fields(json->view(), "", problem);
    std::string type;
    required_text(fields, "type", type, 32);
    message = read(type, fields);
  }
  if (problem.found()) return std::unexpected(problem.sentence());
  return message;
}

template <class Message>
std::string encode_any(const Message& message) {
  return std::visit([](const auto& one) { return to_json(one).dump(); }, message);
}

}  // namespace

std::string encode(const Request& request) {
  return encode_any(request);
}
std::string encode(const Answer& answer) {
  return encode_any(answer);
}
std::expected<Request, std::string> decode_request(std::string_view json) {
  return decode<Request>(json, read_request);
}
std::expected<Answer, std::string> decode_answer(std::string_view json) {
  return decode<Answer>(json, read_answer);
}

}  // namespace nightdrop::provisioning
