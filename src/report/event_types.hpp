// The types of events that a POS can subscribe to (docs/pos_protocol.md, Events); audit.* entries are for the journal
// alone. A new type is named here and there; tests/unit/pos compares this list with what is journalled.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

#include "nightdrop/words.hpp"

namespace nightdrop::report {

inline constexpr std::string_view payment_event_prefix = "payment_intent.";  // with a status behind it
inline constexpr std::array<std::string_view, 24> event_types{
    "offline_status.changed",
    "link.changed",
    "limit.near",
    "limit.reached",
    "deadline.near",
    "sync.started",
    "sync.completed",
    "clock.untrusted",
    "store.degraded",
    "policy.changed",
    "policy.refused",
    "policy.expiring",
    "payments.exported",
    "certificate.expiring",
    "certificate.renewed",
    "certificate.renewal_failed",
    "keys.changed",
    "vault.marks",
    "rollback.accepted",
    "rollback.not_needed",
    "tamper.detected",
    "reader.action_required",
    "reader.card_inserted",
    "reader.card_removed",
};

// Whether there are events of this type, now or one day.
inline bool is_event_type(std::string_view type) {
  if (std::ranges::find(event_types, type) != event_types.end()) return true;
  if (!type.starts_with(payment_event_prefix)) return false;
  type.remove_prefix(payment_event_prefix.size());
  return std::ranges::any_of(words<Status>, [&](const auto& each) { return each.second == type; });
}

}  // namespace nightdrop::report
