// The sub-commands. Each prints its result and gives the exit code.
#pragma once

#include "cli/options.hpp"
#include "cli/session.hpp"

namespace nightdrop::cli {

// Taking and giving back money: pay.cpp.
int run_pay(Session& session, const PayOptions& options);
int run_refund(Session& session, const RefundOptions& options);
int run_approve(Session& session, const Options& options);

// Looking at payments and changing stored ones: payments.cpp.
int run_list(Session& session, const ListOptions& options);
int run_show(Session& session, const Options& options);
int run_tip(Session& session, const Options& options);
int run_void(Session& session, const Options& options);
int run_declines(Session& session, const ListOptions& options);
int run_ack(Session& session, const Options& options);

// The queue: queue.cpp.
int run_status(Session& session);
int run_forward(Session& session, const Options& options);
int run_report(Session& session, const Options& options);
int run_accept_damage(Session& session);

// The policy in force: policy.cpp.
int run_policy_show(Session& session);
int run_policy_update(Session& session, const Options& options);
int run_policy_reload(Session& session);

int run_reconcile(Session& session, const Options& options);     // reconcile.cpp
int run_events(Session& session, const EventsOptions& options);  // events.cpp

// The journal: audit.cpp.
int run_audit_export(Session& session, const AuditOptions& options);
int run_audit_verify(Session& session, const AuditOptions& options);

int run_export_sealed(Session& session, const ExportOptions& options);  // sealed.cpp
int run_rekey(Session& session, const std::string& key_block_file);     // rekey.cpp

// The receipt of a payment, headed by what the reader says of itself.
std::string receipt_of(Session& session, JsonView payment, bool merchant_copy);

}  // namespace nightdrop::cli
