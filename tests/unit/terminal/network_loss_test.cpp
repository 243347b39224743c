// The network lost during an online attempt: what the POS wished (store, fail, ask), whether the attempt was sent, and
// whether the rules allow storing, in every combination; and the same after a crash in the middle.
#include <gtest/gtest.h>

#include "unit/terminal/bench.hpp"

namespace nightdrop::test {
namespace {

enum class Lost { NotSent, Unknown, TimedOut, Unauthorized, Busy, Portal };

struct Case {
  OnNetworkLoss wish;
  Lost how;
  bool may_store;
};

std::string name_of(const testing::TestParamInfo<Case>& each) {
  const char* how[] = {"not_sent", "unknown", "timed_out", "unauthorized", "busy", "portal"};
  return std::string(word(each.param.wish)) + "_" + how[static_cast<int>(each.param.how)] +
         (each.param.may_store ? "" : "_above_cap");
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const auto wish : {OnNetworkLoss::Store, OnNetworkLoss::Fail, OnNetworkLoss::Ask}) {
    for (const auto how :
         {Lost::NotSent, Lost::Unknown, Lost::TimedOut, Lost::Unauthorized, Lost::Busy, Lost::Portal}) {
      for (const bool may_store : {true, false}) cases.push_back({wish, how, may_store});
    }
  }
  return cases;
}

class NetworkLoss : public testing::TestWithParam<Case> {
 protected:
  NetworkLoss() { bench.online(); }
  std::int64_t amount() const { return GetParam().may_store ? 1'250 : 50'000; }
  bool known_not_sent() const { return GetParam().how == Lost::NotSent || GetParam().how == Lost::Unauthorized; }
  // The first attempt is lost; from then on there is no network.
  static void lose(Bench& bench) {
    bench.host.answer = [&bench](const hal::HostRequest& request) -> std::optional<hal::HostOutcome> {
      if (request.path == "/v1/capabilities") return hal::NotSent{"gone", false};
      if (bench.host.log.size() > 1) return hal::NotSent{"gone", false};
      switch (GetParam().how) {
        case Lost::NotSent: return hal::NotSent{"refused", false};
        case Lost::Unknown: return hal::Unknown{"cut", false};
        case Lost::TimedOut: return std::nullopt;
        case Lost::Unauthorized: return Bench::reply(401, "{}");
        case Lost::Busy: return Bench::reply(503, "");
        case Lost::Portal: return Bench::reply(200, "<html>Welcome</html>");
      }
      return std::nullopt;
    };
  }
  Answered lose_a_payment() {
    const Answered answered = bench.pay(amount(), [](auto& params) { params.on_network_loss = GetParam().wish; });
    if (GetParam().how == Lost::TimedOut) {
      EXPECT_EQ(answered.text(), "no answer");
      bench.advance(bench.policy.online_timeout_ms + 1'000);
    }
    return answered;
  }
  std::string id() const {
    return std::string(Json::parse(bench.host.log.at(0).body)->view()["id"].string().value_or(""));
  }
  // Stored, when nothing or something of it may have reached the acquirer.
  void expect_stored() {
    const Payment row = bench.row(id());
    EXPECT_EQ(row.status, Status::Stored);
    EXPECT_TRUE(row.stored_at && row.deadline && row.envelope);
    EXPECT_EQ(row.offline_reference.size(), 10U);
    EXPECT_EQ(row.deferred, known_not_sent()) << "what may have been sent keeps the body of its first send";
    EXPECT_EQ(row.outcome_unknown, !known_not_sent());
    EXPECT_EQ(bench.totals().count, 1);
    EXPECT_EQ(bench.totals().by_currency[usd].payments, amount());
  }
  void expect_reversed() {
    const Payment row = bench.row(id());
    EXPECT_EQ(row.status, Status::Canceled);
    EXPECT_EQ(row.cancellation->reason, CancelReason::Reversed);
    EXPECT_FALSE(row.envelope);
    const auto reversal = bench.store->find_reversal(id());
    ASSERT_TRUE(reversal && *reversal) << "a durable reversal stands for the unknown outcome";
    EXPECT_EQ((*reversal)->reason, ReversalReason::Timeout);
    EXPECT_EQ(bench.totals().count, 0);
  }
  void expect_taken_back() {
    const Payment row = bench.row(id());
    EXPECT_EQ(row.status, Status::RequiresPaymentMethod);
    EXPECT_FALSE(row.card || row.envelope) << "the card's data is discarded";
    EXPECT_FALSE(row.sent);
    EXPECT_EQ(bench.totals().count, 0);
    EXPECT_FALSE(*bench.store->find_reversal(id()));
  }
  Bench bench;
};

TEST_P(NetworkLoss, EndsAsTheContractSays) {
  lose(bench);
  const Answered answered = lose_a_payment();
  ASSERT_TRUE(answered.yet());
  if (GetParam().wish == OnNetworkLoss::Ask) {
    EXPECT_EQ(answered.text(), "network_lost");
    EXPECT_EQ(answered.error().payment->status, Status::Processing);
    EXPECT_EQ(bench.totals().count, 1) << "undecided counts as stored";
  } else if (GetParam().wish == OnNetworkLoss::Store && GetParam().may_store) {
    EXPECT_EQ(answered.text(), "stored");
    expect_stored();
  } else if (known_not_sent()) {
    EXPECT_EQ(answered.text(),
              GetParam().wish == OnNetworkLoss::Fail ? "network_lost" : "amount_exceeds_max_offline_amount");
    EXPECT_EQ(answered.error().payment->status, Status::RequiresPaymentMethod);
    expect_taken_back();
  } else {
    EXPECT_EQ(answered.text(), "network_lost");
    EXPECT_EQ(answered.error().payment->status, Status::Canceled);
    expect_reversed();
  }
  bench.expect_books_in_order();
}

TEST_P(NetworkLoss, ThePosDecidesWhereItWantedToBeAsked) {
  if (GetParam().wish != OnNetworkLoss::Ask) return;
  for (const bool restarted : {false, true}) {
    for (const bool store : {false, true}) {
      Bench fresh;
      fresh.online();
      lose(fresh);
      const Answered answered = fresh.pay(amount(), [](auto& params) { params.on_network_loss = OnNetworkLoss::Ask; });
      fresh.advance(10'000);
      ASSERT_EQ(answered.text(), "network_lost");
      const std::string id = answered.error().payment->id;
      if (restarted) fresh.restart();
      EXPECT_EQ(fresh.status(id), "processing") << "it waits for the decision, whatever happens";
      Answered decided;
      fresh.terminal->checkout().resolve_network_loss(id, store, decided.reply());
      fresh.run();
      const bool ends_stored = store && GetParam().may_store;
      EXPECT_EQ(fresh.status(id), ends_stored        ? "stored"
                                  : known_not_sent() ? "requires_payment_method"
                                                     : "canceled")
          << restarted << store;
      if (ends_stored) {
        EXPECT_EQ(decided.text(), "stored");
      } else {
        EXPECT_EQ(decided.text(), "network_lost");
      }
      EXPECT_EQ((*fresh.store->find_reversal(id)).has_value(), !ends_stored && !known_not_sent());
      Answered again;
      fresh.terminal->checkout().resolve_network_loss(id, store, again.reply());
      fresh.run();
      EXPECT_EQ(again.text(), "unexpected_state") << "decided once";
      fresh.expect_books_in_order();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, NetworkLoss, testing::ValuesIn(all_cases()), name_of);

class Attempt : public testing::Test {
 protected:
  Bench bench;
  std::string id;
  // A payment whose request is in the air.
  Answered begin(const std::function<void(terminal::IntentParams&)>& change = {}, std::int64_t amount = 1'250) {
    bench.online();
    bench.acquirer_answers = false;
    const Answered answered = bench.pay(amount, change);
    EXPECT_EQ(answered.text(), "no answer");
    id = Json::parse(bench.host.log.at(0).body)->view()["id"].string().value_or("");
    EXPECT_EQ(bench.status(id), "processing");
    return answered;
  }
};

TEST_F(Attempt, IsOnDiskBeforeItsFirstByte) {
  bench.online();
  bench.commit_fails = true;
  const Answered answered = bench.pay(1'250);
  EXPECT_EQ(answered.text(), "store_unavailable");
  EXPECT_TRUE(bench.host.log.empty()) << "nothing leaves before it is durable";
}

TEST_F(Attempt, RequireOnlineNeverStores) {
  for (const auto wish : {OnNetworkLoss::Store, OnNetworkLoss::Fail, OnNetworkLoss::Ask}) {
    Bench each;
    each.online();
    each.acquirer_answers = false;
    const Answered answered = each.pay(500, [&](auto& params) {
      params.offline_behavior = OfflineBehavior::RequireOnline;
      params.on_network_loss = wish;
    });
    each.advance(10'000);
    EXPECT_EQ(answered.text(), "network_lost");
    EXPECT_EQ(answered.error().payment->status, Status::Canceled);
    EXPECT_TRUE(*each.store->find_reversal(answered.error().payment->id));
  }
}

TEST_F(Attempt, WhatWasNeverSentMayBeTriedAgainUnderTheSameId) {
  bench.online();
  bench.host.answer = [](const hal::HostRequest&) { return hal::NotSent{"refused", false}; };
  const Answered lost = bench.pay(1'250, [](auto& params) { params.on_network_loss = OnNetworkLoss::Fail; });
  ASSERT_EQ(lost.text(), "network_lost");
  const std::string same = lost.error().payment->id;
  bench.restart();
  bench.host.answer = [this](const hal::HostRequest& request) { return bench.acquirer(request); };
  bench.advance(1'000);
  Answered again;
  bench.terminal->checkout().collect(same, std::chrono::seconds(60), true, again.reply());
  bench.run();
  bench.present(Bench::card());
  EXPECT_EQ(again.text(), "succeeded");
  EXPECT_EQ(bench.ledger.count(same), 1U);
  bench.expect_books_in_order();
}

TEST_F(Attempt, APaymentTakenBackNoLongerCountsAgainstItsCard) {
  const auto same_card = [](hal::CardData& data) { data.pan = SecretBytes(Bench::card().pan.view()); };
  const auto offline_now = [](auto& params) { params.offline_behavior = OfflineBehavior::ForceOffline; };
  bench.online();
  bench.host.answer = [](const hal::HostRequest&) { return hal::NotSent{"refused", false}; };
  ASSERT_EQ(bench.pay(1'000, offline_now, same_card).text(), "stored");
  bench.host.answer = [this](const hal::HostRequest& request) {
    return request.path == "/v1/capabilities" ? bench.acquirer(request) : hal::NotSent{"refused", false};
  };
  bench.advance(5'000);
  ASSERT_EQ(bench.pay(
                     1'000, [](auto& params) { params.on_network_loss = OnNetworkLoss::Fail; }, same_card)
                .text(),
            "network_lost");
  EXPECT_EQ(bench.pay(1'000, offline_now, same_card).text(), "stored") << "one payment is stored, a card may have two";
}

TEST_F(Attempt, ALateAnswerAfterGivingUpChangesNothing) {
  const Answered answered = begin();
  auto late = std::move(bench.host.waiting.front());
  bench.host.waiting.pop_front();
  bench.advance(9'000);
  EXPECT_EQ(answered.text(), "stored");
  late.done(Bench::reply(200, Bench::approval(id, 1'250)));
  bench.run();
  EXPECT_NE(bench.status(id), "succeeded") << "it is asked for again under its own id";
  bench.acquirer_answers = true;
  bench.advance(70'000);
  EXPECT_EQ(bench.status(id), "succeeded");
  EXPECT_EQ(bench.ledger.size(), 1U);
}

TEST_F(Attempt, TheSameBytesGoOutAgainAfterACrash) {
  (void)begin();
  const std::string first = bench.host.log.at(0).body;
  bench.restart();
  EXPECT_EQ(bench.status(id), "stored");
  bench.acquirer_answers = true;
  bench.advance(70'000);
  EXPECT_EQ(bench.status(id), "succeeded");
  const auto sent = bench.host.sent_to("POST", "/v1/payments");
  ASSERT_GE(sent.size(), 2U);
  EXPECT_EQ(sent.back().body, first);
  EXPECT_EQ(header(sent.back(), "Idempotency-Key"), id);
  EXPECT_EQ(header(sent.back(), "Nightdrop-Attempt"), std::to_string(sent.size()));
  EXPECT_NE(first.find(R"("deferred":false,"stored_at":null)"), std::string::npos);
}

TEST_F(Attempt, ACrashWhereItMayNotBeStoredBecomesAReversal) {
  (void)begin({}, 50'000);
  bench.restart();
  EXPECT_EQ(bench.status(id), "canceled");
  bench.acquirer_answers = true;
  bench.advance(5'000);
  EXPECT_TRUE(bench.reversed.contains(id));
  EXPECT_FALSE(*bench.store->find_reversal(id));
}

TEST_F(Attempt, ACrashInTheEeaKeepsWhatTheCardAllowed) {
  bench.policy.region = Region::Eea;
  bench.online();
  bench.acquirer_answers = false;
  const Answered answered = bench.pay(1'250, {}, [](hal::CardData& data) {
    data.summary.read_method = ReadMethod::ContactEmv;
    data.offline_pin_verified = true;
  });
  ASSERT_EQ(answered.text(), "no answer");
  id = Json::parse(bench.host.log.at(0).body)->view()["id"].string().value_or("");
  bench.restart();
  EXPECT_EQ(bench.status(id), "stored") << "the chip checked the PIN before the crash";
}

TEST_F(Attempt, ACrashWhileThePosShouldBeAskedStillAsks) {
  (void)begin([](auto& params) { params.on_network_loss = OnNetworkLoss::Ask; });
  bench.restart();
  EXPECT_EQ(bench.status(id), "processing");
  Answered decided;
  bench.terminal->checkout().resolve_network_loss(id, true, decided.reply());
  bench.run();
  EXPECT_EQ(decided.text(), "stored");
}

TEST_F(Attempt, APendingAnswerIsAskedForAndThenSettled) {
  bench.online();
  int asked = 0;
  bench.host.answer = [&](const hal::HostRequest& request) -> std::optional<hal::HostOutcome> {
    if (request.path == "/v1/capabilities") return bench.acquirer(request);
    if (request.method == "POST")
      return Bench::reply(202,
                          R"({"payment":")" +
                              std::string(Json::parse(request.body)->view()["id"].string().value_or("")) +
                              R"(","outcome":"pending"})",
                          {{"retry-after", "2"}});
    ++asked;
    const std::string asked_id = request.path.substr(std::string("/v1/payments/").size());
    if (asked < 3)
      return Bench::reply(202, R"({"payment":")" + asked_id + R"(","outcome":"pending"})", {{"retry-after", "2"}});
    return Bench::reply(200, Bench::approval(asked_id, 1'250));
  };
  const Answered answered = bench.pay(1'250);
  EXPECT_EQ(asked, 0) << "not before Retry-After";
  bench.advance(1'900);
  EXPECT_EQ(asked, 0);
  bench.advance(4'200);
  EXPECT_EQ(answered.text(), "succeeded");
  EXPECT_EQ(asked, 3);
  EXPECT_EQ(bench.host.sent_to("POST", "/v1/payments").size(), 1U) << "sent once";
}

TEST_F(Attempt, ADeclineAtTheCounterIsNotOnTheListOfWhatToDo) {
  bench.online();
  bench.host.answer = [&](const hal::HostRequest& request) -> std::optional<hal::HostOutcome> {
    if (request.path == "/v1/capabilities") return bench.acquirer(request);
    return Bench::reply(
        200, R"({"payment":")" + std::string(Json::parse(request.body)->view()["id"].string().value_or("")) +
                 R"(","outcome":"declined","response_code":"51","reason":"insufficient_funds","category":"soft"})");
  };
  const Answered answered = bench.pay(1'250);
  EXPECT_EQ(answered.text(), "declined");
  EXPECT_TRUE(answered.payment().acknowledged);
  EXPECT_FALSE(answered.payment().envelope);
  EXPECT_TRUE(bench.terminal->list_declines(false, 10, "")->data.empty());
  EXPECT_EQ(bench.terminal->list_declines(std::nullopt, 10, "")->data.size(), 1U);
}

TEST_F(Attempt, WaitsForTheProbeUnderWayAndThenGoesOnline) {
  bench.links.states[Route::Wifi] = true;
  bench.restart();
  bench.acquirer_answers = false;
  bench.links.set(Route::Wifi, false);
  bench.links.set(Route::Wifi, true);
  bench.run();
  const Answered answered = bench.pay(1'250);
  EXPECT_EQ(answered.text(), "no answer") << "a probe is under way";
  EXPECT_TRUE(bench.host.log.empty());
  bench.acquirer_answers = true;
  bench.run();
  EXPECT_EQ(answered.text(), "succeeded");
}

TEST_F(Attempt, WaitsForAProbeNoLongerThanASecond) {
  bench.acquirer_answers = false;
  bench.links.set(Route::Wifi, true);
  bench.run();
  const Answered answered = bench.pay(1'250);
  EXPECT_EQ(answered.text(), "no answer");
  bench.advance(terminal::Checkout::network_wait_ms);
  EXPECT_EQ(answered.text(), "stored");
  const Answered strict =
      bench.pay(1'250, [](auto& params) { params.offline_behavior = OfflineBehavior::RequireOnline; });
  bench.advance(terminal::Checkout::network_wait_ms);
  EXPECT_EQ(strict.text(), "network_required");
}

TEST_F(Attempt, AConfirmGivenTwiceWhileAProbeIsUnderWayCountsOnce) {
  for (const bool online : {true, false}) {
    Bench each;
    each.acquirer_answers = false;
    each.links.set(Route::Wifi, true);
    each.run();
    const Answered first = each.pay(1'250);
    ASSERT_EQ(first.text(), "no answer");
    const std::string waiting = each.terminal->checkout().in_memory().at(0).id;
    Answered second;
    each.terminal->checkout().confirm(waiting, second.reply());
    each.run();
    EXPECT_EQ(second.text(), "unexpected_state");
    Answered third;
    each.terminal->checkout().collect(waiting, std::chrono::seconds(60), true, third.reply());
    each.run();
    EXPECT_EQ(third.text(), "unexpected_state");
    each.acquirer_answers = online;
    each.advance(terminal::Checkout::network_wait_ms);
    EXPECT_EQ(first.text(), online ? "succeeded" : "stored");
    each.expect_books_in_order();
  }
}

}  // namespace
}  // namespace nightdrop::test
