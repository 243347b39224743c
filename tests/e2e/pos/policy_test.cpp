// The signed policy: what is refused at the start, and what each key does to payments. docs/policy.md; RULES 11 to
// 15, 19.
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "e2e/harness.hpp"

namespace nightdrop::e2e {
namespace {

std::string slurp(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void spill(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

// "`nightdropd` refuses one that is unsigned, older, expired or above its ceiling"; "Unknown keys are refused." Here
// the reader has no accepted copy to go on with; what it does with one is in tests/e2e/policy.
TEST(Policy, WhatIsRefusedAtTheStart) {
  World world(WorldOptions{.policy = R"({"version":3})", .acquirer = false});
  (void)world.stop();
  const std::string policy = slurp(world.path("policy.json"));
  const std::string signature = slurp(world.path("policy.json.sig"));
  const auto with = [&](const std::string& patch) { return merged(json(policy).view(), json(patch).view()).dump(); };
  const auto expect_refused = [&](const char* why) {
    std::filesystem::remove(world.path("queue/policy.accepted.json"));
    const Ended ended = world.refused_start();
    EXPECT_EQ(ended.exit_code, 78) << why << ": " << ended.err;
    EXPECT_NE(ended.err.find("policy"), std::string::npos) << why << ": " << ended.err;
  };
  spill(world.path("policy.json"), policy + " ");
  expect_refused("a byte more than was signed");
  spill(world.path("policy.json"), with(R"({"device_count":5000})"));
  expect_refused("other words under the old signature");
  spill(world.path("policy.json"), policy);
  std::filesystem::remove(world.path("policy.json.sig"));
  expect_refused("unsigned");
  spill(world.path("policy.json.sig"), "AAAA" + signature.substr(4));
  expect_refused("a spoilt signature");
  world.write_policy(with(R"({"version":2})"), true);
  expect_refused("older than what this reader has had");
  world.write_policy(with(R"({"version":4,"valid_until":"2020-01-01T00:00:00Z","valid_from":"2019-01-01T00:00:00Z"})"),
                     true);
  expect_refused("expired before it was ever taken");
  world.write_policy(policy, true);
  world.start();
  EXPECT_TRUE(world.call("ping").ok());
}

// "a value above it [the ceiling] makes the policy invalid"; a wrong word or value too. The tool says so before it
// signs.
TEST(Policy, WhatIsInvalid) {
  World world(WorldOptions{.acquirer = false, .start = false});
  const std::string policy = slurp(world.path("policy.json"));
  const auto check = [&](const std::string& patch) {
    spill(world.path("checked.json"), merged(json(policy).view(), json(patch).view()).dump());
    return run("nightdrop-provision", {"policy", "check", world.path("checked.json")}).exit_code;
  };
  const std::string ceiling =
      R"({"currencies":{"eur":null,"gbp":null},"ceiling":{"device_count":100,"currencies":{"usd":{"per_transaction":10000}}}})";
  EXPECT_EQ(check(ceiling), 0);
  EXPECT_NE(check(merged(json(ceiling).view(), json(R"({"device_count":101})").view()).dump()), 0);
  EXPECT_NE(
      check(merged(json(ceiling).view(), json(R"({"currencies":{"usd":{"per_transaction":10001}}})").view()).dump()),
      0);
  for (const char* patch :
       {R"({"ceiling":{"device_count":99}})", R"({"ceiling":{"forward_deadline_s":3600}})", R"({"devce_count":5})",
        R"({"currencies":{"usd":{"per_transacton":5}}})", R"({"device_count":-1})", R"({"region":"MOON"})",
        R"({"version":0})", R"({"currencies":{"USD":{"per_transaction":5}}})"}) {
    EXPECT_NE(check(patch), 0) << patch;
  }
}

// "`region: "EEA"` means contact chip with offline PIN only".
TEST(Policy, TheEuropeanEconomicArea) {
  World world(WorldOptions{.policy = R"({"region":"EEA"})"});
  world.offline();
  EXPECT_WORD(world.pay(500, "visa_offline_pin"), "stored");
  for (const char* card : {"visa_contact", "visa_contactless", "visa_wallet", "mastercard_contactless"}) {
    EXPECT_WORD(world.pay(500, card), "entry_mode_not_allowed_offline") << card;
  }
  world.online();
  EXPECT_WORD(world.pay(500, "visa_contactless"), "succeeded");
}

// "`entry_modes_offline`: read methods"; "`fallbacks_per_spell`: per offline spell: from the first stored payment until
// the queue is empty and a path is up".
TEST(Policy, SwipesAndFallbacksWhereTheyAreAllowed) {
  World world(
      WorldOptions{.policy = R"({"entry_modes_offline":["contact_emv","contactless_emv","magnetic_stripe_track2",
      "magnetic_stripe_fallback","keyed"],"fallbacks_per_spell":2,"per_card_count":10})"});
  for (int spell = 0; spell < 2; ++spell) {
    world.offline();
    EXPECT_WORD(world.pay(100, "visa_swipe"), "stored");
    EXPECT_WORD(world.pay(100, "visa_keyed"), "stored");
    EXPECT_WORD(world.pay(100, "visa_fallback"), "stored");
    EXPECT_WORD(world.pay(100, "visa_fallback"), "stored");
    EXPECT_WORD(world.pay(100, "visa_fallback"), "entry_mode_not_allowed_offline");
    world.restart();
    world.offline();
    EXPECT_WORD(world.pay(100, "visa_fallback"), "entry_mode_not_allowed_offline") << "also after a restart";
    EXPECT_WORD(world.pay(100, "visa_swipe"), "stored");
    world.online();
    world.await_drained();
  }
}

TEST(Policy, EntryModesMayBeFewer) {
  World world(WorldOptions{.policy = R"({"entry_modes_offline":["contact_emv"],"brands_offline":["mastercard"]})",
                           .acquirer = false});
  world.offline();
  EXPECT_WORD(world.pay(100, "mastercard_contact"), "stored");
  EXPECT_WORD(world.pay(100, "mastercard_contactless"), "entry_mode_not_allowed_offline");
  EXPECT_WORD(world.pay(100, "visa_contact"), "offline_brand_not_allowed");
}

// "`blocked_bins`, `blocked_fingerprints`: leading digits; `fp_…`": `card_blocked`.
TEST(Policy, BlockedCards) {
  World world(WorldOptions{.policy = R"({"blocked_bins":["400000"]})", .acquirer = false});
  world.offline();
  EXPECT_WORD(world.pay(100, "visa_decline_51"), "card_blocked");
  const Answer good = world.pay(100, "visa_contact");
  ASSERT_EQ(good.word(), "stored");
  const std::string fingerprint(*good["payment_method"]["fingerprint"].string());
  (void)world.stop();
  world.sign_policy(R"({"version":2,"blocked_fingerprints":[")" + fingerprint + R"("]})");
  world.start();
  world.offline();
  EXPECT_WORD(world.pay(100, "visa_contact"), "card_blocked");
  EXPECT_WORD(world.pay(100, "visa_contactless"), "stored");
}

// "`decline_retries`": off by default; where it is on, a soft decline is tried again later, a hard one never (RULES
// 19).
TEST(Policy, DeclinesAreTriedAgainWhereThePolicySaysSo) {
  World world(WorldOptions{.policy = R"({"decline_retries":{"enabled":true,"max_per_day":1,"max_per_30_days":3}})"});
  world.offline();
  const std::string soft = world.pay(100, "visa_decline_51").id();
  const std::string hard = world.pay(100, "visa_decline_41").id();
  world.online();
  world.await_status(soft, "declined");
  world.await_status(hard, "declined");
  EXPECT_TRUE(world.retrieve(soft)["decline"]["retry_at"].is_string());
  EXPECT_TRUE(world.retrieve(hard)["decline"]["retry_at"].is_null());
  ASSERT_EQ(world.admin("POST", "/admin/outcome", R"({"id":")" + soft + R"(","response_code":"00"})").status, 200);
  ASSERT_EQ(world.admin("POST", "/admin/outcome", R"({"id":")" + hard + R"(","response_code":"00"})").status, 200);
  world.advance(86'400 + 60);
  world.await_status(soft, "succeeded");
  EXPECT_EQ(world.posted(soft), 1);
  EXPECT_EQ(world.status(hard), "declined");
  EXPECT_EQ(world.posted(hard), 0);
}

// "a merchant may tighten them": a newer policy takes effect at the next start; what is stored stays.
TEST(Policy, ANewerOneTakesEffect) {
  World world(WorldOptions{.acquirer = false});
  world.offline();
  ASSERT_EQ(world.pay(5000, new_card()).word(), "stored");
  (void)world.stop();
  world.sign_policy(R"({"version":2,"currencies":{"usd":{"per_transaction":100,"device_total":5100}}})");
  world.start();
  world.offline();
  EXPECT_WORD(world.pay(101, new_card()), "amount_exceeds_max_offline_amount");
  EXPECT_WORD(world.pay(100, new_card()), "stored");
  EXPECT_WORD(world.pay(1, new_card()), "offline_total_limit_reached");
  EXPECT_HOLDS(world.offline_status(), R"({"offline_payments_count":2,"limits":{"usd":{"device_total_remaining":0}}})");
}

}  // namespace
}  // namespace nightdrop::e2e
