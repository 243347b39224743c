// The 21-bit counter is a path of one-bits, high to low, as in AES DUKPT; each step is the non-reversible key
// generation of X9.24-1, A.2: the right half of the key is encrypted by single DES under the left, twice with different
// variants.
#include "crypto/dukpt_tdes.hpp"

#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

#include "crypto/primitives.hpp"

namespace nightdrop::dukpt_tdes {
namespace {

constexpr std::uint32_t counter_mask = 0x1FFFFF;
constexpr int counter_bits_max = 10;
using Mask = std::array<std::uint8_t, 8>;
constexpr Mask generation_mask{0xC0, 0xC0, 0xC0, 0xC0, 0, 0, 0, 0};

// The key with a mask over each half.
Secret<16> masked(std::span<const std::uint8_t, 16> key, const Mask& mask) {
  Secret<16> result(key);
  for (std::size_t i = 0; i < 16; ++i) result.writable()[i] ^= mask[i % 8];
  return result;
}

// One half of the next key: DES under the key's left half of (data XOR right half), XOR the right half.
Result<void> generate_half(std::span<const std::uint8_t, 16> key, std::span<const std::uint8_t, 8> data,
                           std::span<std::uint8_t, 8> out) {
  const auto right = key.last<8>();
  Secret<8> block(data);
  for (std::size_t i = 0; i < 8; ++i) block.writable()[i] ^= right[i];
  ND_TRY(ecb_encrypt(BlockCipher::Tdes, key.first<8>(), block.view(), block.writable()));
  for (std::size_t i = 0; i < 8; ++i) out[i] = block.view()[i] ^ right[i];
  return {};
}

Result<Secret<16>> next_key(const Secret<16>& key, std::span<const std::uint8_t, 8> data) {
  Secret<16> next;
  ND_TRY(generate_half(masked(key.view(), generation_mask).view(), data, next.writable().first<8>()));
  ND_TRY(generate_half(key.view(), data, next.writable().last<8>()));
  return next;
}

}  // namespace

Result<Secret<16>> derive_initial_key(std::span<const std::uint8_t> bdk, const Ksn& ksn) {
  if (bdk.size() != 16) return failure(Errc::InvalidArgument, "a TDES BDK has 16 bytes");
  std::array<std::uint8_t, 8> device{};
  std::copy_n(ksn.begin(), device.size(), device.begin());
  device[7] &= 0xE0;  // without the counter
  const Secret<16> base(bdk.first<16>());
  Secret<16> key;
  ND_TRY(ecb_encrypt(BlockCipher::Tdes, bdk, device, key.writable().first<8>()));
  ND_TRY(ecb_encrypt(BlockCipher::Tdes, masked(base.view(), generation_mask).view(), device, key.writable().last<8>()));
  return key;
}

Result<Secret<16>> derive_transaction_key(std::span<const std::uint8_t> initial_key, const Ksn& ksn) {
  if (initial_key.size() != 16) return failure(Errc::InvalidArgument, "a TDES initial key has 16 bytes");
  const std::uint32_t counter = (std::uint32_t{ksn[7]} << 16 | std::uint32_t{ksn[8]} << 8 | ksn[9]) & counter_mask;
  if (counter == 0 || std::popcount(counter) > counter_bits_max) {
    return failure(Errc::InvalidArgument, "the KSN's counter is no transaction's");
  }
  Secret<16> key(initial_key.first<16>());
  std::array<std::uint8_t, 8> data{};  // the KSN's right eight bytes, with the one-bits reached so far
  std::copy(ksn.begin() + 2, ksn.end(), data.begin());
  data[5] &= 0xE0;
  data[6] = 0;
  data[7] = 0;
  for (std::uint32_t bit = 0x100000; bit != 0; bit >>= 1) {
    if ((counter & bit) == 0) continue;
    for (std::size_t i = 0; i < 3; ++i) data[5 + i] = static_cast<std::uint8_t>(data[5 + i] | bit >> (16 - 8 * i));
    auto next = next_key(key, data);
    ND_TRY(next);
    key = std::move(*next);
  }
  return key;
}

Secret<16> pin_key(const Secret<16>& transaction_key) {
  return masked(transaction_key.view(), {0, 0, 0, 0, 0, 0, 0, 0xFF});
}

Secret<16> mac_request_key(const Secret<16>& transaction_key) {
  return masked(transaction_key.view(), {0, 0, 0, 0, 0, 0, 0xFF, 0});
}

Result<Secret<16>> data_request_key(const Secret<16>& transaction_key) {
  Secret<16> variant = masked(transaction_key.view(), {0, 0, 0, 0, 0, 0xFF, 0, 0});
  ND_TRY(ecb_encrypt(BlockCipher::Tdes, variant.view(), variant.view(), variant.writable()));
  return variant;
}

Result<std::array<std::uint8_t, 4>> retail_mac(const Secret<16>& key, std::span<const std::uint8_t> data) {
  SecretBytes padded(std::max<std::size_t>((data.size() + 7) / 8 * 8, 8));
  std::ranges::copy(data, padded.writable().begin());
  // Single-DES CBC; the last block, already encrypted once by the left half, goes through the right and the left again.
  constexpr std::array<std::uint8_t, 8> zero{};
  ND_TRY(cbc_encrypt(BlockCipher::Tdes, key.view().first<8>(), zero, padded.view(), padded.writable()));
  const auto block = padded.writable().last<8>();
  ND_TRY(ecb_decrypt(BlockCipher::Tdes, key.view().last<8>(), block, block));
  ND_TRY(ecb_encrypt(BlockCipher::Tdes, key.view().first<8>(), block, block));
  std::array<std::uint8_t, 4> mac{};
  std::copy_n(block.begin(), mac.size(), mac.begin());
  return mac;
}

}  // namespace nightdrop::dukpt_tdes
