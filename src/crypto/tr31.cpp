// What this product takes and gives as key blocks: versions, usages with their algorithms and modes of use, key
// lengths, check values. All of it is asked after the MAC.
#include "crypto/tr31.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "crypto/primitives.hpp"
#include "crypto/tr31_format.hpp"

namespace nightdrop::tr31 {
namespace {

struct UsageRule {
  std::string_view usage;
  std::string_view algorithms;
  std::string_view modes;  // N, no restriction, stands in blocks of others' HSMs and is read with each
};
constexpr std::array<UsageRule, 9> rules{{
    {usage::base_derivation_key, "AT", "X"},
    {usage::initial_key, "AT", "X"},
    {usage::data_encryption, "AT", "BDE"},
    {usage::key_encryption, "AT", "BDE"},
    {usage::key_block_protection, "AT", "BDE"},
    {usage::pin_encryption, "AT", "BDE"},
    {usage::cmac, "AT", "CGV"},
    {usage::hmac, "H", "CGV"},
    {usage::signature, "ERD", "SV"},
}};

enum class Way : std::uint8_t { Read, Write };

// The fields of the fixed header against each other.
Result<void> check_fields(const Header& header, Way way) {
  const Errc wrong = way == Way::Read ? Errc::Malformed : Errc::InvalidArgument;
  const auto rule = std::ranges::find(rules, std::string_view(header.usage), &UsageRule::usage);
  if (rule == rules.end()) return failure(Errc::Unsupported, "TR-31 key usage");
  if (!rule->algorithms.contains(header.algorithm)) return failure(wrong, "TR-31 algorithm");
  // Under a TDES key an AES key would be weaker than it looks.
  if (header.version == 'B' && header.algorithm != 'T') return failure(wrong, "TR-31 algorithm");
  const bool unrestricted = way == Way::Read && header.mode_of_use == 'N';
  if (!unrestricted && !rule->modes.contains(header.mode_of_use)) return failure(wrong, "TR-31 mode of use");
  if (!std::string_view("ENS").contains(header.exportability)) return failure(wrong, "TR-31 exportability");
  return {};
}

bool has_length(char algorithm, std::size_t size) {
  switch (algorithm) {
    case 'A': return size == 16 || size == 24 || size == 32;
    case 'T': return size == 16 || size == 24;
    case 'H': return size >= 16 && size <= 64;
    default: return size > 0;  // an asymmetric key's DER, for whoever takes it into use
  }
}

// How strong a symmetric key is, as the length of an AES key; 0 where there is no such measure here.
std::size_t strength(char algorithm, std::size_t size) {
  return algorithm == 'A' ? size : algorithm == 'H' ? std::min<std::size_t>(size, 32) : 0;
}

Result<void> check_value_is(const CheckValue& value, char algorithm, std::span<const std::uint8_t> key,
                            const char* text) {
  const BlockCipher cipher = algorithm == 'A' ? BlockCipher::Aes : BlockCipher::Tdes;
  auto made = [&]() -> Result<std::vector<std::uint8_t>> {
    if (!value.by_cmac) return check_value_legacy(algorithm, key);
    const std::array<std::uint8_t, 16> zeros{};
    auto mac = cmac(cipher, key, std::span(zeros).first(block_size(cipher)));
    ND_TRY(mac);
    mac->resize(5);
    return mac;
  }();
  ND_TRY(made);
  if (!equal_in_constant_time(*made, value.bytes)) return failure(Errc::WrongKey, text);
  return {};
}

Result<void> check_values(const Header& header, const KnownBlocks& known, std::span<const std::uint8_t> kbpk,
                          std::span<const std::uint8_t> key) {
  const char kbpk_algorithm = header.version == 'D' ? 'A' : 'T';
  if (known.protection_key_check_value) {
    ND_TRY(check_value_is(*known.protection_key_check_value, kbpk_algorithm, kbpk,
                          "TR-31 optional block KP: check value"));
  }
  const bool checkable = header.algorithm == 'A' || header.algorithm == 'T';
  if (known.key_check_value && checkable) {
    ND_TRY(check_value_is(*known.key_check_value, header.algorithm, key, "TR-31 optional block KC: check value"));
  }
  return {};
}

}  // namespace

Result<KeyBlock> unwrap(std::span<const std::uint8_t> kbpk, std::string_view key_block,
                        const std::vector<std::string_view>& expect) {
  if (!key_block.empty() && std::string_view("ACE").contains(key_block.front())) {
    return failure(Errc::Unsupported, "TR-31 version");
  }
  auto opened = open_block(kbpk, key_block);
  ND_TRY(opened);
  const Header& header = opened->header;
  if (std::ranges::find(expect, header.usage) == expect.end()) return failure(Errc::Unsupported, "TR-31 key usage");
  ND_TRY(check_fields(header, Way::Read));
  if (!has_length(header.algorithm, opened->key.size())) return failure(Errc::Malformed, "TR-31 key length");
  auto known = known_blocks(header);
  ND_TRY(known);
  ND_TRY(check_values(header, *known, kbpk, opened->key.view()));
  return KeyBlock{std::move(opened->header), std::move(*known), std::move(opened->key)};
}

Result<std::string> wrap(std::span<const std::uint8_t> kbpk, const Header& header, std::span<const std::uint8_t> key) {
  if (header.version != 'D') return failure(Errc::Unsupported, "TR-31 version");
  ND_TRY(check_fields(header, Way::Write));
  if (!has_length(header.algorithm, key.size())) return failure(Errc::InvalidArgument, "TR-31 key length");
  if (kbpk.size() < strength(header.algorithm, key.size())) {
    return failure(Errc::InvalidArgument, "TR-31 KBPK: weaker than the key");
  }
  const auto known = known_blocks(header);
  if (!known) return failure(Errc::InvalidArgument, known.error().text);
  ND_TRY(check_values(header, *known, kbpk, key));
  return seal_block(kbpk, header, key);
}

Result<Header> make_initial_key_header(const dukpt::InitialKeyId& id, std::span<const std::uint8_t> key) {
  if (!has_length('A', key.size())) return failure(Errc::InvalidArgument, "TR-31 key length");
  const auto check_value = check_value_cmac(key);
  ND_TRY(check_value);
  Header header;
  header.usage = usage::initial_key;
  header.mode_of_use = 'X';
  header.blocks = {initial_key_id_block(id), key_check_value_block(*check_value)};
  return header;
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
