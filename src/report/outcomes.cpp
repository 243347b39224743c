// What a sync run did, and where two books of one day disagree.
#include <array>
#include <utility>

#include "nightdrop/time_text.hpp"
#include "report/currency.hpp"
#include "report/listings.hpp"
#include "report/table.hpp"

namespace nightdrop::report {
namespace {

std::string text_of(JsonView value) {
  return std::string(value.string().value_or(std::string_view()));
}

std::string number_of(JsonView value) {
  return std::to_string(value.integer().value_or(0));
}

std::string run_line(JsonView report, const Style& style) {
  const auto started = parse_rfc3339(text_of(report["started_at"]));
  const auto ended = parse_rfc3339(text_of(report["ended_at"]));
  std::string text = "Sync";
  if (const auto id = report["id"].integer()) text += ' ' + std::to_string(*id);
  if (const auto id = report["id"].string()) text += ' ' + printable(*id);
  if (report["route"].is_string()) text += " over " + printable(text_of(report["route"]));
  if (started) text += ", " + local_time(*started, style, true);
  if (started && ended) text += *ended - *started < 1000 ? ", under a second" : ", took " + duration(*ended - *started);
  if (started && !ended) text += ", still running";
  return text;
}

Json with_trouble(JsonView payments) {
  Json trouble = Json::array();
  for (const JsonView payment : payments.items()) {
    const std::string status = text_of(payment["status"]);
    if (status == "declined" || status == "expired" || status == "requires_review") trouble.push(payment.copy());
  }
  return trouble;
}

void write_pretty(JsonView value, std::size_t depth, std::string& out) {
  const bool object = value.is_object();
  const auto items = value.items();
  if (items.empty()) {
    out += value.dump();
    return;
  }
  out += object ? "{" : "[";
  for (std::size_t i = 0; i < items.size(); ++i) {
    out += (i == 0 ? "\n" : ",\n") + std::string(2 * depth + 2, ' ');
    if (object) out += Json::string(items[i].key()).dump() + ": ";
    write_pretty(items[i], depth + 1, out);
  }
  out += '\n' + std::string(2 * depth, ' ') + (object ? "}" : "]");
}

// One entry of a reconciliation's lists as a row.
void add_finding(Table& table, std::string_view what, Tone tone, JsonView finding) {
  const auto amount = [](JsonView record) {
    return record.is_object() ? money(record["amount"].integer().value_or(0), text_of(record["currency"]))
                              : std::string("–");
  };
  std::string differs;
  for (const JsonView field : finding["fields"].items()) differs += (differs.empty() ? "" : ", ") + text_of(field);
  const JsonView reader = finding["reader"];
  table.row({{text_of(finding["merchant_reference"]), Tone::Plain},
             {std::string(what) + (differs.empty() ? "" : ": " + differs), tone},
             {amount(finding["pos"]), Tone::Plain},
             {amount(reader), Tone::Plain},
             {reader.is_object() ? std::string(status_text(text_of(reader["status"]))) : std::string(), Tone::Plain}});
}

}  // namespace

std::string sync_report(JsonView report, const Style& style) {
  if (!report.is_object()) return "Nothing has been forwarded yet.\n";
  std::string out = toned(run_line(report, style), Tone::Strong, style) + "\n\n";
  Table counts({{"FORWARDED", true}, {"APPROVED", true}, {"DECLINED", true}, {"REVIEW", true}, {"EXPIRED", true}});
  const auto tone = [&](const char* key) { return report[key].integer().value_or(0) > 0 ? Tone::Bad : Tone::Dim; };
  counts.row({{number_of(report["forwarded"]), Tone::Plain},
              {number_of(report["succeeded"]), Tone::Good},
              {number_of(report["declined"]), tone("declined")},
              {number_of(report["requires_review"]), tone("requires_review")},
              {number_of(report["expired"]), tone("expired")}});
  out += counts.render(style);
  Table amounts({{"CURRENCY"}, {"APPROVED", true}, {"DECLINED", true}});
  for (const JsonView entry : report["amounts_by_currency"].items()) {
    const std::string code(entry.key());
    amounts.row({{money(0, code).substr(0, code.size()), Tone::Plain},
                 {decimal(entry["succeeded"].integer().value_or(0), code), Tone::Plain},
                 {decimal(entry["declined"].integer().value_or(0), code), Tone::Plain}});
  }
  if (!amounts.empty()) out += '\n' + amounts.render(style);
  const Json trouble = with_trouble(report["payments"]);
  if (trouble.view().size() > 0) out += '\n' + declines_listing(trouble.view(), style);
  return out;
}

std::string pretty_json(JsonView value) {
  std::string out;
  write_pretty(value, 0, out);
  return out + '\n';
}

std::string reconciliation(JsonView result, const Style& style) {
  Table table({{"REFERENCE", false, Fit::Clip, 10, 100},
               {"FINDING", false, Fit::Wrap, 16, 95},
               {"POS", true, Fit::Whole, 8, 90},
               {"READER", true, Fit::Whole, 8, 90},
               {"STATUS", false, Fit::Clip, 10, 50}});
  const auto lists =
      std::to_array<std::pair<const char*, std::string_view>>({{"mismatched", "differs"},
                                                               {"missing_on_reader", "not on the reader"},
                                                               {"missing_on_pos", "not in the POS's log"},
                                                               {"duplicates", "twice in the POS's log"}});
  for (const auto& [key, what] : lists) {
    for (const JsonView finding : result[key].items()) add_finding(table, what, Tone::Bad, finding);
  }
  const std::size_t matched = result["matched"].size();
  std::string out = std::to_string(matched) + (matched == 1 ? " payment agrees" : " payments agree");
  if (table.empty()) return out + "; nothing differs.\n";
  return out + "; these do not:\n\n" + table.render(style);
}

}  // namespace nightdrop::report
