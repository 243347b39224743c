// The route chooser alone: only an answered probe makes a route good, a flapping link asks again at each return, and
// the answer to a probe that was sent in an earlier life of the link says nothing about this one.
#include "links/route_chooser.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace nightdrop::links {
namespace {

constexpr Route wifi = Route::Wifi;

class Chooser : public testing::Test {
 protected:
  void up(Route route) { chooser.link({route, true, std::nullopt}, now); }
  void down(Route route) { chooser.link({route, false, std::nullopt}, now); }
  RouteChooser::Probe take(bool something_waits = true) {
    const auto probe = chooser.take_probe(now, something_waits);
    EXPECT_TRUE(probe.has_value());
    return probe.value_or(RouteChooser::Probe{});
  }
  void make_good(Route route) {
    up(route);
    const auto probe = take();
    EXPECT_EQ(probe.route, route);
    chooser.probe_answered(probe, now, true);
    EXPECT_EQ(chooser.quality(route), Quality::Good);
  }
  RouteChooser chooser;
  std::int64_t now{1'000};
};

TEST_F(Chooser, KnowsNothingWithoutLinks) {
  EXPECT_EQ(chooser.good(), std::nullopt);
  EXPECT_EQ(chooser.status(), NetworkStatus::Offline);
  EXPECT_FALSE(chooser.probing());
  EXPECT_EQ(chooser.take_probe(now, true), std::nullopt);
  EXPECT_EQ(chooser.next_probe_at(now, true), std::nullopt);
}

TEST_F(Chooser, ALinkThatIsUpIsNotOnlineUntilTheAcquirerAnswers) {
  up(wifi);
  EXPECT_EQ(chooser.status(), NetworkStatus::Unknown);
  EXPECT_EQ(chooser.good(), std::nullopt);
  EXPECT_TRUE(chooser.probing());
  EXPECT_EQ(chooser.next_probe_at(now, false), now);
  const auto probe = take();
  EXPECT_EQ(chooser.take_probe(now, true), std::nullopt) << "one probe at a time";
  EXPECT_TRUE(chooser.probing());
  chooser.probe_answered(probe, now, true);
  EXPECT_EQ(chooser.good(), wifi);
  EXPECT_EQ(chooser.status(), NetworkStatus::Online);
  EXPECT_FALSE(chooser.probing());
  EXPECT_EQ(chooser.next_probe_at(now, true), std::nullopt) << "a good route is left alone";
}

TEST_F(Chooser, PrefersEthernetThenWifiThenCellular) {
  make_good(Route::Cellular);
  EXPECT_EQ(chooser.good(), Route::Cellular);
  make_good(Route::Wifi);
  EXPECT_EQ(chooser.good(), Route::Wifi);
  make_good(Route::Ethernet);
  EXPECT_EQ(chooser.good(), Route::Ethernet);
  down(Route::Ethernet);
  EXPECT_EQ(chooser.good(), Route::Wifi);
  down(Route::Wifi);
  EXPECT_EQ(chooser.good(), Route::Cellular);
  down(Route::Cellular);
  EXPECT_EQ(chooser.status(), NetworkStatus::Offline);
}

TEST_F(Chooser, IsUndecidedWhileOneRouteIsBadAndAnotherWasNotAsked) {
  up(wifi);
  chooser.probe_answered(take(), now, false);
  EXPECT_EQ(chooser.status(), NetworkStatus::Offline);
  up(Route::Cellular);
  EXPECT_EQ(chooser.status(), NetworkStatus::Unknown);
}

TEST_F(Chooser, AsksABadRouteAgainSoonerWhileSomethingWaits) {
  up(wifi);
  chooser.probe_answered(take(), now, false);
  EXPECT_EQ(chooser.next_probe_at(now, true), now + RouteChooser::probe_interval_ms);
  EXPECT_EQ(chooser.next_probe_at(now, false), now + RouteChooser::idle_probe_interval_ms);
  now += RouteChooser::probe_interval_ms - 1;
  EXPECT_EQ(chooser.take_probe(now, true), std::nullopt);
  now += 1;
  EXPECT_EQ(chooser.take_probe(now, false), std::nullopt) << "nothing waits: not yet";
  EXPECT_EQ(take(true).route, wifi);
}

TEST_F(Chooser, CountsTheIntervalFromTheAnswerNotFromTheQuestion) {
  up(wifi);
  const auto probe = take();
  now += 3'000;  // a black hole: the probe's own time-out
  chooser.probe_answered(probe, now, false);
  EXPECT_EQ(chooser.take_probe(now, true), std::nullopt);
  EXPECT_EQ(chooser.next_probe_at(now, true), now + RouteChooser::probe_interval_ms);
}

TEST_F(Chooser, ASuspectedRouteStaysUntilAProbeSaysOtherwise) {
  make_good(wifi);
  chooser.suspect(wifi, false);
  EXPECT_EQ(chooser.good(), wifi);
  const auto probe = take();
  EXPECT_EQ(chooser.good(), wifi);
  chooser.probe_answered(probe, now, false);
  EXPECT_EQ(chooser.good(), std::nullopt);
}

TEST_F(Chooser, ADeadRouteIsLeftAtOnceAndAskedAtOnce) {
  make_good(wifi);
  chooser.suspect(wifi, true);
  EXPECT_EQ(chooser.good(), std::nullopt);
  EXPECT_EQ(chooser.status(), NetworkStatus::Offline);
  EXPECT_TRUE(chooser.probing());
  EXPECT_EQ(take().route, wifi);
}

TEST_F(Chooser, SuspicionAboutALinkThatIsDownMeansNothing) {
  make_good(wifi);
  down(wifi);
  chooser.suspect(wifi, true);
  EXPECT_EQ(chooser.quality(wifi), Quality::Down);
  EXPECT_EQ(chooser.take_probe(now, true), std::nullopt);
}

TEST_F(Chooser, RefreshAsksBadRoutesNowAndGoodOnesNot) {
  make_good(Route::Cellular);
  up(wifi);
  chooser.probe_answered(take(), now, false);
  chooser.refresh();
  EXPECT_EQ(take().route, wifi);
  EXPECT_EQ(chooser.take_probe(now, true), std::nullopt);
}

TEST_F(Chooser, AGoodAnswerFromAnEarlierLifeIsNotBelieved) {
  up(wifi);
  const auto earlier = take();
  down(wifi);
  up(wifi);  // another network may be behind it now
  chooser.probe_answered(earlier, now, true);
  EXPECT_EQ(chooser.quality(wifi), Quality::Unknown);
  EXPECT_EQ(chooser.good(), std::nullopt);
}

TEST_F(Chooser, ALateAnswerDoesNotStandForTheProbeThatIsUnderWay) {
  up(wifi);
  const auto earlier = take();
  down(wifi);
  up(wifi);
  const auto now_under_way = take();
  chooser.probe_answered(earlier, now, false);
  EXPECT_EQ(chooser.quality(wifi), Quality::Unknown) << "the failure belongs to the life before";
  EXPECT_TRUE(chooser.probing()) << "the new probe is still under way";
  EXPECT_EQ(chooser.take_probe(now, true), std::nullopt);
  chooser.probe_answered(earlier, now, true);
  EXPECT_EQ(chooser.good(), std::nullopt);
  chooser.probe_answered(now_under_way, now, true);
  EXPECT_EQ(chooser.good(), wifi);
}

TEST_F(Chooser, AProbeThatEndsWhileTheLinkIsDownChangesNothing) {
  up(wifi);
  const auto probe = take();
  down(wifi);
  chooser.probe_answered(probe, now, true);
  EXPECT_EQ(chooser.quality(wifi), Quality::Down);
  EXPECT_EQ(chooser.good(), std::nullopt);
}

TEST_F(Chooser, AStormOfFlapsEndsInTheStateOfItsLastProbe) {
  std::vector<RouteChooser::Probe> late;
  for (int i = 0; i < 200; ++i, now += 7) {
    up(wifi);
    const auto probe = chooser.take_probe(now, true);
    ASSERT_TRUE(probe) << "each return of the link is asked about at once";
    late.push_back(*probe);
    up(wifi);  // said twice: no new life
    EXPECT_EQ(chooser.take_probe(now, true), std::nullopt);
    if (i + 1 < 200) down(wifi);
    // Answers come late, in any order, good and bad.
    if (i % 3 == 0) chooser.probe_answered(late[static_cast<std::size_t>(i / 2)], now, i % 2 == 0);
  }
  for (std::size_t i = 0; i + 1 < late.size(); ++i) chooser.probe_answered(late[i], now, true);
  EXPECT_EQ(chooser.quality(wifi), Quality::Unknown);
  chooser.probe_answered(late.back(), now, true);
  EXPECT_EQ(chooser.good(), wifi);
}

}  // namespace
}  // namespace nightdrop::links
