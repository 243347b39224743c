// Runs the simulation's seeds against a build that breaks one promise. Exit 0 when a check named on the command line
// sees it. Exit 1 when every seed passes, or when a run ends in anything else: the simulation would then miss such a
// bug, or hit upon another one that would hide it.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <span>

#include "simulation/world/run.hpp"

namespace {

constexpr std::uint64_t seeds_max = 400;
constexpr std::chrono::seconds time_max{120};

enum class Seen : int { Nothing = 0, TheFault = 10, SomethingElse = 11 };

// Each seed in a process of its own: a mutant may well hit an assertion or hang.
Seen run(std::uint64_t seed, std::span<const char* const> checks) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    const auto outcome = nightdrop::simulation::run_seed(seed);
    if (!outcome.failure) _exit(static_cast<int>(Seen::Nothing));
    std::printf("%.300s\n", nightdrop::simulation::describe(seed, outcome).c_str());
    std::fflush(stdout);
    const bool expected =
        std::ranges::any_of(checks, [&](const char* check) { return outcome.failure->check == check; });
    _exit(static_cast<int>(expected ? Seen::TheFault : Seen::SomethingElse));
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) std::abort();
  if (WIFEXITED(status) && WEXITSTATUS(status) == static_cast<int>(Seen::Nothing)) return Seen::Nothing;
  if (WIFEXITED(status) && WEXITSTATUS(status) == static_cast<int>(Seen::TheFault)) return Seen::TheFault;
  return Seen::SomethingElse;
}

}  // namespace

int main(int argc, char** argv) {
  const std::span<const char* const> checks(argv + 1, static_cast<std::size_t>(argc - 1));
  const auto end = std::chrono::steady_clock::now() + time_max;
  std::uint64_t seed = 1;
  for (; seed <= seeds_max && std::chrono::steady_clock::now() < end; ++seed) {
    const Seen seen = run(seed, checks);
    if (seen == Seen::Nothing) continue;
    std::printf(seen == Seen::TheFault ? "caught by seed %llu\n" : "seed %llu failed in another way\n",
                static_cast<unsigned long long>(seed));
    return seen == Seen::TheFault ? 0 : 1;
  }
  std::printf("not caught by %llu seeds\n", static_cast<unsigned long long>(seed - 1));
  return 1;
}
