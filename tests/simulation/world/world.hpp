// One reader in virtual time: the real terminal on the real store, everything around it simulated, single-threaded, all
// chance from the run's seed. A life is what is between a start and a stop, a power cut or a crash; the disk, the
// acquirer, the weather and true time go on over lives.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "hal/sim/card_reader.hpp"
#include "hal/sim/sim_clock.hpp"
#include "hal/sim/sim_indicator.hpp"
#include "powerloss/store/fault_disk.hpp"
#include "simulation/world/fakes.hpp"
#include "simulation/world/record_book.hpp"
#include "simulation/world/sim_host.hpp"
#include "store/sqlcipher_store.hpp"
#include "terminal/terminal.hpp"

namespace nightdrop::simulation {

// What the run may do to the reader; chosen once per seed, so that some runs are stormy and some calm.
struct Weather {
  bool crashes{false}, torn_writes{false}, disk_faults{false}, vault_faults{false}, clock_jumps{false}, links{false},
      unauthorized{false};
  std::int64_t trouble_per_mille{0};
};

class World {
 public:
  static constexpr std::int64_t begin_ms = 1'800'000'000'000;
  World(Chance& chance, Trace& trace, Policy policy, terminal::Settings settings, Weather weather);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Called in each life after the terminal has started, and when a life has ended.
  void on_life(std::function<void()> began, std::function<void()> ended);
  void start();

  std::int64_t now() const { return true_ms_; }
  void note(std::string_view text) { trace_.note(true_ms_ - begin_ms, text); }
  void at(std::int64_t when, std::function<void()> what) { timers_.emplace(std::max(when, true_ms_), std::move(what)); }
  void post(std::function<void()> handler) { loop_.push_back(std::move(handler)); }
  // Runs one turn of the loop, a crash in it included.
  void turn();
  // Lets time pass, turn by turn as the daemon would.
  void advance(std::int64_t ms);

  // What happens to the reader between turns.
  void crash(bool reboot);
  void stop_and_start();
  void jump_clock();
  void set_clock_right();
  void may_crash();
  // No more faults of the reader's own.
  void calm();

  Chance& chance() { return chance_; }
  terminal::Terminal& terminal() { return *life_->terminal; }
  hal::SimCardReader& reader() { return *life_->reader; }
  RecordBook& book() { return book_; }
  AcquirerModel& acquirer() { return acquirer_; }
  SimHost& host() { return host_; }
  FakeLinks& links() { return links_; }
  const Policy& policy() const { return policy_; }
  int lives() const { return lives_; }
  // Recounts everything in the store and compares it with what was committed.
  void verify();

  bool disk_full{false}, disk_error{false}, vault_fault{false};
  std::int64_t commit_errors{0};  // that many commits fail

 private:
  struct Life {
    std::unique_ptr<test::FaultDisk> disk;
    std::unique_ptr<FakeVault> vault;
    std::unique_ptr<SqlCipherStore> store;
    std::unique_ptr<CheckedStore> checked;
    std::unique_ptr<hal::SimCardReader> reader;
    std::unique_ptr<terminal::Terminal> terminal;
  };
  void open_life();
  void open_store();
  void end_life(bool power_cut);
  void begin_life();
  void run_timers();
  bool step_to(std::int64_t limit);
  std::string told_ticks();

  Chance& chance_;
  Trace& trace_;
  Policy policy_;
  terminal::Settings settings_;
  Weather weather_;
  std::filesystem::path folder_;
  std::int64_t true_ms_{begin_ms};
  hal::ManualClock clock_{begin_ms};
  std::multimap<std::int64_t, std::function<void()>> timers_;
  std::deque<std::function<void()>> loop_;
  FakeEntropy entropy_;
  hal::SimIndicator indicator_;
  FakeLinks links_;
  AcquirerModel acquirer_;
  RecordBook book_;
  SimHost host_;
  std::function<void()> life_began_, life_ended_;
  std::unique_ptr<Life> life_;
  std::int64_t crash_in_{0};  // calls of ports until the process dies; 0: not
  int lives_{0};
  int boots_{1};
  int starts_without_luck_{0};
};

}  // namespace nightdrop::simulation
