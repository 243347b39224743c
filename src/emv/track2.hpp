// Track 2 equivalent data (tag 57, also the stripe's track 2 in the same packing): PAN, D, expiry, service code,
// discretionary data, an F where the number of digits is odd. The digits live in memory that is wiped.
// Standard: EMV 4.4 Book 3, Annex A (57); ISO/IEC 7813.
#pragma once

#include <cstdint>
#include <string_view>

#include "emv/tlv.hpp"
#include "nightdrop/secret.hpp"

namespace nightdrop::emv {

inline constexpr std::size_t track2_bytes_max = 19;

class Track2 {
 public:
  // Reads tag 57's value. Errors: Malformed (no separator, a nibble that is no digit, a PAN not of 8 to 19 digits, a
  // month not 01 to 12, a service code cut short, too long).
  static Result<Track2> parse(Bytes value);

  std::string_view pan() const { return text().substr(0, pan_size_); }
  std::string_view expiry_yymm() const { return text().substr(pan_size_, 4); }
  std::string_view service_code() const { return text().substr(pan_size_ + 4U, 3); }
  std::string_view discretionary() const { return text().substr(pan_size_ + 7U); }
  bool padded() const { return padded_; }

 private:
  std::string_view text() const { return {reinterpret_cast<const char*>(digits_.view().data()), size_}; }

  Secret<2 * track2_bytes_max> digits_;  // all digits, ASCII, without separator and padding
  std::uint8_t size_{0};
  std::uint8_t pan_size_{0};
  bool padded_{false};
};

// Writes tag 57's value to the front of `out` and gives its size. Errors: InvalidArgument (not digits, wrong sizes,
// more than fits in 19 bytes or in `out`).
Result<std::size_t> write_track2(std::span<std::uint8_t> out, std::string_view pan, std::string_view expiry_yymm,
                                 std::string_view service_code, std::string_view discretionary);

// Whether a service code says that the card has a chip, so that a swipe is refused or is a fallback (first digit 2 or
// 6).
constexpr bool has_chip(std::string_view service_code) {
  return !service_code.empty() && (service_code.front() == '2' || service_code.front() == '6');
}

}  // namespace nightdrop::emv
