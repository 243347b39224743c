#include "terminal/managers.hpp"

#include <algorithm>

namespace nightdrop::terminal {
namespace {

PosError locked(std::int64_t left_ms) {
  PosError error{.code = PosCode::ApproverLocked, .message = "This approver is locked after five wrong PINs."};
  error.retry_after_s = (left_ms + 999) / 1000;
  return error;
}

}  // namespace

Result<std::int64_t> Managers::locked_for(const std::string& approver, hal::ApproverState& state) {
  const std::int64_t now = books_.mono_ms();
  const bool is_locked = !state.locked_boot_id.empty();
  if (!is_locked && state.wrong < wrong_pins_max) return 0;
  // A fifth guess that was counted and never judged locks as well; a lock of another boot begins anew.
  const bool same_boot = state.locked_boot_id == books_.boot_id() && state.locked_until_mono_ms - now <= lock_ms;
  if (!same_boot) {
    const bool earlier_boot = is_locked && state.locked_boot_id != books_.boot_id();
    state.locked_boot_id = books_.boot_id();
    state.locked_until_mono_ms = (earlier_boot ? began_ms_ : now) + lock_ms;
    ND_TRY(books_.ports().store.put_approver_state(approver, state));
  }
  const std::int64_t left = state.locked_until_mono_ms - now;
  if (left > 0) return left;
  state = hal::ApproverState{};
  ND_TRY(books_.ports().store.put_approver_state(approver, state));
  return 0;
}

void Managers::check(const std::string& approver, SecretBytes pin, std::function<void(PosResult<void>)> done) {
  const auto& approvers = books_.policy().approvers;
  const auto found = std::ranges::find(approvers, approver, &Approver::id);
  if (found == approvers.end()) {
    PosError error{
        .code = PosCode::ApproverInvalid, .message = "The policy names no such approver.", .field = "approver"};
    done(std::unexpected(std::move(error)));
    return;
  }
  if (!checking_.insert(approver).second) {
    done(std::unexpected(
        PosError{.code = PosCode::ReaderBusy, .message = "A PIN of this approver is being checked already."}));
    return;
  }
  if (const auto counted = count_guess(approver); !counted) {
    checking_.erase(approver);
    done(counted);
    return;
  }
  // Not before the count is on the disk: cutting the power must not give a guess back.
  // The approver is copied: another policy may be in force by then.
  books_.then([this, known = *found, guess = std::move(pin), done = std::move(done)](bool durable) mutable {
    if (!durable) {
      checking_.erase(known.id);
      done(std::unexpected(store_error(Error{Errc::Io, 0, ""})));
      return;
    }
    books_.ports().vault.check_pin(std::move(guess), known.salt, known.pin_hash, known.iterations,
                                   [this, approver = known.id, done](bool matches) {
                                     checking_.erase(approver);
                                     done(judge(approver, matches));
                                   });
  });
}

PosResult<void> Managers::count_guess(const std::string& approver) {
  return books_.decide<void>([&]() -> Result<PosResult<void>> {
    auto state = books_.ports().store.approver_state(approver);
    if (!state) return std::unexpected(state.error());
    const auto left = locked_for(approver, *state);
    if (!left) return std::unexpected(left.error());
    if (*left > 0) return PosResult<void>(std::unexpected(locked(*left)));
    ++state->wrong;
    ND_TRY(books_.ports().store.put_approver_state(approver, *state));
    return PosResult<void>();
  });
}

PosResult<void> Managers::judge(const std::string& approver, bool matches) {
  return books_.decide<void>([&]() -> Result<PosResult<void>> {
    if (matches) {
      ND_TRY(books_.ports().store.put_approver_state(approver, hal::ApproverState{}));
      return PosResult<void>();
    }
    auto state = books_.ports().store.approver_state(approver);
    if (!state) return std::unexpected(state.error());
    const bool lock = state->wrong >= wrong_pins_max;
    if (lock) {
      state->locked_boot_id = books_.boot_id();
      state->locked_until_mono_ms = books_.mono_ms() + lock_ms;
      ND_TRY(books_.ports().store.put_approver_state(approver, *state));
    }
    ND_TRY(books_.journal(lock ? "audit.approver_locked" : "audit.approver_wrong_pin",
                          std::move(Json::object().set("approver", approver))));
    if (lock) return PosResult<void>(std::unexpected(locked(lock_ms)));
    PosError error{.code = PosCode::ApproverInvalid, .message = "The PIN is wrong.", .field = "pin"};
    error.attempts_remaining = wrong_pins_max - state->wrong;
    return PosResult<void>(std::unexpected(std::move(error)));
  });
}

}  // namespace nightdrop::terminal
