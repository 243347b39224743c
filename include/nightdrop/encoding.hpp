// Bytes as text and back: hexadecimal and base64 (RFC 4648). The decoders are strict: one text for one value, nothing
// skipped, nothing guessed; what does not decode is Malformed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nightdrop/result.hpp"
#include "nightdrop/secret.hpp"

namespace nightdrop {
namespace encoding_detail {

inline constexpr std::string_view base64_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

inline std::string hex(std::span<const std::uint8_t> bytes, std::string_view digits) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 0x0F];
  }
  return text;
}

inline int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

inline bool decode_hex(std::string_view text, std::span<std::uint8_t> out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int high = hex_value(text[2 * i]);
    const int low = hex_value(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return true;
}

inline int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

}  // namespace encoding_detail

// The bytes of a text, as a view.
inline std::span<const std::uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// Two lower-case digits a byte.
inline std::string hex_lower(std::span<const std::uint8_t> bytes) {
  return encoding_detail::hex(bytes, "0123456789abcdef");
}
// Two upper-case digits a byte.
inline std::string hex_upper(std::span<const std::uint8_t> bytes) {
  return encoding_detail::hex(bytes, "0123456789ABCDEF");
}

// The bytes of an even number of hex digits, either case. Errors: Malformed.
[[nodiscard]] inline Result<std::vector<std::uint8_t>> from_hex(std::string_view text) {
  std::vector<std::uint8_t> bytes(text.size() / 2);
  if (text.size() % 2 != 0 || !encoding_detail::decode_hex(text, bytes))
    return failure(Errc::Malformed, "not hexadecimal");
  return bytes;
}

// As from_hex(), for keys: the bytes never touch ordinary memory.
[[nodiscard]] inline Result<SecretBytes> secret_from_hex(std::string_view text) {
  SecretBytes bytes(text.size() / 2);
  if (text.size() % 2 != 0 || !encoding_detail::decode_hex(text, bytes.writable()))
    return failure(Errc::Malformed, "not hexadecimal");
  return bytes;
}

// Base64 with padding, without line breaks.
inline std::string to_base64(std::span<const std::uint8_t> bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) group = group << 8 | (j < count ? bytes[i + j] : 0U);
    for (std::size_t j = 0; j < 4; ++j) {
      text += j <= count ? encoding_detail::base64_alphabet[group >> (18 - 6 * j) & 0x3F] : '=';
    }
  }
  return text;
}

// The bytes of canonical base64: padded, no white space, unused bits zero. Errors: Malformed.
[[nodiscard]] inline Result<std::vector<std::uint8_t>> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return failure(Errc::Malformed, "not base64");
  std::size_t padding = 0;
  while (padding < 2 && text.size() > padding && text[text.size() - 1 - padding] == '=') ++padding;
  std::vector<std::uint8_t> bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const std::size_t digits = i + 4 == text.size() ? 4 - padding : 4;
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 4; ++j) {
      const int value = j < digits ? encoding_detail::base64_value(text[i + j]) : 0;
      if (value < 0) return failure(Errc::Malformed, "not base64");
      group = group << 6 | static_cast<std::uint32_t>(value);
    }
    for (std::size_t j = 0; j + 1 < digits; ++j) bytes.push_back(static_cast<std::uint8_t>(group >> (16 - 8 * j)));
    const std::uint32_t unused = group & ((1U << (8 * (4 - digits))) - 1U);  // bits behind the last byte
    if (unused != 0) return failure(Errc::Malformed, "base64 with stray bits");
  }
  return bytes;
}

}  // namespace nightdrop
