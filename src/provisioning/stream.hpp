// A byte stream to the other end of a provisioning session: Unix socket, serial line or TCP on loopback, with
// deadlines. Either end can be told to stop by a descriptor that becomes readable (a signalfd, a pipe).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "nightdrop/result.hpp"

namespace nightdrop::provisioning {

using Deadline = std::chrono::steady_clock::time_point;
inline constexpr Deadline never = Deadline::max();

class Stream {
 public:
  virtual ~Stream() = default;
  // At least one byte, at most the span's size. Errors: Unavailable (the deadline), NotFound (the other end is gone, or
  // this end was told to stop), Io.
  [[nodiscard]] virtual Result<std::size_t> read_some(std::span<std::uint8_t> into, Deadline deadline) = 0;
  // All of it. Errors: as read_some().
  [[nodiscard]] virtual Result<void> write_all(std::span<const std::uint8_t> bytes, Deadline deadline) = 0;
};

// "unix:PATH", "serial:/dev/ttyACM0" (raw, 115200 baud, locked for this process) or "tcp:127.0.0.1:PORT" (loopback
// alone). Errors: InvalidArgument (the address), NotFound, Busy (another process has the line), Unavailable (the
// deadline), Io.
[[nodiscard]] Result<std::unique_ptr<Stream>> connect(std::string_view address, Deadline deadline);
// Over a descriptor that is handed over (a socketpair, a pty's end); closed with the object.
// Lifetime: `stop`, if any, outlives the stream and stays its owner's.
std::unique_ptr<Stream> stream_of(int descriptor, int stop = -1);

// The reader's end: one stream after another.
class Listener {
 public:
  virtual ~Listener() = default;
  // Waits for a station; of a serial line: gives the line. Errors: NotFound (told to stop), Io.
  [[nodiscard]] virtual Result<std::unique_ptr<Stream>> accept() = 0;
  // As open() takes it; a TCP port of 0 has become the real one.
  virtual const std::string& address() const = 0;

  // Addresses as connect(); a Unix socket is the owner's alone (mode 0600) and replaces one that nobody listens on.
  // Errors: as connect().
  [[nodiscard]] static Result<std::unique_ptr<Listener>> open(std::string_view address, int stop = -1);
};

}  // namespace nightdrop::provisioning
