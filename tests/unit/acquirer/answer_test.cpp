// Every row of the contract's table of answers (docs/acquirer_api.md), and what is none of them.
#include "acquirer/https/answer.hpp"

#include <gtest/gtest.h>

#include "nightdrop/time_text.hpp"

namespace nightdrop::acquirer {
namespace {

using std::chrono::seconds;
const UtcMs now = parse_rfc3339("2026-11-21T19:40:03.123Z").value();
const std::string id = "pi_0193f0c4a1b27c3d8e4f5a6b7c8d9e0f";

using Headers = std::vector<std::pair<std::string, std::string>>;
hal::HostReply reply(int status, std::string body = "", Headers headers = {}) {
  return {status, std::move(headers), std::move(body), false};
}

const char* kind(const Answer& answer) {
  static constexpr const char* names[] = {"approved",       "declined",       "pending",       "rejected",
                                          "not_authorized", "try_again",      "not_an_answer", "no_answer",
                                          "never_sent",     "never_received", "reversal_done"};
  return names[answer.index()];
}
std::string post(const hal::HostOutcome& outcome) {
  return kind(read_payment_answer(outcome, id, false, now));
}
std::string get(const hal::HostOutcome& outcome) {
  return kind(read_payment_answer(outcome, id, true, now));
}
std::string reverse(const hal::HostOutcome& outcome) {
  return kind(read_reversal_answer(outcome, id, now));
}

std::string approval(const std::string& more = "") {
  return R"({"id":"aq_1","payment":")" + id +
         R"(","outcome":"approved","approved_amount":1250,"authorization_code":"831000",)"
         R"("response_code":"00","processed_at":"2026-11-21T19:40:04Z")" +
         more + "}";
}
std::string with(const std::string& fields) {
  return R"({"payment":")" + id + "\"," + fields + "}";
}

TEST(Answers, Approved) {
  const Answer answer = read_payment_answer(reply(200, approval(R"(,"emv":"8A023030")")), id, false, now);
  const auto& approved = std::get<Approved>(answer);
  EXPECT_EQ(approved.authorization.id, "aq_1");
  EXPECT_EQ(approved.authorization.code, "831000");
  EXPECT_EQ(approved.authorization.approved_amount, 1'250);
  EXPECT_EQ(approved.authorization.response_code, "00");
  EXPECT_EQ(approved.authorization.processed_at, parse_rfc3339("2026-11-21T19:40:04Z"));
  EXPECT_EQ(approved.emv, "8A023030");
  EXPECT_FALSE(approved.partial);
}

TEST(Answers, AReplayIsAsTheFirst) {
  EXPECT_EQ(post(reply(200, approval(), {{"idempotency-replayed", "true"}})), "approved");
  EXPECT_EQ(get(reply(200, approval())), "approved");
}

TEST(Answers, Declined) {
  const Answer answer = read_payment_answer(
      reply(
          200,
          with(
              R"("id":"aq_2","outcome":"declined","response_code":"51","reason":"insufficient_funds","category":"soft","advice_code":"24")")),
      id, false, now);
  const auto& declined = std::get<DeclinedAnswer>(answer);
  EXPECT_EQ(declined.id, "aq_2");
  EXPECT_EQ(declined.response_code, "51");
  EXPECT_EQ(declined.reason, "insufficient_funds");
  EXPECT_EQ(declined.advice_code, "24");
  EXPECT_EQ(declined.category, DeclineCategory::Soft);
  const Answer hard =
      read_payment_answer(reply(200, with(R"("outcome":"declined","category":"hard")")), id, false, now);
  EXPECT_EQ(std::get<DeclinedAnswer>(hard).category, DeclineCategory::Hard);
  EXPECT_EQ(std::get<DeclinedAnswer>(hard).reason, "declined");
}

TEST(Answers, Partial) {
  const Answer answer =
      read_payment_answer(reply(200, with(R"("outcome":"partial","approved_amount":800)")), id, false, now);
  EXPECT_TRUE(std::get<Approved>(answer).partial);
  EXPECT_EQ(std::get<Approved>(answer).authorization.approved_amount, 800);
}

TEST(Answers, Pending) {
  const Answer answer =
      read_payment_answer(reply(202, with(R"("outcome":"pending")"), {{"retry-after", "7"}}), id, false, now);
  EXPECT_EQ(std::get<Pending>(answer).retry_after, seconds(7));
  EXPECT_EQ(post(reply(202, with(R"("outcome":"approved","approved_amount":1)"))), "not_an_answer");
}

TEST(Answers, RejectedIsThisPaymentAlone) {
  for (const int status : {400, 404, 409, 413, 422}) {
    const Answer answer =
        read_payment_answer(reply(status, R"({"error":{"code":"some_code","message":"m"}})"), id, false, now);
    ASSERT_EQ(std::string(kind(answer)), "rejected") << status;
    EXPECT_EQ(std::get<Rejected>(answer).status, status);
    EXPECT_EQ(std::get<Rejected>(answer).code, "some_code");
    EXPECT_EQ(post(reply(status, "<html>Not Found</html>")), "not_an_answer")
        << "a portal's error page is no rejection";
    EXPECT_EQ(post(reply(status, "{}")), "not_an_answer");
    EXPECT_EQ(post(reply(status, R"({"error":"x"})")), "not_an_answer");
    EXPECT_EQ(post(reply(status, "")), "not_an_answer");
  }
}

TEST(Answers, OnlyAQuestionCanLearnThatItWasNeverReceived) {
  const auto unknown = reply(404, R"({"error":{"code":"unknown_payment","message":"m"}})");
  EXPECT_EQ(get(unknown), "never_received");
  EXPECT_EQ(post(unknown), "rejected");
  EXPECT_EQ(get(reply(404, R"({"error":{"code":"not_found"}})")), "rejected");
  EXPECT_EQ(get(reply(404, "<html>")), "not_an_answer");
  EXPECT_EQ(get(reply(400, R"({"error":{"code":"unknown_payment"}})")), "rejected");
}

TEST(Answers, NotAuthorizedWhateverTheBody) {
  for (const int status : {401, 403}) {
    EXPECT_EQ(post(reply(status)), "not_authorized");
    EXPECT_EQ(post(reply(status, "<html>")), "not_authorized");
    EXPECT_EQ(get(reply(status, approval())), "not_authorized");
  }
}

TEST(Answers, TryAgainWhateverTheBody) {
  for (const int status : {408, 425, 429, 500, 502, 503, 504}) {
    EXPECT_EQ(post(reply(status)), "try_again") << status;
    EXPECT_EQ(post(reply(status, approval())), "try_again") << status;
    EXPECT_EQ(get(reply(status, "<html>")), "try_again") << status;
  }
}

std::optional<std::chrono::milliseconds> retry_after(const std::string& text) {
  return std::get<TryAgain>(read_payment_answer(reply(503, "", {{"retry-after", text}}), id, false, now)).retry_after;
}

TEST(Answers, RetryAfterInSecondsOrAsADate) {
  EXPECT_EQ(retry_after("0"), seconds(0));
  EXPECT_EQ(retry_after("120"), seconds(120));
  EXPECT_EQ(retry_after("Sat, 21 Nov 2026 19:40:33 GMT"), seconds(30));
  EXPECT_EQ(retry_after("Sat, 21 Nov 2026 19:39:00 GMT"), seconds(0)) << "already past";
  EXPECT_EQ(retry_after("999999999"), seconds(3600)) << "a longer wait is asked for again";
  EXPECT_EQ(retry_after("Sun, 21 Nov 2027 19:40:33 GMT"), seconds(3600));
  EXPECT_EQ(retry_after("-5"), seconds(0));
  for (const char* text :
       {"", "soon", "12 s", "1.5", "99999999999999999999999", "Sat, 21 Nov 2026", "2026-11-21T19:40:33Z"}) {
    EXPECT_EQ(retry_after(text), std::nullopt) << text;
  }
}

TEST(Answers, WhatIsNoAnswerIsNeverAnOutcome) {
  for (const int status :
       {100, 201, 204, 206, 301, 302, 307, 308, 402, 405, 406, 410, 411, 415, 418, 451, 501, 505, 511, 0, 999}) {
    EXPECT_EQ(post(reply(status, approval())), "not_an_answer") << status;
  }
  for (const std::string& body : {std::string(),
                                  std::string("<html><body>Log in</body></html>"),
                                  std::string("null"),
                                  std::string("[]"),
                                  std::string("\"approved\""),
                                  std::string("{}"),
                                  approval() + "x",
                                  "x" + approval(),
                                  approval().substr(0, 50),
                                  std::string("\xFF\xFE"),
                                  with(R"("outcome":"approved")"),
                                  with(R"("outcome":"approved","approved_amount":"1250")"),
                                  with(R"("outcome":"approved","approved_amount":12.5)"),
                                  with(R"("outcome":"approved","approved_amount":-1)"),
                                  with(R"("outcome":"approved","approved_amount":100000000)"),
                                  with(R"("outcome":"APPROVED","approved_amount":1)"),
                                  with(R"("outcome":"settled","approved_amount":1)"),
                                  with(R"("outcome":null,"approved_amount":1)"),
                                  with(R"("approved_amount":1)"),
                                  with(R"("outcome":["approved"],"approved_amount":1)")}) {
    EXPECT_EQ(post(reply(200, body)), "not_an_answer") << body;
    EXPECT_EQ(get(reply(200, body)), "not_an_answer") << body;
  }
}

TEST(Answers, AnAnswerAboutAnotherPaymentIsNone) {
  std::string other = approval();
  other.replace(other.find(id), id.size(), "pi_0193f0c4a1b27c3d8e4f5a6b7c8d9e00");
  EXPECT_EQ(post(reply(200, other)), "not_an_answer");
  EXPECT_EQ(post(reply(200, R"({"outcome":"approved","approved_amount":1})")), "not_an_answer");
  EXPECT_EQ(post(reply(200, R"({"payment":["x"],"outcome":"approved","approved_amount":1})")), "not_an_answer");
  EXPECT_EQ(post(reply(202, R"({"payment":"pi_other","outcome":"pending"})")), "not_an_answer");
}

TEST(Answers, MoreThan64KiBIsNone) {
  hal::HostReply longer = reply(200, approval());
  longer.too_long = true;
  EXPECT_EQ(post(longer), "not_an_answer");
  longer.status = 503;
  EXPECT_EQ(post(longer), "try_again") << "the status said enough";
}

TEST(Answers, NoReplyAtAll) {
  EXPECT_EQ(post(hal::NotSent{"refused", false}), "never_sent");
  EXPECT_EQ(post(hal::Unknown{"cut", false}), "no_answer");
  EXPECT_TRUE(std::get<NoAnswer>(read_payment_answer(hal::Unknown{"", true}, id, false, now)).timed_out);
  EXPECT_TRUE(std::get<NeverSent>(read_payment_answer(hal::NotSent{"", true}, id, false, now)).timed_out);
}

TEST(Answers, KeptTextsAreShortAndPrintable) {
  const std::string wild =
      with(R"("outcome":"declined","reason":"a\nb\u0007\u00e9c","response_code":")" + std::string(500, '9') + "\"");
  const Answer answer = read_payment_answer(reply(200, wild), id, false, now);
  EXPECT_EQ(std::get<DeclinedAnswer>(answer).reason, "abc");
  EXPECT_EQ(std::get<DeclinedAnswer>(answer).response_code, std::string(64, '9'));
}

TEST(ReversalAnswers, TheTable) {
  EXPECT_EQ(reverse(reply(200, with(R"("outcome":"reversed")"))), "reversal_done");
  EXPECT_EQ(reverse(reply(200, R"({"payment":"pi_other","outcome":"reversed"})")), "not_an_answer");
  EXPECT_EQ(reverse(reply(200, approval())), "not_an_answer") << "an approval undoes nothing";
  EXPECT_EQ(reverse(reply(200, "<html>")), "not_an_answer");
  EXPECT_EQ(reverse(reply(202, with(R"("outcome":"pending")"))), "pending");
  EXPECT_EQ(reverse(reply(404, R"({"error":{"code":"unknown_payment"}})")), "rejected");
  EXPECT_EQ(reverse(reply(409, R"({"error":{"code":"conflict"}})")), "rejected");
  EXPECT_EQ(reverse(reply(404, "<html>")), "not_an_answer");
  EXPECT_EQ(reverse(reply(401)), "not_authorized");
  EXPECT_EQ(reverse(reply(503)), "try_again");
  EXPECT_EQ(reverse(hal::Unknown{}), "no_answer");
  EXPECT_EQ(reverse(hal::NotSent{}), "never_sent");
}

std::vector<std::string> batch(const hal::HostOutcome& outcome, const std::vector<std::string>& ids) {
  std::vector<std::string> kinds;
  for (const Answer& answer : read_batch_answer(outcome, ids, now)) kinds.emplace_back(kind(answer));
  return kinds;
}
using Kinds = std::vector<std::string>;

TEST(BatchAnswers, AreReadOneByOneInAnyOrder) {
  const std::string body =
      R"({"results":[)"
      R"({"payment":"pi_c","status":409,"body":{"error":{"code":"idempotency_conflict"}}},)"
      R"({"payment":"pi_a","status":200,"body":{"payment":"pi_a","outcome":"approved","approved_amount":5}},)"
      R"({"payment":"pi_b","status":200,"body":{"payment":"pi_a","outcome":"approved","approved_amount":5}},)"
      R"({"payment":"pi_d","status":503},)"
      R"({"payment":"pi_f","status":401,"body":null},)"
      R"({"payment":"pi_g","status":202,"body":{"payment":"pi_g","outcome":"pending"}}]})";
  EXPECT_EQ(batch(reply(200, body), {"pi_a", "pi_b", "pi_c", "pi_d", "pi_e", "pi_f", "pi_g"}),
            (Kinds{"approved", "not_an_answer", "rejected", "try_again", "no_answer", "not_authorized", "pending"}));
}

TEST(BatchAnswers, ResultsThatNameNobodyAreIgnored) {
  const std::string body =
      R"({"results":[7,null,{"status":200},{"payment":"pi_z","status":200,"body":{}},{"payment":"pi_a"},)"
      R"({"payment":"pi_a","status":"200"},{"payment":"pi_a","status":4294967496,"body":{"payment":"pi_a","outcome":"approved","approved_amount":5}}]})";
  EXPECT_EQ(batch(reply(200, body), {"pi_a"}), Kinds{"no_answer"});
}

TEST(BatchAnswers, AsAWhole) {
  const std::vector<std::string> two{"pi_a", "pi_b"};
  EXPECT_EQ(batch(reply(200, R"({"results":[]})"), two), (Kinds{"no_answer", "no_answer"}));
  EXPECT_EQ(batch(reply(200, "{}"), two), (Kinds{"not_an_answer", "not_an_answer"}));
  EXPECT_EQ(batch(reply(200, "<html>"), two), (Kinds{"not_an_answer", "not_an_answer"}));
  EXPECT_EQ(batch(reply(302), two), (Kinds{"not_an_answer", "not_an_answer"}));
  EXPECT_EQ(batch(reply(413, R"({"error":{"code":"too_large"}})"), two), (Kinds{"rejected", "rejected"}));
  EXPECT_EQ(batch(reply(401), two), (Kinds{"not_authorized", "not_authorized"}));
  EXPECT_EQ(batch(reply(503), two), (Kinds{"try_again", "try_again"}));
  EXPECT_EQ(batch(hal::Unknown{}, two), (Kinds{"no_answer", "no_answer"}));
  EXPECT_EQ(batch(hal::NotSent{}, two), (Kinds{"never_sent", "never_sent"}));
  hal::HostReply longer = reply(200, R"({"results":[]})");
  longer.too_long = true;
  EXPECT_EQ(batch(longer, two), (Kinds{"not_an_answer", "not_an_answer"}));
}

TEST(Capabilities, OnlyTheAcquirersOwnAnswerIsOnline) {
  const auto good = read_capabilities(reply(200, R"({"batch":100,"http2":true,"server_time":"2026-11-21T19:40:03Z"})"));
  ASSERT_TRUE(good);
  EXPECT_EQ(good->batch, 100U);
  EXPECT_TRUE(good->http2);
  EXPECT_EQ(good->server_time, parse_rfc3339("2026-11-21T19:40:03Z"));
  EXPECT_EQ(read_capabilities(reply(200, R"({"server_time":"2026-11-21T19:40:03Z"})"))->batch, 0U);
  EXPECT_EQ(read_capabilities(reply(200, R"({"batch":100000,"server_time":"2026-11-21T19:40:03Z"})"))->batch, 100U);
  EXPECT_EQ(read_capabilities(reply(200, R"({"batch":-1,"server_time":"2026-11-21T19:40:03Z"})"))->batch, 0U);
  for (const char* body : {"", "<html>", "{}", "[]", R"({"server_time":"yesterday"})", R"({"server_time":5})",
                           R"({"server_time":"2026-11-21T19:40:03Z"} x)"}) {
    EXPECT_FALSE(read_capabilities(reply(200, body))) << body;
  }
  for (const int status : {201, 204, 302, 401, 404, 500})
    EXPECT_FALSE(read_capabilities(reply(status, R"({"server_time":"2026-11-21T19:40:03Z"})")));
  EXPECT_FALSE(read_capabilities(hal::NotSent{}));
  EXPECT_FALSE(read_capabilities(hal::Unknown{}));
}

}  // namespace
}  // namespace nightdrop::acquirer
