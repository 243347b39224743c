// Runs the simulation's seeds against a build that breaks one promise. Exit 0 when it is caught: a rule broken, nothing
// going on any more, or an assertion. Exit 1 when every seed passes: then the simulation would miss such a bug.
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "simulation/world/run.hpp"

namespace {

constexpr std::uint64_t seeds_max = 400;
constexpr std::chrono::seconds time_max{120};

// Each seed in a process of its own: a mutant may well hit an assertion, and that counts as caught.
bool is_caught(std::uint64_t seed) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);  // one that hangs is caught as well
    const auto outcome = nightdrop::simulation::run_seed(seed);
    if (outcome.failure) std::printf("%.300s\n", nightdrop::simulation::describe(seed, outcome).c_str());
    std::fflush(stdout);
    _exit(outcome.failure ? 1 : 0);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) std::abort();
  if (WIFSIGNALED(status)) std::printf("seed %llu: signal %d\n", static_cast<unsigned long long>(seed), WTERMSIG(status));
  return status != 0;
}

}  // namespace

int main() {
  const auto end = std::chrono::steady_clock::now() + time_max;
  std::uint64_t seed = 1;
  for (; seed <= seeds_max && std::chrono::steady_clock::now() < end; ++seed) {
    if (!is_caught(seed)) continue;
    std::printf("caught by seed %llu\n", static_cast<unsigned long long>(seed));
    return 0;
  }
  std::printf("not caught by %llu seeds\n", static_cast<unsigned long long>(seed - 1));
  return 1;
}
