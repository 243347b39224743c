// The queue on its way to the acquirer: each payment once, in its order, within the window, whatever the line, the
// acquirer or one poisoned payment does.
#include <gtest/gtest.h>

#include "unit/terminal/bench.hpp"

namespace nightdrop::test {
namespace {

std::string id_in(const hal::HostRequest& request) {
  const auto body = Json::parse(request.body);
  return std::string(body ? (*body)["id"].string().value_or("") : "");
}

class Forwarding : public testing::Test {
 protected:
  explicit Forwarding(std::size_t window = 4) {
    bench.settings.window = window;
    bench.policy.device_count = 1'000;
    bench.policy.currencies[usd].device_total = 10'000'000;
  }
  std::vector<std::string> store(int count, std::int64_t amount = 1'000) {
    std::vector<std::string> all;
    for (int i = 0; i < count; ++i) {
      all.push_back(bench.stored(amount + i));
      bench.advance(10);
    }
    return all;
  }
  void expect_all(const std::vector<std::string>& all, const char* status) {
    for (const std::string& id : all) EXPECT_EQ(bench.status(id), status) << id;
  }
  std::size_t in_the_air() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        bench.host.waiting, [](const auto& each) { return each.request.path != "/v1/capabilities"; }));
  }
  // The acquirer answers probes and lets requests hang.
  void hold_requests() {
    bench.host.answer = [this](const hal::HostRequest& request) {
      return request.path == "/v1/capabilities" ? bench.acquirer(request) : std::nullopt;
    };
  }
  void let_go() {
    bench.host.answer = [this](const hal::HostRequest& request) { return bench.acquirer(request); };
  }
  auto always(int status, std::string body = "", std::vector<std::pair<std::string, std::string>> headers = {}) {
    return
        [=](const hal::HostRequest&) -> std::optional<hal::HostOutcome> { return Bench::reply(status, body, headers); };
  }
  Bench bench;
};

TEST_F(Forwarding, DrainsTheQueueOnceInOrder) {
  const auto all = store(30);
  bench.settings.window = 1;
  bench.online();
  expect_all(all, "succeeded");
  std::vector<std::string> order;
  for (const auto& request : bench.host.sent_to("POST", "/v1/payments")) order.push_back(id_in(request));
  EXPECT_EQ(order, all) << "nearest deadline first, each once";
  EXPECT_EQ(bench.totals().count, 0);
  for (const std::string& id : all) EXPECT_FALSE(bench.row(id).envelope);
  bench.expect_books_in_order();
}

TEST_F(Forwarding, KeepsItsWindow) {
  const auto all = store(20);
  hold_requests();
  bench.online();
  EXPECT_EQ(in_the_air(), 4U);
  bench.advance(100);
  EXPECT_EQ(in_the_air(), 4U);
  let_go();
  bench.advance(100);
  expect_all(all, "succeeded");
  EXPECT_EQ(bench.host.log.size(), all.size());
}

TEST_F(Forwarding, NewSalesGoOnMeanwhile) {
  (void)store(8);
  hold_requests();
  bench.online();
  const std::size_t before = in_the_air();
  const Answered sale = bench.pay(700);
  EXPECT_EQ(in_the_air(), before + 1) << "the sale does not wait for the queue";
  const std::string extra = bench.stored(300);
  EXPECT_EQ(bench.status(extra), "stored");
  let_go();
  bench.advance(100);
  EXPECT_EQ(sale.text(), "succeeded");
  EXPECT_EQ(bench.status(extra), "succeeded");
}

TEST_F(Forwarding, AStoredPaymentGoesOutAtOnceWhereThereIsAPath) {
  bench.online();
  const std::string id = bench.stored(500);
  EXPECT_EQ(bench.status(id), "succeeded");
  const Json body = std::move(*Json::parse(bench.ledger.at(id)));
  EXPECT_EQ(body["deferred"].boolean(), true);
  EXPECT_EQ(body["stored_at"].string(), rfc3339(*bench.row(id).stored_at));
}

TEST_F(Forwarding, APoisonedPaymentHoldsUpNobody) {
  const auto all = store(10);
  bench.plan[all[0]] = always(500);
  bench.online();
  bench.advance(2'000);
  for (std::size_t i = 1; i < all.size(); ++i) EXPECT_EQ(bench.status(all[i]), "succeeded");
  bench.advance(600'000);
  EXPECT_EQ(bench.status(all[0]), "stored");
  EXPECT_TRUE(bench.row(all[0]).outcome_unknown);
  const auto tries =
      std::ranges::count_if(bench.host.log, [&](const auto& request) { return id_in(request) == all[0]; });
  EXPECT_GE(tries, 10) << "it is not forgotten";
  EXPECT_LE(tries, 60) << "and backs off";
  const auto started = bench.events("sync.started").size();
  EXPECT_EQ(started, bench.events("sync.completed").size());
  EXPECT_LE(started, 2U) << "no sync loop";
  bench.plan.clear();
  bench.advance(120'000);
  EXPECT_EQ(bench.status(all[0]), "succeeded");
}

TEST_F(Forwarding, ThreeLossesInAnHourCauseNothing) {
  const auto all = store(12);
  bench.plan[all[5]] = always(503);
  for (int flap = 0; flap < 3; ++flap) {
    hold_requests();
    bench.online();
    bench.advance(300);
    bench.offline();
    // What was in the air is cut; the acquirer had taken some of it.
    for (auto& sent : std::exchange(bench.host.waiting, {})) {
      if (sent.request.path == "/v1/payments" && id_in(sent.request) != all[5])
        bench.ledger.emplace(id_in(sent.request), sent.request.body);
      sent.done(hal::Unknown{"cut", false});
    }
    bench.run();
    bench.advance(20 * 60'000);
    EXPECT_EQ(bench.totals().count, 12) << "nothing is lost or counted twice";
  }
  let_go();
  bench.online();
  bench.advance(70'000);
  for (const std::string& id : all) EXPECT_EQ(bench.status(id), id == all[5] ? "stored" : "succeeded");
  EXPECT_EQ(bench.ledger.size(), 11U);
  EXPECT_LE(bench.events("sync.").size(), 16U);
  bench.expect_books_in_order();
}

TEST_F(Forwarding, APathThatAnswersProbesAndTakesNothingIsNotStormed) {
  const auto all = store(3);
  bench.host.answer = [this](const hal::HostRequest& request) -> std::optional<hal::HostOutcome> {
    if (request.path == "/v1/capabilities") return bench.acquirer(request);
    return hal::NotSent{"refused", false};
  };
  bench.online();
  bench.advance(60'000);
  EXPECT_LE(bench.host.log.size(), all.size() * 65) << "about once a second at most";
  EXPECT_GE(bench.host.log.size(), all.size() * 5);
  let_go();
  bench.advance(2'000);
  expect_all(all, "succeeded");
}

TEST_F(Forwarding, RetryAfterIsHonoured) {
  const auto all = store(1);
  bench.plan[all[0]] = always(503, "", {{"retry-after", "30"}});
  bench.online();
  ASSERT_EQ(bench.host.log.size(), 1U);
  bench.advance(29'900);
  EXPECT_EQ(bench.host.log.size(), 1U) << "not before";
  bench.plan.clear();
  bench.advance(200);
  EXPECT_EQ(bench.status(all[0]), "succeeded");
  EXPECT_EQ(header(bench.host.log[1], "Nightdrop-Attempt"), "2");
  EXPECT_EQ(bench.host.log[1].body, bench.host.log[0].body);
}

TEST_F(Forwarding, RetryAfterAsADateIsHonoured) {
  const auto all = store(1);
  bench.plan[all[0]] = [&](const hal::HostRequest&) -> std::optional<hal::HostOutcome> {
    return Bench::reply(429, "", {{"retry-after", "Sat, 21 Nov 2026 19:41:03 GMT"}});
  };
  ASSERT_EQ(rfc3339(bench.truth()).substr(0, 16), "2026-11-21T19:40");
  bench.online();
  bench.plan.clear();
  bench.advance(58'000);
  EXPECT_EQ(bench.host.log.size(), 1U);
  bench.advance(3'000);
  EXPECT_EQ(bench.status(all[0]), "succeeded");
}

TEST_F(Forwarding, UnauthorizedSuspendsReportsAndChangesNothing) {
  const auto all = store(5);
  for (const std::string& id : all) bench.plan[id] = always(401);
  bench.online();
  bench.advance(60'000);
  EXPECT_LE(bench.host.log.size(), 4U) << "the window's, and no more";
  EXPECT_EQ(bench.events("audit.forwarding_suspended").size(), 1U);
  const auto status = bench.terminal->offline_status();
  ASSERT_TRUE(status);
  EXPECT_TRUE(status->paused);
  EXPECT_EQ(status->reason, "unauthorized");
  for (const std::string& id : all) {
    const Payment row = bench.row(id);
    EXPECT_EQ(row.status, Status::Stored);
    EXPECT_FALSE(row.sent);
    EXPECT_FALSE(row.outcome_unknown);
    EXPECT_TRUE(row.envelope);
  }
  bench.plan.clear();
  bench.advance(200'000);
  EXPECT_EQ(bench.ledger.size(), 0U) << "still suspended";
  bench.advance(60'000);
  expect_all(all, "succeeded");
}

TEST_F(Forwarding, APersonEndsASuspension) {
  const auto all = store(2);
  for (const std::string& id : all) bench.plan[id] = always(403);
  bench.online();
  bench.plan.clear();
  bench.terminal->forwarder().forward_now();
  bench.run();
  expect_all(all, "succeeded");
}

TEST_F(Forwarding, AReversalThatIsUnauthorizedSuspendsToo) {
  bench.online();
  bench.acquirer_answers = false;
  const Answered lost = bench.pay(50'000);
  bench.advance(9'000);
  ASSERT_EQ(lost.text(), "network_lost");
  bench.plan[lost.error().payment->id + ":reversal"] = always(401);
  bench.acquirer_answers = true;
  bench.advance(30'000);
  EXPECT_EQ(bench.events("audit.forwarding_suspended").size(), 1U);
  EXPECT_TRUE(*bench.store->find_reversal(lost.error().payment->id)) << "it stays until it is done";
  bench.plan.clear();
  bench.advance(400'000);
  EXPECT_TRUE(bench.reversed.contains(lost.error().payment->id));
  EXPECT_FALSE(*bench.store->find_reversal(lost.error().payment->id));
}

TEST_F(Forwarding, ReversalsGoFirst) {
  bench.online();
  bench.acquirer_answers = false;
  const Answered lost = bench.pay(50'000);
  bench.advance(9'000);
  ASSERT_EQ(lost.text(), "network_lost");
  bench.offline();
  bench.advance(10'000);
  const auto all = store(3);
  bench.host.log.clear();
  hold_requests();
  bench.online();
  ASSERT_EQ(bench.host.log.size(), 1U) << "payments wait for the reversal's first answer";
  EXPECT_EQ(bench.host.log[0].path, "/v1/payments/" + lost.error().payment->id + "/reversal");
  EXPECT_EQ(header(bench.host.log[0], "Idempotency-Key"), lost.error().payment->id + ":reversal");
  EXPECT_EQ(bench.host.log[0].body, R"({"reason":"timeout"})");
  let_go();
  bench.advance(100);
  expect_all(all, "succeeded");
  EXPECT_EQ(bench.status(lost.error().payment->id), "canceled");
}

TEST_F(Forwarding, AReversalThatFailsForEverHoldsUpNobody) {
  bench.online();
  bench.acquirer_answers = false;
  const Answered lost = bench.pay(50'000);
  bench.advance(9'000);
  bench.offline();
  const auto all = store(3);
  bench.plan[lost.error().payment->id + ":reversal"] = always(500);
  bench.online();
  bench.advance(5'000);
  expect_all(all, "succeeded");
  bench.advance(300'000);
  EXPECT_TRUE(*bench.store->find_reversal(lost.error().payment->id));
}

TEST_F(Forwarding, OneRejectedPaymentIsForAPersonAndTheRestGoesOn) {
  const auto all = store(6);
  bench.plan[all[1]] = always(409, R"({"error":{"code":"idempotency_conflict","message":"x"}})");
  bench.plan[all[2]] = always(422, R"({"error":{"code":"bad_emv","message":"x"}})");
  bench.online();
  for (std::size_t i = 0; i < all.size(); ++i)
    EXPECT_EQ(bench.status(all[i]), i == 1 || i == 2 ? "requires_review" : "succeeded");
  EXPECT_EQ(bench.terminal->list_declines(false, 10, "")->data.size(), 2U);
  EXPECT_EQ(bench.row(all[1]).decline->reason, "idempotency_conflict");
  EXPECT_EQ(bench.row(all[1]).decline->next_action.find("Nothing was charged"), std::string::npos);
}

TEST_F(Forwarding, APortalIsNoOutcome) {
  const auto all = store(2);
  bench.host.answer = [this](const hal::HostRequest& request) -> std::optional<hal::HostOutcome> {
    if (!bench.links.states[request.route]) return hal::NotSent{"down", false};
    return Bench::reply(200, "<html>Please log in</html>");
  };
  bench.online();
  bench.advance(60'000);
  EXPECT_TRUE(bench.host.log.empty()) << "a portal is not online, so nothing is sent";
  expect_all(all, "stored");
  let_go();
  bench.advance(10'000);
  expect_all(all, "succeeded");
}

TEST_F(Forwarding, AnswersThatWereLostAreAskedForUnderTheSameId) {
  const auto all = store(5);
  std::map<std::string, int> tries;
  bench.host.answer = [&](const hal::HostRequest& request) -> std::optional<hal::HostOutcome> {
    auto outcome = bench.acquirer(request);
    if (request.path == "/v1/payments" && ++tries[id_in(request)] <= 2)
      return hal::Unknown{"cut", false};  // taken, not heard
    return outcome;
  };
  bench.online();
  bench.advance(60'000);
  expect_all(all, "succeeded");
  EXPECT_EQ(bench.ledger.size(), all.size());
  for (const auto& [id, count] : tries) EXPECT_EQ(count, 3);
}

TEST_F(Forwarding, ACrashInTheMiddleSendsAgainUnderTheSameIdWithTheSameBody) {
  const auto all = store(6);
  hold_requests();
  bench.online();
  EXPECT_EQ(bench.status(all[0]), "forwarding");
  bench.restart();
  let_go();
  bench.advance(5'000);
  expect_all(all, "succeeded");
  EXPECT_EQ(bench.ledger.size(), all.size());
  std::map<std::string, std::set<std::string>> bodies;
  for (const auto& request : bench.host.log) bodies[id_in(request)].insert(request.body);
  for (const auto& [id, each] : bodies) EXPECT_EQ(each.size(), 1U) << id;
  EXPECT_EQ(bench.totals().count, 0);
}

TEST_F(Forwarding, DeclinesAreReportedUntilAcknowledged) {
  const auto all = store(3, 1'000);
  bench.plan[all[1]] = always(
      200, R"({"id":"aq_1","payment":")" + all[1] +
               R"(","outcome":"declined","response_code":"51","reason":"insufficient_funds","category":"soft"})");
  bench.online();
  EXPECT_EQ(bench.status(all[1]), "declined");
  ASSERT_EQ(bench.terminal->list_declines(false, 10, "")->data.size(), 1U);
  ASSERT_TRUE(bench.terminal->acknowledge_decline(all[1], "called the guest"));
  bench.run();
  EXPECT_TRUE(bench.terminal->list_declines(false, 10, "")->data.empty());
  EXPECT_EQ(bench.row(all[1]).acknowledge_note, "called the guest");
  EXPECT_FALSE(bench.terminal->acknowledge_decline(all[0], ""));
}

TEST_F(Forwarding, ASyncRunSaysWhatHappened) {
  const auto all = store(4, 1'000);  // 1000, 1001, 1002, 1003
  bench.plan[all[1]] =
      always(200, R"({"payment":")" + all[1] +
                      R"(","outcome":"declined","response_code":"05","reason":"do_not_honor","category":"soft"})");
  bench.plan[all[2]] = always(422, R"({"error":{"code":"bad_emv"}})");
  bench.online();
  bench.advance(1'000);
  EXPECT_EQ(bench.events("sync.started").size(), 1U);
  const auto reports = bench.event_data("sync.completed");
  ASSERT_EQ(reports.size(), 1U);
  const Json& report = reports[0];
  EXPECT_EQ(report["forwarded"].integer(), 4);
  EXPECT_EQ(report["succeeded"].integer(), 2);
  EXPECT_EQ(report["declined"].integer(), 1);
  EXPECT_EQ(report["requires_review"].integer(), 1);
  EXPECT_EQ(report["amounts_by_currency"]["usd"]["succeeded"].integer(), 1'000 + 1'003);
  EXPECT_EQ(report["amounts_by_currency"]["usd"]["declined"].integer(), 1'001);
  EXPECT_EQ(report["payments"].size(), 4U);
  EXPECT_TRUE(report["ended_at"].is_string());
  const auto latest = bench.terminal->sync_report(std::nullopt);
  ASSERT_TRUE(latest);
  EXPECT_EQ(latest->dump(), report.dump());
}

TEST_F(Forwarding, ASyncRunThatACrashCutOffIsTakenUpAndEnded) {
  const auto all = store(6);
  bench.plan[all[5]] = [](const hal::HostRequest&) { return std::nullopt; };
  bench.online();
  EXPECT_EQ(bench.events("sync.started").size(), 1U);
  EXPECT_EQ(bench.events("sync.completed").size(), 0U);
  bench.restart();
  bench.plan.clear();
  bench.advance(10'000);
  const auto reports = bench.event_data("sync.completed");
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0]["forwarded"].integer(), 6);
  EXPECT_EQ(bench.events("sync.started").size(), 1U);
}

TEST_F(Forwarding, ASoftDeclineIsTriedAgainWhereThePolicySaysSo) {
  bench.policy.decline_retries = {.enabled = true, .max_per_day = 1, .max_per_30_days = 2};
  const auto all = store(1);
  bench.plan[all[0]] = always(
      200, R"({"payment":")" + all[0] +
               R"(","outcome":"declined","response_code":"51","reason":"insufficient_funds","category":"soft"})");
  bench.online();
  EXPECT_EQ(bench.status(all[0]), "declined");
  EXPECT_TRUE(bench.row(all[0]).envelope) << "kept for the next try";
  bench.offline();
  bench.online();
  EXPECT_EQ(bench.host.log.size(), 1U) << "a path that returns hastens no retry";
  bench.advance(day - 60'000);
  EXPECT_EQ(bench.host.log.size(), 1U);
  bench.advance(120'000);
  ASSERT_EQ(bench.host.log.size(), 2U);
  EXPECT_EQ(header(bench.host.log[1], "Idempotency-Key"), all[0] + ":retry-1");
  EXPECT_EQ(bench.host.log[1].body, bench.host.log[0].body);
  bench.advance(3 * day);
  EXPECT_EQ(bench.host.log.size(), 3U) << "two retries, then it is final";
  EXPECT_FALSE(bench.row(all[0]).envelope);
  EXPECT_FALSE(bench.row(all[0]).decline->retry_at);
}

TEST_F(Forwarding, APersonEndsTheRetries) {
  bench.policy.decline_retries = {.enabled = true, .max_per_day = 1, .max_per_30_days = 5};
  const auto all = store(3);
  for (const std::string& id : all) {
    bench.plan[id] = always(
        200, R"({"payment":")" + id + R"(","outcome":"declined","response_code":"51","reason":"x","category":"soft"})");
  }
  bench.online();
  EXPECT_EQ(bench.cancel(all[0]).text(), "declined") << "that is what the acquirer said";
  ASSERT_TRUE(bench.terminal->acknowledge_decline(all[1], "paid in cash"));
  bench.run();
  EXPECT_EQ(bench.cancel(all[0]).error().code, PosCode::UnexpectedState) << "nothing is left to cancel";
  bench.advance(day + 120'000);
  EXPECT_EQ(bench.host.log.size(), 4U) << "the third alone is tried again";
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(bench.status(all[i]), "declined");
    EXPECT_FALSE(bench.row(all[i]).envelope);
    EXPECT_FALSE(bench.row(all[i]).decline->retry_at);
    EXPECT_EQ(bench.row(all[i]).decline->next_action.find("again by itself"), std::string::npos);
  }
  bench.expect_books_in_order();
}

TEST_F(Forwarding, ARetryThatMeetsNoPathDoesNotExpireOnTheSpot) {
  bench.policy.decline_retries = {.enabled = true, .max_per_day = 1, .max_per_30_days = 5};
  const auto all = store(1);
  bench.plan[all[0]] =
      always(200, R"({"payment":")" + all[0] +
                      R"(","outcome":"declined","response_code":"51","reason":"x","category":"soft"})");
  bench.online();
  bench.plan[all[0]] = [](const hal::HostRequest&) -> std::optional<hal::HostOutcome> {
    return hal::NotSent{"refused", false};
  };
  bench.advance(day + 120'000);
  EXPECT_NE(bench.status(all[0]), "expired");
  bench.plan.clear();
  bench.advance(120'000);
  EXPECT_EQ(bench.status(all[0]), "succeeded");
  EXPECT_FALSE(bench.row(all[0]).decline);
}

class Batches : public Forwarding {
 protected:
  Batches() : Forwarding(2) { bench.batch = 10; }
  std::size_t batches() const { return bench.host.sent_to("POST", "/v1/payments:batch").size(); }
  std::size_t singles() const { return bench.host.log.size() - batches(); }
};

TEST_F(Batches, CarryTheVeryBytesOfTheirPayments) {
  const auto all = store(35);
  std::vector<std::string> bodies;
  for (const std::string& id : all) bodies.push_back(acquirer::payment_body(bench.row(id), bench.settings.merchant));
  bench.online();
  expect_all(all, "succeeded");
  EXPECT_GE(batches(), 2U);
  const std::string first = bench.host.sent_to("POST", "/v1/payments:batch").at(0).body;
  EXPECT_TRUE(first.starts_with("{\"payments\":[" + bodies[0] + "," + bodies[1] + ","));
  EXPECT_EQ(bench.ledger.size(), all.size());
  EXPECT_LE(bench.host.most_at_once, 3U) << "the window, and a probe";
  bench.expect_books_in_order();
}

TEST_F(Batches, AreNotUsedWhereTheConfigurationSaysNo) {
  bench.settings.batch = false;
  const auto all = store(15);
  bench.online();
  expect_all(all, "succeeded");
  EXPECT_EQ(batches(), 0U);
}

TEST_F(Batches, ARefusedBatchGoesOneByOneWithinTheWindow) {
  for (const int status : {400, 404, 413, 422}) {
    Bench each;
    each.settings.window = 2;
    each.policy.device_count = 1'000;
    each.batch = 10;
    std::vector<std::string> all;
    for (int i = 0; i < 25; ++i) all.push_back(each.stored(100));
    each.host.answer = [&, status](const hal::HostRequest& request) -> std::optional<hal::HostOutcome> {
      if (request.path == "/v1/payments:batch")
        return Bench::reply(status, R"({"error":{"code":"no_batches","message":"x"}})");
      return each.acquirer(request);
    };
    each.online();
    each.advance(5'000);
    for (const std::string& id : all) EXPECT_EQ(each.status(id), "succeeded") << status;
    EXPECT_LE(each.host.most_at_once, 3U) << status;
    EXPECT_EQ(each.ledger.size(), all.size());
  }
}

TEST_F(Batches, WhatABatchBringsNoOutcomeForGoesAlone) {
  struct {
    const char* name;
    hal::HostOutcome outcome;
  } const failures[] = {{"too long", hal::HostReply{200, {}, "{", true}},
                        {"html", Bench::reply(404, "<html></html>")},
                        {"500", Bench::reply(500, "")},
                        {"cut", hal::Unknown{"cut", false}},
                        {"garbage", Bench::reply(200, R"({"results":7})")}};
  for (const auto& failure : failures) {
    Bench each;
    each.settings.window = 2;
    each.batch = 10;
    std::vector<std::string> all;
    for (int i = 0; i < 25; ++i) all.push_back(each.stored(100));
    each.host.answer = [&](const hal::HostRequest& request) -> std::optional<hal::HostOutcome> {
      if (request.path == "/v1/payments:batch") return failure.outcome;
      return each.acquirer(request);
    };
    each.online();
    const std::size_t batches = each.host.sent_to("POST", "/v1/payments:batch").size();
    EXPECT_GE(batches, 2U) << failure.name;
    each.terminal->forwarder().forward_now();  // all of them are due at once again
    each.run();
    for (const std::string& id : all) EXPECT_EQ(each.status(id), "succeeded") << failure.name;
    EXPECT_LE(each.host.sent_to("POST", "/v1/payments:batch").size(), batches + 2)
        << failure.name << ": the few that were left over";
    EXPECT_EQ(each.ledger.size(), all.size());
    EXPECT_LE(each.host.most_at_once, 3U) << failure.name;
  }
}

TEST_F(Batches, OnePaymentThatTheAcquirerChokesOnHoldsUpNobody) {
  const auto all = store(25);
  const std::string& poison = all[3];
  bench.host.answer = [&](const hal::HostRequest& request) -> std::optional<hal::HostOutcome> {
    if (request.path != "/v1/capabilities" && request.body.find(poison) != std::string::npos)
      return Bench::reply(500, "");
    return bench.acquirer(request);
  };
  bench.online();
  bench.advance(60'000);
  for (const std::string& id : all) EXPECT_EQ(bench.status(id), id == poison ? "stored" : "succeeded");
}

TEST_F(Batches, ABusyAcquirerThatNamesATimeKeepsItsBatches) {
  const auto all = store(25);
  bool busy = true;
  bench.host.answer = [&](const hal::HostRequest& request) -> std::optional<hal::HostOutcome> {
    if (busy && request.path != "/v1/capabilities") return Bench::reply(503, "", {{"retry-after", "5"}});
    return bench.acquirer(request);
  };
  bench.online();
  busy = false;
  bench.advance(20'000);
  expect_all(all, "succeeded");
  EXPECT_EQ(singles(), 0U);
}

TEST_F(Batches, APaymentWithoutAResultIsAskedForAlone) {
  const auto all = store(20);
  bench.plan[all[4]] = [](const hal::HostRequest&) { return std::nullopt; };  // no result in the batch
  bench.online();
  EXPECT_TRUE(bench.row(all[4]).outcome_unknown);
  bench.plan.clear();
  bench.advance(5'000);
  expect_all(all, "succeeded");
  EXPECT_GE(singles(), 1U);
  EXPECT_EQ(bench.ledger.size(), all.size());
}

TEST_F(Batches, ResultsAreReadOneByOne) {
  const auto all = store(20);
  bench.plan[all[1]] = always(409, R"({"error":{"code":"idempotency_conflict"}})");
  bench.plan[all[2]] =
      always(200, R"({"payment":")" + all[2] +
                      R"(","outcome":"declined","response_code":"05","reason":"x","category":"soft"})");
  bench.plan[all[3]] = always(200, R"({"payment":"pi_other","outcome":"approved","approved_amount":1})");
  bench.online();
  EXPECT_EQ(bench.status(all[0]), "succeeded");
  EXPECT_EQ(bench.status(all[1]), "requires_review");
  EXPECT_EQ(bench.status(all[2]), "declined");
  EXPECT_NE(bench.status(all[3]), "succeeded") << "an answer that names another payment is none";
}

}  // namespace
}  // namespace nightdrop::test
