// `ceremony import` from outside: components under dual control, key blocks, and every way to get one wrong.
#include "crypto/primitives.hpp"
#include "e2e/ceremony/station.hpp"

namespace nightdrop {
namespace {

using test::Bytes;
using test::check_value;
using test::Ended;
using test::exclusive_or;
using test::MadeStation;
using testing::HasSubstr;
using testing::Not;

Bytes random(std::size_t size) {
  Bytes bytes(size);
  EXPECT_TRUE(random_bytes(bytes));
  return bytes;
}

TEST(Import, TakesTwoOrThreeComponentsOfEitherLength) {
  const MadeStation station;
  for (const std::size_t size : {16U, 32U}) {
    for (const std::size_t count : {2U, 3U}) {
      std::vector<Bytes> parts;
      Bytes whole(size);
      for (std::size_t i = 0; i < count; ++i) {
        parts.push_back(random(size));
        whole = exclusive_or(whole, parts.back());
      }
      const Ended ended = station.import("bdk", parts);
      EXPECT_EQ(ended.exit_code, 0) << ended.err;
      const std::string name = "bdk/" + check_value(whole).substr(0, 8);
      EXPECT_EQ(station.shown(name, "check_value"), "\"" + check_value(whole) + "\"");
      EXPECT_EQ(station.shown(name, "kind"), size == 16 ? "\"aes-128\"" : "\"aes-256\"");
      EXPECT_EQ(station.shown(name, "local"), "false") << "it was outside";
    }
  }
  EXPECT_EQ(station.ceremony("transcript", {"--verify"}).exit_code, 0);
}

TEST(Import, WritesDownWhoBroughtWhatAndNoComponent) {
  const MadeStation station;
  const std::vector<Bytes> parts{random(32), random(32)};
  const Bytes whole = exclusive_or(parts[0], parts[1]);
  const Ended ended = station.import("kbpk/acquirer", parts, {"--operator", "olga"});
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  const std::string transcript = station.ceremony("transcript").out;
  for (const std::string& text : {std::string("olga"), std::string("anna"), std::string("bert"), check_value(parts[0]),
                                  check_value(parts[1]), check_value(whole)}) {
    EXPECT_THAT(transcript, HasSubstr(text));
  }
  for (const Bytes& key : {parts[0], parts[1], whole}) {
    for (const std::string& text : {transcript, ended.out, ended.err}) {
      EXPECT_THAT(text, Not(HasSubstr(hex_lower(key))));
      EXPECT_THAT(text, Not(HasSubstr(hex_upper(key))));
    }
  }
}

TEST(Import, NamesTheComponentWhoseCheckValueIsAnother) {
  const MadeStation station;
  const Bytes a = random(16);
  const Bytes b = random(16);
  const auto with = [&](const std::string& first, const std::string& second, const std::string& whole) {
    return station.ceremony("import", {"--key", "kbpk/x", "--custodian", "anna", "--custodian", "bert",
                                       "--component-file", station.component("a", a, first), "--component-file",
                                       station.component("b", b, second), "--check-value", whole});
  };
  const std::string both = check_value(exclusive_or(a, b));
  const Ended first = with("0000000000", check_value(b), both);
  EXPECT_EQ(first.exit_code, 65);
  EXPECT_THAT(first.err, HasSubstr("component 1 of 2, custodian anna: its check value is another"));
  const Ended second = with(check_value(a), "0000000000", both);
  EXPECT_EQ(second.exit_code, 65);
  EXPECT_THAT(second.err, HasSubstr("component 2 of 2, custodian bert: its check value is another"));
  const Ended whole = with(check_value(a), check_value(b), check_value(a));
  EXPECT_EQ(whole.exit_code, 65);
  EXPECT_THAT(whole.err, HasSubstr("the whole key: its check value is another"));
  EXPECT_EQ(with(check_value(a), check_value(b).substr(0, 4), both).exit_code, 65) << "two bytes are no check value";
  EXPECT_THAT(station.keys(), Not(testing::Contains("kbpk/x")));
  EXPECT_EQ(with(check_value(a), check_value(b).substr(0, 6), both).exit_code, 0) << "three bytes are usual";
  EXPECT_THAT(station.keys(), testing::Contains("kbpk/x"));
}

TEST(Import, LetsNobodyGiveTwoComponents) {
  const MadeStation station;
  const Bytes a = random(16);
  const Bytes b = random(16);
  for (const char* same : {"anna", "Anna", " ANNA "}) {
    const Ended ended =
        station.ceremony("import", {"--key", "kbpk/x", "--custodian", "anna", "--custodian", same, "--component-file",
                                    station.component("a", a), "--component-file", station.component("b", b),
                                    "--check-value", check_value(exclusive_or(a, b))});
    EXPECT_EQ(ended.exit_code, 64);
    EXPECT_THAT(ended.err, HasSubstr("one person gives one component"));
  }
  EXPECT_THAT(station.keys(), Not(testing::Contains("kbpk/x")));
}

TEST(Import, RefusesComponentsThatGiveTheKeyAway) {
  const MadeStation station;
  const Bytes a = random(16);
  const Ended zeros = station.import("kbpk/x", {a, Bytes(16)});
  EXPECT_EQ(zeros.exit_code, 65);
  EXPECT_THAT(zeros.err, HasSubstr("component 2 of 2, custodian bert is zeros alone"));
  const Ended same = station.import("kbpk/x", {a, a});
  EXPECT_EQ(same.exit_code, 65);
  EXPECT_THAT(same.err, HasSubstr("the components are the same"));
}

TEST(Import, RefusesWhatIsNoComponentOfThisKey) {
  const MadeStation station;
  EXPECT_THAT(station.import("kbpk/x", {random(16), random(32)}).err, HasSubstr("component 2"));
  EXPECT_EQ(station.import("kbpk/x", {random(24), random(24)}).exit_code, 65);
  EXPECT_EQ(station.import("fingerprint/m_9", {random(16), random(16)}).exit_code, 65);
  EXPECT_EQ(station.import("policy", {random(16), random(16)}).exit_code, 64);
  EXPECT_EQ(station.import("kbpk/x", {random(16)}).exit_code, 64);
  const std::string open_file = station.component("open", random(16));
  ::chmod(open_file.c_str(), 0644);
  const Ended readable = station.ceremony("import", {"--key", "kbpk/x", "--custodian", "anna", "--custodian", "bert",
                                                     "--component-file", open_file, "--component-file", open_file});
  EXPECT_EQ(readable.exit_code, 66);
  EXPECT_THAT(readable.err, HasSubstr("0600"));
}

TEST(Import, TakesComponentsThatCustodiansMade) {
  const MadeStation station;
  std::vector<Bytes> parts;
  for (const char* name : {"one", "two"}) {
    const Ended made = test::run(test::provision, {"ceremony", "component", "--out", station.path(name)});
    ASSERT_EQ(made.exit_code, 0) << made.err;
    const std::string text = test::slurp(station.path(name));
    parts.push_back(from_hex(text.substr(0, 64)).value());
    EXPECT_EQ(text.substr(65), check_value(parts.back()) + "\n");
    EXPECT_THAT(made.out, HasSubstr(check_value(parts.back())));
    EXPECT_THAT(made.out, Not(HasSubstr(text.substr(0, 64))));
    struct stat about{};
    ASSERT_EQ(::stat(station.path(name).c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777, 0600U);
    EXPECT_EQ(test::run(test::provision, {"ceremony", "component", "--out", station.path(name)}).exit_code, 73);
  }
  EXPECT_NE(parts[0], parts[1]);
  const Ended ended =
      station.ceremony("import", {"--key", "kbpk/x", "--custodian", "anna", "--custodian", "bert", "--component-file",
                                  station.path("one"), "--component-file", station.path("two"), "--check-value",
                                  check_value(exclusive_or(parts[0], parts[1]))});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
}

TEST(Import, TakesAKeyOnce) {
  const MadeStation station;
  const std::vector<Bytes> parts{random(16), random(16)};
  EXPECT_EQ(station.import("kbpk/x", parts).exit_code, 0);
  const Ended again = station.import("kbpk/x", parts);
  EXPECT_EQ(again.exit_code, 73);
  EXPECT_THAT(again.err, HasSubstr("conflict"));
  EXPECT_EQ(station.import("transport", {random(32), random(32)}).exit_code, 73);
}

TEST(Import, TakesAKeyBlockOfTheRightUsageUnderTheRightKey) {
  const MadeStation station;
  const std::vector<Bytes> parts{random(32), random(32)};
  const Bytes kbpk = exclusive_or(parts[0], parts[1]);
  ASSERT_EQ(station.import("kbpk/acquirer", parts).exit_code, 0);
  const Bytes bdk = random(32);
  const auto block = [&](const char* usage, char mode, char exportability, const Bytes& under) {
    tr31::Header header;
    header.usage = usage;
    header.mode_of_use = mode;
    header.exportability = exportability;
    test::spill(station.path("block"), tr31::wrap(under, header, bdk).value() + "\n");
    return station.path("block");
  };
  const auto import = [&](const std::string& key, const std::string& file, std::vector<std::string> more = {}) {
    std::vector<std::string> options{"--key", key, "--tr31", file, "--kbpk", "acquirer"};
    options.insert(options.end(), more.begin(), more.end());
    return station.ceremony("import", options);
  };
  EXPECT_EQ(import("bdk", block("K0", 'B', 'N', kbpk)).exit_code, 65) << "no BDK";
  EXPECT_EQ(import("kbpk/two", block("B0", 'X', 'N', kbpk)).exit_code, 65) << "no KBPK";
  EXPECT_EQ(import("bdk", block("B0", 'X', 'N', random(32))).exit_code, 65) << "of another KBPK";
  EXPECT_EQ(import("bdk/00000000", block("B0", 'X', 'N', kbpk)).exit_code, 65) << "another name";
  EXPECT_EQ(import("bdk", block("B0", 'X', 'N', kbpk), {"--check-value", "0000000000"}).exit_code, 65);
  const Ended taken = import("bdk", block("B0", 'X', 'N', kbpk), {"--check-value", check_value(bdk)});
  EXPECT_EQ(taken.exit_code, 0) << taken.err;
  const std::string name = "bdk/" + check_value(bdk).substr(0, 8);
  EXPECT_EQ(station.shown(name, "check_value"), "\"" + check_value(bdk) + "\"");
  EXPECT_EQ(station.shown(name, "extractable"), "false") << "the block said so";
}

}  // namespace
}  // namespace nightdrop
