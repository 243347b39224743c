// The POS's log against the reader's book: every entry ends in exactly one list, and nothing is merged away.
#include "report/reconcile.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace nightdrop::report {
namespace {

constexpr Currency usd{{'u', 's', 'd'}};
constexpr Currency eur{{'e', 'u', 'r'}};

Payment sale(std::string reference, std::int64_t amount, UtcMs created, Status status = Status::Succeeded) {
  Payment payment;
  payment.id = "pi_" + reference;
  payment.merchant_reference = std::move(reference);
  payment.amount = amount;
  payment.created_at = created;
  payment.status = status;
  payment.card.emplace();
  payment.card->last4 = "4242";
  return payment;
}

std::vector<std::string> references(const std::vector<Finding>& findings) {
  std::vector<std::string> all;
  for (const Finding& finding : findings) all.push_back(finding.merchant_reference);
  return all;
}

using Names = std::vector<std::string>;

TEST(Reconcile, PutsEveryEntryInOneList) {
  const std::vector<PosEntry> log{
      {"a", 100, usd, "4242"}, {"b", 200, usd, ""}, {"c", 300, usd, ""}, {"a", 100, usd, ""}};
  const std::vector<Payment> book{sale("a", 100, 1000), sale("b", 250, 2000)};
  const Reconciliation all = reconcile(log, book);
  EXPECT_EQ(references(all.matched), Names{"a"});
  EXPECT_EQ(references(all.mismatched), Names{"b"});
  EXPECT_EQ(references(all.missing_on_reader), Names{"c"});
  EXPECT_EQ(references(all.duplicates), Names{"a"});
  EXPECT_TRUE(all.missing_on_pos.empty());
  EXPECT_EQ(all.mismatched[0].fields, std::vector{Difference::Amount});
  EXPECT_EQ(all.mismatched[0].reader->amount, 250);
  EXPECT_FALSE(all.missing_on_reader[0].reader);
  EXPECT_TRUE(all.duplicates[0].reader);
}

TEST(Reconcile, NamesEachFieldThatDiffers) {
  const std::vector<PosEntry> log{{"a", 101, eur, "1111"}};
  EXPECT_EQ(reconcile(log, std::vector{sale("a", 100, 1)}).mismatched.at(0).fields,
            (std::vector{Difference::Amount, Difference::Currency, Difference::Last4}));
}

TEST(Reconcile, DoesNotCompareALast4ThatWasNotGiven) {
  EXPECT_EQ(reconcile(std::vector<PosEntry>{{"a", 100, usd, ""}}, std::vector{sale("a", 100, 1)}).matched.size(), 1U);
}

TEST(Reconcile, ASaleOfTheLogThatTheReaderCanceledDiffersInStatus) {
  const std::vector<PosEntry> log{{"a", 100, usd, ""}};
  EXPECT_EQ(reconcile(log, std::vector{sale("a", 100, 1, Status::Canceled)}).mismatched.at(0).fields,
            std::vector{Difference::Status});
}

TEST(Reconcile, AStoredPaymentDeclinedLaterWasASale) {
  Payment declined = sale("a", 100, 1, Status::Declined);
  EXPECT_FALSE(is_sale(declined));
  declined.stored_at = 1;
  EXPECT_TRUE(is_sale(declined));
}

TEST(Reconcile, ListsTheReadersSalesWithinTheSpanInTheOrderOfTime) {
  const std::vector<PosEntry> log{{"late", 1, usd, ""}, {"early", 1, usd, ""}};
  const std::vector<Payment> book{sale("before", 1, 999),
                                  sale("late", 1, 3000),
                                  sale("second", 1, 2500),
                                  sale("first", 1, 1000),
                                  sale("early", 1, 1000),
                                  sale("after", 1, 3001),
                                  sale("void", 1, 2000, Status::Canceled)};
  EXPECT_EQ(references(reconcile(log, book).missing_on_pos), (Names{"first", "second"}));
}

TEST(Reconcile, WithNothingFoundAsksForNoSpan) {
  int asked = 0;
  const ReaderBook book{.find = [](std::string_view) -> Result<std::optional<Payment>> { return std::nullopt; },
                        .between = [&](UtcMs, UtcMs) -> Result<std::vector<Payment>> {
                          ++asked;
                          return std::vector<Payment>{};
                        }};
  ASSERT_TRUE(reconcile(std::vector<PosEntry>{{"a", 1, usd, ""}}, book));
  EXPECT_EQ(asked, 0);
}

TEST(Reconcile, HandsOnTheBooksError) {
  const ReaderBook book{
      .find = [](std::string_view) -> Result<std::optional<Payment>> { return failure(Errc::Io, "no disk"); },
      .between = [](UtcMs, UtcMs) -> Result<std::vector<Payment>> { return std::vector<Payment>{}; }};
  const auto all = reconcile(std::vector<PosEntry>{{"a", 1, usd, ""}}, book);
  ASSERT_FALSE(all);
  EXPECT_EQ(all.error().code, Errc::Io);
}

}  // namespace
}  // namespace nightdrop::report
