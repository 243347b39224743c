// BER-TLV at one level. The acquirer reads the card's data with code of its own, so that a mistake in the reader's
// codec is not made twice.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace nightdrop::simulator {

struct Tlv {
  std::uint32_t tag{0};
  std::span<const std::uint8_t> value;
};
// The data objects of one level, or nothing if the bytes are no BER-TLV. Lifetime: the values refer to `bytes`.
// Standard: EMV 4.4 Book 3, annex B.
std::optional<std::vector<Tlv>> read_tlv(std::span<const std::uint8_t> bytes);

}  // namespace nightdrop::simulator
