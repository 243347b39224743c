#include "acquirer/iso8583/message.hpp"

#include <algorithm>

#include "nightdrop/encoding.hpp"
#include "nightdrop/result.hpp"

namespace nightdrop::iso8583 {

namespace {
constexpr std::size_t first_room = 1024;  // holds a usual message whole
}

const Message::Slot& Message::slot(unsigned element) const {
  ND_ASSERT(element >= 1 && element <= last_element);
  return slots_[element];
}

std::string_view Message::value(unsigned element) const {
  const Slot& found = slot(element);
  if (found.size == 0) return {};
  const auto bytes = memory_.view().subspan(found.offset, found.size);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void Message::set(unsigned element, std::string_view value) {
  SecretBytes own;  // a value out of this very message would move or be wiped under our hands
  const auto memory = memory_.view();
  const auto* begin = reinterpret_cast<const std::uint8_t*>(value.data());
  if (!value.empty() && begin >= memory.data() && begin < memory.data() + memory.size()) {
    own = SecretBytes(bytes_of(value));
    value = {reinterpret_cast<const char*>(own.view().data()), own.size()};
  }
  std::ranges::copy(bytes_of(value), make(element, value.size()).begin());
}

std::span<std::uint8_t> Message::make(unsigned element, std::size_t size) {
  erase(element);
  if (memory_.size() - used_ < size) {
    SecretBytes larger(std::max(first_room, 2 * (used_ + size)));
    std::ranges::copy(memory_.view().first(used_), larger.writable().begin());
    memory_ = std::move(larger);
  }
  slots_[element] = {.present = true, .offset = used_, .size = size};
  used_ += size;
  return memory_.writable().subspan(slots_[element].offset, size);
}

void Message::erase(unsigned element) {
  const Slot old = slot(element);
  wipe(memory_.writable().subspan(old.offset, old.size));
  slots_[element] = {};
}

Message Message::copy() const {
  Message twin(mti_);
  for (unsigned element = 1; element <= last_element; ++element) {
    if (has(element)) twin.set(element, value(element));
  }
  return twin;
}

bool same_element(const Message& a, const Message& b, unsigned element) {
  return a.has(element) == b.has(element) && a.value(element) == b.value(element);
}

bool operator==(const Message& a, const Message& b) {
  if (a.mti() != b.mti()) return false;
  for (unsigned element = 1; element <= last_element; ++element) {
    if (!same_element(a, b, element)) return false;
  }
  return true;
}

}  // namespace nightdrop::iso8583
