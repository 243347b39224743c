#include "simulation/world/world.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "crypto/primitives.hpp"
#include "engine/lifecycle.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop::simulation {
namespace {

constexpr std::size_t handlers_a_turn = 256;  // as in the daemon
constexpr int spins_max = 500;                // turns without time passing

// In memory where there is such a place: what of a write survives is the fault disk's to say, not the machine's.
std::filesystem::path make_folder() {
  const std::filesystem::path memory = "/dev/shm";
  const bool usable = ::access(memory.c_str(), W_OK) == 0;
  std::string name = ((usable ? memory : std::filesystem::temp_directory_path()) / "nightdrop-world-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) unsafe("no folder", name);
  return name;
}

}  // namespace

World::World(Chance& chance, Trace& trace, Policy policy, terminal::Settings settings, Weather weather)
    : chance_(chance),
      trace_(trace),
      policy_(std::move(policy)),
      settings_(std::move(settings)),
      weather_(weather),
      folder_(make_folder()),
      entropy_(chance),
      links_([this](std::function<void()> handler) { post(std::move(handler)); }),
      host_(chance, acquirer_, book_,
            {.now = [this] { return now(); },
             .at = [this](std::int64_t when, std::function<void()> what) { at(when, std::move(what)); },
             .post = [this](std::function<void()> handler) { post(std::move(handler)); },
             .link_up = [this](Route route) { return links_.up(route); },
             .may_crash = [this] { may_crash(); },
             .note = [this](const std::string& text) { note(text); }}) {}

World::~World() {
  life_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void World::on_life(std::function<void()> began, std::function<void()> ended) {
  life_began_ = std::move(began);
  life_ended_ = std::move(ended);
}

void World::start() {
  begin_life();
}

// --- lives ---

void World::may_crash() {
  if (crash_in_ != 0 && --crash_in_ == 0) {
    note("the process dies");
    throw PowerCut{};
  }
}

void World::open_store() {
  SqlCipherStore::Options options;
  options.dir = folder_ / "queue";
  options.with_key = [this](const SqlCipherStore::KeyUse& use) { return life_->vault->with_queue_key(use); };
  options.sha256 = [](std::span<const std::uint8_t> prev, std::span<const std::uint8_t> bytes) {
    return sha256(prev, bytes);
  };
  options.vfs = life_->disk->name();
  options.reserve_bytes = 0;
  options.faults.disk_full = [this] { return disk_full; };
  options.faults.disk_error = [this] { return disk_error; };
  options.faults.commit_error = [this] { return commit_errors > 0 && commit_errors-- > 0; };
  auto opened = SqlCipherStore::open(std::move(options));
  if (life_->disk->dead()) throw PowerCut{};
  if (!opened)
    unsafe("the store does not open", std::string(errc_name(opened.error().code)) + ": " + opened.error().text);
  life_->store = std::move(*opened);
}

void World::open_life() {
  ++lives_;
  life_ = std::make_unique<Life>();
  test::FaultDisk::Plan plan;
  const bool luckless = weather_.crashes && starts_without_luck_ < 4;
  if (luckless && chance_.per_mille(500)) plan.cut_at = chance_.between(20, 1'500);
  crash_in_ = luckless && chance_.per_mille(700) ? chance_.between(20, 2'500) : 0;
  plan.seed = static_cast<std::uint32_t>(chance_.bits());
  constexpr std::array<test::Unsynced, 3> fates{test::Unsynced::Kept, test::Unsynced::Dropped, test::Unsynced::Torn};
  if (weather_.torn_writes) plan.unsynced = fates[static_cast<std::size_t>(chance_.below(3))];
  life_->disk = std::make_unique<test::FaultDisk>("world-" + std::to_string(lives_), plan);
  life_->vault = std::make_unique<FakeVault>([this](std::function<void()> handler) { post(std::move(handler)); },
                                             [this] { return vault_fault; });
  open_store();
  life_->checked = std::make_unique<CheckedStore>(
      book_, *life_->store, policy_,
      CheckedStore::Surroundings{
          .may_crash = [this] { may_crash(); },
          .power_gone = [this] { return life_->disk->dead(); },
          .true_ms = [this] { return now(); },
          .boot = [this] { return boots_; },
          .clock = [this] { return terminal().books().clock(); },
          .turn_lost = [this] { host_.disown_flights(); },
          .payment_in_flight = [this](const std::string& id) { return host_.payment_in_flight(id); },
          .reversal_in_flight = [this](const std::string& id) { return host_.reversal_in_flight(id); }});
  life_->checked->compare();
  life_->reader = std::make_unique<hal::SimCardReader>(
      entropy_, [this](std::function<void()> handler) { post(std::move(handler)); }, "SIM00001");
  life_->terminal = std::make_unique<terminal::Terminal>(
      terminal::Ports{*life_->checked, *life_->vault, *life_->reader, host_, links_, clock_, entropy_, indicator_},
      policy_, settings_);
  if (const auto started = life_->terminal->start(); !started) {
    if (!disk_error && commit_errors == 0) stuck("the terminal does not start", started.error().text);
    disk_error = false;  // the supervisor tries again until the disk works
    throw PowerCut{};
  }
}

void World::begin_life() {
  for (;;) {
    try {
      open_life();
      starts_without_luck_ = 0;
      break;
    } catch (const PowerCut&) {
      ++starts_without_luck_;
      end_life(true);
    }
  }
  note("life " + std::to_string(lives_) + " begins");
  if (life_began_) life_began_();
}

void World::end_life(bool power_cut) {
  if (power_cut && life_->disk && !life_->disk->dead()) life_->disk->cut_now();
  links_.forget_listener();
  life_->terminal.reset();
  life_->reader.reset();
  life_->checked.reset();
  life_->store.reset();
  life_.reset();
  loop_.clear();
  host_.forget_flights();
  if (life_ended_) life_ended_();
}

void World::crash(bool reboot) {
  note(reboot ? "power is cut" : "crash");
  end_life(true);
  const std::int64_t away =
      reboot ? chance_.between(1'000, chance_.per_mille(200) ? 30'000'000 : 120'000) : chance_.between(10, 3'000);
  true_ms_ += away;
  clock_.advance(std::chrono::milliseconds(away));
  if (reboot) {
    clock_.reboot("boot-" + std::to_string(++boots_));
    // A battery-backed clock is right, or nobody vouches for it.
    if (weather_.clock_jumps && chance_.per_mille(400)) {
      clock_.set_trusted(false);
      if (chance_.per_mille(500)) clock_.set_utc(chance_.below(1'000'000));
    } else {
      set_clock_right();
    }
  }
  begin_life();
}

void World::stop_and_start() {
  note("stopped in order");
  try {
    const auto stopped = terminal().stop();
    if (!stopped && !disk_error && commit_errors == 0) stuck("the terminal does not stop", stopped.error().text);
    end_life(false);
  } catch (const PowerCut&) {
    end_life(true);
  }
  begin_life();
}

void World::calm() {
  weather_ = {};
  disk_full = disk_error = vault_fault = false;
  commit_errors = 0;
  crash_in_ = 0;
  set_clock_right();
  crash(false);  // a life whose disk has no plan to fail
}

// --- time ---

void World::jump_clock() {
  constexpr std::int64_t year = 365LL * 86'400'000;
  constexpr std::array<std::int64_t, 5> jumps{-3'600'000, 3'600'000, -50 * year, 2 * year, -86'400'000};
  const std::int64_t by = jumps[static_cast<std::size_t>(chance_.below(5))];
  note("the wall clock jumps by " + std::to_string(by / 1000) + " s");
  clock_.set_utc(clock_.wall().utc_ms + by);
  clock_.set_trusted(chance_.per_mille(500));
}

void World::set_clock_right() {
  clock_.set_utc(true_ms_);
  clock_.set_trusted(true);
}

void World::run_timers() {
  while (!timers_.empty() && timers_.begin()->first <= true_ms_) {
    const auto what = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    what();
  }
}

void World::turn() {
  try {
    for (std::size_t handled = 0; handled < handlers_a_turn && !loop_.empty(); ++handled) {
      const auto handler = std::move(loop_.front());
      loop_.pop_front();
      handler();
    }
    terminal().tick();
    terminal().end_turn();
  } catch (const PowerCut&) {
    crash(chance_.per_mille(300));
  }
}

// Moves to the next moment with something to do, at most to `limit`; false when there is nothing left to do there.
bool World::step_to(std::int64_t limit) {
  std::int64_t next = limit;
  if (!timers_.empty()) next = std::min(next, timers_.begin()->first);
  const auto tick = terminal().next_tick_ms();
  const std::int64_t tick_in = tick ? std::max<std::int64_t>(0, *tick - clock_.monotonic().count()) : limit;
  if (!loop_.empty()) {
    next = true_ms_;
  } else {
    next = std::min(next, true_ms_ + tick_in);
  }
  const bool nothing = next >= limit && loop_.empty() && tick_in > limit - true_ms_ &&
                       (timers_.empty() || timers_.begin()->first > limit);
  clock_.advance(std::chrono::milliseconds(next - true_ms_));
  true_ms_ = next;
  run_timers();
  return !nothing;
}

std::string World::told_ticks() {
  const std::int64_t mono = clock_.monotonic().count();
  const auto in = [&](const std::optional<std::int64_t>& at) {
    return at ? std::to_string(*at - mono) + " ms" : std::string("never");
  };
  terminal::Forwarder& forwarder = terminal().forwarder();
  std::string text = "checkout in " + in(terminal().checkout().next_tick_ms()) + ", forwarder in " +
                     in(forwarder.next_tick_ms()) + " with " + std::to_string(forwarder.in_flight()) +
                     " in flight, network in " + in(terminal().network().next_tick_ms(true)) + ", on the line " +
                     std::to_string(host_.in_flight()) + ", handlers " + std::to_string(loop_.size()) + ";";
  if (disk_full) text += " disk full;";
  if (disk_error) text += " disk fails;";
  if (const auto due = life_->store->due(terminal().books().now(), 10, {})) {
    for (const Payment& row : *due) text += " due: " + brief(row.id);
  } else {
    text += std::string(" due: ") + due.error().text;
  }
  for (const auto& [id, reversal] : book_.reversals)
    text += " reversal of " + brief(id) + " after " + std::to_string(reversal.attempts);
  for (const auto& [id, row] : book_.rows) {
    if (engine::is_at_risk(row.status))
      text += " " + brief(id) + " " + std::string(word(row.status)) + (row.not_before == held ? " held" : "");
  }
  return text;
}

void World::advance(std::int64_t ms) {
  const std::int64_t limit = true_ms_ + ms;
  int spins = 0;
  while (true_ms_ <= limit) {
    const std::int64_t before = true_ms_;
    if (!step_to(limit)) return;
    turn();
    spins = true_ms_ == before ? spins + 1 : 0;
    if (spins > spins_max)
      stuck("spins", "the terminal always has something to do and time does not pass: " + told_ticks());
  }
}

void World::verify() {
  const auto whole = life_->store->verify();
  if (!whole) unsafe("recount", whole.error().text);
  life_->checked->compare();
}

}  // namespace nightdrop::simulation
