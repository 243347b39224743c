// Calls and their failures, see session.hpp.
#include "cli/session.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "report/text.hpp"

namespace nightdrop::cli {
namespace {

using namespace std::string_view_literals;

// The card or its owner ended it.
constexpr auto ended_by_card =
    std::to_array({"card_declined_offline"sv, "card_blocked"sv, "card_read_failed"sv, "card_removed"sv,
                   "card_read_timed_out"sv, "canceled"sv, "offline_and_card_expired"sv});
// The same may work in a while.
constexpr auto for_later = std::to_array({"reader_busy"sv, "store_full"sv, "store_unavailable"sv, "network_lost"sv,
                                          "reader_not_provisioned"sv, "approver_locked"sv});

constexpr std::int64_t invalid_params = -32602;

}  // namespace

Exit exit_of(std::string_view code) {
  if (code == "unknown_payment_intent") return Exit::NotFound;
  if (std::ranges::find(ended_by_card, code) != ended_by_card.end()) return Exit::Refused;
  if (std::ranges::find(for_later, code) != for_later.end()) return Exit::TryLater;
  return Exit::ByRule;
}

std::expected<PosClient*, Failure> Session::client() {
  if (client_) return &*client_;
  auto connected = PosClient::connect(socket_path_);
  if (!connected) {
    const int native = connected.error().native;
    const char* why = native == ENOENT         ? "nothing is there"
                      : native == ECONNREFUSED ? "no daemon listens on it"
                      : native == EACCES       ? "this user may not use it"
                                               : std::strerror(native);
    return std::unexpected(
        Failure{Exit::NotReachable, "cannot reach the reader at " + socket_path_ + ": " + why, {}, {}});
  }
  client_.emplace(std::move(*connected));
  return &*client_;
}

Called Session::answered(PosResult<std::string> result) const {
  if (result) {
    auto json = Json::parse(*result);
    if (!json) return std::unexpected(Failure{Exit::BadAnswer, "the reader's answer is not JSON", {}, {}});
    return Answer{std::move(*result), std::move(*json)};
  }
  const PosError& error = result.error();
  if (!error.refused()) {
    const Exit exit = error.error.code == Errc::Malformed         ? Exit::BadAnswer
                      : error.error.code == Errc::InvalidArgument ? Exit::Usage
                      : error.timed_out()                         ? Exit::TryLater
                                                                  : Exit::NotReachable;
    return std::unexpected(Failure{exit, error.error.text, {}, {}});
  }
  Failure failure{Exit::BadAnswer, "the reader refused", {}, error.answer};
  const auto object = Json::parse(error.answer);
  if (!object) return std::unexpected(failure);
  if (const auto message = (*object)["message"].string()) failure.message = report::printable(*message);
  const JsonView data = (*object)["data"];
  if (const auto code = data["code"].string()) {
    failure.code = *code;
    failure.message += " (" + report::printable(*code) + ")";
    failure.exit = exit_of(*code);
  }
  if ((*object)["code"].integer() == invalid_params) failure.exit = Exit::Usage;
  if (const auto field = data["field"].string()) failure.message += " [" + report::printable(*field) + "]";
  if (const auto left = data["attempts_remaining"].integer()) {
    failure.message += ", " + std::to_string(*left) + (*left == 1 ? " attempt left" : " attempts left");
  }
  if (const auto wait = data["retry_after_s"].integer())
    failure.message += ", try again in " + report::duration(*wait * 1000);
  return std::unexpected(failure);
}

Called Session::call(std::string_view method, const Json& params, Milliseconds timeout) {
  const auto reader = client();
  if (!reader) return std::unexpected(reader.error());
  return answered((*reader)->call(method, params.dump(), timeout));
}

Called Session::call_with_pin(std::string_view method, const Json& params, std::string_view pin) {
  const auto reader = client();
  if (!reader) return std::unexpected(reader.error());
  std::string text = params.dump();
  text.pop_back();
  text.reserve(text.size() + pin.size() + 16);  // not to be moved about once the PIN is in
  text += params.view().size() == 0 ? "\"pin\":\"" : ",\"pin\":\"";
  text.append(pin).append("\"}");
  auto result = (*reader)->call(method, text);
  explicit_bzero(text.data(), text.size());
  return answered(std::move(result));
}

std::expected<std::string, Failure> Session::id_of(std::string_view id_or_reference) {
  if (id_or_reference.size() == 35 && id_or_reference.starts_with("pi_")) return std::string(id_or_reference);
  Json params = Json::object();
  params.set("merchant_reference", id_or_reference);
  const auto found = call("retrieve_payment_intent", params);
  if (!found) return std::unexpected(found.error());
  return std::string((*found)["id"].string().value_or(std::string_view()));
}

int Session::fail(const Failure& failure) {
  console.complain(failure.message);
  if (console.json() && !failure.answer.empty()) console.out("{\"error\":" + failure.answer + "}\n");
  return static_cast<int>(failure.exit);
}

}  // namespace nightdrop::cli
