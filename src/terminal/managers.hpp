// Managers' approval on the reader itself, with no network: PINs against the signed policy's slow hashes. Five wrong
// ones lock an approver for 30 minutes of monotonic time. A guess is counted on the disk before it is looked at, one at
// a time an approver, and a restart of the device starts the 30 minutes anew: neither a pulled plug, nor many guesses
// at once, nor a changed clock helps.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "nightdrop/secret.hpp"
#include "terminal/books.hpp"

namespace nightdrop::terminal {

class Managers {
 public:
  static constexpr std::uint32_t wrong_pins_max = 5;
  static constexpr std::int64_t lock_ms = 30 * 60 * 1000;

  explicit Managers(Books& books) : books_(books), began_ms_(books.mono_ms()) {}

  // Checks the PIN on another thread; `done` is called in the loop, inside a turn, exactly once.
  // Errors: ApproverInvalid (with attempts_remaining), ApproverLocked (with retry_after_s), ReaderBusy (another PIN of
  // this approver is being checked).
  void check(const std::string& approver, SecretBytes pin, std::function<void(PosResult<void>)> done);

 private:
  // What is left of a lock, in ms; 0 if none. A lock of another boot begins anew with this one, not with the next
  // guess.
  Result<std::int64_t> locked_for(const std::string& approver, hal::ApproverState& state);
  PosResult<void> count_guess(const std::string& approver);
  PosResult<void> judge(const std::string& approver, bool matches);

  Books& books_;
  std::int64_t began_ms_;  // monotonic
  std::set<std::string> checking_;
};

}  // namespace nightdrop::terminal
