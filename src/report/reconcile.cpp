// Reconciliation, see reconcile.hpp: one pass over the entries, then one question for the time span they cover.
#include "report/reconcile.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace nightdrop::report {
namespace {

// The time span of the payments that were found.
struct Span {
  std::optional<UtcMs> from, to;
  void include(UtcMs at) {
    from = from ? std::min(*from, at) : at;
    to = to ? std::max(*to, at) : at;
  }
};

}  // namespace

std::string_view difference_word(Difference difference) {
  switch (difference) {
    case Difference::Amount: return "amount";
    case Difference::Currency: return "currency";
    case Difference::Last4: return "last4";
    case Difference::Status: return "status";
  }
  return "";
}

bool is_sale(const Payment& payment) {
  switch (payment.status) {
    case Status::RequiresPaymentMethod:
    case Status::RequiresConfirmation:
    case Status::RequiresApproval:
    case Status::Canceled: return false;
    case Status::Declined: return payment.stored_at.has_value();
    case Status::Processing:
    case Status::Stored:
    case Status::Forwarding:
    case Status::Succeeded:
    case Status::Expired:
    case Status::RequiresReview: return true;
  }
  return true;
}

std::vector<Difference> differences(const PosEntry& entry, const Payment& payment) {
  std::vector<Difference> fields;
  if (entry.amount != payment.amount) fields.push_back(Difference::Amount);
  if (entry.currency != payment.currency) fields.push_back(Difference::Currency);
  if (!entry.last4.empty() && payment.card && entry.last4 != payment.card->last4) fields.push_back(Difference::Last4);
  if (!is_sale(payment)) fields.push_back(Difference::Status);
  return fields;
}

Result<Reconciliation> reconcile(std::span<const PosEntry> entries, const ReaderBook& book) {
  Reconciliation all;
  Span span;
  std::set<std::string, std::less<>> seen;
  for (const PosEntry& entry : entries) {
    auto found = book.find(entry.merchant_reference);
    if (!found) return std::unexpected(found.error());
    Finding finding{entry.merchant_reference, entry, std::move(*found), {}};
    if (finding.reader) span.include(finding.reader->created_at);
    if (!seen.insert(entry.merchant_reference).second) {
      all.duplicates.push_back(std::move(finding));
    } else if (!finding.reader) {
      all.missing_on_reader.push_back(std::move(finding));
    } else if (finding.fields = differences(entry, *finding.reader); !finding.fields.empty()) {
      all.mismatched.push_back(std::move(finding));
    } else {
      all.matched.push_back(std::move(finding));
    }
  }
  if (!span.from) return all;

  auto payments = book.between(*span.from, *span.to);
  if (!payments) return std::unexpected(payments.error());
  std::ranges::sort(*payments, {},
                    [](const Payment& each) { return std::pair(each.created_at, std::string_view(each.id)); });
  for (Payment& payment : *payments) {
    if (!is_sale(payment) || seen.contains(payment.merchant_reference)) continue;
    std::string reference = payment.merchant_reference;
    all.missing_on_pos.push_back({std::move(reference), std::nullopt, std::move(payment), {}});
  }
  return all;
}

Reconciliation reconcile(std::span<const PosEntry> entries, std::span<const Payment> payments) {
  const ReaderBook book{.find = [payments](std::string_view reference) -> Result<std::optional<Payment>> {
                          const auto found = std::ranges::find(payments, reference, &Payment::merchant_reference);
                          return found == payments.end() ? std::nullopt : std::optional(*found);
                        },
                        .between = [payments](UtcMs from, UtcMs to) -> Result<std::vector<Payment>> {
                          std::vector<Payment> within;
                          std::ranges::copy_if(payments, std::back_inserter(within),
                                               [from, to](const Payment& payment) {
                                                 return payment.created_at >= from && payment.created_at <= to;
                                               });
                          return within;
                        }};
  auto all = reconcile(entries, book);
  ND_ASSERT(all);  // memory does not fail
  return std::move(*all);
}

}  // namespace nightdrop::report
