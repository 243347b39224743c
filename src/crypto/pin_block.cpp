// PIN blocks, worked on as nibbles: a block of n bytes is 2n of them. All intermediate arrays are secrets and wiped.
#include "crypto/pin_block.hpp"

#include <algorithm>

#include "crypto/primitives.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::pin_block {
namespace {

constexpr std::size_t pin_min = 4;
constexpr std::size_t pin_max = 12;
constexpr std::size_t fill_start = 2;  // control nibble, length nibble, then the PIN
constexpr std::uint8_t nibbles8 = 16;

std::uint8_t nibble(std::span<const std::uint8_t> block, std::size_t i) {
  return i % 2 == 0 ? block[i / 2] >> 4 : block[i / 2] & 0x0F;
}
void set_nibble(std::span<std::uint8_t> block, std::size_t i, std::uint8_t value) {
  auto& byte = block[i / 2];
  byte = static_cast<std::uint8_t>(i % 2 == 0 ? (byte & 0x0F) | value << 4 : (byte & 0xF0) | value);
}

bool all_digits(Digits text) {
  return std::ranges::all_of(text, [](std::uint8_t c) { return c >= '0' && c <= '9'; });
}

Result<void> check_pin(Digits pin) {
  if (pin.size() < pin_min || pin.size() > pin_max || !all_digits(pin)) {
    return failure(Errc::InvalidArgument, "a PIN has 4 to 12 digits");
  }
  return {};
}

std::unexpected<Error> bad_block() {
  return failure(Errc::Malformed, "not a PIN block of this format, key and PAN");
}

// Control nibble, length and PIN; what follows is the fill.
void put_pin(std::span<std::uint8_t> block, std::uint8_t control, Digits pin) {
  set_nibble(block, 0, control);
  set_nibble(block, 1, static_cast<std::uint8_t>(pin.size()));
  for (std::size_t i = 0; i < pin.size(); ++i) {
    set_nibble(block, fill_start + i, static_cast<std::uint8_t>(pin[i] - '0'));
  }
}

// Format 0's and 3's account field: four zeros, then the PAN's rightmost 12 digits without the check digit.
Result<Block8> account_field(Digits pan) {
  const auto digits = account_digits(pan);
  ND_TRY(digits);
  Block8 field;
  for (std::size_t i = 0; i < 12; ++i)
    set_nibble(field.writable(), 4 + i, static_cast<std::uint8_t>((*digits)[i] - '0'));
  return field;
}

void xor_into(std::span<std::uint8_t> block, std::span<const std::uint8_t> other) {
  for (std::size_t i = 0; i < block.size(); ++i) block[i] ^= other[i];
}

Result<Block8> encode(std::uint8_t control, Digits pin, std::span<const std::uint8_t> fill) {
  ND_TRY(check_pin(pin));
  if (fill.size() != nibbles8 - fill_start - pin.size())
    return failure(Errc::InvalidArgument, "the fill has a wrong length");
  Block8 block;
  put_pin(block.writable(), control, pin);
  for (std::size_t i = 0; i < fill.size(); ++i) set_nibble(block.writable(), fill_start + pin.size() + i, fill[i]);
  return block;
}

// Reads a PIN of a clear block whose fill nibbles must satisfy `fits`. All of it is looked at before any answer.
template <class Fits>
Result<SecretBytes> decode(std::span<const std::uint8_t> block, std::uint8_t control, std::size_t nibbles, Fits fits) {
  const std::size_t length = nibble(block, 1);
  bool good = nibble(block, 0) == control && length >= pin_min && length <= pin_max;
  const std::size_t end = fill_start + std::clamp(length, pin_min, pin_max);
  SecretBytes pin(end - fill_start);
  for (std::size_t i = fill_start; i < nibbles; ++i) {
    const std::uint8_t value = nibble(block, i);
    if (i < end) {
      good = good && value <= 9;
      pin.writable()[i - fill_start] = static_cast<std::uint8_t>('0' + value);
    } else {
      good = good && fits(value);
    }
  }
  if (!good) return bad_block();
  return pin;
}

// The values of a fill given as hexadecimal digits.
Result<SecretBytes> fill_values(std::string_view hex, std::uint8_t lowest) {
  SecretBytes values(hex.size());
  for (std::size_t i = 0; i < hex.size(); ++i) {
    const auto byte = from_hex(std::string{'0', hex[i]});
    if (!byte || (*byte)[0] < lowest) return failure(Errc::InvalidArgument, "the fill has other digits");
    values.writable()[i] = (*byte)[0];
  }
  return values;
}

// Random nibbles from `lowest` to F, each equally likely.
Result<SecretBytes> random_fill(std::size_t count, std::uint8_t lowest) {
  const auto choices = static_cast<std::uint8_t>(16 - lowest);
  SecretBytes values(count);
  for (std::uint8_t& value : values.writable()) {
    std::uint8_t byte = 0;
    do {
      ND_TRY(random_bytes({&byte, 1}));
    } while (byte >= 256 / choices * choices);
    value = static_cast<std::uint8_t>(lowest + byte % choices);
  }
  return values;
}

Result<Block8> encode_with_pan(std::uint8_t control, Digits pin, Digits pan, std::span<const std::uint8_t> fill) {
  const auto account = account_field(pan);
  ND_TRY(account);
  auto block = encode(control, pin, fill);
  ND_TRY(block);
  xor_into(block->writable(), account->view());
  return block;
}

Result<Block8> without_pan(std::span<const std::uint8_t> block, Digits pan) {
  const auto account = account_field(pan);
  ND_TRY(account);
  if (block.size() != 8) return bad_block();
  Block8 clear(block.first<8>());
  xor_into(clear.writable(), account->view());
  return clear;
}

std::size_t fill_length(Digits pin) {
  return nibbles8 - fill_start - pin.size();
}

}  // namespace

Result<Digits> account_digits(Digits pan) {
  if (pan.size() < 13 || pan.size() > 19 || !all_digits(pan)) {
    return failure(Errc::InvalidArgument, "the PAN has no 13 to 19 digits");
  }
  return pan.subspan(pan.size() - 13, 12);
}

Result<Block8> encode_format0(Digits pin, Digits pan) {
  ND_TRY(check_pin(pin));
  const std::vector<std::uint8_t> fill(fill_length(pin), 0x0F);
  return encode_with_pan(0, pin, pan, fill);
}

Result<Block8> encode_format1(Digits pin) {
  ND_TRY(check_pin(pin));
  const auto fill = random_fill(fill_length(pin), 0);
  ND_TRY(fill);
  return encode(1, pin, fill->view());
}
Result<Block8> encode_format1(Digits pin, std::string_view fill_hex) {
  const auto fill = fill_values(fill_hex, 0);
  ND_TRY(fill);
  return encode(1, pin, fill->view());
}

Result<Block8> encode_format2(Digits pin) {
  ND_TRY(check_pin(pin));
  const std::vector<std::uint8_t> fill(fill_length(pin), 0x0F);
  return encode(2, pin, fill);
}

Result<Block8> encode_format3(Digits pin, Digits pan) {
  ND_TRY(check_pin(pin));
  const auto fill = random_fill(fill_length(pin), 0x0A);
  ND_TRY(fill);
  return encode_with_pan(3, pin, pan, fill->view());
}
Result<Block8> encode_format3(Digits pin, Digits pan, std::string_view fill_hex) {
  const auto fill = fill_values(fill_hex, 0x0A);
  ND_TRY(fill);
  return encode_with_pan(3, pin, pan, fill->view());
}

Result<SecretBytes> decode_format0(std::span<const std::uint8_t> block, Digits pan) {
  const auto clear = without_pan(block, pan);
  ND_TRY(clear);
  return decode(clear->view(), 0, nibbles8, [](std::uint8_t value) { return value == 0x0F; });
}
Result<SecretBytes> decode_format1(std::span<const std::uint8_t> block) {
  if (block.size() != 8) return bad_block();
  return decode(block, 1, nibbles8, [](std::uint8_t) { return true; });
}
Result<SecretBytes> decode_format2(std::span<const std::uint8_t> block) {
  if (block.size() != 8) return bad_block();
  return decode(block, 2, nibbles8, [](std::uint8_t value) { return value == 0x0F; });
}
Result<SecretBytes> decode_format3(std::span<const std::uint8_t> block, Digits pan) {
  const auto clear = without_pan(block, pan);
  ND_TRY(clear);
  return decode(clear->view(), 3, nibbles8, [](std::uint8_t value) { return value >= 0x0A; });
}

Result<Block16> format4_pin_field(Digits pin, std::span<const std::uint8_t, 8> random) {
  ND_TRY(check_pin(pin));
  Block16 field;
  put_pin(field.writable(), 4, pin);
  for (std::size_t i = fill_start + pin.size(); i < nibbles8; ++i) set_nibble(field.writable(), i, 0x0A);
  std::ranges::copy(random, field.writable().last<8>().begin());
  return field;
}

Result<Block16> format4_pan_field(Digits pan) {
  constexpr std::size_t shortest = 12;
  if (pan.empty() || pan.size() > 19 || !all_digits(pan))
    return failure(Errc::InvalidArgument, "a PAN has 1 to 19 digits");
  const std::size_t length = std::max(pan.size(), shortest);
  Block16 field;
  set_nibble(field.writable(), 0, static_cast<std::uint8_t>(length - shortest));
  for (std::size_t i = 0; i < pan.size(); ++i) {
    set_nibble(field.writable(), 1 + length - pan.size() + i, static_cast<std::uint8_t>(pan[i] - '0'));
  }
  return field;
}

Result<SecretBytes> decode_format4_pin_field(std::span<const std::uint8_t> field) {
  if (field.size() != 16) return bad_block();
  return decode(field, 4, nibbles8, [](std::uint8_t value) { return value == 0x0A; });
}

Result<std::array<std::uint8_t, 16>> encrypt_format4(std::span<const std::uint8_t> key, Digits pin, Digits pan) {
  std::array<std::uint8_t, 8> random{};
  ND_TRY(random_bytes(random));
  return encrypt_format4(key, pin, pan, random);
}

Result<std::array<std::uint8_t, 16>> encrypt_format4(std::span<const std::uint8_t> key, Digits pin, Digits pan,
                                                     std::span<const std::uint8_t, 8> random) {
  const auto pin_field = format4_pin_field(pin, random);
  ND_TRY(pin_field);
  const auto pan_field = format4_pan_field(pan);
  ND_TRY(pan_field);
  std::array<std::uint8_t, 16> block{};
  ND_TRY(ecb_encrypt(BlockCipher::Aes, key, pin_field->view(), block));
  xor_into(block, pan_field->view());
  ND_TRY(ecb_encrypt(BlockCipher::Aes, key, block, block));
  return block;
}

Result<SecretBytes> decrypt_format4(std::span<const std::uint8_t> key, std::span<const std::uint8_t> block,
                                    Digits pan) {
  const auto pan_field = format4_pan_field(pan);
  ND_TRY(pan_field);
  if (block.size() != 16) return bad_block();
  Block16 field(block.first<16>());
  ND_TRY(ecb_decrypt(BlockCipher::Aes, key, field.view(), field.writable()));
  xor_into(field.writable(), pan_field->view());
  ND_TRY(ecb_decrypt(BlockCipher::Aes, key, field.view(), field.writable()));
  return decode_format4_pin_field(field.view());
}

}  // namespace nightdrop::pin_block
