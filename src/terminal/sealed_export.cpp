#include "terminal/sealed_export.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

#include "json/json.hpp"
#include "nightdrop/encoding.hpp"
#include "nightdrop/time_text.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop::terminal {
namespace {

constexpr std::size_t rows_a_page = 500;
constexpr std::size_t reversals_max = 100'000;

std::span<const std::uint8_t> bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// Expired and acknowledged: somebody has settled it with the customer, and nobody may charge it any more.
bool waits(const Payment& payment) {
  return payment.status != Status::Expired || !payment.acknowledged;
}

struct Content {
  std::vector<Payment> payments;  // oldest first, so that a refund comes after its sale
  std::vector<hal::Reversal> reversals;
};

Result<Content> read_content(hal::RecordStore& store) {
  Content content;
  for (const Status status : {Status::Processing, Status::Stored, Status::Forwarding, Status::Expired}) {
    hal::ListQuery query;
    query.status = status;
    query.limit = rows_a_page;
    for (;;) {
      auto page = store.list(query);
      if (!page) return std::unexpected(page.error());
      const bool more = page->size() == rows_a_page;
      if (more) query.starting_after = page->back().id;
      std::ranges::copy_if(std::move(*page), std::back_inserter(content.payments), waits);
      if (!more) break;
    }
  }
  std::ranges::sort(content.payments, {},
                    [](const Payment& payment) { return std::pair(payment.created_at, payment.id); });
  auto reversals = store.reversals(reversals_max);
  if (!reversals) return std::unexpected(reversals.error());
  content.reversals = std::move(*reversals);
  // A cancel that waits for the answer of an attempt under way becomes a reversal then; here nobody waits for it.
  for (const Payment& payment : content.payments) {
    if (!payment.cancel_requested) continue;
    const bool ordered =
        std::ranges::find(content.reversals, payment.id, &hal::Reversal::payment_id) != content.reversals.end();
    if (!ordered) content.reversals.push_back({.payment_id = payment.id, .reason = ReversalReason::Canceled});
  }
  std::ranges::sort(content.reversals, {}, &hal::Reversal::payment_id);
  return content;
}

// What of the content an acquirer would act on; what an attempt changes besides (its count, its time) is left out.
Digest digest_of(const Content& content, const Sha256& sha256) {
  Digest digest{};
  const auto add = [&](std::string_view text) { digest = sha256(digest, bytes(text)); };
  for (const Payment& payment : content.payments) {
    add(acquirer::idempotency_key(payment));
    add(acquirer::payment_body(payment, {}));
  }
  for (const hal::Reversal& reversal : content.reversals) {
    add(reversal.payment_id);
    add(word(reversal.reason));
  }
  return digest;
}

// `members` behind a first member whose value is spliced in byte for byte, as it would be sent.
std::string line(std::string_view name, std::string_view value, const Json& members) {
  std::string text = "{\"";
  text.append(name).append("\":").append(value);
  const std::string rest = members.dump();
  return text + ',' + rest.substr(1) + '\n';
}

std::string payment_line(const Payment& payment, const acquirer::Merchant& merchant) {
  Json facts = Json::object();
  facts.set("key", acquirer::idempotency_key(payment)).set("status", word(payment.status));
  facts.set("outcome_unknown",
            payment.outcome_unknown || (payment.sent && payment.last_attempt_outcome != AttemptOutcome::NotSent));
  facts.set("attempts", static_cast<std::int64_t>(payment.attempts));
  return line("payment", acquirer::payment_body(payment, merchant), facts);
}

std::string reversal_line(const hal::Reversal& reversal, const acquirer::Merchant& merchant) {
  const hal::HostRequest request = acquirer::reversal_request(reversal.payment_id, reversal.reason, merchant);
  Json facts = Json::object();
  facts.set("id", reversal.payment_id).set("key", reversal.payment_id + ":reversal");
  facts.set("attempts", static_cast<std::int64_t>(reversal.attempts));
  return line("reversal", request.body, facts);
}

Result<std::string> signature_line(std::string_view text, const std::string& serial, hal::KeyVault& vault,
                                   const Sha256& sha256) {
  const std::string digest = hex_lower(sha256({}, bytes(text)));
  const auto signature = vault.sign(bytes("nightdrop-sealed/1\n" + serial + "\n" + digest));
  if (!signature) return std::unexpected(signature.error());
  Json last = Json::object();
  last.set("sha256", digest).set("signature", to_base64(*signature));
  return last.dump() + '\n';
}

}  // namespace

Result<SealedExport> write_sealed_export(hal::RecordStore& store, hal::KeyVault& vault,
                                         const acquirer::Merchant& merchant, const ExportHeader& header,
                                         const Sha256& sha256) {
  const auto content = read_content(store);
  if (!content) return std::unexpected(content.error());
  const auto head = store.last_event();
  if (!head) return std::unexpected(head.error());
  SealedExport made;
  made.payments = static_cast<std::int64_t>(content->payments.size());
  made.reversals = static_cast<std::int64_t>(content->reversals.size());
  made.journal_seq = head->seq;
  made.content = digest_of(*content, sha256);
  Json first = Json::object();
  first.set("format", "nightdrop-sealed/1").set("serial_number", merchant.serial_number);
  first.set("terminal_id", merchant.terminal_id).set("merchant_id", merchant.merchant_id);
  first.set("livemode", header.livemode).set("created", rfc3339(header.created)).set("journal_seq", made.journal_seq);
  first.set("count", made.payments).set("reversals", made.reversals).set("certificate", header.certificate_pem);
  made.text = first.dump() + '\n';
  for (const Payment& payment : content->payments) made.text += payment_line(payment, merchant);
  for (const hal::Reversal& reversal : content->reversals) made.text += reversal_line(reversal, merchant);
  auto last = signature_line(made.text, merchant.serial_number, vault, sha256);
  if (!last) return std::unexpected(last.error());
  made.text += *last;
  return made;
}

Result<Waiting> waiting(hal::RecordStore& store, const Sha256& sha256) {
  const auto state = store.device_state();
  if (!state) return std::unexpected(state.error());
  const auto content = read_content(store);
  if (!content) return std::unexpected(content.error());
  Waiting found;
  found.payments = static_cast<std::int64_t>(content->payments.size());
  found.reversals = static_cast<std::int64_t>(content->reversals.size());
  found.exported_seq = state->exported_seq;
  found.content = digest_of(*content, sha256);
  const bool nothing = content->payments.empty() && content->reversals.empty();
  found.covered = nothing || (state->exported_seq != 0 && state->exported == found.content);
  return found;
}

Result<void> may_erase(hal::RecordStore& store, const Sha256& sha256, std::int64_t& count) {
  const auto found = waiting(store, sha256);
  if (!found) return std::unexpected(found.error());
  count = found->payments + found->reversals;
  if (!found->covered) return failure(Errc::Conflict, "payments wait that no export covers");
  return {};
}

}  // namespace nightdrop::terminal
