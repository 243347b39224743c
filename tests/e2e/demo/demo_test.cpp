// simulator/demo as a person or a pipeline runs it: the whole evening without a terminal, and what it leaves behind.
// That the proof can fail is shown by runs in which one of its checks is made to see something false.
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "e2e/provision/program.hpp"
#include "json/json.hpp"
#include "report/text.hpp"

namespace nightdrop::test {
namespace {

namespace fs = std::filesystem;

const std::string demo = std::string(NIGHTDROP_SOURCE_DIR) + "/simulator/demo";
const std::vector<std::string> no_build{"--programs", NIGHTDROP_BIN_DIR};

std::vector<std::string> with(std::vector<std::string> more) {
  more.insert(more.begin(), no_build.begin(), no_build.end());
  return more;
}

// The processes whose command line names the folder.
std::size_t processes_in(const fs::path& folder) {
  std::size_t count = 0;
  std::error_code gone;  // a process may end while one looks
  for (const auto& entry : fs::directory_iterator("/proc", gone)) {
    if (slurp(entry.path() / "cmdline").find(folder.string()) != std::string::npos) ++count;
  }
  return count;
}

class Demo : public testing::Test {
 protected:
  Demo() {
    fs::create_directory(scratch_ / "tmp");
    ::setenv("TMPDIR", (scratch_ / "tmp").c_str(), 1);
  }
  ~Demo() override { ::unsetenv("TMPDIR"); }

  void expect_nothing_left() {
    EXPECT_TRUE(fs::is_empty(scratch_ / "tmp"));
    EXPECT_EQ(processes_in(scratch_ / "tmp"), 0U);
  }

  Scratch scratch_;
};

bool ok(JsonView proof, std::string_view check) {
  for (const JsonView each : proof["checks"].items()) {
    if (each["check"].string() == check) return each["ok"].boolean().value_or(false);
  }
  ADD_FAILURE() << "there is no check " << check;
  return false;
}

TEST_F(Demo, TellsTheEveningAndProvesIt) {
  const Ended ended = run(demo, with({"--json"}));
  ASSERT_EQ(ended.exit_code, 0) << ended.err << ended.out;
  const auto proof = Json::parse(ended.out);
  ASSERT_TRUE(proof.has_value()) << ended.out;
  EXPECT_EQ((*proof)["ok"].boolean(), true);
  EXPECT_EQ((*proof)["checks"].size(), 7U);
  for (const JsonView check : (*proof)["checks"].items()) EXPECT_EQ(check["ok"].boolean(), true) << check.dump();
  EXPECT_EQ((*proof)["lost"].integer(), 0);
  EXPECT_EQ((*proof)["twice"].integer(), 0);
  EXPECT_EQ((*proof)["confirmed"].integer(), 48);
  EXPECT_LT((*proof)["took_ms"].integer().value_or(1'000'000), 60'000);
  expect_nothing_left();
}

TEST_F(Demo, FitsEightyColumnsWithoutATerminal) {
  const Ended ended = run(demo, no_build);
  ASSERT_EQ(ended.exit_code, 0) << ended.out << ended.err;
  EXPECT_EQ(ended.out.find('\x1b'), std::string::npos);
  EXPECT_EQ(ended.out.find('\r'), std::string::npos);
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = ended.out.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::string line = ended.out.substr(begin, end - begin);
    EXPECT_LE(report::display_width(line), 80U) << line;
  }
  for (const char* words : {"mid-payment", "mid-sale", "Meanwhile", "DECLINED", "WHAT TO DO", "The proof holds."}) {
    EXPECT_NE(ended.out.find(words), std::string::npos) << words;
  }
}

struct Sabotage {
  const char* how;
  const char* seen_by;
};
class SabotagedDemo : public Demo, public testing::WithParamInterface<Sabotage> {};

TEST_P(SabotagedDemo, DoesNotHold) {
  const Ended ended = run(demo, with({"--json", "--sabotage", GetParam().how}));
  EXPECT_EQ(ended.exit_code, 1) << ended.err;
  const auto proof = Json::parse(ended.out);
  ASSERT_TRUE(proof.has_value()) << ended.out;
  EXPECT_EQ((*proof)["ok"].boolean(), false);
  EXPECT_FALSE(ok(proof->view(), GetParam().seen_by));
  EXPECT_TRUE(ok(proof->view(), "power_cut"));  // the rest of the evening went well
  expect_nothing_left();
}

INSTANTIATE_TEST_SUITE_P(Each, SabotagedDemo,
                         testing::Values(Sabotage{"doubled", "nothing_twice"}, Sabotage{"lost", "nothing_lost"},
                                         Sabotage{"pan", "no_card_number"}, Sabotage{"audit", "audit_chain"}),
                         [](const auto& each) { return std::string(each.param.how); });

TEST_F(Demo, KeepsTheReaderAndSaysHowToGoOn) {
  const fs::path kept = scratch_ / "kept";
  const Ended ended = run(demo, with({"--keep", kept}));
  ASSERT_EQ(ended.exit_code, 0) << ended.out;
  EXPECT_NE(ended.out.find("nightdropd --config " + (kept / "nightdrop.json").string()), std::string::npos);
  const Ended checked =
      run(std::string(NIGHTDROP_BIN_DIR) + "/nightdropd", {"--config", kept / "nightdrop.json", "--check"});
  EXPECT_EQ(checked.exit_code, 0) << checked.err;
  expect_nothing_left();
}

TEST_F(Demo, TouchesNoFolderOfAnother) {
  fs::create_directory(scratch_ / "mine");
  spill(scratch_ / "mine/letter", "dear");
  const Ended ended = run(demo, with({"--keep", scratch_ / "mine"}));
  EXPECT_EQ(ended.exit_code, 70);
  EXPECT_EQ(slurp(scratch_ / "mine/letter"), "dear");
  EXPECT_EQ(std::distance(fs::directory_iterator(scratch_ / "mine"), {}), 1);
}

TEST_F(Demo, ExplainsItself) {
  EXPECT_EQ(run(demo, {"--help"}).exit_code, 0);
  EXPECT_EQ(run(demo, {"--no-such-option"}).exit_code, 64);
  EXPECT_EQ(run(demo, {"--programs", (scratch_ / "none").string()}).exit_code, 2);
}

// Ended from outside while the daemon and the acquirer run.
TEST_F(Demo, LeavesNothingBehindWhenItIsInterrupted) {
  int out[2] = {-1, -1};
  ASSERT_EQ(::pipe2(out, O_CLOEXEC), 0);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, out[1], STDOUT_FILENO);
  std::vector<std::string> words = with({});
  words.insert(words.begin(), demo);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t child = -1;
  ASSERT_EQ(::posix_spawn(&child, demo.c_str(), &files, nullptr, argv.data(), environ), 0);
  posix_spawn_file_actions_destroy(&files);
  ::close(out[1]);
  std::string said;
  char buffer[512];
  for (ssize_t count = 0; said.find("mid-payment") == std::string::npos;
       said.append(buffer, static_cast<std::size_t>(count))) {
    count = ::read(out[0], buffer, sizeof buffer);
    ASSERT_GT(count, 0) << said;
  }
  EXPECT_GE(processes_in(scratch_ / "tmp"), 3U);
  ::kill(child, SIGTERM);
  // The pipe ends when the last process that holds it is gone.
  while (::read(out[0], buffer, sizeof buffer) > 0) {
  }
  ::close(out[0]);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 143);
  expect_nothing_left();
}

}  // namespace
}  // namespace nightdrop::test
