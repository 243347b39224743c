// Bytes as text and back: hexadecimal and base64 (RFC 4648). The decoders are strict: one text for one value, nothing
// skipped, nothing guessed; what does not decode is Malformed.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nightdrop/result.hpp"
#include "nightdrop/secret.hpp"

namespace nightdrop {

// Two lower-case digits a byte.
std::string hex_lower(std::span<const std::uint8_t> bytes);
// Two upper-case digits a byte.
std::string hex_upper(std::span<const std::uint8_t> bytes);
// The bytes of an even number of hex digits, either case.
// Errors: Malformed.
[[nodiscard]] Result<std::vector<std::uint8_t>> from_hex(std::string_view text);
// As from_hex(), for keys: the bytes never touch ordinary memory.
[[nodiscard]] Result<SecretBytes> secret_from_hex(std::string_view text);

// Base64 with padding, without line breaks.
std::string to_base64(std::span<const std::uint8_t> bytes);
// The bytes of canonical base64: padded, no white space, unused bits zero.
// Errors: Malformed.
[[nodiscard]] Result<std::vector<std::uint8_t>> from_base64(std::string_view text);

// The bytes of a text, as a view.
inline std::span<const std::uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace nightdrop
