#include "acquirer/iso8583/response_code.hpp"

#include <algorithm>
#include <array>

namespace nightdrop::iso8583 {
namespace {

using enum Outcome;
using enum AdviceAction;
constexpr bool keep = true;  // capture the card
constexpr bool leave = false;
constexpr bool iso = false;
constexpr bool scheme = true;

// clang-format off
constexpr std::array<ResponseCode, 85> table{{
    {"00", "approved", Approve, leave, Retry::No, Done, iso},
    {"01", "refer to card issuer", Refer, leave, Retry::No, PutAside, iso},
    {"02", "refer to card issuer, special conditions", Refer, leave, Retry::No, PutAside, iso},
    {"03", "invalid merchant", Decline, leave, Retry::No, PutAside, iso},
    {"04", "pick up card", Decline, keep, Retry::Never, PutAside, iso},
    {"05", "do not honour", Decline, leave, Retry::No, PutAside, iso},
    {"06", "error", Technical, leave, Retry::Later, Repeat, iso},
    {"07", "pick up card, special conditions", Decline, keep, Retry::Never, PutAside, iso},
    {"08", "honour with identification", Approve, leave, Retry::No, Done, iso},
    // 09: wait for the answer to the first copy; do not start another
    {"09", "request in progress", Technical, leave, Retry::Later, Repeat, iso},
    {"10", "approved for a partial amount", ApprovePartial, leave, Retry::No, Done, iso},
    {"11", "approved (VIP)", Approve, leave, Retry::No, Done, iso},
    {"12", "invalid transaction", Decline, leave, Retry::Never, PutAside, iso},
    {"13", "invalid amount", Decline, leave, Retry::No, PutAside, iso},
    // 14: after fixing data with Visa; some lists say never
    {"14", "invalid card number", Decline, leave, Retry::AfterFixingData, PutAside, iso},
    {"15", "no such issuer", Decline, leave, Retry::Never, PutAside, iso},
    {"16", "approved, update track 3", Approve, leave, Retry::No, Done, iso},
    {"17", "customer cancellation", Decline, leave, Retry::No, PutAside, iso},
    {"18", "customer dispute", Decline, leave, Retry::No, PutAside, iso},
    {"19", "re-enter transaction", Technical, leave, Retry::Later, Repeat, iso},
    {"1A", "additional authentication required (scheme code)", Decline, leave, Retry::AfterFixingData, PutAside, scheme},
    {"20", "invalid response", Decline, leave, Retry::No, PutAside, iso},
    {"21", "no action taken", Decline, leave, Retry::No, PutAside, iso},
    {"22", "suspected malfunction", Technical, leave, Retry::Later, Repeat, iso},
    {"23", "unacceptable transaction fee", Decline, leave, Retry::No, PutAside, iso},
    {"24", "file update not supported by receiver", Decline, leave, Retry::No, PutAside, iso},
    {"25", "unable to locate record on file", Decline, leave, Retry::No, PutAside, iso},
    {"26", "duplicate file update record", Decline, leave, Retry::No, PutAside, iso},
    {"27", "file update field edit error", Decline, leave, Retry::No, PutAside, iso},
    {"28", "file update file locked out", Decline, leave, Retry::No, PutAside, iso},
    {"29", "file update not successful", Decline, leave, Retry::No, PutAside, iso},
    {"30", "format error", FormatError, leave, Retry::AfterFixingData, PutAside, iso},
    {"31", "bank not supported by switch", Decline, leave, Retry::No, PutAside, iso},
    {"32", "completed partially", ApprovePartial, leave, Retry::No, Done, iso},
    {"33", "expired card, pick up", Decline, keep, Retry::Never, PutAside, iso},
    {"34", "suspected fraud, pick up", Decline, keep, Retry::Never, PutAside, iso},
    {"35", "card acceptor contact acquirer, pick up", Decline, keep, Retry::Never, PutAside, iso},
    {"36", "restricted card, pick up", Decline, keep, Retry::Never, PutAside, iso},
    {"37", "card acceptor call acquirer security, pick up", Decline, keep, Retry::Never, PutAside, iso},
    {"38", "PIN tries exceeded, pick up", Decline, keep, Retry::Never, PutAside, iso},
    {"39", "no credit account", Decline, leave, Retry::No, PutAside, iso},
    {"40", "requested function not supported", Decline, leave, Retry::No, PutAside, iso},
    {"41", "lost card, pick up", Decline, keep, Retry::Never, PutAside, iso},
    {"42", "no universal account", Decline, leave, Retry::No, PutAside, iso},
    {"43", "stolen card, pick up", Decline, keep, Retry::Never, PutAside, iso},
    {"44", "no investment account", Decline, leave, Retry::No, PutAside, iso},
    {"46", "closed account (scheme code)", Decline, leave, Retry::Never, PutAside, scheme},
    {"51", "not sufficient funds", Decline, leave, Retry::Later, PutAside, iso},
    {"52", "no cheque account", Decline, leave, Retry::No, PutAside, iso},
    {"53", "no savings account", Decline, leave, Retry::No, PutAside, iso},
    {"54", "expired card", Decline, leave, Retry::AfterFixingData, PutAside, iso},
    {"55", "incorrect PIN", Decline, leave, Retry::AfterFixingData, PutAside, iso},
    {"56", "no card record", Decline, leave, Retry::No, PutAside, iso},
    {"57", "transaction not permitted to cardholder", Decline, leave, Retry::Never, PutAside, iso},
    {"58", "transaction not permitted to terminal", Decline, leave, Retry::No, PutAside, iso},
    {"59", "suspected fraud", Decline, leave, Retry::Later, PutAside, iso},
    {"60", "card acceptor contact acquirer", Decline, leave, Retry::No, PutAside, iso},
    {"61", "exceeds withdrawal amount limit", Decline, leave, Retry::Later, PutAside, iso},
    {"62", "restricted card", Decline, leave, Retry::No, PutAside, iso},
    {"63", "security violation", Decline, leave, Retry::No, PutAside, iso},
    {"64", "original amount incorrect", Decline, leave, Retry::No, PutAside, iso},
    {"65", "exceeds withdrawal frequency limit", Decline, leave, Retry::Later, PutAside, iso},
    {"66", "card acceptor call acquirer security", Decline, leave, Retry::No, PutAside, iso},
    {"67", "hard capture", Decline, keep, Retry::Never, PutAside, iso},
    // 68: the answer came after the time-out: a reversal may be needed
    {"68", "response received too late", Technical, leave, Retry::Later, Repeat, iso},
    {"6P", "verification failed (scheme code)", Decline, leave, Retry::AfterFixingData, PutAside, scheme},
    {"70", "PIN data required (scheme code)", Decline, leave, Retry::AfterFixingData, PutAside, scheme},
    {"75", "PIN tries exceeded", Decline, leave, Retry::Later, PutAside, iso},
    {"78", "blocked, first use (scheme code)", Decline, leave, Retry::No, PutAside, scheme},
    {"82", "negative CVV result (scheme code)", Decline, leave, Retry::AfterFixingData, PutAside, scheme},
    {"85", "no reason to decline (zero-amount account check)", ApproveZeroAmountOnly, leave, Retry::No, Done, scheme},
    {"86", "cannot verify PIN (scheme code)", Decline, leave, Retry::Later, PutAside, scheme},
    {"90", "cut-off in process", Technical, leave, Retry::Later, Repeat, iso},
    {"91", "issuer or switch inoperative", Technical, leave, Retry::Later, Repeat, iso},
    {"92", "no route to the financial institution", Technical, leave, Retry::Later, Repeat, iso},
    {"93", "cannot be completed, violation of law", Decline, leave, Retry::No, PutAside, iso},
    {"94", "duplicate transmission", Duplicate, leave, Retry::No, Done, iso},
    {"95", "reconcile error", Decline, leave, Retry::No, PutAside, iso},
    {"96", "system malfunction", Technical, leave, Retry::Later, Repeat, iso},
    {"N3", "cash service not available (scheme code)", Decline, leave, Retry::Later, PutAside, scheme},
    {"N4", "cash request exceeds issuer limit (scheme code)", Decline, leave, Retry::Later, PutAside, scheme},
    {"N7", "CVV2 failure (scheme code)", Decline, leave, Retry::AfterFixingData, PutAside, scheme},
    {"R0", "stop payment order (scheme code)", Decline, leave, Retry::Never, PutAside, scheme},
    {"R1", "revocation of authorization (scheme code)", Decline, leave, Retry::Never, PutAside, scheme},
    {"R3", "revocation of all authorizations (scheme code)", Decline, leave, Retry::Never, PutAside, scheme},
}};
// clang-format on
static_assert(std::ranges::is_sorted(table, {}, &ResponseCode::code));

}  // namespace

std::span<const ResponseCode> response_codes() {
  return table;
}

const ResponseCode* find_response_code(std::string_view code) {
  const auto found = std::ranges::lower_bound(table, code, {}, &ResponseCode::code);
  return found != table.end() && found->code == code ? &*found : nullptr;
}

}  // namespace nightdrop::iso8583
