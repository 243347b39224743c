// AES DUKPT by X9.24-3-2017. Both sides share one rule, derive(): blocks of derivation data encrypted under the parent.
#include "crypto/dukpt.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "crypto/primitives.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::dukpt {
namespace {

struct KindFacts {
  std::uint16_t algorithm;  // table 4
  std::uint16_t bits;
};

KindFacts facts(KeyKind kind) {
  switch (kind) {
    case KeyKind::Tdea2: return {0x0000, 128};
    case KeyKind::Tdea3: return {0x0001, 192};
    case KeyKind::Aes128: return {0x0002, 128};
    case KeyKind::Aes192: return {0x0003, 192};
    case KeyKind::Aes256: return {0x0004, 256};
    case KeyKind::Hmac128: return {0x0005, 128};
    case KeyKind::Hmac192: return {0x0005, 192};
    case KeyKind::Hmac256: return {0x0005, 256};
  }
  return {0, 0};
}

void put_u16(std::span<std::uint8_t> out, std::uint16_t value) {
  out[0] = static_cast<std::uint8_t>(value >> 8);
  out[1] = static_cast<std::uint8_t>(value);
}
void put_u32(std::span<std::uint8_t> out, std::uint32_t value) {
  put_u16(out, static_cast<std::uint16_t>(value >> 16));
  put_u16(out.subspan(2), static_cast<std::uint16_t>(value));
}
std::uint32_t get_u32(std::span<const std::uint8_t> in) {
  return std::uint32_t{in[0]} << 24 | std::uint32_t{in[1]} << 16 | std::uint32_t{in[2]} << 8 | in[3];
}

// A TDES key is never the stronger one, whatever its length; else lengths tell.
bool stronger_than_parent(KeyKind kind, std::size_t parent_size) {
  return kind != KeyKind::Tdea2 && kind != KeyKind::Tdea3 && key_size(kind) > parent_size;
}

// X9.24-3, 6.2: the leftmost bits of the derivation data of block 1, then 2, under the parent key.
Result<SecretBytes> derive(std::span<const std::uint8_t> parent, Usage usage, KeyKind kind, const InitialKeyId& id,
                           std::uint32_t counter) {
  if (stronger_than_parent(kind, parent.size())) {
    return failure(Errc::InvalidArgument, "a derived key may not be stronger than its parent");
  }
  const std::size_t size = key_size(kind);
  const std::size_t blocks = (size + 15) / 16;
  SecretBytes key(blocks * 16);
  for (std::size_t block = 0; block < blocks; ++block) {
    const auto data = derivation_data(usage, kind, id, counter, static_cast<std::uint8_t>(block + 1));
    std::ranges::copy(data, key.writable().subspan(block * 16).begin());
  }
  ND_TRY(ecb_encrypt(BlockCipher::Aes, parent, key.view(), key.writable()));
  key.truncate(size);
  return key;
}

Result<SecretBytes> derive_child(std::span<const std::uint8_t> parent, const InitialKeyId& id, std::uint32_t counter) {
  const auto kind = aes_kind(parent.size());
  ND_TRY(kind);
  return derive(parent, Usage::KeyDerivation, *kind, id, counter);
}

}  // namespace

std::size_t key_size(KeyKind kind) {
  return facts(kind).bits / 8U;
}

Result<KeyKind> aes_kind(std::size_t key_bytes) {
  switch (key_bytes) {
    case 16: return KeyKind::Aes128;
    case 24: return KeyKind::Aes192;
    case 32: return KeyKind::Aes256;
    default: return failure(Errc::InvalidArgument, "an AES DUKPT key has 16, 24 or 32 bytes");
  }
}

Ksn make_ksn(const InitialKeyId& id, std::uint32_t counter) {
  Ksn ksn{};
  std::ranges::copy(id, ksn.begin());
  put_u32(std::span(ksn).subspan(8), counter);
  return ksn;
}

InitialKeyId initial_key_id(const Ksn& ksn) {
  InitialKeyId id{};
  std::copy_n(ksn.begin(), id.size(), id.begin());
  return id;
}

std::uint32_t transaction_counter(const Ksn& ksn) {
  return get_u32(std::span(ksn).subspan(8));
}

Result<Ksn> parse_ksn(std::span<const std::uint8_t> bytes) {
  Ksn ksn{};
  if (bytes.size() != ksn.size()) return failure(Errc::Malformed, "an AES DUKPT KSN has 12 bytes");
  std::ranges::copy(bytes, ksn.begin());
  if (!is_transaction_counter(transaction_counter(ksn))) {
    return failure(Errc::InvalidArgument, "the KSN's counter is no transaction's");
  }
  return ksn;
}

Result<Ksn> parse_ksn_hex(std::string_view text) {
  const auto bytes = from_hex(text);
  ND_TRY(bytes);
  return parse_ksn(*bytes);
}

bool is_transaction_counter(std::uint32_t counter) {
  return counter != 0 && counter <= counter_max && std::popcount(counter) <= counter_bits_max;
}

std::optional<std::uint32_t> next_counter(std::uint32_t counter) {
  if (counter >= counter_max) return std::nullopt;
  std::uint32_t next = counter + 1;
  // Adding the lowest one-bit skips all values below it, each of which has as many one-bits or more.
  while (std::popcount(next) > counter_bits_max) next += next & -next;
  return next;
}

std::array<std::uint8_t, 16> derivation_data(Usage usage, KeyKind kind, const InitialKeyId& id, std::uint32_t counter,
                                             std::uint8_t block) {
  std::array<std::uint8_t, 16> data{0x01, block};
  const std::span<std::uint8_t> out(data);
  put_u16(out.subspan(2), static_cast<std::uint16_t>(usage));
  put_u16(out.subspan(4), facts(kind).algorithm);
  put_u16(out.subspan(6), facts(kind).bits);
  if (usage == Usage::InitialKey) {
    std::ranges::copy(id, out.subspan(8).begin());
  } else {
    std::ranges::copy(std::span(id).subspan(4), out.subspan(8).begin());
    put_u32(out.subspan(12), counter);
  }
  return data;
}

Result<SecretBytes> derive_initial_key(std::span<const std::uint8_t> bdk, const InitialKeyId& id) {
  const auto kind = aes_kind(bdk.size());
  ND_TRY(kind);
  return derive(bdk, Usage::InitialKey, *kind, id, 0);
}

Result<SecretBytes> derive_transaction_key(std::span<const std::uint8_t> initial_key, const InitialKeyId& id,
                                           std::uint32_t counter) {
  if (counter == 0) return failure(Errc::InvalidArgument, "counter 0 is no transaction's");
  ND_TRY(aes_kind(initial_key.size()));
  SecretBytes key(initial_key);
  std::uint32_t reached = 0;
  for (std::uint32_t bit = 0x80000000; bit != 0; bit >>= 1) {
    if ((counter & bit) == 0) continue;
    reached |= bit;
    auto child = derive_child(key.view(), id, reached);
    ND_TRY(child);
    key = std::move(*child);
  }
  return key;
}

Result<SecretBytes> derive_from_transaction_key(std::span<const std::uint8_t> transaction_key, const Ksn& ksn,
                                                Usage usage, KeyKind kind) {
  return derive(transaction_key, usage, kind, initial_key_id(ksn), transaction_counter(ksn));
}

Result<SecretBytes> derive_working_key(std::span<const std::uint8_t> initial_key, const Ksn& ksn, Usage usage,
                                       KeyKind kind) {
  const auto parent = derive_transaction_key(initial_key, initial_key_id(ksn), transaction_counter(ksn));
  ND_TRY(parent);
  return derive_from_transaction_key(parent->view(), ksn, usage, kind);
}

}  // namespace nightdrop::dukpt
