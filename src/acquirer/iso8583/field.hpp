// One data element in its encodings: what a value may be, how long it is on the wire, and there and back. Internal to
// the codec. A complaint is static text without the value, null when there is none.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "acquirer/iso8583/format.hpp"

namespace nightdrop::iso8583 {

// What the length counts: digits, characters or bytes.
std::size_t units_of(const FieldFormat& format, std::string_view value);

// The size of a value's encoding, without its length.
std::size_t wire_size(const FieldFormat& format, Profile profile, std::size_t units);

// The size of the value that so many units make.
std::size_t value_size(const FieldFormat& format, std::size_t units);

// What is wrong with a value, its length included.
const char* complaint(const FieldFormat& format, std::string_view value);

// Decodes `wire` of wire_size() bytes into `value` of value_size() bytes; complaint() has still to see it.
// Gives what is wrong with the encoding.
const char* decode(const FieldFormat& format, Profile profile, Bytes wire, std::span<std::uint8_t> value);

// Encodes a value that complaint() has nothing against into `wire` of wire_size() bytes.
void encode(const FieldFormat& format, Profile profile, std::string_view value, std::span<std::uint8_t> wire);

// Packed decimal, two digits a byte, D for a separator; an odd number of digits leaves a zero nibble on one side.
enum class Padding : std::uint8_t { Left, Right };
bool unpack(Bytes packed, Padding padding, std::span<std::uint8_t> digits);  // false: the padding is not zero
void pack(std::string_view digits, Padding padding, std::span<std::uint8_t> packed);

// Upper-case hex, two characters a byte. Requires: text.size() == 2 * bytes.size().
bool read_hex(Bytes text, std::span<std::uint8_t> bytes);
void write_hex(Bytes bytes, std::span<std::uint8_t> text);

bool all_digits(std::string_view text);

}  // namespace nightdrop::iso8583
