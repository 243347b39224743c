// The text part of a key block: parsed strictly, character by character, before any key is touched, and written so that
// it is read back to the same header.
#include <algorithm>

#include "crypto/tr31_format.hpp"

namespace nightdrop::tr31 {
namespace {

constexpr std::size_t key_block_max = 9'999;   // what four digits say
constexpr std::size_t length_digits_max = 8;   // of an extended block
constexpr std::size_t short_block_max = 0xFF;  // longer optional blocks have extended lengths
constexpr std::size_t optional_blocks_max = 99;

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

// The length of an optional block, how many characters come before its data, and how many digits that length has.
struct BlockLength {
  std::size_t total{0};
  std::size_t prefix{0};
  std::uint8_t digits{0};
};

Result<BlockLength> block_length(std::string_view rest, const char* text) {
  if (rest.size() < 4) return malformed(text);
  const auto short_length = number(rest.substr(2, 2), 16);
  if (!short_length) return malformed(text);
  BlockLength length{*short_length, 4, 0};
  if (*short_length == 0) {
    if (rest.size() < 6) return malformed(text);
    const auto digits = number(rest.substr(4, 2), 16);
    if (!digits || *digits == 0 || *digits > length_digits_max || rest.size() < 6 + *digits) return malformed(text);
    const auto long_length = number(rest.substr(6, *digits), 16);
    if (!long_length) return malformed(text);
    length = {*long_length, 6 + *digits, static_cast<std::uint8_t>(*digits)};
  }
  if (length.total < length.prefix || length.total > rest.size()) return malformed(text);
  return length;
}

Result<std::size_t> parse_block(std::string_view rest, OptionalBlock& block) {
  if (rest.size() < 2 || !is_alphanumeric(rest[0]) || !is_alphanumeric(rest[1])) {
    return malformed("TR-31 optional block: id");
  }
  const BlockTexts& texts = texts_of(rest.substr(0, 2));
  const auto length = block_length(rest, texts.length);
  ND_TRY(length);
  const std::string_view data = rest.substr(length->prefix, length->total - length->prefix);
  if (!std::ranges::all_of(data, is_printable)) return malformed(texts.data);
  block.id = rest.substr(0, 2);
  block.data = data;
  block.length_digits = length->digits;
  return length->total;
}

std::string digits_of(std::size_t value, std::size_t digits, unsigned base) {
  std::string text(digits, '0');
  for (std::size_t i = digits; i > 0; --i, value /= base) text[i - 1] = "0123456789ABCDEF"[value % base];
  return text;
}

std::string block_text(const OptionalBlock& block) {
  const std::size_t plain = 4 + block.data.size();
  if (block.length_digits == 0) return block.id + digits_of(plain, 2, 16) + block.data;
  return block.id + "00" + digits_of(block.length_digits, 2, 16) +
         digits_of(plain + 2 + block.length_digits, block.length_digits, 16) + block.data;
}

std::string blocks_text(const std::vector<OptionalBlock>& blocks) {
  std::string text;
  for (const OptionalBlock& block : blocks) text += block_text(block);
  return text;
}

// All optional blocks as they are written: long ones with extended lengths, and a PB block where they would not fill
// whole cipher blocks.
std::vector<OptionalBlock> written_blocks(const Header& header, std::size_t cipher_block) {
  std::vector<OptionalBlock> blocks = header.blocks;
  for (OptionalBlock& block : blocks) {
    if (block.length_digits == 0 && 4 + block.data.size() > short_block_max) block.length_digits = 4;
  }
  if (blocks_text(blocks).size() % cipher_block == 0) return blocks;
  std::erase_if(blocks, [](const OptionalBlock& candidate) { return candidate.id == "PB"; });
  const std::size_t excess = blocks_text(blocks).size() % cipher_block;
  if (excess == 0) return blocks;
  std::size_t fill = cipher_block - excess;
  if (fill < 4) fill += cipher_block;
  blocks.push_back({"PB", std::string(fill - 4, '0')});
  return blocks;
}

}  // namespace

std::optional<std::string_view> Header::block(std::string_view id) const {
  for (const OptionalBlock& candidate : blocks) {
    if (candidate.id == id) return candidate.data;
  }
  return std::nullopt;
}

Result<ParsedHeader> parse_header(std::string_view text) {
  if (text.size() < fixed_header_size) return malformed("TR-31 header: length");
  const auto alphanumeric = [&](std::size_t at, std::size_t size) {
    return std::ranges::all_of(text.substr(at, size), is_alphanumeric);
  };
  if (text[0] < 'A' || text[0] > 'E') return malformed("TR-31 version");
  const auto declared = number(text.substr(1, 4), 10);
  if (!declared) return malformed("TR-31 length");
  if (!alphanumeric(5, 2)) return malformed("TR-31 key usage");
  if (!alphanumeric(7, 1)) return malformed("TR-31 algorithm");
  if (!alphanumeric(8, 1)) return malformed("TR-31 mode of use");
  if (!alphanumeric(9, 2)) return malformed("TR-31 key version");
  if (!alphanumeric(11, 1)) return malformed("TR-31 exportability");
  const auto count = number(text.substr(12, 2), 10);
  if (!count) return malformed("TR-31 number of optional blocks");
  if (!alphanumeric(14, 2)) return malformed("TR-31 reserved field");
  ParsedHeader parsed;
  parsed.declared_length = *declared;
  Header& header = parsed.header;
  header.version = text[0];
  header.usage = text.substr(5, 2);
  header.algorithm = text[7];
  header.mode_of_use = text[8];
  header.key_version = text.substr(9, 2);
  header.exportability = text[11];
  header.reserved = text.substr(14, 2);
  std::size_t position = fixed_header_size;
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

Result<std::string> header_text(const Header& header, std::size_t cipher_block, std::size_t rest) {
  const auto invalid = [](const char* text) { return failure(Errc::InvalidArgument, text); };
  for (const OptionalBlock& block : header.blocks) {
    if (block.length_digits > length_digits_max) return invalid(texts_of(block.id).length);
  }
  const std::vector<OptionalBlock> blocks = written_blocks(header, cipher_block);
  const std::string optional = blocks_text(blocks);
  const std::size_t total = fixed_header_size + optional.size() + rest;
  if (total > key_block_max) return invalid("TR-31 length");
  if (blocks.size() > optional_blocks_max) return invalid("TR-31 number of optional blocks");
  std::string text(1, header.version);
  text += digits_of(total, 4, 10) + header.usage + header.algorithm + header.mode_of_use + header.key_version +
          header.exportability + digits_of(blocks.size(), 2, 10) + header.reserved + optional;
  // What would not be read back as it was meant is not written.
  const auto again = parse_header(text);
  if (!again) return invalid(again.error().text);
  const Header& read = again->header;
  const bool same = again->size == text.size() && read.usage == header.usage &&
                    read.key_version == header.key_version && read.reserved == header.reserved && read.blocks == blocks;
  if (!same) return invalid("TR-31 header");
  return text;
}

}  // namespace nightdrop::tr31
