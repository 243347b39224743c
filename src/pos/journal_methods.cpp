// The POS protocol's methods on the journal and the books: subscribe, acknowledge_events, audit_export, reconcile.
#include <algorithm>

#include "nightdrop/encoding.hpp"
#include "pos/methods.hpp"
#include "report/currency.hpp"
#include "report/event_types.hpp"
#include "report/objects.hpp"
#include "report/reconcile.hpp"

namespace nightdrop::pos {
namespace {

using terminal::PosError;
using terminal::PosResult;

constexpr std::int64_t seq_max = INT64_C(999999999999999);
constexpr std::size_t span_rows_max = 10'000;  // payments of the entries' time span that reconcile looks at

PosError invalid(const char* field, std::string message) {
  return {.code = PosCode::InvalidParams, .message = std::move(message), .field = field};
}

std::optional<report::PosEntry> read_entry(JsonView entry, Params& params) {
  for (const JsonView member : entry.items()) {
    const auto key = member.key();
    if (key != "merchant_reference" && key != "amount" && key != "currency" && key != "last4") {
      params.fail("entries", "has an entry with an unknown field");
      return std::nullopt;
    }
  }
  const auto reference = entry["merchant_reference"].string();
  const auto amount = entry["amount"].integer();
  const auto currency = entry["currency"].string();
  if (!reference || reference->empty() || !amount || !currency || !report::is_iso4217(*currency)) {
    params.fail("entries", "needs merchant_reference, amount and currency in each entry");
    return std::nullopt;
  }
  report::PosEntry read;
  read.merchant_reference = *reference;
  read.amount = *amount;
  std::ranges::copy(*currency, read.currency.code.begin());
  read.last4 = entry["last4"].string().value_or("");
  return read;
}

Json finding_json(const report::Finding& finding) {
  Json json = Json::object();
  json.set("merchant_reference", finding.merchant_reference);
  if (finding.pos) {
    Json entry = Json::object();
    entry.set("merchant_reference", finding.pos->merchant_reference).set("amount", finding.pos->amount);
    entry.set("currency", finding.pos->currency.view());
    if (!finding.pos->last4.empty()) entry.set("last4", finding.pos->last4);
    json.set("pos", std::move(entry));
  } else {
    json.set("pos", nullptr);
  }
  json.set("reader", finding.reader ? report::payment_json(*finding.reader) : Json::null());
  if (!finding.fields.empty()) {
    Json fields = Json::array();
    for (const report::Difference field : finding.fields) fields.push(Json::string(report::difference_word(field)));
    json.set("fields", std::move(fields));
  }
  return json;
}

Json findings_json(const std::vector<report::Finding>& findings) {
  Json list = Json::array();
  for (const report::Finding& finding : findings) list.push(finding_json(finding));
  return list;
}

}  // namespace

void Methods::subscribe(Params& params, const Responder& respond, const std::function<void(Subscription)>& subscribed) {
  Subscription subscription;
  subscription.consumer = params.printable("consumer", 64);
  subscription.types = params.texts("types", 32, 64);
  // A misspelt type would be waited for in vain.
  if (!std::ranges::all_of(subscription.types, report::is_event_type)) params.fail("types", "names an unknown event");
  const auto after = params.optional_integer("after", 0, seq_max);
  if (auto wrong = params.error()) return answer(respond, std::unexpected(std::move(*wrong)));
  const auto cursor = terminal_.books().ports().store.cursor(subscription.consumer);
  if (!cursor) return answer(respond, std::unexpected(terminal::store_error(cursor.error())));
  subscription.sent_through = after ? static_cast<std::uint64_t>(*after) : *cursor;
  answer(respond, std::move(Json::object().set("cursor", subscription.sent_through)));
  terminal_.books().then([subscribed, subscription](bool) { subscribed(subscription); });
}

void Methods::acknowledge_events(Params& params, const Responder& respond) {
  const std::string consumer = params.printable("consumer", 64);
  const auto through = static_cast<std::uint64_t>(params.integer("through", 0, seq_max));
  if (auto wrong = params.error()) return answer(respond, std::unexpected(std::move(*wrong)));
  answer(respond, terminal_.books().decide<Json>([&]() -> Result<PosResult<Json>> {
    hal::RecordStore& store = terminal_.books().ports().store;
    const auto head = store.last_event();
    if (!head) return std::unexpected(head.error());
    if (through > head->seq)
      return PosResult<Json>(std::unexpected(invalid("through", "through is past the last event.")));
    const auto cursor = store.cursor(consumer);
    if (!cursor) return std::unexpected(cursor.error());
    const std::uint64_t now = std::max(*cursor, through);  // an acknowledgement is never taken back
    if (now != *cursor) ND_TRY(store.set_cursor(consumer, now));
    return PosResult<Json>(std::move(Json::object().set("cursor", now)));
  }));
}

void Methods::audit_export(Params& params, const Responder& respond) {
  const auto after = static_cast<std::uint64_t>(params.optional_integer("after", 0, seq_max).value_or(0));
  const auto limit = static_cast<std::size_t>(params.optional_integer("limit", 1, 1000).value_or(200));
  if (auto wrong = params.error()) return answer(respond, std::unexpected(std::move(*wrong)));
  hal::RecordStore& store = terminal_.books().ports().store;
  const auto start = store.journal_start();
  if (!start) return answer(respond, std::unexpected(terminal::store_error(start.error())));
  const auto events = store.events_after(std::max(after, start->seq), limit);
  if (!events) return answer(respond, std::unexpected(terminal::store_error(events.error())));
  const auto points = store.checkpoints_after(after, limit + 1);
  if (!points) return answer(respond, std::unexpected(terminal::store_error(points.error())));

  Json lines = Json::array();
  auto point = points->begin();
  const auto put_checkpoints_through = [&](std::uint64_t seq) {
    for (; point != points->end() && point->seq <= seq; ++point) {
      Json inner = Json::object();
      inner.set("seq", point->seq).set("hash", hex_lower(point->hash));
      lines.push(
          std::move(Json::object().set("checkpoint", std::move(inner)).set("signature", to_base64(point->signature))));
    }
  };
  put_checkpoints_through(after == 0 ? start->seq : after);
  for (const hal::JournalEvent& event : *events) {
    lines.push(
        std::move(Json::object().set("seq", event.seq).set("event", event.text).set("hash", hex_lower(event.hash))));
    put_checkpoints_through(event.seq);
  }
  const auto head = store.last_event();
  const std::uint64_t last = events->empty() ? after : events->back().seq;
  Json result = Json::object();
  result.set("lines", std::move(lines)).set("has_more", head && last < head->seq);
  result.set("start", std::move(Json::object().set("seq", start->seq).set("hash", hex_lower(start->hash))));
  result.set("serial_number", facts_.serial_number).set("certificate_pem", facts_.certificate_pem);
  answer(respond, std::move(result));
}

void Methods::reconcile(Params& params, const Responder& respond) {
  std::vector<report::PosEntry> entries;
  const JsonView list = params.array("entries", 1000);
  if (!list.exists()) params.fail("entries", "is missing");
  for (const JsonView item : list.items()) {
    if (auto entry = read_entry(item, params)) entries.push_back(std::move(*entry));
  }
  if (auto wrong = params.error()) return answer(respond, std::unexpected(std::move(*wrong)));
  hal::RecordStore& store = terminal_.books().ports().store;
  const report::ReaderBook book{.find = [&](std::string_view reference) { return store.find_by_reference(reference); },
                                .between =
                                    [&](UtcMs from, UtcMs to) {
                                      hal::ListQuery query;
                                      query.created_from = from;
                                      query.created_to = to;
                                      query.limit = span_rows_max;
                                      return store.list(query);
                                    }};
  const auto found = report::reconcile(entries, book);
  if (!found) return answer(respond, std::unexpected(terminal::store_error(found.error())));
  Json result = Json::object();
  result.set("matched", findings_json(found->matched))
      .set("missing_on_reader", findings_json(found->missing_on_reader))
      .set("missing_on_pos", findings_json(found->missing_on_pos))
      .set("mismatched", findings_json(found->mismatched))
      .set("duplicates", findings_json(found->duplicates));
  answer(respond, std::move(result));
}

}  // namespace nightdrop::pos
