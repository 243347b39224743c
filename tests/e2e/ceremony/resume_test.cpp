// A ceremony that is cut off at any of its steps is run again and comes to the same end: every key once, every entry
// once, the transcript whole. The process is ended at the step by the step's own report, in a child of its own: it
// alone loads the PKCS#11 module.
#include <map>

#include <sys/wait.h>
#include <unistd.h>

#include "crypto/primitives.hpp"
#include "e2e/ceremony/station.hpp"
#include "keys/ceremony/ceremony.hpp"

namespace nightdrop {
namespace {

using test::Bytes;
using test::CeremonyStation;
using test::MadeStation;
using test::slurp;

constexpr int cut_off = 9;
constexpr UtcMs then = 1'790'000'000'000;

// Runs `command` in a child that ends at its step number `step`. Whether it was cut off; false: it came to its end.
template <class Command>
bool cut_at(int step, const CeremonyStation& station, Command command) {
  const pid_t child = fork();
  if (child == 0) {
    int left = step;
    keys::CeremonyContext context{station.station(),
                                  {"anna"},
                                  [] { return then; },
                                  [&left](const std::string&) {
                                    if (--left == 0) _exit(cut_off);
                                  }};
    const auto done = command(context);
    if (!done) std::fprintf(stderr, "step %d: %s\n", step, done.error().message.c_str());
    _exit(done ? 0 : 1);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_NE(WEXITSTATUS(status), 1);
  return WEXITSTATUS(status) == cut_off;
}

// How often each key and file is written down.
std::map<std::string, int> written_down(const CeremonyStation& station) {
  std::map<std::string, int> counts;
  std::istringstream lines(slurp(station.file("transcript.txt")));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("key       ") || line.starts_with("file      ") || line.starts_with("step              HSM")) {
      ++counts[line];
    }
  }
  return counts;
}

void expect_whole(const CeremonyStation& station, std::size_t keys, int step) {
  const test::Ended verified = station.ceremony("transcript", {"--verify"});
  EXPECT_EQ(verified.exit_code, 0) << "step " << step << ": " << verified.err;
  EXPECT_EQ(station.keys().size(), keys) << "step " << step;
  for (const auto& [line, count] : written_down(station)) EXPECT_EQ(count, 1) << "step " << step << ": " << line;
}

TEST(CutOff, HsmInitAtAnyStep) {
  int step = 1;
  for (bool cut = true; cut; ++step) {
    const CeremonyStation station;
    const keys::HsmInitOptions options{"", "nightdrop", station.path("pin"), station.path("so")};
    cut = cut_at(step, station, [&](const auto& context) { return keys::hsm_init(context, options); });
    if (!cut) continue;
    const test::Ended again = station.hsm_init();
    // Cut off after its last write it was done.
    EXPECT_TRUE(again.exit_code == 0 || std::filesystem::exists(station.file("transcript.txt"))) << step << again.err;
    EXPECT_EQ(station.ceremony("init").exit_code, 0) << "step " << step;
    expect_whole(station, 6, step);
  }
  EXPECT_GT(step, 4);
}

TEST(CutOff, InitAtAnyStep) {
  int step = 1;
  for (bool cut = true; cut; ++step) {
    const CeremonyStation station;
    ASSERT_EQ(station.hsm_init().exit_code, 0);
    const keys::CeremonyInitOptions options{"aes-256", {"m_0001"}, "CA", "station-1"};
    cut = cut_at(step, station, [&](const auto& context) { return keys::ceremony_init(context, options); });
    const test::Ended again = station.ceremony("init", {"--key-type", "aes-256", "--merchant", "m_0001"});
    const bool was_finished = slurp(station.file("transcript.txt")).find("ceremony finished") != std::string::npos;
    EXPECT_TRUE(again.exit_code == 0 || (again.exit_code == 73 && was_finished))
        << "step " << step << ": " << again.err;
    expect_whole(station, 7, step);
  }
  EXPECT_GT(step, 40) << "the steps are not seen";
}

TEST(CutOff, ImportAtAnyStep) {
  const std::vector<Bytes> parts{Bytes(32, 0x31), Bytes(32, 0xC7)};
  int step = 1;
  for (bool cut = true; cut; ++step) {
    const MadeStation station;
    keys::CeremonyImportOptions options;
    options.key = "kbpk/acquirer";
    options.custodians = {"anna", "bert"};
    options.component_files = {station.component("a", parts[0]), station.component("b", parts[1])};
    options.check_value = test::check_value(test::exclusive_or(parts[0], parts[1]));
    cut = cut_at(step, station, [&](const auto& context) { return keys::ceremony_import(context, options); });
    const test::Ended again = station.import("kbpk/acquirer", parts);
    EXPECT_TRUE(again.exit_code == 0 || again.exit_code == 73) << "step " << step << ": " << again.err;
    expect_whole(station, 8, step);
  }
  EXPECT_GT(step, 4);
}

TEST(CutOff, NoBlockIsOutsideThatTheTranscriptDoesNotKnow) {
  const MadeStation made;
  ASSERT_EQ(made.import("kbpk/acquirer", {Bytes(32, 0x31), Bytes(32, 0xC7)}).exit_code, 0);
  const std::string name = made.keys().front();
  int step = 1;
  for (bool cut = true; cut; ++step) {
    keys::CeremonyExportOptions options{name, "acquirer", made.path("out-" + std::to_string(step)), false};
    cut = cut_at(step, made, [&](const auto& context) { return keys::ceremony_export(context, options); });
    std::string block = slurp(options.out);
    if (block.empty()) continue;
    block.pop_back();
    const auto hash = hex_lower(sha256(bytes_of(block)));
    EXPECT_NE(slurp(made.file("transcript.txt")).find(hash), std::string::npos) << "step " << step;
  }
  EXPECT_GT(step, 4);
  expect_whole(made, 8, step);
}

}  // namespace
}  // namespace nightdrop
