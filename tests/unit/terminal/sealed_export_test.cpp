// The sealed export and what it covers, in virtual time.
#include "unit/terminal/bench.hpp"

#include "crypto/primitives.hpp"

namespace nightdrop::test {
namespace {

std::vector<Json> lines_of(const std::string& text) {
  std::vector<Json> lines;
  std::size_t at = 0;
  for (std::size_t end = text.find('\n'); end != std::string::npos; at = end + 1, end = text.find('\n', at)) {
    auto line = Json::parse(text.substr(at, end - at));
    EXPECT_TRUE(line.has_value());
    if (line) lines.push_back(std::move(*line));
  }
  EXPECT_EQ(at, text.size()) << "the last line is ended";
  return lines;
}

struct Export : testing::Test {
  terminal::SealedExport made() {
    auto result = bench.terminal->export_sealed();
    EXPECT_TRUE(result.has_value());
    return result ? *result : terminal::SealedExport{};
  }
  void received() {
    EXPECT_TRUE(bench.terminal->exported(made()).has_value());
    bench.run();
  }
  bool covered() {
    std::int64_t count = 0;
    return terminal::may_erase(*bench.store, bench.settings.sha256, count).has_value();
  }
  Bench bench;
};

TEST_F(Export, CarriesTheVeryBytesThatAreSent) {
  bench.offline();
  const std::string id = bench.stored(1'500);
  const terminal::SealedExport sealed = made();
  const auto lines = lines_of(sealed.text);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0]["format"].string(), "nightdrop-sealed/1");
  EXPECT_EQ(lines[0]["count"].integer(), 1);
  EXPECT_EQ(lines[1]["key"].string(), id);
  EXPECT_EQ(lines[1]["status"].string(), "stored");
  bench.online();
  bench.run();
  ASSERT_TRUE(bench.ledger.contains(id));
  EXPECT_NE(sealed.text.find(bench.ledger[id]), std::string::npos) << "other bytes would be a conflict at the acquirer";
}

TEST_F(Export, NothingWaitsAndNothingHasToBeExported) {
  EXPECT_TRUE(covered());
  EXPECT_EQ(lines_of(made().text).size(), 2U);
}

TEST_F(Export, CoversWhatItHoldsAndNothingThatCameAfter) {
  bench.offline();
  const std::string id = bench.stored(1'000);
  EXPECT_FALSE(covered()) << "never exported";
  (void)made();
  EXPECT_FALSE(covered()) << "nobody has received it";
  received();
  EXPECT_TRUE(covered());
  bench.restart();
  EXPECT_TRUE(covered()) << "after a restart too";
  bench.advance(3'600'000);
  EXPECT_TRUE(covered()) << "time alone changes no payment";
  (void)bench.stored(1'100);
  EXPECT_FALSE(covered()) << "one was stored since";
  received();
  EXPECT_TRUE(covered());
  bench.cancel(id);
  bench.run();
  EXPECT_FALSE(covered()) << "one was voided since: the acquirer would post it";
}

TEST_F(Export, ATipAfterItIsNotCovered) {
  bench.offline();
  const std::string id = bench.stored(1'000);
  received();
  bench.terminal->checkout().adjust(id, 200, [](const auto&) {});
  bench.run();
  EXPECT_FALSE(covered());
}

TEST_F(Export, AnAttemptWithoutAnAnswerChangesNothingThatTheAcquirerSees) {
  bench.offline();
  const std::string id = bench.stored(1'000);
  received();
  bench.plan[id] = [](const hal::HostRequest&) { return hal::HostOutcome(hal::Unknown{}); };
  bench.online();
  bench.run();
  EXPECT_TRUE(bench.row(id).sent);
  bench.offline();
  EXPECT_TRUE(covered());
  EXPECT_TRUE(lines_of(made().text)[1]["outcome_unknown"].boolean().value_or(false));
}

TEST_F(Export, ALostTurnRemembersNoExport) {
  bench.offline();
  (void)bench.stored(1'000);
  const auto sealed = made();
  bench.commit_fails = true;
  (void)bench.terminal->exported(sealed);
  bench.run();
  bench.commit_fails = false;
  bench.restart();
  EXPECT_FALSE(covered());
}

}  // namespace
}  // namespace nightdrop::test
