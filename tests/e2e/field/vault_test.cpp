// Older copies of the vault or the queue in the real daemon: a start refuses them with a way on, and a person may
// accept one. What is held underneath is in tests/unit/vault.
#include <csignal>
#include <filesystem>

#include <gmock/gmock.h>

#include "e2e/harness.hpp"

namespace nightdrop::e2e {
namespace {

namespace fs = std::filesystem;

// Copies of vault and queue while the daemon is stopped, and a start that accepts one.
struct OlderCopies : testing::Test {
  void keep(const std::string& folder) {
    fs::copy(world.path(folder), world.path(folder + ".kept"), fs::copy_options::recursive);
  }
  void put_back(const std::string& folder) {
    fs::remove_all(world.path(folder));
    fs::rename(world.path(folder + ".kept"), world.path(folder));
  }
  std::string store_one() {
    const Answer sale = world.pay(1'000, new_card());
    EXPECT_WORD(sale, "stored");
    return sale.id();
  }
  void start_accepting(const std::string& which) {
    Process daemon("nightdropd", {"--config", world.path("nightdrop.json"), "--accept-older", which},
                   world.path("accepting.log"));
    EXPECT_EQ(json(daemon.first_line())["event"].string(), "ready");
    EXPECT_EQ(daemon.end(SIGTERM), 0);
  }
  void expect_refused(const std::string& which) {
    const Ended refused = world.refused_start();
    EXPECT_EQ(refused.exit_code, 65);
    EXPECT_THAT(refused.err, testing::HasSubstr("the " + which + " is an older copy"));
    EXPECT_THAT(refused.err, testing::HasSubstr("--accept-older " + which));
  }

  World world;
};

TEST_F(OlderCopies, AnOlderQueueIsRefusedUntilAPersonAcceptsIt) {
  world.offline();
  const std::string kept = store_one();
  world.stop();
  keep("queue");
  world.start();
  world.offline();
  const std::string lost = store_one();
  world.stop();
  put_back("queue");
  expect_refused("queue");
  start_accepting("queue");
  world.start();
  world.offline();
  const std::string after = store_one();
  EXPECT_FALSE(world.retrieve(lost).ok());
  world.online();
  world.await_drained();
  EXPECT_EQ(world.posted(kept), 1);
  EXPECT_EQ(world.posted(after), 1) << "under a KSN that no other payment had";
}

TEST_F(OlderCopies, AnOlderVaultIsRefusedUntilAPersonAcceptsIt) {
  world.offline();
  const std::string first = store_one();
  world.stop();
  keep("vault");
  world.start();
  world.offline();
  const std::string second = store_one();
  world.stop();
  put_back("vault");
  expect_refused("vault");
  start_accepting("vault");
  world.start();
  world.offline();
  const std::string third = store_one();
  world.online();
  world.await_drained();
  for (const std::string& id : {first, second, third}) EXPECT_EQ(world.posted(id), 1);
}

}  // namespace
}  // namespace nightdrop::e2e
