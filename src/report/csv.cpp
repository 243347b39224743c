// Reading a POS's log, see csv.hpp.
#include "report/csv.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "report/currency.hpp"

namespace nightdrop::report {
namespace {

// Reads characters and knows where it is.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}
  bool done() const { return rest_.empty(); }
  char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
  bool at_line_end() const { return rest_.starts_with('\n') || rest_.starts_with("\r\n"); }
  char next() {
    const char c = rest_.front();
    rest_.remove_prefix(1);
    if (c == '\n') {
      ++line_;
      column_ = 1;
    } else if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) {
      ++column_;
    }
    return c;
  }
  void end_line() {
    if (peek() == '\r') next();
    next();
  }
  std::size_t line() const { return line_; }
  std::size_t column() const { return column_; }
  std::unexpected<CsvError> wrong(const char* message) const {
    return std::unexpected(CsvError{line_, column_, message});
  }

 private:
  std::string_view rest_;
  std::size_t line_{1};
  std::size_t column_{1};
};

std::expected<CsvField, CsvError> read_field(Cursor& cursor) {
  CsvField field{"", cursor.line(), cursor.column()};
  if (cursor.peek() != '"') {
    while (!cursor.done() && cursor.peek() != ',' && !cursor.at_line_end()) {
      if (cursor.peek() == '"') return cursor.wrong("a quote stands inside a field that is not quoted");
      field.text += cursor.next();
    }
    return field;
  }
  cursor.next();
  for (;;) {
    if (cursor.done()) return std::unexpected(CsvError{field.line, field.column, "the quoted field is never closed"});
    const char c = cursor.next();
    if (c != '"') {
      field.text += c;
    } else if (cursor.peek() == '"') {
      field.text += cursor.next();
    } else {
      break;
    }
  }
  if (!cursor.done() && cursor.peek() != ',' && !cursor.at_line_end()) {
    return cursor.wrong("something follows a closing quote");
  }
  return field;
}

struct Columns {
  std::optional<std::size_t> reference, amount, amount_minor, currency, last4;
};

std::unexpected<CsvError> wrong_field(const CsvField& field, std::string message) {
  return std::unexpected(CsvError{field.line, field.column, std::move(message)});
}

std::expected<Columns, CsvError> read_header(const std::vector<CsvField>& header) {
  Columns columns;
  for (std::size_t i = 0; i < header.size(); ++i) {
    std::optional<std::size_t>* place = header[i].text == "merchant_reference" ? &columns.reference
                                        : header[i].text == "amount"           ? &columns.amount
                                        : header[i].text == "amount_minor"     ? &columns.amount_minor
                                        : header[i].text == "currency"         ? &columns.currency
                                        : header[i].text == "last4"            ? &columns.last4
                                                                               : nullptr;
    if (place == nullptr) continue;
    if (*place) return wrong_field(header[i], "the header names " + header[i].text + " twice");
    *place = i;
  }
  if (!columns.reference) return wrong_field(header.front(), "the header has no column merchant_reference");
  if (!columns.currency) return wrong_field(header.front(), "the header has no column currency");
  if (columns.amount.has_value() == columns.amount_minor.has_value()) {
    return wrong_field(header.front(), "the header must have one of the columns amount and amount_minor");
  }
  return columns;
}

bool is_reference(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

std::expected<std::int64_t, CsvError> read_minor(const CsvField& field) {
  std::int64_t amount = 0;
  const char* end = field.text.data() + field.text.size();
  const auto [stop, status] = std::from_chars(field.text.data(), end, amount);
  if (status != std::errc() || stop != end || amount < 0) {
    return wrong_field(field, "the amount is not a whole number of minor units");
  }
  return amount;
}

std::expected<PosEntry, CsvError> read_entry(const std::vector<CsvField>& record, const Columns& columns) {
  PosEntry entry;
  const CsvField& reference = record[*columns.reference];
  if (!is_reference(reference.text))
    return wrong_field(reference, "merchant_reference must be 1 to 64 printable ASCII characters");
  entry.merchant_reference = reference.text;

  const CsvField& currency = record[*columns.currency];
  std::string code = currency.text;
  std::ranges::transform(code, code.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (!is_iso4217(code)) return wrong_field(currency, "the currency is none of ISO 4217");
  std::ranges::copy(code, entry.currency.code.begin());

  const CsvField& amount = record[columns.amount ? *columns.amount : *columns.amount_minor];
  if (columns.amount) {
    const auto value = parse_decimal(amount.text, code);
    if (!value) return wrong_field(amount, value.error().text);
    entry.amount = *value;
  } else {
    const auto value = read_minor(amount);
    if (!value) return std::unexpected(value.error());
    entry.amount = *value;
  }
  if (entry.amount < 1 || entry.amount > amount_max)
    return wrong_field(amount, "the amount is outside of what a payment may be");

  if (columns.last4) {
    const CsvField& last4 = record[*columns.last4];
    const bool four =
        last4.text.size() == 4 && std::ranges::all_of(last4.text, [](char c) { return c >= '0' && c <= '9'; });
    if (!last4.text.empty() && !four) return wrong_field(last4, "last4 must be four digits or empty");
    entry.last4 = last4.text;
  }
  return entry;
}

}  // namespace

std::expected<std::vector<std::vector<CsvField>>, CsvError> parse_csv(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::vector<std::vector<CsvField>> records;
  Cursor cursor(text);
  while (!cursor.done()) {
    if (cursor.at_line_end()) {
      cursor.end_line();
      continue;
    }
    std::vector<CsvField> record;
    for (;;) {
      auto field = read_field(cursor);
      if (!field) return std::unexpected(field.error());
      record.push_back(std::move(*field));
      if (cursor.peek() != ',' || cursor.done()) break;
      cursor.next();
    }
    if (!cursor.done()) cursor.end_line();
    records.push_back(std::move(record));
  }
  return records;
}

std::expected<std::vector<PosEntry>, CsvError> parse_pos_log(std::string_view text) {
  const auto records = parse_csv(text);
  if (!records) return std::unexpected(records.error());
  if (records->empty()) return std::unexpected(CsvError{1, 1, "the file is empty; it needs a header line"});
  const auto columns = read_header(records->front());
  if (!columns) return std::unexpected(columns.error());
  std::vector<PosEntry> entries;
  for (std::size_t i = 1; i < records->size(); ++i) {
    const std::vector<CsvField>& record = (*records)[i];
    if (record.size() != records->front().size()) {
      return wrong_field(record.back(), "the line has " + std::to_string(record.size()) + " fields, the header has " +
                                            std::to_string(records->front().size()));
    }
    auto entry = read_entry(record, *columns);
    if (!entry) return std::unexpected(entry.error());
    entries.push_back(std::move(*entry));
  }
  return entries;
}

}  // namespace nightdrop::report
