// The currencies of ISO 4217 and how an amount of minor units is written and read in each.
// Codes without minor units (metals, funds, the test code and "no currency") are not money and are not listed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "nightdrop/result.hpp"

namespace nightdrop::report {

// Whether `code` is a currency of ISO 4217, in lower case.
// Standard: ISO 4217:2015, list one.
bool is_iso4217(std::string_view code);

// The number of decimals of a currency; nothing for what is none.
std::optional<int> currency_exponent(std::string_view code);

// An amount with the currency's decimals and grouped thousands: 1,980.00; 500 for jpy; 1.250 for bhd.
// Ensures: an unknown code is written with two decimals.
std::string decimal(std::int64_t minor_units, std::string_view code);

// The amount with its currency in front: USD 1,980.00.
std::string money(std::int64_t minor_units, std::string_view code);

// Reads "12.50", "12.5", "12", "1,980.00" or, for jpy, "500" as minor units.
// Errors: Malformed; InvalidArgument for an unknown code, too many decimals, or more than the largest amount.
Result<std::int64_t> parse_decimal(std::string_view text, std::string_view code);

}  // namespace nightdrop::report
