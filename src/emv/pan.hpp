// What may be asked of a card number: is it one, what are its last four digits, how is it shown. Masking fails closed:
// what is not plainly a card number is shown as nothing but stars.
#pragma once

#include <string>
#include <string_view>

namespace nightdrop::emv {

// Whether the last digit is the Luhn check digit of the others; false unless all are digits. Standard: ISO/IEC 7812-1.
bool luhn_valid(std::string_view digits);

// The check digit to append to `digits`, '0' to '9'. Requires: all digits.
char luhn_check_digit(std::string_view digits);

// Whether the text is 12 to 19 digits with a right check digit.
bool pan_valid(std::string_view pan);

// The last four digits of 12 to 19 digits; empty for anything else.
std::string last4(std::string_view pan);

// Stars and the last four for 12 to 19 digits; "****" for anything else, whatever it is. Standard: PCI DSS 3.4.1.
std::string mask_pan(std::string_view pan);

// Whether a card number hides in free text: 13 to 19 digits, single spaces or hyphens between them allowed, with a
// right check digit and the first digits of a card scheme.
bool holds_pan(std::string_view text);

}  // namespace nightdrop::emv
