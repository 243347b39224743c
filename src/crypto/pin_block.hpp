// PIN blocks of ISO 9564-1, formats 0 to 4. PIN and PAN are ASCII digits, a PIN 4 to 12 of them. Decoding checks all
// that a format fixes (control nibble, length, digits, fill), because a wrong PAN or key shows in nothing else;
// whatever is wrong, the error is the same, so that it tells nothing about the PIN.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "nightdrop/result.hpp"
#include "nightdrop/secret.hpp"

namespace nightdrop::pin_block {

using Digits = std::span<const std::uint8_t>;
using Block8 = Secret<8>;
using Block16 = Secret<16>;

// The 12 rightmost digits of a PAN without its check digit. Formats 0 and 3 use them; so does format 4 at a few
// acquirers against the standard: there they are given as the PAN, by a setting and never by guessing.
// Errors: InvalidArgument (no 13 to 19 digits). Lifetime: the PAN's.
[[nodiscard]] Result<Digits> account_digits(Digits pan);

// Clear blocks. A PAN has 13 to 19 digits; its rightmost 12 without the check digit are used.
// Errors: InvalidArgument.
[[nodiscard]] Result<Block8> encode_format0(Digits pin, Digits pan);
[[nodiscard]] Result<Block8> encode_format1(Digits pin);  // random fill
[[nodiscard]] Result<Block8> encode_format1(Digits pin, std::string_view fill_hex);
[[nodiscard]] Result<Block8> encode_format2(Digits pin);
[[nodiscard]] Result<Block8> encode_format3(Digits pin, Digits pan);  // random fill of A-F
[[nodiscard]] Result<Block8> encode_format3(Digits pin, Digits pan, std::string_view fill_hex);

// The PIN of a clear block.
// Errors: InvalidArgument (the PAN), Malformed (the block).
[[nodiscard]] Result<SecretBytes> decode_format0(std::span<const std::uint8_t> block, Digits pan);
[[nodiscard]] Result<SecretBytes> decode_format1(std::span<const std::uint8_t> block);
[[nodiscard]] Result<SecretBytes> decode_format2(std::span<const std::uint8_t> block);
[[nodiscard]] Result<SecretBytes> decode_format3(std::span<const std::uint8_t> block, Digits pan);

// Format 4's two fields. The PAN has 1 to 19 digits.
[[nodiscard]] Result<Block16> format4_pin_field(Digits pin, std::span<const std::uint8_t, 8> random);
[[nodiscard]] Result<Block16> format4_pan_field(Digits pan);
[[nodiscard]] Result<SecretBytes> decode_format4_pin_field(std::span<const std::uint8_t> field);

// Format 4: the PIN field under the AES key, XOR the PAN field, under the key again.
// Errors: InvalidArgument, CryptoFailed; decrypting: Malformed (not a block of this key and PAN).
// Standard: ISO 9564-1:2017, 9.4.
[[nodiscard]] Result<std::array<std::uint8_t, 16>> encrypt_format4(std::span<const std::uint8_t> key, Digits pin,
                                                                   Digits pan);
[[nodiscard]] Result<std::array<std::uint8_t, 16>> encrypt_format4(std::span<const std::uint8_t> key, Digits pin,
                                                                   Digits pan, std::span<const std::uint8_t, 8> random);
[[nodiscard]] Result<SecretBytes> decrypt_format4(std::span<const std::uint8_t> key,
                                                  std::span<const std::uint8_t> block, Digits pan);

}  // namespace nightdrop::pin_block
