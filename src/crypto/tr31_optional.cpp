// The optional blocks that are understood: their data to values and back. Strict: one text for one value, but for the
// time stamp, which the standard's own examples write in two ways.
#include <algorithm>
#include <array>

#include "crypto/tr31_format.hpp"
#include "nightdrop/encoding.hpp"
#include "nightdrop/time_text.hpp"

namespace nightdrop::tr31 {
namespace {

constexpr std::size_t initial_key_id_digits = 16;
constexpr std::size_t key_set_digits_min = 10;  // a key set identifier; a whole KSN has 20
constexpr std::size_t key_set_digits_max = 24;
constexpr std::size_t date_digits = 14;

constexpr std::array<BlockTexts, 7> known{{
    {"IK", "TR-31 optional block IK: twice", "TR-31 optional block IK: length", "TR-31 optional block IK: data"},
    {"KS", "TR-31 optional block KS: twice", "TR-31 optional block KS: length", "TR-31 optional block KS: data"},
    {"LB", "TR-31 optional block LB: twice", "TR-31 optional block LB: length", "TR-31 optional block LB: data"},
    {"PB", "TR-31 optional block PB: twice", "TR-31 optional block PB: length", "TR-31 optional block PB: data"},
    {"TS", "TR-31 optional block TS: twice", "TR-31 optional block TS: length", "TR-31 optional block TS: data"},
    {"KC", "TR-31 optional block KC: twice", "TR-31 optional block KC: length", "TR-31 optional block KC: data"},
    {"KP", "TR-31 optional block KP: twice", "TR-31 optional block KP: length", "TR-31 optional block KP: data"},
}};
constexpr BlockTexts other{"", "TR-31 optional block: twice", "TR-31 optional block: length",
                           "TR-31 optional block: data"};

std::unexpected<Error> malformed(const char* text) {
  return failure(Errc::Malformed, text);
}

// Bytes of upper-case digits.
Result<std::vector<std::uint8_t>> digits_of(std::string_view text, const BlockTexts& texts) {
  auto bytes = from_hex(text);
  if (!bytes || hex_upper(*bytes) != text) return malformed(texts.data);
  return bytes;
}

Result<CheckValue> check_value_of(std::string_view data, const BlockTexts& texts) {
  if (data.size() < 2) return malformed(texts.length);
  CheckValue value;
  if (data.starts_with("00")) {
    value.by_cmac = false;
  } else if (!data.starts_with("01")) {
    return malformed(texts.data);
  }
  if (data.size() != (value.by_cmac ? 12U : 8U)) return malformed(texts.length);
  auto bytes = digits_of(data.substr(2), texts);
  ND_TRY(bytes);
  value.bytes = std::move(*bytes);
  return value;
}

// "20260116101501Z" or "2026-01-16T10:15:01Z", either with a fraction; one printed example lacks the Z.
std::optional<UtcMs> time_of(std::string_view text) {
  std::string full(text);
  if (!full.ends_with('Z')) full += 'Z';
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (full.size() > date_digits && std::ranges::all_of(full.substr(0, date_digits), digit)) {
    for (const auto& [at, mark] : {std::pair{12, ':'}, {10, ':'}, {8, 'T'}, {6, '-'}, {4, '-'}}) {
      full.insert(static_cast<std::size_t>(at), 1, mark);
    }
  }
  const auto time = parse_rfc3339(full);
  if (!time) return std::nullopt;
  return *time;
}

Result<void> read_block(const OptionalBlock& block, const BlockTexts& texts, KnownBlocks& blocks) {
  if (block.id == "IK") {
    if (block.data.size() != initial_key_id_digits) return malformed(texts.length);
    const auto bytes = digits_of(block.data, texts);
    ND_TRY(bytes);
    std::ranges::copy(*bytes, blocks.initial_key_id.emplace().begin());
  } else if (block.id == "KS") {
    if (block.data.size() < key_set_digits_min || block.data.size() > key_set_digits_max)
      return malformed(texts.length);
    auto bytes = digits_of(block.data, texts);
    ND_TRY(bytes);
    blocks.key_set_identifier = std::move(*bytes);
  } else if (block.id == "LB") {
    blocks.label = block.data;
  } else if (block.id == "TS") {
    blocks.time_stamp = time_of(block.data);
    if (!blocks.time_stamp) return malformed(texts.data);
  } else if (block.id == "PB") {
    blocks.padded = true;
  } else {
    auto value = check_value_of(block.data, texts);
    ND_TRY(value);
    (block.id == "KC" ? blocks.key_check_value : blocks.protection_key_check_value) = std::move(*value);
  }
  return {};
}

}  // namespace

const BlockTexts& texts_of(std::string_view id) {
  const auto found = std::ranges::find(known, id, &BlockTexts::id);
  return found == known.end() ? other : *found;
}

bool is_known(std::string_view id) {
  return &texts_of(id) != &other;
}

Result<KnownBlocks> known_blocks(const Header& header) {
  KnownBlocks blocks;
  for (const OptionalBlock& block : header.blocks) {
    if (!is_known(block.id)) continue;
    const BlockTexts& texts = texts_of(block.id);
    if (std::ranges::count(header.blocks, block.id, &OptionalBlock::id) > 1) return malformed(texts.twice);
    ND_TRY(read_block(block, texts, blocks));
  }
  return blocks;
}

OptionalBlock initial_key_id_block(const dukpt::InitialKeyId& id) {
  return {"IK", hex_upper(id)};
}
OptionalBlock label_block(std::string_view label) {
  return {"LB", std::string(label)};
}
OptionalBlock time_stamp_block(UtcMs time) {
  std::string text = rfc3339(time).substr(0, 19);
  std::erase_if(text, [](char c) { return c < '0' || c > '9'; });
  return {"TS", text + "Z"};
}
OptionalBlock key_check_value_block(std::span<const std::uint8_t> cmac_check_value) {
  return {"KC", "01" + hex_upper(cmac_check_value)};
}
OptionalBlock protection_check_value_block(std::span<const std::uint8_t> check_value) {
  return {"KP", "01" + hex_upper(check_value)};
}

}  // namespace nightdrop::tr31
