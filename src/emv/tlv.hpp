// BER-TLV as EMV uses it (EMV 4.4 Book 3, Annex B): a reader that pulls one object after another out of bytes it does
// not own, and a builder. Limits: tags of at most 4 bytes, values of at most 65,535, templates nested at most 16 deep.
// Longer forms of a length than needed are read (81 05, up to 84 00 00 00 05), the shortest is written; 00 bytes
// between objects are skipped; the indefinite length 80 is refused. Cut the status word off before reading.
// Invariant: no byte outside the given span is ever touched, whatever the bytes say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "nightdrop/result.hpp"

namespace nightdrop::emv {

using Bytes = std::span<const std::uint8_t>;
using Tag = std::uint32_t;  // the tag's bytes as one big-endian number: 9F26 is 0x9F26

inline constexpr std::size_t tag_bytes_max = 4;
inline constexpr std::size_t tlv_value_max = 0xFFFF;
inline constexpr int tlv_depth_max = 16;

// How many bytes a tag takes on the wire.
constexpr std::size_t tag_size(Tag tag) {
  return tag > 0xFFFFFF ? 4 : tag > 0xFFFF ? 3 : tag > 0xFF ? 2 : 1;
}

// Whether the number is a whole tag: its first byte calls for as many further bytes as there are, and is not 00.
constexpr bool valid_tag(Tag tag) {
  const std::size_t size = tag_size(tag);
  const auto byte = [tag, size](std::size_t i) { return (tag >> (8 * (size - 1 - i))) & 0xFFU; };
  if (byte(0) == 0) return false;
  if ((byte(0) & 0x1FU) != 0x1F) return size == 1;
  if (size == 1) return false;
  for (std::size_t i = 1; i < size; ++i) {
    if (((byte(i) & 0x80U) != 0) != (i + 1 < size)) return false;
  }
  return true;
}

// Whether the value of this tag is itself a list of objects.
constexpr bool is_constructed(Tag tag) {
  return ((tag >> (8 * (tag_size(tag) - 1))) & 0x20U) != 0;
}

struct Tlv {
  Tag tag{0};
  Bytes value;
};

// Reads the tag at the front of `bytes` and takes it off. Errors: Malformed (cut short, 00, too long).
Result<Tag> take_tag(Bytes& bytes);

// Walks the objects of one level. Lifetime: of the bytes given.
class TlvReader {
 public:
  explicit TlvReader(Bytes bytes) : rest_(bytes) {}

  // The next object, or nothing at the end. Errors: Malformed; the reader then stands still.
  Result<std::optional<Tlv>> next();

 private:
  Bytes rest_;
};

// Whether the bytes are well-formed through all levels. Errors: Malformed (also nested too deep).
Result<void> check_tlv(Bytes bytes, int depth_max = tlv_depth_max);

// The first object with this tag, depth first through the templates; nothing if absent or if what stands before it is
// malformed. Lifetime: of the bytes given.
std::optional<Bytes> find_tlv(Bytes bytes, Tag tag, int depth_max = tlv_depth_max);

// Bytes an object takes on the wire. Requires: valid_tag(tag), length <= tlv_value_max.
std::size_t tlv_size(Tag tag, std::size_t length);

// Writes one object to the front of `out` and gives its size. Requires: room for tlv_size(); a valid tag.
std::size_t write_tlv(std::span<std::uint8_t> out, Tag tag, Bytes value);

// Builds a list of objects; a template is put with another builder's bytes as its value.
class TlvBuilder {
 public:
  // Requires: valid_tag(tag), value.size() <= tlv_value_max.
  TlvBuilder& put(Tag tag, Bytes value);
  const std::vector<std::uint8_t>& bytes() const { return bytes_; }
  std::vector<std::uint8_t> take() { return std::move(bytes_); }

 private:
  std::vector<std::uint8_t> bytes_;
};

}  // namespace nightdrop::emv
