#include "simulator/acquirer/import.hpp"

#include <algorithm>

namespace nightdrop::simulator {
namespace {

std::string error_code(const Answer& answer) {
  const auto body = Json::parse(answer.body);
  const auto code = body ? (*body)["error"]["code"].string() : std::nullopt;
  return code ? std::string(*code) : "http_" + std::to_string(answer.status);
}

ImportedLine line_of(const std::string& id, const Answer& answer, const char* taken) {
  if (answer.status != 200 && answer.status != 202) {
    const std::string code = error_code(answer);
    return {id, code == "reversed" ? "reversed" : "rejected", code == "reversed" ? "" : code};
  }
  if (answer.replayed) return {id, "already_there", ""};
  return {id, answer.outcome == "declined" ? "declined" : taken, ""};
}

}  // namespace

bool ImportReport::complete() const {
  return durable && count("rejected") == 0;
}

std::uint64_t ImportReport::count(std::string_view result) const {
  return static_cast<std::uint64_t>(std::ranges::count(lines, result, &ImportedLine::result));
}

ImportReport import_sealed(Host& host, const SealedFile& file, bool with_expired,
                           const std::function<void(std::size_t done, std::size_t of)>& progress) {
  ImportReport report{.serial_number = file.serial_number};
  const std::size_t all = file.reversals.size() + file.payments.size();
  std::uint64_t ticket = 0;
  const auto take = [&](ImportedLine line, std::uint64_t written) {
    ticket = std::max(ticket, written);
    report.lines.push_back(std::move(line));
    progress(report.lines.size(), all);
  };
  for (const SealedReversal& reversal : file.reversals) {
    const Answer answer = host.reversal(reversal.id, reversal.key, reversal.body);
    take(line_of(reversal.id, answer, "reversed"), answer.ticket);
  }
  for (const SealedPayment& payment : file.payments) {
    const bool reversed = std::ranges::find(file.reversals, payment.id, &SealedReversal::id) != file.reversals.end();
    if (reversed) {
      take({payment.id, "reversed", ""}, 0);
    } else if (payment.expired && !with_expired) {
      take({payment.id, "held", ""}, 0);
    } else {
      const Answer answer = host.payment(file.serial_number, payment.key, payment.body, Fault{});
      take(line_of(payment.id, answer, "posted"), answer.ticket);
    }
  }
  report.durable = host.wait(ticket).has_value();
  return report;
}

Json report_json(const ImportReport& report) {
  Json lines = Json::array();
  for (const ImportedLine& line : report.lines) {
    Json entry = Json::object();
    entry.set("id", line.id).set("result", line.result);
    if (!line.detail.empty()) entry.set("code", line.detail);
    lines.push(std::move(entry));
  }
  Json json = Json::object();
  json.set("serial_number", report.serial_number).set("complete", report.complete()).set("durable", report.durable);
  for (const char* result : {"posted", "declined", "already_there", "reversed", "held", "rejected"}) {
    json.set(result, report.count(result));
  }
  json.set("lines", std::move(lines));
  return json;
}

}  // namespace nightdrop::simulator
