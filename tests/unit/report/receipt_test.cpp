// Receipts and listings: the words that matter, the width, and that nothing unauthorized reads as if it were.
#include "report/receipt.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "report/listings.hpp"

namespace nightdrop::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* card =
    R"({"brand":"visa","last4":"4242","exp_month":12,"exp_year":2030,"read_method":"contactless_emv",
  "cardholder_name":null,"fingerprint":"fp_00","receipt":{"application_preferred_name":"VISA CREDIT","dedicated_file_name":"A0000000031010",
  "application_cryptogram":"1122334455667788","terminal_verification_results":"0000008000","transaction_status_information":"E800",
  "authorization_response_code":null,"cardholder_verification_method":"1F0302","account_type":null}})";

// A payment with a card, in a state; `members` replace or add some.
Json payment(std::string_view status, std::string_view members = "{}") {
  Json json = std::move(*Json::parse(
      R"({"id":"pi_0193f0c4a1b27c3d8e4f5a6b7c8d9e0f","object":"payment_intent","amount":1450,"amount_details":{"tip":200},
    "currency":"usd","merchant_reference":"order-1","created":"2026-11-20T19:40:03.123Z","authorization":null,"decline":null,
    "cancellation":null,"offline":{"stored_at":"2026-11-20T19:40:03.123Z","requires_upload":true,"deadline":"2026-11-21T19:40:03.123Z",
    "reference":"7K3M9PQR2W","attempts":0,"last_attempt":null}})"));
  json.set("status", status).set("payment_method", std::move(*Json::parse(card)));
  const auto more = Json::parse(members);
  EXPECT_TRUE(more) << members;
  if (more) {
    for (const JsonView member : more->view().items()) json.set(member.key(), member);
  }
  return json;
}

constexpr const char* approved =
    R"({"authorization":{"id":"aq_1","code":"831000","approved_amount":1450,"response_code":"00","processed_at":"2026-11-20T19:40:04Z"},"offline":null})";

std::string printed(const Json& json, Copy copy = Copy::Customer, bool live = true) {
  return receipt(json.view(), {"Night Owl Bar", "ND000001", live}, copy, Style{});
}

TEST(Receipt, OfAnApprovedPaymentHasAllThatACardholderNeeds) {
  EXPECT_EQ(printed(payment("succeeded", approved)),
            "             Night Owl Bar\n"
            "----------------------------------------\n"
            "Date                 2026-11-20 19:40:03\n"
            "Reader                          ND000001\n"
            "Reference                        order-1\n"
            "----------------------------------------\n"
            "Subtotal                           12.50\n"
            "Tip                                 2.00\n"
            "TOTAL                          USD 14.50\n"
            "----------------------------------------\n"
            "Visa                 **** **** **** 4242\n"
            "Entry                        Contactless\n"
            "Application                  VISA CREDIT\n"
            "AID                       A0000000031010\n"
            "Cryptogram              1122334455667788\n"
            "TVR                           0000008000\n"
            "TSI                                 E800\n"
            "CVM                               1F0302\n"
            "----------------------------------------\n"
            "                APPROVED\n"
            "Authorization code                831000\n"
            "Response code                         00\n"
            "\n"
            "         No signature required\n"
            "\n"
            "             CUSTOMER COPY\n"
            "       Please keep this receipt.\n");
}

TEST(Receipt, OfAStoredPaymentSaysItIsNotAuthorized) {
  const std::string text = printed(payment("stored"));
  EXPECT_THAT(text, HasSubstr("STORED OFFLINE - NOT YET AUTHORIZED\n"));
  EXPECT_THAT(text, HasSubstr("Offline reference             7K3M9PQR2W\n"));
  EXPECT_THAT(text, HasSubstr("may still\ndecline it."));
}

TEST(Receipt, NothingButAnApprovalReadsAsOne) {
  for (const char* status : {"requires_payment_method", "requires_confirmation", "requires_approval", "processing",
                             "stored", "forwarding", "declined", "expired", "canceled", "requires_review"}) {
    const Json one = payment(status);
    const std::string text =
        printed(one, Copy::Merchant) + std::string(status_text(status)) + payment_details(one.view(), Style{});
    EXPECT_THAT(text, Not(HasSubstr("APPROVED"))) << status;
    EXPECT_THAT(text, Not(HasSubstr("approved"))) << status;
    EXPECT_THAT(text, Not(HasSubstr("Authorization code"))) << status;
  }
  for (const char* status : {"processing", "stored", "forwarding", "expired", "requires_review"}) {
    EXPECT_THAT(std::string(outcome_text(payment(status).view())), HasSubstr("NOT")) << status;
  }
}

TEST(Receipt, StaysWithinItsWidth) {
  for (const char* status :
       {"processing", "stored", "forwarding", "succeeded", "declined", "expired", "canceled", "requires_review"}) {
    for (const Copy copy : {Copy::Customer, Copy::Merchant}) {
      const Json one = payment(
          status, R"({"merchant_reference":"a-reference-that-is-sixty-four-characters-long-as-the-contract-al"})");
      std::istringstream lines(printed(one, copy));
      for (std::string line; std::getline(lines, line);) EXPECT_LE(display_width(line), receipt_width) << line;
    }
  }
}

TEST(Receipt, OfADeclineARefundAVoidAndAPartialApproval) {
  EXPECT_THAT(printed(payment("declined", R"({"decline":{"reason":"insufficient_funds","response_code":"51"}})")),
              ::testing::AllOf(HasSubstr("DECLINED"), HasSubstr("No money was taken."),
                               HasSubstr("Response code                         51")));
  const std::string refund = printed(payment("stored", R"({"object":"refund","amount_details":{"tip":0}})"));
  EXPECT_THAT(refund,
              ::testing::AllOf(HasSubstr("REFUND                         USD 14.50"), HasSubstr("NOT YET AUTHORIZED"),
                               HasSubstr("paid out only if"), Not(HasSubstr("TOTAL"))));
  EXPECT_THAT(printed(payment("canceled", R"({"cancellation":{"reason":"reversed"}})")), HasSubstr("REVERSED"));
  EXPECT_THAT(printed(payment("canceled", R"({"cancellation":{"reason":"duplicate"}})")), HasSubstr("not charged"));
  const std::string part =
      printed(payment("succeeded", R"({"authorization":{"code":"1","approved_amount":800},"offline":null})"));
  EXPECT_THAT(part,
              ::testing::AllOf(HasSubstr("APPROVED IN PART"), HasSubstr("Approved amount                 USD 8.00"),
                               HasSubstr("Still to be paid                USD 6.50")));
}

TEST(Receipt, AsksForASignatureOnTheMerchantsCopyOnly) {
  const Json signed_one = payment(
      "succeeded",
      R"({"payment_method":{"brand":"visa","last4":"4242","read_method":"contact_emv","receipt":{"cardholder_verification_method":"1E0300"}}})");
  EXPECT_THAT(printed(signed_one, Copy::Merchant), HasSubstr("x____"));
  EXPECT_THAT(printed(signed_one, Copy::Customer), Not(HasSubstr("x____")));
  EXPECT_THAT(printed(payment("declined"), Copy::Merchant), Not(HasSubstr("I agree")));
}

TEST(Receipt, SaysHowTheCardholderWasVerified) {
  EXPECT_EQ(cardholder_verification_text("410302"), "Verified by PIN");  // bit 7: go on if it fails
  EXPECT_EQ(cardholder_verification_text("020300"), "Verified by PIN online");
  EXPECT_EQ(cardholder_verification_text("1E0300"), "Verified by signature");
  EXPECT_EQ(cardholder_verification_text("1F0302"), "No signature required");
  for (const char* none : {"", "41", "410301", "zz0302", "3F0000"})
    EXPECT_EQ(cardholder_verification_text(none), "") << none;
  EXPECT_TRUE(signature_needed("5E0300"));
  EXPECT_FALSE(signature_needed("5E0301"));
  EXPECT_FALSE(signature_needed("1F0302"));
}

TEST(Receipt, MarksATest) {
  EXPECT_THAT(printed(payment("succeeded", approved), Copy::Customer, false), HasSubstr("TEST - NO VALUE"));
  EXPECT_THAT(printed(payment("succeeded", approved)), Not(HasSubstr("TEST")));
}

Json list(std::vector<Json> payments) {
  Json all = Json::array();
  for (Json& one : payments) all.push(std::move(one));
  return all;
}

Json listed(std::string_view status, std::string_view members = "{}") {
  std::vector<Json> one;
  one.push_back(payment(status, members));
  return list(std::move(one));
}

std::size_t widest(const std::string& text) {
  std::size_t width = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) width = std::max(width, display_width(line));
  return width;
}

TEST(Listings, FitEightyColumns) {
  const char* decline =
      R"({"decline":{"reason":"insufficient_funds","response_code":"51","category":"soft","next_action":"Ask for another card, or try again tomorrow when the issuer may answer otherwise.","retry_at":null}})";
  const Json declines = listed("declined", decline);
  for (const std::size_t width : {60U, 80U, 120U}) {
    const Style style{.width = width};
    EXPECT_LE(widest(payments_listing(declines.view(), style)), width);
    EXPECT_LE(widest(declines_listing(declines.view(), style)), width);
    EXPECT_LE(widest(payment_details(payment("declined", decline).view(), style)), width);
  }
  EXPECT_THAT(declines_listing(declines.view(), Style{}),
              ::testing::AllOf(HasSubstr("insufficient"), HasSubstr("(51)"), HasSubstr("another card")));
  EXPECT_EQ(payments_listing(Json::array().view(), Style{}), "No payments.\n");
}

TEST(Listings, SayWhatToDoEvenWhereTheReaderDoesNot) {
  for (const char* status : {"declined", "expired", "requires_review"})
    EXPECT_FALSE(what_to_do(payment(status).view()).empty());
  EXPECT_THAT(what_to_do(payment("declined", R"({"decline":{"category":"hard"}})").view()),
              HasSubstr("Never try this card again"));
}

TEST(Listings, StatusTellsWhatIsAtRiskAndWhatIsLeft) {
  const auto status = Json::parse(R"({"network_status":"offline","route":null,"offline_payments_count":90,
    "offline_payment_amounts_by_currency":{"usd":85000,"jpy":500},"oldest_stored_at":"2026-11-20T17:30:00Z","next_deadline":"2026-11-21T17:30:00Z",
    "limits":{"usd":{"per_transaction":10000,"device_total":100000,"device_total_remaining":15000},"device_count":100,"device_count_remaining":10},
    "forwarding":{"paused":true,"in_flight":0,"reason":"unauthorized"}})");
  ASSERT_TRUE(status);
  EXPECT_EQ(status_listing(status->view(), JsonView(), Style{.now = 1'795'203'600'000}),
            "Network     offline\n"
            "Stored      90 payments at risk, not authorized\n"
            "            USD 850.00\n"
            "            JPY 500\n"
            "  oldest    2 h 10 min ago, 2026-11-20 17:30\n"
            "  deadline  in 21 h 50 min, 2026-11-21 17:30\n"
            "Cap usd     [#################...] 850.00 of 1,000.00, 150.00 left\n"
            "            at most 100.00 a payment\n"
            "Cap count   [##################..] 90 of 100, 10 left\n"
            "Forwarding  paused: unauthorized\n");
}

TEST(Listings, StatusTellsOfATamperedReader) {
  const auto status = Json::parse("{}");
  const auto reader = Json::parse(R"({"serial_number":"ND1","tampered":true,"provisioned":false})");
  ASSERT_TRUE(status && reader);
  EXPECT_THAT(status_listing(status->view(), reader->view(), Style{}),
              testing::StartsWith("Reader      ND1 · TAMPERED WITH: its keys are erased\n"));
}

TEST(Listings, StatusTellsOfThePolicyAndOfWhatWasRefused) {
  const auto tail = [](const std::string& policy, UtcMs now) {
    const auto status = Json::parse(R"({"forwarding":{},"policy":)" + policy + "}");
    const std::string text = status_listing(status->view(), JsonView(), Style{.now = now});
    return text.substr(text.find("Policy"));
  };
  const UtcMs now = 1'795'203'600'000;  // 2026-11-20T19:40:00Z
  EXPECT_EQ(
      tail(R"({"version":3,"valid_until":"2027-01-01T00:00:00Z","expires_soon":false,"overlay":"none","refused":null})",
           now),
      "Policy      version 3, valid until 2027-01-01 00:00, in 41 d 4 h\n");
  EXPECT_EQ(
      tail(
          R"({"version":3,"valid_until":"2026-11-22T19:40:00Z","expires_soon":true,"overlay":"in_force","refused":null})",
          now),
      "Policy      version 3, valid until 2026-11-22 19:40, in 2 d: a newer one is needed\n"
      "  overlay   in force: the limits are tighter than signed\n");
  EXPECT_EQ(
      tail(
          R"({"version":3,"valid_until":"2026-11-20T18:40:00Z","expires_soon":true,"overlay":"refused","overlay_reason":"device_count: no",
                     "refused":{"at":"2026-11-20T19:30:00Z","origin":"update","reason":"version: is older"}})",
          now),
      "Policy      version 3, RUN OUT 1 h ago: no offline payments\n"
      "  overlay   REFUSED: device_count: no\n"
      "  refused   another was refused 10 min ago: version: is older\n");
}

TEST(Listings, ReconciliationNamesEveryDisagreement) {
  const auto result = Json::parse(
      R"({"matched":[{}],"missing_on_reader":[{"merchant_reference":"gone","pos":{"amount":100,"currency":"usd"},"reader":null}],
    "missing_on_pos":[],"mismatched":[{"merchant_reference":"odd","pos":{"amount":100,"currency":"usd"},"reader":{"amount":150,"currency":"usd","status":"stored"},"fields":["amount"]}],"duplicates":[]})");
  ASSERT_TRUE(result);
  const std::string text = reconciliation(result->view(), Style{});
  EXPECT_THAT(text, ::testing::AllOf(HasSubstr("1 payment agrees; these do not"), HasSubstr("differs: amount"),
                                     HasSubstr("not on the reader"), HasSubstr("USD 1.50"),
                                     HasSubstr("stored, not authorized")));
}

}  // namespace
}  // namespace nightdrop::report
