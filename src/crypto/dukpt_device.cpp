// The device's registers. A counter value is a path from the root: its one-bits, high to low, are the steps. Register i
// holds the key of the path that ends in a step at bit i and starts like the current counter above it; below it lie all
// counters with that beginning. To spend a value is to expand its node into the registers below and to wipe it.
#include <algorithm>
#include <bit>
#include <utility>

#include "crypto/dukpt.hpp"
#include "crypto/primitives.hpp"

namespace nightdrop::dukpt {
namespace {

constexpr std::uint8_t format_version = 1;
constexpr std::size_t header_size = 1 + 1 + 8 + 4 + 4;  // version, key size, initial key ID, current, registers in use

std::size_t lowest_bit(std::uint32_t counter) {
  return static_cast<std::size_t>(std::countr_zero(counter));
}
std::uint32_t below(std::size_t bit) {
  return static_cast<std::uint32_t>((std::uint64_t{1} << bit) - 1);
}

void put_u32(std::span<std::uint8_t> out, std::uint32_t value) {
  for (std::size_t i = 0; i < 4; ++i) out[i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
}
std::uint32_t get_u32(std::span<const std::uint8_t> in) {
  return std::uint32_t{in[0]} << 24 | std::uint32_t{in[1]} << 16 | std::uint32_t{in[2]} << 8 | in[3];
}

// The registers that lead to values not yet spent when `current` is next. The node at bit i above the current one's is
// live when `current` has a zero there and one more one-bit is still allowed; below the current node nothing is.
std::uint32_t live_registers(std::uint32_t current) {
  if (current == 0) return 0;
  const std::size_t low = lowest_bit(current);
  std::uint32_t live = 1U << low;
  for (std::size_t bit = low + 1; bit < 32; ++bit) {
    if ((current >> bit & 1U) == 0) live |= 1U << bit;
  }
  return live;
}

Result<SecretBytes> derive_child(std::span<const std::uint8_t> parent, const InitialKeyId& id, std::uint32_t counter) {
  const auto kind = aes_kind(parent.size());
  ND_TRY(kind);
  return derive_from_transaction_key(parent, make_ksn(id, counter), Usage::KeyDerivation, *kind);
}

}  // namespace

Result<DukptDevice> DukptDevice::load(std::span<const std::uint8_t> initial_key, const InitialKeyId& id) {
  ND_TRY(aes_kind(initial_key.size()));
  DukptDevice device(id, initial_key.size());
  ND_TRY(device.derive_below(initial_key, 0, register_count));
  device.current_ = 1;
  return device;
}

// Derives the children of a node at all bits below `bit` into their registers.
Result<void> DukptDevice::derive_below(std::span<const std::uint8_t> parent, std::uint32_t parent_counter,
                                       std::size_t bit) {
  for (std::size_t i = 0; i < bit; ++i) {
    const auto child = derive_child(parent, id_, parent_counter | 1U << i);
    ND_TRY(child);
    std::ranges::copy(child->view(), slot(i).begin());
    used_ |= 1U << i;
  }
  return {};
}

void DukptDevice::erase(std::size_t bit) {
  wipe(slot(bit));
  used_ &= ~(1U << bit);
}

DukptDevice DukptDevice::copy() const {
  DukptDevice other(id_, key_size_);
  other.current_ = current_;
  other.used_ = used_;
  std::ranges::copy(registers_.view(), other.registers_.writable().begin());
  return other;
}

std::optional<std::uint32_t> DukptDevice::current() const {
  if (exhausted()) return std::nullopt;
  return current_;
}

std::span<const std::uint8_t> DukptDevice::register_at(std::size_t bit) const {
  if (bit >= register_count || !in_use(bit)) return {};
  return slot(bit);
}

Result<SecretBytes> DukptDevice::working_key(Usage usage, KeyKind kind) const {
  if (exhausted()) return failure(Errc::CounterExhausted, "the last transaction key is spent");
  return derive_from_transaction_key(slot(lowest_bit(current_)), ksn(), usage, kind);
}

Result<void> DukptDevice::advance() {
  return skip_past(current_);
}

Result<void> DukptDevice::skip_past(std::uint32_t counter) {
  if (exhausted()) return failure(Errc::CounterExhausted, "the last transaction key is spent");
  if (counter < current_) return {};
  const auto next = next_counter(counter);
  DukptDevice moved = copy();  // a failed derivation leaves everything as it was
  if (next) {
    ND_TRY(moved.descend(*next));
  } else {
    for (std::size_t bit = 0; bit < register_count; ++bit) moved.erase(bit);
    moved.current_ = 0;
  }
  *this = std::move(moved);
  return {};
}

// Goes to `target`, above the current value: from the register under which it lies down to its own, expanding each node
// on the way and wiping every register that leads to smaller values alone.
Result<void> DukptDevice::descend(std::uint32_t target) {
  const std::size_t fork = 31U - static_cast<std::size_t>(std::countl_zero(current_ ^ target));
  const std::size_t low = lowest_bit(current_);
  // Below the fork both go different ways: the target is in the current node's own subtree, or under the fork's
  // register.
  std::size_t bit = fork < low ? low : fork;
  std::uint32_t node = target & ~below(bit);
  while (true) {
    ND_ASSERT(in_use(bit));
    for (std::size_t i = 0; i < bit; ++i) erase(i);
    if (node == target) break;
    ND_TRY(derive_below(slot(bit), node, bit));
    erase(bit);
    const std::uint32_t rest = target & below(bit);
    bit = 31U - static_cast<std::size_t>(std::countl_zero(rest));
    node |= 1U << bit;
  }
  current_ = target;
  return {};
}

Result<SecretBytes> DukptDevice::update_key(KeyKind kind) const {
  if (exhausted()) return failure(Errc::CounterExhausted, "the last transaction key is spent");
  DukptDevice walker = copy();
  ND_TRY(walker.descend(update_key_counter));
  return walker.working_key(Usage::KeyEncryption, kind);
}

SecretBytes DukptDevice::serialise() const {
  SecretBytes bytes(header_size + static_cast<std::size_t>(std::popcount(used_)) * key_size_);
  const auto out = bytes.writable();
  out[0] = format_version;
  out[1] = static_cast<std::uint8_t>(key_size_);
  std::ranges::copy(id_, out.subspan(2).begin());
  put_u32(out.subspan(10), current_);
  put_u32(out.subspan(14), used_);
  auto rest = out.subspan(header_size);
  for (std::size_t bit = 0; bit < register_count; ++bit) {
    if (!in_use(bit)) continue;
    std::ranges::copy(slot(bit), rest.begin());
    rest = rest.subspan(key_size_);
  }
  return bytes;
}

Result<DukptDevice> DukptDevice::deserialise(std::span<const std::uint8_t> bytes) {
  const auto damaged = failure(Errc::Corrupt, "the DUKPT registers are damaged");
  if (bytes.size() < header_size || bytes[0] != format_version || !aes_kind(bytes[1])) return damaged;
  InitialKeyId id{};
  std::copy_n(bytes.begin() + 2, id.size(), id.begin());
  DukptDevice device(id, bytes[1]);
  device.current_ = get_u32(bytes.subspan(10));
  device.used_ = get_u32(bytes.subspan(14));
  if (device.current_ != 0 && !is_transaction_counter(device.current_)) return damaged;
  if (device.used_ != live_registers(device.current_)) return damaged;
  auto rest = bytes.subspan(header_size);
  if (rest.size() != static_cast<std::size_t>(std::popcount(device.used_)) * device.key_size_) return damaged;
  for (std::size_t bit = 0; bit < register_count; ++bit) {
    if (!device.in_use(bit)) continue;
    std::ranges::copy(rest.first(device.key_size_), device.slot(bit).begin());
    rest = rest.subspan(device.key_size_);
  }
  return device;
}

}  // namespace nightdrop::dukpt
