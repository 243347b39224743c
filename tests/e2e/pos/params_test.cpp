// What params each method takes and refuses: docs/pos_protocol.md, "Methods", "Objects" and "Fine print".
#include <gtest/gtest.h>

#include "e2e/harness.hpp"

namespace nightdrop::e2e {
namespace {

class Params : public testing::Test {
 protected:
  static void SetUpTestSuite() { world = std::make_unique<World>(WorldOptions{.acquirer = false}); }
  static void TearDownTestSuite() { world.reset(); }
  static inline std::unique_ptr<World> world;
};

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

std::string pairs(int count, const std::string& key_fill = "k", const std::string& value = "v") {
  std::string all = "{";
  for (int i = 0; i < count; ++i) {
    const std::string number = std::to_string(10 + i);
    all += (i == 0 ? "\"" : ",\"") + number + key_fill + "\":\"" + value + "\"";
  }
  return all + "}";
}

struct Case {
  std::string change;  // laid over good params
  std::string field;   // what the error names
};

void expect_refused(World& world, const std::string& method, const std::string& good, const std::vector<Case>& cases) {
  for (const Case& each : cases) {
    const Answer answer = world.call(method, merged(json(good).view(), json(each.change).view()).dump());
    EXPECT_EQ(answer.error()["code"].integer(), -32602) << method << " " << each.change << ": " << answer.dump();
    EXPECT_EQ(answer.error()["data"]["field"].string(), each.field)
        << method << " " << each.change << ": " << answer.dump();
    EXPECT_FALSE(answer.error()["message"].string().value_or("").empty());
  }
}

// "`amount`: 1 … 99,999,999"; "`currency`: ISO 4217, lower case"; "`merchant_reference`: 1…64 printable ASCII";
// "free text ≤ 200; ≤ 16 string pairs of ≤ 40/200 characters"; "Unknown fields in params are refused (-32602)".
TEST_F(Params, OfCreatePaymentIntent) {
  const std::string good = R"({"amount":1000,"currency":"usd","merchant_reference":"params-1"})";
  expect_refused(*world, "create_payment_intent", good,
                 {{R"({"amount":null})", "amount"},
                  {R"({"amount":0})", "amount"},
                  {R"({"amount":-5})", "amount"},
                  {R"({"amount":100000000})", "amount"},
                  {R"({"amount":12.5})", "amount"},
                  {R"({"amount":"1000"})", "amount"},
                  {R"({"amount":1e30})", "amount"},
                  {R"({"currency":null})", "currency"},
                  {R"({"currency":"USD"})", "currency"},
                  {R"({"currency":"abc"})", "currency"},
                  {R"({"currency":"us"})", "currency"},
                  {R"({"currency":840})", "currency"},
                  {R"({"merchant_reference":null})", "merchant_reference"},
                  {R"({"merchant_reference":""})", "merchant_reference"},
                  {R"({"merchant_reference":")" + std::string(65, 'r') + R"("})", "merchant_reference"},
                  {R"({"merchant_reference":"caf\u00e9"})", "merchant_reference"},
                  {R"({"merchant_reference":"a\tb"})", "merchant_reference"},
                  {R"({"amount_details":{"tip":-1}})", "amount_details"},
                  {R"({"amount_details":{"tip":1001}})", "amount_details"},
                  {R"({"amount_details":{"tipp":1}})", "amount_details"},
                  {R"({"amount_details":{"tip":1,"tax":1}})", "amount_details"},
                  {R"({"amount_details":5})", "amount_details"},
                  {R"({"description":")" + std::string(201, 'd') + R"("})", "description"},
                  {R"({"description":7})", "description"},
                  {R"({"metadata":)" + pairs(17) + "}", "metadata"},
                  {R"({"metadata":)" + pairs(1, std::string(39, 'k')) + "}", "metadata"},
                  {R"({"metadata":)" + pairs(1, "k", std::string(201, 'v')) + "}", "metadata"},
                  {R"({"metadata":{"a":1}})", "metadata"},
                  {R"({"metadata":"a"})", "metadata"},
                  {R"({"offline_behavior":"sometimes"})", "offline_behavior"},
                  {R"({"on_network_loss":"shrug"})", "on_network_loss"},
                  {R"({"max_offline_amount":-1})", "max_offline_amount"},
                  {R"({"max_offline_amount":"5"})", "max_offline_amount"},
                  {R"({"max_offline_ammount":500})", "max_offline_ammount"}});
  EXPECT_WORD(world->call("retrieve_payment_intent", R"({"merchant_reference":"params-1"})"), "unknown_payment_intent");
}

// The ends of each range are inside it; lengths are characters, not bytes.
TEST_F(Params, OfCreatePaymentIntentAtTheirLimits) {
  const std::vector<std::string> cases{
      R"({"amount":1})",
      R"({"amount":99999999})",
      R"({"amount_details":{"tip":1000}})",
      R"({"merchant_reference":")" + std::string(64, '~') + R"("})",
      R"({"description":")" + std::string(200, 'd') + R"("})",
      R"({"description":")" + repeated("é", 200) + R"("})",
      R"({"description":""})",
      R"({"metadata":)" + pairs(16, std::string(38, 'k'), std::string(200, 'v')) + "}",
      R"({"metadata":)" + pairs(1, repeated("é", 38), repeated("é", 200)) + "}",
      R"({"max_offline_amount":1})",
  };
  int number = 0;
  for (const std::string& each : cases) {
    const std::string good =
        R"({"amount":1000,"currency":"usd","merchant_reference":"limit-)" + std::to_string(++number) + R"("})";
    const Answer made = world->call("create_payment_intent", merged(json(good).view(), json(each).view()).dump());
    EXPECT_WORD(made, "requires_payment_method") << each;
  }
}

// The other methods: required params, their kinds and ranges, and no unknown field anywhere.
TEST_F(Params, OfTheOtherMethods) {
  const std::string id = R"("id":")" + world->create(100) + "\"";
  struct Method {
    std::string name;
    std::string good;
    std::vector<Case> cases;
  };
  const std::string long_id = R"({"id":")" + std::string(65, 'x') + R"("})";
  const std::vector<Method> methods{
      {"get_reader", "{}", {}},
      {"ping", "{}", {}},
      {"retrieve_offline_status", "{}", {}},
      {"forward_stored_payments", "{}", {}},
      {"collect_payment_method",
       "{" + id + "}",
       {{R"({"id":null})", "id"},
        {R"({"id":5})", "id"},
        {long_id, "id"},
        {R"({"timeout_s":0})", "timeout_s"},
        {R"({"timeout_s":301})", "timeout_s"},
        {R"({"timeout_s":"60"})", "timeout_s"}}},
      {"process_payment_intent",
       "{" + id + "}",
       {{R"({"id":null})", "id"}, {R"({"timeout_s":0})", "timeout_s"}, {R"({"timeout_s":301})", "timeout_s"}}},
      {"confirm_payment_intent", "{" + id + "}", {{R"({"id":null})", "id"}}},
      {"approve_payment_intent",
       "{" + id + R"(,"approver":"manager","pin":"2468"})",
       {{R"({"id":null})", "id"},
        {R"({"approver":null})", "approver"},
        {R"({"pin":null})", "pin"},
        {R"({"pin":"abcd"})", "pin"},
        {R"({"pin":2468})", "pin"}}},
      {"resolve_network_loss",
       "{" + id + R"(,"decision":"store"})",
       {{R"({"id":null})", "id"}, {R"({"decision":null})", "decision"}, {R"({"decision":"ask"})", "decision"}}},
      {"adjust_payment_intent",
       "{" + id + R"(,"amount_details":{"tip":5}})",
       {{R"({"id":null})", "id"},
        {R"({"amount_details":null})", "amount_details"},
        {R"({"amount_details":{"tip":-5}})", "amount_details"}}},
      {"cancel_payment_intent", "{" + id + "}", {{R"({"id":null})", "id"}, {R"({"reason":"whim"})", "reason"}}},
      {"create_refund",
       R"({"amount":5,"currency":"usd","merchant_reference":"params-refund","approver":"manager","pin":"2468"})",
       {{R"({"amount":null})", "amount"},
        {R"({"currency":null})", "currency"},
        {R"({"merchant_reference":null})", "merchant_reference"},
        {R"({"approver":null})", "approver"},
        {R"({"pin":null})", "pin"},
        {R"({"amount":0})", "amount"}}},
      {"retrieve_payment_intent",
       "{" + id + "}",
       {{R"({"id":null})", "id"}, {R"({"merchant_reference":"both"})", "id"}}},
      {"list_payment_intents",
       "{}",
       {{R"({"limit":0})", "limit"},
        {R"({"limit":101})", "limit"},
        {R"({"status":"paid"})", "status"},
        {R"({"starting_after":"pi_00000000000070008000000000000000"})", "starting_after"}}},
      {"list_declines",
       "{}",
       {{R"({"limit":0})", "limit"},
        {R"({"limit":101})", "limit"},
        {R"({"acknowledged":"no"})", "acknowledged"},
        {R"({"starting_after":"pi_00000000000070008000000000000000"})", "starting_after"}}},
      {"acknowledge_decline", "{" + id + "}", {{R"({"id":null})", "id"}, {R"({"note":5})", "note"}}},
      {"retrieve_sync_report", R"({"id":1})", {{R"({"id":"latest"})", "id"}}},
      {"reconcile",
       R"({"entries":[]})",
       {{R"({"entries":null})", "entries"},
        {R"({"entries":{}})", "entries"},
        {R"({"entries":[5]})", "entries"},
        {R"({"entries":[{"merchant_reference":"a","amount":5}]})", "entries"},
        {R"({"entries":[{"merchant_reference":"a","amount":5,"currency":"usd","tip":1}]})", "entries"}}},
      {"subscribe",
       R"({"consumer":"params"})",
       {{R"({"consumer":null})", "consumer"},
        {R"({"consumer":""})", "consumer"},
        {R"({"consumer":")" + std::string(65, 'c') + R"("})", "consumer"},
        {R"({"types":"all"})", "types"},
        {R"({"types":["sync.completed","payment_intent.suceeded"]})", "types"},
        {R"({"after":-1})", "after"}}},
      {"acknowledge_events",
       R"({"consumer":"params","through":0})",
       {{R"({"consumer":null})", "consumer"},
        {R"({"through":null})", "through"},
        {R"({"through":-1})", "through"},
        {R"({"through":9007199254740991})", "through"}}},
  };
  for (const Method& method : methods) {
    expect_refused(*world, method.name, method.good, method.cases);
    expect_refused(*world, method.name, method.good, {{R"({"surprise":true})", "surprise"}});
  }
}

// "`unknown_payment_intent`", wherever an id is taken.
TEST_F(Params, AnUnknownIdIsSaidToBe) {
  const std::string id = R"("id":"pi_0193f0c4a1b27c3d8e4f5a6b7c8d9e0f")";
  const std::vector<std::pair<std::string, std::string>> calls{
      {"collect_payment_method", "{" + id + "}"},
      {"confirm_payment_intent", "{" + id + "}"},
      {"process_payment_intent", "{" + id + "}"},
      {"approve_payment_intent", "{" + id + R"(,"approver":"manager","pin":"2468"})"},
      {"resolve_network_loss", "{" + id + R"(,"decision":"fail"})"},
      {"adjust_payment_intent", "{" + id + R"(,"amount_details":{"tip":1}})"},
      {"cancel_payment_intent", "{" + id + "}"},
      {"retrieve_payment_intent", "{" + id + "}"},
      {"retrieve_payment_intent", R"({"merchant_reference":"nobody"})"},
      {"acknowledge_decline", "{" + id + "}"},
      {"create_refund",
       R"({"payment_intent":"pi_0193f0c4a1b27c3d8e4f5a6b7c8d9e0f","merchant_reference":"r","approver":"manager","pin":"2468"})"},
  };
  for (const auto& [method, params] : calls) {
    const Answer answer = world->call(method, params);
    EXPECT_WORD(answer, "unknown_payment_intent") << method;
    EXPECT_EQ(answer.error()["code"].integer(), -32000) << method;
  }
}

// "`unexpected_state`": what the status does not allow changes nothing and gives the intent as it is.
TEST_F(Params, WhatTheStatusDoesNotAllow) {
  const std::string fresh = world->create(100);
  const std::string stored = world->pay(100, new_card(), R"({"offline_behavior":"force_offline"})").id();
  const std::string gone = world->create(100);
  (void)world->call("cancel_payment_intent", R"({"id":")" + gone + R"("})");
  struct Wrong {
    std::string method;
    std::string id;
    std::string more;
  };
  const std::vector<Wrong> calls{
      {"confirm_payment_intent", fresh, ""},
      {"adjust_payment_intent", fresh, R"(,"amount_details":{"tip":1})"},
      {"resolve_network_loss", fresh, R"(,"decision":"store")"},
      {"collect_payment_method", stored, ""},
      {"process_payment_intent", stored, ""},
      {"confirm_payment_intent", stored, ""},
      {"approve_payment_intent", stored, R"(,"approver":"manager","pin":"2468")"},
      {"resolve_network_loss", stored, R"(,"decision":"fail")"},
      {"acknowledge_decline", stored, ""},
      {"collect_payment_method", gone, ""},
      {"confirm_payment_intent", gone, ""},
      {"adjust_payment_intent", gone, R"(,"amount_details":{"tip":1})"},
      {"acknowledge_decline", gone, ""},
  };
  for (const Wrong& each : calls) {
    const std::string before = world->status(each.id);
    const Answer answer = world->call(each.method, R"({"id":")" + each.id + "\"" + each.more + "}");
    EXPECT_WORD(answer, "unexpected_state") << each.method << " of " << before;
    EXPECT_EQ(answer.payment()["id"].string(), each.id) << answer.dump();
    EXPECT_EQ(world->status(each.id), before);
  }
}

// "One card interaction at a time: a second collect or process is `reader_busy`."
TEST_F(Params, OneCardInteractionAtATime) {
  const std::string first = world->create(100);
  const std::string second = world->create(100);
  Rpc counter = world->connect();
  const auto waiting = counter.begin("collect_payment_method", R"({"id":")" + first + R"("})");
  (void)counter.call("ping");  // by now it has been taken
  for (const char* method : {"collect_payment_method", "process_payment_intent"}) {
    EXPECT_WORD(world->call(method, R"({"id":")" + second + R"("})"), "reader_busy");
    EXPECT_WORD(world->call(method, R"({"id":")" + first + R"("})"), "reader_busy");
  }
  EXPECT_WORD(world->call("cancel_payment_intent", R"({"id":")" + first + R"("})"), "canceled");
  EXPECT_WORD(counter.wait(waiting), "canceled");
}

// "`timeout_s` 1…300, default 60": `card_read_timed_out`, and the intent may be collected again.
TEST_F(Params, TheCardMayBeLate) {
  struct Wait {
    std::string params;
    int seconds;
  };
  for (const Wait& wait : {Wait{"", 60}, Wait{R"(,"timeout_s":300)", 300}}) {
    const std::string id = world->create(100);
    Rpc counter = world->connect();
    const auto waiting = counter.begin("process_payment_intent", R"({"id":")" + id + "\"" + wait.params + "}");
    (void)counter.call("ping");
    world->advance(wait.seconds - 2);
    EXPECT_WORD(world->call("process_payment_intent", R"({"id":")" + id + R"("})"), "reader_busy");
    world->advance(3);
    const Answer late = counter.wait(waiting);
    EXPECT_WORD(late, "card_read_timed_out");
    EXPECT_HOLDS(late, R"({"data":{"payment_intent":{"status":"requires_payment_method"}}})");
  }
}

}  // namespace
}  // namespace nightdrop::e2e
