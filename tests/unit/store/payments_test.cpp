// Rows come back as they were put, and totals, counters and lists follow every change of one.
#include "support.hpp"

namespace nightdrop::test {
namespace {

Payment full(int n) {
  Payment p = stored(n);
  p.kind = ObjectKind::Refund;
  p.currency = eur;
  p.tip = 50;
  p.merchant_reference = "table 7 / " + std::to_string(n);
  p.description = "dinner";
  p.metadata = {{"a", "1"}, {"b", ""}};
  p.offline_behavior = OfflineBehavior::ForceOffline;
  p.on_network_loss = OnNetworkLoss::Ask;
  p.max_offline_amount = 5000;
  p.original_payment = "pi_original";
  p.refunded_amount = 7;
  p.card->cardholder_name = "A. Guest";
  p.card->exp_year = 2031;
  p.card->read_method = ReadMethod::ContactlessEmv;
  p.card->account_type = "credit";
  p.envelope->pin_block.assign(16, 0x42);
  p.envelope->key_type = KeyType::Aes256;
  p.stan = 999'999;
  p.retrieval_reference_number = "012345678901";
  p.local_transaction_time = "2026-09-21T10:00:00+02:00";
  p.deferred = true;
  p.offline_reference = "ABCDEFGHJK";
  p.may_store = true;
  p.sent = true;
  p.attempts = 3;
  p.last_attempt_at = start + 9;
  p.last_attempt_route = Route::Cellular;
  p.last_attempt_outcome = AttemptOutcome::Unknown;
  p.not_before = start + 99;
  p.ask_status = true;
  p.time_epoch = 4;
  p.sync_id = 12;
  p.approver = "manager";
  p.approved_up_to = 30'000;
  p.cancel_requested = CancelReason::Duplicate;
  p.authorization = Authorization{"au", "c", 5, "10", start + 3};
  p.decline = Decline{"reason", "51", "24", DeclineCategory::Hard, "ask for another card", start + 70};
  p.cancellation = Cancellation{CancelReason::Reversed, start + 8};
  p.decline_retries = 2;
  p.first_declined_at = start + 60;
  p.acknowledged = true;
  p.acknowledge_note = "seen";
  p.reportable = true;
  return p;
}

TEST(Payments, ComeBackAsTheyWerePut) {
  const Folder folder;
  const Payment put = full(1);
  {
    auto store = open_store(folder);
    put_all(*store, {put});
  }
  auto store = open_store(folder);
  const auto found = store->find(put.id);
  ASSERT_TRUE(found && *found);
  const Payment& p = **found;
  EXPECT_EQ(p.id, put.id);
  EXPECT_EQ(p.kind, put.kind);
  EXPECT_EQ(p.status, put.status);
  EXPECT_EQ(p.currency, put.currency);
  EXPECT_EQ(std::tuple(p.amount, p.tip, p.card_amount, p.refunded_amount),
            std::tuple(put.amount, put.tip, put.card_amount, put.refunded_amount));
  EXPECT_EQ(p.merchant_reference, put.merchant_reference);
  EXPECT_EQ(p.metadata, put.metadata);
  EXPECT_EQ(p.description, put.description);
  EXPECT_EQ(std::tuple(p.offline_behavior, p.on_network_loss, p.max_offline_amount),
            std::tuple(put.offline_behavior, put.on_network_loss, put.max_offline_amount));
  EXPECT_EQ(std::tuple(p.created_at, p.original_payment, p.emv),
            std::tuple(put.created_at, put.original_payment, put.emv));
  ASSERT_TRUE(p.card);
  EXPECT_EQ(std::tuple(p.card->cardholder_name, p.card->fingerprint, p.card->account_type, p.card->exp_year,
                       p.card->read_method),
            std::tuple(put.card->cardholder_name, put.card->fingerprint, put.card->account_type, 2031,
                       ReadMethod::ContactlessEmv));
  ASSERT_TRUE(p.envelope);
  EXPECT_EQ(std::tuple(p.envelope->ksn, p.envelope->key_type, p.envelope->ciphertext, p.envelope->pin_block),
            std::tuple(put.envelope->ksn, put.envelope->key_type, put.envelope->ciphertext, put.envelope->pin_block));
  EXPECT_EQ(
      std::tuple(p.stan, p.retrieval_reference_number, p.local_transaction_time, p.deferred, p.body_version),
      std::tuple(put.stan, put.retrieval_reference_number, put.local_transaction_time, put.deferred, put.body_version));
  EXPECT_EQ(std::tuple(p.stored_at, p.deadline, p.offline_reference, p.may_store),
            std::tuple(put.stored_at, put.deadline, put.offline_reference, put.may_store));
  EXPECT_EQ(std::tuple(p.sent, p.outcome_unknown, p.attempts, p.last_attempt_at, p.last_attempt_route,
                       p.last_attempt_outcome),
            std::tuple(put.sent, put.outcome_unknown, put.attempts, put.last_attempt_at, put.last_attempt_route,
                       put.last_attempt_outcome));
  EXPECT_EQ(
      std::tuple(p.not_before, p.ask_status, p.time_epoch, p.sync_id, p.approver, p.approved_up_to, p.cancel_requested),
      std::tuple(put.not_before, put.ask_status, put.time_epoch, put.sync_id, put.approver, put.approved_up_to,
                 put.cancel_requested));
  ASSERT_TRUE(p.authorization && p.decline && p.cancellation);
  EXPECT_EQ(p.authorization->approved_amount, 5);
  EXPECT_EQ(std::tuple(p.decline->reason, p.decline->next_action, p.decline->retry_at, p.decline->category),
            std::tuple(put.decline->reason, put.decline->next_action, put.decline->retry_at, DeclineCategory::Hard));
  EXPECT_EQ(p.cancellation->reason, CancelReason::Reversed);
  EXPECT_EQ(std::tuple(p.decline_retries, p.first_declined_at, p.acknowledged, p.acknowledge_note, p.exposure,
                       p.counted, p.reportable),
            std::tuple(put.decline_retries, put.first_declined_at, put.acknowledged, put.acknowledge_note, put.exposure,
                       put.counted, put.reportable));
  ND_OK(store->verify());
}

TEST(Payments, AReferenceNamesOnePayment) {
  const Folder folder;
  auto store = open_store(folder);
  Payment first = stored(1), second = stored(2);
  first.merchant_reference = second.merchant_reference = "order 1";
  ND_OK(store->begin());
  ND_OK(store->put(first));
  ND_OK(store->mark());
  const auto refused = store->put(second);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::Conflict);
  ND_OK(store->rollback_to_mark());
  ND_OK(store->put(first));  // its own reference is no conflict
  ND_OK(store->commit());
  const auto found = store->find_by_reference("order 1");
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->id, first.id);
  EXPECT_FALSE(store->find_by_reference("order 2")->has_value());
  EXPECT_FALSE(store->find(second.id)->has_value());
  ND_OK(store->verify());
}

TEST(Payments, TotalsFollowEveryChange) {
  const Folder folder;
  auto store = open_store(folder);
  Payment a = stored(1, 1000), b = stored(2, 2000), c = stored(3, 300);
  b.currency = eur;
  c.kind = ObjectKind::Refund;
  put_all(*store, {a, b, c});
  auto totals = store->totals();
  ASSERT_TRUE(totals);
  EXPECT_EQ(totals->count, 3);
  EXPECT_EQ(totals->by_currency.at(usd).payments, 1000);
  EXPECT_EQ(totals->by_currency.at(usd).refunds, 300);
  EXPECT_EQ(totals->by_currency.at(eur).payments, 2000);
  EXPECT_EQ(totals->oldest_stored_at, start + 1);
  EXPECT_EQ(totals->next_deadline, start + 1 + day);
  EXPECT_EQ(*store->count(Status::Stored), 3);
  a.amount = a.exposure = 1500;
  put_all(*store, {a});
  EXPECT_EQ(store->totals()->by_currency.at(usd).payments, 1500);
  answer(a, Status::Succeeded);
  put_all(*store, {a});
  totals = store->totals();
  EXPECT_EQ(totals->count, 2);
  EXPECT_EQ(totals->by_currency.at(usd).payments, 0);
  EXPECT_EQ(totals->oldest_stored_at, start + 2);
  answer(b, Status::Expired);
  put_all(*store, {b});
  EXPECT_EQ(store->totals()->oldest_stored_at, start + 2) << "an expired payment nobody has acknowledged still counts";
  EXPECT_EQ(store->totals()->next_deadline, start + 3 + day);
  b.acknowledged = true;
  put_all(*store, {b});
  EXPECT_EQ(store->totals()->oldest_stored_at, start + 3);
  answer(c, Status::Declined);
  put_all(*store, {c});
  totals = store->totals();
  EXPECT_EQ(totals->count, 0);
  EXPECT_TRUE(totals->by_currency.empty());
  EXPECT_FALSE(totals->oldest_stored_at);
  EXPECT_FALSE(totals->next_deadline);
  ND_OK(store->verify());
}

TEST(Payments, OldestIsRightWhenDeadlinesLieDifferently) {
  const Folder folder;
  auto store = open_store(folder);
  std::vector<Payment> all;
  for (int n = 1; n <= 40; ++n) {
    Payment p = stored(n);
    *p.deadline += (n % 5) * 3'600'000 - (n % 3) * 40'000'000;
    if (n % 11 == 0) p.deadline.reset();
    all.push_back(p);
    put_all(*store, {p});
    ND_OK(store->verify());
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    Payment& p = all[i * 7 % all.size()];
    answer(p, i % 2 == 0 ? Status::Succeeded : Status::Expired);
    put_all(*store, {p});
    ND_OK(store->verify());
  }
}

TEST(Payments, CardCountersRunUntilAllAreForwarded) {
  const Folder folder;
  auto store = open_store(folder);
  Payment a = stored(1, 1000), b = stored(11, 500), c = stored(21, 70);
  c.currency = eur;
  const std::string card = a.card->fingerprint;
  put_all(*store, {a, b, c});
  EXPECT_EQ(store->card_totals(card, usd)->total, 1500);
  EXPECT_EQ(store->card_totals(card, usd)->count, 3);
  EXPECT_EQ(store->card_totals(card, eur)->total, 70);
  a.amount = a.exposure = 1200;
  put_all(*store, {a});
  EXPECT_EQ(store->card_totals(card, usd)->total, 1700);
  answer(a, Status::Succeeded);
  put_all(*store, {a});
  EXPECT_EQ(store->card_totals(card, usd)->total, 1700) << "forwarded, but others of the card are still open";
  answer(b, Status::Canceled);
  put_all(*store, {b});
  EXPECT_EQ(store->card_totals(card, usd)->total, 1200) << "voided ones are taken back";
  EXPECT_EQ(store->card_totals(card, usd)->count, 2);
  ND_OK(store->verify());
  answer(c, Status::Declined);
  put_all(*store, {c});
  EXPECT_EQ(store->card_totals(card, usd)->total, 0);
  EXPECT_EQ(store->card_totals(card, eur)->count, 0);
  ND_OK(store->verify());
}

TEST(Payments, AMarkUndoesOneDecisionAlone) {
  const Folder folder;
  auto store = open_store(folder);
  ND_OK(store->begin());
  ND_OK(store->put(stored(1)));
  ND_OK(store->append("a", "2026-01-01T00:00:00.000Z", "{}"));
  ND_OK(store->mark());
  ND_OK(store->put(stored(2)));
  ND_OK(store->append("b", "2026-01-01T00:00:00.000Z", "{}"));
  ND_OK(store->put_device_state({.dukpt_counter = 9}));
  ND_OK(store->rollback_to_mark());
  EXPECT_EQ(store->device_state()->dukpt_counter, 0U);
  ND_OK(store->mark());
  ND_OK(store->put(stored(3)));
  ND_OK(store->commit());
  EXPECT_FALSE(store->find(stored(2).id)->has_value());
  EXPECT_EQ(store->totals()->count, 2);
  EXPECT_EQ(store->last_event()->seq, 1U);
  ND_OK(store->verify());
  ND_OK(store->begin());
  ND_OK(store->put(stored(4)));
  store->rollback();
  EXPECT_EQ(store->totals()->count, 2);
  ND_OK(store->verify());
}

TEST(Payments, WritesNeedATurn) {
  const Folder folder;
  auto store = open_store(folder);
  const auto refused = store->put(stored(1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::Unavailable);
  ND_OK(store->commit());
}

TEST(Payments, IdsThatShareTheirNumberStandSideBySide) {
  const Folder folder;
  auto store = open_store(folder);
  std::vector<Payment> all;
  for (int n = 0; n < 40; ++n) {
    Payment p = stored(1);
    p.id = id_of(1).substr(0, 27) + std::string(n < 10 ? "0" : "") + std::to_string(n) + "00000a";
    ASSERT_EQ(p.id.size(), id_of(1).size());
    all.push_back(p);
  }
  put_all(*store, all);
  ASSERT_EQ(*store->count(Status::Stored), 40);
  for (const Payment& p : all) ASSERT_TRUE(store->find(p.id)->has_value());
  ND_OK(store->verify());
}

TEST(Payments, ListsAreNewestFirstAndContinue) {
  const Folder folder;
  auto store = open_store(folder);
  std::vector<Payment> all;
  for (int n = 1; n <= 30; ++n) {
    all.push_back(stored(n));
    if (n % 3 == 0) answer(all.back(), Status::Declined);
    if (n % 5 == 0) answer(all.back(), Status::Succeeded), all.back().sync_id = 2;
    if (n % 6 == 0) all.back().acknowledged = true;
  }
  put_all(*store, all);
  const auto expect = [&](const hal::ListQuery& query, const std::function<bool(const Payment&)>& wanted) {
    std::vector<std::string> expected, got;
    for (auto p = all.rbegin(); p != all.rend(); ++p) {
      if (wanted(*p)) expected.push_back(p->id);
    }
    hal::ListQuery page = query;
    page.limit = 4;
    for (;;) {
      const auto part = ids(store->list(page));
      got.insert(got.end(), part.begin(), part.end());
      if (part.size() < 4 || got.size() > 100) break;
      page.starting_after = part.back();
    }
    EXPECT_EQ(got, expected);
  };
  expect({}, [](const Payment&) { return true; });
  expect({.status = Status::Stored}, [](const Payment& p) { return p.status == Status::Stored; });
  expect({.reportable = true}, [](const Payment& p) { return p.reportable; });
  expect({.reportable = true, .acknowledged = true}, [](const Payment& p) { return p.reportable && p.acknowledged; });
  expect({.status = Status::Declined, .reportable = true, .acknowledged = false},
         [](const Payment& p) { return p.status == Status::Declined && !p.acknowledged; });
  expect({.sync_id = 2}, [](const Payment& p) { return p.sync_id == 2; });
  expect({.created_from = start + 7, .created_to = start + 19},
         [](const Payment& p) { return p.created_at >= start + 7 && p.created_at <= start + 19; });
  const auto nowhere = store->list({.starting_after = "pi_none"});
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code, Errc::NotFound);
}

}  // namespace
}  // namespace nightdrop::test
