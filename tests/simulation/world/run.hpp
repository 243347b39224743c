// One seed, one run: a safety phase of random commands and faults, then all faults heal and the queue must drain in
// bounded virtual time. Three ways to fail, told apart: a crash of the process (its handler prints the seed), a rule
// broken (safety), nothing going on any more (liveness).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "simulation/world/chance.hpp"

namespace nightdrop::simulation {

struct Outcome {
  std::optional<Failure> failure;
  std::string trace;      // the last lines, when it failed
  std::uint64_t hash{0};  // of the whole trace: the same seed gives the same
  // What was met, so that a test sees that the world is not idle.
  int lives{0}, rows{0}, acknowledged{0}, succeeded{0}, declined{0}, canceled{0}, expired{0}, reversals{0}, replays{0},
      unknown_outcomes{0};
};

Outcome run_seed(std::uint64_t seed, bool print = false);

// "safety: caps, seed 12: device total …", then the trace.
std::string describe(std::uint64_t seed, const Outcome& outcome);

// Prints the seed when the process dies in a run (an assertion, a signal).
void tell_seed_on_crash();

}  // namespace nightdrop::simulation
