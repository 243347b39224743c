// The POS's log of a day against the reader's book: a pure comparison that changes nothing and merges nothing away.
// Every entry of the log ends in exactly one list; a reader's sale that the log does not name, within the time span of
// the payments that the log does name, is listed as missing there. What differs is named field by field.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nightdrop/payment.hpp"
#include "nightdrop/result.hpp"

namespace nightdrop::report {

// A line of the POS's log.
struct PosEntry {
  std::string merchant_reference;
  std::int64_t amount{0};  // minor units, tip included
  Currency currency{};
  std::string last4;  // empty: not given, not compared
};

// What the two records say differently. Status: the reader took no payment (canceled, declined before it was ever
// stored, no card), though the log names a sale.
enum class Difference : std::uint8_t { Amount, Currency, Last4, Status };

// The contract's word of a difference: amount, currency, last4, status.
std::string_view difference_word(Difference difference);

// One finding: what the log says, what the reader says, and where they disagree.
struct Finding {
  std::string merchant_reference;
  std::optional<PosEntry> pos;
  std::optional<Payment> reader;
  std::vector<Difference> fields;  // of mismatched findings alone
};

struct Reconciliation {
  std::vector<Finding> matched;
  std::vector<Finding> missing_on_reader;
  std::vector<Finding> missing_on_pos;  // by time
  std::vector<Finding> mismatched;
  std::vector<Finding> duplicates;  // the second and further entries of one reference
};

// How the reader's book is asked.
struct ReaderBook {
  // The payment of a merchant reference, or nothing.
  std::function<Result<std::optional<Payment>>(std::string_view merchant_reference)> find;
  // All payments with from <= created_at <= to, in any order.
  std::function<Result<std::vector<Payment>>(UtcMs from, UtcMs to)> between;
};

// Whether the reader's record stands for a sale or refund that the POS should know: money was taken, or a card was
// accepted offline, whatever became of it later.
bool is_sale(const Payment& payment);

// Where an entry and the reader's record of the same reference disagree; empty when they do not.
std::vector<Difference> differences(const PosEntry& entry, const Payment& payment);

// Compares a log with the reader's book.
// Ensures: matched + missing_on_reader + mismatched + duplicates are the entries, in their order.
// Errors: those of the book.
Result<Reconciliation> reconcile(std::span<const PosEntry> entries, const ReaderBook& book);

// The same against records in memory.
Reconciliation reconcile(std::span<const PosEntry> entries, std::span<const Payment> payments);

}  // namespace nightdrop::report
