// Reading orders.csv; see orders.hpp.
#include "keys/line/orders.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>

#include "config/fields.hpp"

namespace nightdrop::keys {
namespace {

constexpr std::size_t mistakes_max = 20;
constexpr std::string_view hex_digits = "0123456789abcdef";

enum Column : std::size_t { SerialNumber, Merchant, Connect, FactoryKey, Policy, Configuration, column_count };
constexpr std::array<std::string_view, column_count> column_names{"serial_number", "merchant_id", "connect",
                                                                  "factory_key",   "policy",      "config"};
constexpr std::size_t required_columns = 3;

std::string at(const std::string& name, std::size_t line, const std::string& what) {
  return name + ":" + std::to_string(line) + ": " + what;
}

// The place of each column in a row, column_count where it is not there.
Outcome<std::array<std::size_t, column_count>> read_header(const std::vector<std::string>& header,
                                                           const std::string& name, std::size_t line) {
  std::array<std::size_t, column_count> places{};
  places.fill(std::string_view::npos);
  for (std::size_t i = 0; i < header.size(); ++i) {
    const auto found = std::ranges::find(column_names, header[i]);
    if (found == column_names.end()) {
      return refuse(Exit::Data, at(name, line,
                                   "column " + std::to_string(i + 1) +
                                       ": is none of serial_number, merchant_id, "
                                       "connect, factory_key, policy, config"));
    }
    std::size_t& place = places[static_cast<std::size_t>(found - column_names.begin())];
    if (place != std::string_view::npos) return refuse(Exit::Data, at(name, line, header[i] + ": twice in the header"));
    place = i;
  }
  for (std::size_t column = 0; column < required_columns; ++column) {
    if (places[column] == std::string_view::npos) {
      return refuse(Exit::Data, at(name, line, std::string(column_names[column]) + ": is missing in the header"));
    }
  }
  return places;
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c; });
  return text;
}

// What is twice in the file that may be there once.
std::string repeated(const OrderRow& row, std::map<std::string, std::size_t>& serials,
                     std::map<std::string, std::size_t>& connections) {
  if (const auto [known, fresh] = serials.emplace(row.order.serial_number, row.line); !fresh) {
    return "serial_number: is in line " + std::to_string(known->second) + " already";
  }
  if (const auto [known, fresh] = connections.emplace(row.order.connection, row.line); !fresh) {
    return "connect: is in line " + std::to_string(known->second) + " already";
  }
  return "";
}

}  // namespace

std::string mistake_in(const Order& order) {
  const auto is_name = [](std::string_view text, std::size_t size_max) {
    return !text.empty() && text.size() <= size_max && config::only(text, config::id_characters);
  };
  if (!is_name(order.serial_number, 32) || order.serial_number.starts_with('.')) {
    return "serial_number: must be 1 to 32 letters, digits, _ . or -, and not begin with a point";
  }
  if (!is_name(order.merchant, 64)) return "merchant_id: must be 1 to 64 letters, digits, _ . or -";
  const bool known = std::ranges::any_of(std::array<std::string_view, 3>{"unix:", "serial:", "tcp:"}, [&](auto kind) {
    return order.connection.starts_with(kind) && order.connection.size() > kind.size();
  });
  if (!known) return "connect: must be unix:PATH, serial:DEVICE or tcp:127.0.0.1:PORT";
  if (!order.factory_key.empty() && (order.factory_key.size() != 64 || !config::only(order.factory_key, hex_digits))) {
    return "factory_key: must be the SHA-256 of the reader's factory key, 64 hex digits";
  }
  return "";
}

Outcome<std::vector<OrderRow>> parse_orders(std::string_view text, const std::string& name) {
  CsvReader csv(text);
  std::vector<std::string> fields;
  if (!csv.next(fields)) return refuse(Exit::Data, name + ": is empty; it begins with a header");
  const auto places = read_header(fields, name, csv.line());
  if (!places) return std::unexpected(places.error());
  const std::size_t columns = fields.size();
  const std::string order_name = std::filesystem::path(name).filename().string();

  std::vector<OrderRow> rows;
  std::map<std::string, std::size_t> serials;
  std::map<std::string, std::size_t> connections;
  std::string mistakes;
  std::size_t count = 0;
  while (csv.next(fields)) {
    OrderRow row;
    row.line = csv.line();
    std::string mistake = csv.mistake();
    if (mistake.empty() && fields.size() != columns) {
      mistake = "has " + std::to_string(fields.size()) + " fields where the header has " + std::to_string(columns);
    }
    if (mistake.empty()) {
      const auto field = [&](Column column) {
        return (*places)[column] < fields.size() ? fields[(*places)[column]] : std::string();
      };
      row.order = {order_name, field(SerialNumber), field(Merchant), field(Connect), lower(field(FactoryKey))};
      row.policy_file = field(Policy);
      row.config_template = field(Configuration);
      mistake = mistake_in(row.order);
    }
    if (mistake.empty()) mistake = repeated(row, serials, connections);
    if (!mistake.empty() && ++count <= mistakes_max) mistakes += (count == 1 ? "" : "\n") + at(name, row.line, mistake);
    rows.push_back(std::move(row));
  }
  if (count > mistakes_max) mistakes += "\n… and " + std::to_string(count - mistakes_max) + " more";
  if (count != 0) return refuse(Exit::Data, mistakes);
  return rows;
}

CsvReader::CsvReader(std::string_view text) : rest_(text) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  if (rest_.starts_with(byte_order_mark)) rest_.remove_prefix(byte_order_mark.size());
}

bool CsvReader::next(std::vector<std::string>& fields) {
  fields.clear();
  mistake_.clear();
  while (rest_.starts_with('\n') || rest_.starts_with("\r\n")) {
    rest_.remove_prefix(rest_.front() == '\r' ? 2 : 1);
    ++line_;
  }
  if (rest_.empty()) return false;
  record_line_ = line_;
  bool more = true;
  while (more) {
    std::string field;
    more = take_field(field);
    fields.push_back(std::move(field));
  }
  return true;
}

// Takes a field and what ends it; whether the record goes on.
bool CsvReader::take_field(std::string& field) {
  if (rest_.starts_with('"')) {
    if (!take_quoted(field)) mistake_ = "a quoted field is not closed";
  } else {
    const std::size_t end = std::min(rest_.find_first_of(",\n"), rest_.size());
    field = rest_.substr(0, end);
    rest_.remove_prefix(end);
    if (field.ends_with('\r') && !rest_.starts_with(',')) field.pop_back();
    if (field.find('"') != std::string::npos) mistake_ = "a quote inside a field that is not quoted";
  }
  if (rest_.starts_with("\r\n")) rest_.remove_prefix(1);
  if (rest_.empty()) return false;
  if (rest_.front() != ',' && rest_.front() != '\n') {
    mistake_ = "text after a closing quote";
    rest_.remove_prefix(std::min(rest_.find_first_of(",\n"), rest_.size()));
    if (rest_.empty()) return false;
  }
  const bool goes_on = rest_.front() == ',';
  rest_.remove_prefix(1);
  if (!goes_on) ++line_;
  return goes_on;
}

bool CsvReader::take_quoted(std::string& field) {
  rest_.remove_prefix(1);
  while (!rest_.empty()) {
    const char c = rest_.front();
    rest_.remove_prefix(1);
    if (c == '"' && !rest_.starts_with('"')) return true;
    if (c == '"') rest_.remove_prefix(1);
    if (c == '\n') ++line_;
    field += c;
  }
  return false;
}

}  // namespace nightdrop::keys
