#include "simulation/world/run.hpp"

#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstring>

#include "engine/lifecycle.hpp"
#include "simulation/world/shop.hpp"
#include "simulation/world/world.hpp"

namespace nightdrop::simulation {
namespace {

constexpr std::int64_t minute = 60'000;
constexpr std::int64_t hour = 60 * minute;
constexpr int steps = 90;
constexpr std::int64_t drained_within = 3 * hour;

std::atomic<std::uint64_t> running_seed{0};

extern "C" void on_crash(int signal) {
  char text[96];
  const int length = std::snprintf(text, sizeof text, "simulation: crash, seed %llu\n",
                                   static_cast<unsigned long long>(running_seed.load()));
  (void)!::write(2, text, static_cast<std::size_t>(length));
  std::signal(signal, SIG_DFL);
  ::raise(signal);
}

Policy some_policy(Chance& chance) {
  Policy policy;
  policy.valid_from = World::begin_ms - 86'400'000;
  policy.valid_until = World::begin_ms + 3'650LL * 86'400'000;
  policy.merchant_id = "m_0001";
  CurrencyLimits limits;
  limits.device_total = chance.between(8'000, 60'000);
  limits.per_transaction = 10'000;
  limits.per_card_total = 12'000;
  limits.refund_total = chance.between(2'000, 10'000);
  if (chance.per_mille(300)) limits.approval_threshold = 3'000;
  policy.currencies = {{Currency{}, limits}, {Currency{{'e', 'u', 'r'}}, limits}};
  policy.device_count = chance.between(4, 25);
  policy.per_card_count = chance.between(1, 3);
  policy.decline_retries.enabled = chance.per_mille(300);
  policy.partial_approvals = chance.per_mille(500) ? PartialApprovals::Reverse : PartialApprovals::Accept;
  Approver manager;
  manager.id = "manager";
  manager.salt.assign(16, 1);
  manager.pin_hash.assign(32, 2);
  manager.iterations = 1000;
  policy.approvers = {manager};
  return policy;
}

Weather some_weather(Chance& chance) {
  Weather weather;
  weather.crashes = chance.per_mille(600);
  weather.torn_writes = chance.per_mille(500);
  weather.disk_faults = chance.per_mille(350);
  weather.vault_faults = chance.per_mille(100);
  weather.clock_jumps = chance.per_mille(400);
  weather.links = chance.per_mille(800);
  weather.unauthorized = chance.per_mille(200);
  weather.trouble_per_mille = chance.per_mille(250) ? 0 : chance.between(20, 500);
  return weather;
}

class Run {
 public:
  Run(std::uint64_t seed, bool print)
      : chance_(seed),
        trace_(print),
        policy_(some_policy(chance_)),
        weather_(some_weather(chance_)),
        world_(chance_, trace_, policy_, settings(), weather_),
        shop_(world_, chance_.per_mille(700)) {}

  void live() {
    world_.start();
    world_.host().trouble_per_mille = weather_.trouble_per_mille;
    world_.host().batch = chance_.per_mille(500) ? chance_.between(2, 10) : 0;
    world_.host().latency_max_ms = chance_.per_mille(300) ? 12'000 : 300;
    for (int step = 0; step < steps; ++step) {
      if (!chance_.per_mille(250)) shop_.act();
      disturb();
      world_.turn();
      world_.advance(some_time());
    }
  }

  void heal() {
    world_.note("everything heals");
    world_.host().trouble_per_mille = 0;
    world_.host().unauthorized = false;
    world_.host().paths.clear();
    world_.calm();
    world_.links().set(Route::Wifi, false);
    world_.turn();
    world_.links().set(Route::Wifi, true);
    world_.turn();
    for (const std::int64_t until = world_.now() + drained_within; !drained();) {
      if (world_.now() >= until) stuck("the queue does not drain", waiting());
      shop_.settle_open_questions();
      world_.advance(minute);
    }
    world_.advance(20 * minute);  // copies of requests that still lie around
    shop_.check_no_call_is_open();
    if (!drained()) stuck("the queue does not stay drained", waiting());
    world_.verify();
    shop_.check_books();
  }

  void summarize(Outcome& outcome) {
    outcome.hash = trace_.hash();
    outcome.lives = world_.lives();
    outcome.acknowledged = shop_.acknowledged();
    outcome.reversals = world_.acquirer().reversals();
    outcome.replays = world_.acquirer().replays();
    outcome.unknown_outcomes = world_.host().unknown_outcomes();
    for (const auto& [id, row] : world_.book().rows) {
      ++outcome.rows;
      outcome.succeeded += row.status == Status::Succeeded;
      outcome.declined += row.status == Status::Declined;
      outcome.canceled += row.status == Status::Canceled;
      outcome.expired += row.status == Status::Expired;
    }
  }

  std::string trace() const {
    std::string text;
    for (const std::string& line : trace_.lines()) text += line + "\n";
    return text;
  }

 private:
  terminal::Settings settings() {
    terminal::Settings made;
    made.merchant = {"m_0001", "ND000001", "SIM00001"};
    made.window = static_cast<std::size_t>(chance_.between(1, 8));
    made.batch = chance_.per_mille(600);
    return made;
  }

  std::int64_t some_time() {
    switch (chance_.below(10)) {
      case 0:
      case 1:
      case 2: return chance_.below(5);
      case 3:
      case 4:
      case 5: return chance_.below(1'000);
      case 6:
      case 7: return chance_.below(20'000);
      case 8: return chance_.below(5 * minute);
      default:
        // Hours pass only where nobody asks the line every second.
        return nobody_asks() ? chance_.below(14 * hour) : chance_.below(2 * minute);
    }
  }

  bool nobody_asks() {
    if (world_.disk_error) return false;
    for (const Route route : {Route::Wifi, Route::Cellular}) {
      if (world_.links().up(route) && (world_.host().paths[route] != Path::Good || weather_.trouble_per_mille > 0))
        return false;
    }
    return true;
  }

  void disturb() {
    if (weather_.links && chance_.per_mille(250)) disturb_links();
    if (weather_.clock_jumps && chance_.per_mille(80)) {
      if (chance_.per_mille(600))
        world_.jump_clock();
      else
        world_.set_clock_right();
    }
    if (weather_.disk_faults) {
      world_.disk_full = chance_.per_mille(60);
      world_.disk_error = chance_.per_mille(40);
      if (chance_.per_mille(80)) world_.commit_errors = chance_.between(1, 2);
    }
    world_.vault_fault = weather_.vault_faults && chance_.per_mille(100);
    world_.host().unauthorized = weather_.unauthorized && chance_.per_mille(150);
    if (weather_.crashes && chance_.per_mille(25)) world_.crash(chance_.per_mille(500));
    if (chance_.per_mille(10)) world_.stop_and_start();
  }

  void disturb_links() {
    const Route route = chance_.per_mille(700) ? Route::Wifi : Route::Cellular;
    if (chance_.per_mille(700)) {
      world_.links().set(route, !world_.links().up(route));
    } else {
      constexpr std::array<Path, 3> paths{Path::Good, Path::BlackHole, Path::Captive};
      world_.host().paths[route] = paths[static_cast<std::size_t>(chance_.below(3))];
    }
    world_.note("wifi " + std::string(world_.links().up(Route::Wifi) ? "up" : "down") + ", cellular " +
                (world_.links().up(Route::Cellular) ? "up" : "down"));
  }

  // A refund of a sale that was declined and is tried again in a day.
  bool waits_for_a_retry(const Payment& row) {
    const Payment* original = row.original_payment.empty() ? nullptr : world_.book().row(row.original_payment);
    return original != nullptr && original->status == Status::Declined && original->decline->retry_at;
  }
  std::string told_original(const Payment& row) {
    const Payment* original = row.original_payment.empty() ? nullptr : world_.book().row(row.original_payment);
    return original == nullptr
               ? ""
               : ", refund of " + brief(original->id) + " status " + std::to_string(static_cast<int>(original->status));
  }
  bool drained() { return waiting().empty(); }
  std::string waiting() {
    for (const auto& [id, row] : world_.book().rows) {
      if (engine::is_at_risk(row.status) && !waits_for_a_retry(row)) {
        return brief(id) + " status " + std::to_string(static_cast<int>(row.status)) + " attempts " +
               std::to_string(row.attempts) + " outcome " + std::to_string(static_cast<int>(row.last_attempt_outcome)) +
               (row.not_before == held ? " held" : "") + (row.cancel_requested ? " cancel requested" : "") +
               (row.ask_status ? " asks" : "") + " not before " + std::to_string(row.not_before - world_.now()) +
               told_original(row);
      }
    }
    if (!world_.book().reversals.empty()) return "the reversal of " + brief(world_.book().reversals.begin()->first);
    return {};
  }

  Chance chance_;
  Trace trace_;
  Policy policy_;
  Weather weather_;
  World world_;
  Shop shop_;
};

}  // namespace

Outcome run_seed(std::uint64_t seed, bool print) {
  running_seed = seed;
  Outcome outcome;
  Run run(seed, print);
  try {
    run.live();
    run.heal();
  } catch (const Failure& failure) {
    outcome.failure = failure;
    outcome.trace = run.trace();
  }
  run.summarize(outcome);
  return outcome;
}

std::string describe(std::uint64_t seed, const Outcome& outcome) {
  if (!outcome.failure) return "seed " + std::to_string(seed) + ": holds";
  const bool safety = outcome.failure->kind == Failure::Kind::Safety;
  return std::string(safety ? "safety" : "liveness") + ": " + outcome.failure->check + ", seed " +
         std::to_string(seed) + ": " + outcome.failure->what +
         "\nagain with NIGHTDROP_SIM_SEED=" + std::to_string(seed) + "; the last lines:\n" + outcome.trace;
}

void tell_seed_on_crash() {
  for (const int signal : {SIGABRT, SIGSEGV, SIGFPE, SIGBUS, SIGILL}) std::signal(signal, on_crash);
}

}  // namespace nightdrop::simulation
