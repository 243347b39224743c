// What an acquirer's answer makes of a payment. Pure: takes the payment as it stands on disk, gives it as it shall be
// written, and what else must be in the same commit.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/lifecycle.hpp"
#include "nightdrop/answer.hpp"
#include "nightdrop/payment.hpp"
#include "nightdrop/policy.hpp"

namespace nightdrop::engine {

struct Settlement {
  Payment payment;
  bool answered{false};                    // the host decided: count it, report it
  std::optional<ReversalReason> reversal;  // to be stored with it
  bool suspend_forwarding{false};          // 401, 403
  bool suspect_route{false};               // no answer of the acquirer's
};

// Applies an event of the table. Requires: the table allows it (a forbidden cell is a bug).
void apply(Payment& payment, Event event);

// Sets what the row adds to the totals from its status. Called before every write.
void set_exposure(Payment& payment);

// Erases what may not outlive the authorization (PCI DSS 3.3.1): the envelope with its PIN block.
void erase_card(Payment& payment);

// Ends the plan to try a declined payment again: it stays declined, and its card data are erased. False where there is
// no such plan.
bool end_retries(Payment& payment);

// Reads an answer to an attempt that was made for `payment` (status processing or forwarding).
// `random` drives the backoff. Standard: docs/acquirer_api.md, Answers.
Settlement settle(const Payment& payment, const Answer& answer, const Policy& policy, UtcMs now, std::uint64_t random);

}  // namespace nightdrop::engine
