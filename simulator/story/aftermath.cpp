// The line comes back, more or less; then what the reader reports, and the proof.
#include <chrono>
#include <fstream>
#include <iterator>
#include <utility>

#include "nightdrop/time_text.hpp"
#include "report/currency.hpp"
#include "report/listings.hpp"
#include "report/table.hpp"
#include "simulator/story/evening.hpp"

namespace nightdrop::simulator {
namespace {

using namespace std::chrono_literals;
using report::Fit;
using report::Tone;

constexpr int weak_line_ms = 150;
constexpr std::size_t answers_between_flaps = 8;
// Every third answer is lost on its way back: the acquirer has booked the payment, the reader hears nothing.
constexpr std::string_view lost_answers =
    R"([{"fault":"cut_after","match":{"method":"POST","path":"/v1/payments","every":3},"count":9}])";

std::string text_of(JsonView value) {
  return std::string(value.string().value_or(""));
}
std::int64_t number_of(JsonView value) {
  return value.integer().value_or(0);
}
std::string usd(std::int64_t amount) {
  return report::money(amount, "usd");
}

std::string read_whole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_whole(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

}  // namespace

void Evening::line_comes_back() {
  narrator_.chapter("5 · The line comes back. And goes. And comes back");
  const std::size_t before = till_.answered();
  to_forward_ = stored_count();
  narrator_.say(std::to_string(to_forward_) + " payments wait. The line is weak: " + std::to_string(weak_line_ms) +
                " ms, and every third answer is lost after the acquirer has booked the payment.");
  shop_.acquirer_faults(lost_answers);
  shop_.set_line("up", weak_line_ms);
  flap(1, "down", "The line drops", before);
  flap(2, "captive", "A Wi-Fi log-in page answers in the acquirer's place", before);
  flap(3, "down", "The line drops", before);
  till_.wait_until("everything is answered", [&] {
    forwarding_progress(before);
    return till_.answered() - before >= to_forward_ && !till_.sync_is_open();
  });
  sale_meanwhile();
  const Json stats = shop_.acquirer_stats();
  const std::int64_t lost = number_of(stats["faults_by_kind"]["cut_after"]);
  narrator_.mark("✓", Tone::Good,
                 "All answered. " + std::to_string(lost) +
                     " answers had been lost on the way; the reader asked "
                     "again under the same IDs, and the acquirer said " +
                     std::to_string(number_of(stats["replayed"])) + " times: I have that one.");
}

void Evening::flap(int number, std::string_view state, std::string_view what, std::size_t answered_before) {
  const std::size_t goal = answered_before + answers_between_flaps * static_cast<std::size_t>(number);
  till_.wait_until("some payments are answered", [&] {
    forwarding_progress(answered_before);
    return till_.answered() >= goal;
  });
  shop_.set_line(state);
  narrator_.mark("✗", Tone::Bad,
                 std::string(what) + " after " + std::to_string(till_.answered() - answered_before) + " answers.");
  sale_meanwhile();
  shop_.set_line("up", weak_line_ms);
}

void Evening::forwarding_progress(std::size_t answered_before) {
  const auto done = static_cast<std::int64_t>(till_.answered() - answered_before);
  const auto all = static_cast<std::int64_t>(to_forward_);
  narrator_.progress("forwarding " + report::bar(done, all, 40) + " " + std::to_string(done) + " of " +
                     std::to_string(all));
}

// The restaurant does not stop for this.
void Evening::sale_meanwhile() {
  const Guest& guest = late_guests_.at(meanwhile_++);
  const Sale sale = sell("late-" + std::to_string(guest.number), guest.amount, guest.card);
  if (sale.refused()) throw StoryFailure("a sale during forwarding was refused: " + sale.code);
  to_forward_ += sale.status() == "succeeded" ? 0U : 1U;
  narrator_.then("Meanwhile a guest pays " + usd(guest.amount) + ": " +
                 std::string(report::status_text(sale.status())) + ".");
}

void Evening::what_the_reader_reports() {
  narrator_.chapter("6 · What the reader reports");
  const report::Style& style = narrator_.style();
  report::Table runs({{"SYNC", true},
                      {"STARTED", false, Fit::Whole, 8, 60},
                      {"FORWARDED", true},
                      {"APPROVED", true},
                      {"DECLINED", true},
                      {"REVIEW", true},
                      {"USD APPROVED", true}});
  std::int64_t sums[5] = {};
  for (const std::int64_t id : till_.sync_runs()) {
    const Json run = till_.sync_report(id);
    const std::int64_t row[5] = {number_of(run["forwarded"]), number_of(run["succeeded"]), number_of(run["declined"]),
                                 number_of(run["requires_review"]),
                                 number_of(run["amounts_by_currency"]["usd"]["succeeded"])};
    for (std::size_t i = 0; i < 5; ++i) sums[i] += row[i];
    const auto started = parse_rfc3339(text_of(run["started_at"]));
    runs.row({{std::to_string(id)},
              {started ? report::local_time(*started, style, true).substr(11) : ""},
              {std::to_string(row[0])},
              {std::to_string(row[1]), Tone::Good},
              {std::to_string(row[2]), row[2] > 0 ? Tone::Bad : Tone::Dim},
              {std::to_string(row[3]), row[3] > 0 ? Tone::Bad : Tone::Dim},
              {report::decimal(row[4], "usd")}});
  }
  runs.row({{"all", Tone::Strong},
            {""},
            {std::to_string(sums[0]), Tone::Strong},
            {std::to_string(sums[1]), Tone::Strong},
            {std::to_string(sums[2]), Tone::Strong},
            {std::to_string(sums[3]), Tone::Strong},
            {report::decimal(sums[4], "usd"), Tone::Strong}});
  narrator_.block(runs.render(style));
  narrator_.blank();
  narrator_.say("Declined by the issuers, and what to do about it:", Tone::Strong);
  report::Style narrow = style;
  narrow.width = narrator_.width();
  narrator_.block(report::declines_listing(till_.declines().view(), narrow));
}

void Evening::exposure() {
  narrator_.chapter("7 · What was at risk, over the evening");
  report::Style narrow = narrator_.style();
  narrow.width = narrator_.width();
  for (const auto& [currency, points] : till_.exposure().by_currency()) {
    narrator_.say("Stored and not authorized, in USD:");
    narrator_.block(report::exposure_chart(points, points.back().at + 1'000, currency, narrow, 7));
  }
}

Proof Evening::prove() {
  narrator_.chapter("8 · The proof");
  // Off and on once more: the last checkpoint of the journal is signed, and the queue is opened from the disk again.
  shop_.switch_reader_off();
  shop_.start_reader();
  till_.connect();
  const std::vector<Json> book = till_.book();
  const Check agreed = reconciled();
  const Check chain = audited();
  shop_.switch_reader_off();
  shop_.stop_acquirer();

  std::string ledger = read_whole(shop_.path("acquirer/ledger.jsonl"));
  if (options_.sabotage == "doubled") ledger = with_doubled_line(ledger);
  if (options_.sabotage == "lost") ledger = with_lost_line(ledger);
  if (options_.sabotage == "pan")
    write_whole(shop_.path("log/dump.bin"), "\x12" + std::string("\x42\x42\x42\x42\x42\x42\x42\x42") + "\x34");
  const PanScanner scanner(pans_);
  Proof proof;
  proof.books = compare_books(ledger, book, till_.log());
  proof.checks = book_checks(proof.books);
  proof.checks.push_back(agreed);
  proof.checks.push_back(power_cut_);
  proof.checks.push_back(chain);
  proof.checks.push_back(scan_check(scanner, in_the_dark_, scanner.scan_folder(shop_.directory())));
  return proof;
}

// The till's log as a file, through the command that a shop would use.
Check Evening::reconciled() {
  std::string csv = "merchant_reference,currency,amount_minor,last4\n";
  std::size_t lines = 0;
  for (const auto& [reference, line] : till_.log()) {
    if (line.voided) continue;
    csv += reference + ",usd," + std::to_string(line.amount) + "," + line.last4 + "\n";
    ++lines;
  }
  write_whole(shop_.path("till.csv"), csv);
  const Ended ended = shop_.command({"reconcile", shop_.path("till.csv")});
  return {"till_agrees", "The till's log", ended.exit_code == 0 && lines > 0,
          "nightdrop reconcile: " + first_line(ended.out)};
}

Check Evening::audited() {
  const Ended exported = shop_.command({"audit", "export"});
  std::string journal = exported.out;
  if (options_.sabotage == "audit") {
    if (const std::size_t at = journal.find("\\\"amount\\\":"); at != std::string::npos) journal[at + 11] = '9';
  }
  write_whole(shop_.path("journal.jsonl"), journal);
  const Ended verified =
      shop_.command({"audit", "verify", shop_.path("journal.jsonl"), "--certificate", shop_.path("reader.pem")});
  return {"audit_chain", "The audit log", exported.exit_code == 0 && verified.exit_code == 0,
          "nightdrop audit verify: " + first_line(verified.out)};
}

}  // namespace nightdrop::simulator
