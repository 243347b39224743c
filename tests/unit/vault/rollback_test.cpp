// Older copies of the vault, of the queue, of both. Held: no KSN leaves the box twice, whatever was put back and
// however often a person says to go on; a copy that misses what was noted durably on the other side is refused; and
// nothing that is no older copy is ever taken for one. Not claimed: files alone cannot see that vault and queue were
// put back together; a token's mark can.
#include <optional>
#include <random>
#include <set>
#include <vector>

#include "crypto/spending.hpp"
#include "unit/vault/backend.hpp"

namespace nightdrop::test {
namespace {

class VaultRollback : public VaultBackend {};
INSTANTIATE_TEST_SUITE_P(Backends, VaultRollback, testing::Values(Backend::Files, Backend::Credential, Backend::Token),
                         name_of);

Ksn last_of(const hal::QueueMarks& queue) {
  return dukpt::make_ksn(queue.initial_key_id, queue.counter);
}

TEST_P(VaultRollback, AnOlderQueueIsRefusedAndCanBeAccepted) {
  make();
  hal::QueueMarks older;
  hal::QueueMarks newest;
  {
    const auto vault = resumed();
    spend(*vault);
    older = committed(*vault, 5);
    vault->erase_spent_keys(older.journal_seq);
    ASSERT_TRUE(vault->flush());
    spend(*vault);
    newest = committed(*vault, 6);
    vault->erase_spent_keys(newest.journal_seq);
    ASSERT_TRUE(vault->flush());
  }
  const auto vault = open().value();
  for (const hal::Older accepted : {hal::Older::Refuse, hal::Older::AcceptVault}) {
    const auto refused = vault->resume(older, accepted);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::RolledBack);
    EXPECT_STREQ(refused.error().text, hal::older_queue_text);
    EXPECT_EQ(vault->seal_card(bytes_of("card"), "aad", {}, {}).error().code, Errc::Unavailable);
  }
  ASSERT_TRUE(vault->resume(older, hal::Older::AcceptQueue));
  EXPECT_GT(spend(*vault), last_of(newest));
}

TEST_P(VaultRollback, WhatWasAcceptedIsTheTruthFromThenOn) {
  make();
  hal::QueueMarks queue;
  queue.journal_seq = 10;
  {
    resumed(queue);
  }
  queue.journal_seq = 4;
  {
    resumed(queue, hal::Older::AcceptQueue);
  }
  {
    resumed(queue);
  }
  queue.journal_seq = 3;
  EXPECT_FALSE(open().value()->resume(queue, hal::Older::Refuse));
}

TEST_P(VaultRollback, ADamagedOrLostQueueIsNoOlderCopy) {
  make();
  hal::QueueMarks queue;
  queue.journal_seq = 10;
  Ksn last{};
  {
    const auto vault = resumed(queue);
    last = spend(*vault);
  }
  queue = {};
  queue.queue_was_lost = true;
  EXPECT_GT(spend(*resumed(queue)), last);
  queue.queue_was_lost = false;
  queue.journal_seq = 1;  // it began anew from there
  resumed(queue);
}

TEST_P(VaultRollback, AnOlderVaultIsRefusedAndCanBeAccepted) {
  make();
  hal::QueueMarks queue;
  {
    queue = committed(*resumed(), 1);
  }
  keep("older");
  {
    const auto vault = resumed(queue);
    for (int i = 0; i < 300; ++i) spend(*vault);
    queue = committed(*vault, 2);
  }
  restore("older");
  const auto vault = open().value();
  for (const hal::Older accepted : {hal::Older::Refuse, hal::Older::AcceptQueue}) {
    const auto refused = vault->resume(queue, accepted);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::RolledBack);
    EXPECT_STREQ(refused.error().text, hal::older_vault_text);
  }
  ASSERT_TRUE(vault->resume(queue, hal::Older::AcceptVault));
  EXPECT_GT(vault->marks().generation, queue.vault_generation);
  const Ksn next = spend(*vault);
  EXPECT_GE(dukpt::transaction_counter(next), queue.counter + 64);
}

// Files can't see it; the mark in a token does, and knows how far to skip.
TEST_P(VaultRollback, BothPutBackTogetherAreSeenByATokensMark) {
  make();
  hal::QueueMarks queue;
  {
    queue = committed(*resumed(), 1);
  }
  keep("older");
  Ksn last{};
  {
    const auto vault = resumed(queue);
    for (int i = 0; i < 300; ++i) last = spend(*vault);
  }
  restore("older");
  const auto vault = open().value();
  const auto done = vault->resume(queue, hal::Older::Refuse);
  EXPECT_EQ(done.has_value(), !keeps_mark()) << "the residual risk of files, as the threat model says";
  if (!keeps_mark()) return;
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::RolledBack);
  EXPECT_STREQ(done.error().text, hal::older_vault_text);
  ASSERT_TRUE(vault->resume(queue, hal::Older::AcceptBoth));
  EXPECT_GT(spend(*vault), last);
}

// How far the old key was spent before it was replaced is known to nobody any more.
TEST_P(VaultRollback, ACopyOfBeforeARekeyIsNeverAccepted) {
  make();
  keep("older");
  hal::QueueMarks queue;
  {
    const auto vault = resumed();
    ASSERT_TRUE(vault->rekey(block_for(first_id, numbered_id(2))));
    queue = committed(*vault, 1);
  }
  restore("older");
  const auto vault = open().value();
  for (const hal::Older accepted :
       {hal::Older::Refuse, hal::Older::AcceptQueue, hal::Older::AcceptVault, hal::Older::AcceptBoth}) {
    const auto refused = vault->resume(queue, accepted);
    ASSERT_FALSE(refused);
    EXPECT_STREQ(refused.error().text, hal::replaced_keys_text);
  }
  EXPECT_EQ(vault->seal_card(bytes_of("card"), "aad", {}, {}).error().code, Errc::Unavailable);
}

// Whoever puts the files back that a tamper event erased is found out by the queue, or by the token.
TEST_P(VaultRollback, ErasedCardKeysThatArePutBackAreAnOlderVault) {
  make();
  hal::QueueMarks queue;
  {
    queue = committed(*resumed(), 1);
  }
  const hal::QueueMarks before = queue;
  {
    const auto vault = resumed(queue);
    keep("before");  // the newest there is
    ASSERT_TRUE(vault->erase_card_keys());
    queue = committed(*vault, 2);
  }
  restore("before");
  const auto refused = open().value()->resume(queue, hal::Older::Refuse);
  ASSERT_FALSE(refused);
  EXPECT_STREQ(refused.error().text, hal::older_vault_text);
  // With the queue of then a token sees it still: it was told of the erasure.
  EXPECT_EQ(open().value()->resume(before, hal::Older::Refuse).has_value(), !keeps_mark());
}

TEST_P(VaultRollback, AResumeThatCannotBeWrittenComparesWithTheSameAgain) {
  make();
  hal::QueueMarks queue;
  queue.journal_seq = 10;
  {
    resumed(queue);
  }
  queue.journal_seq = 4;
  const auto vault = open().value();
  fs::create_directory(dir_ / "dukpt.new");
  std::ofstream(dir_ / "dukpt.new" / "x") << "x";
  EXPECT_EQ(vault->resume(queue, hal::Older::AcceptQueue).error().code, Errc::Unavailable);
  EXPECT_EQ(vault->resume(queue, hal::Older::Refuse).error().code, Errc::RolledBack);
  fs::remove_all(dir_ / "dukpt.new");
  EXPECT_TRUE(vault->resume(queue, hal::Older::AcceptQueue));
}

// A file of the first format knows no generation, and an old queue none either: nothing is an older copy.
TEST(Spending, ReadsTheFormatWithoutGenerations) {
  auto device = dukpt::DukptDevice::load(std::vector<std::uint8_t>(16, 1), first_id).value();
  ASSERT_TRUE(device.skip_past(9));
  const SecretBytes registers = device.serialise();
  std::vector<std::uint8_t> bytes{1, 0, 0, 0, 9, 0, 0, 0, 64};
  bytes.insert(bytes.end(), registers.view().begin(), registers.view().end());
  const auto spending = spending_from_bytes(bytes);
  ASSERT_TRUE(spending);
  EXPECT_EQ(spending->counter, 9u);
  EXPECT_EQ(spending->ceiling, 64u);
  EXPECT_EQ(spending->generation, 0u);
  hal::QueueMarks queue;
  queue.counter = 70;
  queue.journal_seq = 3;
  EXPECT_EQ(resume_point(*spending, std::nullopt, queue, hal::Older::Refuse)->spent, 70u);
  queue.counter = 10;
  EXPECT_EQ(resume_point(*spending, std::nullopt, queue, hal::Older::Refuse)->spent, 64u);
}

TEST(Spending, IsReadAsItWasWrittenAndRefusedWhenCut) {
  Spending spending{.device = dukpt::DukptDevice::load(std::vector<std::uint8_t>(32, 1), first_id).value()};
  spending.counter = 0;
  spending.witnessed_seq = 0x0102030405060708;
  spending.earlier_ids = {dukpt::InitialKeyId{1}, dukpt::InitialKeyId{2}};
  const SecretBytes bytes = spending_to_bytes(spending, 64, 7);
  const auto read = spending_from_bytes(bytes.view());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->ceiling, 64u);
  EXPECT_EQ(read->generation, 7u);
  EXPECT_EQ(read->witnessed_seq, spending.witnessed_seq);
  EXPECT_EQ(read->earlier_ids, spending.earlier_ids);
  EXPECT_EQ(read->device.initial_key_id(), first_id);
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(spending_from_bytes(bytes.view().first(size)));
}

}  // namespace
}  // namespace nightdrop::test
