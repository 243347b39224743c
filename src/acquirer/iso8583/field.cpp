#include "acquirer/iso8583/field.hpp"

#include <algorithm>

#include "nightdrop/encoding.hpp"
#include "nightdrop/secret.hpp"

namespace nightdrop::iso8583 {
namespace {

constexpr std::uint8_t separator_nibble = 0x0D;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_separator(char c) {
  return c == '=' || c == 'D';
}
bool is_alphanumeric(char c) {
  return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == ' ';
}
bool is_printable(char c) {
  return c >= ' ' && c <= '~';
}

bool is_packed(const FieldFormat& format, Profile profile) {
  return profile == Profile::Bcd && (format.kind == Kind::N || format.kind == Kind::NRight || format.kind == Kind::Z);
}
bool is_hex(const FieldFormat& format, Profile profile) {
  return format.kind == Kind::BHex || (format.kind == Kind::B && profile == Profile::Ascii);
}
Padding padding_of(const FieldFormat& format) {
  return format.kind == Kind::N ? Padding::Left : Padding::Right;
}

bool is_signed_number(std::string_view value) {
  return !value.empty() && (value[0] == 'C' || value[0] == 'D' || value[0] == '0') && all_digits(value.substr(1));
}
bool is_track2(std::string_view value) {
  return value.empty() || (std::ranges::count_if(value, is_separator) == 1 &&
                           std::ranges::all_of(value, [](char c) { return is_digit(c) || is_separator(c); }));
}

const char* content_complaint(Kind kind, std::string_view value) {
  switch (kind) {
    case Kind::None: return "not a data element of 1987";
    case Kind::N:
    case Kind::NRight: return all_digits(value) ? nullptr : "not digits";
    case Kind::SignedN: return is_signed_number(value) ? nullptr : "not a sign and digits";
    case Kind::Z: return is_track2(value) ? nullptr : "not digits and one separator";
    case Kind::An: return std::ranges::all_of(value, is_alphanumeric) ? nullptr : "not letters and digits";
    case Kind::Z3:
    case Kind::Ans: return std::ranges::all_of(value, is_printable) ? nullptr : "not printable characters";
    case Kind::B:
    case Kind::BHex:
    case Kind::BRaw: return nullptr;
  }
  return "not a kind of data element";
}

}  // namespace

bool all_digits(std::string_view text) {
  return std::ranges::all_of(text, is_digit);
}

std::size_t units_of(const FieldFormat& format, std::string_view value) {
  return format.kind == Kind::BHex ? 2 * value.size() : value.size();
}

std::size_t value_size(const FieldFormat& format, std::size_t units) {
  return format.kind == Kind::BHex ? units / 2 : units;
}

std::size_t wire_size(const FieldFormat& format, Profile profile, std::size_t units) {
  if (is_packed(format, profile)) return (units + 1) / 2;
  if (format.kind == Kind::SignedN && profile == Profile::Bcd) return 1 + units / 2;
  if (format.kind == Kind::B && profile == Profile::Ascii) return 2 * units;
  return units;
}

const char* complaint(const FieldFormat& format, std::string_view value) {
  const std::size_t units = units_of(format, value);
  if (units > format.max) return "longer than its maximum";
  if (format.length == Length::Fixed && units != format.max) return "not of its fixed length";
  return content_complaint(format.kind, value);
}

bool unpack(Bytes packed, Padding padding, std::span<std::uint8_t> digits) {
  constexpr std::string_view characters = "0123456789ABCDEF";  // of these, 0 to 9 and D can be right
  const std::size_t skipped = padding == Padding::Left ? 2 * packed.size() - digits.size() : 0;
  const auto nibble = [&](std::size_t at) { return unsigned{packed[at / 2]} >> (at % 2 == 0 ? 4U : 0U) & 0x0FU; };
  for (std::size_t i = 0; i < digits.size(); ++i) {
    digits[i] = static_cast<std::uint8_t>(characters[nibble(skipped + i)]);
  }
  if (digits.size() % 2 == 0) return true;
  return nibble(padding == Padding::Left ? 0 : digits.size()) == 0;
}

void pack(std::string_view digits, Padding padding, std::span<std::uint8_t> packed) {
  std::ranges::fill(packed, std::uint8_t{0});
  std::size_t at = padding == Padding::Left ? 2 * packed.size() - digits.size() : 0;
  for (const char c : digits) {
    const unsigned nibble = is_separator(c) ? separator_nibble : static_cast<unsigned>(c - '0');
    packed[at / 2] = static_cast<std::uint8_t>(packed[at / 2] | nibble << (at % 2 == 0 ? 4U : 0U));
    ++at;
  }
}

bool read_hex(Bytes text, std::span<std::uint8_t> bytes) {
  const std::string_view digits(reinterpret_cast<const char*>(text.data()), text.size());
  if (std::ranges::any_of(digits, [](char c) { return c >= 'a' && c <= 'f'; })) return false;
  auto decoded = from_hex(digits);
  if (!decoded) return false;
  std::ranges::copy(*decoded, bytes.begin());
  wipe(*decoded);
  return true;
}

void write_hex(Bytes bytes, std::span<std::uint8_t> text) {
  std::string digits = hex_upper(bytes);
  std::ranges::copy(bytes_of(digits), text.begin());
  wipe({reinterpret_cast<std::uint8_t*>(digits.data()), digits.size()});
}

const char* decode(const FieldFormat& format, Profile profile, Bytes wire, std::span<std::uint8_t> value) {
  if (is_hex(format, profile)) return read_hex(wire, value) ? nullptr : "not hexadecimal";
  if (is_packed(format, profile)) return unpack(wire, padding_of(format), value) ? nullptr : "padding is not zero";
  if (format.kind == Kind::SignedN && profile == Profile::Bcd && !value.empty()) {
    value[0] = wire[0];
    return unpack(wire.subspan(1), Padding::Left, value.subspan(1)) ? nullptr : "padding is not zero";
  }
  std::ranges::copy(wire, value.begin());
  return nullptr;
}

void encode(const FieldFormat& format, Profile profile, std::string_view value, std::span<std::uint8_t> wire) {
  if (is_hex(format, profile)) return write_hex(bytes_of(value), wire);
  if (is_packed(format, profile)) return pack(value, padding_of(format), wire);
  if (format.kind == Kind::SignedN && profile == Profile::Bcd) {
    wire[0] = static_cast<std::uint8_t>(value[0]);
    return pack(value.substr(1), Padding::Left, wire.subspan(1));
  }
  std::ranges::copy(bytes_of(value), wire.begin());
}

}  // namespace nightdrop::iso8583
