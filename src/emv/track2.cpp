// Track 2 in packed nibbles, read strictly: whatever is not plainly track 2 is refused.
#include "emv/track2.hpp"

#include <algorithm>

namespace nightdrop::emv {
namespace {

constexpr std::uint8_t separator = 0x0D;
constexpr std::uint8_t filler = 0x0F;

bool month_valid(std::string_view yymm) {
  const int month = (yymm[2] - '0') * 10 + (yymm[3] - '0');
  return month >= 1 && month <= 12;
}

bool all_digits(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

Result<Track2> Track2::parse(Bytes value) {
  if (value.size() > track2_bytes_max) return failure(Errc::Malformed, "Track 2 is longer than 19 bytes.");
  Track2 track;
  bool separated = false;
  for (std::size_t i = 0; i < 2 * value.size(); ++i) {
    const std::uint8_t nibble = i % 2 == 0 ? value[i / 2] >> 4U : value[i / 2] & 0x0FU;
    if (nibble == separator && !separated) {
      separated = true;
      track.pan_size_ = track.size_;
    } else if (nibble == filler && separated && i + 1 == 2 * value.size()) {
      track.padded_ = true;
    } else if (nibble <= 9) {
      track.digits_.writable()[track.size_++] = static_cast<std::uint8_t>('0' + nibble);
    } else {
      return failure(Errc::Malformed, "Track 2 has a nibble that is no digit.");
    }
  }
  if (!separated) return failure(Errc::Malformed, "Track 2 has no separator.");
  if (track.pan_size_ < 8 || track.pan_size_ > 19)
    return failure(Errc::Malformed, "Track 2 has no PAN of 8 to 19 digits.");
  if (track.size_ < track.pan_size_ + 7) return failure(Errc::Malformed, "Track 2 lacks expiry or service code.");
  if (!month_valid(track.expiry_yymm()))
    return failure(Errc::Malformed, "Track 2 has an expiry month outside 01 to 12.");
  return track;
}

Result<std::size_t> write_track2(std::span<std::uint8_t> out, std::string_view pan, std::string_view expiry_yymm,
                                 std::string_view service_code, std::string_view discretionary) {
  if (pan.size() < 8 || pan.size() > 19 || expiry_yymm.size() != 4 || service_code.size() != 3) {
    return failure(Errc::InvalidArgument, "A field of track 2 has the wrong size.");
  }
  for (const auto field : {pan, expiry_yymm, service_code, discretionary}) {
    if (!all_digits(field)) return failure(Errc::InvalidArgument, "A field of track 2 is not all digits.");
  }
  const std::size_t nibbles = pan.size() + 1 + 7 + discretionary.size();
  const std::size_t size = (nibbles + 1) / 2;
  if (size > track2_bytes_max || size > out.size()) return failure(Errc::InvalidArgument, "Track 2 does not fit.");
  std::size_t at = 0;
  const auto put = [&out, &at](unsigned nibble) {
    const auto byte = out[at / 2];
    out[at / 2] = static_cast<std::uint8_t>(at % 2 == 0 ? nibble << 4U : byte | nibble);
    ++at;
  };
  const auto put_digits = [&put](std::string_view digits) {
    for (const char digit : digits) put(static_cast<unsigned>(digit - '0'));
  };
  put_digits(pan);
  put(separator);
  put_digits(expiry_yymm);
  put_digits(service_code);
  put_digits(discretionary);
  if (at % 2 != 0) put(filler);
  return size;
}

}  // namespace nightdrop::emv
