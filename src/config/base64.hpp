// Base64 as RFC 4648, section 4, with padding. Decoding is strict: no white space, no missing padding, no stray bits,
// so that one byte string has one text.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nightdrop::config {

std::string base64_encode(std::span<const std::uint8_t> bytes);
// Nothing where the text is not exactly what base64_encode() would print.
std::optional<std::vector<std::uint8_t>> base64_decode(std::string_view text);

}  // namespace nightdrop::config
