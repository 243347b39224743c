#include "simulator/story/proof.hpp"

#include <algorithm>
#include <set>

#include "report/currency.hpp"
#include "simulator/story/process.hpp"

namespace nightdrop::simulator {
namespace {

// What the ledger says of one id.
struct Posting {
  std::int64_t times{0};   // less what was reversed
  std::int64_t amount{0};  // of all of them
  std::string reference;
};

std::string text_of(JsonView value) {
  return std::string(value.string().value_or(""));
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

bool posts(JsonView line) {
  return line["type"].string() == "payment" && line["posted"].integer().value_or(0) > 0;
}

std::map<std::string, Posting> postings(std::string_view ledger) {
  std::map<std::string, Posting> all;
  for (const std::string& text : lines_of(ledger)) {
    const auto line = Json::parse(text);
    if (!line) throw StoryFailure("the ledger holds a line that is no JSON");
    const std::string id = text_of((*line)["id"]);
    if (posts(line->view())) {
      Posting& posting = all[id];
      posting.times += (*line)["posted"].integer().value_or(0);
      posting.amount += (*line)["answer"]["approved_amount"].integer().value_or(0);
      posting.reference = text_of((*line)["merchant_reference"]);
    } else if ((*line)["type"].string() == "reversal" && all.contains(id)) {
      all.erase(id);
    }
  }
  return all;
}

std::string plural(std::size_t count, const std::string& noun) {
  return std::to_string(count) + ' ' + noun + (count == 1 ? "" : "s");
}

std::string usd(std::int64_t amount) {
  return report::money(amount, "usd");
}

// The last line that posts money; npos if there is none.
std::size_t last_posting(const std::vector<std::string>& lines) {
  for (std::size_t at = lines.size(); at-- > 0;) {
    const auto line = Json::parse(lines[at]);
    if (line && posts(line->view())) return at;
  }
  return std::string::npos;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + '\n';
  return text;
}

}  // namespace

Comparison compare_books(std::string_view ledger, const std::vector<Json>& book,
                         const std::map<std::string, LogLine>& log) {
  Comparison found;
  const auto posted = postings(ledger);
  std::map<std::string, std::string> status;  // by id, in the reader's book
  for (const Json& payment : book) {
    const std::string id = text_of(payment["id"]);
    status[id] = text_of(payment["status"]);
    if (status[id] == "declined") ++found.declined;
    if (status[id] == "canceled") ++found.voided;
    if (status[id] != "succeeded") continue;
    ++found.approved;
    const std::int64_t approved = payment["authorization"]["approved_amount"].integer().value_or(0);
    found.reader_total += approved;
    const auto posting = posted.find(id);
    if (posting == posted.end()) ++found.lost;
    if (posting != posted.end() && posting->second.amount != approved) ++found.differing;
  }
  for (const auto& [reference, line] : log) {
    ++found.confirmed;
    const std::string& now = status[line.id];
    const bool kept = line.voided ? now == "canceled" : now == "succeeded" || now == "declined";
    (kept ? found.in_book : found.lost) += 1;
  }
  std::set<std::string> references;
  for (const auto& [id, posting] : posted) {
    ++found.posted;
    found.ledger_total += posting.amount;
    if (posting.times > 1 || !references.insert(posting.reference).second) ++found.twice;
    if (status[id] != "succeeded") ++found.unexplained;
  }
  return found;
}

bool Proof::holds() const {
  return !checks.empty() && std::ranges::all_of(checks, &Check::ok);
}

std::vector<Check> book_checks(const Comparison& found) {
  std::vector<Check> checks;
  checks.push_back({"nothing_lost", "Nothing lost",
                    found.lost == 0 && found.confirmed > 0 && found.in_book == found.confirmed,
                    std::to_string(found.lost) + " lost: " + plural(found.confirmed, "sale") +
                        " confirmed to the till; " + std::to_string(found.approved) + " approved, " +
                        std::to_string(found.declined) + " declined, " + std::to_string(found.voided) + " voided"});
  checks.push_back({"nothing_twice", "Nothing twice", found.twice == 0 && found.unexplained == 0 && found.posted > 0,
                    std::to_string(found.twice) + " twice: " + plural(found.posted, "payment") +
                        " in the acquirer's ledger, " +
                        (found.unexplained == 0 ? "each known as approved to the reader"
                                                : std::to_string(found.unexplained) + " unknown to the reader")});
  checks.push_back({"same_amounts", "The same money", found.differing == 0 && found.ledger_total == found.reader_total,
                    usd(found.ledger_total) + " in the ledger, " + usd(found.reader_total) + " in the reader's book"});
  return checks;
}

Check scan_check(const PanScanner& scanner, const PanScan& in_the_dark, const PanScan& at_the_end) {
  std::vector<PanFinding> planted;
  scanner.scan(std::string("x").append("4242424242424242"), "", planted);  // it must be able to find one
  const std::size_t found = in_the_dark.findings.size() + at_the_end.findings.size();
  const bool ok = found == 0 && planted.size() == 1 && in_the_dark.files > 0 && at_the_end.files > 0 &&
                  in_the_dark.unreadable + at_the_end.unreadable == 0;
  std::string figure = plural(scanner.pans(), "card number") +
                       " looked for as digits, packed, hex and base64: " + std::to_string(found) + " found in " +
                       plural(in_the_dark.files, "file") + " after the power cut, in " +
                       std::to_string(at_the_end.files) + " at the end";
  std::size_t named = 0;
  for (const PanScan* scan : {&in_the_dark, &at_the_end}) {
    for (const PanFinding& each : scan->findings) {
      if (++named <= 3) figure += "; " + each.form + " of a card ending " + each.last4 + " in " + each.file;
    }
  }
  return {"no_card_number", "No card number", ok, figure};
}

std::string with_doubled_line(std::string_view ledger) {
  auto lines = lines_of(ledger);
  if (const std::size_t at = last_posting(lines); at != std::string::npos) lines.push_back(lines[at]);
  return joined(lines);
}

std::string with_lost_line(std::string_view ledger) {
  auto lines = lines_of(ledger);
  if (const std::size_t at = last_posting(lines); at != std::string::npos) {
    lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(at));
  }
  return joined(lines);
}

}  // namespace nightdrop::simulator
