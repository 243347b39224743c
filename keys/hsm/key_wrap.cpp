// RFC 5649 over RFC 3394's unwrapping rounds. Everything that may hold the key is in locked, wiped memory.
#include "keys/hsm/key_wrap.hpp"

#include <algorithm>
#include <array>

#include "crypto/primitives.hpp"

namespace nightdrop::keys {
namespace {

constexpr std::size_t half = 8;
constexpr std::array<std::uint8_t, 4> initial_value{0xA6, 0x59, 0x59, 0xA6};

// Undoes the six rounds in place: the check word, then the halves of the key.
Result<void> undo_rounds(std::span<const std::uint8_t> key, SecretBytes& text) {
  const std::size_t halves = text.size() / half - 1;
  Secret<16> block;
  const auto check_word = text.writable().first(half);
  for (std::size_t round = 6; round-- > 0;) {
    for (std::size_t i = halves; i > 0; --i) {
      const auto part = text.writable().subspan(i * half, half);
      std::ranges::copy(check_word, block.writable().begin());
      std::ranges::copy(part, block.writable().begin() + half);
      const std::uint64_t step = halves * round + i;
      for (std::size_t b = 0; b < half; ++b) block.writable()[b] ^= static_cast<std::uint8_t>(step >> (56 - 8 * b));
      ND_TRY(ecb_decrypt(BlockCipher::Aes, key, block.view(), block.writable()));
      std::ranges::copy(block.view().first(half), check_word.begin());
      std::ranges::copy(block.view().subspan(half), part.begin());
    }
  }
  return {};
}

}  // namespace

Result<SecretBytes> unwrap_key(std::span<const std::uint8_t> wrapping_key, std::span<const std::uint8_t> wrapped) {
  if (wrapped.size() < 2 * half || wrapped.size() % half != 0) {
    return failure(Errc::InvalidArgument, "a wrapped key is whole halves of a block, two at least");
  }
  SecretBytes text(wrapped);
  if (wrapped.size() == 2 * half) {
    ND_TRY(ecb_decrypt(BlockCipher::Aes, wrapping_key, text.view(), text.writable()));
  } else {
    ND_TRY(undo_rounds(wrapping_key, text));
  }
  std::uint32_t size = 0;
  for (std::size_t i = 4; i < half; ++i) size = size << 8 | text.view()[i];
  const std::size_t padded = wrapped.size() - half;
  const bool fits =
      equal_in_constant_time(text.view().first(4), initial_value) && size <= padded && size + half > padded;
  if (!fits) return failure(Errc::WrongKey, "the wrapped key is not under this key");
  const auto padding = text.view().subspan(half + size);
  if (!std::ranges::all_of(padding, [](std::uint8_t byte) { return byte == 0; })) {
    return failure(Errc::WrongKey, "the wrapped key is not under this key");
  }
  return SecretBytes(text.view().subspan(half, size));
}

}  // namespace nightdrop::keys
