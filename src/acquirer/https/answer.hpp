// Reads what came back from the acquirer into the engine's answers (docs/acquirer_api.md, Answers). Strict: whatever
// is not exactly an answer about this very payment is never an outcome.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hal/host_link.hpp"
#include "nightdrop/answer.hpp"

namespace nightdrop::acquirer {

// Of POST /v1/payments and GET /v1/payments/{id}; `inquiry` tells which (only a GET's 404 means never received).
Answer read_payment_answer(const hal::HostOutcome& outcome, const std::string& payment_id, bool inquiry, UtcMs now);

// Of POST /v1/payments/{id}/reversal.
Answer read_reversal_answer(const hal::HostOutcome& outcome, const std::string& payment_id, UtcMs now);

// Of POST /v1/payments:batch: one answer an id, in the order of `payment_ids`; no result is NoAnswer. When the batch as
// a whole was refused, every element says so (Rejected where the batch itself cannot be used: send them singly).
std::vector<Answer> read_batch_answer(const hal::HostOutcome& outcome, const std::vector<std::string>& payment_ids,
                                      UtcMs now);

struct Capabilities {
  std::size_t batch{0};  // payments a batch; 0: none
  bool http2{false};
  UtcMs server_time{0};
};
// Nothing unless it is the acquirer's own answer: only then is the route good.
std::optional<Capabilities> read_capabilities(const hal::HostOutcome& outcome);

}  // namespace nightdrop::acquirer
