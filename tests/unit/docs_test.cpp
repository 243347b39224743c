// The pages against the code: links that lead somewhere, and nothing that the code knows and its page does not name.
// Method: names are read out of the sources by the form in which they stand there; a form that no longer matches gives
// too few names, which fails as well.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "nightdrop/pos_code.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop {
namespace {

namespace fs = std::filesystem;
const fs::path root = NIGHTDROP_SOURCE_DIR;

std::string read(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  EXPECT_TRUE(stream.good()) << file;
  return {std::istreambuf_iterator<char>(stream), {}};
}

// What the first group of a pattern matches in a text, or in each file of a folder with that extension.
std::set<std::string> all_of(const std::string& text, const std::string& pattern) {
  std::set<std::string> found;
  const std::regex expression(pattern);
  for (std::sregex_iterator at(text.begin(), text.end(), expression), end; at != end; ++at) found.insert((*at)[1]);
  return found;
}
std::set<std::string> all_in(const fs::path& folder, const std::string& pattern) {
  std::set<std::string> found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".cpp") found.merge(all_of(read(entry.path()), pattern));
  }
  return found;
}

// Whether the name stands in the page as a word of its own.
bool is_named(const std::string& page, const std::string& name) {
  const auto is_part = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  for (std::size_t at = page.find(name); at != std::string::npos; at = page.find(name, at + 1)) {
    const bool begins = at == 0 || !is_part(page[at - 1]);
    const std::size_t end = at + name.size();
    if (begins && (end == page.size() || !is_part(page[end]))) return true;
  }
  return false;
}
void expect_named(const char* page, const std::set<std::string>& names, std::size_t at_least) {
  const std::string text = read(root / page);
  EXPECT_GE(names.size(), at_least) << "the sources are written differently now; see the head of this file";
  for (const std::string& name : names) EXPECT_TRUE(is_named(text, name)) << page << " does not name " << name;
}

// --- links ---

std::vector<fs::path> pages() {
  std::vector<fs::path> all;
  for (fs::recursive_directory_iterator at(root), end; at != end; ++at) {
    const std::string name = at->path().filename().string();
    if (at->is_directory() && (name == "build" || name.starts_with('.'))) {
      at.disable_recursion_pending();
    } else if (at->path().extension() == ".md") {
      all.push_back(at->path());
    }
  }
  return all;
}

// The page without what is code: there brackets are no links.
std::string prose(const std::string& page) {
  std::string text;
  bool fenced = false;
  for (std::size_t at = 0; at < page.size();) {
    const std::size_t end = std::min(page.find('\n', at), page.size());
    const std::string line = page.substr(at, end - at);
    if (line.starts_with("```")) {
      fenced = !fenced;
    } else if (!fenced) {
      text += line + '\n';
    }
    at = end + 1;
  }
  return text;
}

// The anchor that a heading gets: lower case, blanks to hyphens, marks left out.
std::string anchor(const std::string& heading) {
  std::string made;
  for (const char c : heading) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == ' ') made += '-';
    if (std::isalnum(byte) != 0 || c == '-' || c == '_' || byte >= 0x80) made += static_cast<char>(std::tolower(byte));
  }
  return made;
}
std::set<std::string> anchors(const fs::path& page) {
  std::set<std::string> all;
  for (const std::string& heading : all_of(prose("\n" + read(page)), "\n#+ ([^\n]*)")) all.insert(anchor(heading));
  return all;
}

TEST(Docs, EveryRelativeLinkLeadsSomewhere) {
  std::size_t checked = 0;
  for (const fs::path& page : pages()) {
    for (const std::string& link : all_of(prose(read(page)), R"(\]\(([^)\s]+)\))")) {
      if (link.find("://") != std::string::npos || link.starts_with("mailto:")) continue;
      ++checked;
      const std::size_t hash = link.find('#');
      const fs::path target = hash == 0 ? page : page.parent_path() / link.substr(0, hash);
      EXPECT_TRUE(fs::exists(target)) << page << ": " << link;
      if (hash == std::string::npos || !fs::exists(target)) continue;
      EXPECT_TRUE(anchors(target).contains(link.substr(hash + 1))) << page << ": " << link;
    }
  }
  EXPECT_GE(checked, 50U);
}

// --- the POS protocol ---

TEST(Docs, ThePosProtocolNamesEveryMethod) {
  auto methods = all_of(read(root / "src/pos/methods.cpp"), R"rx(\{"([a-z_]+)", &Methods::)rx");
  methods.merge(all_of(read(root / "src/pos/methods.cpp"), R"rx(method == "([a-z_]+)")rx"));
  EXPECT_TRUE(methods.contains("subscribe"));
  expect_named("docs/pos_protocol.md", methods, 24);
}

TEST(Docs, ThePosProtocolAndOperationsNameEveryErrorCode) {
  std::set<std::string> codes;
  for (const auto& [code, name] : words<PosCode>) codes.insert(std::string(name));
  expect_named("docs/pos_protocol.md", codes, 32);
  codes.erase("invalid_params");  // a mistake of the POS, nothing to show
  expect_named("docs/operations.md", codes, 31);
}

TEST(Docs, ThePosProtocolNamesEveryEvent) {
  constexpr const char* form =
      R"rx("((?:offline_status|link|limit|deadline|sync|clock|store|reader|policy|payments|certificate)\.[a-z_]+)")rx";
  auto types = all_in(root / "src/terminal", form);
  types.merge(all_in(root / "src/pos", form));
  for (const auto& [status, name] : words<Status>) {
    if (status == Status::RequiresPaymentMethod || status == Status::RequiresConfirmation) continue;  // never recorded
    types.insert("payment_intent." + std::string(name));
  }
  expect_named("docs/pos_protocol.md", types, 20);
}

TEST(Docs, ThePosProtocolNamesEveryStatusAndWord) {
  std::set<std::string> names;
  for (const auto& [value, name] : words<Status>) names.insert(std::string(name));
  for (const auto& [value, name] : words<ReadMethod>) names.insert(std::string(name));
  for (const auto& [value, name] : words<CancelReason>) names.insert(std::string(name));
  for (const auto& [value, name] : words<OfflineBehavior>) names.insert(std::string(name));
  for (const auto& [value, name] : words<OnNetworkLoss>) names.insert(std::string(name));
  for (const auto& [value, name] : words<Route>) names.insert(std::string(name));
  expect_named("docs/pos_protocol.md", names, 28);
}

// --- configuration, policy, simulator ---

constexpr const char* quoted_name = R"rx("([a-z][a-z0-9_]{0,24})")rx";

TEST(Docs, OperationsNamesEveryKeyOfTheConfiguration) {
  expect_named("docs/operations.md", all_of(read(root / "src/config/config.cpp"), quoted_name), 40);
}

TEST(Docs, ThePolicyPageNamesEveryKey) {
  auto keys = all_of(read(root / "src/config/policy_parse.cpp"), quoted_name);
  keys.merge(all_of(read(root / "src/config/policy_limits.cpp"), quoted_name));
  expect_named("docs/policy.md", keys, 35);
}

TEST(Docs, TheSimulatedReaderNamesEveryMethodAndFault) {
  expect_named("docs/simulated_reader.md",
               all_of(read(root / "hal/sim/sim_methods.cpp"), R"rx(method == "([a-z_]+)")rx"), 7);
  expect_named("docs/simulated_reader.md",
               all_of(read(root / "simulator/acquirer/faults.cpp"), R"rx(FaultKind::\w+, "([a-z_]+)")rx"), 16);
}

// --- claims ---

TEST(Docs, EveryTestThatTheThreatModelNamesExists) {
  std::set<std::string> tests;
  const std::regex form(R"((?:TEST|TEST_F|TEST_P|RC_GTEST_PROP)\(\s*(\w+),\s*(\w+))");
  for (const auto& entry : fs::recursive_directory_iterator(root / "tests")) {
    if (entry.path().extension() != ".cpp") continue;
    const std::string text = read(entry.path());
    for (std::sregex_iterator at(text.begin(), text.end(), form), end; at != end; ++at) {
      tests.insert((*at)[1].str() + "." + (*at)[2].str());
    }
  }
  const auto named = all_of(read(root / "docs/threat_model.md"), R"(`([A-Z]\w*\.[A-Za-z]\w*)`)");
  EXPECT_GE(named.size(), 50U);
  for (const std::string& name : named) EXPECT_TRUE(tests.contains(name)) << "there is no test " << name;
}

}  // namespace
}  // namespace nightdrop
