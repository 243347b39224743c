// Hexadecimal and base64, strict. Tables are avoided for the secret path: a digit's value comes from arithmetic alone.
#include "crypto/encoding.hpp"

#include <array>

namespace nightdrop {
namespace {

constexpr std::string_view base64_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string hex(std::span<const std::uint8_t> bytes, std::string_view digits) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 0x0F];
  }
  return text;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool decode_hex(std::string_view text, std::span<std::uint8_t> out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int high = hex_value(text[2 * i]);
    const int low = hex_value(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return true;
}

int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

}  // namespace

std::string hex_lower(std::span<const std::uint8_t> bytes) {
  return hex(bytes, "0123456789abcdef");
}
std::string hex_upper(std::span<const std::uint8_t> bytes) {
  return hex(bytes, "0123456789ABCDEF");
}

Result<std::vector<std::uint8_t>> from_hex(std::string_view text) {
  std::vector<std::uint8_t> bytes(text.size() / 2);
  if (text.size() % 2 != 0 || !decode_hex(text, bytes)) return failure(Errc::Malformed, "not hexadecimal");
  return bytes;
}

Result<SecretBytes> secret_from_hex(std::string_view text) {
  SecretBytes bytes(text.size() / 2);
  if (text.size() % 2 != 0 || !decode_hex(text, bytes.writable())) return failure(Errc::Malformed, "not hexadecimal");
  return bytes;
}

std::string to_base64(std::span<const std::uint8_t> bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) group = group << 8 | (j < count ? bytes[i + j] : 0U);
    for (std::size_t j = 0; j < 4; ++j) {
      text += j <= count ? base64_alphabet[group >> (18 - 6 * j) & 0x3F] : '=';
    }
  }
  return text;
}

Result<std::vector<std::uint8_t>> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return failure(Errc::Malformed, "not base64");
  std::size_t padding = 0;
  while (padding < 2 && text.size() > padding && text[text.size() - 1 - padding] == '=') ++padding;
  std::vector<std::uint8_t> bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const std::size_t digits = i + 4 == text.size() ? 4 - padding : 4;
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 4; ++j) {
      const int value = j < digits ? base64_value(text[i + j]) : 0;
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
