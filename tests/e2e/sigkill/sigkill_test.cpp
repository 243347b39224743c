// Power cuts of the processes under load: counters pay on several connections, links flap, the acquirer cuts, delays
// and refuses, and at a moment drawn from a seed the daemon, or the acquirer, is killed and started again. Then
// everything heals, and the books are compared: what was acknowledged as stored or succeeded is in the ledger exactly
// once, nothing is there twice, nothing is there that the reader does not know, the queue and its totals are empty, and
// the audit chain verifies. NIGHTDROP_SIGKILL_ROUNDS (default 12) and NIGHTDROP_SIGKILL_SEED choose how long and which.
#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "e2e/harness.hpp"

namespace nightdrop::e2e {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* policy =
    R"({"device_count":100000,"online_timeout_ms":300,"currencies":{"usd":{"device_total":99000000,
    "per_transaction":100000}}})";

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// What one payment was last said to be; several counters write, each about its own.
class Promises {
 public:
  void note(const Answer& answer) {
    const JsonView payment = answer.payment();
    const auto id = payment["id"].string();
    if (!id) return;
    const std::lock_guard lock(mutex_);
    last_[std::string(*id)] = std::string(payment["status"].string().value_or(""));
    ++count_;
    noted_.notify_all();
  }
  void note_void_asked(const std::string& id) { put_void(id, false); }
  void note_void_taken(const std::string& id) { put_void(id, true); }
  // Voids that were asked for; whether the reader said yes.
  std::map<std::string, bool> voids() const {
    const std::lock_guard lock(mutex_);
    return voids_;
  }
  // Waits until so many more answers came: the moment of a cut, while other counters are in the middle of something.
  void await_more(std::uint64_t count, Milliseconds at_most) {
    std::unique_lock lock(mutex_);
    const std::uint64_t until = count_ + count;
    noted_.wait_for(lock, at_most, [&] { return count_ >= until; });
  }
  std::map<std::string, std::string> all() const {
    const std::lock_guard lock(mutex_);
    return last_;
  }

 private:
  void put_void(const std::string& id, bool taken) {
    const std::lock_guard lock(mutex_);
    voids_[id] = taken;
  }

  std::map<std::string, bool> voids_;
  mutable std::mutex mutex_;
  std::condition_variable noted_;
  std::uint64_t count_{0};
  std::map<std::string, std::string> last_;
};

// A counter: pays, tips and voids on a connection of its own until the daemon is gone or told to stop. Its waiting is
// all for answers; when the connection is lost, what was not answered was not promised.
class Counter {
 public:
  Counter(const World& world, Promises& promises, std::mutex& card_slot, int number, std::uint64_t seed)
      : world_(world), promises_(promises), card_slot_(card_slot), number_(number), random_(seed) {}

  void run(const std::atomic<bool>& stop) {
    try {
      Rpc pos = world_.connect();
      Rpc sim(world_.path("run/sim.sock"));
      while (!stop && step(pos, sim)) {
      }
    } catch (const std::exception&) {
      // The daemon was killed between two calls.
    }
  }

 private:
  bool step(Rpc& pos, Rpc& sim) {
    static const std::array<const char*, 4> wishes{
        R"("offline_behavior":"prefer_online")", R"("offline_behavior":"force_offline")",
        R"("offline_behavior":"require_online")", R"("offline_behavior":"prefer_online","on_network_loss":"fail")"};
    const std::string reference = "c" + std::to_string(number_) + "-" + std::to_string(random_() % 1'000'000'000);
    const auto made =
        pos.try_call("create_payment_intent", R"({"amount":)" + std::to_string(100 + random_() % 5'000) +
                                                  R"(,"currency":"usd","merchant_reference":")" + reference + "\"," +
                                                  wishes[random_() % 6 < 3 ? 1 : random_() % 4] + "}");
    if (!made || !made->ok()) return made.has_value();
    const std::string id = R"({"id":")" + made->id() + "\"";
    {
      const std::lock_guard one_card_at_a_time(card_slot_);
      if (!sim.try_call("present_card", R"({"card":)" + new_card() + "}")) return false;
      const auto collected = pos.try_call("collect_payment_method", id + R"(,"timeout_s":5})");
      if (!collected || !collected->ok()) return collected.has_value();
    }
    const auto paid = pos.try_call("confirm_payment_intent", id + "}");
    if (!paid) return false;
    promises_.note(*paid);
    if (paid->word() != "stored") return true;
    const auto dice = random_() % 8;
    std::optional<Answer> changed;
    if (dice == 0) {
      promises_.note_void_asked(paid->id());
      changed = pos.try_call("cancel_payment_intent", id + "}");
      if (changed && changed->ok()) promises_.note_void_taken(paid->id());
    }
    if (dice == 1) changed = pos.try_call("adjust_payment_intent", id + R"(,"amount_details":{"tip":50}})");
    if (changed) promises_.note(*changed);
    return dice > 1 || changed.has_value();
  }

  const World& world_;
  Promises& promises_;
  std::mutex& card_slot_;
  int number_;
  std::mt19937_64 random_;
};

// The network and the acquirer misbehave until told to stop.
void play_world(const World& world, std::uint64_t seed, const std::atomic<bool>& stop) {
  std::mt19937_64 random(seed);
  try {
    Rpc sim(world.path("run/sim.sock"));
    while (!stop) {
      static const std::array<const char*, 6> states{"up", "up", "up", "down", "blackhole", "captive"};
      const std::string link = random() % 2 == 0 ? "wifi" : "cellular";
      const std::string state = states[random() % states.size()];
      if (!sim.try_call("set_link", R"({"link":")" + link + R"(","state":")" + state + R"("})")) return;
      // The pace is a time-out on a socket that says nothing by itself.
      (void)sim.next_event(Milliseconds(20 + random() % 60));
    }
  } catch (const std::exception&) {
    // The daemon was killed meanwhile.
  }
}

std::string plan(std::uint64_t seed) {
  return R"({"seed":)" + std::to_string(seed % 1'000'000) + R"(,"rules":[
      {"fault":"cut_before","probability":0.08},{"fault":"cut_after","probability":0.12},
      {"fault":"delay","ms":40,"probability":0.15},{"fault":"delay","ms":450,"probability":0.03},
      {"fault":"status","code":503,"retry_after":0,"probability":0.08},{"fault":"status","code":500,"processed":true,"probability":0.04},
      {"fault":"garbage","probability":0.04},{"fault":"wrong_id","probability":0.04},{"fault":"replay","probability":0.05}]})";
}

void under_load(World& world, Promises& promises, std::mt19937_64& random, const std::function<void()>& cut) {
  std::atomic<bool> stop{false};
  std::mutex card_slot;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&world, &promises, &stop, &card_slot, i, seed = random()] {
      Counter(world, promises, card_slot, i, seed).run(stop);
    });
  }
  threads.emplace_back([&world, &stop, seed = random()] { play_world(world, seed, stop); });
  promises.await_more(1 + random() % 40, Milliseconds(2'000));
  cut();
  stop = true;
}

void heal(World& world) {
  world.start_acquirer_if_gone();
  world.heal();
  world.link("cellular", "down");
  world.link("wifi", "up");
  (void)world.call("forward_stored_payments");
  world.await_drained(Milliseconds(30'000));
}

// What the reader says of each payment, by id.
std::map<std::string, std::string> reader_book(World& world) {
  std::map<std::string, std::string> book;
  std::string after;
  for (;;) {
    const Answer page =
        world.call("list_payment_intents",
                   R"({"limit":100)" + (after.empty() ? "" : R"(,"starting_after":")" + after + "\"") + "}");
    for (const JsonView payment : page["data"].items()) {
      after = *payment["id"].string();
      book[after] = std::string(*payment["status"].string());
    }
    if (page["has_more"].boolean() != true) return book;
  }
}

struct Row {
  int posted{0};
  bool reversed{false};
};

std::map<std::string, Row> acquirer_ledger(World& world) {
  std::map<std::string, Row> ledger;
  const Json entries = world.ledger();
  for (const JsonView row : entries.view().items()) {
    ledger[std::string(*row["id"].string())] = {static_cast<int>(row["posted"].integer().value_or(0)),
                                                row["reversed"].boolean().value_or(false)};
  }
  return ledger;
}

// Reversals are no payments in the queue: what is canceled here may still be on its way to being undone there.
void await_reversals(World& world, const std::map<std::string, std::string>& book) {
  world.await("every reversal", [&] {
    const auto ledger = acquirer_ledger(world);
    return std::ranges::all_of(ledger, [&](const auto& entry) {
      const auto known = book.find(entry.first);
      return known == book.end() || known->second != "canceled" || entry.second.posted == 0 || entry.second.reversed;
    });
  });
}

void expect_one_truth(World& world, const Promises& promises) {
  const auto book = reader_book(world);
  await_reversals(world, book);
  const auto ledger = acquirer_ledger(world);
  const auto posted = [&](const std::string& id) {
    const auto found = ledger.find(id);
    return found == ledger.end() || found->second.reversed ? 0 : found->second.posted;
  };
  const auto voids = promises.voids();
  for (const auto& [id, promised] : promises.all()) {
    const auto known = book.find(id);
    if (promised == "requires_payment_method") continue;  // in memory alone
    ASSERT_NE(known, book.end()) << id << " was acknowledged as " << promised << " and is lost";
    const auto asked = voids.find(id);
    const bool voided = asked != voids.end() && (asked->second || known->second == "canceled");
    const std::string expected = voided || promised == "canceled" ? "canceled" : "succeeded";
    EXPECT_EQ(known->second, expected) << id << " was acknowledged as " << promised;
  }
  for (const auto& [id, status] : book) {
    EXPECT_EQ(posted(id), status == "succeeded" ? 1 : 0) << id << " is " << status << " here";
    EXPECT_TRUE(status == "succeeded" || status == "canceled" || status == "requires_payment_method")
        << id << " is " << status;
  }
  for (const auto& [id, row] : ledger) {
    EXPECT_LE(row.posted, 1) << id << " was posted twice";
    EXPECT_TRUE(book.contains(id)) << id << " is in the ledger and not in the reader's book";
  }
  EXPECT_HOLDS(world.stats(), R"({"twice":0})");
  EXPECT_HOLDS(world.offline_status(),
               R"({"offline_payments_count":0,"offline_payment_amounts_by_currency":{},"oldest_stored_at":null,
      "limits":{"usd":{"device_total_remaining":99000000},"device_count_remaining":100000}})");
  const Ended verified = run("nightdrop", {"--config", world.path("nightdrop.json"), "audit", "verify"});
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
}

class Sigkill : public testing::Test {
 protected:
  Sigkill()
      : seed(setting("NIGHTDROP_SIGKILL_SEED", 20'261'121)),
        rounds(setting("NIGHTDROP_SIGKILL_ROUNDS", 12)),
        random(seed) {
    RecordProperty("seed", std::to_string(seed));
  }
  std::uint64_t seed;
  std::uint64_t rounds;
  std::mt19937_64 random;
};

TEST_F(Sigkill, OfTheDaemonUnderLoad) {
  World world(WorldOptions{.policy = policy});
  Promises promises;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    SCOPED_TRACE("seed " + std::to_string(seed) + ", round " + std::to_string(round));
    world.faults(plan(random()));
    under_load(world, promises, random, [&] { world.kill(); });
    world.start();
    if (round % 2 == 0) continue;  // the next cut comes before all has settled
    heal(world);
    expect_one_truth(world, promises);
    if (HasFailure()) return;
  }
  heal(world);
  expect_one_truth(world, promises);
  EXPECT_GT(promises.all().size(), rounds * 3);  // there was load
}

TEST_F(Sigkill, OfTheAcquirerUnderLoad) {
  World world(WorldOptions{.policy = policy});
  Promises promises;
  for (std::uint64_t round = 0; round < rounds / 2; ++round) {
    SCOPED_TRACE("seed " + std::to_string(seed) + ", round " + std::to_string(round));
    world.faults(plan(random()));
    under_load(world, promises, random, [&] {
      world.kill_acquirer();
      promises.await_more(random() % 20, Milliseconds(1'000));
      world.start_acquirer();
      promises.await_more(random() % 20, Milliseconds(1'000));
    });
  }
  heal(world);
  expect_one_truth(world, promises);
}

// Kills that follow each other faster than a start takes: no start may lose anything, or need more than one start to
// heal.
TEST_F(Sigkill, WhileItStarts) {
  World world(WorldOptions{.policy = policy});
  world.offline();
  std::vector<std::string> ids;
  for (int i = 0; i < 30; ++i) ids.push_back(world.pay(100, new_card()).id());
  world.faults(plan(random()));
  world.link("wifi", "up");
  for (std::uint64_t round = 0; round < rounds * 3; ++round) {
    world.kill();
    Process starting("nightdropd", {"--config", world.path("nightdrop.json")}, world.path("daemon.log"));
    (void)starting.is_ready_within(Milliseconds(random() % 90));
    (void)starting.end(SIGKILL);
    world.start();
  }
  heal(world);
  for (const std::string& id : ids) {
    EXPECT_EQ(world.status(id), "succeeded");
    EXPECT_EQ(world.posted(id), 1) << id;
  }
  expect_one_truth(world, Promises());
}

}  // namespace
}  // namespace nightdrop::e2e
