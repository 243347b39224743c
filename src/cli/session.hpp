// One run of the command against one reader: the connection, calls with their failures said in a person's words and
// turned into exit codes, results printed as text or, unchanged, as JSON.
#pragma once

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "cli/console.hpp"
#include "cli/exit_code.hpp"
#include "json/json.hpp"
#include "nightdrop/pos_client.hpp"

namespace nightdrop::cli {

// Why a command ends early.
struct Failure {
  Exit exit{Exit::BadAnswer};
  std::string message;  // one sentence
  std::string code;     // the protocol's error code; empty where there is none
  std::string answer;   // the JSON-RPC error object; empty where there is none
};

// A method's result: its exact text, and the same parsed.
struct Answer {
  std::string text;
  Json json;
  JsonView operator[](std::string_view key) const { return json[key]; }
};
using Called = std::expected<Answer, Failure>;

class Session {
 public:
  using Milliseconds = std::chrono::milliseconds;

  Session(Console& terminal, std::string socket_path) : console(terminal), socket_path_(std::move(socket_path)) {}

  // Connects, once.
  std::expected<PosClient*, Failure> client();
  // Calls a method; connects first where needed.
  Called call(std::string_view method, const Json& params = Json::object(),
              Milliseconds timeout = PosClient::default_timeout);
  // The same with params that end in a PIN. Ensures: the PIN is wiped from what is made here.
  Called call_with_pin(std::string_view method, const Json& params, std::string_view pin);
  // What a client's answer means here.
  Called answered(PosResult<std::string> result) const;

  // The id of what a person named: an id as it is, otherwise the payment of that merchant reference.
  std::expected<std::string, Failure> id_of(std::string_view id_or_reference);

  // Says why on standard error, with --json also the error object on standard output; gives the exit code.
  int fail(const Failure& failure);
  // Prints the result: its own text with --json, otherwise what `text` makes of it.
  template <class Text>
  int show(const Answer& answer, Text text, Exit exit = Exit::Done) {
    console.out(console.json() ? answer.text + '\n' : text(answer.json.view()));
    return static_cast<int>(exit);
  }

  Console& console;

 private:
  std::string socket_path_;
  std::optional<PosClient> client_;
};

// The exit code of a protocol error code.
Exit exit_of(std::string_view code);

}  // namespace nightdrop::cli
