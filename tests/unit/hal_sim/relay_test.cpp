// The simulated links with real sockets: what each state does to TCP, and that delay, rate and loss slow a stream down
// without changing it. Times are compared with each other, or with what a timer cannot fall short of.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <future>

#include "hal/sim/sim_links.hpp"
#include "world_sockets.hpp"

namespace nightdrop::hal {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using test::Client;
using test::EchoServer;
using test::Heard;

constexpr milliseconds a_while{150};  // how long silence is listened to

class RelayTest : public ::testing::Test {
 protected:
  void SetUp() override { links_ = make({}); }
  std::unique_ptr<SimLinks> make(const std::string& state_file) {
    SimLinksConfig config;
    config.acquirer_host = "127.0.0.1";
    config.acquirer_port = echo_.port();
    config.state_file = state_file;
    auto made = SimLinks::create(config, [this](std::function<void()> what) { posted_.push_back(std::move(what)); });
    EXPECT_TRUE(made.has_value());
    return made ? std::move(*made) : nullptr;
  }
  Client client(Route route = Route::Wifi) const { return Client(links_->connect_to(route)); }
  void set(SimLinkMode mode, int latency_ms = 0, Route route = Route::Wifi) {
    SimLinkSettings settings;
    settings.mode = mode;
    settings.latency_ms = latency_ms;
    links_->set(route, settings);
  }
  void run_posted() {
    for (const auto& what : std::exchange(posted_, {})) what();
  }
  static std::string pattern(std::size_t size) {
    std::string bytes(size, '\0');
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i * 131 + i / 251) & 0xFF);
    return bytes;
  }
  // Sends all and hears it back, at the same time.
  static std::string there_and_back(const Client& client, const std::string& bytes) {
    const auto saying = std::async(std::launch::async, [&] { client.say(bytes); });
    return client.hear(bytes.size()).bytes;
  }
  static milliseconds since(steady_clock::time_point start) {
    return std::chrono::duration_cast<milliseconds>(steady_clock::now() - start);
  }

  EchoServer echo_;
  std::vector<std::function<void()>> posted_;
  std::unique_ptr<SimLinks> links_;
};

TEST_F(RelayTest, UpCarriesEveryByteBothWays) {
  const std::string bytes = pattern(3 * 1024 * 1024 + 17);
  EXPECT_TRUE(there_and_back(client(), bytes) == bytes);
}

TEST_F(RelayTest, AnEndOfOneSideIsCarriedAfterItsBytes) {
  const Client one = client();
  one.say("last words");
  one.end();
  EXPECT_EQ(one.hear(10).bytes, "last words");
  EXPECT_TRUE(one.hear(1).ended);
}

TEST_F(RelayTest, DownRefusesConnectsAndResetsWhatIsOpen) {
  const Client open = client();
  open.say("x");
  ASSERT_EQ(open.hear(1).bytes, "x");
  set(SimLinkMode::Down);
  EXPECT_EQ(open.hear(1).error, ECONNRESET);
  EXPECT_EQ(client().connect_error(), ECONNREFUSED);
  EXPECT_EQ(client(Route::Ethernet).connect_error(), ECONNREFUSED) << "down from the start";
}

TEST_F(RelayTest, AnAddressStaysTheSameOverDownAndUp) {
  const std::string address = links_->connect_to(Route::Wifi);
  for (int i = 0; i < 20; ++i) {
    set(SimLinkMode::Down);
    EXPECT_EQ(Client(address).connect_error(), ECONNREFUSED);
    set(SimLinkMode::Up);
    const Client again(address);
    again.say("back");
    EXPECT_EQ(again.hear(4).bytes, "back");
  }
  EXPECT_EQ(links_->connect_to(Route::Wifi), address);
}

TEST_F(RelayTest, ABlackHoleConnectsAndNothingComesBackUntilItIsOver) {
  const Client before = client();
  before.say("x");
  ASSERT_EQ(before.hear(1).bytes, "x");
  set(SimLinkMode::Blackhole);
  const Client within = client();
  EXPECT_EQ(within.connect_error(), 0);
  before.say("one");
  within.say("two");
  EXPECT_TRUE(before.hear(1, a_while).silent);
  EXPECT_TRUE(within.hear(1, a_while).silent);
  EXPECT_EQ(echo_.connections(), 1);
  set(SimLinkMode::Up);
  EXPECT_EQ(before.hear(3).bytes, "one");
  EXPECT_EQ(within.hear(3).bytes, "two");
}

TEST_F(RelayTest, ABlackHoleEndsInAReset) {
  set(SimLinkMode::Blackhole);
  const Client within = client();
  within.say("x");
  set(SimLinkMode::Down);
  const Heard heard = within.hear(1);
  EXPECT_EQ(heard.error, ECONNRESET);
}

TEST_F(RelayTest, ABlackHoleSwallowsAnyNumberOfConnections) {
  set(SimLinkMode::Blackhole);
  for (int i = 0; i < 600; ++i) {
    const Client gone = client();
    ASSERT_EQ(gone.connect_error(), 0);
    gone.say("hello?");
  }
  const Client last = client();
  last.say("here");
  set(SimLinkMode::Up);
  EXPECT_EQ(last.hear(4).bytes, "here");
}

TEST_F(RelayTest, APortalAnswersInTheAcquirersPlace) {
  const Client before = client();
  before.say("x");
  ASSERT_EQ(before.hear(1).bytes, "x");
  set(SimLinkMode::Captive);
  EXPECT_EQ(before.hear(1).error, ECONNRESET);
  const Client caught = client();
  caught.say("\x16\x03\x01");  // whatever it is, a TLS hello too
  const Heard page = caught.hear(1000);
  EXPECT_THAT(page.bytes, ::testing::StartsWith("HTTP/1.1 302 "));
  EXPECT_TRUE(page.ended);
  EXPECT_EQ(echo_.connections(), 1);
  set(SimLinkMode::Up);
  const Client after = client();
  after.say("y");
  EXPECT_EQ(after.hear(1).bytes, "y");
}

TEST_F(RelayTest, LatencyIsARoundTripAndOneMoreForTheConnect) {
  set(SimLinkMode::Up, 100);
  const auto start = steady_clock::now();
  const Client one = client();
  one.say("a");
  EXPECT_EQ(one.hear(1).bytes, "a");
  EXPECT_GE(since(start), milliseconds(200));
  const auto second = steady_clock::now();
  one.say("b");
  EXPECT_EQ(one.hear(1).bytes, "b");
  EXPECT_GE(since(second), milliseconds(100));
}

TEST_F(RelayTest, ASlowLinkDoesNotHoldUpAFastOne) {
  set(SimLinkMode::Up, 3000, Route::Cellular);
  set(SimLinkMode::Up, 0, Route::Ethernet);
  const Client slow = client(Route::Cellular);
  slow.say("slow");
  const Client fast = client(Route::Ethernet);
  fast.say("fast");
  EXPECT_EQ(fast.hear(4).bytes, "fast");
  EXPECT_TRUE(slow.hear(4, milliseconds(0)).silent);
}

TEST_F(RelayTest, ManyAreUnderWayAtOnce) {
  constexpr int count = 40;
  const milliseconds latency{200};
  set(SimLinkMode::Up, static_cast<int>(latency.count()));
  const auto start = steady_clock::now();
  std::vector<Client> clients;
  for (int i = 0; i < count; ++i) {
    clients.push_back(client());
    clients.back().say("m");
  }
  for (const Client& each : clients) EXPECT_EQ(each.hear(1).bytes, "m");
  EXPECT_LT(since(start), latency * count / 2) << "one after the other it would take " << count << " round trips";
}

TEST_F(RelayTest, AStreamIsInOrderUnderLatencyRateAndLoss) {
  SimLinkSettings rough{.mode = SimLinkMode::Up, .latency_ms = 20, .loss_percent = 2, .bytes_per_s = 400'000};
  links_->set(Route::Wifi, rough);
  const std::string bytes = pattern(60'000);
  EXPECT_TRUE(there_and_back(client(), bytes) == bytes);
  rough.latency_ms = 0;  // a shorter way must not let later bytes overtake
  const Client one = client();
  one.say(bytes.substr(0, 30'000));
  links_->set(Route::Wifi, rough);
  one.say(bytes.substr(30'000));
  EXPECT_TRUE(one.hear(bytes.size()).bytes == bytes);
}

TEST_F(RelayTest, ARateLimitsTheLinkNotTheConnection) {
  links_->set(Route::Wifi, {.mode = SimLinkMode::Up, .bytes_per_s = 50'000});
  const Client one = client();
  const Client two = client();
  const auto start = steady_clock::now();
  one.say(pattern(10'000));
  two.say(pattern(10'000));
  EXPECT_EQ(one.hear(10'000).bytes.size(), 10'000u);
  EXPECT_EQ(two.hear(10'000).bytes.size(), 10'000u);
  EXPECT_GE(since(start), milliseconds(390)) << "20,000 bytes at 50,000 a second";
}

TEST_F(RelayTest, LossIsARetransmissionLate) {
  links_->set(Route::Wifi, {.mode = SimLinkMode::Up, .loss_percent = 60});
  const Client one = client();
  const auto start = steady_clock::now();
  one.say(pattern(100 * 1448));  // that none of these is lost has a chance of 0.4^100
  EXPECT_EQ(one.hear(1448).bytes.size(), 1448u);
  EXPECT_GE(since(start), milliseconds(200));
}

TEST_F(RelayTest, AnAcquirerThatIsNotThereIsAnEndOfTheConnection) {
  SimLinksConfig config;
  config.acquirer_host = "127.0.0.1";
  {
    const EchoServer gone;
    config.acquirer_port = gone.port();
  }
  const auto links = SimLinks::create(config, [](const std::function<void()>&) {});
  ASSERT_TRUE(links.has_value());
  const Client one((*links)->connect_to(Route::Wifi));
  const Heard heard = one.hear(1);
  EXPECT_TRUE(heard.ended || heard.error == ECONNRESET);
}

TEST_F(RelayTest, TheMonitorIsToldWhatADeviceCanSee) {
  std::vector<std::pair<Route, bool>> seen;
  links_->on_change([&](const LinkState& state) { seen.emplace_back(state.route, state.up); });
  set(SimLinkMode::Blackhole);
  set(SimLinkMode::Captive);
  run_posted();
  EXPECT_EQ(seen.size(), 1u) << "the signal's value went away with the first set(); the black hole cannot be seen";
  seen.clear();
  set(SimLinkMode::Down);
  EXPECT_TRUE(seen.empty()) << "called from inside set()";
  set(SimLinkMode::Up, 0, Route::Cellular);
  run_posted();
  EXPECT_THAT(seen, ::testing::ElementsAre(std::pair(Route::Wifi, false), std::pair(Route::Cellular, true)));
  seen.clear();
  SimLinkSettings weak = links_->settings(Route::Cellular);
  weak.signal_dbm = -101;
  links_->set(Route::Cellular, weak);
  links_->set(Route::Cellular, weak);
  run_posted();
  EXPECT_EQ(seen.size(), 1u);
  EXPECT_EQ(links_->links()[static_cast<std::size_t>(Route::Cellular)].signal_dbm, -101);
}

TEST_F(RelayTest, AtFirstWifiIsUpAndTheOthersAreDown) {
  std::vector<bool> up;
  for (const LinkState& state : links_->links()) up.push_back(state.up);
  EXPECT_THAT(up, ::testing::ElementsAre(false, true, false));
}

TEST_F(RelayTest, ACallbackThatComesTooLateIsDropped) {
  links_->on_change([](const LinkState&) { ADD_FAILURE() << "called after the end"; });
  set(SimLinkMode::Down);
  links_.reset();
  run_posted();
}

TEST_F(RelayTest, TheLinksOutliveTheProcess) {
  const std::string file = testing::TempDir() + "nightdrop-sim-links-" + std::to_string(getpid()) + ".json";
  std::filesystem::remove(file);
  const SimLinkSettings weak{
      .mode = SimLinkMode::Blackhole, .latency_ms = 80, .loss_percent = 3, .bytes_per_s = 9000, .signal_dbm = -97};
  make(file)->set(Route::Cellular, weak);
  const auto again = make(file);
  EXPECT_EQ(again->settings(Route::Cellular), weak);
  EXPECT_EQ(again->settings(Route::Wifi), SimLinksConfig::default_links()[static_cast<std::size_t>(Route::Wifi)]);
  EXPECT_EQ(Client(again->connect_to(Route::Cellular)).connect_error(), 0);
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace nightdrop::hal
