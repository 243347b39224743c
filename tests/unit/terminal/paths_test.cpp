// Which way payments go, and what is told of the ways: each change once, and nothing at each probe.
#include <gtest/gtest.h>

#include "unit/terminal/bench.hpp"

namespace nightdrop::test {
namespace {

class Paths : public testing::Test {
 protected:
  Bench bench;
};

TEST_F(Paths, AnEventTellsAChangeAndNotEachProbe) {
  bench.acquirer_answers = false;
  bench.links.set(Route::Wifi, true);
  bench.run();
  bench.advance(10'000);
  (void)bench.stored(100);
  const auto events = bench.events().size();
  const int probes = bench.host.probes;
  bench.advance(600'000);
  EXPECT_GT(bench.host.probes, probes + 10) << "it goes on asking";
  EXPECT_EQ(bench.events().size(), events) << "and has nothing to say";
}

TEST_F(Paths, ALinkThatLeavesAndReturnsIsTold) {
  bench.online();
  bench.offline();
  bench.online();
  std::vector<std::string> states;
  for (const Json& each : bench.event_data("link.changed")) states.emplace_back(each["state"].string().value_or(""));
  EXPECT_EQ(states, (std::vector<std::string>{"up", "good", "down", "up", "good"}));
  EXPECT_EQ(bench.host.dropped, std::vector<Route>{Route::Wifi});
}

TEST_F(Paths, APathThatDiesUnderARequestIsToldToBeBad) {
  bench.online();
  bench.host.answer = [](const hal::HostRequest&) { return hal::NotSent{"refused", false}; };
  (void)bench.pay(100);
  std::vector<std::string> states;
  for (const Json& each : bench.event_data("link.changed")) states.emplace_back(each["state"].string().value_or(""));
  EXPECT_EQ(states, (std::vector<std::string>{"up", "good", "bad"}));
}

TEST_F(Paths, APaymentGoesByTheRouteThatIsGood) {
  bench.online(Route::Wifi);
  bench.online(Route::Cellular);
  (void)bench.pay(100);
  EXPECT_EQ(bench.host.log.back().route, Route::Wifi);
  bench.links.set(Route::Wifi, false);
  bench.run();
  EXPECT_EQ(bench.pay(100).text(), "succeeded");
  EXPECT_EQ(bench.host.log.back().route, Route::Cellular);
}

TEST_F(Paths, AnUntrustedClockAsksAGoodPathForTheTime) {
  bench.online();
  bench.advance(60'000);
  const int probes = bench.host.probes;
  bench.advance(600'000);
  EXPECT_EQ(bench.host.probes, probes) << "a good path is left alone";
  bench.clock.set_utc(bench.truth() + 3'600'000);
  bench.advance(61'000);
  EXPECT_GT(bench.host.probes, probes);
  EXPECT_TRUE(bench.terminal->books().clock().trusted);
  EXPECT_NEAR(static_cast<double>(bench.terminal->books().now()), static_cast<double>(bench.truth()), 1.0);
  EXPECT_EQ(bench.events("clock.untrusted").size(), 1U);
}

}  // namespace
}  // namespace nightdrop::test
