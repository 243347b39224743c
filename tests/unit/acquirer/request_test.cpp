// What is sent to the acquirer, byte for byte against the contract (docs/acquirer_api.md).
#include "acquirer/https/request.hpp"

#include <gtest/gtest.h>

#include "nightdrop/time_text.hpp"

namespace nightdrop::acquirer {
namespace {

const Merchant merchant{"m_0001", "ND000001", "SN-77"};
const UtcMs stored_at = parse_rfc3339("2026-11-21T19:40:03.123Z").value();

// The contract page's example.
Payment example() {
  Payment payment;
  payment.id = "pi_0193f0c4a1b27c3d8e4f5a6b7c8d9e0f";
  payment.amount = payment.card_amount = 1'250;
  payment.merchant_reference = "order-1001";
  payment.deferred = true;
  payment.stored_at = stored_at;
  payment.stan = 1'042;
  payment.retrieval_reference_number = "632519001042";
  payment.local_transaction_time = "2026-11-21T14:40:03-05:00";
  payment.card.emplace();
  payment.card->read_method = ReadMethod::ContactlessEmv;
  payment.card->brand = Brand::Visa;
  payment.card->last4 = "4242";
  payment.card->exp_month = 12;
  payment.card->exp_year = 2030;
  payment.card->fingerprint = "fp_secret_to_the_merchant";
  payment.card->cardholder_name = "DOE/JANE";
  payment.emv = {0x9F, 0x26, 0x08, 1, 2, 3, 4, 5, 6, 7, 0xAB};
  payment.envelope.emplace();
  for (std::size_t i = 0; i < 12; ++i) payment.envelope->ksn[i] = static_cast<std::uint8_t>(0xA0 + i);
  payment.envelope->ciphertext = {0xFF, 0x00, 0x10};
  payment.attempts = 1;
  return payment;
}

std::string header(const hal::HostRequest& request, std::string_view name) {
  std::string found = "(none)";
  for (const auto& [key, value] : request.headers) {
    if (key != name) continue;
    EXPECT_EQ(found, "(none)") << name << " twice";
    found = value;
  }
  return found;
}

TEST(PaymentBody, IsTheContractsExample) {
  EXPECT_EQ(
      payment_body(example(), merchant),
      R"({"id":"pi_0193f0c4a1b27c3d8e4f5a6b7c8d9e0f","object":"payment_intent","amount":1250,"amount_details":{"tip":0},)"
      R"("card_amount":1250,"currency":"usd","merchant_id":"m_0001","terminal_id":"ND000001","merchant_reference":"order-1001",)"
      R"("deferred":true,"stored_at":"2026-11-21T19:40:03.123Z","stan":1042,"retrieval_reference_number":"632519001042",)"
      R"("local_transaction_time":"2026-11-21T14:40:03-05:00","read_method":"contactless_emv","brand":"visa","last4":"4242",)"
      R"("exp_month":12,"exp_year":2030,"fallback":false,"approver":null,"emv":"9F260801020304050607AB",)"
      R"("encrypted_card":{"format":"nd1","ksn":"A0A1A2A3A4A5A6A7A8A9AAAB","key_type":"aes-128","ciphertext":"/wAQ"},)"
      R"("encrypted_pin_block":null})");
}

TEST(PaymentBody, IsTheSameAtEveryAttempt) {
  Payment payment = example();
  const std::string body = payment_body(payment, merchant);
  payment.status = Status::Forwarding;
  payment.attempts = 9;
  payment.sent = payment.outcome_unknown = payment.ask_status = true;
  payment.last_attempt_at = stored_at + 99'000;
  payment.last_attempt_route = Route::Cellular;
  payment.not_before = stored_at + 5;
  payment.deadline = stored_at + 86'400'000;
  payment.sync_id = 4;
  payment.refunded_amount = 3;
  payment.cancel_requested = CancelReason::Abandoned;
  payment.decline.emplace();
  payment.decline_retries = 2;
  payment.acknowledged = true;
  payment.description = "not the acquirer's business";
  payment.metadata = {{"a", "b"}};
  payment.offline_reference = "ABCDEFGHJK";
  EXPECT_EQ(payment_body(payment, merchant), body);
  EXPECT_EQ(payment_request(payment, merchant, stored_at).body, body);
  EXPECT_EQ(payment_request(payment, merchant, stored_at + 1'000'000).body, body);
  EXPECT_EQ(body.find("fp_secret"), std::string::npos);
  EXPECT_EQ(body.find("DOE"), std::string::npos) << "names travel in the envelope only";
}

TEST(PaymentBody, FirstSentOnlineAndThenStoredKeepsItsFirstBytes) {
  Payment payment = example();
  payment.deferred = false;
  payment.stored_at.reset();
  const std::string first = payment_body(payment, merchant);
  EXPECT_NE(first.find(R"("deferred":false,"stored_at":null)"), std::string::npos);
  payment.stored_at = stored_at;  // no answer came
  EXPECT_EQ(payment_body(payment, merchant), first);
}

TEST(PaymentBody, ATipChangesTheAmountAndNotWhatTheCardSaw) {
  Payment payment = example();
  payment.amount += 200;
  payment.tip = 200;
  const std::string body = payment_body(payment, merchant);
  EXPECT_NE(body.find(R"("amount":1450,"amount_details":{"tip":200},"card_amount":1250)"), std::string::npos);
}

TEST(PaymentBody, ApproverPinBlockFallbackAndLongerKeys) {
  Payment payment = example();
  payment.approver = "manager";
  payment.card->fallback = true;
  payment.card->read_method = ReadMethod::MagneticStripeFallback;
  payment.envelope->key_type = KeyType::Aes256;
  payment.envelope->pin_block.assign(16, 0);
  payment.emv.clear();
  payment.currency = Currency{{'e', 'u', 'r'}};
  const std::string body = payment_body(payment, merchant);
  EXPECT_NE(body.find(R"("approver":"manager")"), std::string::npos);
  EXPECT_NE(body.find(R"("fallback":true)"), std::string::npos);
  EXPECT_NE(body.find(R"("read_method":"magnetic_stripe_fallback")"), std::string::npos);
  EXPECT_NE(body.find(R"("key_type":"aes-256")"), std::string::npos);
  EXPECT_NE(body.find(R"("encrypted_pin_block":"AAAAAAAAAAAAAAAAAAAAAA==")"), std::string::npos);
  EXPECT_NE(body.find(R"("emv":null)"), std::string::npos);
  EXPECT_NE(body.find(R"("currency":"eur")"), std::string::npos);
}

TEST(PaymentBody, ARefundNamesItsOriginal) {
  Payment refund = example();
  refund.kind = ObjectKind::Refund;
  refund.original_payment = "pi_original";
  refund.envelope.reset();
  const std::string body = payment_body(refund, merchant);
  EXPECT_NE(body.find(R"("object":"refund")"), std::string::npos);
  EXPECT_NE(body.find(R"("merchant_reference":"order-1001","payment_intent":"pi_original","deferred":true)"),
            std::string::npos);
  EXPECT_NE(body.find(R"("encrypted_card":null,"encrypted_pin_block":null)"), std::string::npos);
}

TEST(PaymentBody, TextIsEscaped) {
  Payment payment = example();
  payment.merchant_reference = R"(a"b\c)";
  EXPECT_NE(payment_body(payment, merchant).find(R"("merchant_reference":"a\"b\\c")"), std::string::npos);
}

TEST(PaymentRequest, HasTheContractsHeaders) {
  Payment payment = example();
  payment.attempts = 3;
  const hal::HostRequest request = payment_request(payment, merchant, stored_at + 877);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.path, "/v1/payments");
  EXPECT_EQ(header(request, "Idempotency-Key"), payment.id);
  EXPECT_EQ(header(request, "Content-Type"), "application/json");
  EXPECT_EQ(header(request, "Nightdrop-Reader"), "SN-77");
  EXPECT_EQ(header(request, "Nightdrop-Attempt"), "3");
  EXPECT_EQ(header(request, "Nightdrop-Sent-At"), "2026-11-21T19:40:04.000Z");
}

TEST(PaymentRequest, ADeclineThatIsTriedAgainIsANewAuthorizationOfTheSameId) {
  Payment payment = example();
  EXPECT_EQ(idempotency_key(payment), payment.id);
  payment.decline_retries = 2;
  EXPECT_EQ(idempotency_key(payment), payment.id + ":retry-2");
}

TEST(OtherRequests, AreTheContracts) {
  const hal::HostRequest inquiry = inquiry_request(example(), merchant);
  EXPECT_EQ(inquiry.method, "GET");
  EXPECT_EQ(inquiry.path, "/v1/payments/pi_0193f0c4a1b27c3d8e4f5a6b7c8d9e0f");
  EXPECT_EQ(inquiry.body, "");
  EXPECT_EQ(header(inquiry, "Nightdrop-Reader"), "SN-77");
  EXPECT_EQ(header(inquiry, "Idempotency-Key"), "(none)");
  Payment retried = example();
  retried.decline_retries = 2;
  EXPECT_EQ(header(inquiry_request(retried, merchant), "Idempotency-Key"), retried.id + ":retry-2");

  const std::pair<ReversalReason, const char*> reasons[] = {{ReversalReason::Timeout, "timeout"},
                                                            {ReversalReason::Canceled, "canceled"},
                                                            {ReversalReason::PartialRefused, "partial_refused"}};
  for (const auto& [reason, name] : reasons) {
    const hal::HostRequest reversal = reversal_request("pi_1", reason, merchant);
    EXPECT_EQ(reversal.method, "POST");
    EXPECT_EQ(reversal.path, "/v1/payments/pi_1/reversal");
    EXPECT_EQ(header(reversal, "Idempotency-Key"), "pi_1:reversal");
    EXPECT_EQ(header(reversal, "Content-Type"), "application/json");
    EXPECT_EQ(reversal.body, std::string(R"({"reason":")") + name + "\"}");
  }
  const hal::HostRequest probe = capabilities_request(merchant);
  EXPECT_EQ(probe.method, "GET");
  EXPECT_EQ(probe.path, "/v1/capabilities");
}

TEST(BatchRequest, HoldsTheVeryBytesOfEachPayment) {
  Payment other = example();
  other.id = "pi_2";
  const hal::HostRequest batch = batch_request({example(), other}, merchant, stored_at);
  EXPECT_EQ(batch.method, "POST");
  EXPECT_EQ(batch.path, "/v1/payments:batch");
  EXPECT_EQ(header(batch, "Content-Type"), "application/json");
  EXPECT_EQ(batch.body,
            "{\"payments\":[" + payment_body(example(), merchant) + "," + payment_body(other, merchant) + "]}");
}

TEST(PaymentBodyDeathTest, AnUnknownBuilderIsABug) {
  Payment payment = example();
  payment.body_version = 2;
  EXPECT_DEATH(static_cast<void>(payment_body(payment, merchant)), "assertion failed");
}

}  // namespace
}  // namespace nightdrop::acquirer
