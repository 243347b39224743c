#include "simulator/acquirer/tlv.hpp"

namespace nightdrop::simulator {

std::optional<std::vector<Tlv>> read_tlv(std::span<const std::uint8_t> bytes) {
  std::vector<Tlv> all;
  std::size_t at = 0;
  const auto left = [&] { return bytes.size() - at; };
  while (left() > 0) {
    if (bytes[at] == 0x00) {  // padding between data objects
      ++at;
      continue;
    }
    std::uint32_t tag = bytes[at++];
    bool more = (tag & 0x1FU) == 0x1FU;
    while (more) {
      if (left() == 0 || tag > 0xFFFFFF) return std::nullopt;
      more = (bytes[at] & 0x80U) != 0;
      tag = (tag << 8) | bytes[at++];
    }
    if (left() == 0) return std::nullopt;
    std::size_t length = bytes[at++];
    if (length >= 0x80) {
      const std::size_t count = length & 0x7FU;
      if (count == 0 || count > 2 || left() < count) return std::nullopt;
      length = 0;
      for (std::size_t i = 0; i < count; ++i) length = (length << 8) | bytes[at++];
    }
    if (left() < length) return std::nullopt;
    all.push_back(Tlv{tag, bytes.subspan(at, length)});
    at += length;
  }
  return all;
}

}  // namespace nightdrop::simulator
