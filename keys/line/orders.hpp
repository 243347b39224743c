// Orders of a manufacturing line: orders.csv, one reader a row. All of the file is checked before anything starts; what
// is wrong is named by line and column.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "keys/line/station_db.hpp"
#include "keys/outcome.hpp"

namespace nightdrop::keys {

struct OrderRow {
  std::size_t line{0};  // where the row begins
  Order order;
  std::string policy_file;      // empty: the batch's
  std::string config_template;  // empty: the batch's
};

// Reads orders: a header with the columns serial_number, merchant_id, connect and, where wanted, factory_key, policy,
// config, in any order; then a row a reader. `name` is the file's, for messages and Order::name.
// Errors: Data; the message has a line for each mistake, of the first twenty.
// Standard: RFC 4180 (CRLF or LF; a byte order mark is skipped).
Outcome<std::vector<OrderRow>> parse_orders(std::string_view text, const std::string& name);

// Whether the values of an order can be one's; the mistake as "column: what is wrong", empty where there is none.
std::string mistake_in(const Order& order);

// One record of RFC 4180 after the other.
class CsvReader {
 public:
  explicit CsvReader(std::string_view text);
  // The next record's fields; false at the end of the text. Blank lines are skipped.
  bool next(std::vector<std::string>& fields);
  std::size_t line() const { return record_line_; }        // where the last record began
  const std::string& mistake() const { return mistake_; }  // of the last record, empty when it is well formed

 private:
  bool take_field(std::string& field);
  bool take_quoted(std::string& field);
  std::string_view rest_;
  std::size_t line_{1};
  std::size_t record_line_{1};
  std::string mistake_;
};

}  // namespace nightdrop::keys
