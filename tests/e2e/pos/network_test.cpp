// `offline_behavior` × `on_network_loss` × what the network and the acquirer do: docs/pos_protocol.md,
// "payment_intent", "Fine print"; docs/acquirer_api.md, "Answers". After each case the world heals, and the ledger must
// agree: what is stored or succeeded is posted exactly once, what ended otherwise is not posted, or reversed.
#include <array>

#include <gtest/gtest.h>

#include "e2e/harness.hpp"

namespace nightdrop::e2e {
namespace {

constexpr const char* quick = R"({"online_timeout_ms":400})";

std::string wishes(const std::string& behavior, const std::string& loss) {
  return R"({"offline_behavior":")" + behavior + R"(","on_network_loss":")" + loss + R"("})";
}

// Heals everything and waits until nothing is left to do.
void heal(World& world) {
  world.start_acquirer_if_gone();
  world.heal();
  world.link("wifi", "up");
  (void)world.call("forward_stored_payments");
  world.await("online", [&] { return world.offline_status().text("network_status") == "online"; });
  world.await_drained();
}

// What the ledger must say once the reader is at rest.
void expect_agreement(World& world, const Answer& ended, const std::string& about) {
  const std::string id(ended.payment()["id"].string().value_or(""));
  const std::string now = world.status(id);
  if (now == "canceled") {
    world.await("the reversal", [&] { return world.posted(id) != 1; });
  } else if (now == "succeeded") {
    EXPECT_EQ(world.posted(id), 1) << about;
  } else {
    EXPECT_EQ(now, "requires_payment_method") << about;
    EXPECT_EQ(world.posted(id), -1) << about;
  }
  EXPECT_HOLDS(world.stats(), R"({"twice":0})") << about;
}

// "`force_offline` stores even when a path is up; forwarding then starts at once as for any stored payment."
TEST(Network, ForceOfflineStoresAndForwardsAtOnce) {
  World world;
  world.online();
  auto quickest = std::chrono::steady_clock::duration::max();
  for (const char* loss : {"store", "fail", "ask"}) {
    const Answer stored = world.pay(100, new_card(), wishes("force_offline", loss));
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_WORD(stored, "stored");
    EXPECT_HOLDS(stored, R"({"authorization":null})");
    world.await_status(stored.id(), "succeeded");
    quickest = std::min(quickest, std::chrono::steady_clock::now() - begin);
    EXPECT_HOLDS(world.ledger_row(stored.id()), R"({"deferred":true})");
  }
  EXPECT_LT(quickest, std::chrono::seconds(1));  // RULES 27; the best of three, as the machine may be busy
}

// The network is known to be gone before the card: only the behavior counts. "`network_required` (`require_online`)".
TEST(Network, KnownToBeOffline) {
  struct Gone {
    const char* about;
    std::function<void(World&)> make;
  };
  const std::vector<Gone> ways{
      {"every link down", [](World& world) { world.offline(); }},
      {"the acquirer's host refuses", [](World& world) { world.kill_acquirer(); }},
      {"a black hole", [](World& world) { world.link("wifi", "blackhole"); }},
      {"a captive portal", [](World& world) { world.link("wifi", "captive"); }},
  };
  for (const Gone& way : ways) {
    World world(WorldOptions{.policy = quick});
    way.make(world);
    world.restart();  // so that nothing is known from before
    way.make(world);
    const Answer stored = world.pay(100, new_card());
    EXPECT_WORD(stored, "stored") << way.about;
    EXPECT_WORD(world.pay(100, new_card(), wishes("require_online", "store")), "network_required") << way.about;
    EXPECT_WORD(world.pay(100, new_card(), wishes("force_offline", "fail")), "stored") << way.about;
    EXPECT_NE(world.offline_status().text("network_status"), "online") << way.about;
    heal(world);
    expect_agreement(world, stored, way.about);
  }
}

// "`on_network_loss`: what happens when the network is lost after the card was read": before, it says nothing.
TEST(Network, LossIsNotAbsence) {
  World world(WorldOptions{.acquirer = false});
  world.offline();
  for (const char* loss : {"store", "fail", "ask"}) {
    EXPECT_WORD(world.pay(100, new_card(), wishes("prefer_online", loss)), "stored") << loss;
    EXPECT_WORD(world.pay(100, new_card(), wishes("force_offline", loss)), "stored") << loss;
    EXPECT_WORD(world.pay(100, new_card(), wishes("require_online", loss)), "network_required") << loss;
  }
}

// The network goes when the card was read, and the outcome is unknown: "timeout, cut or garbage = unknown: the same id
// again … never a new id. If an unknown online attempt may not be stored, a durable reversal is sent" (RULES 18).
TEST(Network, AnAnswerThatDoesNotCome) {
  const std::vector<std::pair<std::string, std::string>> faults{
      {"cut before processing", R"({"fault":"cut_before"})"},
      {"cut after processing", R"({"fault":"cut_after"})"},
      {"slower than the time-out", R"({"fault":"delay","ms":900})"},
      {"500", R"({"fault":"status","code":500})"},
      {"503 though posted", R"({"fault":"status","code":503,"processed":true})"},
      {"429", R"({"fault":"status","code":429})"},
      {"garbage", R"({"fault":"garbage"})"},
      {"another payment's answer", R"({"fault":"wrong_id"})"},
      {"a web page", R"({"fault":"html"})"},
      {"a redirect", R"({"fault":"redirect"})"},
      {"an unknown outcome", R"({"fault":"unknown_outcome"})"},
      {"more than 64 KiB", R"({"fault":"too_long"})"},
      {"503 with Retry-After", R"({"fault":"status","code":503,"retry_after":1})"},
  };
  World world(WorldOptions{.policy = quick});
  for (const auto& [about, fault] : faults) {
    const std::string plan =
        "[" + merged(json(fault).view(), json(R"({"match":{"path":"/v1/payments*"}})").view()).dump() + "]";
    for (const auto& [behavior, loss, word] :
         std::vector<std::array<std::string, 3>>{{"prefer_online", "store", "stored"},
                                                 {"prefer_online", "fail", "network_lost"},
                                                 {"require_online", "store", "network_lost"}}) {
      heal(world);
      world.faults(plan);
      const Answer ended = world.pay(100, new_card(), wishes(behavior, loss));
      const std::string what = about + ", " + behavior + ", " + loss;
      EXPECT_WORD(ended, word) << what;
      EXPECT_FALSE(ended.payment()["authorization"].is_object()) << what;
      if (word == "network_lost") {
        EXPECT_HOLDS(ended,
                     R"({"data":{"payment_intent":{"status":"canceled","cancellation":{"reason":"reversed"}}}})");
      }
      heal(world);
      expect_agreement(world, ended, what);
      if (word == "stored") {
        // "A payment that was first sent online and then stored … keeps the body of that first send, `deferred:
        // false`".
        EXPECT_HOLDS(world.ledger_row(ended.id()), R"({"deferred":false})");
      }
    }
  }
  EXPECT_HOLDS(world.stats(), R"({"twice":0})");
}

// "`ask`" and "`resolve_network_loss`, `id, decision: store|fail`, for `on_network_loss: ask`", also after a restart.
TEST(Network, AskedWhatToDo) {
  World world(WorldOptions{.policy = quick});
  for (const char* fault : {"cut_before", "cut_after"}) {
    for (const bool store : {true, false}) {
      for (const bool restarted : {false, true}) {
        heal(world);
        world.faults(std::string(R"([{"fault":")") + fault +
                     R"(","match":{"path":"/v1/payments*"}},{"fault":"refuse"}])");
        const Answer asked = world.pay(100, new_card(), wishes("prefer_online", "ask"));
        EXPECT_WORD(asked, "network_lost");
        const std::string id(asked.payment()["id"].string().value_or(""));
        EXPECT_EQ(world.status(id), "processing");
        if (restarted) world.restart();
        const Answer resolved = world.call(
            "resolve_network_loss", R"({"id":")" + id + R"(","decision":")" + (store ? "store" : "fail") + R"("})");
        EXPECT_WORD(resolved, store ? "stored" : "network_lost");
        EXPECT_WORD(world.call("resolve_network_loss", R"({"id":")" + id + R"(","decision":"fail"})"),
                    "unexpected_state");
        heal(world);
        // Where no connection was left open, "refuse" came first: nothing was sent, and the card may be presented
        // again.
        const bool sent = store || world.status(id) != "requires_payment_method";
        if (sent) {
          EXPECT_EQ(world.status(id), store ? "succeeded" : "canceled");
        } else {
          EXPECT_EQ(world.posted(id), 0);
        }
        expect_agreement(world, resolved, fault);
      }
    }
  }
}

// An unknown outcome that no rule allows to store: "the call ends in `network_lost`, the intent is `canceled` with
// `cancellation.reason` `reversed`, and a durable reversal goes out before any stored payment".
TEST(Network, UnknownAndNotStorableIsReversedFirst) {
  World world(WorldOptions{.policy = quick});
  world.online();
  world.faults(R"([{"fault":"cut_after","match":{"path":"/v1/payments*"}},{"fault":"refuse"}])");
  const Answer lost = world.pay(10'001, new_card());  // above the offline cap
  EXPECT_WORD(lost, "network_lost");
  const std::string id(lost.payment()["id"].string().value_or(""));
  EXPECT_HOLDS(lost, R"({"data":{"payment_intent":{"status":"canceled","cancellation":{"reason":"reversed"}}}})");
  const Answer stored = world.pay(100, new_card());
  ASSERT_EQ(stored.word(), "stored");
  world.restart();  // the reversal is durable
  world.faults(R"([{"fault":"cut_before","match":{"path":"/v1/payments/)" + id + R"(/reversal"},"count":1}])");
  heal(world);
  world.await("the reversal", [&] { return world.posted(id) == 0; });
  EXPECT_HOLDS(world.ledger_row(id), R"({"reversed":true})");
  EXPECT_EQ(world.posted(stored.id()), 1);
}

// What the acquirer does say: 4xx concerns one payment, 401/403 none, 202 is asked again, partial is the policy's.
TEST(Network, WhatTheAcquirerSays) {
  World world(WorldOptions{.policy = quick});
  world.online();
  const std::string only = R"(,"match":{"path":"/v1/payments*"},"count":1}])";
  for (const char* code : {"400", "404", "409", "413", "422"}) {
    world.faults(std::string(R"([{"fault":"status","code":)") + code + only);
    const Answer review = world.pay(100, new_card());
    EXPECT_WORD(review, "requires_review") << code;
    EXPECT_WORD(world.pay(100, new_card()), "succeeded") << "the queue goes on after " << code;
    const Answer declines = world.call("list_declines", R"({"acknowledged":false})");
    EXPECT_NE(declines.dump().find(review.id()), std::string::npos) << code;
    (void)world.call("acknowledge_decline", R"({"id":")" + review.id() + R"("})");
  }
  world.faults(R"([{"fault":"pending","n":2,"retry_after":0,"count":1}])");
  EXPECT_WORD(world.pay(100, new_card()), "succeeded");
  world.faults(R"([{"fault":"replay"}])");
  EXPECT_WORD(world.pay(100, new_card()), "succeeded");
  world.faults(R"([{"fault":"partial","amount":60}])");
  const Answer partial = world.pay(100, new_card());
  EXPECT_WORD(partial, "declined");  // `partial_approvals`: "reverse" by default: "reverse and report as declined"
  world.heal();
  world.await("the partial's reversal", [&] { return world.posted(partial.id()) == 0; });
}

// "`partial_approvals`: or `accept`".
TEST(Network, APartialApprovalIsTakenWhereThePolicySaysSo) {
  World world(WorldOptions{.policy = R"({"partial_approvals":"accept"})"});
  world.online();
  world.faults(R"([{"fault":"partial","amount":60}])");
  EXPECT_HOLDS(world.pay(100, new_card()),
               R"({"status":"succeeded","amount":100,"authorization":{"approved_amount":60}})");
}

// "401, 403: forwarding is suspended and reported; nothing is changed in any payment", until a person goes on.
TEST(Network, UnauthorizedSuspendsForwarding) {
  World world(WorldOptions{.policy = quick});
  for (const char* code : {"401", "403"}) {
    world.offline();
    const std::string first = world.pay(100, new_card()).id();
    const std::string second = world.pay(100, new_card()).id();
    world.faults(std::string(R"([{"fault":"status","code":)") + code + R"(,"match":{"path":"/v1/payments*"}}])");
    world.online();
    world.await("suspension", [&] { return world.offline_status()["forwarding"]["paused"].boolean() == true; });
    EXPECT_TRUE(world.offline_status()["forwarding"]["reason"].is_string());
    for (const std::string& id : {first, second}) {
      world.await_status(id, "stored");
      EXPECT_EQ(world.posted(id), -1);
    }
    heal(world);
    for (const std::string& id : {first, second}) EXPECT_EQ(world.posted(id), 1);
    EXPECT_HOLDS(world.offline_status(), R"({"forwarding":{"paused":false,"reason":null}})");
  }
}

// "4xx: requires_review: this payment alone; the queue goes on" while forwarding; "one poisoned payment never holds up
// the rest".
TEST(Network, OnePoisonedPaymentHoldsUpNothing) {
  World world(WorldOptions{.policy = quick});
  world.offline();
  std::vector<std::string> ids;
  for (int i = 0; i < 6; ++i) ids.push_back(world.pay(100, new_card()).id());
  world.faults(R"([{"fault":"status","code":422,"match":{"id":")" + ids[0] + R"("}}])");
  world.online();
  for (std::size_t i = 1; i < ids.size(); ++i) world.await_status(ids[i], "succeeded");
  EXPECT_WORD(world.await_status(ids[0], "requires_review"), "requires_review");
  EXPECT_EQ(world.posted(ids[0]), -1);
}

// "What if the connection is lost and restored three times in an hour?" "Nothing: no duplicate, no stall, no sync loop"
// (RULES 28); new sales go on meanwhile.
TEST(Network, ALinkThatFlaps) {
  World world(WorldOptions{.policy = quick});
  world.offline();
  std::vector<std::string> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(world.pay(100, new_card()).id());
  world.faults(R"([{"fault":"delay","ms":30},{"fault":"cut_after","probability":0.2}])");
  for (int flap = 0; flap < 3; ++flap) {
    world.link("wifi", "up");
    ids.push_back(world.pay(100, new_card()).id());
    world.link("wifi", "down");
    ids.push_back(world.pay(100, new_card()).id());
  }
  heal(world);
  for (const std::string& id : ids) {
    EXPECT_EQ(world.status(id), "succeeded");
    EXPECT_EQ(world.posted(id), 1) << id;
  }
  EXPECT_HOLDS(world.stats(), R"({"twice":0})");
}

// Another route takes over when one goes: "no payment fails because of a change" (RULES 26).
TEST(Network, AnotherLinkTakesOver) {
  World world(WorldOptions{.policy = quick});
  world.online();
  world.link("cellular", "up");
  world.link("wifi", "down");
  world.await("cellular", [&] { return world.offline_status().text("route") == "cellular"; });
  EXPECT_WORD(world.pay(100, new_card(), wishes("require_online", "fail")), "succeeded");
  world.link("ethernet", "up");
  world.await("ethernet", [&] { return world.offline_status().text("route") == "ethernet"; });
  EXPECT_WORD(world.pay(100, new_card(), wishes("require_online", "fail")), "succeeded");
}

// RULES 31: everything at the counter works from a cold start with no network and no acquirer.
TEST(Network, AColdStartInTheDark) {
  World world(WorldOptions{.acquirer = false});
  EXPECT_HOLDS(world.call("get_reader"), R"({"provisioned":true})");
  const std::string id = world.pay(100, new_card()).id();
  EXPECT_EQ(world.status(id), "stored");
  EXPECT_WORD(world.call("adjust_payment_intent", R"({"id":")" + id + R"(","amount_details":{"tip":20}})"), "stored");
  EXPECT_TRUE(world.call("list_payment_intents").ok());
  EXPECT_TRUE(world.call("list_declines").ok());
  EXPECT_TRUE(world.call("reconcile", R"({"entries":[]})").ok());
  world.start_acquirer();
  world.await_status(id, "succeeded");
  EXPECT_HOLDS(world.ledger_row(id), R"({"amount":120,"posted":1})");
}

}  // namespace
}  // namespace nightdrop::e2e
