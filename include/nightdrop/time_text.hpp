// Times as RFC 3339 text and back. UTC milliseconds are the only form a time is kept in; text is for the wire, the
// journal, the policy and people. What is out of the years 0000-9999 is held at their edge, so that every time has a
// text that parse_rfc3339() reads.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "nightdrop/payment.hpp"

namespace nightdrop {

namespace time_text_detail {

inline constexpr UtcMs first_ms = -62'167'219'200'000;  // 0000-01-01T00:00:00.000Z
inline constexpr UtcMs last_ms = 253'402'300'799'999;   // 9999-12-31T23:59:59.999Z

inline void append_digits(std::string& text, std::int64_t value, int width) {
  std::string digits(static_cast<std::size_t>(width), '0');
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, value /= 10) {
    *digit = static_cast<char>('0' + value % 10);
  }
  text += digits;
}

// 2026-11-21T19:40:03, and the milliseconds left over through `millisecond`.
inline std::string date_and_time(UtcMs time, std::int64_t& millisecond) {
  using namespace std::chrono;
  const sys_time<milliseconds> point{milliseconds{std::clamp(time, first_ms, last_ms)}};
  const sys_days day = floor<days>(point);
  const year_month_day date{day};
  const hh_mm_ss of_day{point - day};
  std::string text;
  text.reserve(32);
  append_digits(text, static_cast<int>(date.year()), 4);
  text += '-';
  append_digits(text, static_cast<unsigned>(date.month()), 2);
  text += '-';
  append_digits(text, static_cast<unsigned>(date.day()), 2);
  text += 'T';
  append_digits(text, of_day.hours().count(), 2);
  text += ':';
  append_digits(text, of_day.minutes().count(), 2);
  text += ':';
  append_digits(text, of_day.seconds().count(), 2);
  millisecond = of_day.subseconds().count();
  return text;
}

// Takes `width` digits off the front of `text`.
inline std::optional<int> take_digits(std::string_view& text, std::size_t width) {
  if (text.size() < width) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(0, width)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(width);
  return value;
}

inline bool take(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

// Takes a fraction of a second, if there is one; digits past the third are cut. Nothing: a point without a digit.
inline std::optional<int> take_fraction(std::string_view& text) {
  if (!take(text, ".")) return 0;
  int millisecond = 0;
  std::size_t digits = 0;
  for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; ++digits, text.remove_prefix(1)) {
    if (digits < 3) millisecond = millisecond * 10 + (text.front() - '0');
  }
  if (digits == 0) return std::nullopt;
  for (; digits < 3; ++digits) millisecond *= 10;
  return millisecond;
}

// Takes Z or the offset; in minutes.
inline std::optional<int> take_offset(std::string_view& text) {
  if (take(text, "Zz")) return 0;
  const bool west = text.starts_with('-');
  if (!take(text, "+-")) return std::nullopt;
  const auto hours = take_digits(text, 2);
  if (!hours || !take(text, ":")) return std::nullopt;
  const auto minutes = take_digits(text, 2);
  if (!minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  return (west ? -1 : 1) * (*hours * 60 + *minutes);
}

}  // namespace time_text_detail

// The time in UTC with milliseconds: 2026-11-21T19:40:03.123Z.
// Standard: RFC 3339, 5.6.
inline std::string rfc3339(UtcMs time) {
  std::int64_t millisecond = 0;
  std::string text = time_text_detail::date_and_time(time, millisecond);
  text += '.';
  time_text_detail::append_digits(text, millisecond, 3);
  text += 'Z';
  return text;
}

// The time as a wall clock east of Greenwich by `offset_minutes` shows it: 2026-11-21T14:40:03-05:00.
// Requires: |offset_minutes| < 1440. Ensures: whole seconds; what is less is cut.
inline std::string rfc3339_local(UtcMs time, int offset_minutes) {
  std::int64_t millisecond = 0;
  const UtcMs in_range = std::clamp(time, time_text_detail::first_ms, time_text_detail::last_ms);
  std::string text = time_text_detail::date_and_time(in_range + UtcMs{offset_minutes} * 60'000, millisecond);
  const int size = offset_minutes < 0 ? -offset_minutes : offset_minutes;
  text += offset_minutes < 0 ? '-' : '+';
  time_text_detail::append_digits(text, size / 60, 2);
  text += ':';
  time_text_detail::append_digits(text, size % 60, 2);
  return text;
}

// The time of an RFC 3339 date-time, any offset; nothing if the text is not exactly one or its date does not exist.
// Fractions finer than a millisecond are cut; second 60, a leap second, is the second after 59.
// Standard: RFC 3339, 5.6 and 5.7.
inline std::optional<UtcMs> parse_rfc3339(std::string_view text) {
  using namespace time_text_detail;
  const auto year = take_digits(text, 4);
  if (!year || !take(text, "-")) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take(text, "-")) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day || !take(text, "Tt ")) return std::nullopt;
  const auto hour = take_digits(text, 2);
  if (!hour || !take(text, ":")) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || !take(text, ":")) return std::nullopt;
  const auto second = take_digits(text, 2);
  if (!second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  const auto millisecond = take_fraction(text);
  if (!millisecond) return std::nullopt;
  const auto offset = take_offset(text);
  if (!offset || !text.empty()) return std::nullopt;

  const std::chrono::year_month_day date{std::chrono::year{*year}, std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok()) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
  const std::int64_t seconds = ((days * 24 + *hour) * 60 + *minute - *offset) * 60 + *second;
  return seconds * 1000 + *millisecond;
}

}  // namespace nightdrop
