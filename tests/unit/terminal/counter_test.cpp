// At the counter: intents and their references, cards that are refused, caps, managers, tips, and a cancel in every
// state.
#include <gtest/gtest.h>

#include "unit/terminal/bench.hpp"

namespace nightdrop::test {
namespace {

class Counter : public testing::Test {
 protected:
  static void offline_now(terminal::IntentParams& params) { params.offline_behavior = OfflineBehavior::ForceOffline; }
  // Collected, not confirmed.
  std::string collected(std::int64_t amount, const std::function<void(terminal::IntentParams&)>& change = offline_now) {
    const std::string id = bench.create(amount, change);
    Answered answered;
    bench.terminal->checkout().collect(id, std::chrono::seconds(60), false, answered.reply());
    bench.run();
    bench.present(Bench::card("41000000000000" + std::to_string(10 + ++cards)));
    EXPECT_EQ(answered.text(), "requires_confirmation");
    return id;
  }
  Answered confirm(const std::string& id) {
    Answered answered;
    bench.terminal->checkout().confirm(id, answered.reply());
    bench.run();
    return answered;
  }
  Answered adjust(const std::string& id, std::int64_t tip) {
    Answered answered;
    bench.terminal->checkout().adjust(id, tip, answered.reply());
    bench.run();
    return answered;
  }
  std::string seen(const std::string& id) {
    const auto payment = bench.terminal->retrieve(id);
    return std::string(payment ? word(payment->status) : word(payment.error().code));
  }
  Bench bench;
  int cards{0};
};

TEST_F(Counter, TheSameReferenceWithTheSameParamsIsTheSameIntent) {
  const auto reference = [](auto& params) { params.merchant_reference = "order-1001"; };
  const std::string id = bench.create(1'000, reference);
  EXPECT_EQ(bench.create(1'000, reference), id);
  terminal::IntentParams other;
  other.amount = 1'001;
  other.merchant_reference = "order-1001";
  const auto conflict = bench.terminal->checkout().create(other);
  ASSERT_FALSE(conflict);
  EXPECT_EQ(conflict.error().code, PosCode::MerchantReferenceConflict);
  bench.restart();
  EXPECT_EQ(seen(id), "unknown_payment_intent") << "without a card it lived in memory alone";
  const Answered paid = bench.pay(1'000, [&](auto& params) { reference(params), offline_now(params); });
  ASSERT_EQ(paid.text(), "stored");
  bench.restart();
  EXPECT_EQ(bench.create(1'000, [&](auto& params) { reference(params), offline_now(params); }), paid.payment().id)
      << "from the card on it lasts";
  EXPECT_FALSE(bench.terminal->checkout().create(other));
}

TEST_F(Counter, TheEnvelopeIsBoundToWhatTheCardSaw) {
  const std::string id = bench.stored(1'250);
  ASSERT_EQ(bench.vault.aads.size(), 1U);
  EXPECT_EQ(bench.vault.aads[0], "nightdrop/1\n" + id + "\npayment_intent\n1250\nusd\nND000001");
}

TEST_F(Counter, OneCardAtATime) {
  const std::string first = bench.create(1'000);
  const std::string second = bench.create(1'000);
  Answered one, two;
  bench.terminal->checkout().collect(first, std::chrono::seconds(60), true, one.reply());
  bench.terminal->checkout().collect(second, std::chrono::seconds(60), true, two.reply());
  bench.run();
  EXPECT_EQ(one.text(), "no answer");
  EXPECT_EQ(two.text(), "reader_busy");
}

TEST_F(Counter, NobodyComesWithACard) {
  const std::string id = bench.create(1'000);
  Answered answered;
  bench.terminal->checkout().collect(id, std::chrono::seconds(30), true, answered.reply());
  bench.run();
  bench.advance(29'999);
  EXPECT_FALSE(bench.reader.canceled);
  bench.advance(1);
  EXPECT_TRUE(bench.reader.canceled);
  bench.present(hal::CardFailed{hal::CardFailure::Canceled});
  EXPECT_EQ(answered.text(), "card_read_timed_out");
  EXPECT_EQ(seen(id), "requires_payment_method");
}

TEST_F(Counter, ARefusedCardLeavesNothingBehind) {
  struct {
    const char* code;
    std::function<void(Bench&, hal::CardData&)> change;
  } const refusals[] = {
      {"offline_brand_not_allowed", [](Bench&, hal::CardData& card) { card.summary.brand = Brand::Girocard; }},
      {"entry_mode_not_allowed_offline",
       [](Bench&, hal::CardData& card) { card.summary.read_method = ReadMethod::Keyed; }},
      {"offline_and_card_expired", [](Bench&, hal::CardData& card) { card.summary.exp_year = 2020; }},
      {"online_pin_not_supported_offline", [](Bench&, hal::CardData& card) { card.online_pin = Bench::pin("1234"); }},
      {"test_card_in_livemode",
       [](Bench& each, hal::CardData& card) { each.policy.livemode = true, card.test_card = true; }},
      {"card_blocked", [](Bench& each, hal::CardData&) { each.policy.blocked_bins = {"4"}; }},
  };
  for (const auto& refusal : refusals) {
    Bench each;
    const Answered answered = each.pay(1'000, offline_now, [&](hal::CardData& card) { refusal.change(each, card); });
    EXPECT_EQ(answered.text(), refusal.code);
    ASSERT_TRUE(answered.error().payment) << refusal.code;
    EXPECT_EQ(answered.error().payment->status, Status::RequiresPaymentMethod);
    EXPECT_FALSE(answered.error().payment->card || answered.error().payment->envelope) << refusal.code;
    EXPECT_EQ(each.totals().count, 0);
    const auto audited = each.event_data("audit.refused");
    ASSERT_EQ(audited.size(), 1U) << "each refusal is in the journal";
    EXPECT_EQ(audited[0]["code"].string(), refusal.code);
    // Another card may be presented under the same id.
    each.policy.livemode = false;
    each.policy.blocked_bins.clear();
    Answered again;
    each.terminal->checkout().collect(answered.error().payment->id, std::chrono::seconds(60), true, again.reply());
    each.run();
    each.present(Bench::card());
    EXPECT_EQ(again.text(), "stored") << refusal.code;
  }
}

TEST_F(Counter, WhatTheReaderSaysIsPassedOn) {
  const std::pair<hal::CardOutcome, const char*> ends[] = {
      {hal::CardRefused{hal::CardRefusal::ChipDeclined, {}}, "card_declined_offline"},
      {hal::CardRefused{hal::CardRefusal::EntryNotAllowed, {}}, "entry_mode_not_allowed_offline"},
      {hal::CardFailed{hal::CardFailure::Removed}, "card_removed"},
      {hal::CardFailed{hal::CardFailure::Unreadable}, "card_read_failed"},
  };
  for (const bool online : {false, true}) {
    for (const auto& end : ends) {
      Bench each;
      if (online) each.online();
      const std::string id = each.create(1'000);
      Answered answered;
      each.terminal->checkout().collect(id, std::chrono::seconds(60), true, answered.reply());
      each.run();
      if (std::holds_alternative<hal::CardRefused>(end.first)) {
        each.present(std::get<hal::CardRefused>(end.first));
      } else {
        each.present(std::get<hal::CardFailed>(end.first));
      }
      EXPECT_EQ(answered.text(), end.second) << online;
      EXPECT_TRUE(each.host.log.empty()) << "a chip that says no is never asked about";
    }
  }
}

TEST_F(Counter, CapsHoldAndAreTold) {
  bench.policy.currencies[usd].device_total = 10'000;
  (void)bench.stored(7'999);
  EXPECT_TRUE(bench.events("limit.").empty());
  (void)bench.stored(1);
  ASSERT_EQ(bench.events("limit.near").size(), 1U) << "80 %";
  EXPECT_EQ(bench.pay(2'001).text(), "offline_total_limit_reached");
  EXPECT_EQ(bench.pay(2'000).text(), "stored") << "a cap of n allows n";
  const auto reached = bench.event_data("limit.reached");
  ASSERT_EQ(reached.size(), 1U);
  EXPECT_EQ(reached[0]["limit"].string(), "device_total");
  EXPECT_EQ(reached[0]["currency"].string(), "usd");
  EXPECT_EQ(reached[0]["used"].integer(), 10'000);
  EXPECT_EQ(reached[0]["cap"].integer(), 10'000);
  EXPECT_EQ(bench.pay(1).text(), "offline_total_limit_reached");
  bench.online();
  bench.offline();
  EXPECT_EQ(bench.pay(1).text(), "stored") << "forwarded is no longer at risk";
}

TEST_F(Counter, ACardMayBeUsedAsOftenAsThePolicySays) {
  const auto same = [](hal::CardData& card) { card.pan = SecretBytes(Bench::card().pan.view()); };
  EXPECT_EQ(bench.pay(1'000, offline_now, same).text(), "stored");
  EXPECT_EQ(bench.pay(1'000, offline_now, same).text(), "stored");
  EXPECT_EQ(bench.pay(1'000, offline_now, same).text(), "card_offline_limit_reached");
  EXPECT_EQ(bench.pay(1'000).text(), "stored") << "another card";
  bench.online();
  bench.offline();
  EXPECT_EQ(bench.pay(1'000, offline_now, same).text(), "stored") << "all of the card's payments were forwarded";
}

TEST_F(Counter, FallbacksAreCountedUntilTheSpellEnds) {
  bench.policy.entry_modes_offline.fill(true);
  bench.policy.fallbacks_per_spell = 2;
  const auto fallback = [](hal::CardData& card) {
    card.summary.read_method = ReadMethod::MagneticStripeFallback;
    card.summary.fallback = true;
  };
  EXPECT_EQ(bench.pay(100, offline_now, fallback).text(), "stored");
  EXPECT_EQ(bench.pay(100, offline_now, fallback).text(), "stored");
  bench.restart();
  EXPECT_EQ(bench.pay(100, offline_now, fallback).text(), "entry_mode_not_allowed_offline") << "also after a restart";
  bench.online();
  bench.advance(1'000);
  bench.offline();
  EXPECT_EQ(bench.pay(100, offline_now, fallback).text(), "stored") << "the queue was empty and a path was up";
}

// --- managers ---

TEST_F(Counter, AManagerApprovesAboveTheThreshold) {
  bench.policy.currencies[usd].approval_threshold = 5'000;
  EXPECT_EQ(bench.pay(5'000).text(), "stored");
  const Answered above = bench.pay(5'001);
  ASSERT_EQ(above.text(), "approval_required");
  const std::string id = above.error().payment->id;
  EXPECT_EQ(seen(id), "requires_approval");
  EXPECT_EQ(confirm(id).text(), "approval_required");
  EXPECT_EQ(bench.approve(id, "0000").text(), "approver_invalid");
  const Answered approved = bench.approve(id);
  EXPECT_EQ(approved.text(), "stored") << "what was asked for goes on";
  EXPECT_EQ(approved.payment().approver, "manager");
  EXPECT_EQ(confirm(id).text(), "stored") << "asked again, it is as it is";
}

TEST_F(Counter, AnApprovalMayComeBeforeTheCard) {
  bench.policy.currencies[usd].approval_threshold = 5'000;
  const std::string id = bench.create(6'000);
  EXPECT_EQ(bench.approve(id).text(), "requires_payment_method");
  Answered paid;
  bench.terminal->checkout().collect(id, std::chrono::seconds(60), true, paid.reply());
  bench.run();
  bench.present(Bench::card());
  EXPECT_EQ(paid.text(), "stored");
}

TEST_F(Counter, OnlineNeedsNoManager) {
  bench.policy.currencies[usd].approval_threshold = 0;
  bench.online();
  EXPECT_EQ(bench.pay(5'000).text(), "succeeded");
}

TEST_F(Counter, FiveWrongPinsLockForHalfAnHourAcrossRestartsAndClocks) {
  bench.policy.currencies[usd].approval_threshold = 0;
  const std::string id = bench.create(1'000);
  for (std::int64_t left = 4; left >= 1; --left) {
    const Answered wrong = bench.approve(id, "1111");
    ASSERT_EQ(wrong.text(), "approver_invalid");
    EXPECT_EQ(wrong.error().attempts_remaining, left);
  }
  bench.restart();
  const std::string again = bench.create(1'000);
  const Answered fifth = bench.approve(again, "1111");
  ASSERT_EQ(fifth.text(), "approver_locked") << "the count survived the restart";
  EXPECT_EQ(fifth.error().retry_after_s, 1'800);
  EXPECT_EQ(bench.approve(again).text(), "approver_locked") << "the right one too";
  bench.clock.set_utc(bench.truth() + 365 * day);
  EXPECT_EQ(bench.approve(again).text(), "approver_locked") << "a changed clock helps nobody";
  bench.advance(20 * 60'000);
  bench.reboot(true);
  const std::string after = bench.create(1'000);
  bench.advance(29 * 60'000);
  EXPECT_EQ(bench.approve(after).text(), "approver_locked") << "a pulled plug begins the half hour anew";
  bench.advance(61'000);
  EXPECT_EQ(bench.approve(after).text(), "requires_payment_method");
  EXPECT_EQ(bench.events("audit.approver_locked").size(), 1U);
}

TEST_F(Counter, NobodyUnknownApproves) {
  const std::string id = bench.create(1'000);
  Answered answered;
  bench.terminal->checkout().approve(id, "nobody", Bench::pin("2468"), answered.reply());
  bench.run();
  EXPECT_EQ(answered.text(), "approver_invalid");
}

// --- tips ---

TEST_F(Counter, ATipIsAddedWhileStoredAndCapsAreCheckedAgain) {
  bench.policy.currencies[usd].device_total = 12'000;
  const std::string id = bench.stored(8'000);
  (void)bench.stored(2'000);
  const Answered tipped = adjust(id, 2'000);
  ASSERT_EQ(tipped.text(), "stored");
  EXPECT_EQ(tipped.payment().amount, 10'000);
  EXPECT_EQ(tipped.payment().card_amount, 8'000) << "what the card saw";
  EXPECT_EQ(bench.totals().by_currency[usd].payments, 12'000);
  EXPECT_EQ(adjust(id, 2'001).text(), "amount_exceeds_max_offline_amount");
  EXPECT_EQ(adjust(id, 1'000).text(), "stored");
  EXPECT_EQ(bench.totals().by_currency[usd].payments, 11'000);
  bench.policy.currencies[usd].per_transaction = 50'000;
  EXPECT_EQ(adjust(id, 2'001).text(), "offline_total_limit_reached");
  bench.online();
  EXPECT_EQ(Json::parse(bench.ledger.at(id))->view()["amount"].integer(), 9'000);
  EXPECT_EQ(Json::parse(bench.ledger.at(id))->view()["card_amount"].integer(), 8'000);
  EXPECT_EQ(adjust(id, 0).text(), "unexpected_state");
  bench.expect_books_in_order();
}

TEST_F(Counter, ATipThatRaisesTheAmountEndsAnApproval) {
  bench.policy.currencies[usd].approval_threshold = 5'000;
  const Answered above = bench.pay(6'000);
  const std::string id = above.error().payment->id;
  ASSERT_EQ(bench.approve(id).text(), "stored");
  EXPECT_EQ(adjust(id, 1).text(), "approval_required");
  EXPECT_EQ(bench.row(id).amount, 6'000);
}

TEST_F(Counter, WhatMayHaveBeenSentKeepsItsAmount) {
  bench.online();
  bench.acquirer_answers = false;
  const Answered lost = bench.pay(1'000);
  bench.advance(9'000);
  bench.offline();
  ASSERT_EQ(lost.text(), "stored");
  EXPECT_EQ(adjust(lost.payment().id, 100).text(), "unexpected_state");
}

// --- a cancel in every state ---

TEST_F(Counter, CancelBeforeTheCard) {
  const std::string id = bench.create(1'000);
  const Answered canceled = bench.cancel(id, CancelReason::Duplicate);
  EXPECT_EQ(canceled.text(), "canceled");
  EXPECT_EQ(canceled.payment().cancellation->reason, CancelReason::Duplicate);
  EXPECT_EQ(bench.cancel(id).text(), "canceled") << "again: as it is";
  EXPECT_EQ(bench.cancel("pi_nobody").text(), "unknown_payment_intent");
}

TEST_F(Counter, CancelWhileACardIsAwaitedEndsThatCall) {
  const std::string id = bench.create(1'000);
  Answered waiting, first, second;
  bench.terminal->checkout().collect(id, std::chrono::seconds(60), true, waiting.reply());
  bench.terminal->checkout().cancel(id, CancelReason::Abandoned, first.reply());
  bench.terminal->checkout().cancel(id, CancelReason::Abandoned, second.reply());
  bench.run();
  EXPECT_TRUE(bench.reader.canceled);
  bench.present(Bench::card());  // the customer was quicker; the cancel holds
  EXPECT_EQ(waiting.text(), "canceled");
  EXPECT_EQ(waiting.error().code, PosCode::Canceled);
  EXPECT_TRUE(first.yet() && second.yet());
  EXPECT_EQ(bench.status(id), "canceled");
  EXPECT_FALSE(bench.row(id).envelope);
}

TEST_F(Counter, CancelAfterTheCard) {
  const std::string id = collected(1'000);
  EXPECT_EQ(bench.cancel(id).text(), "canceled");
  EXPECT_FALSE(bench.row(id).envelope);
  bench.policy.currencies[usd].approval_threshold = 0;
  const Answered above = bench.pay(1'000);
  EXPECT_EQ(bench.cancel(above.error().payment->id).text(), "canceled");
  EXPECT_EQ(bench.totals().count, 0);
}

TEST_F(Counter, CancelWhileAProbeIsAwaited) {
  bench.acquirer_answers = false;
  bench.links.set(Route::Wifi, true);
  bench.run();
  const Answered waiting = bench.pay(1'000);
  const std::string id = bench.terminal->checkout().in_memory().at(0).id;
  EXPECT_EQ(bench.cancel(id).text(), "canceled");
  EXPECT_EQ(waiting.error().code, PosCode::Canceled);
  bench.advance(5'000);
  EXPECT_EQ(bench.status(id), "canceled");
}

TEST_F(Counter, CancelInFlightIsRecordedAndReversedAfterTheAnswer) {
  bench.online();
  bench.acquirer_answers = false;
  const Answered sale = bench.pay(1'000);
  const std::string id(Json::parse(bench.host.log.at(0).body)->view()["id"].string().value_or(""));
  const Answered canceled = bench.cancel(id, CancelReason::RequestedByCustomer);
  EXPECT_EQ(canceled.text(), "processing") << "it is recorded, the status stays";
  bench.acquirer_answers = true;
  bench.advance(1'000);
  EXPECT_EQ(sale.text(), "processing");
  EXPECT_TRUE(bench.reversed.contains(id));
  EXPECT_EQ(bench.status(id), "canceled");
  EXPECT_EQ(seen(id), "canceled");
  EXPECT_EQ(bench.row(id).cancellation->reason, CancelReason::RequestedByCustomer);
  EXPECT_FALSE(bench.row(id).cancel_requested && bench.row(id).counted);
  bench.expect_books_in_order();
}

TEST_F(Counter, CancelInFlightThatIsDeclinedIsDeclined) {
  bench.online();
  bench.acquirer_answers = false;
  const Answered sale = bench.pay(1'000);
  const std::string id(Json::parse(bench.host.log.at(0).body)->view()["id"].string().value_or(""));
  (void)bench.cancel(id);
  bench.plan[id] = [&](const hal::HostRequest&) {
    return Bench::reply(
        200, R"({"payment":")" + id + R"(","outcome":"declined","response_code":"05","reason":"x","category":"soft"})");
  };
  bench.acquirer_answers = true;
  bench.run();
  EXPECT_EQ(sale.text(), "declined");
  EXPECT_FALSE(*bench.store->find_reversal(id));
}

TEST_F(Counter, CancelInFlightWhoseAnswerNeverComes) {
  bench.online();
  bench.acquirer_answers = false;
  const Answered sale = bench.pay(1'000);
  const std::string id(Json::parse(bench.host.log.at(0).body)->view()["id"].string().value_or(""));
  (void)bench.cancel(id);
  bench.advance(9'000);
  EXPECT_EQ(sale.text(), "canceled");
  EXPECT_EQ((*bench.store->find_reversal(id))->reason, ReversalReason::Canceled);
  bench.acquirer_answers = true;
  bench.advance(10'000);
  EXPECT_TRUE(bench.reversed.contains(id));
}

TEST_F(Counter, CancelAStoredPaymentVoidsIt) {
  const std::string id = bench.stored(1'000);
  EXPECT_EQ(bench.cancel(id).text(), "canceled");
  EXPECT_EQ(bench.totals().count, 0);
  EXPECT_FALSE(bench.row(id).envelope);
  bench.online();
  EXPECT_TRUE(bench.host.log.empty()) << "nothing was sent, nothing to undo";
}

TEST_F(Counter, CancelAForwardInFlight) {
  const std::string id = bench.stored(1'000);
  bench.plan[id] = [](const hal::HostRequest&) { return std::nullopt; };
  bench.online();
  EXPECT_EQ(bench.cancel(id).text(), "forwarding");
  bench.plan.clear();
  bench.advance(5'000);
  EXPECT_EQ(bench.status(id), "canceled");
  EXPECT_TRUE(bench.reversed.contains(id));
}

TEST_F(Counter, CancelAForwardThatNeverLeft) {
  const std::string id = bench.stored(1'000);
  bench.plan[id] = [](const hal::HostRequest&) { return std::nullopt; };
  bench.online();
  EXPECT_EQ(bench.cancel(id).text(), "forwarding");
  bench.plan[id] = [](const hal::HostRequest&) -> std::optional<hal::HostOutcome> {
    return hal::NotSent{"refused", false};
  };
  bench.run();
  EXPECT_EQ(bench.status(id), "canceled");
  EXPECT_FALSE(*bench.store->find_reversal(id)) << "nobody can have it";
}

TEST_F(Counter, CancelAnUnknownOutcomeIsADurableReversal) {
  bench.online();
  bench.acquirer_answers = false;
  const Answered lost = bench.pay(1'000);
  bench.advance(9'000);
  bench.offline();
  const std::string id = lost.payment().id;
  EXPECT_EQ(bench.cancel(id).text(), "stored") << "until the reversal is answered";
  EXPECT_TRUE(*bench.store->find_reversal(id));
  EXPECT_EQ(bench.totals().count, 1);
  bench.restart();
  bench.host.log.clear();
  bench.online();
  bench.advance(1'000);
  EXPECT_EQ(bench.status(id), "canceled");
  ASSERT_GE(bench.host.log.size(), 1U);
  for (const auto& request : bench.host.log) EXPECT_TRUE(request.path.ends_with("/reversal")) << "it is not sent again";
}

TEST_F(Counter, CancelWhereThePosShouldDecide) {
  bench.online();
  bench.acquirer_answers = false;
  const Answered lost = bench.pay(1'000, [](auto& params) { params.on_network_loss = OnNetworkLoss::Ask; });
  bench.advance(9'000);
  const std::string id = lost.error().payment->id;
  EXPECT_EQ(confirm(id).text(), "unexpected_state");
  EXPECT_EQ(bench.cancel(id).text(), "processing");
  bench.acquirer_answers = true;
  bench.advance(20'000);
  EXPECT_EQ(bench.status(id), "canceled");
  EXPECT_EQ(seen(id), "canceled") << "what is retrieved is the row's state, not an old copy";
  Answered late;
  bench.terminal->checkout().resolve_network_loss(id, true, late.reply());
  bench.run();
  EXPECT_EQ(late.text(), "unexpected_state");
}

TEST_F(Counter, CancelWhatIsSettledIsRefused) {
  bench.online();
  const Answered sale = bench.pay(1'000);
  EXPECT_EQ(bench.cancel(sale.payment().id).text(), "unexpected_state");
  const Answered poor = bench.pay(1'000, [&](auto& params) { params.merchant_reference = "declined"; });
  EXPECT_EQ(poor.text(), "succeeded");
  bench.offline();
  const std::string id = bench.stored(500);
  bench.plan[id] = [&](const hal::HostRequest&) {
    return Bench::reply(
        200, R"({"payment":")" + id + R"(","outcome":"declined","response_code":"05","reason":"x","category":"soft"})");
  };
  bench.online();
  EXPECT_EQ(bench.cancel(id).text(), "unexpected_state");
}

TEST_F(Counter, AReversalThatIsRefusedIsForAPerson) {
  const std::string id = bench.stored(1'000);
  bench.plan[id] = [](const hal::HostRequest&) { return std::nullopt; };
  bench.online();
  (void)bench.cancel(id);
  bench.plan.clear();
  bench.plan[id + ":reversal"] = [](const hal::HostRequest&) {
    return Bench::reply(422, R"({"error":{"code":"too_late"}})");
  };
  bench.advance(20'000);
  EXPECT_EQ(bench.status(id), "requires_review");
  EXPECT_EQ(bench.row(id).decline->next_action.find("Nothing was charged"), std::string::npos) << "it was approved";
  EXPECT_EQ(bench.totals().count, 0);
}

TEST_F(Counter, RequireOnlineWithoutAPathIsRefusedBeforeTheCard) {
  const Answered refused =
      bench.pay(1'000, [](auto& params) { params.offline_behavior = OfflineBehavior::RequireOnline; });
  EXPECT_EQ(refused.text(), "network_required");
  EXPECT_EQ(bench.reader.listener, nullptr);
}

TEST_F(Counter, ForceOfflineStoresEvenWhereAPathIsUp) {
  bench.online();
  const Answered stored = bench.pay(1'000, offline_now);
  EXPECT_EQ(stored.text(), "stored");
  EXPECT_EQ(bench.status(stored.payment().id), "succeeded") << "and forwarding starts at once";
}

TEST_F(Counter, ListsShowMemoryAndQueueAsOne) {
  const std::string first = bench.stored(100);
  bench.advance(1'000);
  const std::string second = bench.stored(200);
  bench.advance(1'000);
  const std::string third = bench.create(300);
  const auto page = bench.terminal->list(std::nullopt, 2, "");
  ASSERT_TRUE(page);
  ASSERT_EQ(page->data.size(), 2U);
  EXPECT_EQ(page->data[0].id, third);
  EXPECT_EQ(page->data[1].id, second);
  EXPECT_TRUE(page->has_more);
  const auto rest = bench.terminal->list(std::nullopt, 2, second);
  ASSERT_TRUE(rest);
  ASSERT_EQ(rest->data.size(), 1U);
  EXPECT_EQ(rest->data[0].id, first);
  EXPECT_FALSE(rest->has_more);
  EXPECT_EQ(bench.terminal->list(Status::Stored, 10, "")->data.size(), 2U);
  EXPECT_EQ(bench.terminal->list(std::nullopt, 10, "pi_nobody").error().code, PosCode::InvalidParams);
}

}  // namespace
}  // namespace nightdrop::test
