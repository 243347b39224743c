// Port: random bytes fit for keys, ids and nonces.
#pragma once

#include <cstdint>
#include <span>

#include "nightdrop/result.hpp"

namespace nightdrop::hal {

class Entropy {
 public:
  virtual ~Entropy() = default;
  // Fills the whole span, or fails and the span must not be used.
  [[nodiscard]] virtual Result<void> fill(std::span<std::uint8_t> bytes) = 0;
};

}  // namespace nightdrop::hal
