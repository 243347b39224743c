// A POS's log as comma-separated values: RFC 4180 with a header line. What is wrong is said with its line and column.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "report/reconcile.hpp"

namespace nightdrop::report {

// Where a file is wrong; both count from 1, the column in characters of the line.
struct CsvError {
  std::size_t line{1};
  std::size_t column{1};
  std::string message;  // one plain sentence without the field's content

  std::string text() const {
    return "line " + std::to_string(line) + ", column " + std::to_string(column) + ": " + message;
  }
};

struct CsvField {
  std::string text;
  std::size_t line{1};
  std::size_t column{1};
};

// The records of a file, empty lines left out; quotes are undone, LF and CRLF end a record, a byte order mark is
// skipped. Standard: RFC 4180.
std::expected<std::vector<std::vector<CsvField>>, CsvError> parse_csv(std::string_view text);

// The entries of a POS's log. Columns by the header's names, in any order: merchant_reference; currency; amount
// (12.50) or amount_minor (1250); last4 if there is one. Other columns are passed over.
std::expected<std::vector<PosEntry>, CsvError> parse_pos_log(std::string_view text);

}  // namespace nightdrop::report
