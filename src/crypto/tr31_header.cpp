// The text part of a key block: parsed strictly, character by character, before any key is touched.
#include <algorithm>

#include "crypto/tr31.hpp"

namespace nightdrop::tr31 {
namespace {

constexpr std::size_t fixed_size = 16;
constexpr std::size_t length_digits_max = 8;  // of an extended block; a key block has at most 9,999 characters

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alphanumeric(char c) {
  return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}
bool is_printable(char c) {
  return c >= 0x20 && c <= 0x7E;
}

std::unexpected<Error> malformed(const char* text) {
  return failure(Errc::Malformed, text);
}

std::optional<std::size_t> number(std::string_view text, unsigned base) {
  if (text.empty()) return std::nullopt;
  std::size_t value = 0;
  for (const char c : text) {
    unsigned digit = 0;
    if (is_digit(c)) {
      digit = static_cast<unsigned>(c - '0');
    } else if (base == 16 && c >= 'A' && c <= 'F') {
      digit = static_cast<unsigned>(c - 'A') + 10;
    } else {
      return std::nullopt;
    }
    value = value * base + digit;
  }
  return value;
}

// The length of an optional block and how many characters come before its data.
struct BlockLength {
  std::size_t total{0};
  std::size_t prefix{0};
};

Result<BlockLength> block_length(std::string_view rest) {
  if (rest.size() < 4) return malformed("an optional block is cut off");
  const auto short_length = number(rest.substr(2, 2), 16);
  if (!short_length) return malformed("an optional block's length is not hexadecimal");
  BlockLength length{*short_length, 4};
  if (*short_length == 0) {
    if (rest.size() < 6) return malformed("an optional block is cut off");
    const auto digits = number(rest.substr(4, 2), 16);
    if (!digits || *digits == 0 || *digits > length_digits_max || rest.size() < 6 + *digits) {
      return malformed("an optional block's length of length is wrong");
    }
    const auto long_length = number(rest.substr(6, *digits), 16);
    if (!long_length) return malformed("an optional block's length is not hexadecimal");
    length = {*long_length, 6 + *digits};
  }
  if (length.total < length.prefix || length.total > rest.size()) {
    return malformed("an optional block's length does not fit");
  }
  return length;
}

Result<std::size_t> parse_block(std::string_view rest, OptionalBlock& block) {
  if (rest.size() < 2 || !is_alphanumeric(rest[0]) || !is_alphanumeric(rest[1])) {
    return malformed("an optional block's id is wrong");
  }
  const auto length = block_length(rest);
  ND_TRY(length);
  const std::string_view data = rest.substr(length->prefix, length->total - length->prefix);
  if (!std::ranges::all_of(data, is_printable)) return malformed("an optional block's data is not printable");
  block.id = rest.substr(0, 2);
  block.data = data;
  return length->total;
}

}  // namespace

std::optional<std::string_view> Header::block(std::string_view id) const {
  for (const OptionalBlock& candidate : blocks) {
    if (candidate.id == id) return candidate.data;
  }
  return std::nullopt;
}

Result<ParsedHeader> parse_header(std::string_view text) {
  if (text.size() < fixed_size) return malformed("a key block's header has 16 characters");
  const std::string_view fixed = text.substr(0, fixed_size);
  if (fixed[0] < 'A' || fixed[0] > 'E') return malformed("an unknown version of key block");
  if (!std::ranges::all_of(fixed, is_alphanumeric)) return malformed("a key block's header is alphanumeric");
  const auto declared = number(fixed.substr(1, 4), 10);
  const auto count = number(fixed.substr(12, 2), 10);
  if (!declared || !count) return malformed("a number in the key block's header is not decimal");
  ParsedHeader parsed;
  parsed.declared_length = *declared;
  Header& header = parsed.header;
  header.version = fixed[0];
  header.usage = fixed.substr(5, 2);
  header.algorithm = fixed[7];
  header.mode_of_use = fixed[8];
  header.key_version = fixed.substr(9, 2);
  header.exportability = fixed[11];
  header.reserved = fixed.substr(14, 2);
  std::size_t position = fixed_size;
  for (std::size_t i = 0; i < *count; ++i) {
    OptionalBlock block;
    const auto length = parse_block(text.substr(position), block);
    ND_TRY(length);
    position += *length;
    header.blocks.push_back(std::move(block));
  }
  parsed.size = position;
  return parsed;
}

}  // namespace nightdrop::tr31
