// The contract's objects, field by field and in their order (docs/pos_protocol.md, Objects).
#include "report/objects.hpp"

#include <gtest/gtest.h>

#include "nightdrop/time_text.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop::report {
namespace {

const UtcMs at = parse_rfc3339("2026-11-21T19:40:03.123Z").value();
using Names = std::vector<std::string>;

Names names(JsonView object) {
  Names all;
  for (const JsonView member : object.items()) all.emplace_back(member.key());
  return all;
}

Payment full() {
  Payment payment;
  payment.id = "pi_1";
  payment.status = Status::Stored;
  payment.amount = 1'450;
  payment.tip = 200;
  payment.card_amount = 1'250;
  payment.merchant_reference = "order-1001";
  payment.description = "two coffees";
  payment.metadata = {{"table", "7"}};
  payment.created_at = at;
  payment.card.emplace();
  payment.card->brand = Brand::Visa;
  payment.card->last4 = "4242";
  payment.card->exp_month = 12;
  payment.card->exp_year = 2030;
  payment.card->read_method = ReadMethod::ContactEmv;
  payment.card->fingerprint = "fp_00";
  payment.card->application_cryptogram = "0102030405060708";
  payment.envelope.emplace();
  payment.envelope->ciphertext.assign(40, 0xEE);
  payment.emv = {0x9F, 0x27, 0x01, 0x80};
  payment.stored_at = at;
  payment.deadline = at + 86'400'000;
  payment.offline_reference = "ABCDEFGHJK";
  payment.attempts = 2;
  payment.last_attempt_at = at + 1'000;
  payment.last_attempt_route = Route::Wifi;
  payment.last_attempt_outcome = AttemptOutcome::Unknown;
  payment.approver = "manager";
  return payment;
}

TEST(PaymentJson, HasTheContractsFields) {
  const Json json = payment_json(full());
  EXPECT_EQ(names(json.view()),
            (Names{"id", "object", "amount", "amount_details", "currency", "status", "merchant_reference",
                   "description", "metadata", "offline_behavior", "on_network_loss", "created", "payment_method",
                   "offline", "authorization", "decline", "cancellation"}));
  EXPECT_EQ(names(json["payment_method"]), (Names{"brand", "last4", "exp_month", "exp_year", "read_method",
                                                  "cardholder_name", "fingerprint", "receipt"}));
  EXPECT_EQ(names(json["payment_method"]["receipt"]),
            (Names{"application_preferred_name", "dedicated_file_name", "application_cryptogram",
                   "terminal_verification_results", "transaction_status_information", "authorization_response_code",
                   "cardholder_verification_method", "account_type"}));
  EXPECT_EQ(names(json["offline"]),
            (Names{"stored_at", "requires_upload", "deadline", "reference", "attempts", "last_attempt"}));
  EXPECT_EQ(names(json["offline"]["last_attempt"]), (Names{"at", "route", "outcome"}));
  EXPECT_EQ(json["amount"].integer(), 1'450);
  EXPECT_EQ(json["amount_details"].dump(), R"({"tip":200})");
  EXPECT_EQ(json["status"].string(), "stored");
  EXPECT_EQ(json["created"].string(), "2026-11-21T19:40:03.123Z");
  EXPECT_EQ(json["metadata"].dump(), R"({"table":"7"})");
  EXPECT_EQ(json["offline"]["requires_upload"].boolean(), true);
  EXPECT_EQ(json["offline"]["last_attempt"].dump(),
            R"({"at":"2026-11-21T19:40:04.123Z","route":"wifi","outcome":"unknown"})");
  EXPECT_TRUE(json["payment_method"]["cardholder_name"].is_null());
  EXPECT_TRUE(json["authorization"].is_null() && json["decline"].is_null() && json["cancellation"].is_null());
}

TEST(PaymentJson, NeverHoldsCardDataOrWhatIsTheReadersAlone) {
  const std::string text = payment_json(full()).dump();
  for (const char* secret :
       {"ciphertext", "envelope", "ksn", "7u7u", "EEEE", "\"emv\":", "approver", "not_before", "exposure"}) {
    EXPECT_EQ(text.find(secret), std::string::npos) << secret;
  }
}

TEST(PaymentJson, AStoredPaymentDoesNotReadAsAuthorized) {
  const std::string text = payment_json(full()).dump();
  EXPECT_EQ(text.find("succeeded"), std::string::npos);
  EXPECT_EQ(text.find("approved"), std::string::npos);
  EXPECT_NE(text.find(R"("authorization":null)"), std::string::npos);
}

TEST(PaymentJson, EachStatusHasItsWordAndWhetherItMustStillGoUp) {
  for (std::size_t i = 0; i < status_count; ++i) {
    Payment payment = full();
    payment.status = static_cast<Status>(i);
    const Json json = payment_json(payment);
    EXPECT_EQ(json["status"].string(), word(payment.status));
    const bool waits =
        payment.status == Status::Stored || payment.status == Status::Forwarding || payment.status == Status::Expired;
    EXPECT_EQ(json["offline"]["requires_upload"].boolean(), waits) << word(payment.status);
  }
}

TEST(PaymentJson, AnswersAndEnds) {
  Payment payment = full();
  payment.authorization = Authorization{"aq_1", "831000", 1'450, "00", at};
  payment.decline = Decline{"insufficient_funds", "51", "", DeclineCategory::Soft, "Ask again.", at};
  payment.cancellation = Cancellation{CancelReason::Reversed, at};
  payment.reportable = true;
  const Json json = payment_json(payment);
  EXPECT_EQ(
      json["authorization"].dump(),
      R"({"id":"aq_1","code":"831000","approved_amount":1450,"response_code":"00","processed_at":"2026-11-21T19:40:03.123Z"})");
  EXPECT_EQ(
      json["decline"].dump(),
      R"({"reason":"insufficient_funds","response_code":"51","advice_code":null,"category":"soft","next_action":"Ask again.","retry_at":"2026-11-21T19:40:03.123Z"})");
  EXPECT_EQ(json["cancellation"].dump(), R"({"reason":"reversed","at":"2026-11-21T19:40:03.123Z"})");
  EXPECT_EQ(json["acknowledged"].boolean(), false);
}

TEST(PaymentJson, WithoutACardAndNeverStored) {
  Payment payment;
  payment.id = "pi_1";
  const Json json = payment_json(payment);
  EXPECT_TRUE(json["payment_method"].is_null());
  EXPECT_TRUE(json["offline"].is_null());
  EXPECT_TRUE(json["description"].is_null());
  EXPECT_EQ(json["metadata"].dump(), "{}");
  EXPECT_FALSE(json["acknowledged"].exists());
}

TEST(PaymentJson, ARefundNamesWhatItGivesBack) {
  Payment refund = full();
  refund.kind = ObjectKind::Refund;
  refund.original_payment = "pi_0";
  const Json json = payment_json(refund);
  EXPECT_EQ(json["object"].string(), "refund");
  EXPECT_EQ(json["payment_intent"].string(), "pi_0");
}

TEST(OfflineStatusJson, HasTheContractsFields) {
  const Currency eur{{'e', 'u', 'r'}};
  Policy policy;
  policy.currencies[eur] = CurrencyLimits{};
  OfflineStatus status;
  status.network_status = "online";
  status.route = Route::Cellular;
  status.totals.by_currency[Currency{}] = {1'980, 500};
  status.totals.count = 3;
  status.totals.oldest_stored_at = at;
  status.in_flight = 2;
  status.now = at;
  policy.valid_until = at + 7 * INT64_C(86'400'000);
  const Json json = offline_status_json(status, policy);
  EXPECT_EQ(
      json.dump(),
      R"({"network_status":"online","route":"cellular","offline_payments_count":3,"offline_payment_amounts_by_currency":{"usd":1980},)"
      R"("oldest_stored_at":"2026-11-21T19:40:03.123Z","next_deadline":null,"limits":{)"
      R"("eur":{"per_transaction":10000,"device_total":100000,"device_total_remaining":100000},)"
      R"("usd":{"per_transaction":10000,"device_total":100000,"device_total_remaining":98020},)"
      R"("device_count":100,"device_count_remaining":97},"forwarding":{"paused":false,"in_flight":2,"reason":null},)"
      R"("policy":{"version":1,"valid_until":"2026-11-28T19:40:03.123Z","expires_soon":false,"overlay":"none","overlay_reason":null,"refused":null},"certificate":null})");
  status.certificate = CertificateStanding{at, true};
  EXPECT_EQ(offline_status_json(status, policy)["certificate"].dump(),
            R"({"not_after":"2026-11-21T19:40:03.123Z","expires_soon":true})");
  status.now += 1;
  status.policy = {OverlayState::Refused, "device_count: too many", PolicyRefusal{at, PolicyOrigin::Update, "older"}};
  EXPECT_EQ(
      offline_status_json(status, policy)["policy"].dump(),
      R"({"version":1,"valid_until":"2026-11-28T19:40:03.123Z","expires_soon":true,"overlay":"refused",)"
      R"("overlay_reason":"device_count: too many","refused":{"at":"2026-11-21T19:40:03.123Z","origin":"update","reason":"older"}})");
}

TEST(OfflineStatusJson, NothingRemainsBelowZero) {
  Policy policy;  // a policy that was tightened below what is stored
  policy.device_count = 1;
  policy.currencies[Currency{}].device_total = 100;
  OfflineStatus status;
  status.totals.by_currency[Currency{}] = {5'000, 0};
  status.totals.count = 7;
  const Json json = offline_status_json(status, policy);
  EXPECT_EQ(json["limits"]["usd"]["device_total_remaining"].integer(), 0);
  EXPECT_EQ(json["limits"]["device_count_remaining"].integer(), 0);
}

TEST(SyncReportJson, HasTheContractsFields) {
  hal::SyncRun run;
  run.id = 4;
  run.started_at = at;
  run.route = Route::Ethernet;
  run.forwarded = 3;
  run.succeeded = 1;
  run.declined = 1;
  run.requires_review = 1;
  run.amounts[Currency{}] = {100, 200};
  const Json json = sync_report_json(run, {full()});
  EXPECT_EQ(names(json.view()), (Names{"id", "started_at", "ended_at", "route", "forwarded", "succeeded", "declined",
                                       "requires_review", "expired", "amounts_by_currency", "payments"}));
  EXPECT_EQ(json["id"].integer(), 4);
  EXPECT_TRUE(json["ended_at"].is_null());
  EXPECT_EQ(json["amounts_by_currency"].dump(), R"({"usd":{"succeeded":100,"declined":200}})");
  EXPECT_EQ(json["payments"].size(), 1U);
  EXPECT_EQ(json["payments"].items()[0]["id"].string(), "pi_1");
}

}  // namespace
}  // namespace nightdrop::report
