// What the vault's DUKPT file says: the registers, how far they were spent and may be spent, and what tells an older
// copy of the vault or the queue. Pure: bytes and decisions, no files. Invariant: no value above `ceiling` was ever
// spent from this file or from an older one of the same initial key.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "crypto/dukpt.hpp"
#include "crypto/root_of_trust.hpp"
#include "hal/key_vault.hpp"

namespace nightdrop {

struct Spending {
  std::uint32_t counter{0};                      // last spent
  std::uint32_t ceiling{0};                      // no value above it was ever spent
  std::uint64_t generation{0};                   // of this file: grows with each that is written, over rekeys too
  std::uint64_t witnessed_seq{0};                // how far the queue's journal had come in a durable commit
  std::vector<dukpt::InitialKeyId> earlier_ids;  // of initial keys that were replaced
  dukpt::DukptDevice device;

  hal::VaultMarks marks() const { return {device.initial_key_id(), counter, generation}; }
};

// The file's bytes, as if `ceiling` and `generation` were these. Version 1, which had no generation, is read too.
SecretBytes spending_to_bytes(const Spending& spending, std::uint32_t ceiling, std::uint64_t generation);
// Errors: Corrupt.
[[nodiscard]] Result<Spending> spending_from_bytes(std::span<const std::uint8_t> bytes);

// The highest counter value that may be spent when the next 64 transactions may be.
std::uint32_t ceiling_for(const dukpt::DukptDevice& device);

// Where a vault goes on.
struct ResumePoint {
  std::uint32_t spent{0};       // every value up to it counts as spent
  std::uint64_t generation{0};  // the next file's is above it
};
// Compares the vault's file with what the queue, and the token where there is one, know of it.
// Errors: RolledBack (hal::KeyVault::resume()).
[[nodiscard]] Result<ResumePoint> resume_point(const Spending& spending, const std::optional<RootMark>& mark,
                                               const hal::QueueMarks& queue, hal::Older accepted);

// The registers of a new initial key that came as a TR-31 block under `spending`'s update key.
// Errors: hal::KeyVault::rekey().
[[nodiscard]] Result<dukpt::DukptDevice> device_of_block(const Spending& spending, std::string_view tr31_block);

}  // namespace nightdrop
