#include "acquirer/iso8583/mti.hpp"

#include <algorithm>

namespace nightdrop::iso8583 {
namespace {

enum Position : std::size_t { version, message_class, function, originator };

constexpr std::array<std::string_view, 9> class_names{"",
                                                      "authorization",
                                                      "financial",
                                                      "file update",
                                                      "reversal",
                                                      "reconciliation",
                                                      "administrative",
                                                      "fee collection",
                                                      "network management"};
constexpr std::array<std::string_view, 4> function_names{"request", "response", "advice", "advice response"};

std::size_t digit(char c) {
  return static_cast<std::size_t>(c - '0');
}

}  // namespace

Result<Mti> Mti::parse(std::string_view text) {
  if (text.size() != 4 || !std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; })) {
    return failure(Errc::Malformed, "message type is not four digits");
  }
  if (text[version] != '0') return failure(Errc::Malformed, "message type is not of 1987");
  if (text[message_class] < '1' || text[message_class] > '8' || text[function] > '3' || text[originator] > '5') {
    return failure(Errc::Malformed, "message type does not exist");
  }
  Mti mti;
  std::ranges::copy(text, mti.digits_.begin());
  return mti;
}

std::string Mti::meaning() const {
  std::string words(class_names[digit(digits_[message_class])]);
  words += ' ';
  words += function_names[digit(digits_[function])];
  return words;
}

bool Mti::is_request() const {
  return digit(digits_[function]) % 2 == 0;
}

bool Mti::is_repeat() const {
  return digit(digits_[originator]) % 2 == 1;
}

std::optional<Mti> Mti::response() const {
  if (!is_request()) return std::nullopt;
  Mti answer = *this;
  ++answer.digits_[function];
  if (is_repeat()) --answer.digits_[originator];
  return answer;
}

std::optional<Mti> Mti::repeat() const {
  if (!is_request()) return std::nullopt;
  Mti again = *this;
  if (!is_repeat()) ++again.digits_[originator];
  return again;
}

}  // namespace nightdrop::iso8583
