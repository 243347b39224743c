// The daemon's policy: read at the start, taken over the POS socket, read again on SIGHUP; all by one PolicySource.
// Keeps in step what follows it: the terminal that decides by it, the journal that tells of it, what the POS is shown.
#pragma once

#include <expected>
#include <string>

#include "config/config.hpp"
#include "config/policy_source.hpp"
#include "hal/clock.hpp"
#include "pos/methods.hpp"
#include "terminal/terminal.hpp"

namespace nightdrop::firmware {

class PolicyKeeper {
 public:
  explicit PolicyKeeper(const Config& config);

  // Chooses the policy; changes nothing on the disk. `highest_version_seen` is the store's, `identity` the vault's: a
  // reader that was provisioned anew has another. Errors: a sentence.
  std::expected<void, std::string> open(std::int64_t highest_version_seen, const hal::Clock& clock,
                                        std::span<const std::uint8_t> identity);
  const Policy& policy() const { return source_.policy(); }

  // From here on the reader runs under the policy: it is kept, and what was refused at the start is told.
  // Requires: `terminal` was started with policy(). Lifetime: all three outlive the keeper's calls.
  void attach(terminal::Terminal& terminal, pos::ReaderFacts& facts, const hal::Clock& clock);
  // A policy that was handed in, or the configured one again.
  void update(const pos::PolicyHandedIn& handed_in, const pos::Responder& respond);
  // SIGHUP: as update() of the configured one, with nobody to answer.
  void reload();

 private:
  static PolicySource::Time time(const hal::Clock& clock);
  void show();
  void tell_overlay();
  void put_in_force(const terminal::Reply<void>& done);

  PolicySource source_;
  std::string refused_at_start_;
  std::string overlay_told_;
  terminal::Terminal* terminal_{nullptr};
  pos::ReaderFacts* facts_{nullptr};
  const hal::Clock* clock_{nullptr};
};

}  // namespace nightdrop::firmware
