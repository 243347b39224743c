// Integers and strings of the store's byte format. See codec.hpp.
#include "store/codec.hpp"

#include <algorithm>

namespace nightdrop::store {

void Writer::u(std::uint64_t value) {
  while (value >= 0x80) {
    bytes_.push_back(static_cast<std::uint8_t>(value | 0x80));
    value >>= 7;
  }
  bytes_.push_back(static_cast<std::uint8_t>(value));
}

void Writer::i(std::int64_t value) {
  const auto bits = static_cast<std::uint64_t>(value);
  u((bits << 1) ^ (value < 0 ? ~std::uint64_t{0} : 0));
}

void Writer::text(std::string_view value) {
  u(value.size());
  bytes_.insert(bytes_.end(), value.begin(), value.end());
}

void Writer::blob(std::span<const std::uint8_t> value) {
  u(value.size());
  fixed(value);
}

void Writer::currency(Currency value) {
  bytes_.insert(bytes_.end(), value.code.begin(), value.code.end());
}

void Writer::opt(const std::optional<std::int64_t>& value) {
  flag(value.has_value());
  if (value) i(*value);
}

std::span<const std::uint8_t> Reader::take(std::uint64_t size) {
  if (!ok_ || size > bytes_.size()) {
    ok_ = false;
    return {};
  }
  const auto taken = bytes_.first(static_cast<std::size_t>(size));
  bytes_ = bytes_.subspan(static_cast<std::size_t>(size));
  return taken;
}

std::uint64_t Reader::u() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const auto byte = take(1);
    if (byte.empty()) return 0;
    value |= static_cast<std::uint64_t>(byte[0] & 0x7F) << shift;
    if ((byte[0] & 0x80) == 0) return value;
  }
  ok_ = false;
  return 0;
}

std::int64_t Reader::i() {
  const std::uint64_t bits = u();
  return static_cast<std::int64_t>((bits >> 1) ^ (~(bits & 1) + 1));
}

std::string Reader::text() {
  const auto bytes = take(u());
  return {bytes.begin(), bytes.end()};
}

Bytes Reader::blob() {
  const auto bytes = take(u());
  return {bytes.begin(), bytes.end()};
}

void Reader::fixed(std::span<std::uint8_t> out) {
  const auto bytes = take(out.size());
  std::copy(bytes.begin(), bytes.end(), out.begin());
}

Currency Reader::currency() {
  Currency value;
  const auto bytes = take(value.code.size());
  std::transform(bytes.begin(), bytes.end(), value.code.begin(), [](std::uint8_t c) { return static_cast<char>(c); });
  return value;
}

std::optional<std::int64_t> Reader::opt() {
  if (!flag()) return std::nullopt;
  return i();
}

}  // namespace nightdrop::store
