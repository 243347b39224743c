// Currencies as cards name them: the numeric code of tag 5F2A. Standard: ISO 4217.
#pragma once

#include <cstdint>
#include <optional>

#include "nightdrop/payment.hpp"

namespace nightdrop::emv {

struct CurrencyCode {
  std::uint16_t numeric{0};
  std::uint8_t exponent{2};  // digits after the point: minor units of 100 have 2
};

// The numeric code and exponent of a lower-case ISO 4217 code; nothing for a code that is none.
std::optional<CurrencyCode> currency_code(const Currency& currency);

}  // namespace nightdrop::emv
