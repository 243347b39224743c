// The message type indicator: version, class, function and originator, and what follows from them.
// Standard: ISO 8583:1987, 4.2.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "nightdrop/result.hpp"

namespace nightdrop::iso8583 {

class Mti {
 public:
  Mti() = default;

  // Errors: Malformed (not four digits, not version 0 (1987), a class, function or originator 1987 does not have).
  static Result<Mti> parse(std::string_view text);

  std::string_view text() const { return {digits_.data(), digits_.size()}; }

  // Class and function in words, such as "financial advice".
  std::string meaning() const;

  bool is_request() const;  // or an advice: something that is answered
  bool is_repeat() const;

  // The type that answers this one or its repeat; nothing where this is itself an answer.
  std::optional<Mti> response() const;

  // The type that sends this one again; nothing where this is an answer.
  std::optional<Mti> repeat() const;

  friend bool operator==(const Mti&, const Mti&) = default;

 private:
  std::array<char, 4> digits_{'0', '8', '0', '0'};
};

}  // namespace nightdrop::iso8583
