// What a reader does when somebody has opened it: first the card keys go, at once and before anything is written; then
// no payment is taken or changed and none is sent; then what waits leaves as a sealed export that is on the disk; and
// only then identity and queue key go. Each step is durable before the next, so that a reader that is cut off in the
// middle goes on from where it was: what the vault still holds tells.
#pragma once

#include <cstdint>
#include <optional>

#include "terminal/books.hpp"
#include "terminal/checkout.hpp"

namespace nightdrop::terminal {

class TamperResponse {
 public:
  static constexpr std::int64_t retry_ms = 1'000;  // after a step that failed

  TamperResponse(Books& books, Checkout& checkout) : books_(books), checkout_(checkout) {}

  // Erases the card keys before it returns. Called when the circuit has tripped, and at the start of a reader whose
  // response was cut off. May be called again.
  void begin();
  // Takes the next step when it is due; call between turns.
  void tick();
  std::optional<std::int64_t> next_tick_ms() const;  // monotonic

  bool tampered() const { return step_ != Step::None; }
  // The export that was written before the keys went; none before.
  const std::optional<SealedExport>& sealed() const { return sealed_; }

 private:
  enum class Step : std::uint8_t { None, Journal, Noted, Export, Exported, Erase, Done };
  Result<void> note();
  Result<void> write_export();
  void when_durable(Step from, Step to);

  Books& books_;
  Checkout& checkout_;
  Step step_{Step::None};
  bool card_keys_left_{false};  // the disk said no when they were erased
  std::int64_t due_ms_{0};
  std::optional<SealedExport> kept_;  // on the disk, though the books may not say so yet
  std::optional<SealedExport> sealed_;
};

}  // namespace nightdrop::terminal
