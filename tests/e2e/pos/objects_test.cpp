// Every field of every object of docs/pos_protocol.md, "Objects" and "status", on the real daemon.
#include <regex>
#include <set>

#include <gtest/gtest.h>

#include "e2e/harness.hpp"

namespace nightdrop::e2e {
namespace {

const std::regex time_pattern(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)");

void expect_fields(JsonView object, const std::vector<std::string>& fields) {
  for (const std::string& field : fields) EXPECT_TRUE(object[field].exists()) << field << " in " << object.dump();
}

void expect_time(JsonView value) {
  ASSERT_TRUE(value.is_string()) << value.dump();
  EXPECT_TRUE(std::regex_match(std::string(*value.string()), time_pattern)) << value.dump();
}

const std::vector<std::string> intent_fields{"id",
                                             "object",
                                             "amount",
                                             "amount_details",
                                             "currency",
                                             "status",
                                             "merchant_reference",
                                             "description",
                                             "metadata",
                                             "offline_behavior",
                                             "on_network_loss",
                                             "created",
                                             "payment_method",
                                             "offline",
                                             "authorization",
                                             "decline",
                                             "cancellation"};

class Objects : public testing::Test {
 protected:
  static void SetUpTestSuite() { world = std::make_unique<World>(); }
  static void TearDownTestSuite() { world.reset(); }
  void SetUp() override { world->online(); }
  static inline std::unique_ptr<World> world;
};

// "`get_reader` → `serial_number, label, device_type, firmware_version, protocol_version, livemode, provisioned`"
TEST_F(Objects, Reader) {
  const Answer reader = world->call("get_reader");
  expect_fields(reader.result(), {"label", "device_type", "firmware_version", "protocol_version"});
  EXPECT_HOLDS(reader, R"({"serial_number":"ND000001","livemode":false,"provisioned":true})");
}

TEST_F(Objects, Ping) {
  EXPECT_EQ(world->call("ping").dump(), "{}");
}

// "`id`: `pi_` + UUIDv7 in 32 hex digits"; "`created`: RFC 3339, UTC, milliseconds"; defaults `prefer_online`, `store`.
TEST_F(Objects, ANewIntent) {
  const Answer made =
      world->call("create_payment_intent", R"({"amount":1250,"currency":"usd","merchant_reference":"new-1",
      "amount_details":{"tip":250},"description":"Two coffees","metadata":{"table":"7"}})");
  ASSERT_TRUE(made.ok()) << made.dump();
  expect_fields(made.result(), intent_fields);
  EXPECT_TRUE(std::regex_match(made.id(), std::regex("pi_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}"))) << made.id();
  expect_time(made["created"]);
  EXPECT_HOLDS(made, R"({"object":"payment_intent","amount":1250,"amount_details":{"tip":250},"currency":"usd",
      "status":"requires_payment_method","merchant_reference":"new-1","description":"Two coffees","metadata":{"table":"7"},
      "offline_behavior":"prefer_online","on_network_loss":"store","payment_method":null,"offline":null,
      "authorization":null,"decline":null,"cancellation":null})");
}

// payment_method and authorization of a payment that the acquirer approved.
TEST_F(Objects, AnApprovedPayment) {
  const Answer paid =
      world->pay(1250, "visa_contact", R"({"offline_behavior":"require_online","on_network_loss":"ask"})");
  ASSERT_EQ(paid.word(), "succeeded") << paid.dump();
  EXPECT_HOLDS(paid, R"({"offline_behavior":"require_online","on_network_loss":"ask","offline":null,"decline":null,
      "cancellation":null,"payment_method":{"brand":"visa","last4":"0119","exp_month":12,"read_method":"contact_emv"},
      "authorization":{"approved_amount":1250,"response_code":"00"}})");
  expect_fields(paid["payment_method"], {"exp_year", "cardholder_name", "fingerprint", "receipt"});
  expect_fields(paid["payment_method"]["receipt"],
                {"application_preferred_name", "dedicated_file_name", "application_cryptogram",
                 "terminal_verification_results", "transaction_status_information", "authorization_response_code",
                 "cardholder_verification_method", "account_type"});
  EXPECT_TRUE(std::regex_match(std::string(paid["payment_method"]["fingerprint"].string().value_or("")),
                               std::regex("fp_[0-9a-f]{32}")));
  EXPECT_TRUE(paid["authorization"]["id"].is_string());
  EXPECT_TRUE(paid["authorization"]["code"].is_string());
  expect_time(paid["authorization"]["processed_at"]);
}

// "`offline`: `stored_at, requires_upload, deadline, reference, attempts, last_attempt{at, route, outcome}`";
// "`offline.reference` is the short number printed on the customer's offline receipt (10 characters, no 0/O/1/I)".
TEST_F(Objects, AStoredPaymentAndWhatBecomesOfIt) {
  world->offline();
  const Answer stored = world->pay(990, new_card());
  ASSERT_EQ(stored.word(), "stored") << stored.dump();
  const JsonView offline = stored["offline"];
  expect_time(offline["stored_at"]);
  expect_time(offline["deadline"]);
  EXPECT_HOLDS(stored, R"({"authorization":null,"offline":{"requires_upload":true,"attempts":0,"last_attempt":null}})");
  EXPECT_TRUE(std::regex_match(std::string(*offline["reference"].string()), std::regex("[2-9A-HJ-NP-Z]{10}")))
      << offline.dump();
  world->online();
  const Answer sent = world->await_status(stored.id(), "succeeded");
  EXPECT_HOLDS(sent, R"({"offline":{"requires_upload":false,"attempts":1,"last_attempt":{"route":"wifi"}}})");
  expect_time(sent["offline"]["last_attempt"]["at"]);
  EXPECT_TRUE(sent["offline"]["last_attempt"]["outcome"].is_string());
  EXPECT_EQ(sent["offline"]["stored_at"].dump(), offline["stored_at"].dump());
  EXPECT_EQ(sent["offline"]["deadline"].dump(), offline["deadline"].dump());
  EXPECT_EQ(sent["offline"]["reference"].dump(), offline["reference"].dump());
  EXPECT_EQ(world->posted(stored.id()), 1);
}

// "`decline`: `reason, response_code, advice_code, category, next_action, retry_at`"
TEST_F(Objects, ADeclinedPayment) {
  const Answer declined = world->pay(500, "visa_decline_51");
  ASSERT_EQ(declined.word(), "declined") << declined.dump();
  expect_fields(declined["decline"], {"advice_code", "retry_at"});
  EXPECT_HOLDS(
      declined,
      R"({"authorization":null,"decline":{"reason":"insufficient_funds","response_code":"51","category":"soft"}})");
  EXPECT_FALSE(declined["decline"]["next_action"].string().value_or("").empty());
}

// "`cancellation`: `reason, at`"
TEST_F(Objects, ACanceledPayment) {
  const std::string id = world->create(700);
  const Answer canceled = world->call("cancel_payment_intent", R"({"id":")" + id + R"(","reason":"duplicate"})");
  EXPECT_HOLDS(canceled, R"({"status":"canceled","cancellation":{"reason":"duplicate"}})");
  expect_time(canceled["cancellation"]["at"]);
}

// "refund object, the same lifecycle"; "`object`: `payment_intent` or `refund`".
TEST_F(Objects, ARefund) {
  const Answer paid = world->pay(800, "visa_contactless");
  const Answer refund =
      world->call("create_refund", R"({"payment_intent":")" + paid.id() +
                                       R"(","merchant_reference":"refund-1","approver":"manager","pin":"2468"})");
  ASSERT_EQ(refund.word(), "succeeded") << refund.dump();
  expect_fields(refund.result(), intent_fields);
  EXPECT_HOLDS(refund, R"({"object":"refund","amount":800,"currency":"usd","merchant_reference":"refund-1"})");
}

// "### offline_status", with amounts that change as payments are stored and forwarded.
TEST_F(Objects, OfflineStatus) {
  const Answer calm = world->offline_status();
  EXPECT_HOLDS(calm, R"({"network_status":"online","route":"wifi","offline_payments_count":0,
      "offline_payment_amounts_by_currency":{},"oldest_stored_at":null,"next_deadline":null,
      "limits":{"usd":{"per_transaction":10000,"device_total":100000,"device_total_remaining":100000},
                "eur":{"per_transaction":10000,"device_total":100000,"device_total_remaining":100000},
                "device_count":100,"device_count_remaining":100},
      "forwarding":{"paused":false,"in_flight":0,"reason":null}})");
  world->offline();
  ASSERT_EQ(world->pay(1230, new_card()).word(), "stored");
  ASSERT_EQ(world->pay(750, new_card()).word(), "stored");
  ASSERT_EQ(world->pay(400, new_card(), R"({"currency":"eur"})").word(), "stored");
  const Answer dark = world->offline_status();
  EXPECT_HOLDS(dark, R"({"network_status":"offline","route":null,"offline_payments_count":3,
      "offline_payment_amounts_by_currency":{"usd":1980,"eur":400},
      "limits":{"usd":{"device_total_remaining":98020},"eur":{"device_total_remaining":99600},"device_count_remaining":97}})");
  expect_time(dark["oldest_stored_at"]);
  expect_time(dark["next_deadline"]);
  world->online();
  world->await_drained();
  EXPECT_HOLDS(world->offline_status(), R"({"offline_payments_count":0,"offline_payment_amounts_by_currency":{},
      "limits":{"usd":{"device_total_remaining":100000},"device_count_remaining":100}})");
}

// "No object ever carries a full PAN, track data or a PIN block": nor the events, the log or any file of the reader.
TEST_F(Objects, NoCardNumberAnywhere) {
  const std::string number = new_card_number();
  const std::string card = R"({"pan":")" + number + R"(","exp_month":12,"exp_year":2030,"cardholder_name":"DOE/JANE"})";
  world->offline();
  Rpc events = world->connect();
  (void)events.call("subscribe", R"({"consumer":"pan-hunter"})");
  const Answer stored = world->pay(310, card);
  ASSERT_EQ(stored.word(), "stored");
  std::string seen = stored.dump() + world->call("list_payment_intents", R"({"limit":100})").dump() + world->log();
  world->online();
  seen += world->await_status(stored.id(), "succeeded").dump() + world->call("retrieve_sync_report").dump();
  while (auto event = events.next_event(Milliseconds(100))) seen += event->dump();
  seen += run("nightdrop", {"--config", world->path("nightdrop.json"), "audit", "export"}).out;
  EXPECT_EQ(seen.find(number), std::string::npos);
  EXPECT_EQ(seen.find(number.substr(0, 12)), std::string::npos);
  EXPECT_NE(seen.find(number.substr(number.size() - 4)), std::string::npos);  // it was looked for in the right place
}

// "The same reference with the same params gives the same intent back; with other params
// `merchant_reference_conflict`"; "unique on the reader".
TEST_F(Objects, TheMerchantReferenceIsUnique) {
  const std::string params = R"({"amount":1250,"currency":"usd","merchant_reference":"order-x","description":"a"})";
  const Answer first = world->call("create_payment_intent", params);
  EXPECT_EQ(world->call("create_payment_intent", params).id(), first.id());
  for (const char* other :
       {R"({"amount":1251})", R"({"currency":"eur"})", R"({"description":"b"})", R"({"metadata":{"a":"b"}})",
        R"({"offline_behavior":"force_offline"})", R"({"on_network_loss":"fail"})", R"({"max_offline_amount":5})",
        R"({"amount_details":{"tip":1}})"}) {
    const Answer conflict =
        world->call("create_payment_intent", merged(json(params).view(), json(other).view()).dump());
    EXPECT_WORD(conflict, "merchant_reference_conflict");
    EXPECT_EQ(conflict.error()["code"].integer(), -32000);
  }
  ASSERT_EQ(world->process(first.id(), "visa_contactless").word(), "succeeded");
  const Answer again = world->call("create_payment_intent", params);
  EXPECT_WORD(again, "succeeded");
  EXPECT_EQ(again.id(), first.id());
  world->restart();
  EXPECT_EQ(world->call("create_payment_intent", params).id(), first.id());
  EXPECT_WORD(world->call("create_payment_intent", R"({"amount":1,"currency":"usd","merchant_reference":"order-x"})"),
              "merchant_reference_conflict");
}

// "An intent without a card lives in memory alone: after a restart it is `unknown_payment_intent` and its reference is
// free again. From the moment a card's payment is on disk, id and reference last".
TEST_F(Objects, AnIntentWithoutACardEndsWithTheProcess) {
  const std::string empty = world->create(100, R"({"merchant_reference":"short-lived"})");
  const std::string paid = world->pay(100, "visa_contactless", R"({"merchant_reference":"long-lived"})").id();
  world->restart();
  EXPECT_WORD(world->retrieve(empty), "unknown_payment_intent");
  EXPECT_WORD(world->call("retrieve_payment_intent", R"({"merchant_reference":"short-lived"})"),
              "unknown_payment_intent");
  EXPECT_NE(world->create(999, R"({"merchant_reference":"short-lived"})"), empty);
  EXPECT_WORD(world->retrieve(paid), "succeeded");
  EXPECT_EQ(world->call("retrieve_payment_intent", R"({"merchant_reference":"long-lived"})").id(), paid);
}

// "A good one [currency] that the policy has no entry for works online and is `offline_currency_not_allowed` offline."
TEST_F(Objects, ACurrencyWithoutAnEntryWorksOnlineAlone) {
  EXPECT_WORD(world->pay(500, new_card(), R"({"currency":"chf"})"), "succeeded");
  world->offline();
  EXPECT_WORD(world->pay(500, new_card(), R"({"currency":"chf"})"), "offline_currency_not_allowed");
}

}  // namespace
}  // namespace nightdrop::e2e
