// The data objects Nightdrop meets: name, format, and which of them may leave the reader in clear. What is not listed
// is treated as binary and is never passed on (the list is of what may go, so a forgotten tag stays home).
#pragma once

#include <string_view>
#include <vector>

#include "emv/tlv.hpp"

namespace nightdrop::emv {

// EMV 4.4 Book 3, 4.3.
enum class Format : std::uint8_t { Binary, Numeric, CompressedNumeric, Alphanumeric, AlphanumericSpecial };

enum class Travel : std::uint8_t {
  Never,       // not passed on
  ToAcquirer,  // in `emv`, in clear: what RULES 16 lists
  Encrypted,   // identifies the card: in the envelope only
};

struct TagInfo {
  Tag tag{0};
  std::string_view name;
  Format format{Format::Binary};
  Travel travel{Travel::Never};
};

// What is known of a tag; null for an unknown one. Lifetime: static.
const TagInfo* tag_info(Tag tag);

// The format of a tag, Binary for an unknown one.
Format tag_format(Tag tag);

// The contract's short name of a format: "b", "n", "cn", "an", "ans".
std::string_view format_name(Format format);

// Whether a tag identifies the card or its holder and so travels encrypted or not at all (57, 5A, 56, 9F6B …).
bool identifies_card(Tag tag);

// Of a list of objects, those meant for the acquirer, each once, in the order they came. Templates are opened.
// Errors: Malformed. Standard: RULES 16 of this project.
Result<std::vector<std::uint8_t>> select_for_acquirer(Bytes objects);

}  // namespace nightdrop::emv
