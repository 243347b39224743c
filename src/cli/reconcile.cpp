// `nightdrop reconcile FILE.csv`. A long log is asked in parts, as one line of the protocol holds some hundred entries;
// entries of one reference stay in one part, and what is missing in the log is asked last, for the whole span of time.
#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

#include "cli/commands.hpp"
#include "nightdrop/time_text.hpp"
#include "report/csv.hpp"
#include "report/listings.hpp"

namespace nightdrop::cli {
namespace {

using report::PosEntry;

constexpr std::size_t part_bytes_max = 48'000;  // of 65,536 a line
constexpr std::size_t part_entries_max = 900;   // of 1,000 a call
constexpr std::size_t file_bytes_max = 64U << 20U;
constexpr auto patience = std::chrono::seconds(120);

std::expected<std::string, Failure> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file) return std::unexpected(Failure{Exit::NoInput, "cannot read " + path, {}, {}});
  if (text.size() > file_bytes_max)
    return std::unexpected(Failure{Exit::BadData, path + " is larger than 64 MiB", {}, {}});
  return text;
}

Json entry_json(const PosEntry& entry) {
  Json json = Json::object();
  json.set("merchant_reference", entry.merchant_reference)
      .set("amount", entry.amount)
      .set("currency", entry.currency.view());
  if (!entry.last4.empty()) json.set("last4", entry.last4);
  return json;
}

Called ask(Session& session, std::span<const PosEntry> entries) {
  Json list = Json::array();
  for (const PosEntry& entry : entries) list.push(entry_json(entry));
  Json params = Json::object();
  return session.call("reconcile", params.set("entries", std::move(list)), patience);
}

// Cuts the entries into parts that fit a line, never between two of one reference.
std::vector<std::span<const PosEntry>> parts_of(std::span<const PosEntry> entries) {
  std::vector<std::span<const PosEntry>> parts;
  std::size_t first = 0;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::size_t size = entry_json(entries[i]).dump().size() + 1;
    const bool same = i > 0 && entries[i].merchant_reference == entries[i - 1].merchant_reference;
    if ((bytes + size > part_bytes_max || i - first >= part_entries_max) && !same && i > first) {
      parts.push_back(entries.subspan(first, i - first));
      first = i;
      bytes = 0;
    }
    bytes += size;
  }
  parts.push_back(entries.subspan(first));
  return parts;
}

// The entries whose payments are the earliest and the latest on the reader.
class Edges {
 public:
  void look(JsonView list) {
    for (const JsonView finding : list.items()) {
      const auto at = parse_rfc3339(finding["reader"]["created"].string().value_or(std::string_view()));
      const std::string reference(finding["merchant_reference"].string().value_or(std::string_view()));
      if (at && (!from_ || *at < from_->first)) from_.emplace(*at, reference);
      if (at && (!to_ || *at > to_->first)) to_.emplace(*at, reference);
    }
  }
  bool are(const std::string& reference) const {
    return (from_ && from_->second == reference) || (to_ && to_->second == reference);
  }

 private:
  std::optional<std::pair<UtcMs, std::string>> from_, to_;
};

Called reconcile_in_parts(Session& session, std::vector<PosEntry> entries) {
  std::ranges::stable_sort(entries, {}, &PosEntry::merchant_reference);
  constexpr std::array<const char*, 4> lists{"matched", "missing_on_reader", "mismatched", "duplicates"};
  std::array<Json, 4> merged{Json::array(), Json::array(), Json::array(), Json::array()};
  Edges edges;
  for (const auto part : parts_of(entries)) {
    auto answer = ask(session, part);
    if (!answer) return answer;
    for (std::size_t i = 0; i < lists.size(); ++i) {
      for (const JsonView finding : (*answer)[lists[i]].items()) merged[i].push(finding.copy());
      edges.look((*answer)[lists[i]]);
    }
  }
  std::set<std::string_view> known;
  std::vector<PosEntry> span;
  for (const PosEntry& entry : entries) {
    if (known.insert(entry.merchant_reference).second && edges.are(entry.merchant_reference)) span.push_back(entry);
  }
  Json missing = Json::array();
  if (!span.empty()) {
    auto answer = ask(session, span);
    if (!answer) return answer;
    for (const JsonView finding : (*answer)["missing_on_pos"].items()) {
      if (!known.contains(finding["merchant_reference"].string().value_or(std::string_view())))
        missing.push(finding.copy());
    }
  }
  Json whole = Json::object();
  whole.set("matched", std::move(merged[0])).set("missing_on_reader", std::move(merged[1]));
  whole.set("missing_on_pos", std::move(missing));
  whole.set("mismatched", std::move(merged[2])).set("duplicates", std::move(merged[3]));
  return Answer{whole.dump(), std::move(whole)};
}

}  // namespace

int run_reconcile(Session& session, const Options& options) {
  const auto text = read_file(options.csv_file);
  if (!text) return session.fail(text.error());
  auto entries = report::parse_pos_log(*text);
  if (!entries) return session.fail({Exit::BadData, options.csv_file + ": " + entries.error().text(), {}, {}});
  if (entries->empty())
    return session.fail({Exit::BadData, options.csv_file + ": there is no line after the header", {}, {}});
  const bool one_line = parts_of(*entries).size() == 1;
  const auto result = one_line ? ask(session, *entries) : reconcile_in_parts(session, std::move(*entries));
  if (!result) return session.fail(result.error());
  const bool agree = (*result)["missing_on_reader"].size() + (*result)["missing_on_pos"].size() +
                         (*result)["mismatched"].size() + (*result)["duplicates"].size() ==
                     0;
  return session.show(
      *result, [&](JsonView object) { return report::reconciliation(object, session.console.style()); },
      agree ? Exit::Done : Exit::Refused);
}

}  // namespace nightdrop::cli
