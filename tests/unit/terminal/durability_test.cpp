// A disk that says no: nothing is promised, sent or remembered that is not on it, and nothing that is under way is
// lost.
#include <gtest/gtest.h>

#include "unit/terminal/bench.hpp"

namespace nightdrop::test {
namespace {

class Durability : public testing::Test {
 protected:
  static void offline_now(terminal::IntentParams& params) { params.offline_behavior = OfflineBehavior::ForceOffline; }
  Bench bench;
};

TEST_F(Durability, APaymentWhoseCommitFailedIsNotThere) {
  const auto events = bench.events().size();
  bench.commit_fails = true;
  const Answered refused = bench.pay(1'000, [](auto& params) { params.merchant_reference = "table-7"; });
  EXPECT_EQ(refused.text(), "store_unavailable");
  bench.commit_fails = false;
  EXPECT_EQ(bench.events().size(), events) << "events only after the commit";
  EXPECT_EQ(bench.totals().count, 0);
  EXPECT_FALSE(bench.terminal->retrieve_by_reference("table-7")) << "memory follows the disk";
  const Answered again = bench.pay(1'000, [](auto& params) { params.merchant_reference = "table-7"; });
  EXPECT_EQ(again.text(), "stored");
  bench.restart();
  EXPECT_EQ(bench.status(again.payment().id), "stored");
  bench.expect_books_in_order();
}

TEST_F(Durability, AWriteThatFailsIsTheSame) {
  bench.disk_fails = true;
  EXPECT_EQ(bench.pay(1'000).text(), "store_unavailable");
  bench.disk_fails = false;
  EXPECT_EQ(bench.totals().count, 0);
  EXPECT_EQ(bench.pay(1'000).text(), "stored");
  bench.expect_books_in_order();
}

TEST_F(Durability, KeysAreErasedOnlyOnceThePaymentIsDurable) {
  bench.commit_fails = true;
  (void)bench.pay(1'000);
  EXPECT_EQ(bench.vault.erasures, 0);
  bench.commit_fails = false;
  (void)bench.pay(1'000);
  EXPECT_EQ(bench.vault.erasures, 1);
  EXPECT_EQ(bench.store->device_state()->dukpt_counter, bench.vault.marks().counter) << "in the same commit";
}

TEST_F(Durability, NothingIsSentWhoseRecordIsNotDurable) {
  const std::string id = bench.stored(1'000);
  bench.commit_fails = true;
  bench.online();
  bench.advance(500);
  EXPECT_TRUE(bench.host.log.empty());
  EXPECT_EQ(bench.status(id), "stored");
  bench.commit_fails = false;
  bench.advance(5'000);
  EXPECT_EQ(bench.status(id), "succeeded");
  EXPECT_EQ(bench.ledger.size(), 1U);
}

TEST_F(Durability, ADiskThatFailsForAMinuteDoesNotSpin) {
  (void)bench.stored(1'000);
  bench.commit_fails = true;
  bench.online();
  bench.advance(60'000);
  EXPECT_TRUE(bench.host.log.empty());
  bench.commit_fails = false;
  bench.advance(5'000);
  EXPECT_EQ(bench.totals().count, 0);
}

TEST_F(Durability, AFailedCommitLosesNoAttemptOfAnother) {
  bench.online();
  bench.acquirer_answers = false;
  const Answered sale = bench.pay(1'250);  // its request is in the air
  ASSERT_EQ(sale.text(), "no answer");
  bench.commit_fails = true;
  const Answered other = bench.pay(500, offline_now);
  EXPECT_EQ(other.text(), "store_unavailable");
  EXPECT_EQ(sale.text(), "no answer") << "nothing has happened to it";
  bench.commit_fails = false;
  bench.acquirer_answers = true;
  bench.run();
  EXPECT_EQ(sale.text(), "succeeded");
  EXPECT_EQ(bench.ledger.size(), 1U);
  bench.expect_books_in_order();
}

TEST_F(Durability, AFailedCommitLeavesTheGiveUpTimeOfAnotherAttempt) {
  bench.online();
  bench.acquirer_answers = false;
  const Answered sale = bench.pay(1'250);
  bench.commit_fails = true;
  (void)bench.pay(500, offline_now);
  bench.commit_fails = false;
  bench.advance(9'000);
  EXPECT_EQ(sale.text(), "stored");
}

TEST_F(Durability, WhoWaitsForAProbeHearsOfAFailedCommit) {
  bench.acquirer_answers = false;
  bench.links.set(Route::Wifi, true);
  bench.run();
  const Answered waits = bench.pay(1'000);
  ASSERT_EQ(waits.text(), "no answer");
  bench.commit_fails = true;
  (void)bench.pay(500, offline_now);
  EXPECT_EQ(waits.text(), "store_unavailable");
  bench.commit_fails = false;
  bench.advance(2'000);
  EXPECT_EQ(bench.totals().count, 0);
}

// The acquirer approved, and the disk could not take it: whoever asked hears that nothing is certain; the payment goes
// on under its own id and is settled once.
TEST_F(Durability, AnAnswerThatCouldNotBeWrittenIsAskedForAgain) {
  for (const bool at_commit : {true, false}) {
    Bench each;
    each.online();
    each.acquirer_answers = false;
    const Answered sale = each.pay(1'250);
    const std::string id = Json::parse(each.host.log.at(0).body)->view()["id"].string().value_or("").data();
    (at_commit ? each.commit_fails : each.disk_fails) = true;
    each.acquirer_answers = true;
    each.run();
    EXPECT_EQ(sale.text(), "store_unavailable");
    each.commit_fails = each.disk_fails = false;
    const std::string same(Json::parse(each.host.log.at(0).body)->view()["id"].string().value_or(""));
    EXPECT_EQ(each.status(same), "processing");
    EXPECT_EQ(each.totals().count, 1) << "still at risk";
    each.advance(10'000);
    EXPECT_EQ(each.status(same), "succeeded") << at_commit;
    EXPECT_EQ(each.ledger.size(), 1U);
    each.expect_books_in_order();
  }
}

TEST_F(Durability, ALostAttemptThatCouldNotBeWrittenIsTakenUpAgain) {
  bench.online();
  bench.acquirer_answers = false;
  const Answered sale = bench.pay(1'250);
  const std::string id(Json::parse(bench.host.log.at(0).body)->view()["id"].string().value_or(""));
  bench.commit_fails = true;
  bench.advance(9'000);
  EXPECT_EQ(sale.text(), "store_unavailable");
  bench.advance(30'000);
  bench.commit_fails = false;
  bench.advance(2'000);
  EXPECT_EQ(bench.status(id), "stored");
  bench.acquirer_answers = true;
  bench.advance(70'000);
  EXPECT_EQ(bench.status(id), "succeeded");
}

TEST_F(Durability, AnAnswerToAForwardThatCouldNotBeWrittenIsAskedForAgain) {
  const std::string id = bench.stored(1'000);
  bench.host.answer = [&](const hal::HostRequest& request) {
    if (request.path == "/v1/payments") bench.commit_fails = bench.host.log.size() == 1;
    return bench.acquirer(request);
  };
  bench.online();
  bench.commit_fails = false;
  bench.advance(10'000);
  EXPECT_EQ(bench.status(id), "succeeded");
  EXPECT_EQ(bench.ledger.size(), 1U);
  EXPECT_GE(bench.host.log.size(), 2U);
  bench.expect_books_in_order();
}

// A turn that is lost forgets what is in flight; the answer to that comes nevertheless, and knows less than what was
// done since.
TEST_F(Durability, AForgottenReversalsAnswerTurnsNothingBack) {
  bench.online();
  bench.acquirer_answers = false;
  const Answered lost = bench.pay(50'000);
  bench.advance(9'000);
  ASSERT_EQ(lost.text(), "network_lost");
  const std::string id = lost.error().payment->id;
  bench.host.answer = [this](const hal::HostRequest& request) {
    return request.path == "/v1/capabilities" ? bench.acquirer(request) : std::nullopt;
  };
  bench.online();
  ASSERT_EQ(bench.host.sent_to("POST", "/v1/payments/" + id).size(), 1U);
  bench.commit_fails = true;
  (void)bench.pay(1'000);
  bench.commit_fails = false;
  bench.advance(2'000);
  ASSERT_EQ(bench.host.sent_to("POST", "/v1/payments/" + id).size(), 2U) << "it is tried again";
  ASSERT_EQ((*bench.store->find_reversal(id))->attempts, 2U);
  const auto before = *bench.store->find_reversal(id);
  auto first = std::move(bench.host.waiting.front());
  ASSERT_TRUE(first.request.path.ends_with("/reversal"));
  bench.host.waiting.pop_front();
  first.done(hal::Unknown{"timed out", true});
  bench.run();
  EXPECT_EQ((*bench.store->find_reversal(id))->attempts, 2U);
  EXPECT_EQ((*bench.store->find_reversal(id))->not_before, before->not_before);
  EXPECT_EQ(bench.host.sent_to("POST", "/v1/payments/" + id).size(), 2U) << "the second attempt is still waited for";
  bench.host.answer = [this](const hal::HostRequest& request) { return bench.acquirer(request); };
  bench.advance(1'000);
  EXPECT_TRUE(bench.reversed.contains(id));
  EXPECT_FALSE(*bench.store->find_reversal(id));
}

TEST_F(Durability, AFullDiskRefusesNewPaymentsBeforeTheCardAndGoesOnForwarding) {
  const std::string id = bench.stored(1'000);
  bench.disk_is_full = true;
  EXPECT_EQ(bench.pay(1'000).text(), "store_full");
  EXPECT_EQ(bench.reader.listener, nullptr);
  bench.online();
  EXPECT_EQ(bench.status(id), "succeeded");
  bench.disk_is_full = false;
  EXPECT_EQ(bench.pay(1'000).text(), "succeeded");
}

TEST_F(Durability, ADiskThatFillsUpDuringTheReadIsSaid) {
  const std::string id = bench.create(1'000);
  Answered answered;
  bench.terminal->checkout().collect(id, std::chrono::seconds(60), true, answered.reply());
  bench.run();
  bench.disk_is_full = true;
  bench.present(Bench::card());
  EXPECT_EQ(answered.text(), "store_full");
  EXPECT_EQ(bench.totals().count, 0);
}

TEST_F(Durability, AVaultThatFailsKeepsTheCardOut) {
  bench.vault.fails = true;
  EXPECT_EQ(bench.pay(1'000).text(), "store_unavailable");
  bench.vault.fails = false;
  bench.vault.exhausted_ = true;
  EXPECT_EQ(bench.pay(1'000).text(), "reader_not_provisioned");
  EXPECT_EQ(bench.reader.listener, nullptr) << "no card is asked for";
}

TEST_F(Durability, WithoutRandomBytesNoIdIsMade) {
  bench.entropy.fails = true;
  terminal::IntentParams params;
  params.amount = 100;
  params.merchant_reference = "r";
  const auto made = bench.terminal->checkout().create(params);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, PosCode::StoreUnavailable);
}

TEST_F(Durability, ATurnOfManyDecisionsIsOneCommitAndEachCanFailAlone) {
  bench.policy.device_count = 2;
  std::vector<std::string> ids;
  for (int i = 0; i < 4; ++i) {
    const std::string id = bench.create(1'000, offline_now);
    Answered collected;
    bench.terminal->checkout().collect(id, std::chrono::seconds(60), false, collected.reply());
    bench.run();
    bench.present(Bench::card("410000000000000" + std::to_string(i)));
    EXPECT_EQ(collected.text(), "requires_confirmation");
    ids.push_back(id);
  }
  std::vector<Answered> answers(4);
  for (std::size_t i = 0; i < 4; ++i) bench.terminal->checkout().confirm(ids[i], answers[i].reply());
  for (const Answered& answer : answers) EXPECT_FALSE(answer.yet()) << "no reply before the commit";
  bench.run();
  EXPECT_EQ(answers[0].text(), "stored");
  EXPECT_EQ(answers[1].text(), "stored");
  EXPECT_EQ(answers[2].text(), "offline_count_limit_reached") << "caps are checked in the transaction that inserts";
  EXPECT_EQ(answers[3].text(), "offline_count_limit_reached");
  EXPECT_EQ(bench.totals().count, 2);
  bench.expect_books_in_order();
}

}  // namespace
}  // namespace nightdrop::test
