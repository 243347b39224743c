// BER-TLV reader and builder; see the header for the limits. Every read first asks whether the byte is there, and
// lengths are compared with what is left, never added to an offset, so that no length can wrap.
#include "emv/tlv.hpp"

#include <algorithm>

namespace nightdrop::emv {
namespace {

Result<std::size_t> take_length(Bytes& bytes) {
  if (bytes.empty()) return failure(Errc::Malformed, "A TLV length is missing.");
  const std::uint8_t first = bytes.front();
  bytes = bytes.subspan(1);
  if (first < 0x80) return first;
  const std::size_t count = first & 0x7FU;
  if (count == 0) return failure(Errc::Malformed, "A TLV length is indefinite.");
  if (count > 4) return failure(Errc::Malformed, "A TLV length has more than four bytes.");
  if (bytes.size() < count) return failure(Errc::Malformed, "A TLV length is cut short.");
  std::size_t length = 0;
  for (std::size_t i = 0; i < count; ++i) length = length * 256 + bytes[i];
  if (length > tlv_value_max) return failure(Errc::Malformed, "A TLV value is longer than 65,535 bytes.");
  bytes = bytes.subspan(count);
  return length;
}

std::size_t length_size(std::size_t length) {
  return length > 0xFF ? 3 : length > 0x7F ? 2 : 1;
}

}  // namespace

Result<Tag> take_tag(Bytes& bytes) {
  if (bytes.empty()) return failure(Errc::Malformed, "A tag is missing.");
  Tag tag = bytes.front();
  if (tag == 0) return failure(Errc::Malformed, "A tag is 00.");
  std::size_t size = 1;
  if ((tag & 0x1FU) == 0x1F) {
    bool more = true;
    while (more) {
      if (size == tag_bytes_max) return failure(Errc::Malformed, "A tag has more than four bytes.");
      if (size == bytes.size()) return failure(Errc::Malformed, "A tag is cut short.");
      tag = tag << 8U | bytes[size];
      more = (bytes[size] & 0x80U) != 0;
      ++size;
    }
  }
  bytes = bytes.subspan(size);
  return tag;
}

Result<std::optional<Tlv>> TlvReader::next() {
  Bytes rest = rest_;
  while (!rest.empty() && rest.front() == 0) rest = rest.subspan(1);
  if (rest.empty()) {
    rest_ = rest;
    return std::nullopt;
  }
  const auto tag = take_tag(rest);
  if (!tag) return std::unexpected(tag.error());
  const auto length = take_length(rest);
  if (!length) return std::unexpected(length.error());
  if (*length > rest.size()) return failure(Errc::Malformed, "A TLV value is cut short.");
  const Tlv object{*tag, rest.first(*length)};
  rest_ = rest.subspan(*length);
  return object;
}

Result<void> check_tlv(Bytes bytes, int depth_max) {
  if (depth_max <= 0) return failure(Errc::Malformed, "TLV templates are nested too deep.");
  TlvReader reader(bytes);
  for (;;) {
    const auto object = reader.next();
    if (!object) return std::unexpected(object.error());
    if (!*object) return {};
    if (is_constructed((*object)->tag)) ND_TRY(check_tlv((*object)->value, depth_max - 1));
  }
}

std::optional<Bytes> find_tlv(Bytes bytes, Tag tag, int depth_max) {
  if (depth_max <= 0) return std::nullopt;
  TlvReader reader(bytes);
  for (;;) {
    const auto object = reader.next();
    if (!object || !*object) return std::nullopt;
    if ((*object)->tag == tag) return (*object)->value;
    if (!is_constructed((*object)->tag)) continue;
    if (auto inner = find_tlv((*object)->value, tag, depth_max - 1)) return inner;
  }
}

std::size_t tlv_size(Tag tag, std::size_t length) {
  return tag_size(tag) + length_size(length) + length;
}

std::size_t write_tlv(std::span<std::uint8_t> out, Tag tag, Bytes value) {
  ND_ASSERT(valid_tag(tag));
  ND_ASSERT(value.size() <= tlv_value_max);
  const std::size_t size = tlv_size(tag, value.size());
  ND_ASSERT(out.size() >= size);
  std::size_t at = 0;
  for (std::size_t i = tag_size(tag); i-- > 0;) out[at++] = static_cast<std::uint8_t>(tag >> (8 * i));
  const std::size_t more = length_size(value.size()) - 1;
  if (more > 0) out[at++] = static_cast<std::uint8_t>(0x80U | more);
  for (std::size_t i = std::max<std::size_t>(more, 1); i-- > 0;)
    out[at++] = static_cast<std::uint8_t>(value.size() >> (8 * i));
  std::copy(value.begin(), value.end(), out.begin() + static_cast<std::ptrdiff_t>(at));
  return size;
}

TlvBuilder& TlvBuilder::put(Tag tag, Bytes value) {
  const std::size_t before = bytes_.size();
  bytes_.resize(before + tlv_size(tag, value.size()));
  write_tlv(std::span(bytes_).subspan(before), tag, value);
  return *this;
}

}  // namespace nightdrop::emv
