// The store's own byte format for what has no column: variable-length integers, strings with their length, in a fixed
// order that a version byte names. Compact, because every byte of a payment is encrypted and synced.
// A Reader never throws and never reads past the end: after the first thing that does not fit, ok() is false.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "nightdrop/payment.hpp"

namespace nightdrop::store {

using Bytes = std::vector<std::uint8_t>;

class Writer {
 public:
  void u(std::uint64_t value);
  void i(std::int64_t value);  // zigzag
  void flag(bool value) { bytes_.push_back(value ? 1 : 0); }
  void text(std::string_view value);
  void blob(std::span<const std::uint8_t> value);
  void fixed(std::span<const std::uint8_t> value) { bytes_.insert(bytes_.end(), value.begin(), value.end()); }
  void currency(Currency value);
  template <class Enum>
    requires std::is_enum_v<Enum>
  void word(Enum value) {
    u(static_cast<std::uint64_t>(value));
  }
  void opt(const std::optional<std::int64_t>& value);
  Bytes take() { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

class Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  std::uint64_t u();
  std::int64_t i();
  bool flag() { return u() != 0; }
  std::string text();
  Bytes blob();
  void fixed(std::span<std::uint8_t> out);
  Currency currency();
  template <class Enum>
  Enum word(std::size_t count) {
    const std::uint64_t value = u();
    if (value >= count) ok_ = false;
    return ok_ ? static_cast<Enum>(value) : Enum{};
  }
  std::optional<std::int64_t> opt();
  template <class Number>
  void number(Number& out) {
    out = static_cast<Number>(u());
  }
  bool ok() const { return ok_; }
  bool at_end() const { return bytes_.empty(); }
  void fail() { ok_ = false; }

 private:
  std::span<const std::uint8_t> take(std::uint64_t size);
  std::span<const std::uint8_t> bytes_;
  bool ok_{true};
};

// A payment without what the row's columns and the envelope's slots hold.
Bytes encode_detail(const Payment& payment);
bool decode_detail(std::span<const std::uint8_t> bytes, Payment& payment);
Bytes encode_envelope(const Envelope& envelope);
bool decode_envelope(std::span<const std::uint8_t> bytes, Envelope& envelope);

}  // namespace nightdrop::store
