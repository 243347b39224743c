// Random bytes from the kernel's generator: the one source of keys, nonces and padding, for adapters that are not
// handed the Entropy port (whose implementation on the device this is too).
#pragma once

#include <cerrno>
#include <cstdint>
#include <span>

#include <sys/random.h>

#include "nightdrop/result.hpp"

namespace nightdrop {

// Fills the span by getrandom(2); waits for the kernel's pool at early boot.
// Errors: Io.
[[nodiscard]] inline Result<void> random_bytes(std::span<std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = getrandom(bytes.data(), bytes.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return failure(Errc::Io, "the system gave no random bytes", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
  return {};
}

}  // namespace nightdrop
