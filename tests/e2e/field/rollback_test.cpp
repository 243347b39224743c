// An older copy of the queue or of the vault is put back, on the real programs: it is found, refused with a way on, and
// after that way no KSN is used twice and no payment is posted twice.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gmock/gmock.h>

#include "e2e/field/journal.hpp"
#include "e2e/harness.hpp"

namespace nightdrop::e2e {
namespace {

namespace fs = std::filesystem;

struct Rollback : testing::Test {
  void copy(const char* folder) {
    world.stop();
    fs::copy(world.path(folder), world.path(std::string(folder) + ".copy"), fs::copy_options::recursive);
    world.start();
  }
  void put_back(const char* folder) {
    world.stop();
    fs::remove_all(world.path(folder));
    fs::rename(world.path(std::string(folder) + ".copy"), world.path(folder));
  }
  std::string stored(std::int64_t amount) {
    world.offline();
    const Answer sale = world.pay(amount, new_card());
    EXPECT_WORD(sale, "stored");
    return sale.id();
  }
  // One start with a person's word for it, and its end in order.
  void start_accepting(const std::string& which) {
    Process daemon("nightdropd", {"--config", world.path("nightdrop.json"), "--accept-older", which},
                   world.path("accepting.log"));
    EXPECT_EQ(json(daemon.first_line())["event"].string(), "ready");
    EXPECT_EQ(daemon.end(SIGTERM), 0);
  }
  void refused_until_accepted(const std::string& which, const std::string& other) {
    EXPECT_EQ(world.refused_start().exit_code, 65);
    const Ended wrong = run("nightdropd", {"--config", world.path("nightdrop.json"), "--accept-older", other});
    EXPECT_EQ(wrong.exit_code, 65) << "not the one that is older";
    const Ended slip = run("nightdropd", {"--config", world.path("nightdrop.json"), "--accept-older", "copy"});
    EXPECT_EQ(slip.exit_code, 64);
    EXPECT_NE(slip.err.find("queue, vault or both"), std::string::npos) << slip.err;
    start_accepting(which);
    world.start();
    EXPECT_HOLDS(last_event(world, "rollback.accepted"), R"({"older":")" + which + R"("})");
    EXPECT_TRUE(last_event(world, "rollback.not_needed").view().is_null());
  }
  void everything_is_posted_once() {
    world.online();
    world.await_drained();
    EXPECT_HOLDS(world.stats(), R"({"twice":0})");
    EXPECT_EQ(world.stats()["anomalies_by_kind"]["ksn_reused"].integer().value_or(0), 0) << world.stats().dump();
  }

  World world;
};

TEST_F(Rollback, AnOlderQueueIsFoundAndGoneOnWith) {
  const std::string kept = stored(1'000);
  copy("queue");
  const std::string lost = stored(2'000);
  put_back("queue");
  refused_until_accepted("queue", "vault");
  const std::string later = stored(3'000);
  everything_is_posted_once();
  EXPECT_EQ(world.posted(kept), 1);
  EXPECT_EQ(world.posted(lost), -1) << "it was in the newer queue alone";
  EXPECT_EQ(world.posted(later), 1);
}

TEST_F(Rollback, PaymentsThatWereAnsweredSinceAreSentAgainAndPostedOnce) {
  const std::string id = stored(1'000);
  copy("queue");
  world.online();
  world.await_drained();
  stored(1'500);
  put_back("queue");
  refused_until_accepted("queue", "vault");
  EXPECT_EQ(world.status(id), "stored") << "as the older copy has it";
  everything_is_posted_once();
  EXPECT_EQ(world.status(id), "succeeded");
  EXPECT_EQ(world.posted(id), 1);
}

TEST_F(Rollback, AnOlderVaultIsFoundAndGoneOnWith) {
  stored(1'000);
  copy("vault");
  const std::string since = stored(2'000);
  put_back("vault");
  refused_until_accepted("vault", "queue");
  const std::string later = stored(3'000);
  everything_is_posted_once();
  EXPECT_EQ(world.posted(since), 1);
  EXPECT_EQ(world.posted(later), 1);
}

// An option that was left in a unit file: the daemon takes payments all the same, and says at each start that the
// refusal is switched off for nothing.
TEST_F(Rollback, WithoutAnOlderCopyThereIsNothingToAcceptAndThatIsSaid) {
  stored(1'000);
  world.stop();
  start_accepting("both");
  std::ifstream log(world.path("accepting.log"));
  EXPECT_THAT(std::string(std::istreambuf_iterator<char>(log), {}),
              testing::HasSubstr("--accept-older had nothing to do"));
  world.start();
  EXPECT_TRUE(last_event(world, "rollback.accepted").view().is_null());
  EXPECT_HOLDS(last_event(world, "rollback.not_needed"), R"({"accepted":"both"})");
}

// "Each signed checkpoint is preceded by vault.marks": the signature covers how far the keys had come.
TEST_F(Rollback, CheckpointsCoverTheVaultsMarks) {
  stored(1'000);
  world.stop();
  world.start();
  const Answer lines = world.call("audit_export", R"({"limit":1000})");
  std::string before_checkpoint;
  bool found = false;
  for (const JsonView line : lines["lines"].items()) {
    if (line["checkpoint"].is_object()) {
      found = true;
      const auto event = Json::parse(before_checkpoint);
      ASSERT_TRUE(event.has_value());
      EXPECT_EQ((*event)["type"].string(), "vault.marks");
      EXPECT_EQ((*event)["seq"].integer(), line["checkpoint"]["seq"].integer());
      EXPECT_GE((*event)["data"]["counter"].integer().value_or(0), 1);
    }
    before_checkpoint = line["event"].string().value_or("");
  }
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace nightdrop::e2e
