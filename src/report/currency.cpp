// ISO 4217's list and the arithmetic of decimals, without floating point.
#include "report/currency.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "nightdrop/payment.hpp"

namespace nightdrop::report {
namespace {

// Sorted; those that are not named below have two decimals.
constexpr auto codes = std::to_array<std::string_view>({
    "aed", "afn", "all", "amd", "ang", "aoa", "ars", "aud", "awg", "azn", "bam", "bbd", "bdt", "bgn", "bhd", "bif",
    "bmd", "bnd", "bob", "bov", "brl", "bsd", "btn", "bwp", "byn", "bzd", "cad", "cdf", "che", "chf", "chw", "clf",
    "clp", "cny", "cop", "cou", "crc", "cup", "cve", "czk", "djf", "dkk", "dop", "dzd", "egp", "ern", "etb", "eur",
    "fjd", "fkp", "gbp", "gel", "ghs", "gip", "gmd", "gnf", "gtq", "gyd", "hkd", "hnl", "htg", "huf", "idr", "ils",
    "inr", "iqd", "irr", "isk", "jmd", "jod", "jpy", "kes", "kgs", "khr", "kmf", "kpw", "krw", "kwd", "kyd", "kzt",
    "lak", "lbp", "lkr", "lrd", "lsl", "lyd", "mad", "mdl", "mga", "mkd", "mmk", "mnt", "mop", "mru", "mur", "mvr",
    "mwk", "mxn", "mxv", "myr", "mzn", "nad", "ngn", "nio", "nok", "npr", "nzd", "omr", "pab", "pen", "pgk", "php",
    "pkr", "pln", "pyg", "qar", "ron", "rsd", "rub", "rwf", "sar", "sbd", "scr", "sdg", "sek", "sgd", "shp", "sle",
    "sos", "srd", "ssp", "stn", "svc", "syp", "szl", "thb", "tjs", "tmt", "tnd", "top", "try", "ttd", "twd", "tzs",
    "uah", "ugx", "usd", "usn", "uyi", "uyu", "uyw", "uzs", "ved", "ves", "vnd", "vuv", "wst", "xaf", "xcd", "xcg",
    "xof", "xpf", "yer", "zar", "zmw", "zwg",
});
static_assert(std::ranges::is_sorted(codes));

constexpr auto without_decimals =
    std::to_array<std::string_view>({"bif", "clp", "djf", "gnf", "isk", "jpy", "kmf", "krw", "pyg", "rwf", "ugx", "uyi",
                                     "vnd", "vuv", "xaf", "xof", "xpf"});
constexpr auto with_three = std::to_array<std::string_view>({"bhd", "iqd", "jod", "kwd", "lyd", "omr", "tnd"});
constexpr auto with_four = std::to_array<std::string_view>({"clf", "uyw"});

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Takes the commas out of whole units; nothing where they do not stand between groups of three.
std::optional<std::string> without_grouping(std::string_view whole) {
  if (whole.find(',') == std::string_view::npos) return std::string(whole);
  std::string digits;
  std::size_t group = 0;
  bool first = true;
  for (const char c : whole) {
    if (c == ',') {
      if (group == 0 || group > 3 || (!first && group != 3)) return std::nullopt;
      first = false;
      group = 0;
    } else {
      digits += c;
      ++group;
    }
  }
  if (group != 3) return std::nullopt;
  return digits;
}

}  // namespace

bool is_iso4217(std::string_view code) {
  return std::ranges::binary_search(codes, code);
}

std::optional<int> currency_exponent(std::string_view code) {
  if (!is_iso4217(code)) return std::nullopt;
  if (std::ranges::find(without_decimals, code) != without_decimals.end()) return 0;
  if (std::ranges::find(with_three, code) != with_three.end()) return 3;
  if (std::ranges::find(with_four, code) != with_four.end()) return 4;
  return 2;
}

std::string decimal(std::int64_t minor_units, std::string_view code) {
  const auto exponent = static_cast<std::size_t>(currency_exponent(code).value_or(2));
  const bool negative = minor_units < 0;
  const auto size = negative ? ~static_cast<std::uint64_t>(minor_units) + 1 : static_cast<std::uint64_t>(minor_units);
  std::string digits = std::to_string(size);
  if (digits.size() <= exponent) digits.insert(0, exponent + 1 - digits.size(), '0');
  std::string text = digits.substr(0, digits.size() - exponent);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, 1, ',');
  if (exponent > 0) text += '.' + digits.substr(digits.size() - exponent);
  return negative ? '-' + text : text;
}

std::string money(std::int64_t minor_units, std::string_view code) {
  std::string text;
  for (const char c : code) text += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return text + ' ' + decimal(minor_units, code);
}

Result<std::int64_t> parse_decimal(std::string_view text, std::string_view code) {
  const auto exponent = currency_exponent(code);
  if (!exponent) return failure(Errc::InvalidArgument, "the currency is none of ISO 4217");
  const std::size_t point = text.find('.');
  const auto whole = without_grouping(text.substr(0, point));
  std::string decimals(point == std::string_view::npos ? std::string_view() : text.substr(point + 1));
  if (!whole || whole->empty() || (point != std::string_view::npos && decimals.empty())) {
    return failure(Errc::Malformed, "the amount is not a number like 12.50");
  }
  std::string digits = *whole + decimals;
  if (!std::ranges::all_of(digits, is_digit)) return failure(Errc::Malformed, "the amount is not a number like 12.50");
  if (decimals.size() > static_cast<std::size_t>(*exponent)) {
    return failure(Errc::InvalidArgument, "the amount has more decimals than the currency");
  }
  digits.append(static_cast<std::size_t>(*exponent) - decimals.size(), '0');
  std::int64_t amount = 0;
  for (const char c : digits) {
    amount = amount * 10 + (c - '0');
    if (amount > amount_max) return failure(Errc::InvalidArgument, "the amount is larger than any payment may be");
  }
  return amount;
}

}  // namespace nightdrop::report
