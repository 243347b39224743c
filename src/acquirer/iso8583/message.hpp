// A message as values: its type and its data elements, whatever their encoding. Numbers, text and tracks are their
// characters, binary elements their bytes. All values live in one piece of locked memory that is wiped; there is no way
// to print a message.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "acquirer/iso8583/format.hpp"
#include "acquirer/iso8583/mti.hpp"
#include "nightdrop/secret.hpp"

namespace nightdrop::iso8583 {

class Message {
 public:
  Message() = default;
  explicit Message(Mti mti) : mti_(mti) {}

  Mti mti() const { return mti_; }
  void set_mti(Mti mti) { mti_ = mti; }

  // Whether there is a data element, be it empty. Requires: 1 <= element <= 128.
  // Element 1 is the bit that says that a second bit map follows; set it for a host that wants one that is empty.
  bool has(unsigned element) const { return slot(element).present; }

  // The value, empty when absent. Lifetime: until the message is next changed.
  std::string_view value(unsigned element) const;

  // Gives an element a value; build() checks it.
  void set(unsigned element, std::string_view value);

  // Makes room for a value of `size` bytes, zero at first. Lifetime: until the message is next changed.
  std::span<std::uint8_t> make(unsigned element, std::size_t size);

  void erase(unsigned element);
  Message copy() const;

  friend bool operator==(const Message& a, const Message& b);

 private:
  struct Slot {
    bool present{false};
    std::size_t offset{0};
    std::size_t size{0};
  };
  const Slot& slot(unsigned element) const;

  Mti mti_;
  std::array<Slot, last_element + 1> slots_{};
  SecretBytes memory_;  // values one behind the other; those replaced are wiped and leave a gap
  std::size_t used_{0};
};

// Whether two messages agree on an element: the same value, or absent in both.
bool same_element(const Message& a, const Message& b, unsigned element);

}  // namespace nightdrop::iso8583
