// One JSON object in a file; see accepted_policy.hpp.
#include "config/accepted_policy.hpp"

#include <string_view>

#include "json/json.hpp"
#include "nightdrop/durable_file.hpp"
#include "nightdrop/time_text.hpp"

namespace nightdrop {
namespace {

constexpr std::size_t document_max = 1 << 20;
constexpr std::size_t file_max = 4 * document_max;  // the document is escaped in it

std::string text_of(JsonView value) {
  return std::string(value.string().value_or(""));
}

}  // namespace

Result<std::string> read_whole_file(const std::string& file) {
  return read_text_file(file, document_max);
}

Result<AcceptedPolicy> read_accepted_policy(const std::string& file) {
  const auto text = read_text_file(file, file_max);
  if (!text) return std::unexpected(text.error());
  const auto json = Json::parse(*text);
  if (!json || !(*json)["document"].is_string() || !(*json)["signature"].is_string())
    return failure(Errc::Malformed, "the accepted policy is damaged");
  AcceptedPolicy accepted{text_of((*json)["document"]), text_of((*json)["signature"]), text_of((*json)["supersedes"]),
                          text_of((*json)["reader"]), std::nullopt};
  if (const JsonView refused = (*json)["refused"]; refused.is_object())
    accepted.refused =
        PolicyRefusal{parse_rfc3339(text_of(refused["at"])).value_or(0),
                      from_word<PolicyOrigin>(text_of(refused["origin"])).value_or(PolicyOrigin::Configured),
                      text_of(refused["reason"])};
  return accepted;
}

Result<void> write_accepted_policy(const std::string& file, const AcceptedPolicy& accepted) {
  Json json = Json::object();
  json.set("document", accepted.document)
      .set("signature", accepted.signature)
      .set("supersedes", accepted.supersedes)
      .set("reader", accepted.reader);
  if (accepted.refused) {
    json.set("refused", std::move(Json::object()
                                      .set("at", rfc3339(accepted.refused->at))
                                      .set("origin", word(accepted.refused->origin))
                                      .set("reason", accepted.refused->reason)));
  }
  return replace_file(file, json.dump() + "\n");
}

}  // namespace nightdrop
