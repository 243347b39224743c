// Data object lists: tags and lengths, without values, by which the card says what it wants to be told (PDOL, CDOL1,
// DDOL …), and the bytes that answer one. Standard: EMV 4.4 Book 3, 5.4.
#pragma once

#include <span>
#include <vector>

#include "emv/tlv.hpp"

namespace nightdrop::emv {

struct DolEntry {
  Tag tag{0};
  std::uint8_t length{0};
};

// The entries of a data object list. Errors: Malformed (a tag 00 or cut short, the last entry without a length).
Result<std::vector<DolEntry>> parse_dol(Bytes dol);

// The concatenated values a list asks for. Each source is a list of BER-TLV objects, and the first that has the tag
// wins. A value of another length is fitted by its format: numeric keeps the right and pads left with 00; compressed
// numeric keeps the left and pads right with FF; others keep the left and pad right with 00. Absent or constructed:
// 00s. Errors: Malformed (the list; a malformed source is one that has nothing from there on).
Result<std::vector<std::uint8_t>> build_dol(Bytes dol, std::span<const Bytes> sources);

}  // namespace nightdrop::emv
