// How an ISO 8583:1987 message is laid out, as data: the encoding of the whole (profile) and one line for each data
// element. An acquirer's dialect is the table of the standard with the lines its specification changes.
// The codec of this folder stands ready for an acquirer adapter to come: nothing uses it yet but the tests.
// Standard: ISO 8583:1987, 4.3 (bit maps) and 4.4 (data elements).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace nightdrop::iso8583 {

using Bytes = std::span<const std::uint8_t>;

inline constexpr unsigned last_element = 128;

enum class Profile : std::uint8_t {
  Ascii,              // MTI, bit maps (hex), lengths and numbers as characters; B as hex
  AsciiBinaryBitmap,  // as Ascii, but bit maps and B are raw bytes
  Bcd,                // MTI, lengths and numbers packed, two digits a byte; bit maps and B raw; text one byte each
};

enum class Kind : std::uint8_t {
  None,     // not a data element of 1987: bit 65 would announce a third bit map
  N,        // digits; packed, an odd number of them has its padding nibble on the left
  NRight,   // digits; packed, the padding nibble is on the right: what hosts expect of variable lengths
  SignedN,  // x+n: C, D or (jPOS and others) 0, then digits
  Z,        // track 2: digits and one separator, `=` or D; packed it is nibble D, with the padding on the right
  Z3,       // track 3, whose encoding hosts do not agree on: any text
  An,       // letters, digits and the spaces that fill up
  Ans,      // any printable ASCII, also for `ns`
  B,        // bytes, which the length counts; hex in Profile::Ascii, raw otherwise
  BHex,     // bytes as hex in any profile; the length counts characters
  BRaw,     // bytes as they are in any profile; the length counts bytes
};

enum class Length : std::uint8_t { Fixed, Ll, Lll };  // packed, Ll is one byte and Lll two

struct FieldFormat {
  Kind kind{Kind::None};
  std::uint16_t max{0};  // digits, characters or bytes: what the length counts; exact where fixed
  Length length{Length::Fixed};
};

using FieldTable = std::array<FieldFormat, last_element + 1>;  // by number; 0, 1 and 65 are None

struct Format {
  Profile profile{Profile::Ascii};
  FieldTable fields{};
};

// The table of the standard. DE55, which 1987 leaves to national use, is text there: say BHex or BRaw for EMV data.
Format format_1987(Profile profile);

}  // namespace nightdrop::iso8583
