// How a command of nightdrop-provision ends: with what it made, as JSON, or with a refusal for a person and an exit
// code of sysexits.h. Messages name files and fields and hold no secret.
#pragma once

#include <expected>
#include <string>

#include "json/json.hpp"
#include "nightdrop/result.hpp"

namespace nightdrop::keys {

// sysexits.h, as far as it is used here.
enum class Exit : int {
  Usage = 64,
  Data = 65,
  NoInput = 66,
  Unavailable = 69,  // the other end of a line: not there, cut, or it said no
  Software = 70,
  CannotCreate = 73,
  Busy = 75,  // another process is at work there
  Config = 78,
};

struct Refusal {
  Exit exit{Exit::Software};
  std::string message;
};

template <class T>
using Outcome = std::expected<T, Refusal>;

// What a command made: lines for a person, and the same for a program (--json).
struct Made {
  std::string text;
  Json json = Json::object();
  int exit_code{0};  // not 0 where only a part could be done, which text and json tell
};

inline std::unexpected<Refusal> refuse(Exit exit, std::string message) {
  return std::unexpected(Refusal{exit, std::move(message)});
}

// An operation of the libraries that failed where no user's mistake is left.
inline std::unexpected<Refusal> refuse(const char* doing, const Error& error) {
  const Exit exit = error.code == Errc::Io ? Exit::CannotCreate : Exit::Software;
  return refuse(exit, std::string(doing) + ": " + error.text);
}

}  // namespace nightdrop::keys
