// The ledger for people: one row an id, as wide as a terminal, or JSON. Reads the file without its lock, so it may be
// asked while the acquirer runs.
#include <cstdio>
#include <string>

#include "simulator/acquirer/books.hpp"
#include "simulator/acquirer/ledger_file.hpp"
#include "simulator/acquirer/run.hpp"

namespace nightdrop::simulator {
namespace {

std::string money(std::int64_t minor_units, const std::string& currency) {
  return std::to_string(minor_units) + " " + currency;
}

void print_table(const Books& books) {
  std::printf("%-35s %-7s %16s  %-9s %-4s %-5s %s\n", "id", "object", "amount (minor)", "outcome", "code", "last4",
              "notes");
  for (const std::string& id : books.order()) {
    const Entry& entry = books.at(id);
    std::string notes = entry.reversal ? "reversed" : "";
    for (const std::string& anomaly : entry.anomalies) notes += (notes.empty() ? "" : ", ") + anomaly;
    const bool received = !entry.outcome.empty();
    std::printf("%-35s %-7s %16s  %-9s %-4s %-5s %s\n", id.c_str(),
                entry.object == "refund" ? "refund"
                : received               ? "payment"
                                         : "-",
                received ? money(entry.amount, entry.currency).c_str() : "-", received ? entry.outcome.c_str() : "-",
                received ? entry.response_code.c_str() : "-", received ? entry.last4.c_str() : "-", notes.c_str());
  }
  std::printf("%zu ids, %llu posted, %llu posted twice\n", books.order().size(),
              static_cast<unsigned long long>(books.posted()), static_cast<unsigned long long>(books.twice()));
  for (const auto& [currency, totals] : books.totals()) {
    std::printf("%s: %lld payments, %lld refunds, %lld reversed, %lld net\n", currency.c_str(),
                static_cast<long long>(totals.payments), static_cast<long long>(totals.refunds),
                static_cast<long long>(totals.reversed),
                static_cast<long long>(totals.payments - totals.refunds - totals.reversed));
  }
}

}  // namespace

int print_ledger(const LedgerOptions& options) {
  const std::string path = options.directory + "/" + ledger_name;
  const auto lines = read_ledger(path);
  if (!lines) {
    std::fprintf(stderr, "nightdrop-sim: %s: %s\n", path.c_str(), lines.error().text);
    return lines.error().code == Errc::Corrupt ? 65 : 78;
  }
  Books books;
  for (const Json& record : lines->records) books.apply(record.view(), 0);
  if (options.json)
    std::printf("%s\n", ledger_json(books, {}).view().dump_pretty().c_str());
  else
    print_table(books);
  return 0;
}

}  // namespace nightdrop::simulator
