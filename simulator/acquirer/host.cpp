#include "simulator/acquirer/host.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "crypto/primitives.hpp"
#include "nightdrop/encoding.hpp"
#include "nightdrop/time_text.hpp"
#include "simulator/acquirer/issuer.hpp"

namespace nightdrop::simulator {
namespace {

std::string now_text() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return rfc3339(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

std::string hash_of(std::string_view text) {
  return hex_lower(sha256(bytes_of(text)));
}

// Six digits that are the same whenever the same key is authorized.
std::string authorization_code(const std::string& hash) {
  std::uint64_t value = 0;
  for (const char c : hash.substr(0, 12)) value = value * 31 + static_cast<std::uint64_t>(c);
  std::string digits = std::to_string(value % 1'000'000);
  return std::string(6 - digits.size(), '0') + digits;
}

// 8A with the response code's two characters.
std::string response_tag(std::string_view response_code) {
  return "8A02" + hex_upper(bytes_of(response_code));
}

// "<id>", or "<id>:retry-<n>" for a new authorization after a decline.
bool key_is_of(const std::string& key, const std::string& id) {
  if (key == id) return true;
  const std::string retry = id + ":retry-";
  if (!key.starts_with(retry) || key.size() == retry.size() || key.size() > retry.size() + 4) return false;
  return key.find_first_not_of("0123456789", retry.size()) == std::string::npos;
}

ApiError reversed_error() {
  return {422, "reversed", "id: this payment was reversed before it came; it is refused"};
}
ApiError unavailable() {
  return {503, "ledger_unavailable", "the ledger cannot be written now; send it again"};
}

}  // namespace

Result<std::unique_ptr<Host>> Host::open(const std::string& directory, CardKeys keys) {
  LedgerLines lines;
  auto file = LedgerFile::open(directory, lines);
  if (!file) return std::unexpected(file.error());
  std::unique_ptr<Host> host(new Host(std::move(keys), *std::move(file)));
  for (const Json& record : lines.records) host->books_.apply(record.view(), 0);
  return host;
}

Answer Host::payment(const std::string& reader, const std::optional<std::string>& key, std::string_view raw,
                     const Fault& fault) {
  const auto body = Json::parse(raw);
  if (!body || !body->view().is_object()) {
    const std::lock_guard lock(mutex_);
    return rejected({400, "malformed_json", "the body must be one JSON object"});
  }
  const std::string id((*body)["id"].string().value_or(""));
  const std::string used_key = key.value_or(id);
  const std::string hash = hash_of(raw);
  {
    const std::lock_guard lock(mutex_);
    if (!is_payment_id(id)) return rejected({422, "invalid_field", "id: must be pi_ and 32 hex digits in lower case"});
    if (!key_is_of(used_key, id)) {
      return rejected({400, "idempotency_key_mismatch", "Idempotency-Key: must be the payment's id"});
    }
    ++attempts_[id];
    if (auto known = known_answer(id, used_key, hash)) return *std::move(known);
  }
  // Opening the envelope takes time; whoever comes meanwhile with the same id is met again below.
  const auto checked = check_payment(body->view(), keys_);
  const std::lock_guard lock(mutex_);
  if (!checked) return rejected(checked.error());
  if (auto known = known_answer(id, used_key, hash)) return *std::move(known);
  return authorize(reader, *checked, used_key, hash, fault);
}

std::optional<Answer> Host::known_answer(const std::string& id, const std::string& key, const std::string& hash) {
  const Entry* entry = books_.find(id);
  if (entry == nullptr) return std::nullopt;
  const auto at = std::find_if(entry->answered.begin(), entry->answered.end(),
                               [&](const Answered& answered) { return answered.key == key; });
  if (at != entry->answered.end()) {
    if (at->body_sha256 != hash) {
      ++counts_.conflicts;
      return rejected({409, "idempotency_conflict", "Idempotency-Key: it came before with another body"});
    }
    if (auto pending = still_pending(id)) return pending;
    return replay(*at);
  }
  if (entry->reversal) return rejected(reversed_error());
  if (entry->posted != 0) {
    // A new authorization of what is approved already would take the money twice.
    note_anomaly("retry_of_approved", id, key);
    return replay(entry->answered.back());
  }
  return std::nullopt;
}

Answer Host::authorize(const std::string& reader, const CheckedPayment& payment, const std::string& key,
                       const std::string& hash, const Fault& fault) {
  std::vector<std::string> anomalies;
  if (auto error = check_ksn(payment, anomalies)) return rejected(*error);
  if (const auto other =
          books_.reference_owner(payment.object, payment.terminal_id, payment.merchant_reference, payment.id)) {
    anomalies.emplace_back("merchant_reference_reused");
  }
  Json answer = decide(payment, key, fault);
  const std::string outcome(answer["outcome"].string().value_or(""));
  Json list = Json::array();
  for (const std::string& anomaly : anomalies) list.push(Json::string(anomaly));
  Json record = Json::object();
  record.set("type", "payment")
      .set("at", now_text())
      .set("id", payment.id)
      .set("key", key)
      .set("object", payment.object);
  record.set("reader", reader).set("terminal_id", payment.terminal_id).set("merchant_id", payment.merchant_id);
  record.set("merchant_reference", payment.merchant_reference).set("amount", payment.amount);
  record.set("card_amount", payment.card_amount).set("currency", payment.currency).set("last4", payment.last4);
  record.set("ksn", payment.ksn ? hex_upper(*payment.ksn) : std::string()).set("deferred", payment.deferred);
  record.set("body_sha256", hash).set("posted", outcome == "declined" ? 0 : 1);
  record.set("anomalies", std::move(list)).set("answer", std::move(answer));
  Answer committed = commit(std::move(record), outcome);
  if (committed.status != 200 || fault.kind != FaultKind::Pending) return committed;
  pending_[payment.id] = Waiting{fault.n, fault.retry_after};
  const std::uint64_t ticket = committed.ticket;
  Answer pending = *still_pending(payment.id);
  pending.ticket = ticket;
  return pending;
}

// A KSN is one payment's; counters may come out of order, because what is due first is forwarded first.
std::optional<ApiError> Host::check_ksn(const CheckedPayment& payment, std::vector<std::string>& anomalies) {
  if (!payment.ksn) return std::nullopt;
  const auto owner = books_.ksn_owner(hex_upper(*payment.ksn));
  if (owner && *owner != payment.id) {
    note_anomaly("ksn_reused", payment.id, *owner);
    return ApiError{422, "ksn_reused", "encrypted_card.ksn: another payment has used it"};
  }
  const std::uint32_t counter = static_cast<std::uint32_t>((*payment.ksn)[8]) << 24 |
                                static_cast<std::uint32_t>((*payment.ksn)[9]) << 16 |
                                static_cast<std::uint32_t>((*payment.ksn)[10]) << 8 | (*payment.ksn)[11];
  if (!owner && counter <= books_.highest_counter(*payment.ksn)) anomalies.emplace_back("counter_order");
  return std::nullopt;
}

Json Host::decide(const CheckedPayment& payment, const std::string& key, const Fault& fault) {
  std::string code = payment.object == "refund" ? "00" : payment.issuer_code.value_or("00");
  std::string advice;
  for (const ForcedOutcome& forced : forced_) {
    if (forced.id != payment.id && (forced.last4.empty() || forced.last4 != payment.last4)) continue;
    code = forced.response_code;
    advice = forced.advice_code;
  }
  const std::string hash = hash_of(key);
  Json answer = Json::object();
  answer.set("id", "aq_" + hash.substr(0, 32)).set("payment", payment.id);
  if (code == "00") {
    const bool partial = fault.kind == FaultKind::Partial && fault.amount < payment.amount;
    answer.set("outcome", partial ? "partial" : "approved");
    answer.set("approved_amount", partial ? fault.amount : payment.amount);
    answer.set("authorization_code", authorization_code(hash));
    // ISO 8583-1987 has its own code for a partial approval.
    code = partial ? "10" : "00";
    answer.set("response_code", code);
  } else {
    const Verdict verdict = decline_verdict(code);
    answer.set("outcome", "declined").set("response_code", code);
    answer.set("reason", verdict.reason).set("category", verdict.category);
    if (!advice.empty()) answer.set("advice_code", advice);
  }
  answer.set("processed_at", now_text());
  if (payment.chip) answer.set("emv", response_tag(code));
  return answer;
}

Answer Host::commit(Json record, std::string outcome) {
  const auto ticket = file_->append(record.dump());
  if (!ticket) return error_answer(unavailable());
  books_.apply(record.view(), *ticket);
  return Answer{.status = 200, .body = record["answer"].dump(), .ticket = *ticket, .outcome = std::move(outcome)};
}

void Host::note_anomaly(const char* kind, const std::string& id, const std::string& with) {
  Json record = Json::object();
  record.set("type", "anomaly").set("at", now_text()).set("kind", kind).set("id", id).set("with", with);
  // Counted also where the disk is full; nothing is promised on it.
  const auto ticket = file_->append(record.dump());
  books_.apply(record.view(), ticket.value_or(0));
}

std::optional<Answer> Host::still_pending(const std::string& id) {
  const auto at = pending_.find(id);
  if (at == pending_.end()) return std::nullopt;
  Json body = Json::object();
  body.set("payment", id).set("outcome", "pending");
  Answer answer{.status = 202, .body = body.dump(), .retry_after = at->second.retry_after, .outcome = "pending"};
  if (--at->second.left <= 0) pending_.erase(at);
  return answer;
}

Answer Host::rejected(const ApiError& error) {
  ++counts_.rejected;
  return error_answer(error);
}

Answer Host::replay(const Answered& answered) {
  ++counts_.replayed;
  return Answer{
      .status = 200, .body = answered.answer, .replayed = true, .ticket = answered.ticket, .outcome = "replayed"};
}

Answer Host::status(const std::string& id, const std::optional<std::string>& key, const Fault& fault) {
  const std::lock_guard lock(mutex_);
  const Entry* entry = books_.find(id);
  const auto never = [] { return error_answer({404, "unknown_payment", "this payment was never received"}); };
  if (entry == nullptr || entry->answered.empty()) return never();
  const Answered* answered = &entry->answered.back();
  if (key) {
    const auto asked = std::ranges::find(entry->answered, *key, &Answered::key);
    if (asked == entry->answered.end()) return never();
    answered = &*asked;
  }
  const std::uint64_t ticket = answered->ticket;
  if (fault.kind == FaultKind::Pending && !pending_.contains(id)) pending_[id] = Waiting{fault.n, fault.retry_after};
  if (auto pending = still_pending(id)) {
    pending->ticket = ticket;
    return *std::move(pending);
  }
  return Answer{.status = 200, .body = answered->answer, .ticket = ticket, .outcome = entry->outcome};
}

Answer Host::reversal(const std::string& id, const std::optional<std::string>& key, std::string_view raw) {
  const auto body = Json::parse(raw);
  const std::lock_guard lock(mutex_);
  if (!is_payment_id(id))
    return error_answer({422, "invalid_field", "id: must be pi_ and 32 hex digits in lower case"});
  if (key != id + ":reversal") {
    return error_answer({400, "idempotency_key_mismatch", "Idempotency-Key: must be the payment's id and :reversal"});
  }
  if (!body || !body->view().is_object())
    return error_answer({400, "malformed_json", "the body must be one JSON object"});
  const std::string reason((*body)["reason"].string().value_or(""));
  if (reason != "timeout" && reason != "canceled" && reason != "partial_refused") {
    return error_answer({422, "invalid_field", "reason: must be timeout, canceled or partial_refused"});
  }
  const std::string hash = hash_of(raw);
  if (const Entry* entry = books_.find(id); entry != nullptr && entry->reversal) {
    if (entry->reversal->body_sha256 == hash) return replay(*entry->reversal);
    ++counts_.conflicts;
    return error_answer({409, "idempotency_conflict", "Idempotency-Key: it came before with another body"});
  }
  Json answer = Json::object();
  answer.set("payment", id).set("outcome", "reversed");
  Json record = Json::object();
  record.set("type", "reversal").set("at", now_text()).set("id", id).set("reason", reason).set("body_sha256", hash);
  record.set("answer", std::move(answer));
  return commit(std::move(record), "reversed");
}

void Host::force(ForcedOutcome outcome) {
  const std::lock_guard lock(mutex_);
  std::erase_if(forced_,
                [&](const ForcedOutcome& each) { return each.id == outcome.id && each.last4 == outcome.last4; });
  forced_.push_back(std::move(outcome));
}

void Host::clear_forced() {
  const std::lock_guard lock(mutex_);
  forced_.clear();
}

Json Host::ledger() const {
  const std::lock_guard lock(mutex_);
  return ledger_json(books_, attempts_);
}

void Host::add_stats(Json& stats) const {
  const std::lock_guard lock(mutex_);
  std::uint64_t anomalies = 0;
  Json kinds = Json::object();
  for (const auto& [kind, count] : books_.anomalies()) {
    anomalies += count;
    kinds.set(kind, count);
  }
  Json money = Json::object();
  for (const auto& [currency, totals] : books_.totals()) {
    Json row = Json::object();
    row.set("payments", totals.payments).set("refunds", totals.refunds).set("reversed", totals.reversed);
    row.set("net", totals.payments - totals.refunds - totals.reversed);
    money.set(currency, std::move(row));
  }
  stats.set("entries", static_cast<std::uint64_t>(books_.order().size())).set("posted", books_.posted());
  stats.set("twice", books_.twice()).set("replayed", counts_.replayed).set("conflicts", counts_.conflicts);
  stats.set("rejected", counts_.rejected).set("anomalies", anomalies).set("anomalies_by_kind", std::move(kinds));
  stats.set("amounts_by_currency", std::move(money));
}

}  // namespace nightdrop::simulator
