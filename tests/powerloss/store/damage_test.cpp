// A bit flips, in any page of the file or any frame of the log. Nothing may vanish in silence: what cannot be read is
// set aside and counted, new payments wait for a person, and everything else is carried over.
#include <fstream>
#include <random>

#include "workload.hpp"

namespace nightdrop::test {
namespace {

constexpr int payments = 60;

SqlCipherStore::Options plain(const std::filesystem::path& dir) {
  auto options = options_in(dir);
  options.reserve_bytes = 0;
  return options;
}

void fill(SqlCipherStore& store) {
  for (int n = 1; n <= payments; ++n) {
    ND_OK(store.begin());
    Payment p = stored(n);
    p.merchant_reference = "order " + std::to_string(n);
    ND_OK(store.put(p));
    ND_OK(store.append("payment_intent.stored", "2026-09-21T10:00:00.000Z",
                       "{\"padding\":\"" + std::string(400, 'x') + "\"}"));
    ND_OK(store.put_device_state({.dukpt_counter = static_cast<std::uint32_t>(n), .stan = 5}));
    ND_OK(store.set_cursor("pos", 7));
    ND_OK(store.commit());
  }
}

void flip(const std::filesystem::path& file, std::uint64_t at, int bit) {
  std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
  stream.seekg(static_cast<std::streamoff>(at));
  const char byte = static_cast<char>(stream.get() ^ (1 << bit));
  stream.seekp(static_cast<std::streamoff>(at));
  stream.put(byte);
}

struct Survey {
  int payments{0};
  int envelopes{0};
  std::size_t events{0};
};

// Reads everything, as a day's work would; a read that meets damage is made again after the store has dealt with it.
Survey survey(SqlCipherStore& store) {
  const auto again = [&](const auto& read) {
    auto value = read();
    if (!value) {
      EXPECT_EQ(value.error().code, Errc::Corrupt) << value.error().text;
      value = read();
    }
    EXPECT_TRUE(value) << "twice";
    return value;
  };
  for (int n = 1; n <= payments; ++n) {  // once through, so that every page has been met
    again([&] { return store.find(stored(n).id); });
    again([&] { return store.find_by_reference("order " + std::to_string(n)); });
  }
  again([&] { return store.list({}); });
  again([&] { return store.due(start, 100, {}); });
  again([&] { return store.events_after(0, 1000); });
  again([&] { return store.card_totals(stored(1).card->fingerprint, usd); });
  Survey found;
  for (int n = 1; n <= payments; ++n) {
    const auto p = again([&] { return store.find(stored(n).id); });
    if (!p || !*p) continue;
    ++found.payments;
    if ((*p)->envelope) ++found.envelopes;
  }
  found.events = again([&] { return store.events_after(0, 1000); })->size();
  return found;
}

// What holds after any damage. Gives how many payments were lost.
int expect_nothing_silent(SqlCipherStore& store, const std::string& where) {
  const Survey found = survey(store);
  const auto health = store.health();
  const int missing =
      (payments - found.payments) + (found.payments - found.envelopes) + (payments - static_cast<int>(found.events));
  if (missing > 0) {
    EXPECT_TRUE(health.degraded) << where;
    EXPECT_GE(health.lost, missing) << where;
  }
  if (health.degraded) {
    EXPECT_TRUE(std::filesystem::exists(health.set_aside_path)) << where << health.set_aside_path;
    EXPECT_GE(health.carried_over, found.payments) << where;
    EXPECT_TRUE(store.begin() && store.accept_damage() && store.put(stored(1000)) && store.commit()) << where;
    EXPECT_FALSE(store.health().degraded);
  }
  const auto whole = store.verify();
  if (!whole && found.events == payments && found.payments == payments) {
    // Nobody has met it yet: a page that no question led to.
    EXPECT_FALSE(health.degraded) << where << ": " << whole.error().text;
  }
  return payments - found.payments;
}

TEST(BitFlip, InAnyPageIsFoundAndTheRestCarriedOver) {
  const Folder original;
  {
    auto store = open_store(plain(original.path()));
    fill(*store);
  }
  const auto pages = std::filesystem::file_size(original / "queue.db") / 4096;
  ASSERT_GT(pages, 20U);
  std::mt19937 random(20'260'921);
  int most_lost = 0;
  int degraded = 0;
  for (std::uint64_t page = 0; page < pages; ++page) {
    const Folder folder;
    std::filesystem::copy(original.path(), folder.path(), std::filesystem::copy_options::recursive);
    flip(folder / "queue.db", page * 4096 + random() % 4096, static_cast<int>(random() % 8));
    const std::string where = "page " + std::to_string(page + 1);
    auto opened = SqlCipherStore::open(plain(folder.path()));
    ASSERT_TRUE(opened) << where << ": " << opened.error().text;
    const int lost = expect_nothing_silent(**opened, where);
    degraded += (*opened)->health().carried_over > 0 ? 1 : 0;
    most_lost = std::max(most_lost, lost);
    if ((*opened)->health().carried_over == 0) continue;
    opened->reset();
    auto again = open_store(plain(folder.path()));
    EXPECT_EQ(again->totals()->count, payments - lost + 1) << where;
  }
  EXPECT_GT(degraded, static_cast<int>(pages) / 2);
  EXPECT_LE(most_lost, 12) << "one page holds no more";
}

TEST(BitFlip, TwoPagesAtOnceLoseNoMoreThanTheyHold) {
  const Folder original;
  {
    auto store = open_store(plain(original.path()));
    fill(*store);
  }
  const auto pages = std::filesystem::file_size(original / "queue.db") / 4096;
  std::mt19937 random(7);
  for (int round = 0; round < 25; ++round) {
    const Folder folder;
    std::filesystem::copy(original.path(), folder.path(), std::filesystem::copy_options::recursive);
    for (int i = 0; i < 2; ++i) flip(folder / "queue.db", random() % pages * 4096 + random() % 4096, 3);
    auto opened = SqlCipherStore::open(plain(folder.path()));
    ASSERT_TRUE(opened) << opened.error().text;
    EXPECT_LE(expect_nothing_silent(**opened, "round " + std::to_string(round)), 40);
  }
}

TEST(BitFlip, InTheFirstPageIsNoWrongKey) {
  const Folder folder;
  {
    auto store = open_store(plain(folder.path()));
    fill(*store);
  }
  flip(folder / "queue.db", 3, 1);  // the salt: no page can be read without it
  const auto wrong = SqlCipherStore::open(options_in(folder.path(), 2));
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Errc::WrongKey);
  auto store = open_store(plain(folder.path()));
  EXPECT_TRUE(store->health().degraded);
  EXPECT_EQ(expect_nothing_silent(*store, "salt"), 0);
  EXPECT_EQ(store->device_state()->dukpt_counter, 60U);
}

TEST(BitFlip, WithoutTheFirstPagesCopyTheLossIsSaid) {
  const Folder folder;
  {
    auto store = open_store(plain(folder.path()));
    fill(*store);
  }
  flip(folder / "queue.db", 3, 1);
  std::filesystem::remove(folder / "queue.page1");
  auto store = open_store(plain(folder.path()));
  EXPECT_TRUE(store->health().degraded);
  EXPECT_TRUE(store->health().was_lost);
  EXPECT_TRUE(std::filesystem::exists(store->health().set_aside_path));
}

// The files as a process that was killed leaves them: all in the log. SQLite would end the log at the flipped bit.
TEST(BitFlip, InTheLogLosesNoAcknowledgedTurnInSilence) {
  const Folder original;
  auto running = open_store(plain(original.path()));
  fill(*running);
  const auto size = std::filesystem::file_size(original / "queue.db-wal");
  ASSERT_GT(size, 100U * 4120);
  std::mt19937 random(99);
  for (const bool with_mark : {true, false}) {
    const std::uint64_t frames = (size - 32) / 4120;
    for (std::uint64_t frame = 0; frame <= frames; frame += frame < 4 || frame + 12 > frames ? 1 : 13) {
      const Folder folder;
      for (const char* name : {"queue.db", "queue.db-wal", "queue.keycheck", "queue.mark", "queue.page1"})
        std::filesystem::copy_file(original / name, folder / name);
      if (!with_mark) std::filesystem::remove(folder / "queue.mark");
      const std::uint64_t at = frame == frames ? random() % 32 : 32 + frame * 4120 + random() % 4120;
      flip(folder / "queue.db-wal", at, static_cast<int>(random() % 8));
      const std::string where = "frame " + std::to_string(frame) + (with_mark ? "" : " without the mark");
      auto opened = SqlCipherStore::open(plain(folder.path()));
      ASSERT_TRUE(opened) << where << ": " << opened.error().text;
      const bool last_turn = frame + 12 > frames;
      if (!with_mark && last_turn && !(*opened)->health().degraded)
        continue;  // like a power cut in the last turn: nobody can tell
      EXPECT_TRUE((*opened)->health().degraded) << where;
      EXPECT_LE(expect_nothing_silent(**opened, where), 12) << where;
    }
  }
}

TEST(BitFlip, AFileThatWasCutShortIsDamage) {
  const Folder folder;
  {
    auto store = open_store(plain(folder.path()));
    fill(*store);
  }
  std::filesystem::resize_file(folder / "queue.db", std::filesystem::file_size(folder / "queue.db") - 5 * 4096);
  auto opened = SqlCipherStore::open(plain(folder.path()));
  ASSERT_TRUE(opened) << opened.error().text;
  expect_nothing_silent(**opened, "cut");
  EXPECT_GT((*opened)->health().carried_over, 0);
}

TEST(Salvage, IsFinishedAfterAPowerCutBetweenItsRenames) {
  const Folder folder;
  {
    auto store = open_store(plain(folder.path()));
    put_all(*store, {stored(1)});
  }
  // As it stands when the new file is whole and the old one has just been moved away, with or without its log.
  std::filesystem::rename(folder / "queue.db", folder / "queue.salvaged");
  std::filesystem::remove(folder / "queue.db-wal");
  {
    std::ofstream(folder / "queue.damaged-1-wal") << "old log";
  }
  {
    std::ofstream(folder / "queue.db") << "old file";
  }
  auto store = open_store(plain(folder.path()));
  EXPECT_TRUE(store->find(stored(1).id)->has_value());
  EXPECT_TRUE(std::filesystem::exists(folder / "queue.damaged-1"));
  EXPECT_FALSE(std::filesystem::exists(folder / "queue.salvaged"));
}

}  // namespace
}  // namespace nightdrop::test
