// Encryption and MAC of key blocks. What versions differ in is all in VersionFacts; the rest is common. Invariant: of a
// decrypted payload no byte is read by anything but the MAC until that has been compared.
#include "crypto/tr31_format.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "crypto/primitives.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::tr31 {
namespace {

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
    case 'C': return VersionFacts{BlockCipher::Tdes, Binding::Variant, false, 4};
    case 'B': return VersionFacts{BlockCipher::Tdes, Binding::Derivation, false, 8};
    case 'D': return VersionFacts{BlockCipher::Aes, Binding::Derivation, false, 16};
    case 'E': return VersionFacts{BlockCipher::Aes, Binding::Derivation, true, 16};
    default: return failure(Errc::InvalidArgument, "TR-31 version");
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
  if (bits == 0 || bits % 8 != 0 || bits / 8 > payload.size() - key_length_size) {
    return failure(Errc::Malformed, "TR-31 key length");
  }
  return SecretBytes(payload.subspan(key_length_size, bits / 8));
}

bool whole_blocks(const VersionFacts& facts, std::size_t size) {
  return facts.counter_mode || size % block_size(facts.cipher) == 0;
}

// One text for one block: digits in capitals alone, as they are written.
Result<std::vector<std::uint8_t>> from_upper_hex(std::string_view text) {
  const auto lower = [](char c) { return c >= 'a' && c <= 'f'; };
  if (std::ranges::any_of(text, lower)) return failure(Errc::Malformed, "not hexadecimal");
  return from_hex(text);
}

// The longest key of an algorithm, up to which padding hides which of them it is; 0: its length is no secret.
std::size_t longest_key(char algorithm) {
  switch (algorithm) {
    case 'A': return 32;
    case 'T': return 24;
    case 'H': return 64;
    default: return 0;
  }
}

// Length, key, padding.
Result<SecretBytes> payload_of(const VersionFacts& facts, char algorithm, std::span<const std::uint8_t> key,
                               std::optional<std::span<const std::uint8_t>> padding) {
  if (key.empty() || key.size() * 8 > 0xFFFF) return failure(Errc::InvalidArgument, "TR-31 key length");
  const std::size_t longest = longest_key(algorithm);
  const std::size_t block = block_size(facts.cipher);
  const std::size_t least = key_length_size + std::max(key.size(), longest);
  const std::size_t size =
      padding ? key_length_size + key.size() + padding->size() : (least + block - 1) / block * block;
  if (!whole_blocks(facts, size)) return failure(Errc::InvalidArgument, "TR-31 padding");
  SecretBytes payload(size);
  const auto out = payload.writable();
  out[0] = static_cast<std::uint8_t>(key.size() * 8 >> 8);
  out[1] = static_cast<std::uint8_t>(key.size() * 8);
  std::ranges::copy(key, out.subspan(key_length_size).begin());
  const auto rest = out.subspan(key_length_size + key.size());
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
    return failure(Errc::InvalidArgument, "TR-31 KBPK: length");
  }
  if (facts->binding == Binding::Variant) return BlockKeys{variant(kbpk, 'E'), variant(kbpk, 'M')};
  auto encryption = derive(*facts, kbpk, facts->counter_mode ? 0x02 : 0x00);
  ND_TRY(encryption);
  auto mac = derive(*facts, kbpk, 0x01);
  ND_TRY(mac);
  return BlockKeys{std::move(*encryption), std::move(*mac)};
}

Result<OpenedBlock> open_block(std::span<const std::uint8_t> kbpk, std::string_view key_block) {
  auto parsed = parse_header(key_block);
  ND_TRY(parsed);
  const auto facts = facts_of(parsed->header.version);
  ND_TRY(facts);
  const auto keys = derive_block_keys(parsed->header.version, kbpk);
  ND_TRY(keys);
  const std::size_t mac_digits = facts->mac_size * 2;
  if (parsed->declared_length != key_block.size()) return failure(Errc::Malformed, "TR-31 length");
  if (!whole_blocks(*facts, parsed->size)) return failure(Errc::Malformed, "TR-31 optional block PB: length");
  if (key_block.size() < parsed->size + mac_digits) return failure(Errc::Malformed, "TR-31 MAC: length");
  const auto header = key_block.substr(0, parsed->size);
  const auto data = from_upper_hex(key_block.substr(parsed->size, key_block.size() - parsed->size - mac_digits));
  if (!data) return failure(Errc::Malformed, "TR-31 encrypted key: not hexadecimal");
  if (data->size() <= key_length_size || !whole_blocks(*facts, data->size()))
    return failure(Errc::Malformed, "TR-31 encrypted key: length");
  const auto mac = from_upper_hex(key_block.substr(key_block.size() - mac_digits));
  if (!mac) return failure(Errc::Malformed, "TR-31 MAC: not hexadecimal");
  SecretBytes payload(*data);
  ND_TRY(crypt(*facts, Direction::Decrypt, *keys, header, *mac, payload.writable()));
  const auto expected =
      mac_of(*facts, *keys, header,
             facts->binding == Binding::Variant ? std::span<const std::uint8_t>(*data) : payload.view());
  ND_TRY(expected);
  if (!equal_in_constant_time(*expected, *mac)) return failure(Errc::WrongKey, "TR-31 MAC");
  auto key = key_of(payload.view());
  ND_TRY(key);
  return OpenedBlock{std::move(parsed->header), std::move(*key)};
}

Result<std::string> seal_block(std::span<const std::uint8_t> kbpk, const Header& header,
                               std::span<const std::uint8_t> key,
                               std::optional<std::span<const std::uint8_t>> padding) {
  const auto facts = facts_of(header.version);
  ND_TRY(facts);
  const auto keys = derive_block_keys(header.version, kbpk);
  ND_TRY(keys);
  auto payload = payload_of(*facts, header.algorithm, key, padding);
  ND_TRY(payload);
  const auto text = header_text(header, block_size(facts->cipher), (payload->size() + facts->mac_size) * 2);
  ND_TRY(text);
  const bool over_clear = facts->binding == Binding::Derivation;
  std::vector<std::uint8_t> mac;
  if (over_clear) {
    auto made = mac_of(*facts, *keys, *text, payload->view());
    ND_TRY(made);
    mac = std::move(*made);
  }
  ND_TRY(crypt(*facts, Direction::Encrypt, *keys, *text, mac, payload->writable()));
  if (!over_clear) {
    auto made = mac_of(*facts, *keys, *text, payload->view());
    ND_TRY(made);
    mac = std::move(*made);
  }
  return *text + hex_upper(payload->view()) + hex_upper(mac);
}

}  // namespace nightdrop::tr31
