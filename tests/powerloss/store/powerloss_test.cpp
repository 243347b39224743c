// The power goes at every single write of an evening, and the queue is opened again: every turn that was acknowledged
// is there, the one that was not is there whole or not at all, and everything that is kept along the way equals a
// recount.
#include <cstdlib>

#include "fault_disk.hpp"
#include "workload.hpp"

namespace nightdrop::test {
namespace {

struct Found {
  long cuts{0};
  std::vector<std::string> violations;
};

struct Setting {
  Unsynced unsynced{Unsynced::Kept};
  std::uint32_t seed{1};
  bool safe_overwrite{true};
  bool keep_mark{true};
  bool synchronous_normal{false};
};

SqlCipherStore::Options on_disk(const Folder& folder, const FaultDisk* disk) {
  auto options = options_in(folder.path());
  options.reserve_bytes = 0;
  if (disk != nullptr) options.vfs = disk->name();
  return options;
}

// How many steps were acknowledged before the power went.
int run_until_dark(const SqlCipherStore::Options& options) {
  auto store = SqlCipherStore::open(options);
  if (!store) return 0;
  for (int n = 1; n <= steps; ++n) {
    if (!take_step(**store, n)) return n - 1;
  }
  return steps;
}

void check(const Folder& folder, const std::vector<std::string>& expected, int acknowledged, long cut, Found& found) {
  const auto complain = [&](const std::string& what) {
    found.violations.push_back("cut " + std::to_string(cut) + ", " + std::to_string(acknowledged) + " steps: " + what);
  };
  auto opened = SqlCipherStore::open(on_disk(folder, nullptr));
  if (!opened) return complain(std::string("does not open: ") + opened.error().text);
  SqlCipherStore& store = **opened;
  const std::string now = digest(store);
  const auto step = static_cast<std::size_t>(acknowledged);
  const bool next = step + 1 < expected.size() && now == expected[step + 1];
  if (now != expected[step] && !next) complain("found\n  " + now + "\nnot\n  " + expected[step]);
  if (store.health().degraded || store.health().was_lost) complain("a power cut was taken for damage");
  if (const auto whole = store.verify(); !whole) complain(whole.error().text);
  if (!store.begin() || !store.put(stored(99)) || !store.commit()) complain("does not go on");
}

Found cut_everywhere(const Setting& setting, const std::vector<std::string>& expected) {
  Found found;
  for (long cut = 1;; ++cut) {
    const Folder folder;
    int acknowledged = 0;
    bool went_dark = false;
    {
      FaultDisk disk("fault-" + std::to_string(cut), {.cut_at = cut,
                                                      .unsynced = setting.unsynced,
                                                      .seed = setting.seed,
                                                      .safe_overwrite = setting.safe_overwrite});
      auto options = on_disk(folder, &disk);
      options.synchronous_normal_for_canary = setting.synchronous_normal;
      acknowledged = run_until_dark(options);
      went_dark = disk.dead();
    }
    if (!setting.keep_mark) std::filesystem::remove(folder / "queue.mark");
    check(folder, expected, acknowledged, cut, found);
    if (!went_dark) return found;
    ++found.cuts;
    if (found.violations.size() > 5) return found;
  }
}

void expect_none(const Setting& setting) {
  const auto expected = digests();
  const Found found = cut_everywhere(setting, expected);
  EXPECT_GT(found.cuts, 150);
  for (const std::string& violation : found.violations) ADD_FAILURE() << violation;
}

TEST(PowerCut, EveryWriteWithTheRestKept) {
  expect_none({Unsynced::Kept});
}
TEST(PowerCut, EveryWriteWithTheRestDropped) {
  expect_none({Unsynced::Dropped, 1, true, false});
}
TEST(PowerCut, EveryWriteWithTheRestDroppedAndTheMarkThere) {
  expect_none({Unsynced::Dropped});
}
TEST(PowerCut, EveryWriteWithTheRestTorn) {
  const char* wanted = std::getenv("NIGHTDROP_POWERLOSS_SEEDS");
  const auto seeds =
      static_cast<std::uint32_t>(std::max(2L, wanted == nullptr ? 2L : std::strtol(wanted, nullptr, 10)));
  for (std::uint32_t seed = 1; seed <= seeds; ++seed) expect_none({Unsynced::Torn, seed, seed % 2 == 0, seed % 3 != 0});
}

// The canary: synchronous=NORMAL acknowledges before the disk has it. If this test does not see it, it sees nothing.
TEST(PowerCut, ACommitThatIsNotSyncedIsCaught) {
  const auto expected = digests();
  EXPECT_FALSE(cut_everywhere({.unsynced = Unsynced::Dropped, .keep_mark = false, .synchronous_normal = true}, expected)
                   .violations.empty());
  EXPECT_FALSE(cut_everywhere({.unsynced = Unsynced::Torn, .keep_mark = false, .synchronous_normal = true}, expected)
                   .violations.empty());
}

TEST(PowerCut, AnUpgradeLosesNothingAtAnyWrite) {
  for (const Unsynced unsynced : {Unsynced::Kept, Unsynced::Dropped, Unsynced::Torn}) {
    for (long cut = 1;; ++cut) {
      const Folder folder;
      auto older = on_disk(folder, nullptr);
      older.schema_for_test = 1;
      {
        put_all(*open_store(older), {stored(1), stored(2)});
      }
      bool went_dark = false;
      {
        FaultDisk disk("upgrade-" + std::to_string(cut), {.cut_at = cut, .unsynced = unsynced});
        {
          [[maybe_unused]] const auto store = SqlCipherStore::open(on_disk(folder, &disk));
        }
        went_dark = disk.dead();
      }
      auto store = open_store(on_disk(folder, nullptr));
      ASSERT_TRUE(store->find(stored(1).id)->has_value());
      ASSERT_TRUE((*store->find(stored(2).id))->envelope);
      ASSERT_FALSE(store->health().degraded);
      ND_OK(store->begin());
      ND_OK(store->put_sync_run({}));
      ND_OK(store->commit());
      ND_OK(store->verify());
      if (!went_dark) {
        EXPECT_GT(cut, 10);
        break;
      }
    }
  }
}

// After a failed commit the store is opened again in the same process and goes on, whatever the write was that failed.
void fail_everywhere(const std::function<FaultDisk::Plan(long)>& plan, bool heals) {
  const auto expected = digests();
  for (long at = 1;; ++at) {
    const Folder folder;
    {
      open_store(on_disk(folder, nullptr));
    }  // the faults begin after the queue was made
    FaultDisk disk("failing-" + std::to_string(at), plan(at));
    auto opened = SqlCipherStore::open(on_disk(folder, &disk));
    bool struck = !opened;
    if (!opened) {
      disk.heal();
      opened = SqlCipherStore::open(on_disk(folder, &disk));
      ASSERT_TRUE(opened) << at << " " << opened.error().text;
    }
    SqlCipherStore& store = **opened;
    for (int n = 1; n <= steps; ++n) {
      const auto done = take_step(store, n);
      if (done) continue;
      struck = true;
      EXPECT_TRUE(done.error().code == Errc::DiskFull || done.error().code == Errc::Io) << errc_name(done.error().code);
      store.rollback();
      if (heals) disk.heal();
      const auto again = store.reopen();
      if (!again) {
        disk.heal();
        ND_OK(store.reopen());
      }
      const std::string now = digest(store);
      const auto step = static_cast<std::size_t>(n);
      ASSERT_TRUE(now == expected[step - 1] || now == expected[step]) << "failure " << at << " step " << n << "\n"
                                                                      << now << "\n"
                                                                      << expected[step - 1];
      disk.heal();
      ND_OK(store.verify());
      if (now != expected[step]) --n;  // again
    }
    EXPECT_EQ(digest(store), expected[steps]) << at;
    EXPECT_FALSE(store.health().degraded);
    ND_OK(store.verify());
    if (!struck) {
      EXPECT_GT(at, 100);
      return;
    }
  }
}

TEST(DiskFull, AtEveryWriteLosesNothingAcknowledged) {
  fail_everywhere([](long at) { return FaultDisk::Plan{.full_from = at}; }, true);
}

TEST(DiskError, AtEveryWriteIsAllOrNothing) {
  fail_everywhere([](long at) { return FaultDisk::Plan{.fail_at = at}; }, false);
}

}  // namespace
}  // namespace nightdrop::test
