// A newer policy on the real programs: taken without a restart, refused without harm, cut by SIGKILL between any two
// steps, read again on SIGHUP, tightened by an overlay. docs/policy.md.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "e2e/harness.hpp"

namespace nightdrop::e2e {
namespace {

namespace fs = std::filesystem;

std::string slurp(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void spill(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

class PolicyUpdate : public testing::Test {
 protected:
  // A signed policy laid over the configured one, beside it: NAME and NAME.sig.
  std::string signed_file(const std::string& patch, const std::string& name = "next.json") {
    spill(world_.path("unsigned.json"),
          merged(json(slurp(world_.path("policy.json"))).view(), json(patch).view()).dump());
    const Ended made = run("nightdrop-provision", {"policy", "sign", "--key", world_.path("signing/policy_signing.key"),
                                                   "--in", world_.path("unsigned.json"), "--out", world_.path(name)});
    EXPECT_EQ(made.exit_code, 0) << made.err;
    return world_.path(name);
  }
  Ended nightdrop(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--socket", world_.path("run/pos.sock")});
    return run("nightdrop", arguments);
  }
  Ended update(const std::string& file) { return nightdrop({"policy", "update", "--file", file}); }
  std::string call_params(const std::string& file) {
    Json params = Json::object();
    params.set("document", slurp(file)).set("signature", slurp(file + ".sig"));
    return params.dump();
  }
  std::int64_t version() { return *world_.call("retrieve_policy")["version"].integer(); }
  JsonView standing(const Answer& status) { return status["policy"]; }
  // All events of a type, from the first.
  std::vector<Json> events(const std::string& type) {
    const Answer journal = world_.call("audit_export", R"({"limit":1000})");
    std::vector<Json> found;
    for (const JsonView line : journal["lines"].items()) {
      if (!line["event"].is_string()) continue;
      Json event = json(*line["event"].string());
      if (event["type"].string() == type) found.push_back(std::move(event));
    }
    return found;
  }
  // Adds the overlay to the configuration; the next start finds it.
  void configure_overlay(const std::string& text) {
    spill(world_.path("overlay.json"), text);
    spill(world_.path("nightdrop.json"), merged(json(slurp(world_.path("nightdrop.json"))).view(),
                                                json(R"({"policy_overlay_file":"overlay.json"})").view())
                                             .dump());
  }

  World world_{WorldOptions{.acquirer = false}};
};

TEST_F(PolicyUpdate, IsInForceFromTheNextDecisionAndKeepsDeadlines) {
  world_.offline();
  const Answer before = world_.pay(5'000, new_card());
  ASSERT_EQ(before.word(), "stored");
  const std::string deadline(*before["offline"]["deadline"].string());
  const Ended ended =
      update(signed_file(R"({"version":2,"forward_deadline_s":60,"currencies":{"usd":{"per_transaction":100}}})"));
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_NE(ended.out.find("version 2"), std::string::npos) << ended.out;
  EXPECT_WORD(world_.pay(101, new_card()), "amount_exceeds_max_offline_amount");
  EXPECT_WORD(world_.pay(100, new_card()), "stored");
  EXPECT_EQ(*world_.retrieve(before.id())["offline"]["deadline"].string(), deadline);
  EXPECT_EQ(version(), 2);
  const auto changed = events("policy.changed");
  ASSERT_EQ(changed.size(), 1U);
  EXPECT_HOLDS(changed[0], R"({"data":{"version":2,"from_version":1}})");

  world_.restart();
  EXPECT_EQ(version(), 2) << "the configured file is still version 1";
  EXPECT_HOLDS(world_.offline_status(), R"({"policy":{"version":2,"refused":null}})");
  EXPECT_EQ(events("policy.changed").size(), 1U);
  EXPECT_TRUE(events("policy.refused").empty());
}

TEST_F(PolicyUpdate, WhatIsRefusedChangesNothingAndIsToldUntilAGoodOneComes) {
  const std::string second = signed_file(R"({"version":2})", "second.json");
  ASSERT_EQ(update(signed_file(R"({"version":3,"device_count":50})", "third.json")).exit_code, 0);
  const auto expect_refused = [&](const std::string& file, const std::string& why) {
    const Ended ended = update(file);
    EXPECT_EQ(ended.exit_code, 3) << why << ended.err;
    EXPECT_NE(ended.err.find(why), std::string::npos) << ended.err;
    EXPECT_NE(nightdrop({"status"}).out.find(why), std::string::npos);
    EXPECT_EQ(version(), 3);
    EXPECT_EQ(*world_.call("retrieve_policy")["device_count"].integer(), 50);
  };
  expect_refused(second, "version: is older");
  expect_refused(signed_file(R"({"version":3,"device_count":51})"), "version: is the one that is in force");
  expect_refused(signed_file(R"({"version":4,"merchant_id":"m_9999"})"), "merchant_id");
  const std::string fourth = signed_file(R"({"version":4})", "fourth.json");
  const std::string good = slurp(fourth);
  spill(fourth, good + " ");
  expect_refused(fourth, "signature");
  EXPECT_EQ(events("policy.refused").size(), 4U);
  EXPECT_HOLDS(events("policy.refused")[0], R"({"data":{"what":"update"}})");

  world_.restart();
  EXPECT_HOLDS(world_.offline_status(), R"({"policy":{"version":3,"refused":{"origin":"update"}}})");
  spill(fourth, good);
  EXPECT_EQ(update(fourth).exit_code, 0);
  EXPECT_HOLDS(world_.offline_status(), R"({"policy":{"version":4,"refused":null}})");
  EXPECT_EQ(update(fourth).exit_code, 0) << "the same again is no refusal";
}

TEST_F(PolicyUpdate, ParamsAreReadStrictly) {
  EXPECT_WORD(world_.call("update_policy", R"({"document":"{}"})"), "invalid_params");
  EXPECT_WORD(world_.call("update_policy", R"({"signature":"AAAA"})"), "invalid_params");
  EXPECT_WORD(world_.call("update_policy", R"({"file":"/etc/passwd"})"), "invalid_params");
  EXPECT_WORD(world_.call("update_policy", R"({"document":"{}","signature":"AAAA"})"), "policy_refused");
  EXPECT_EQ(nightdrop({"policy", "update", "--file", world_.path("none.json")}).exit_code, 66);
  std::string bins;
  for (int i = 0; i < 9'000; ++i) bins += (i == 0 ? "\"" : ",\"") + std::to_string(100'000 + i) + "\"";
  const std::string large = signed_file(R"({"version":2,"blocked_bins":[)" + bins + "]}");
  const Ended ended = update(large);
  EXPECT_EQ(ended.exit_code, 65);
  EXPECT_NE(ended.err.find("policy reload"), std::string::npos) << ended.err;
  fs::rename(large, world_.path("policy.json"));
  fs::rename(large + ".sig", world_.path("policy.json.sig"));
  EXPECT_EQ(nightdrop({"policy", "reload"}).exit_code, 0);
  EXPECT_EQ(version(), 2);
}

TEST_F(PolicyUpdate, AHangUpReadsTheConfiguredFilesAgain) {
  world_.sign_policy(R"({"version":2,"device_count":9})");
  Rpc watch = world_.connect();
  (void)watch.call("subscribe", R"({"consumer":"watch","types":["policy.changed","policy.refused"]})");
  ::kill(world_.daemon_id(), SIGHUP);
  EXPECT_HOLDS(watch.event("policy.changed"), R"({"data":{"version":2,"from_version":1}})");
  EXPECT_EQ(*world_.call("retrieve_policy")["device_count"].integer(), 9);
  fs::remove(world_.path("policy.json.sig"));
  ::kill(world_.daemon_id(), SIGHUP);
  EXPECT_HOLDS(watch.event("policy.refused"), R"({"data":{"what":"configured"}})");
  EXPECT_EQ(version(), 2);
  world_.restart();
  EXPECT_EQ(version(), 2) << "the accepted copy stays in force";
  EXPECT_HOLDS(world_.offline_status(), R"({"policy":{"version":2,"refused":{"origin":"configured"}}})");
  EXPECT_NE(world_.log().find("stays in force"), std::string::npos);
}

// The daemon dies at a moment of its own choosing while policies come: after each start the policy in force is whole,
// never older than one that was answered for, and the journal knows it.
TEST_F(PolicyUpdate, ACutBetweenTheStepsLeavesOneOfThemWhole) {
  constexpr int rounds = 12;
  std::int64_t answered = 1;
  std::vector<std::string> calls;
  for (int next = 2; next < 2 + rounds; ++next) {
    const std::string n = std::to_string(next);
    calls.push_back(
        call_params(signed_file(R"({"version":)" + n + R"(,"device_count":)" + n + "}", "p" + n + ".json")));
  }
  for (int round = 0; round < rounds; ++round) {
    Rpc pos = world_.connect();
    const std::uint64_t id = pos.begin("update_policy", calls[static_cast<std::size_t>(round)]);
    if (round % 3 == 0) {
      EXPECT_TRUE(pos.wait(id).ok());
      answered = round + 2;
    } else {
      // Not long enough, sometimes, for the steps to come to their end.
      (void)pos.next_event(Milliseconds(round % 3 == 1 ? 0 : 2));
    }
    world_.restart();
    const std::int64_t now = version();
    EXPECT_GE(now, answered) << "what was answered for is durable";
    EXPECT_LE(now, round + 2);
    EXPECT_EQ(*world_.call("retrieve_policy")["device_count"].integer(), now == 1 ? 100 : now) << "one of them, whole";
    EXPECT_HOLDS(world_.offline_status(), R"({"policy":{"refused":null}})");
    const auto changed = events("policy.changed");
    EXPECT_EQ(changed.empty() ? 1 : *changed.back()["data"]["version"].integer(), now) << "the journal says the same";
  }
}

// The very moment between the copy and the journal: the copy is there, the commit is not.
TEST_F(PolicyUpdate, ACutBetweenTheCopyAndTheJournalIsGoneOnWith) {
  const std::string second = signed_file(R"({"version":2,"device_count":2})");
  (void)world_.stop();
  const std::string copy = world_.path("queue/policy.accepted.json");
  Json handed_in = Json::object();
  handed_in.set("document", slurp(second)).set("signature", slurp(second + ".sig"));
  handed_in.set("supersedes",
                slurp(world_.path("policy.json.sig")).substr(0, slurp(world_.path("policy.json.sig")).find('\n')));
  spill(copy, merged(json(slurp(copy)).view(), handed_in.view()).dump());
  spill(copy + ".new", "{\"document\":");
  world_.start();
  EXPECT_EQ(version(), 2);
  EXPECT_EQ(*world_.call("retrieve_policy")["device_count"].integer(), 2);
  const auto changed = events("policy.changed");
  ASSERT_EQ(changed.size(), 1U);
  EXPECT_HOLDS(changed[0], R"({"data":{"version":2,"from_version":1}})");
  EXPECT_TRUE(events("policy.refused").empty());
  EXPECT_EQ(update(signed_file(R"({"version":3})")).exit_code, 0);
}

TEST_F(PolicyUpdate, AnOverlayTightensAndWhatWouldLoosenIsLeftOut) {
  (void)world_.stop();
  configure_overlay(R"({"currencies":{"usd":{"per_transaction":300}}})");
  world_.start();
  world_.offline();
  EXPECT_WORD(world_.pay(301, new_card()), "amount_exceeds_max_offline_amount");
  EXPECT_WORD(world_.pay(300, new_card()), "stored");
  EXPECT_HOLDS(world_.offline_status(), R"({"policy":{"overlay":"in_force","overlay_reason":null}})");

  // One field too many: it is named, and the others are in force.
  spill(world_.path("overlay.json"), R"({"currencies":{"usd":{"per_transaction":20000}},"device_count":2})");
  const Ended reloaded = nightdrop({"policy", "reload"});
  EXPECT_EQ(reloaded.exit_code, 0);
  EXPECT_NE(reloaded.out.find("currencies.usd.per_transaction"), std::string::npos) << reloaded.out;
  EXPECT_WORD(world_.pay(10'001, new_card()), "amount_exceeds_max_offline_amount");
  EXPECT_WORD(world_.pay(10'000, new_card()), "stored");
  EXPECT_WORD(world_.pay(10'000, new_card()), "offline_count_limit_reached");
  const char* left_out = R"({"policy":{"overlay":"in_part",
      "overlay_reason":"currencies.usd.per_transaction: would allow more than the signed policy"}})";
  EXPECT_HOLDS(world_.offline_status(), left_out);
  const auto refused = events("policy.refused");
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_HOLDS(refused[0], R"({"data":{"what":"overlay",
      "reason":"currencies.usd.per_transaction: would allow more than the signed policy"}})");
  EXPECT_NE(nightdrop({"status"}).out.find("currencies.usd.per_transaction"), std::string::npos);
  world_.restart();
  EXPECT_HOLDS(world_.offline_status(), left_out);
  EXPECT_EQ(world_.call("retrieve_policy")["device_count"].integer(), 2);

  // One that cannot be read as an overlay is refused whole.
  spill(world_.path("overlay.json"), R"({"device_count":2,"devce_count":1})");
  EXPECT_EQ(nightdrop({"policy", "reload"}).exit_code, 0);
  EXPECT_HOLDS(world_.offline_status(), R"({"policy":{"overlay":"refused"}})");
  EXPECT_EQ(world_.call("retrieve_policy")["device_count"].integer(), 100);
  EXPECT_EQ(events("policy.refused").back()["data"]["reason"].string(), "devce_count: is an unknown key");
  spill(world_.path("overlay.json"), "{}");
  EXPECT_EQ(nightdrop({"policy", "reload"}).exit_code, 0);
  EXPECT_HOLDS(world_.offline_status(), R"({"policy":{"overlay":"in_force","overlay_reason":null}})");
}

TEST_F(PolicyUpdate, AFailingDiskLeavesTheOldOneInForceUntilItIsAskedAgain) {
  const std::string params = call_params(signed_file(R"({"version":2})"));
  world_.fail("commit_error", 1);
  const Answer answer = world_.call("update_policy", params);
  EXPECT_WORD(answer, "store_unavailable");
  EXPECT_TRUE(world_.call("update_policy", params).ok());
  EXPECT_EQ(version(), 2);
  const auto changed = events("policy.changed");
  ASSERT_FALSE(changed.empty());
  EXPECT_HOLDS(changed.back(), R"({"data":{"version":2,"from_version":1}})");
}

TEST_F(PolicyUpdate, APolicyThatSoonRunsOutIsWarnedOf) {
  EXPECT_TRUE(events("policy.expiring").empty());
  EXPECT_HOLDS(world_.offline_status(), R"({"policy":{"expires_soon":false}})");
  world_.advance(3'652 * 86'400 - 6 * 86'400);
  EXPECT_HOLDS(world_.offline_status(), R"({"policy":{"expires_soon":true}})");
  EXPECT_NE(nightdrop({"status"}).out.find("a newer one is needed"), std::string::npos);
  world_.await("the warning", [&] { return events("policy.expiring").size() == 1; });
  EXPECT_TRUE(world_.call("subscribe", R"({"consumer":"till","types":["policy.expiring"]})").ok());
  EXPECT_EQ(update(signed_file(R"({"version":2,"valid_until":"2070-01-01T00:00:00Z"})")).exit_code, 0);
  EXPECT_HOLDS(world_.offline_status(), R"({"policy":{"expires_soon":false}})");
  EXPECT_EQ(events("policy.expiring").size(), 1U);
}

}  // namespace
}  // namespace nightdrop::e2e
