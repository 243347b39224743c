// The acquirer posts an id once and remembers it: replay, conflict, reversal, batch, restart, parallel requests, and
// what it refuses, over real TLS against the real program.
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <map>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/acquirer/harness.hpp"
#include "hal/sim/card_catalogue.hpp"

namespace nightdrop::e2e {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class Acquirer : public testing::Test {
 protected:
  // A sale with a card of the catalogue's numbers, its body and the reply to its first send.
  std::string sale(const std::string& id, const std::string& pan = "4242424242424242") {
    Sale made{.id = id};
    made.pan = pan;
    made.last4 = pan.substr(12);
    return reader.body(made);
  }
  std::string error_of(const Reply& reply) { return std::string(reply.json()["error"]["code"].string().value_or("")); }

  DevFolder folder;
  AcquirerProcess acquirer{folder};
  TestReader reader{folder, acquirer};
};

TEST_F(Acquirer, ApprovesAndRepeatsTheFirstAnswer) {
  const std::string id = new_id();
  const std::string body = sale(id);
  const Reply first = reader.pay(id, body);
  ASSERT_EQ(first.status, 200) << first.body;
  const Json answer = first.json();
  EXPECT_EQ(answer["payment"].string(), id);
  EXPECT_EQ(answer["outcome"].string(), "approved");
  EXPECT_EQ(answer["approved_amount"].integer(), 1250);
  EXPECT_EQ(answer["response_code"].string(), "00");
  EXPECT_EQ(answer["authorization_code"].string().value_or("").size(), 6U);
  EXPECT_EQ(answer["emv"].string(), "8A023030");
  EXPECT_FALSE(first.replayed);

  const Reply again = reader.pay(id, body);
  EXPECT_EQ(again.status, 200);
  EXPECT_TRUE(again.replayed);
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(reader.get("/v1/payments/" + id).body, first.body);
  EXPECT_EQ(reader.row(id)["posted"].integer(), 1);
  EXPECT_EQ(reader.row(id)["attempts"].integer(), 2);
  EXPECT_EQ(reader.stat("posted"), 1);
  EXPECT_EQ(reader.stat("replayed"), 1);
  EXPECT_EQ(reader.stat("twice"), 0);
}

TEST_F(Acquirer, TheSameIdWithAnotherBodyIsAConflict) {
  const std::string id = new_id();
  ASSERT_EQ(reader.pay(id, sale(id)).status, 200);
  const Reply other = reader.pay(id, sale(id));  // another KSN
  EXPECT_EQ(other.status, 409);
  EXPECT_EQ(error_of(other), "idempotency_conflict");
  EXPECT_EQ(reader.row(id)["posted"].integer(), 1);
}

TEST_F(Acquirer, AnUnknownPaymentIsToldApart) {
  const Reply reply = reader.get("/v1/payments/" + new_id());
  EXPECT_EQ(reply.status, 404);
  EXPECT_EQ(error_of(reply), "unknown_payment");
}

TEST_F(Acquirer, AReversalOfAnUnknownPaymentRefusesItLater) {
  const std::string id = new_id();
  const Reply reversed = reader.reverse(id);
  EXPECT_EQ(reversed.status, 200);
  EXPECT_EQ(reversed.json()["outcome"].string(), "reversed");
  EXPECT_TRUE(reader.reverse(id).replayed);
  EXPECT_EQ(reader.reverse(id, "canceled").status, 409);
  const Reply late = reader.pay(id, sale(id));
  EXPECT_EQ(late.status, 422);
  EXPECT_EQ(error_of(late), "reversed");
  EXPECT_EQ(reader.row(id)["posted"].integer(), 0);
}

TEST_F(Acquirer, AReversalTakesTheMoneyBack) {
  const std::string id = new_id();
  ASSERT_EQ(reader.pay(id, sale(id)).status, 200);
  ASSERT_EQ(reader.reverse(id, "canceled").status, 200);
  EXPECT_EQ(reader.row(id)["reversed"].boolean(), true);
  EXPECT_EQ(reader.stats()["amounts_by_currency"]["usd"]["net"].integer(), 0);
}

TEST_F(Acquirer, ABatchIsThePaymentsThemselves) {
  const std::string alone = new_id();
  const std::string alone_body = sale(alone);
  ASSERT_EQ(reader.pay(alone, alone_body).status, 200);
  std::vector<std::string> bodies{alone_body, "{\"id\":\"" + new_id() + "\"}"};
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) {
    ids.push_back(new_id());
    bodies.push_back(sale(ids.back()));
  }
  const Reply reply = reader.batch(bodies);
  ASSERT_EQ(reply.status, 200) << reply.body;
  const Json answer = reply.json();
  ASSERT_EQ(answer["results"].size(), 7U);
  std::map<std::string, std::int64_t> statuses;
  for (const JsonView result : answer["results"].items()) {
    statuses[std::string(*result["payment"].string())] = *result["status"].integer();
  }
  EXPECT_EQ(statuses[alone], 200);
  for (const std::string& id : ids) EXPECT_EQ(statuses[id], 200);
  EXPECT_EQ(std::count_if(statuses.begin(), statuses.end(), [](const auto& each) { return each.second == 422; }), 1);
  // Sent alone afterwards it is the same payment.
  EXPECT_TRUE(reader.pay(ids[2], bodies[4]).replayed);
  EXPECT_EQ(reader.stat("posted"), 6);
  EXPECT_EQ(reader.batch(std::vector<std::string>(101, alone_body)).status, 413);
}

TEST_F(Acquirer, CapabilitiesSayTheTimeAndTheBatch) {
  const Json answer = reader.get("/v1/capabilities").json();
  EXPECT_EQ(answer["batch"].integer(), 100);
  EXPECT_TRUE(answer["http2"].is_bool());
  EXPECT_TRUE(answer["server_time"].is_string());
}

TEST_F(Acquirer, ParallelRequestsOfOneIdPostItOnce) {
  const std::string id = new_id();
  const std::string body = sale(id);
  // Each answer is held back for a while, so that the requests meet however fast the machine is.
  ASSERT_EQ(reader.admin("POST", "/admin/faults", R"([{"fault":"delay","ms":100}])").status, 200);
  constexpr int senders = 16;
  std::atomic<int> fresh{0};
  std::atomic<int> good{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < senders; ++i) {
      threads.emplace_back([&] {
        const Reply reply = reader.pay(id, body);
        if (reply.status == 200) ++good;
        if (reply.status == 200 && !reply.replayed) ++fresh;
      });
    }
  }
  EXPECT_EQ(good, senders);
  EXPECT_EQ(fresh, 1);
  EXPECT_EQ(reader.row(id)["posted"].integer(), 1);
  EXPECT_EQ(reader.row(id)["attempts"].integer(), senders);
  EXPECT_GT(reader.stat("max_concurrent"), 1);
}

TEST_F(Acquirer, DeclinesByCardAndByOrder) {
  const std::string poor = new_id();
  ASSERT_EQ(
      reader.admin("POST", "/admin/outcome", R"({"last4":"4242","response_code":"51","advice_code":"24"})").status,
      200);
  const std::string body = sale(poor);
  const Json soft = reader.pay(poor, body).json();
  EXPECT_EQ(soft["outcome"].string(), "declined");
  EXPECT_EQ(soft["reason"].string(), "insufficient_funds");
  EXPECT_EQ(soft["category"].string(), "soft");
  EXPECT_EQ(soft["advice_code"].string(), "24");
  EXPECT_EQ(reader.row(poor)["posted"].integer(), 0);

  // A retry under the policy is a new authorization of the same id, and is posted once.
  ASSERT_EQ(reader.admin("DELETE", "/admin/outcome").status, 200);
  EXPECT_EQ(reader.pay(poor, body).json()["outcome"].string(), "declined");
  EXPECT_EQ(reader.post("/v1/payments", body, poor + ":retry-1", "ND000001").json()["outcome"].string(), "approved");
  EXPECT_TRUE(reader.post("/v1/payments", body, poor + ":retry-2", "ND000001").replayed);
  EXPECT_EQ(reader.row(poor)["posted"].integer(), 1);

  const std::string stolen = new_id();
  ASSERT_EQ(reader.admin("POST", "/admin/outcome", "{\"id\":\"" + stolen + "\",\"response_code\":\"43\"}").status, 200);
  EXPECT_EQ(reader.pay(stolen, sale(stolen)).json()["category"].string(), "hard");
  EXPECT_EQ(reader.admin("POST", "/admin/outcome", R"({"last4":"4242"})").status, 422);
}

TEST_F(Acquirer, TheIssuerKnowsTheCataloguesDecliningCards) {
  for (const char* code : {"05", "14", "41", "43", "51", "54", "61", "62", "65", "91", "96"}) {
    const auto* card = hal::find_card(std::string("visa_decline_") + code);
    ASSERT_NE(card, nullptr) << code;
    const std::string id = new_id();
    const Json answer = reader.pay(id, sale(id, card->pan)).json();
    EXPECT_EQ(answer["outcome"].string(), "declined") << code;
    EXPECT_EQ(answer["response_code"].string(), code);
    EXPECT_NE(answer["reason"].string(), "declined") << code;
  }
  EXPECT_EQ(reader.stat("posted"), 0);
}

TEST_F(Acquirer, RefusesWhatTheEnvelopeDoesNotBind) {
  const std::string id = new_id();
  const auto refusal = [&](Sale made, const std::string& from, const std::string& to) {
    std::string body = reader.body(made);
    if (!from.empty()) body.replace(body.find(from), from.size(), to);
    const Reply reply = reader.pay(id, body);
    EXPECT_EQ(reply.status, 422) << reply.body;
    EXPECT_THAT(reply.body, Not(HasSubstr("4242424242424242")));
    return error_of(reply);
  };
  const Sale made{.id = id};
  EXPECT_EQ(refusal(made, "\"card_amount\":1250", "\"card_amount\":1251"), "emv_amount_mismatch");
  EXPECT_EQ(refusal(made, "\"currency\":\"usd\"", "\"currency\":\"eur\""), "envelope_unreadable");
  EXPECT_EQ(refusal(made, "\"terminal_id\":\"ND000001\"", "\"terminal_id\":\"ND000002\""), "envelope_unreadable");
  EXPECT_EQ(refusal(made, "\"key_type\":\"aes-128\"", "\"key_type\":\"aes-256\""), "key_type_mismatch");
  EXPECT_EQ(refusal(made, "\"ksn\":\"12345678", "\"ksn\":\"87654321"), "bdk_unknown");
  EXPECT_EQ(refusal(made, "\"last4\":\"4242\"", "\"last4\":\"4243\""), "last4_mismatch");
  EXPECT_EQ(refusal(made, "\"exp_year\":2030", "\"exp_year\":2031"), "expiry_mismatch");
  EXPECT_EQ(refusal(made, "\"emv\":\"", "\"emv\":\"5A084242424242424242"), "emv_card_data");
  EXPECT_EQ(refusal(made, "\"amount\":1250", "\"amount\":0"), "invalid_field");
  EXPECT_EQ(refusal(made, "\"deferred\":true", "\"deferred\":false"), "invalid_field");
  EXPECT_EQ(reader.pay(id, "no json").status, 400);
  EXPECT_EQ(reader.post("/v1/payments", reader.body(made), std::nullopt, "ND000001").status, 400);
  EXPECT_EQ(reader.pay(new_id(), reader.body(made)).status, 400);
  EXPECT_EQ(reader.stat("posted"), 0);
  // None of it stands in the way of the right one.
  EXPECT_EQ(reader.pay(id, reader.body(made)).status, 200);
}

TEST_F(Acquirer, AKsnIsOnePaymentsAndOrderIsNoted) {
  const std::string first = new_id();
  const std::string second = new_id();
  const std::string third = new_id();
  const std::string first_body = sale(first);
  const std::string second_body = sale(second);
  ASSERT_EQ(reader.pay(second, second_body).status, 200);
  ASSERT_EQ(reader.pay(first, first_body).status, 200);
  EXPECT_THAT(reader.row(first)["anomalies"].dump(), HasSubstr("counter_order"));
  TestReader clone(folder, acquirer);  // the same device's keys from the beginning
  const Reply reused = clone.pay(third, clone.body({.id = third}));
  EXPECT_EQ(reused.status, 422);
  EXPECT_EQ(error_of(reused), "ksn_reused");
  EXPECT_EQ(reader.stats()["anomalies_by_kind"]["ksn_reused"].integer(), 1);
}

TEST_F(Acquirer, OneSaleUnderTwoIdsIsNoted) {
  const std::string first = new_id();
  const std::string second = new_id();
  ASSERT_EQ(reader.pay(first, reader.body({.id = first, .reference = "table-7"})).status, 200);
  ASSERT_EQ(reader.pay(second, reader.body({.id = second, .reference = "table-7"})).status, 200);
  EXPECT_THAT(reader.row(second)["anomalies"].dump(), HasSubstr("merchant_reference_reused"));
}

TEST_F(Acquirer, RefundsAreApproved) {
  const std::string id = new_id();
  ASSERT_EQ(reader.pay(id, reader.body({.id = id, .object = "refund"})).status, 200);
  EXPECT_EQ(reader.row(id)["object"].string(), "refund");
  EXPECT_EQ(reader.stats()["amounts_by_currency"]["usd"]["net"].integer(), -1250);
}

TEST_F(Acquirer, OnlyARegisteredReaderUnderItsOwnNameIsHeard) {
  const std::string id = new_id();
  const std::string body = sale(id);
  const Reply other_name = reader.post("/v1/payments", body, id, "ND000002");
  EXPECT_EQ(other_name.status, 403);
  EXPECT_EQ(error_of(other_name), "reader_mismatch");
  folder.add_reader("ND000009", false);
  TestReader stranger(folder, acquirer, "ND000009");
  EXPECT_EQ(error_of(stranger.get("/v1/capabilities")), "reader_unknown");
  folder.add_reader("ND000008", true);  // after the start
  TestReader newcomer(folder, acquirer, "ND000008");
  EXPECT_EQ(newcomer.get("/v1/capabilities").status, 200);
  EXPECT_THAT(raw_exchange(folder, "", acquirer.port(), "GET /v1/capabilities HTTP/1.1\r\n\r\n"),
              Not(HasSubstr("HTTP/1.1")));
  EXPECT_EQ(reader.stat("posted"), 0);
}

TEST_F(Acquirer, TheLedgerHoldsNoCardNumberAndSurvivesAKill) {
  const std::string id = new_id();
  const std::string reversed = new_id();
  const std::string body = sale(id);
  const Reply first = reader.pay(id, body);
  ASSERT_EQ(reader.reverse(reversed).status, 200);
  acquirer.end(SIGKILL);
  const std::string ledger = read_file(folder.ledger());
  EXPECT_THAT(ledger, HasSubstr(id));
  EXPECT_THAT(ledger, Not(HasSubstr("4242424242424242")));
  // A line that the crash tore was never answered for.
  std::ofstream(folder.ledger(), std::ios::app) << "{\"type\":\"paym";

  AcquirerProcess second(folder);
  TestReader after(folder, second);
  const Reply again = after.pay(id, body);
  EXPECT_TRUE(again.replayed);
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(error_of(after.pay(reversed, after.body({.id = reversed}))), "reversed");
  EXPECT_EQ(after.stat("posted"), 1);
  EXPECT_EQ(second.end(SIGTERM), 0);
  const Ended table = run_to_end({"ledger", "--dir", folder.path()});
  EXPECT_EQ(table.exit_code, 0);
  EXPECT_THAT(table.out, HasSubstr(id));
  EXPECT_THAT(run_to_end({"ledger", "--dir", folder.path(), "--json"}).out, StartsWith("{"));
}

TEST_F(Acquirer, EndsInOrderWithConnectionsOpen) {
  ASSERT_EQ(reader.get("/v1/capabilities").status, 200);
  EXPECT_EQ(acquirer.end(SIGTERM), 0);
}

TEST_F(Acquirer, ALedgerHasOneAcquirer) {
  const Ended second = run_to_end({"acquirer", "--dir", folder.path(), "--listen", "127.0.0.1:0"});
  EXPECT_EQ(second.exit_code, 75);
  EXPECT_THAT(second.err, HasSubstr("another acquirer"));
}

TEST(AcquirerCommand, SaysWhatIsWrongWithItsFolder) {
  const Ended nowhere = run_to_end({"acquirer", "--dir", "/nonexistent"});
  EXPECT_EQ(nowhere.exit_code, 78);
  EXPECT_THAT(nowhere.err, HasSubstr("is no directory"));
  DevFolder folder;
  write_file(folder.path() + "/keys.json", "{\"key_type\":\"aes-128\",\"bdk\":\"00\",\"bdk_id\":\"12345678\"}");
  const Ended key = run_to_end({"acquirer", "--dir", folder.path(), "--listen", "127.0.0.1:0"});
  EXPECT_EQ(key.exit_code, 78);
  EXPECT_THAT(key.err, HasSubstr("bdk must be hex"));
}

TEST(AcquirerCommand, ADamagedLedgerIsNotGuessedAt) {
  DevFolder folder;
  write_file(folder.ledger(), "{\"type\":\"payment\"\n{}\n");
  EXPECT_EQ(run_to_end({"acquirer", "--dir", folder.path(), "--listen", "127.0.0.1:0"}).exit_code, 65);
  EXPECT_EQ(run_to_end({"ledger", "--dir", folder.path()}).exit_code, 65);
}

TEST(AcquirerCommand, HelpsAndRefusesWhatItDoesNotKnow) {
  const Ended help = run_to_end({"acquirer", "--help"});
  EXPECT_EQ(help.exit_code, 0);
  for (const char* word : {"--listen", "cut_after", "/admin/outcome", "EXIT STATUS"})
    EXPECT_THAT(help.out, HasSubstr(word));
  EXPECT_EQ(run_to_end({"acquirer"}).exit_code, 64);
  EXPECT_EQ(run_to_end({"acquirer", "--dir", "/tmp", "--nonsense"}).exit_code, 64);
}

}  // namespace
}  // namespace nightdrop::e2e
