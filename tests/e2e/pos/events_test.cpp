// The event stream: docs/pos_protocol.md, "Events", `subscribe` and `acknowledge_events`.
#include <set>

#include <gtest/gtest.h>

#include "e2e/harness.hpp"
#include "nightdrop/time_text.hpp"

namespace nightdrop::e2e {
namespace {

std::int64_t seq_of(const Json& event) {
  return event["seq"].integer().value_or(-1);
}

// All that is there by now, and until none came for a tenth of a second.
std::vector<Json> drain(Rpc& connection) {
  std::vector<Json> events;
  while (auto event = connection.next_event(Milliseconds(100))) events.push_back(*std::move(event));
  return events;
}

std::vector<std::string> types_of(const std::vector<Json>& events) {
  std::vector<std::string> types;
  for (const Json& event : events) types.emplace_back(*event["type"].string());
  return types;
}

class Events : public testing::Test {
 protected:
  World world;
};

// "They come out of the durable journal, in `seq` order"; each has seq, type, created and data.
TEST_F(Events, ComeInOrderWithTheObjectAsItThenWas) {
  world.offline();
  Rpc office = world.connect();
  (void)office.call("subscribe", R"({"consumer":"office"})");
  const std::string id = world.pay(500, new_card()).id();
  world.online();
  world.await_status(id, "succeeded");
  std::int64_t last = 0;
  std::vector<std::string> life;
  for (const Json& event : drain(office)) {
    EXPECT_TRUE(parse_rfc3339(event["created"].string().value_or("")).has_value()) << event.dump();
    EXPECT_TRUE(event["data"].is_object()) << event.dump();
    const std::string type(*event["type"].string());
    if (type.starts_with("reader.")) {
      EXPECT_EQ(seq_of(event), 0) << event.dump();
      continue;
    }
    EXPECT_GT(seq_of(event), last) << event.dump();
    last = seq_of(event);
    if (event["data"]["id"].string() != id) continue;
    life.push_back(type);
    EXPECT_EQ("payment_intent." + std::string(event["data"]["status"].string().value_or("")), type);
  }
  EXPECT_EQ(life, (std::vector<std::string>{"payment_intent.stored", "payment_intent.forwarding",
                                            "payment_intent.succeeded"}));
}

// "at least once, to every subscribed consumer; a POS that was off for a day resumes where it acknowledged".
TEST_F(Events, ResumeWhereTheyWereAcknowledged) {
  world.offline();
  (void)world.pay(100, new_card());
  std::int64_t middle = 0;
  std::int64_t last = 0;
  {
    Rpc office = world.connect();
    EXPECT_HOLDS(office.call("subscribe", R"({"consumer":"office"})"), R"({"cursor":0})");
    const auto events = drain(office);
    ASSERT_GT(events.size(), 2U);
    middle = seq_of(events[events.size() / 2]);
    last = seq_of(events.back());
    EXPECT_HOLDS(office.call("acknowledge_events", R"({"consumer":"office","through":)" + std::to_string(middle) + "}"),
                 R"({"cursor":)" + std::to_string(middle) + "}");
  }
  world.restart();
  world.offline();
  const std::string id = world.pay(100, new_card()).id();
  Rpc office = world.connect();
  EXPECT_HOLDS(office.call("subscribe", R"({"consumer":"office"})"), R"({"cursor":)" + std::to_string(middle) + "}");
  const auto events = drain(office);
  std::set<std::int64_t> seen;
  for (const Json& event : events) seen.insert(seq_of(event));
  EXPECT_GT(*seen.begin(), middle);
  EXPECT_TRUE(seen.contains(last)) << "what was not acknowledged comes again";
  EXPECT_EQ(events.back()["data"]["id"].string(), id);
  // An acknowledgement is never taken back, nor one of what has not been.
  EXPECT_HOLDS(office.call("acknowledge_events", R"({"consumer":"office","through":1})"),
               R"({"cursor":)" + std::to_string(middle) + "}");
  EXPECT_EQ(office.call("acknowledge_events", R"({"consumer":"office","through":900000})").error()["code"].integer(),
            -32602);
}

// Consumers are independent; "optional `types`, `after`".
TEST_F(Events, EachConsumerHasItsOwn) {
  world.offline();
  Rpc first = world.connect();
  Rpc second = world.connect();
  (void)first.call("subscribe", R"({"consumer":"first","types":["payment_intent.stored"]})");
  (void)second.call("subscribe",
                    R"({"consumer":"second","types":["payment_intent.stored","payment_intent.canceled"]})");
  const std::string id = world.pay(100, new_card()).id();
  (void)world.call("cancel_payment_intent", R"({"id":")" + id + R"("})");
  EXPECT_EQ(types_of(drain(first)), std::vector<std::string>{"payment_intent.stored"});
  const auto both = drain(second);
  EXPECT_EQ(types_of(both), (std::vector<std::string>{"payment_intent.stored", "payment_intent.canceled"}));
  Rpc third = world.connect();
  (void)third.call("subscribe", R"({"consumer":"third","after":)" + std::to_string(seq_of(both[0])) + "}");
  EXPECT_EQ(seq_of(third.event("payment_intent.canceled")), seq_of(both[1]));
}

// "Nothing is dropped for a slow consumer: it is read less."
TEST_F(Events, ASlowConsumerGetsEverything) {
  world.offline();
  Rpc slow = world.connect();
  (void)slow.call("subscribe", R"({"consumer":"slow","types":["payment_intent.stored","payment_intent.canceled"]})");
  // More than any buffer on the way holds: 200 times an object with much text.
  const std::string more =
      R"({"description":")" + std::string(200, 'x') + R"(","metadata":{"a":")" + std::string(200, 'y') + R"("}})";
  for (int i = 0; i < 200; ++i) {
    const Answer stored = world.pay(10, new_card(), more);
    ASSERT_EQ(stored.word(), "stored") << stored.dump();
    ASSERT_EQ(world.call("cancel_payment_intent", R"({"id":")" + stored.id() + R"("})").word(), "canceled");
  }
  EXPECT_EQ(drain(slow).size(), 400U);
}

// "of `offline_status.changed` the offline_status; of `link.changed` `{link, kind, state, reason}`".
TEST_F(Events, OfLinksAndStatus) {
  world.online();
  Rpc office = world.connect();
  (void)office.call("subscribe", R"({"consumer":"office","types":["link.changed","offline_status.changed"]})");
  (void)drain(office);
  world.link("wifi", "down");
  const Json link = office.event("link.changed");
  EXPECT_HOLDS(link, R"({"data":{"link":"wifi","state":"down"}})");
  EXPECT_TRUE(link["data"]["kind"].is_string());
  EXPECT_TRUE(link["data"]["reason"].is_string());
  const Json status = office.event("offline_status.changed");
  EXPECT_HOLDS(status, R"({"data":{"network_status":"offline","route":null,"offline_payments_count":0}})");
  for (const char* field :
       {"offline_payment_amounts_by_currency", "oldest_stored_at", "next_deadline", "limits", "forwarding"}) {
    EXPECT_TRUE(status["data"][field].exists()) << field;
  }
  world.link("wifi", "up");
  Json back = office.event("offline_status.changed");
  if (back["data"]["network_status"].string() == "unknown")
    back = office.event("offline_status.changed");  // being probed
  EXPECT_HOLDS(back, R"({"data":{"network_status":"online","route":"wifi"}})");
}

// "`sync.started`, `sync.completed` (with the report)".
TEST_F(Events, OfASync) {
  world.offline();
  Rpc office = world.connect();
  (void)office.call("subscribe", R"({"consumer":"office","types":["sync.started","sync.completed"]})");
  (void)world.pay(300, new_card());
  (void)world.pay(200, "visa_decline_51");
  world.online();
  (void)office.event("sync.started");
  const Json completed = office.event("sync.completed");
  EXPECT_HOLDS(completed, R"({"data":{"forwarded":2,"succeeded":1,"declined":1,"requires_review":0,"expired":0,
      "amounts_by_currency":{"usd":{"succeeded":300,"declined":200}}}})");
  EXPECT_EQ(completed["data"]["payments"].size(), 2U);
  EXPECT_EQ(drain(office).size(), 0U) << "one run, one report";
}

// "`payment_intent.{requires_approval,processing,…}`": each status that the journal tells.
TEST_F(Events, OfEveryStatus) {
  (void)world.stop();
  world.sign_policy(R"({"version":2,"forward_deadline_s":3600,"currencies":{"usd":{"approval_threshold":1000}}})");
  world.start();
  world.online();
  Rpc office = world.connect();
  (void)office.call("subscribe", R"({"consumer":"office"})");
  ASSERT_EQ(world.pay(100, new_card()).word(), "succeeded");
  ASSERT_EQ(world.pay(100, "visa_decline_05").word(), "declined");
  world.faults(R"([{"fault":"status","code":422,"match":{"path":"/v1/payments"},"count":1}])");
  ASSERT_EQ(world.pay(100, new_card()).word(), "requires_review");
  world.offline();
  ASSERT_EQ(world.pay(1001, new_card()).word(), "approval_required");
  const std::string voided = world.pay(100, new_card()).id();
  ASSERT_EQ(world.call("cancel_payment_intent", R"({"id":")" + voided + R"("})").word(), "canceled");
  const std::string late = world.pay(100, new_card()).id();
  world.advance(3601);
  world.await_status(late, "expired");
  ASSERT_EQ(world.pay(100, new_card()).word(), "stored");
  world.online();
  world.await_drained();
  const auto types = types_of(drain(office));
  const std::set<std::string> seen(types.begin(), types.end());
  for (const char* status : {"requires_approval", "processing", "stored", "forwarding", "succeeded", "declined",
                             "expired", "canceled", "requires_review"}) {
    EXPECT_TRUE(seen.contains(std::string("payment_intent.") + status)) << status;
  }
}

}  // namespace
}  // namespace nightdrop::e2e
