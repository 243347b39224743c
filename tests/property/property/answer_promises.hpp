// What is promised of the acquirer's answers for any body: checked for each kind of request with the same bytes. An
// outcome comes with 200 and this payment's id alone, amounts and texts are bounded, and a wait is at most an hour.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "acquirer/https/answer.hpp"
#include "nightdrop/result.hpp"

namespace nightdrop::test {

inline constexpr std::string_view fuzzed_id = "pi_0193f0c4a1b27c3d8e4f5a6b7c8d9e0f";

// Requires nothing of `body`. Stops the process if a promise is broken.
inline void exercise_answer(std::string_view body, int status) {
  constexpr UtcMs now = 1'795'290'003'123;
  const std::string id(fuzzed_id);
  hal::HostReply reply;
  reply.status = status;
  reply.body = body;
  const bool names_it = body.find(fuzzed_id) != std::string_view::npos || body.find("\\u") != std::string_view::npos;
  for (const bool inquiry : {false, true}) {
    const Answer answer = acquirer::read_payment_answer(reply, id, inquiry, now);
    ND_ASSERT(!std::holds_alternative<NoAnswer>(answer) && !std::holds_alternative<NeverSent>(answer));
    ND_ASSERT(!std::holds_alternative<ReversalDone>(answer));
    ND_ASSERT(inquiry || !std::holds_alternative<NeverReceived>(answer));
    if (const auto* approved = std::get_if<Approved>(&answer)) {
      ND_ASSERT(status == 200 && names_it);
      ND_ASSERT(approved->authorization.approved_amount >= 0 && approved->authorization.approved_amount <= amount_max);
      ND_ASSERT(approved->authorization.id.size() <= 64 && approved->emv.size() <= 64);
    }
    if (std::holds_alternative<DeclinedAnswer>(answer)) ND_ASSERT(status == 200 && names_it);
    if (std::holds_alternative<Pending>(answer)) ND_ASSERT((status == 200 || status == 202) && names_it);
    if (std::holds_alternative<NotAuthorized>(answer)) ND_ASSERT(status == 401 || status == 403);
  }
  if (std::holds_alternative<ReversalDone>(acquirer::read_reversal_answer(reply, id, now))) {
    ND_ASSERT((status == 200 || status == 202) && names_it);
  }
  ND_ASSERT(acquirer::read_batch_answer(reply, {id, "pi_2", "pi_3"}, now).size() == 3);
  if (const auto capabilities = acquirer::read_capabilities(reply))
    ND_ASSERT(status == 200 && capabilities->batch <= 100);
  hal::HostReply later;
  later.status = 503;
  later.headers = {{"retry-after", std::string(body)}};
  const Answer again = acquirer::read_payment_answer(later, id, false, now);
  if (const auto& wait = std::get<TryAgain>(again).retry_after)
    ND_ASSERT(wait->count() >= 0 && *wait <= std::chrono::hours(1));
}

}  // namespace nightdrop::test
