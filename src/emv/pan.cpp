// Card numbers: check digit and masking.
#include "emv/pan.hpp"

#include <algorithm>

#include "emv/brand.hpp"
#include "nightdrop/result.hpp"
#include "nightdrop/secret.hpp"

namespace nightdrop::emv {
namespace {

bool all_digits(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

bool plausible(std::string_view pan) {
  return pan.size() >= 12 && pan.size() <= 19 && all_digits(pan);
}

// The Luhn sum with every second digit doubled, the first doubled being the last (`from_right` 0) or the one before it.
int luhn_sum(std::string_view digits, std::size_t from_right) {
  int sum = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    int value = digits[digits.size() - 1 - i] - '0';
    if (i % 2 == from_right) value = value * 2 > 9 ? value * 2 - 9 : value * 2;
    sum += value;
  }
  return sum;
}

}  // namespace

bool luhn_valid(std::string_view digits) {
  return digits.size() >= 2 && all_digits(digits) && luhn_sum(digits, 1) % 10 == 0;
}

char luhn_check_digit(std::string_view digits) {
  ND_ASSERT(all_digits(digits));
  return static_cast<char>('0' + (10 - luhn_sum(digits, 0) % 10) % 10);
}

bool pan_valid(std::string_view pan) {
  return plausible(pan) && luhn_valid(pan);
}

std::string last4(std::string_view pan) {
  return plausible(pan) ? std::string(pan.substr(pan.size() - 4)) : std::string();
}

std::string mask_pan(std::string_view pan) {
  if (!plausible(pan)) return "****";
  return std::string(pan.size() - 4, '*') + last4(pan);
}

bool holds_pan(std::string_view text) {
  constexpr std::size_t shortest = 13;
  std::string run;
  const auto run_is_pan = [&] {
    for (std::size_t length = std::min<std::size_t>(19, run.size()); length >= shortest; --length) {
      for (std::size_t at = 0; at + length <= run.size(); ++at) {
        const auto candidate = std::string_view(run).substr(at, length);
        if (pan_valid(candidate) && scheme_of_pan(candidate) != Scheme::Unknown) return true;
      }
    }
    return false;
  };
  bool found = false;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const char c = i < text.size() ? text[i] : '\n';
    if (c >= '0' && c <= '9') {
      run.push_back(c);
      continue;
    }
    const bool joins =
        (c == ' ' || c == '-') && !run.empty() && i + 1 < text.size() && text[i + 1] >= '0' && text[i + 1] <= '9';
    if (joins) continue;
    found = found || run_is_pan();
    wipe({reinterpret_cast<std::uint8_t*>(run.data()), run.size()});
    run.clear();
  }
  return found;
}

}  // namespace nightdrop::emv
