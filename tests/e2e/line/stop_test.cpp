// A batch that is told to stop: the units in hand are finished, the rest is left for the next run, and a second process
// cannot have the station meanwhile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>

#include <csignal>

#include "e2e/provision/program.hpp"
#include "json/json.hpp"
#include "unit/station/world.hpp"

namespace nightdrop::keys {
namespace {

const std::string program = std::string(NIGHTDROP_BIN_DIR) + "/nightdrop-provision";
constexpr int units = 24;

// A batch whose standard error can be read while it works.
class RunningBatch {
 public:
  explicit RunningBatch(std::vector<std::string> words) {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    words.insert(words.begin(), program);
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, ends[1], STDERR_FILENO);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    EXPECT_EQ(posix_spawn(&process_, program.c_str(), &files, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&files);
    close(ends[1]);
    said_ = ends[0];
  }
  ~RunningBatch() { close(said_); }
  RunningBatch(const RunningBatch&) = delete;
  RunningBatch& operator=(const RunningBatch&) = delete;

  // Reads until it has said this; what it said so far.
  std::string until(const std::string& what) {
    std::string text;
    char buffer[512];
    pollfd wait{said_, POLLIN, 0};
    while (text.find(what) == std::string::npos && poll(&wait, 1, 30'000) == 1) {
      const ssize_t got = read(said_, buffer, sizeof(buffer));
      if (got <= 0) break;
      text.append(buffer, static_cast<std::size_t>(got));
    }
    return text;
  }
  void signal(int number) const { ::kill(process_, number); }
  int wait() {
    until("never said");
    int status = 0;
    waitpid(process_, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t process_{-1};
  int said_{-1};
};

TEST(Stopping, a_batch_finishes_what_it_has_in_hand_and_goes_on_later) {
  const MadeStation station;
  std::vector<std::unique_ptr<MemoryHome>> homes;
  std::vector<std::unique_ptr<ListeningReader>> readers;
  std::string orders = "serial_number,merchant_id,connect\n";
  for (int i = 0; i < units; ++i) {
    const std::string serial = "ND" + std::to_string(200'000 + i);
    homes.push_back(std::make_unique<MemoryHome>(serial));
    readers.push_back(std::make_unique<ListeningReader>(*homes.back(), station.authority(), station.path(serial)));
    orders += serial + ",m_1,unix:" + station.path(serial) + "\n";
  }
  ASSERT_TRUE(write_file(station.path("orders.csv"), orders));
  const std::vector<std::string> command{"--json",
                                         "batch",
                                         "--jobs",
                                         "1",
                                         "--station",
                                         station.folder().string(),
                                         "--policy",
                                         station.path("policy.json"),
                                         "--config-template",
                                         station.path("template.json"),
                                         station.path("orders.csv")};
  {
    RunningBatch batch(command);
    ASSERT_THAT(batch.until("provisioned"), testing::HasSubstr("ND200000  provisioned"));
    const auto second = test::run(program, {"list", "--station", station.folder().string()});
    EXPECT_EQ(second.exit_code, 75) << second.err;
    batch.signal(SIGINT);
    EXPECT_EQ(batch.wait(), 75);
  }
  int provisioned = 0;
  for (const auto& home : homes) provisioned += home->facts().state == provisioning::ReaderState::Provisioned ? 1 : 0;
  EXPECT_GT(provisioned, 0);
  EXPECT_LT(provisioned, units);
  const auto rest = test::run(program, command);
  EXPECT_EQ(rest.exit_code, 0) << rest.err;
  const auto told = Json::parse(rest.out);
  ASSERT_TRUE(told);
  EXPECT_EQ((*told)["provisioned_before"].integer(), provisioned);
  EXPECT_EQ((*told)["provisioned"].integer(), units - provisioned);
  for (const auto& home : homes) EXPECT_EQ(home->seen_keys.size(), 1U) << "nobody was provisioned twice";
}

}  // namespace
}  // namespace nightdrop::keys
