// check_content(): what a value can mean, beyond what its encoding allows.
#include <algorithm>
#include <array>

#include "acquirer/iso8583/codec.hpp"
#include "acquirer/iso8583/field.hpp"

namespace nightdrop::iso8583 {
namespace {

// Standard: ISO/IEC 7812-1, annex B. As in src/emv/pan.cpp, which an adapter does not reach for.
bool is_card_number(std::string_view pan) {
  if (pan.size() < 12 || pan.size() > 19 || !all_digits(pan)) return false;
  unsigned sum = 0;
  for (std::size_t i = 0; i < pan.size(); ++i) {
    const auto digit = static_cast<unsigned>(pan[pan.size() - 1 - i] - '0');
    const unsigned weighted = i % 2 == 0 ? digit : 2 * digit;
    sum += weighted / 10 + weighted % 10;
  }
  return sum % 10 == 0;
}

// The two digits at `at`, or 100, which is too large for any part of a date or time.
unsigned two_digits(std::string_view text, std::size_t at) {
  if (at + 2 > text.size() || !all_digits(text.substr(at, 2))) return 100;
  return static_cast<unsigned>(10 * (text[at] - '0') + (text[at + 1] - '0'));
}

bool is_month(std::string_view mm) {
  const unsigned month = two_digits(mm, 0);
  return month >= 1 && month <= 12;
}

// Without a year, 29 February is possible.
bool is_date(std::string_view mmdd) {
  constexpr std::array<unsigned, 12> days{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const unsigned day = two_digits(mmdd, 2);
  return is_month(mmdd) && day >= 1 && day <= days[two_digits(mmdd, 0) - 1];
}

bool is_time(std::string_view hhmmss) {
  return two_digits(hhmmss, 0) < 24 && two_digits(hhmmss, 2) < 60 && two_digits(hhmmss, 4) < 60;
}

bool is_date_of_year(std::string_view yymmdd) {
  const bool leap = two_digits(yymmdd, 0) % 4 == 0;  // 1901 to 2099
  return yymmdd.size() == 6 && is_date(yymmdd.substr(2)) && (leap || yymmdd.substr(2) != "0229");
}

struct Rule {
  unsigned element;
  std::size_t size;  // 0: any
  bool (*holds)(std::string_view);
  const char* text;
};

constexpr std::array<Rule, 9> rules{{
    {7, 10, [](std::string_view v) { return is_date(v) && is_time(v.substr(4)); }, "not a date and time"},
    {12, 6, is_time, "not a time"},
    {13, 4, is_date, "not a date"},
    {14, 4, [](std::string_view v) { return two_digits(v, 0) < 100 && is_month(v.substr(2)); }, "not a year and month"},
    {15, 4, is_date, "not a date"},
    {16, 4, is_date, "not a date"},
    {17, 4, is_date, "not a date"},
    {73, 6, is_date_of_year, "not a date"},
    {2, 0, is_card_number, "not a card number"},
}};

}  // namespace

Result<void> check_content(const Message& message) {
  for (const auto& rule : rules) {
    if (!message.has(rule.element)) continue;
    const auto value = message.value(rule.element);
    if ((rule.size != 0 && value.size() != rule.size) || !rule.holds(value)) {
      return failure(Errc::Malformed, rule.text, static_cast<int>(rule.element));
    }
  }
  return {};
}

}  // namespace nightdrop::iso8583
