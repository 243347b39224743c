// Versions differ in three choices, all in VersionFacts: how the KBPK gives its two keys, what the MAC covers, and the
// cipher's mode. The rest is common.
#include "crypto/tr31.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "nightdrop/encoding.hpp"
#include "crypto/primitives.hpp"

namespace nightdrop::tr31 {
namespace {

constexpr std::size_t block_length_max = 9'999;
constexpr std::size_t length_field = 2;  // before the key: its length in bits
constexpr std::size_t fixed_header = 16;
constexpr std::size_t short_block_max = 0xFF;  // longer optional blocks have extended lengths

enum class Binding : std::uint8_t { Variant, Derivation };  // A and C; B, D and E

struct VersionFacts {
  BlockCipher cipher;
  Binding binding;
  bool counter_mode;
  std::size_t mac_size;
};

Result<VersionFacts> facts_of(char version) {
  switch (version) {
    case 'A':
    case 'C':
      return VersionFacts{BlockCipher::Tdes, Binding::Variant, false, 4};
    case 'B':
      return VersionFacts{BlockCipher::Tdes, Binding::Derivation, false, 8};
    case 'D':
      return VersionFacts{BlockCipher::Aes, Binding::Derivation, false, 16};
    case 'E':
      return VersionFacts{BlockCipher::Aes, Binding::Derivation, true, 16};
    default:
      return failure(Errc::InvalidArgument, "an unknown version of key block");
  }
}

// X9.143, 6.3.2 (TDES) and 6.3.3 (AES): the derivation data's algorithm for a KBPK of that many bytes.
std::uint8_t derivation_algorithm(BlockCipher cipher, std::size_t kbpk_bytes) {
  return static_cast<std::uint8_t>((cipher == BlockCipher::Aes ? 0x02 : 0x00) + (kbpk_bytes - 16) / 8);
}

Result<SecretBytes> derive(const VersionFacts& facts, std::span<const std::uint8_t> kbpk, std::uint8_t usage) {
  const std::size_t block = block_size(facts.cipher);
  const std::size_t bits = kbpk.size() * 8;
  std::array<std::uint8_t, 8> data{0,
                                   0,
                                   usage,
                                   0,
                                   0,
                                   derivation_algorithm(facts.cipher, kbpk.size()),
                                   static_cast<std::uint8_t>(bits >> 8),
                                   static_cast<std::uint8_t>(bits)};
  SecretBytes key((kbpk.size() + block - 1) / block * block);
  for (std::size_t i = 0; i * block < key.size(); ++i) {
    data[0] = static_cast<std::uint8_t>(i + 1);
    auto part = cmac(facts.cipher, kbpk, data);
    ND_TRY(part);
    std::ranges::copy(*part, key.writable().subspan(i * block).begin());
    wipe(*part);
  }
  key.truncate(kbpk.size());
  return key;
}

SecretBytes variant(std::span<const std::uint8_t> kbpk, std::uint8_t mask) {
  SecretBytes key(kbpk);
  for (std::uint8_t& byte : key.writable()) byte ^= mask;
  return key;
}

// The MAC of a block: over header and ciphertext (A, C), or over header and clear payload.
Result<std::vector<std::uint8_t>> mac_of(const VersionFacts& facts, const BlockKeys& keys, std::string_view header,
                                         std::span<const std::uint8_t> payload) {
  SecretBytes input(header.size() + payload.size());
  std::ranges::copy(header, input.writable().begin());
  std::ranges::copy(payload, input.writable().subspan(header.size()).begin());
  if (facts.binding == Binding::Derivation) return cmac(facts.cipher, keys.mac.view(), input.view());
  constexpr std::array<std::uint8_t, 8> zero{};
  ND_TRY(cbc_encrypt(facts.cipher, keys.mac.view(), zero, input.view(), input.writable()));
  const auto last = input.view().last(block_size(facts.cipher)).first(facts.mac_size);
  return std::vector<std::uint8_t>(last.begin(), last.end());
}

enum class Direction : std::uint8_t { Encrypt, Decrypt };

Result<void> crypt(const VersionFacts& facts, Direction direction, const BlockKeys& keys, std::string_view header,
                   std::span<const std::uint8_t> mac, std::span<std::uint8_t> payload) {
  const auto key = keys.encryption.view();
  if (facts.counter_mode) return aes_ctr(key, mac, payload, payload);
  const auto iv = facts.binding == Binding::Variant ? bytes_of(header).first(8) : mac;
  return direction == Direction::Encrypt ? cbc_encrypt(facts.cipher, key, iv, payload, payload)
                                         : cbc_decrypt(facts.cipher, key, iv, payload, payload);
}

// The key inside a payload whose MAC was right.
Result<SecretBytes> key_of(std::span<const std::uint8_t> payload) {
  const std::size_t bits = std::size_t{payload[0]} << 8 | payload[1];
  if (bits == 0 || bits % 8 != 0 || bits / 8 > payload.size() - length_field) {
    return failure(Errc::Malformed, "the key block's key has a length that does not fit");
  }
  return SecretBytes(payload.subspan(length_field, bits / 8));
}

bool whole_blocks(const VersionFacts& facts, std::size_t size) {
  return facts.counter_mode || size % block_size(facts.cipher) == 0;
}

std::string number(std::size_t value, std::size_t digits, unsigned base) {
  std::string text(digits, '0');
  for (std::size_t i = digits; i > 0; --i, value /= base) text[i - 1] = "0123456789ABCDEF"[value % base];
  return text;
}

std::string block_text(const OptionalBlock& block) {
  const std::size_t plain = 4 + block.data.size();
  if (plain <= short_block_max) return block.id + number(plain, 2, 16) + block.data;
  return block.id + "0004" + number(plain + 6, 4, 16) + block.data;
}

std::string blocks_text(const std::vector<OptionalBlock>& blocks) {
  std::string text;
  for (const OptionalBlock& block : blocks) text += block_text(block);
  return text;
}

// All optional blocks, with a PB block where they would not fill whole cipher blocks.
std::vector<OptionalBlock> padded_blocks(const Header& header, std::size_t block) {
  std::vector<OptionalBlock> blocks = header.blocks;
  if (blocks_text(blocks).size() % block == 0) return blocks;
  std::erase_if(blocks, [](const OptionalBlock& candidate) { return candidate.id == "PB"; });
  const std::size_t excess = blocks_text(blocks).size() % block;
  if (excess == 0) return blocks;
  std::size_t fill = block - excess;
  if (fill < 4) fill += block;
  blocks.push_back({"PB", std::string(fill - 4, '0')});
  return blocks;
}

// Length, key, padding.
Result<SecretBytes> payload_of(const VersionFacts& facts, char algorithm, std::span<const std::uint8_t> key,
                               std::optional<std::span<const std::uint8_t>> padding) {
  if (key.empty() || key.size() * 8 > 0xFFFF)
    return failure(Errc::InvalidArgument, "a key of a length that no block carries");
  const std::size_t longest = algorithm == 'A' ? 32 : algorithm == 'T' ? 24 : 0;  // hides which of its kind it is
  const std::size_t block = block_size(facts.cipher);
  const std::size_t least = length_field + std::max(key.size(), longest);
  const std::size_t size = padding ? length_field + key.size() + padding->size() : (least + block - 1) / block * block;
  if (!whole_blocks(facts, size)) return failure(Errc::InvalidArgument, "the padding does not fill whole blocks");
  SecretBytes payload(size);
  const auto out = payload.writable();
  out[0] = static_cast<std::uint8_t>(key.size() * 8 >> 8);
  out[1] = static_cast<std::uint8_t>(key.size() * 8);
  std::ranges::copy(key, out.subspan(length_field).begin());
  const auto rest = out.subspan(length_field + key.size());
  if (padding) {
    std::ranges::copy(*padding, rest.begin());
  } else {
    ND_TRY(random_bytes(rest));
  }
  return payload;
}

}  // namespace

Result<BlockKeys> derive_block_keys(char version, std::span<const std::uint8_t> kbpk) {
  const auto facts = facts_of(version);
  ND_TRY(facts);
  const std::size_t longest = facts->cipher == BlockCipher::Aes ? 32 : 24;
  if (kbpk.size() < 16 || kbpk.size() > longest || kbpk.size() % 8 != 0) {
    return failure(Errc::InvalidArgument, "the KBPK's length does not fit the key block's version");
  }
  if (facts->binding == Binding::Variant) return BlockKeys{variant(kbpk, 'E'), variant(kbpk, 'M')};
  auto encryption = derive(*facts, kbpk, facts->counter_mode ? 0x02 : 0x00);
  ND_TRY(encryption);
  auto mac = derive(*facts, kbpk, 0x01);
  ND_TRY(mac);
  return BlockKeys{std::move(*encryption), std::move(*mac)};
}

Result<KeyBlock> unwrap(std::span<const std::uint8_t> kbpk, std::string_view key_block) {
  auto parsed = parse_header(key_block);
  ND_TRY(parsed);
  const auto facts = facts_of(parsed->header.version);
  ND_TRY(facts);
  const auto keys = derive_block_keys(parsed->header.version, kbpk);
  ND_TRY(keys);
  const std::size_t mac_digits = facts->mac_size * 2;
  if (parsed->declared_length != key_block.size())
    return failure(Errc::Malformed, "the key block has another length than it says");
  if (!whole_blocks(*facts, parsed->size)) return failure(Errc::Malformed, "the optional blocks are not padded");
  if (key_block.size() < parsed->size + mac_digits) return failure(Errc::Malformed, "the key block is cut off");
  const auto header = key_block.substr(0, parsed->size);
  const auto data = from_hex(key_block.substr(parsed->size, key_block.size() - parsed->size - mac_digits));
  const auto mac = from_hex(key_block.substr(key_block.size() - mac_digits));
  if (!data || !mac || data->size() <= length_field || !whole_blocks(*facts, data->size())) {
    return failure(Errc::Malformed, "the key block's encrypted part is malformed");
  }
  SecretBytes payload(*data);
  ND_TRY(crypt(*facts, Direction::Decrypt, *keys, header, *mac, payload.writable()));
  const auto expected =
      mac_of(*facts, *keys, header,
             facts->binding == Binding::Variant ? std::span<const std::uint8_t>(*data) : payload.view());
  ND_TRY(expected);
  if (!equal_in_constant_time(*expected, *mac)) return failure(Errc::WrongKey, "the key block's MAC differs");
  auto key = key_of(payload.view());
  ND_TRY(key);
  return KeyBlock{std::move(parsed->header), std::move(*key)};
}

Result<std::string> wrap(std::span<const std::uint8_t> kbpk, const Header& header, std::span<const std::uint8_t> key,
                         std::optional<std::span<const std::uint8_t>> padding) {
  const auto facts = facts_of(header.version);
  ND_TRY(facts);
  const auto keys = derive_block_keys(header.version, kbpk);
  ND_TRY(keys);
  auto payload = payload_of(*facts, header.algorithm, key, padding);
  ND_TRY(payload);
  const auto blocks = padded_blocks(header, block_size(facts->cipher));
  const std::string optional = blocks_text(blocks);
  const std::size_t total = fixed_header + optional.size() + (payload->size() + facts->mac_size) * 2;
  if (total > block_length_max || blocks.size() > 99)
    return failure(Errc::InvalidArgument, "the key block would be too long");
  std::string text(1, header.version);
  text += number(total, 4, 10) + header.usage + header.algorithm + header.mode_of_use + header.key_version +
          header.exportability + number(blocks.size(), 2, 10) + header.reserved + optional;
  // What would not be read back as it was meant is not written.
  const auto again = parse_header(text);
  if (!again || again->size != text.size() || again->header.blocks != blocks ||
      again->header.reserved != header.reserved) {
    return failure(Errc::InvalidArgument, "the key block's header is malformed");
  }
  const bool over_clear = facts->binding == Binding::Derivation;
  std::vector<std::uint8_t> mac;
  if (over_clear) {
    auto made = mac_of(*facts, *keys, text, payload->view());
    ND_TRY(made);
    mac = std::move(*made);
  }
  ND_TRY(crypt(*facts, Direction::Encrypt, *keys, text, mac, payload->writable()));
  if (!over_clear) {
    auto made = mac_of(*facts, *keys, text, payload->view());
    ND_TRY(made);
    mac = std::move(*made);
  }
  return text + hex_upper(payload->view()) + hex_upper(mac);
}

Result<std::vector<std::uint8_t>> check_value_cmac(std::span<const std::uint8_t> aes_key) {
  constexpr std::array<std::uint8_t, 16> zeros{};
  auto value = cmac(BlockCipher::Aes, aes_key, zeros);
  ND_TRY(value);
  value->resize(5);
  return value;
}

Result<std::vector<std::uint8_t>> check_value_legacy(char algorithm, std::span<const std::uint8_t> key) {
  if (algorithm != 'A' && algorithm != 'T') return failure(Errc::InvalidArgument, "no check value for such a key");
  const BlockCipher cipher = algorithm == 'A' ? BlockCipher::Aes : BlockCipher::Tdes;
  std::vector<std::uint8_t> value(block_size(cipher));
  ND_TRY(ecb_encrypt(cipher, key, value, value));
  value.resize(3);
  return value;
}

}  // namespace nightdrop::tr31
