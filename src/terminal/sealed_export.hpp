// The sealed export (docs/sealed_export.md): every payment that waits, as the bytes that its request would carry, with
// what is known of it, signed by the reader's identity key. Whoever has the card keys can take the payments in from it
// when the reader no longer can send them. Card data in it is what it is in the queue: ciphertext.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "acquirer/https/request.hpp"
#include "hal/key_vault.hpp"
#include "hal/record_store.hpp"
#include "nightdrop/result.hpp"

namespace nightdrop::terminal {

using Digest = std::array<std::uint8_t, 32>;
// SHA-256 of prev || bytes; `prev` may be empty.
using Sha256 = std::function<Digest(std::span<const std::uint8_t> prev, std::span<const std::uint8_t> bytes)>;

struct SealedExport {
  std::string text;          // lines, each ended by LF
  std::int64_t payments{0};  // lines of payments
  std::int64_t reversals{0};
  std::uint64_t journal_seq{0};
  Digest content{};  // of what waits: see waiting()
};

// What of the reader stands in the header beside its name.
struct ExportHeader {
  bool livemode{false};
  UtcMs created{0};
  std::string certificate_pem;
};

// Writes the export of what waits now. Requires: between decisions, or inside one. Ensures: changes nothing.
// Errors: the store's; the vault's when it cannot sign.
Result<SealedExport> write_sealed_export(hal::RecordStore& store, hal::KeyVault& vault,
                                         const acquirer::Merchant& merchant, const ExportHeader& header,
                                         const Sha256& sha256);

// What waits for the acquirer in this queue, and whether the last export (DeviceState::exported) covers all of it: no
// payment was stored, changed or answered since.
struct Waiting {
  std::int64_t payments{0};
  std::int64_t reversals{0};
  std::uint64_t exported_seq{0};  // of the event payments.exported of the last export; 0: there was none
  bool covered{false};            // also true where nothing waits
  Digest content{};
};
// Errors: the store's.
Result<Waiting> waiting(hal::RecordStore& store, const Sha256& sha256);

// Whether the keys and the queue may be erased: nothing waits, or all of it has been exported.
// Errors: Conflict, where payments wait that no export covers; the store's. `count` is set in any case.
Result<void> may_erase(hal::RecordStore& store, const Sha256& sha256, std::int64_t& count);

}  // namespace nightdrop::terminal
