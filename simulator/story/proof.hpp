// The proof: what the acquirer's ledger file says, line by line, against what the reader's book says and what the till
// was told. It reads the ledger itself, and trusts no counter of the acquirer's.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "json/json.hpp"
#include "simulator/story/pan_scan.hpp"
#include "simulator/story/till.hpp"

namespace nightdrop::simulator {

struct Check {
  std::string key;   // nothing_lost
  std::string name;  // "Nothing lost"
  bool ok{false};
  std::string figure;  // one sentence with the numbers
};

// The two books side by side.
struct Comparison {
  std::size_t confirmed{0};  // sales that the till was told of
  std::size_t in_book{0};    // of these, answered by the acquirer or voided, in the reader's book
  std::size_t approved{0};   // payments that are approved in the reader's book
  std::size_t declined{0};
  std::size_t voided{0};
  std::size_t posted{0};       // ids with money at the acquirer
  std::size_t lost{0};         // confirmed to the till, or approved on the reader, and not where they belong
  std::size_t twice{0};        // ids or sales with money more than once
  std::size_t differing{0};    // payments whose amount is not the same on both sides
  std::size_t unexplained{0};  // money at the acquirer that the reader does not know as approved
  std::int64_t ledger_total{0};
  std::int64_t reader_total{0};
};

// Requires: `ledger` is the text of ledger.jsonl; `book` the reader's payments; `log` the till's own.
Comparison compare_books(std::string_view ledger, const std::vector<Json>& book,
                         const std::map<std::string, LogLine>& log);

struct Proof {
  std::vector<Check> checks;
  Comparison books;
  bool holds() const;
};

std::vector<Check> book_checks(const Comparison& found);
Check scan_check(const PanScanner& scanner, const PanScan& in_the_dark, const PanScan& at_the_end);

// A copy of the ledger's last line that posts money, put behind it; or that line taken away. For tests of the checker.
std::string with_doubled_line(std::string_view ledger);
std::string with_lost_line(std::string_view ledger);

}  // namespace nightdrop::simulator
