// The house's own rules, read off the tree: who may include whom, which folder may use which library, who may name a
// concrete adapter, how long a file is, and that the lifecycle drawn in docs/design.md is the one in the code. Each
// check is also shown a bad sample, so that a check that sees nothing is itself a failure.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "engine/lifecycle.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop {
namespace {

namespace fs = std::filesystem;
const fs::path root = NIGHTDROP_SOURCE_DIR;

struct File {
  std::string path;  // from the root
  std::string text;
};

bool is_code(const fs::path& path) {
  const auto ending = path.extension();
  return ending == ".cpp" || ending == ".hpp" || ending == ".h" || ending == ".inc";
}

std::vector<File> read_tree() {
  std::vector<File> files;
  for (const char* top : {"include", "src", "hal", "firmware", "simulator", "keys", "tests"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / top)) {
      if (!entry.is_regular_file() || !is_code(entry.path())) continue;
      std::ifstream in(entry.path());
      std::stringstream text;
      text << in.rdbuf();
      files.push_back({fs::relative(entry.path(), root).generic_string(), text.str()});
    }
  }
  return files;
}

// The folder a file belongs to: src/store, hal/sim, include, tests …
std::string folder_of(const std::string& path) {
  const std::size_t first = path.find('/');
  const std::string top = path.substr(0, first);
  if (top != "src" && top != "hal") return top;
  return path.substr(0, path.find('/', first + 1));
}

// The folder that a quoted include leads to; empty: the includer's own.
std::string target_of(const std::string& include) {
  static const std::map<std::string, std::string> roots{
      {"nightdrop", "include"}, {"firmware", "firmware"}, {"simulator", "simulator"}, {"keys", "keys"},
      {"unit", "tests"},        {"fuzz", "tests"},        {"e2e", "tests"},           {"bench", "tests"},
      {"powerloss", "tests"},   {"vectors", "tests"},     {"tests", "tests"},         {"simulation", "tests"},
      {"property", "tests"}};
  const std::size_t slash = include.find('/');
  if (slash == std::string::npos) return "";
  const std::string first = include.substr(0, slash);
  if (first == "hal") {
    const std::string second = include.substr(slash + 1, include.find('/', slash + 1) - slash - 1);
    return second == "sim" || second == "linux" ? "hal/" + second : "hal/include";
  }
  const auto found = roots.find(first);
  return found == roots.end() ? "src/" + first : found->second;
}

// Who may include whom, besides themselves. Folders that are not named may include all: the composition roots and
// tests.
const std::map<std::string, std::set<std::string>> directions{
    {"include", {}},
    {"hal/include", {"include"}},
    {"src/engine", {"include"}},
    {"src/emv", {"include"}},
    {"src/json", {"include"}},
    {"src/config", {"include", "src/json"}},
    {"src/crypto", {"include", "hal/include", "src/pkcs11"}},
    {"src/store", {"include", "hal/include"}},
    {"src/pkcs11", {"include", "hal/include"}},
    {"src/x509", {"include"}},
    {"src/provisioning", {"include", "hal/include", "src/json", "src/config", "src/crypto", "src/x509"}},
    {"src/links", {"include", "hal/include"}},
    {"src/acquirer", {"include", "hal/include", "src/json"}},
    {"src/report", {"include", "hal/include", "src/json"}},
    {"src/terminal",
     {"include", "hal/include", "src/json", "src/emv", "src/engine", "src/acquirer", "src/links", "src/report"}},
    {"src/pos", {"include", "hal/include", "src/json", "src/emv", "src/report", "src/terminal"}},
    {"src/cli", {"include", "src/json", "src/config", "src/crypto", "src/report"}},
    {"hal/linux", {"include", "hal/include", "src/x509"}},
    {"hal/sim", {"include", "hal/include", "src/emv", "src/json"}},
};

// Which folders may use which library. Tests may use all.
const std::vector<std::pair<std::string, std::set<std::string>>> libraries{
    {"psa/", {"src/crypto"}},
    {"mbedtls/", {"src/crypto"}},
    {"sqlcipher/", {"src/store"}},
    {"sqlite3", {"src/store"}},
    {"curl/", {"hal/linux"}},
    {"cjson/", {"src/json"}},
    {"asio", {"src/pos", "hal/sim", "firmware"}},
    {"sdbus-c++", {"hal/linux"}},
    {"httplib", {"simulator"}},
    {"openssl/", {"hal/linux", "src/x509", "simulator"}},
    {"p11-kit/", {"src/pkcs11"}},
    {"qrencode", {"keys"}},
    {"png.h", {"keys"}},
    {"spdlog/", {"firmware"}},
    {"fmt/", {"firmware", "src/cli", "simulator", "keys"}},
    {"CLI/", {"firmware", "src/cli", "simulator", "keys"}},
};

// The adapters, and where they live; besides there, only composition roots and tests name them.
const std::map<std::string, std::string> adapters{
    {"SqlCipherStore", "src/store"}, {"SealedKeyVault", "src/crypto"}, {"CurlHostLink", "hal/linux"},
    {"SystemClock", "hal/linux"},    {"SimClock", "hal/sim"},          {"SimLinks", "hal/sim"},
    {"SimCardReader", "hal/sim"},    {"SimControl", "hal/sim"},        {"SimIndicator", "hal/sim"},
    {"SimEntropy", "hal/sim"},       {"SystemdWatchdog", "hal/linux"}, {"FileCertificate", "hal/linux"},
};
const std::set<std::string> composition_roots{"firmware", "simulator", "keys", "tests"};

using Faults = std::vector<std::string>;

std::vector<std::pair<std::string, bool>> includes_of(const std::string& text) {
  static const std::regex form(R"((?:^|\n)[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"])");
  std::vector<std::pair<std::string, bool>> found;  // the name, and whether it is quoted
  for (std::sregex_iterator at(text.begin(), text.end(), form), end; at != end; ++at)
    found.emplace_back((*at)[2], (*at)[1] == "\"");
  return found;
}

Faults check_includes(const File& file) {
  Faults faults;
  const std::string folder = folder_of(file.path);
  const auto allowed = directions.find(folder);
  for (const auto& [name, quoted] : includes_of(file.text)) {
    const auto library =
        std::ranges::find_if(libraries, [&name = name](const auto& each) { return name.starts_with(each.first); });
    if (!quoted && library != libraries.end() && folder != "tests" && !library->second.contains(folder)) {
      faults.push_back(file.path + " includes <" + name + ">");
    }
    if (!quoted || allowed == directions.end()) continue;
    const std::string target = target_of(name);
    if (!target.empty() && target != folder && !allowed->second.contains(target))
      faults.push_back(file.path + " includes \"" + name + "\"");
  }
  if (folder.starts_with("src/") && !directions.contains(folder))
    faults.push_back(file.path + ": the folder has no direction here");
  return faults;
}

Faults check_adapters(const File& file) {
  Faults faults;
  const std::string folder = folder_of(file.path);
  if (composition_roots.contains(folder)) return faults;
  for (const auto& [adapter, home] : adapters) {
    if (folder != home && std::regex_search(file.text, std::regex("\\b" + adapter + "\\b")))
      faults.push_back(file.path + " names " + adapter);
  }
  return faults;
}

Faults check_text(const File& file) {
  Faults faults;
  const auto lines = std::ranges::count(file.text, '\n');
  if (lines > 600) faults.push_back(file.path + " has " + std::to_string(lines) + " lines");
  static const std::regex marker(
      "\\b(TO"
      "DO|FIX"
      "ME|XX"
      "X|HA"
      "CK)\\b");
  std::smatch found;
  if (std::regex_search(file.text, found, marker)) faults.push_back(file.path + " is marked " + found.str());
  static const std::regex whole_namespace(R"((?:^|\n)using namespace)");
  if (file.path.ends_with(".hpp") && std::regex_search(file.text, whole_namespace))
    faults.push_back(file.path + " has using namespace");
  if (file.path.ends_with(".hpp") && file.text.find("#pragma once") == std::string::npos)
    faults.push_back(file.path + " has no #pragma once");
  return faults;
}

Faults check_tests(const File& file) {
  Faults faults;
  // A bench is no test: it measures what an idle reader does in real time.
  if (folder_of(file.path) != "tests" || file.path.starts_with("tests/bench/")) return faults;
  static const std::regex lazy(
      "sleep"
      "_for|\\bsl"
      "eep\\(|GTEST"
      "_SKIP|DIS"
      "ABLED_");
  std::smatch found;
  if (std::regex_search(file.text, found, lazy)) faults.push_back(file.path + " has " + found.str());
  return faults;
}

// The table as docs/design.md shall draw it.
std::string lifecycle_table() {
  std::string table = "| event |";
  std::string line = "| --- |";
  for (std::size_t s = 0; s < status_count; ++s) {
    table += " `" + std::string(word(static_cast<Status>(s))) + "` |";
    line += " --- |";
  }
  table += "\n" + line + "\n";
  for (std::size_t e = 0; e < engine::event_count; ++e) {
    table += "| `" + std::string(engine::event_names[e]) + "` |";
    for (std::size_t s = 0; s < status_count; ++s) {
      const auto to = engine::next(static_cast<Status>(s), static_cast<engine::Event>(e));
      table += to ? " " + std::string(word(*to)) + " |" : " |";
    }
    table += "\n";
  }
  return table;
}

// What stands between the page's markers; nothing where a marker is missing.
std::optional<std::string> drawn_table(const std::string& page) {
  const std::string begin = "<!-- lifecycle:begin -->\n";
  const std::size_t from = page.find(begin);
  const std::size_t to = page.find("<!-- lifecycle:end -->");
  if (from == std::string::npos || to == std::string::npos || to < from) return std::nullopt;
  return page.substr(from + begin.size(), to - from - begin.size());
}

template <class Check>
void expect_clean(const Check& check) {
  const auto files = read_tree();
  ASSERT_GT(files.size(), 150U) << "the tree was not found";
  for (const File& file : files) {
    for (const std::string& fault : check(file)) ADD_FAILURE() << fault;
  }
}

TEST(House, IncludesGoTheWayOfTheDesign) {
  expect_clean(check_includes);
}
TEST(House, OnlyCompositionRootsNameAdapters) {
  expect_clean(check_adapters);
}
TEST(House, FilesAreShortAndFinished) {
  expect_clean(check_text);
}
TEST(House, TestsNeitherSleepNorSkip) {
  expect_clean(check_tests);
}

TEST(House, EveryFolderOfSrcHasItsDirection) {
  for (const auto& entry : fs::directory_iterator(root / "src")) {
    if (!entry.is_directory()) continue;
    EXPECT_TRUE(directions.contains("src/" + entry.path().filename().string())) << entry.path();
  }
}

TEST(House, EveryAdapterThatIsNamedHereExists) {
  std::set<std::string> missing;
  for (const auto& [adapter, home] : adapters) missing.insert(adapter);
  for (const File& file : read_tree()) {
    for (const auto& [adapter, home] : adapters) {
      if (folder_of(file.path) == home && file.text.find("class " + adapter + " ") != std::string::npos)
        missing.erase(adapter);
    }
  }
  EXPECT_EQ(missing, std::set<std::string>{}) << "a renamed adapter would no longer be watched";
}

TEST(House, TheDrawnLifecycleIsTheOneInTheCode) {
  std::ifstream in(root / "docs" / "design.md");
  std::stringstream page;
  page << in.rdbuf();
  const auto drawn = drawn_table(page.str());
  ASSERT_TRUE(drawn) << "docs/design.md has no lifecycle section";
  EXPECT_EQ(*drawn, lifecycle_table()) << "put this between the markers:\n" << lifecycle_table();
}

// --- the checks see what they are there for ---

TEST(HouseCheck, SeesAWrongDirection) {
  const auto faults = [](const char* path, const char* include) {
    return check_includes({path, std::string("#include ") + include + "\n"}).size();
  };
  EXPECT_EQ(faults("src/engine/x.cpp", "\"hal/clock.hpp\""), 1U);
  EXPECT_EQ(faults("src/engine/x.cpp", "\"json/json.hpp\""), 1U);
  EXPECT_EQ(faults("src/engine/x.cpp", "\"nightdrop/payment.hpp\""), 0U);
  EXPECT_EQ(faults("src/engine/x.cpp", "\"engine/retry.hpp\""), 0U);
  EXPECT_EQ(faults("src/engine/x.cpp", "<vector>"), 0U);
  EXPECT_EQ(faults("include/nightdrop/x.hpp", "\"engine/retry.hpp\""), 1U);
  EXPECT_EQ(faults("src/store/x.cpp", "\"engine/settle.hpp\""), 1U);
  EXPECT_EQ(faults("src/store/x.cpp", "\"crypto/primitives.hpp\""), 1U);
  EXPECT_EQ(faults("src/terminal/x.cpp", "\"store/sqlcipher_store.hpp\""), 1U);
  EXPECT_EQ(faults("src/terminal/x.cpp", "\"hal/sim/sim_clock.hpp\""), 1U);
  EXPECT_EQ(faults("src/terminal/x.cpp", "\"hal/clock.hpp\""), 0U);
  EXPECT_EQ(faults("hal/linux/x.cpp", "\"hal/sim/sim_clock.hpp\""), 1U);
  EXPECT_EQ(faults("hal/sim/x.cpp", "\"emv/tlv.hpp\""), 0U);
  EXPECT_EQ(faults("hal/sim/x.cpp", "\"terminal/terminal.hpp\""), 1U);
  EXPECT_EQ(faults("firmware/nightdropd/x.cpp", "\"store/sqlcipher_store.hpp\""), 0U);
  EXPECT_EQ(faults("src/brand_new/x.cpp", "<vector>"), 1U) << "a new folder must be given its direction";
  EXPECT_EQ(faults("src/engine/x.cpp", "  \"hal/clock.hpp\""), 1U);
}

TEST(HouseCheck, SeesALibraryInTheWrongFolder) {
  const auto faults = [](const char* path, const char* include) {
    return check_includes({path, std::string("#include ") + include}).size();
  };
  for (const char* library : {"<psa/crypto.h>", "<mbedtls/aes.h>", "<sqlcipher/sqlite3.h>", "<sqlite3.h>",
                              "<curl/curl.h>", "<cjson/cJSON.h>", "<asio/io_context.hpp>", "<asio.hpp>", "<httplib.h>",
                              "<openssl/ssl.h>", "<spdlog/spdlog.h>", "<fmt/format.h>", "<CLI/CLI.hpp>"}) {
    EXPECT_EQ(faults("src/engine/x.cpp", library), 1U) << library;
    EXPECT_EQ(faults("src/terminal/x.cpp", library), 1U) << library;
    EXPECT_EQ(faults("tests/unit/x_test.cpp", library), 0U) << library;
  }
  EXPECT_EQ(faults("src/crypto/x.cpp", "<psa/crypto.h>"), 0U);
  EXPECT_EQ(faults("src/store/x.cpp", "<sqlcipher/sqlite3.h>"), 0U);
  EXPECT_EQ(faults("simulator/x.cpp", "<psa/crypto.h>"), 1U) << "only src/crypto";
}

TEST(HouseCheck, SeesAnAdapterNamedOutsideOfItsHome) {
  EXPECT_EQ(check_adapters({"src/terminal/x.cpp", "SqlCipherStore store;"}).size(), 1U);
  EXPECT_EQ(check_adapters({"include/nightdrop/x.hpp", "class SealedKeyVault;"}).size(), 1U);
  EXPECT_EQ(check_adapters({"src/store/x.cpp", "SqlCipherStore store;"}).size(), 0U);
  EXPECT_EQ(check_adapters({"firmware/nightdropd/x.cpp", "SqlCipherStore store;"}).size(), 0U);
  EXPECT_EQ(check_adapters({"src/terminal/x.cpp", "MySqlCipherStoreLike"}).size(), 0U);
}

TEST(HouseCheck, SeesLongAndUnfinishedFiles) {
  const std::string header = "#pragma once\n";
  EXPECT_EQ(check_text({"src/x/x.hpp", header}).size(), 0U);
  EXPECT_EQ(check_text({"src/x/x.hpp", header + std::string(599, '\n')}).size(), 0U);
  EXPECT_EQ(check_text({"src/x/x.hpp", header + std::string(600, '\n')}).size(), 1U);
  for (const char* marker : {"TO"
                             "DO",
                             "FIX"
                             "ME",
                             "XX"
                             "X",
                             "HA"
                             "CK"}) {
    EXPECT_EQ(check_text({"src/x/x.cpp", std::string("// ") + marker + ": later"}).size(), 1U) << marker;
  }
  EXPECT_EQ(check_text({"src/x/x.cpp",
                        "nightdrop-store-XX"
                        "XXXX"})
                .size(),
            0U)
      << "a template of mkdtemp";
  EXPECT_EQ(check_text({"src/x/x.hpp", header + "using namespace std;\n"}).size(), 1U);
  EXPECT_EQ(check_text({"src/x/x.cpp", "\nusing namespace std::chrono;\n"}).size(), 0U);
  EXPECT_EQ(check_text({"src/x/x.hpp", "int x;\n"}).size(), 1U);
}

TEST(HouseCheck, SeesTestsThatSleepOrSkip) {
  EXPECT_EQ(check_tests({"tests/unit/x_test.cpp", std::string("std::this_thread::sleep") + "_for(1s);"}).size(), 1U);
  EXPECT_EQ(check_tests({"tests/unit/x_test.cpp", std::string("GTEST") + "_SKIP();"}).size(), 1U);
  EXPECT_EQ(check_tests({"tests/unit/x_test.cpp", std::string("TEST(A, DIS") + "ABLED_B)"}).size(), 1U);
  EXPECT_EQ(check_tests({"hal/linux/x.cpp", std::string("std::this_thread::sleep") + "_for(1s);"}).size(), 0U);
}

TEST(HouseCheck, SeesATableThatIsNotTheCodes) {
  EXPECT_EQ(drawn_table("no markers"), std::nullopt);
  EXPECT_EQ(drawn_table("<!-- lifecycle:end --><!-- lifecycle:begin -->\n"), std::nullopt);
  std::string page = "# Page\n<!-- lifecycle:begin -->\n" + lifecycle_table() + "<!-- lifecycle:end -->\nmore";
  EXPECT_EQ(drawn_table(page), lifecycle_table());
  page.replace(page.find("requires_confirmation |"), 23, "succeeded |");
  EXPECT_NE(drawn_table(page), lifecycle_table());
  EXPECT_EQ(std::ranges::count(lifecycle_table(), '\n'), static_cast<std::ptrdiff_t>(engine::event_count) + 2);
}

}  // namespace
}  // namespace nightdrop
