#include "acquirer/iso8583/exchange.hpp"

#include <algorithm>

namespace nightdrop::iso8583 {
namespace {

std::string zero_filled(std::string_view digits, std::size_t size) {
  return std::string(size - digits.size(), '0').append(digits);
}

template <std::size_t N>
bool agree(const Message& a, const Message& b, const std::array<unsigned, N>& elements) {
  return std::ranges::all_of(elements, [&](unsigned element) { return same_element(a, b, element); });
}

}  // namespace

Result<Message> repeat_of(const Message& message) {
  const auto mti = message.mti().repeat();
  if (!mti) return failure(Errc::InvalidArgument, "an answer is not repeated");
  Message again = message.copy();
  again.set_mti(*mti);
  return again;
}

bool is_repeat_of(const Message& original, const Message& again) {
  return again.mti().is_repeat() && original.mti().repeat() == again.mti() && agree(original, again, kept_on_repeat);
}

bool is_answer_to(const Message& request, const Message& answer) {
  return request.mti().response() == answer.mti() && agree(request, answer, echoed_in_answer);
}

Result<std::string> original_data(const Message& original) {
  struct Part {
    unsigned element;
    std::size_t size;
    bool variable;
  };
  constexpr std::array<Part, 4> parts{{{11, 6, false}, {7, 10, false}, {32, 11, true}, {33, 11, true}}};
  std::string text(original.mti().text());
  for (const auto& [element, size, variable] : parts) {
    const auto value = original.value(element);
    const bool fits = variable ? value.size() <= size : value.size() == size;
    if (!fits || !std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; })) {
      return failure(Errc::InvalidArgument, "the original cannot be referred to", static_cast<int>(element));
    }
    text += zero_filled(value, size);
  }
  return text;
}

Result<std::string> replacement_amounts(std::uint64_t amount_minor) {
  const std::string digits = std::to_string(amount_minor);
  if (digits.size() > 12) return failure(Errc::InvalidArgument, "amount of more than 12 digits", 95);
  return zero_filled(digits, 12) + "000000000000" + "C00000000" + "C00000000";
}

}  // namespace nightdrop::iso8583
