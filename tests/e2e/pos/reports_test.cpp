// What a manager and a back office ask: lists, declines, sync reports, reconciliation. docs/pos_protocol.md, "Methods".
#include <set>

#include <gtest/gtest.h>

#include "e2e/harness.hpp"

namespace nightdrop::e2e {
namespace {

std::vector<std::string> ids_of(JsonView data) {
  std::vector<std::string> ids;
  for (const JsonView item : data.items()) ids.emplace_back(*item["id"].string());
  return ids;
}

// "`list_payment_intents`: optional `status, limit ≤ 100, starting_after`: `{data, has_more}`, newest first".
TEST(Lists, ArePagedNewestFirst) {
  World world(WorldOptions{.acquirer = false});
  world.offline();
  std::vector<std::string> made;
  for (int i = 0; i < 7; ++i) made.push_back(world.pay(100, new_card()).id());
  made.push_back(world.create(100));  // in memory alone, and listed
  const std::vector<std::string> newest_first(made.rbegin(), made.rend());
  for (const int limit : {1, 3, 8, 100}) {
    std::vector<std::string> seen;
    std::string after;
    for (;;) {
      const Answer page =
          world.call("list_payment_intents", R"({"limit":)" + std::to_string(limit) +
                                                 (after.empty() ? "" : R"(,"starting_after":")" + after + "\"") + "}");
      ASSERT_TRUE(page.ok()) << page.dump();
      const auto ids = ids_of(page["data"]);
      ASSERT_LE(ids.size(), static_cast<std::size_t>(limit));
      seen.insert(seen.end(), ids.begin(), ids.end());
      if (page["has_more"].boolean() != true) break;
      ASSERT_FALSE(ids.empty());
      after = ids.back();
    }
    EXPECT_EQ(seen, newest_first) << "limit " << limit;
  }
  (void)world.call("cancel_payment_intent", R"({"id":")" + made[2] + R"("})");
  EXPECT_EQ(ids_of(world.call("list_payment_intents", R"({"status":"canceled"})")["data"]),
            std::vector<std::string>{made[2]});
  EXPECT_EQ(world.call("list_payment_intents", R"({"status":"stored"})")["data"].size(), 6U);
  EXPECT_EQ(world.call("list_payment_intents", R"({"status":"succeeded"})")["data"].size(), 0U);
}

// "`list_declines`: declined, expired and requires_review intents"; "`acknowledge_decline`"; "reported until
// acknowledged".
TEST(Declines, AreReportedUntilAcknowledged) {
  World world(WorldOptions{.policy = R"({"forward_deadline_s":3600,"storing_window_s":90000})"});
  world.offline();
  const std::string expired = world.pay(100, new_card()).id();
  world.advance(3601);
  world.await_status(expired, "expired");
  const std::string declined = world.pay(100, "visa_decline_51").id();
  const std::string review = world.pay(100, new_card()).id();
  const std::string fine = world.pay(100, new_card()).id();
  world.faults(R"([{"fault":"status","code":409,"match":{"id":")" + review + R"("}}])");
  world.online();
  for (const auto& [id, status] :
       {std::pair{declined, "declined"}, std::pair{review, "requires_review"}, std::pair{fine, "succeeded"}}) {
    world.await_status(id, status);
  }
  const auto listed = [&](const char* params) {
    const auto ids = ids_of(world.call("list_declines", params)["data"]);
    return std::set<std::string>(ids.begin(), ids.end());
  };
  EXPECT_EQ(listed("{}"), (std::set<std::string>{expired, declined, review}));
  const Answer acknowledged =
      world.call("acknowledge_decline", R"({"id":")" + declined + R"(","note":"called the guest"})");
  EXPECT_WORD(acknowledged, "declined");
  EXPECT_EQ(listed(R"({"acknowledged":false})"), (std::set<std::string>{expired, review}));
  EXPECT_EQ(listed(R"({"acknowledged":true})"), std::set<std::string>{declined});
  world.restart();
  EXPECT_EQ(listed(R"({"acknowledged":false})"), (std::set<std::string>{expired, review}));
  const Answer first = world.call("list_declines", R"({"limit":2})");
  EXPECT_EQ(first["has_more"].boolean(), true);
  EXPECT_EQ(
      world.call("list_declines", R"({"limit":2,"starting_after":")" + ids_of(first["data"]).back() + R"("})")["data"]
          .size(),
      1U);
}

// "`{id, started_at, ended_at, route, forwarded, succeeded, declined, requires_review, expired, amounts_by_currency,
// payments}`: counts, then `{"usd": {"succeeded": n, "declined": n}}` in minor units, then the payment_intents".
TEST(SyncReport, OfTheLatestRunAndOfAnEarlierOne) {
  World world;
  std::vector<std::int64_t> runs;
  for (int run = 0; run < 2; ++run) {
    world.offline();
    std::vector<std::string> ids{world.pay(300, new_card()).id(), world.pay(450, new_card()).id(),
                                 world.pay(200, "visa_decline_51").id(),
                                 world.pay(70, new_card(), R"({"currency":"eur"})").id()};
    world.online();
    world.await_drained();
    world.await("the run's end", [&] { return world.call("retrieve_sync_report")["ended_at"].is_string(); });
    const Answer report = world.call("retrieve_sync_report");
    EXPECT_HOLDS(report, R"({"route":"wifi","forwarded":4,"succeeded":3,"declined":1,"requires_review":0,"expired":0,
        "amounts_by_currency":{"usd":{"succeeded":750,"declined":200},"eur":{"succeeded":70,"declined":0}}})");
    const auto listed = ids_of(report["payments"]);
    EXPECT_EQ(std::set<std::string>(listed.begin(), listed.end()), std::set<std::string>(ids.begin(), ids.end()));
    runs.push_back(report["id"].integer().value_or(-1));
    EXPECT_TRUE(report["started_at"].is_string());
  }
  ASSERT_NE(runs[0], runs[1]);
  world.restart();
  EXPECT_EQ(world.call("retrieve_sync_report")["id"].integer(), runs[1]);
  EXPECT_EQ(world.call("retrieve_sync_report", R"({"id":)" + std::to_string(runs[0]) + "}")["id"].integer(), runs[0]);
}

// "`reconcile`: `{matched, missing_on_reader, missing_on_pos, mismatched, duplicates}`, each a list of
// `{merchant_reference, pos: entry or null, reader: payment_intent or null, fields?: ["amount"]}`; changes nothing."
TEST(Reconcile, ComparesThePosLogWithTheReader) {
  World world(WorldOptions{.acquirer = false});
  world.offline();
  const auto sell = [&](const std::string& reference, int amount) {
    return world.pay(amount, new_card(), R"({"merchant_reference":")" + reference + R"("})");
  };
  const Answer good = sell("good", 100);
  (void)sell("other-amount", 200);
  (void)sell("not-in-the-log", 300);
  (void)sell("twice-in-the-log", 400);
  (void)sell("other-card", 500);
  const std::string before = world.call("list_payment_intents", R"({"limit":100})").dump();
  const std::string last4(*good["payment_method"]["last4"].string());
  const Answer found = world.call("reconcile", R"({"entries":[
      {"merchant_reference":"good","amount":100,"currency":"usd","last4":")" +
                                                   last4 + R"("},
      {"merchant_reference":"other-amount","amount":201,"currency":"usd"},
      {"merchant_reference":"twice-in-the-log","amount":400,"currency":"usd"},
      {"merchant_reference":"twice-in-the-log","amount":400,"currency":"usd"},
      {"merchant_reference":"other-card","amount":500,"currency":"usd","last4":"0000"},
      {"merchant_reference":"only-in-the-log","amount":600,"currency":"usd"}]})");
  ASSERT_TRUE(found.ok()) << found.dump();
  const auto references = [&](const char* list) {
    std::multiset<std::string> all;
    for (const JsonView item : found[list].items()) all.emplace(*item["merchant_reference"].string());
    return all;
  };
  EXPECT_EQ(references("matched").count("good"), 1U) << found.dump();
  EXPECT_EQ(references("missing_on_reader"), std::multiset<std::string>{"only-in-the-log"});
  EXPECT_EQ(references("missing_on_pos"), std::multiset<std::string>{"not-in-the-log"});
  EXPECT_EQ(references("mismatched"), (std::multiset<std::string>{"other-amount", "other-card"}));
  EXPECT_GE(references("duplicates").count("twice-in-the-log"), 1U);
  for (const JsonView item : found["mismatched"].items()) {
    const bool amount = item["merchant_reference"].string() == "other-amount";
    EXPECT_EQ(item["fields"].dump(), amount ? R"(["amount"])" : R"(["last4"])");
    EXPECT_TRUE(item["pos"].is_object() && item["reader"].is_object());
  }
  EXPECT_TRUE(found["missing_on_reader"].items()[0]["reader"].is_null());
  EXPECT_TRUE(found["missing_on_pos"].items()[0]["pos"].is_null());
  EXPECT_EQ(world.call("list_payment_intents", R"({"limit":100})").dump(), before) << "it changes nothing";
}

// `forward_stored_payments`: "`{accepted: true}`; forwarding starts at once".
TEST(Forwarding, StartsWhenItIsAskedFor) {
  World world;
  EXPECT_HOLDS(world.call("forward_stored_payments"), R"({"accepted":true})");
  world.offline();
  const std::string id = world.pay(100, new_card()).id();
  EXPECT_HOLDS(world.call("forward_stored_payments"), R"({"accepted":true})");
  EXPECT_EQ(world.status(id), "stored");
  world.faults(R"([{"fault":"status","code":503,"retry_after":3000,"match":{"path":"/v1/payments*"},"count":1}])");
  world.online();
  world.await("one refusal", [&] { return world.stats()["faults_fired"].integer().value_or(0) >= 1; });
  world.await_status(id, "stored");
  EXPECT_HOLDS(world.call("forward_stored_payments"), R"({"accepted":true})");
  world.await_status(id, "succeeded");
}

}  // namespace
}  // namespace nightdrop::e2e
