// What is due, when, and in which order; what is overdue; what a returned path and a corrected clock change.
#include "support.hpp"

namespace nightdrop::test {
namespace {

using Ids = std::vector<std::string>;

TEST(Due, NearestDeadlineFirstAndOnlyWhatCanGo) {
  const Folder folder;
  auto store = open_store(folder);
  Payment later = stored(1), sooner = stored(2), waiting = stored(3), succeeded = stored(4), flying = stored(5),
          declined = stored(6), retried = stored(7), expired = stored(8), processing = stored(9), unknown = stored(10),
          first = stored(11);
  *sooner.deadline -= 1000;
  waiting.not_before = start + 5000;
  answer(succeeded, Status::Succeeded);
  flying.status = Status::Forwarding;
  answer(declined, Status::Declined);
  answer(retried, Status::Declined);
  retried.decline->retry_at = retried.not_before = start + 6000;
  answer(expired, Status::Expired);
  processing.status = Status::Processing;
  processing.deadline.reset();
  unknown.outcome_unknown = unknown.sent = true;
  *first.deadline -= 2000;
  put_all(*store, {later, sooner, waiting, succeeded, flying, declined, retried, expired, processing, unknown, first});
  EXPECT_EQ(ids(store->due(start + 100, 10, {})),
            (Ids{first.id, sooner.id, later.id, flying.id, unknown.id, processing.id}));
  EXPECT_EQ(ids(store->due(start + 100, 2, {first.id, later.id})), (Ids{sooner.id, flying.id}));
  EXPECT_EQ(*store->next_due({}), 0);
  EXPECT_EQ(*store->next_due({first.id, sooner.id, later.id, flying.id, unknown.id, processing.id}), start + 5000);
  EXPECT_EQ(ids(store->due(start + 5000, 10, {first.id, sooner.id})),
            (Ids{later.id, waiting.id, flying.id, unknown.id, processing.id}));
  EXPECT_EQ(ids(store->due(start + 100, 10, {first.id, sooner.id})),
            (Ids{later.id, flying.id, unknown.id, processing.id}))
      << "the clock went back: what was let go has to wait again";
  const auto all = ids(store->due(start + 6000, 20, {}));
  EXPECT_EQ(all.size(), 8U);
  EXPECT_NE(std::find(all.begin(), all.end(), retried.id), all.end());
  ND_OK(store->verify());
}

TEST(Due, NothingToForwardHasNoTime) {
  const Folder folder;
  auto store = open_store(folder);
  EXPECT_FALSE(store->next_due({})->has_value());
  Payment p = stored(1);
  put_all(*store, {p});
  EXPECT_FALSE(store->next_due({p.id})->has_value());
  p.not_before = held;
  put_all(*store, {p});
  EXPECT_FALSE(store->next_due({})->has_value());
  EXPECT_TRUE(store->due(start + 1000 * day, 5, {})->empty());
}

TEST(Due, APathThatReturnsEndsBackoffButNoDeclinesWait) {
  const Folder folder;
  auto store = open_store(folder);
  Payment backoff = stored(1), retry = stored(2), kept = stored(3);
  backoff.not_before = start + 60'000;
  answer(retry, Status::Declined);
  retry.decline->retry_at = retry.not_before = start + 3'600'000;
  kept.not_before = held;
  put_all(*store, {backoff, retry, kept});
  EXPECT_TRUE(store->due(start, 5, {})->empty());
  ND_OK(store->release_backoff());
  EXPECT_EQ(ids(store->due(start, 5, {})), Ids{backoff.id});
  EXPECT_EQ(*store->next_due({backoff.id}), start + 3'600'000);
  ND_OK(store->verify());
}

TEST(Due, ARefundWaitsForItsSale) {
  const Folder folder;
  auto store = open_store(folder);
  Payment sale = stored(1), refund = stored(2), other = stored(3);
  refund.kind = other.kind = ObjectKind::Refund;
  refund.original_payment = sale.id;
  other.original_payment = "pi_not_here";
  put_all(*store, {sale, refund, other});
  EXPECT_EQ(ids(store->due(start, 5, {})), (Ids{sale.id, other.id}));
  EXPECT_EQ(ids(store->due(start, 5, {sale.id})), Ids{other.id});
  EXPECT_EQ(store->totals()->next_deadline, sale.deadline);
  sale.status = Status::Forwarding;
  put_all(*store, {sale});
  EXPECT_EQ(ids(store->due(start, 5, {sale.id})), Ids{other.id});
  answer(sale, Status::Succeeded);
  put_all(*store, {sale});
  EXPECT_EQ(ids(store->due(start, 5, {})), (Ids{refund.id, other.id}));
  ND_OK(store->verify());
}

TEST(Overdue, OnlyWhatCannotHaveBeenSent) {
  const Folder folder;
  auto store = open_store(folder);
  Payment a = stored(1), b = stored(2), unknown = stored(3), flying = stored(4), waiting = stored(5), late = stored(6);
  *b.deadline -= 10;
  unknown.outcome_unknown = unknown.sent = true;
  flying.status = Status::Forwarding;
  waiting.not_before = start + 2 * day;
  *late.deadline += day;
  put_all(*store, {a, b, unknown, flying, waiting, late});
  EXPECT_EQ(ids(store->overdue(start + day + 100, 10)), (Ids{b.id, a.id, waiting.id}));
  EXPECT_EQ(ids(store->overdue(start + day + 100, 1)), Ids{b.id});
  EXPECT_TRUE(store->overdue(start, 10)->empty());
}

TEST(Clock, ACorrectionMovesTheSpellsUnsentRows) {
  const Folder folder;
  auto store = open_store(folder);
  Payment a = stored(1), sent = stored(2), other = stored(3), backoff = stored(4);
  a.time_epoch = sent.time_epoch = backoff.time_epoch = 7;
  other.time_epoch = 8;
  sent.sent = true;
  backoff.not_before = start + 500;
  put_all(*store, {a, sent, other, backoff});
  ND_OK(store->shift_times(7, -3'600'000));
  EXPECT_EQ((*store->find(a.id))->stored_at, *a.stored_at - 3'600'000);
  EXPECT_EQ((*store->find(a.id))->deadline, *a.deadline - 3'600'000);
  EXPECT_EQ((*store->find(backoff.id))->not_before, start + 500 - 3'600'000);
  EXPECT_EQ((*store->find(sent.id))->deadline, sent.deadline);
  EXPECT_EQ((*store->find(other.id))->deadline, other.deadline);
  EXPECT_TRUE((*store->find(a.id))->envelope);
  EXPECT_EQ(store->totals()->oldest_stored_at, *a.stored_at - 3'600'000);
  ND_OK(store->verify());
}

TEST(State, TheNumberOfConsumersIsBounded) {
  const Folder folder;
  auto store = open_store(folder);
  ND_OK(store->begin());
  for (std::size_t i = 0; i < hal::consumers_max; ++i)
    ND_OK(store->set_cursor("c" + std::to_string(i), i == 5 ? 3 : 100 + i));
  ND_OK(store->set_cursor("c7", 107'000));  // a known one takes nobody's place
  EXPECT_EQ(*store->cursor("c5"), 3U);
  ND_OK(store->set_cursor("new", 1));
  EXPECT_EQ(*store->cursor("c5"), 0U) << "the furthest behind begins anew";
  EXPECT_EQ(*store->cursor("new"), 1U);
  EXPECT_EQ(*store->cursor("c7"), 107'000U);
  ND_OK(store->set_cursor("newer", 2));
  EXPECT_EQ(*store->cursor("new"), 0U);
  EXPECT_EQ(*store->cursor("c0"), 100U);
  ND_OK(store->commit());
}

TEST(State, SmallThingsComeBack) {
  const Folder folder;
  {
    auto store = open_store(folder);
    ND_OK(store->begin());
    ND_OK(store->put_device_state({.dukpt_counter = 5,
                                   .stan = 999'999,
                                   .time_high = start,
                                   .boot_id = "b",
                                   .mono_ms = 3,
                                   .untrusted_for_ms = 4,
                                   .time_epoch = 6,
                                   .policy_version = 7,
                                   .fallbacks_in_spell = 8,
                                   .clock_trusted = false,
                                   .turn = 9}));
    ND_OK(store->put_approver_state("ann", {.wrong = 4, .locked_boot_id = "x", .locked_until_mono_ms = 99}));
    ND_OK(store->set_cursor("pos", 42));
    ND_OK(store->put_reversal({.payment_id = "pi_b", .reason = ReversalReason::Canceled, .created_at = 2}));
    ND_OK(store->put_reversal({.payment_id = "pi_a", .created_at = 3, .attempts = 4, .not_before = 5}));
    ND_OK(store->put_reversal({.payment_id = "pi_c", .created_at = 1}));
    ND_OK(store->put_reversal({.payment_id = "pi_c", .done = true}));
    hal::SyncRun run;
    run.started_at = 1;
    run.amounts[eur] = {5, 6};
    EXPECT_EQ(*store->put_sync_run(run), 1U);
    run.id = 1;
    run.ended_at = 9;
    run.succeeded = 3;
    EXPECT_EQ(*store->put_sync_run(run), 1U);
    run.id = 0;
    EXPECT_EQ(*store->put_sync_run(run), 2U);
    ND_OK(store->commit());
  }
  auto store = open_store(folder);
  const auto device = store->device_state();
  EXPECT_EQ(std::tuple(device->dukpt_counter, device->stan, device->boot_id, device->clock_trusted, device->turn,
                       device->time_epoch),
            std::tuple(5U, 999'999U, std::string("b"), false, 9U, 6U));
  EXPECT_EQ(store->approver_state("ann")->locked_until_mono_ms, 99);
  EXPECT_EQ(store->approver_state("bob")->wrong, 0U);
  EXPECT_EQ(*store->cursor("pos"), 42U);
  EXPECT_EQ(*store->cursor("kds"), 0U);
  const auto reversals = store->reversals(10);
  ASSERT_EQ(reversals->size(), 2U);
  EXPECT_EQ((*reversals)[0].payment_id, "pi_b");
  EXPECT_EQ((*store->find_reversal("pi_a"))->attempts, 4U);
  EXPECT_FALSE(store->find_reversal("pi_c")->has_value());
  EXPECT_EQ((*store->sync_run(1))->succeeded, 3);
  EXPECT_EQ((*store->sync_run(1))->amounts.at(eur).second, 6);
  EXPECT_EQ((*store->sync_run(std::nullopt))->id, 2U);
  EXPECT_FALSE(store->sync_run(7)->has_value());
}

TEST(Journal, ChainsAndPrunesToACheckpoint) {
  const Folder folder;
  auto store = open_store(folder);
  ND_OK(store->begin());
  for (int n = 1; n <= 20; ++n) {
    const std::string created = "2026-01-" + std::string(n < 10 ? "0" : "") + std::to_string(n) + "T00:00:00.000Z";
    const auto event = store->append("test.event", created, "{\"n\":" + std::to_string(n) + "}");
    ASSERT_TRUE(event);
    EXPECT_EQ(event->text, "{\"seq\":" + std::to_string(n) + ",\"type\":\"test.event\",\"created\":\"" + created +
                               "\",\"data\":{\"n\":" + std::to_string(n) + "}}");
    if (n % 5 == 0) ND_OK(store->add_checkpoint({event->seq, event->hash, {1, 2, 3}}));
  }
  ND_OK(store->commit());
  const auto events = store->events_after(3, 4);
  ASSERT_EQ(events->size(), 4U);
  const std::vector<std::uint8_t> text((*events)[1].text.begin(), (*events)[1].text.end());
  EXPECT_EQ((*events)[1].hash, options_in("").sha256((*events)[0].hash, text));
  EXPECT_EQ(store->checkpoints_after(5, 10)->size(), 3U);
  constexpr UtcMs january_13 = 1'768'262'400'000;
  EXPECT_EQ(*store->prune(january_13, 4), 4U);
  ND_OK(store->verify());
  EXPECT_EQ(store->journal_start()->seq, 4U);
  EXPECT_EQ(*store->prune(january_13, 100), 6U) << "up to the last checkpoint before the cut, no further";
  EXPECT_EQ(*store->prune(january_13, 100), 0U);
  ND_OK(store->verify());
  EXPECT_EQ(store->journal_start()->seq, 10U);
  EXPECT_EQ(store->checkpoints_after(0, 10)->front().seq, 10U);
  EXPECT_EQ(store->checkpoints_after(0, 10)->front().hash, store->journal_start()->hash);
  EXPECT_EQ(store->last_event()->seq, 20U);
}

TEST(Prune, DropsWhatIsFinalAndNotToBeReported) {
  const Folder folder;
  auto store = open_store(folder);
  Payment gone = stored(1), canceled = stored(2), declined = stored(3), waiting = stored(4), young = stored(5);
  gone.merchant_reference = "r";
  answer(gone, Status::Succeeded);
  answer(canceled, Status::Canceled);
  answer(declined, Status::Declined);
  answer(young, Status::Succeeded);
  young.created_at += day;
  put_all(*store, {gone, canceled, declined, waiting, young});
  EXPECT_EQ(*store->prune(start + 1000, 1), 1U);
  EXPECT_EQ(*store->prune(start + 1000, 10), 1U);
  EXPECT_EQ(*store->prune(start + 1000, 10), 0U);
  EXPECT_FALSE(store->find(gone.id)->has_value());
  EXPECT_FALSE(store->find_by_reference("r")->has_value());
  EXPECT_EQ(store->list({})->size(), 3U);
  ND_OK(store->verify());
}

}  // namespace
}  // namespace nightdrop::test
