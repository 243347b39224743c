#include "provisioning/frames.hpp"

#include <algorithm>
#include <array>

namespace nightdrop::provisioning {
namespace {

constexpr std::array<std::uint8_t, 4> magic{'N', 'D', 'P', '1'};
constexpr std::size_t read_size = 4096;
// The slowest line that is waited for carries this many bytes a second; 115200 baud carry some 11,000.
constexpr std::int64_t bytes_a_second_min = 4096;

Deadline after(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

}  // namespace

std::vector<std::uint8_t> encode_frame(FrameType type, std::span<const std::uint8_t> payload) {
  ND_ASSERT(payload.size() <= payload_max);
  std::vector<std::uint8_t> bytes(magic.begin(), magic.end());
  bytes.reserve(frame_header_size + payload.size());
  bytes.push_back(static_cast<std::uint8_t>(type));
  for (const int shift : {16, 8, 0}) bytes.push_back(static_cast<std::uint8_t>(payload.size() >> shift));
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  return bytes;
}

Result<FrameLine::Header> FrameLine::header() const {
  const auto bytes = unread();
  if (!std::ranges::equal(bytes.first(magic.size()), magic)) return failure(Errc::Malformed, "not a frame");
  const std::uint8_t type = bytes[4];
  if (type < static_cast<std::uint8_t>(FrameType::StationHello) || type > static_cast<std::uint8_t>(FrameType::Alert)) {
    return failure(Errc::Malformed, "a frame of an unknown type");
  }
  const std::size_t length = std::size_t{bytes[5]} << 16 | std::size_t{bytes[6]} << 8 | bytes[7];
  if (length > payload_max) return failure(Errc::Malformed, "a frame that is too long");
  return Header{static_cast<FrameType>(type), length};
}

void FrameLine::compact() {
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(used_));
  used_ = 0;
  last_ = 0;
}

// Reads until `size` bytes are unread. The first of them may take until `begins_by`, each other one `gap_`.
Result<void> FrameLine::fill(std::size_t size, Deadline begins_by) {
  while (unread().size() < size) {
    const Deadline by = unread().empty() ? begins_by : std::min(begins_by, after(gap_));
    std::array<std::uint8_t, read_size> chunk{};
    const auto got = stream_.read_some(chunk, by);
    ND_TRY(got);
    buffer_.insert(buffer_.end(), chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(*got));
  }
  return {};
}

Frame FrameLine::take(const Header& header) {
  const auto payload = unread().subspan(frame_header_size, header.length);
  Frame frame{header.type, {payload.begin(), payload.end()}};
  last_ = frame_header_size + header.length;
  drop(last_);
  return frame;
}

Result<Frame> FrameLine::read(Deadline begins_by) {
  compact();
  ND_TRY(fill(1, begins_by));
  ND_TRY(fill(frame_header_size, never));
  const auto read = header();
  ND_TRY(read);
  // Silence is bounded by the gap; this bounds a trickle.
  const auto whole = std::chrono::milliseconds(1000 * static_cast<std::int64_t>(read->length) / bytes_a_second_min);
  ND_TRY(fill(frame_header_size + read->length, after(whole + gap_)));
  return take(*read);
}

Result<Frame> FrameLine::find(FrameType wanted, Deadline by) {
  compact();
  while (true) {
    const auto bytes = unread();
    const auto at = static_cast<std::size_t>(std::ranges::find(bytes, magic[0]) - bytes.begin());
    drop(at);
    if (unread().empty()) {
      compact();
      ND_TRY(fill(1, by));
      continue;
    }
    // Half a message that goes no further is garbage after `gap_`; the rest is looked at again.
    const auto filled = [&](std::size_t size) -> Result<bool> {
      const auto done = fill(size, by);
      if (done) return true;
      if (done.error().code != Errc::Unavailable || std::chrono::steady_clock::now() >= by) {
        return std::unexpected(done.error());
      }
      return false;
    };
    const auto begun = filled(frame_header_size);
    ND_TRY(begun);
    const auto read = *begun ? header() : failure(Errc::Malformed, "cut short");
    if (read && read->type == wanted && read->length <= hello_payload_max) {
      const auto whole = filled(frame_header_size + read->length);
      ND_TRY(whole);
      if (*whole) return take(*read);
    }
    drop(1);
  }
}

void FrameLine::reject() {
  if (last_ == 0) return;
  used_ = used_ - last_ + magic.size();
  last_ = 0;
}

void FrameLine::clear() {
  used_ = buffer_.size();
  compact();
}

Result<void> FrameLine::write(FrameType type, std::span<const std::uint8_t> payload, Deadline begins_by) {
  const auto bytes = encode_frame(type, payload);
  const auto time = std::chrono::milliseconds(1000 * static_cast<std::int64_t>(bytes.size()) / bytes_a_second_min);
  return stream_.write_all(bytes, begins_by == never ? never : begins_by + time);
}

}  // namespace nightdrop::provisioning
