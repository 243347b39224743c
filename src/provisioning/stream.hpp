// A byte stream to the other end of a provisioning session: Unix socket, serial line or TCP on loopback, with deadlines.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "nightdrop/result.hpp"

namespace nightdrop::provisioning {

using Deadline = std::chrono::steady_clock::time_point;

class Stream {
 public:
  virtual ~Stream() = default;
  // At least one byte, at most the span's size. Errors: Unavailable (the deadline), NotFound (the other end is gone), Io.
  [[nodiscard]] virtual Result<std::size_t> read_some(std::span<std::uint8_t> into, Deadline deadline) = 0;
  // All of it. Errors: as read_some().
  [[nodiscard]] virtual Result<void> write_all(std::span<const std::uint8_t> bytes, Deadline deadline) = 0;
};

// "unix:PATH", "serial:/dev/ttyACM0" (raw, 115200 baud, locked for this process) or "tcp:127.0.0.1:PORT" (loopback alone).
// Errors: InvalidArgument (the address), NotFound, Busy (another process has the line), Io.
[[nodiscard]] Result<std::unique_ptr<Stream>> connect(std::string_view address, Deadline deadline);
// Over a descriptor that is handed over (a socketpair, a pty's end); closed with the object.
std::unique_ptr<Stream> stream_of(int descriptor);

}  // namespace nightdrop::provisioning
