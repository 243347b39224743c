#include "simulator/acquirer/books.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "nightdrop/encoding.hpp"

namespace nightdrop::simulator {
namespace {

std::string text(JsonView value) {
  return std::string(value.string().value_or(""));
}

std::uint32_t counter_of(std::span<const std::uint8_t> ksn) {
  std::uint32_t counter = 0;
  for (std::size_t i = 8; i < ksn.size(); ++i) counter = (counter << 8) | ksn[i];
  return counter;
}

std::string reference_key(const std::string& object, const std::string& terminal, const std::string& reference) {
  return object + '\n' + terminal + '\n' + reference;
}

bool holds_money(const Entry& entry) {
  return entry.posted != 0 && !entry.reversal;
}

}  // namespace

void Books::apply(JsonView record, std::uint64_t ticket) {
  const auto type = record["type"].string().value_or("");
  if (type == "payment") return apply_payment(record, ticket);
  if (type == "reversal") {
    Entry& entry = this->entry(text(record["id"]));
    entry.reversal_reason = text(record["reason"]);
    entry.reversal = Answered{entry.id + ":reversal", text(record["body_sha256"]), record["answer"].dump(), ticket};
    return;
  }
  if (type == "anomaly") ++anomalies_[text(record["kind"])];
}

void Books::apply_payment(JsonView record, std::uint64_t ticket) {
  Entry& entry = this->entry(text(record["id"]));
  const JsonView answer = record["answer"];
  entry.object = text(record["object"]);
  entry.amount = record["amount"].integer().value_or(0);
  entry.currency = text(record["currency"]);
  entry.merchant_reference = text(record["merchant_reference"]);
  entry.terminal_id = text(record["terminal_id"]);
  entry.last4 = text(record["last4"]);
  entry.ksn = text(record["ksn"]);
  entry.deferred = record["deferred"].boolean().value_or(false);
  entry.outcome = text(answer["outcome"]);
  entry.response_code = text(answer["response_code"]);
  entry.approved_amount = answer["approved_amount"].integer().value_or(0);
  entry.posted += static_cast<std::uint64_t>(record["posted"].integer().value_or(0));
  entry.answered.push_back(Answered{text(record["key"]), text(record["body_sha256"]), answer.dump(), ticket});
  for (const JsonView anomaly : record["anomalies"].items()) {
    entry.anomalies.push_back(text(anomaly));
    ++anomalies_[text(anomaly)];
  }
  auto& ids = references_[reference_key(entry.object, entry.terminal_id, entry.merchant_reference)];
  if (std::find(ids.begin(), ids.end(), entry.id) == ids.end()) ids.push_back(entry.id);
  if (const auto ksn = from_hex(entry.ksn); ksn && ksn->size() == 12) {
    ksns_.try_emplace(entry.ksn, entry.id);
    std::uint32_t& highest = counters_[entry.ksn.substr(0, 16)];
    highest = std::max(highest, counter_of(*ksn));
  }
}

Entry& Books::entry(const std::string& id) {
  const auto [at, fresh] = entries_.try_emplace(id);
  if (fresh) {
    at->second.id = id;
    order_.push_back(id);
  }
  return at->second;
}

Entry* Books::find(const std::string& id) {
  const auto at = entries_.find(id);
  return at == entries_.end() ? nullptr : &at->second;
}

std::optional<std::string> Books::ksn_owner(const std::string& ksn) const {
  const auto at = ksns_.find(ksn);
  if (at == ksns_.end()) return std::nullopt;
  return at->second;
}

std::uint32_t Books::highest_counter(const Ksn& ksn) const {
  const auto at = counters_.find(hex_upper(std::span(ksn).first(8)));
  return at == counters_.end() ? 0 : at->second;
}

std::optional<std::string> Books::reference_owner(const std::string& object, const std::string& terminal,
                                                  const std::string& reference, const std::string& id) const {
  const auto at = references_.find(reference_key(object, terminal, reference));
  if (at == references_.end()) return std::nullopt;
  for (const std::string& other : at->second) {
    if (other != id && holds_money(entries_.at(other))) return other;
  }
  return std::nullopt;
}

std::map<std::string, Totals> Books::totals() const {
  std::map<std::string, Totals> totals;
  for (const auto& [id, entry] : entries_) {
    if (entry.posted == 0) continue;
    Totals& total = totals[entry.currency];
    const std::int64_t booked = entry.approved_amount * static_cast<std::int64_t>(entry.posted);
    (entry.object == "refund" ? total.refunds : total.payments) += booked;
    if (entry.reversal) total.reversed += entry.object == "refund" ? -booked : booked;
  }
  return totals;
}

std::uint64_t Books::twice() const {
  return static_cast<std::uint64_t>(
      std::count_if(entries_.begin(), entries_.end(), [](const auto& each) { return each.second.posted > 1; }));
}

std::uint64_t Books::posted() const {
  std::uint64_t posted = 0;
  for (const auto& [id, entry] : entries_) posted += entry.posted;
  return posted;
}

Json ledger_json(const Books& books, const std::map<std::string, std::uint64_t>& attempts) {
  Json rows = Json::array();
  for (const std::string& id : books.order()) {
    const Entry& entry = books.at(id);
    Json row = Json::object();
    row.set("id", entry.id);
    row.set("outcome", entry.outcome.empty() ? std::string("not_received") : entry.outcome);
    row.set("posted", entry.posted).set("reversed", entry.reversal.has_value());
    const auto tries = attempts.find(id);
    row.set("attempts", tries == attempts.end() ? std::uint64_t{0} : tries->second);
    if (entry.reversal) row.set("reversal_reason", entry.reversal_reason);
    if (!entry.outcome.empty()) {
      row.set("object", entry.object).set("amount", entry.amount).set("currency", entry.currency);
      row.set("approved_amount", entry.approved_amount).set("response_code", entry.response_code);
      row.set("merchant_reference", entry.merchant_reference).set("terminal_id", entry.terminal_id);
      row.set("last4", entry.last4).set("ksn", entry.ksn).set("deferred", entry.deferred);
      row.set("authorizations", static_cast<std::uint64_t>(entry.answered.size()));
      Json anomalies = Json::array();
      for (const std::string& anomaly : entry.anomalies) anomalies.push(Json::string(anomaly));
      row.set("anomalies", std::move(anomalies));
    }
    rows.push(std::move(row));
  }
  Json ledger = Json::object();
  ledger.set("entries", std::move(rows));
  return ledger;
}

}  // namespace nightdrop::simulator
