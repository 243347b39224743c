// Every kind of fault, and the plan that orders them: what the client sees, and what the ledger holds afterwards.
#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/acquirer/harness.hpp"

namespace nightdrop::e2e {
namespace {

using std::chrono::steady_clock;
using testing::HasSubstr;
using testing::Not;

class AcquirerFaults : public testing::Test {
 protected:
  // Sends a sale with one fault of that kind in its way, and says what came.
  Reply with_fault(const std::string& fault, const std::string& fields = "") {
    id = new_id();
    body = reader.body({.id = id});
    reader.faults("[{\"fault\":\"" + fault + "\",\"count\":1" + fields + "}]");
    return reader.pay(id, body);
  }
  std::int64_t posted() { return reader.row(id)["posted"].integer().value_or(0); }
  void expect_answer_in_the_end(bool replayed) {
    const Reply reply = reader.pay(id, body);
    EXPECT_EQ(reply.status, 200) << reply.body;
    EXPECT_EQ(reply.replayed, replayed);
    EXPECT_EQ(reply.json()["payment"].string(), id);
    EXPECT_EQ(posted(), 1);
    EXPECT_EQ(reader.stat("twice"), 0);
  }

  DevFolder folder;
  AcquirerProcess acquirer{folder};
  TestReader reader{folder, acquirer};
  std::string id;
  std::string body;
};

TEST_F(AcquirerFaults, RefuseClosesBeforeTls) {
  id = new_id();
  body = reader.body({.id = id});
  reader.faults(R"([{"fault":"refuse","count":1}])");
  EXPECT_EQ(raw_exchange(folder, "ND000001", acquirer.port(), "GET /v1/capabilities HTTP/1.1\r\n\r\n"), "no handshake");
  EXPECT_EQ(posted(), 0);
  expect_answer_in_the_end(false);
  EXPECT_EQ(reader.stats()["faults_by_kind"]["refuse"].integer(), 1);
}

TEST_F(AcquirerFaults, CutBeforeProcessesNothing) {
  EXPECT_EQ(with_fault("cut_before").status, 0);
  EXPECT_EQ(posted(), 0);
  EXPECT_EQ(reader.stat("cut"), 1);
  expect_answer_in_the_end(false);
}

TEST_F(AcquirerFaults, CutAfterPostsAndTheReplayGivesTheFirstAnswer) {
  EXPECT_EQ(with_fault("cut_after").status, 0);
  EXPECT_EQ(posted(), 1);
  EXPECT_EQ(reader.stat("cut"), 1);
  expect_answer_in_the_end(true);
}

TEST_F(AcquirerFaults, CutAfterSendsNoByte) {
  id = new_id();
  body = reader.body({.id = id});
  reader.faults(R"([{"fault":"cut_after","count":1}])");
  const std::string request =
      "POST /v1/payments HTTP/1.1\r\nHost: a\r\nNightdrop-Reader: ND000001\r\nIdempotency-Key: " + id +
      "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  EXPECT_EQ(raw_exchange(folder, "ND000001", acquirer.port(), request), "");
  EXPECT_EQ(posted(), 1);
}

TEST_F(AcquirerFaults, DelayAnswersLate) {
  const auto start = steady_clock::now();
  EXPECT_EQ(with_fault("delay", ",\"ms\":250").status, 200);
  EXPECT_GE(steady_clock::now() - start, std::chrono::milliseconds(250));
  EXPECT_EQ(posted(), 1);
}

TEST_F(AcquirerFaults, SlowDripGivesTheWholeAnswerByteByByte) {
  const auto start = steady_clock::now();
  const Reply reply = with_fault("slow_drip", ",\"ms\":2");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.json()["outcome"].string(), "approved");
  EXPECT_GE(steady_clock::now() - start, std::chrono::milliseconds(2) * reply.body.size());
}

TEST_F(AcquirerFaults, StatusComesWithRetryAfter) {
  const Reply reply = with_fault("status", ",\"code\":503,\"retry_after\":7");
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.retry_after, "7");
  EXPECT_EQ(posted(), 0);
  expect_answer_in_the_end(false);
  EXPECT_EQ(with_fault("status", ",\"code\":502,\"processed\":true").status, 502);
  EXPECT_EQ(posted(), 1);
}

TEST_F(AcquirerFaults, HtmlAndRedirectAreACaptivePortal) {
  const Reply html = with_fault("html");
  EXPECT_EQ(html.status, 200);
  EXPECT_THAT(html.content_type, HasSubstr("text/html"));
  EXPECT_EQ(posted(), 0);
  const Reply redirect = with_fault("redirect");
  EXPECT_EQ(redirect.status, 302);
  EXPECT_THAT(redirect.location, HasSubstr("http://"));
  expect_answer_in_the_end(false);
}

TEST_F(AcquirerFaults, GarbageIsNoJson) {
  const Reply reply = with_fault("garbage");
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.json().view().is_null());
  expect_answer_in_the_end(true);
}

TEST_F(AcquirerFaults, WrongIdNamesAnother) {
  const Reply reply = with_fault("wrong_id");
  EXPECT_EQ(reply.json()["outcome"].string(), "approved");
  EXPECT_NE(reply.json()["payment"].string(), id);
  expect_answer_in_the_end(true);
}

TEST_F(AcquirerFaults, UnknownOutcomeIsNoneOfTheContracts) {
  EXPECT_EQ(with_fault("unknown_outcome").json()["outcome"].string(), "perhaps");
  expect_answer_in_the_end(true);
}

TEST_F(AcquirerFaults, TooLongIsMoreThan64KiB) {
  EXPECT_GT(with_fault("too_long").body.size(), 65'536U);
  expect_answer_in_the_end(true);
}

TEST_F(AcquirerFaults, PendingAnswersAtTheThirdAsking) {
  const Reply first = with_fault("pending", ",\"n\":2,\"retry_after\":1");
  EXPECT_EQ(first.status, 202);
  EXPECT_EQ(first.retry_after, "1");
  EXPECT_EQ(first.json()["outcome"].string(), "pending");
  EXPECT_EQ(reader.get("/v1/payments/" + id).status, 202);
  const Reply third = reader.get("/v1/payments/" + id);
  EXPECT_EQ(third.status, 200);
  EXPECT_EQ(third.json()["outcome"].string(), "approved");
  expect_answer_in_the_end(true);
}

TEST_F(AcquirerFaults, PartialApprovesLess) {
  const Reply reply = with_fault("partial", ",\"amount\":800");
  EXPECT_EQ(reply.json()["outcome"].string(), "partial");
  EXPECT_EQ(reply.json()["approved_amount"].integer(), 800);
  EXPECT_EQ(reader.stats()["amounts_by_currency"]["usd"]["net"].integer(), 800);
}

TEST_F(AcquirerFaults, ReplayIsDeliveredTwiceAndPostedOnce) {
  const Reply reply = with_fault("replay");
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.replayed);
  EXPECT_EQ(posted(), 1);
  EXPECT_EQ(reader.stat("twice"), 0);
}

TEST_F(AcquirerFaults, ABatchCanBeCutAfterItWasPosted) {
  std::vector<std::string> bodies;
  for (int i = 0; i < 3; ++i) bodies.push_back(reader.body({.id = new_id()}));
  reader.faults(R"([{"fault":"cut_after","match":{"path":"/v1/payments:batch"},"count":1}])");
  EXPECT_EQ(reader.batch(bodies).status, 0);
  EXPECT_EQ(reader.stat("posted"), 3);
  EXPECT_EQ(reader.batch(bodies).status, 200);
  EXPECT_EQ(reader.stat("posted"), 3);
}

TEST_F(AcquirerFaults, RulesMatchByPathIdAndTurn) {
  const std::string poisoned = new_id();
  reader.faults(R"({"seed":3,"rules":[{"fault":"status","code":500,"match":{"id":")" + poisoned +
                R"("}},{"fault":"status","code":502,"match":{"method":"GET","path":"/v1/payments/*","nth":2}},)"
                R"({"fault":"status","code":504,"match":{"path":"/v1/capabilities","every":3}}]})");
  EXPECT_EQ(reader.pay(poisoned, reader.body({.id = poisoned})).status, 500);
  const std::string good = new_id();
  EXPECT_EQ(reader.pay(good, reader.body({.id = good})).status, 200);
  std::vector<int> seen;
  for (int i = 0; i < 3; ++i) seen.push_back(reader.get("/v1/payments/" + good).status);
  EXPECT_THAT(seen, testing::ElementsAre(200, 502, 200));
  seen.clear();
  for (int i = 0; i < 7; ++i) seen.push_back(reader.get("/v1/capabilities").status);
  EXPECT_THAT(seen, testing::ElementsAre(200, 200, 504, 200, 200, 504, 200));
  ASSERT_EQ(reader.admin("DELETE", "/admin/faults").status, 200);
  EXPECT_EQ(reader.pay(poisoned, reader.body({.id = poisoned})).status, 200);
}

TEST_F(AcquirerFaults, ASeedGivesTheSameFaultsAgain) {
  reader.faults(R"({"seed":11,"rules":[{"fault":"status","code":503,"probability":0.5}]})");
  const auto pattern = [&] {
    std::string text;
    for (int i = 0; i < 24; ++i) text += reader.get("/v1/capabilities").status == 200 ? '.' : 'x';
    return text;
  };
  const std::string first = pattern();
  EXPECT_THAT(first, HasSubstr("."));
  EXPECT_THAT(first, HasSubstr("x"));
  ASSERT_EQ(reader.admin("POST", "/admin/reset-faults").status, 200);
  EXPECT_EQ(pattern(), first);
}

TEST_F(AcquirerFaults, AWrongPlanNamesTheFieldAndChangesNothing) {
  reader.faults(R"([{"fault":"status","code":503}])");
  const auto problem = [&](const std::string& plan) {
    const Reply reply = reader.admin("POST", "/admin/faults", plan);
    EXPECT_EQ(reply.status, 422) << plan;
    return std::string(reply.json()["error"]["message"].string().value_or(""));
  };
  EXPECT_THAT(problem(R"([{"fault":"explode"}])"), HasSubstr("rules[0].fault"));
  EXPECT_THAT(problem(R"([{"fault":"none"},{"fault":"delay"}])"), HasSubstr("rules[1].ms"));
  EXPECT_THAT(problem(R"([{"fault":"html","match":{"pth":"/"}}])"), HasSubstr("rules[0].match.pth"));
  EXPECT_THAT(problem(R"([{"fault":"html","probability":1.5}])"), HasSubstr("rules[0].probability"));
  EXPECT_THAT(problem(R"([{"fault":"refuse","match":{"path":"/v1"}}])"), HasSubstr("rules[0].match.path"));
  EXPECT_THAT(problem(R"([{"fault":"cut_after","processed":false}])"), HasSubstr("rules[0].processed"));
  EXPECT_THAT(problem(R"({"rules":1})"), HasSubstr("plan.rules"));
  EXPECT_EQ(reader.get("/v1/capabilities").status, 503);  // the plan from before
}

TEST(AcquirerPlan, IsReadFromAFile) {
  DevFolder folder;
  const std::string plan = folder.path() + "/plan.json";
  write_file(plan, R"([{"fault":"status","code":429}])");
  AcquirerProcess acquirer(folder, {"--plan", plan});
  EXPECT_EQ(TestReader(folder, acquirer).get("/v1/capabilities").status, 429);
  write_file(plan, R"([{"fault":"status"}])");
  const Ended wrong = run_to_end({"acquirer", "--dir", folder.path(), "--listen", "127.0.0.1:0", "--plan", plan});
  EXPECT_EQ(wrong.exit_code, 78);
  EXPECT_THAT(wrong.err, HasSubstr("rules[0].code"));
}

}  // namespace
}  // namespace nightdrop::e2e
