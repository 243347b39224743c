// Frames of the provisioning session over a Stream: "NDP1", type (1), length (3, big endian), payload. Strict inside a
// session; an end that waits for a first message scans for it instead, since a serial line may carry anything before.
// Bytes of a frame that came to nothing stay in the buffer behind its magic: a message that was swallowed by a cut
// frame is found there.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "nightdrop/result.hpp"
#include "provisioning/stream.hpp"

namespace nightdrop::provisioning {

enum class FrameType : std::uint8_t { StationHello = 1, ReaderHello = 2, StationAuth = 3, Record = 4, Alert = 5 };

struct Frame {
  FrameType type{FrameType::Alert};
  std::vector<std::uint8_t> payload;
};

inline constexpr std::size_t frame_header_size = 8;
inline constexpr std::size_t payload_max = 256 * 1024;
inline constexpr std::size_t hello_payload_max = 4 * 1024;  // of the frames that are scanned for

// The frame as bytes. Requires: at most payload_max bytes.
std::vector<std::uint8_t> encode_frame(FrameType type, std::span<const std::uint8_t> payload);

class FrameLine {
 public:
  // `gap`: the longest silence inside a frame. Lifetime: the stream's.
  FrameLine(Stream& stream, std::chrono::milliseconds gap) : stream_(stream), gap_(gap) {}

  // The next frame, which begins before `begins_by` and at the very next byte.
  // Errors: Malformed (no frame), Unavailable (time), NotFound (the other end is gone), Io.
  [[nodiscard]] Result<Frame> read(Deadline begins_by);
  // The next whole frame of that type; what stands before it is dropped. Errors: as read(), never Malformed.
  [[nodiscard]] Result<Frame> find(FrameType wanted, Deadline by);
  // The frame that was given last was none: what stands in it is looked at again, its magic aside.
  void reject();
  // Forgets what has come in and was not asked for.
  void clear();
  // Errors: Unavailable, NotFound, Io.
  [[nodiscard]] Result<void> write(FrameType type, std::span<const std::uint8_t> payload, Deadline begins_by);

 private:
  struct Header {
    FrameType type{FrameType::Alert};
    std::size_t length{0};
  };
  std::span<const std::uint8_t> unread() const { return std::span(buffer_).subspan(used_); }
  Result<Header> header() const;
  Result<void> fill(std::size_t size, Deadline begins_by);
  Frame take(const Header& header);
  void drop(std::size_t size) { used_ += size; }
  void compact();

  Stream& stream_;
  std::chrono::milliseconds gap_;
  std::vector<std::uint8_t> buffer_;
  std::size_t used_{0};  // of buffer_, from its start
  std::size_t last_{0};  // the size of the frame that was given last, which stands just before used_
};

}  // namespace nightdrop::provisioning
