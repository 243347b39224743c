// A batch as a person at the line sees it: on a terminal a bar with count, rate and time left, which at the end has
// given way to the summary. What the terminal shows is worked out from the bytes, as a terminal does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>

#include <algorithm>
#include <memory>
#include <regex>
#include <string>
#include <vector>

#include "e2e/line/serial_reader.hpp"

namespace nightdrop::keys {
namespace {

constexpr int patience_ms = 30'000;

// The program on a terminal of its own, until it ends: all that it wrote there, and its exit code.
struct Shown {
  std::string bytes;
  int exit_code{-1};
};

Shown on_a_terminal(std::vector<std::string> words) {
  words.insert(words.begin(), std::string(NIGHTDROP_BIN_DIR) + "/nightdrop-provision");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  Shown shown;
  int terminal = -1;
  const pid_t child = forkpty(&terminal, nullptr, nullptr, nullptr);
  if (child == 0) {
    execv(argv.front(), argv.data());
    _exit(127);
  }
  for (;;) {
    pollfd wait{terminal, POLLIN, 0};
    char buffer[512];
    const ssize_t got = poll(&wait, 1, patience_ms) == 1 ? read(terminal, buffer, sizeof buffer) : -1;
    if (got <= 0) break;  // at its end the terminal hangs up
    shown.bytes.append(buffer, static_cast<std::size_t>(got));
  }
  close(terminal);  // hangs up a program that went on
  int status = 0;
  waitpid(child, &status, 0);
  shown.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return shown;
}

// The lines that stand on the screen at the end.
std::vector<std::string> screen(const std::string& bytes) {
  std::vector<std::string> lines(1);
  std::size_t column = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes.compare(i, 3, "\x1B[K") == 0) {
      lines.back().resize(std::min(column, lines.back().size()));
      i += 2;
    } else if (bytes[i] == '\r') {
      column = 0;
    } else if (bytes[i] == '\n') {
      lines.emplace_back();
    } else {
      if (column >= lines.back().size()) lines.back().resize(column + 1, ' ');
      lines.back()[column++] = bytes[i];
    }
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

TEST(BatchOnATerminal, ShowsABarThatGivesWayToTheSummary) {
  constexpr int count = 12;
  const MadeStation station;
  std::vector<std::unique_ptr<SerialReader>> readers;
  std::string orders = "serial_number,merchant_id,connect\n";
  for (int i = 0; i < count; ++i) {
    const std::string serial = "ND" + std::to_string(100'000 + i);
    readers.push_back(std::make_unique<SerialReader>(serial, station.authority()));
    orders += serial + ",m_1,serial:" + readers.back()->path + "\n";
  }
  readers[5]->home.fault = MemoryHome::Fault::Refuses;
  ASSERT_TRUE(write_file(station.path("orders.csv"), orders));
  const Shown shown = on_a_terminal({"batch", "--station", station.folder().string(), "--jobs", "2", "--policy",
                                     station.path("policy.json"), "--config-template", station.path("template.json"),
                                     station.path("orders.csv")});
  EXPECT_EQ(shown.exit_code, 69) << shown.bytes;

  const std::regex bar(R"(\[#*-*\] +(\d+)/12  \d+\.\d/s  (\d+:\d\d|-:--) left(  1 aside)?)");
  std::vector<int> counts;
  bool rate_and_time = false;
  for (std::sregex_iterator each(shown.bytes.begin(), shown.bytes.end(), bar), end; each != end; ++each) {
    counts.push_back(std::stoi((*each)[1]));
    rate_and_time = rate_and_time || (*each)[2] != "-:--";
  }
  EXPECT_TRUE(rate_and_time) << shown.bytes;
  EXPECT_TRUE(std::ranges::is_sorted(counts)) << shown.bytes;
  ASSERT_FALSE(counts.empty()) << shown.bytes;
  EXPECT_EQ(counts.back(), count) << "each unit moves it";

  const auto lines = screen(shown.bytes);
  ASSERT_EQ(lines.size(), 3U) << shown.bytes;
  EXPECT_THAT(lines[0], testing::StartsWith("ND100005  aside  refused: "));
  EXPECT_EQ(lines[1], "12 units: 11 provisioned, 0 were before, 1 set aside");
  EXPECT_THAT(lines[2], testing::HasSubstr("trusted on first use"));
}

}  // namespace
}  // namespace nightdrop::keys
