// Leading a payment through what only people can do: presenting a card, approving with a PIN, deciding after a lost
// network. Ctrl-C cancels the payment in order; a second one leaves at once.
#pragma once

#include <string>

#include "cli/options.hpp"
#include "cli/session.hpp"

namespace nightdrop::cli {

// Drives the intent on from the state it is in until nobody has to do anything any more.
// Ensures: its last object. Errors: the reader's last refusal; interrupted.
Called drive(Session& session, Answer intent, int timeout_s, const ApprovalOptions& approval);

// Approves as the approver named, or asked for, with a PIN from standard input or asked for without echo.
// `extra` goes into the params of `method`, beside approver and PIN.
Called with_approval(Session& session, std::string_view method, const Json& extra, const ApprovalOptions& approval);

}  // namespace nightdrop::cli
