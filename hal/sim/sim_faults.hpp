// The switchboard of faults that a test orders with `fail`: so many of the next operations of a kind fail. Whoever does
// such an operation asks take() first. Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "hal/entropy.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop {
namespace hal {
enum class SimFault : std::uint8_t { DiskFull, DiskError, CommitError, Entropy, Vault };
inline constexpr std::size_t sim_fault_count = 5;
}  // namespace hal

template <>
inline constexpr auto words<hal::SimFault> = std::to_array({
    std::pair{hal::SimFault::DiskFull, std::string_view("disk_full")},
    std::pair{hal::SimFault::DiskError, std::string_view("disk_error")},
    std::pair{hal::SimFault::CommitError, std::string_view("commit_error")},
    std::pair{hal::SimFault::Entropy, std::string_view("entropy")},
    std::pair{hal::SimFault::Vault, std::string_view("vault")},
});

namespace hal {

class SimFaults {
 public:
  // The next `count` operations of the kind fail; 0 ends it. Replaces what was ordered before.
  void order(SimFault kind, std::uint32_t count) { at(kind).store(count, std::memory_order_relaxed); }
  std::uint32_t left(SimFault kind) const { return counters_[index(kind)].load(std::memory_order_relaxed); }
  // Whether this operation is to fail; counts it.
  bool take(SimFault kind) {
    std::uint32_t count = at(kind).load(std::memory_order_relaxed);
    while (count != 0 && !at(kind).compare_exchange_weak(count, count - 1, std::memory_order_relaxed)) {
    }
    return count != 0;
  }

 private:
  static std::size_t index(SimFault kind) { return static_cast<std::size_t>(kind); }
  std::atomic<std::uint32_t>& at(SimFault kind) { return counters_[index(kind)]; }

  std::array<std::atomic<std::uint32_t>, sim_fault_count> counters_{};
};

// Real entropy that fails when told to. Lifetime: both references outlive it.
class SimEntropy final : public Entropy {
 public:
  SimEntropy(Entropy& real, SimFaults& faults) : real_(real), faults_(faults) {}
  [[nodiscard]] Result<void> fill(std::span<std::uint8_t> bytes) override {
    if (faults_.take(SimFault::Entropy)) return failure(Errc::Unavailable, "the random source failed (simulated)");
    return real_.fill(bytes);
  }

 private:
  Entropy& real_;
  SimFaults& faults_;
};

}  // namespace hal
}  // namespace nightdrop
