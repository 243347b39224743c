// The whole engine under virtual time, seed after seed. NIGHTDROP_SIM_SEEDS=n runs n of them, NIGHTDROP_SIM_SEED=s one,
// with its trace; without either the same few each time, however fast the machine is. A failure says whether a rule was
// broken (safety) or nothing goes on (liveness), and with which seed; a crash of the process says its seed on stderr.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "simulation/world/run.hpp"

namespace nightdrop::simulation {
namespace {

constexpr std::uint64_t seeds_default = 100;

std::optional<std::uint64_t> number(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  return std::strtoull(text, nullptr, 10);
}

TEST(Simulation, RulesHoldAndTheQueueDrainsInEveryRun) {
  tell_seed_on_crash();
  if (const auto seed = number("NIGHTDROP_SIM_SEED")) {
    const Outcome outcome = run_seed(*seed, true);
    EXPECT_FALSE(outcome.failure) << describe(*seed, outcome);
    return;
  }
  const std::uint64_t wanted = number("NIGHTDROP_SIM_SEEDS").value_or(seeds_default);
  Outcome met;
  std::uint64_t seed = 1;
  for (; seed <= wanted; ++seed) {
    const Outcome outcome = run_seed(seed);
    ASSERT_FALSE(outcome.failure) << describe(seed, outcome);
    met.lives += outcome.lives;
    met.rows += outcome.rows;
    met.acknowledged += outcome.acknowledged;
    met.succeeded += outcome.succeeded;
    met.declined += outcome.declined;
    met.canceled += outcome.canceled;
    met.expired += outcome.expired;
    met.reversals += outcome.reversals;
    met.replays += outcome.replays;
    met.unknown_outcomes += outcome.unknown_outcomes;
  }
  std::printf(
      "%llu seeds: %d lives, %d payments, %d acknowledged, %d succeeded, %d declined, %d canceled, %d expired, %d "
      "reversals, %d replays, "
      "%d unknown outcomes\n",
      static_cast<unsigned long long>(seed - 1), met.lives, met.rows, met.acknowledged, met.succeeded, met.declined,
      met.canceled, met.expired, met.reversals, met.replays, met.unknown_outcomes);
  if (wanted < seeds_default) return;
  // A world in which nothing happens proves nothing.
  EXPECT_GT(met.lives, static_cast<int>(seed));
  for (const int count : {met.acknowledged, met.succeeded, met.declined, met.canceled, met.expired, met.reversals,
                          met.replays, met.unknown_outcomes})
    EXPECT_GT(count, 0);
}

TEST(Simulation, ASeedIsARun) {
  for (const std::uint64_t seed : {7ULL, 11ULL}) EXPECT_EQ(run_seed(seed).hash, run_seed(seed).hash) << "seed " << seed;
}

}  // namespace
}  // namespace nightdrop::simulation
