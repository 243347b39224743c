// The control socket from outside: lines in, lines out, and what the world then looks like.
#include "hal/sim/sim_control.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include <sys/stat.h>
#include <sys/un.h>

#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include "world_sockets.hpp"

namespace nightdrop::hal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ControlTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto links = SimLinks::create({.acquirer_host = "127.0.0.1", .acquirer_port = 1},
                                  [this](std::function<void()> what) { asio::post(loop_, std::move(what)); });
    ASSERT_TRUE(links.has_value());
    links_ = std::move(*links);
    std::filesystem::remove(path_);
    control_ = open();
    ASSERT_NE(control_, nullptr);
    fd_ = connect_to_socket();
  }
  void TearDown() override {
    if (fd_ >= 0) close(fd_);
    control_.reset();
    std::filesystem::remove(path_);
  }
  SimWorld world() {
    SimCardHooks cards;
    cards.catalogue = [] {
      Json all = Json::array();
      all.push(std::move(Json::object().set("name", "visa_contactless")));
      return all;
    };
    return SimWorld{*links_, clock_, faults_, indicator_, tamper_, std::move(cards), [this] { ++clock_changes_; }};
  }
  std::unique_ptr<SimControl> open();
  int connect_to_socket() const {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy(path_.begin(), path_.end(), address.sun_path);
    EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  void say(const std::string& text) const {
    ASSERT_EQ(send(fd_, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  // Turns the loop until a line has come; empty when the connection ended instead.
  std::string line() {
    const auto deadline = std::chrono::steady_clock::now() + test::patience;
    while (std::chrono::steady_clock::now() < deadline) {
      if (const auto end = in_.find('\n'); end != std::string::npos) {
        std::string one = in_.substr(0, end);
        in_.erase(0, end + 1);
        return one;
      }
      loop_.run_one_for(std::chrono::milliseconds(20));
      std::array<char, 4096> block{};
      const ssize_t got = recv(fd_, block.data(), block.size(), MSG_DONTWAIT);
      if (got == 0) return {};
      if (got > 0) in_.append(block.data(), static_cast<std::size_t>(got));
    }
    ADD_FAILURE() << "no line came";
    return {};
  }
  // The answer's whole object.
  Json call(const std::string& method, const std::string& params = "") {
    say(R"({"jsonrpc":"2.0","id":7,"method":")" + method + "\"" + (params.empty() ? "" : ",\"params\":" + params) +
        "}\n");
    auto reply = Json::parse(line());
    EXPECT_TRUE(reply.has_value());
    if (!reply) return {};
    EXPECT_EQ((*reply)["id"].integer(), 7);
    return std::move(*reply);
  }
  // The field that -32602 names; anything else comes out as text.
  std::string refused_field(const std::string& method, const std::string& params) {
    const Json reply = call(method, params);
    if (reply["error"]["code"].integer() != -32602) return reply.dump();
    return std::string(reply["error"]["data"]["field"].string().value_or("no field"));
  }

  const std::string path_ = testing::TempDir() + "nightdrop-sim-" + std::to_string(getpid()) + ".sock";
  asio::io_context loop_;
  std::unique_ptr<SimLinks> links_;
  SimClock clock_;
  SimFaults faults_;
  SimIndicator indicator_;
  SimTamper tamper_;
  int clock_changes_{0};
  std::vector<std::string> presented_;
  int removed_{0};
  std::unique_ptr<SimControl> control_;
  int fd_{-1};
  std::string in_;
};

std::unique_ptr<SimControl> ControlTest::open() {
  SimWorld all = world();
  all.cards.check = [](JsonView card) -> std::expected<void, SimFieldError> {
    if (card.is_string() && card.string() != "visa_contactless")
      return std::unexpected(SimFieldError{"card", "is not in the catalogue"});
    if (card.is_object() && !card["pan"].is_string()) return std::unexpected(SimFieldError{"pan", "is missing"});
    return {};
  };
  all.cards.present = [this](JsonView card, int repeat) {
    presented_.push_back(card.dump() + " x" + std::to_string(repeat));
  };
  all.cards.remove = [this] { ++removed_; };
  all.cards.prompts = [] { return std::move(Json::object().set("open", false)); };
  auto made = SimControl::create(loop_, path_, std::move(all));
  EXPECT_TRUE(made.has_value());
  return made ? std::move(*made) : nullptr;
}

TEST_F(ControlTest, TheSocketIsItsOwnersAlone) {
  struct stat status{};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  control_.reset();
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(ControlTest, AStaleSocketIsReplacedAndALiveOneIsNot) {
  const auto second = SimControl::create(loop_, path_, world());
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, Errc::Busy);
  EXPECT_TRUE(std::filesystem::exists(path_));
  // What a killed process leaves: a bound name that nobody listens at.
  const std::string stale = path_ + ".stale";
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(stale.begin(), stale.end(), address.sun_path);
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  close(fd);
  EXPECT_TRUE(SimControl::create(loop_, stale, world()).has_value());
  EXPECT_EQ(SimControl::create(loop_, std::string(200, 'x'), world()).error().code, Errc::InvalidArgument);
}

TEST_F(ControlTest, CardsAreListedPresentedAndRemoved) {
  EXPECT_EQ(call("list_cards")["result"]["cards"].items().at(0)["name"].string(), "visa_contactless");
  EXPECT_TRUE(call("present_card", R"({"card":"visa_contactless"})")["result"].is_object());
  call("present_card", R"({"card":{"pan":"4242"},"repeat":3})");
  call("present_card", R"({"pan":"4242","exp_month":1})");
  EXPECT_THAT(presented_,
              ElementsAre(R"("visa_contactless" x1)", R"({"pan":"4242"} x3)", R"({"pan":"4242","exp_month":1} x1)"));
  call("remove_card");
  EXPECT_EQ(removed_, 1);
}

TEST_F(ControlTest, ADelayedCardComesLater) {
  call("present_card", R"({"card":"visa_contactless","delay_ms":30})");
  EXPECT_TRUE(presented_.empty());
  const auto deadline = std::chrono::steady_clock::now() + test::patience;
  while (presented_.empty() && std::chrono::steady_clock::now() < deadline) loop_.run_one_for(test::patience);
  EXPECT_THAT(presented_, ElementsAre(R"("visa_contactless" x1)"));
}

TEST_F(ControlTest, ADelayedCardDiesWithTheSocket) {
  call("present_card", R"({"card":"visa_contactless","delay_ms":1})");
  control_.reset();
  loop_.run_for(std::chrono::milliseconds(50));
  EXPECT_TRUE(presented_.empty());
}

TEST_F(ControlTest, WhatIsWrongWithACardIsNamed) {
  EXPECT_EQ(refused_field("present_card", "{}"), "card");
  EXPECT_EQ(refused_field("present_card", R"({"card":"visa_none"})"), "card");
  EXPECT_EQ(refused_field("present_card", R"({"card":7})"), "card");
  EXPECT_EQ(refused_field("present_card", R"({"card":{}})"), "pan");
  EXPECT_EQ(refused_field("present_card", R"({"card":"visa_contactless","delay":5})"), "delay");
  EXPECT_EQ(refused_field("present_card", R"({"card":"visa_contactless","delay_ms":-1})"), "delay_ms");
  EXPECT_EQ(refused_field("present_card", R"({"card":"visa_contactless","repeat":0})"), "repeat");
  EXPECT_EQ(refused_field("remove_card", R"({"card":"visa_contactless"})"), "card");
  EXPECT_TRUE(presented_.empty());
}

TEST_F(ControlTest, ALinkIsInForceWhenItsAnswerComes) {
  const std::string address = links_->connect_to(Route::Wifi);
  EXPECT_EQ(test::Client(address).connect_error(), 0);
  EXPECT_EQ(call("set_link", R"({"link":"wifi","state":"down"})")["result"]["state"].string(), "down");
  EXPECT_EQ(test::Client(address).connect_error(), ECONNREFUSED);
  call("set_link",
       R"({"link":"cellular","state":"up","latency_ms":60,"loss_percent":1,"bytes_per_s":5000,"signal_dbm":-95})");
  call("set_link", R"({"link":"cellular","state":"blackhole","latency_ms":70})");
  const SimLinkSettings expected{
      .mode = SimLinkMode::Blackhole, .latency_ms = 70, .loss_percent = 1, .bytes_per_s = 5000, .signal_dbm = -95};
  EXPECT_EQ(links_->settings(Route::Cellular), expected) << "what is not named stays";
}

TEST_F(ControlTest, WhatIsWrongWithALinkIsNamedAndNothingChanges) {
  const SimLinkSettings before = links_->settings(Route::Wifi);
  EXPECT_EQ(refused_field("set_link", R"({"state":"down"})"), "link");
  EXPECT_EQ(refused_field("set_link", R"({"link":"wlan","state":"down"})"), "link");
  EXPECT_EQ(refused_field("set_link", R"({"link":"wifi"})"), "state");
  EXPECT_EQ(refused_field("set_link", R"({"link":"wifi","state":"broken"})"), "state");
  EXPECT_EQ(refused_field("set_link", R"({"link":"wifi","state":"down","latency":5})"), "latency");
  EXPECT_EQ(refused_field("set_link", R"({"link":"wifi","state":"down","latency_ms":1.5})"), "latency_ms");
  EXPECT_EQ(refused_field("set_link", R"({"link":"wifi","state":"down","loss_percent":101})"), "loss_percent");
  EXPECT_EQ(refused_field("set_link", R"({"link":"wifi","state":"down","bytes_per_s":-1})"), "bytes_per_s");
  EXPECT_EQ(refused_field("set_link", R"({"link":"wifi","state":"down","signal_dbm":"weak"})"), "signal_dbm");
  EXPECT_EQ(links_->settings(Route::Wifi), before);
}

TEST_F(ControlTest, TheClockIsSetAndTheDaemonIsTold) {
  const Json set = call("set_clock", R"({"utc":"2026-11-21T19:40:00Z","trusted":false})");
  EXPECT_THAT(std::string(set["result"]["utc"].string().value_or("")), HasSubstr("2026-11-21T19:4"));
  EXPECT_EQ(set["result"]["trusted"].boolean(), false);
  const auto before = clock_.monotonic();
  call("set_clock", R"({"advance_s":7200})");
  EXPECT_GE(clock_.monotonic() - before, std::chrono::hours(2));
  EXPECT_EQ(clock_changes_, 2);
  EXPECT_EQ(refused_field("set_clock", "{}"), "utc");
  EXPECT_EQ(refused_field("set_clock", R"({"utc":"yesterday"})"), "utc");
  EXPECT_EQ(refused_field("set_clock", R"({"trusted":1})"), "trusted");
  EXPECT_EQ(refused_field("set_clock", R"({"advance_s":-1})"), "advance_s");
  EXPECT_EQ(refused_field("set_clock", R"({"advance_s":5,"trusted":true})"), "advance_s");
  EXPECT_EQ(refused_field("set_clock", R"({"advance_ms":5})"), "advance_ms");
  EXPECT_EQ(clock_changes_, 2);
}

TEST_F(ControlTest, FaultsAreOrdered) {
  EXPECT_TRUE(call("fail", R"({"what":"disk_full","count":2})")["result"].is_object());
  EXPECT_EQ(faults_.left(SimFault::DiskFull), 2u);
  EXPECT_EQ(refused_field("fail", R"({"what":"everything","count":2})"), "what");
  EXPECT_EQ(refused_field("fail", R"({"what":"vault","count":-2})"), "count");
  EXPECT_EQ(refused_field("fail", R"({"what":"vault","times":2})"), "times");
}

TEST_F(ControlTest, TheStateShowsTheWorld) {
  indicator_.show(Indication::StoredOffline);
  faults_.order(SimFault::Vault, 4);
  const Json reply = call("get_state");
  const JsonView state = reply["result"];
  EXPECT_EQ(state["links"]["wifi"]["state"].string(), "up");
  EXPECT_EQ(state["links"]["ethernet"]["state"].string(), "down");
  EXPECT_TRUE(state["links"]["ethernet"]["signal_dbm"].is_null());
  EXPECT_EQ(state["indicator"].string(), "stored_offline");
  EXPECT_EQ(state["prompts"]["open"].boolean(), false);
  EXPECT_EQ(state["faults"]["vault"].integer(), 4);
  EXPECT_EQ(state["clock"]["boot_id"].string(), clock_.boot_id());
}

TEST_F(ControlTest, SpeaksJsonRpc) {
  const auto code_of = [&](const std::string& text) {
    say(text + "\n");
    const auto reply = Json::parse(line());
    return reply ? (*reply)["error"]["code"].integer().value_or(0) : 0;
  };
  EXPECT_EQ(code_of("{"), -32700);
  EXPECT_EQ(code_of("[]"), -32600);
  EXPECT_EQ(code_of(R"({"id":1,"method":"get_state"})"), -32600);
  EXPECT_EQ(code_of(R"({"jsonrpc":"2.0","id":{},"method":"get_state"})"), -32600);
  EXPECT_EQ(code_of(R"({"jsonrpc":"2.0","id":1})"), -32600);
  EXPECT_EQ(code_of(R"({"jsonrpc":"2.0","id":1,"method":"explode"})"), -32601);
  EXPECT_EQ(code_of(R"({"jsonrpc":"2.0","id":1,"method":"get_state","params":[]})"), -32602);
  // A notification has its effect and no answer; the next line's answer is the next to come.
  say(R"({"jsonrpc":"2.0","method":"remove_card"})"
      "\n");
  call("get_state");
  EXPECT_EQ(removed_, 1);
}

TEST_F(ControlTest, SeveralLinesInOneWriteAreAnsweredInOrder) {
  say(R"({"jsonrpc":"2.0","id":"a","method":"remove_card"})"
      "\n"
      R"({"jsonrpc":"2.0","id":"b","method":"remove_card"})"
      "\n");
  EXPECT_THAT(line(), HasSubstr(R"("id":"a")"));
  EXPECT_THAT(line(), HasSubstr(R"("id":"b")"));
  EXPECT_EQ(removed_, 2);
}

TEST_F(ControlTest, ALineWithoutAnEndIsRefusedAndTheConnectionClosed) {
  say(std::string(66'000, 'x'));
  EXPECT_THAT(line(), HasSubstr("-32600"));
  EXPECT_EQ(line(), "");
}

}  // namespace
}  // namespace nightdrop::hal
