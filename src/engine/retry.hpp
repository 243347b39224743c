// When to try again: after failures of the line (exponential backoff, full jitter), and after declines (the networks'
// rules, RULES 19). Pure; randomness is handed in.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "nightdrop/answer.hpp"
#include "nightdrop/payment.hpp"
#include "nightdrop/policy.hpp"

namespace nightdrop::engine {

inline constexpr std::chrono::milliseconds backoff_base{500};
inline constexpr std::chrono::milliseconds backoff_cap{60'000};

// A delay between 0 and min(cap, base * 2^(attempts-1)), uniform in `random`. Requires: attempts >= 1.
std::chrono::milliseconds backoff(std::uint32_t attempts, std::uint64_t random);

// Whether the networks forbid another try: Visa's category 1 codes, Mastercard's advice 03 and 21, or "hard".
bool is_never_again(Brand brand, std::string_view response_code, std::string_view advice_code,
                    DeclineCategory category);

// When a declined payment may be tried again; nothing when it may not (final).
// Standard: retry rules of Visa (15 in 30 days) and Mastercard (10 a day, 35 in 30 days; advice 24-30 name the wait).
std::optional<UtcMs> decline_retry_at(const Policy& policy, const Payment& payment, const DeclinedAnswer& answer,
                                      UtcMs now);

// The reason of a reversal that the acquirer refused: what it should have undone may stand.
inline constexpr std::string_view reversal_rejected = "reversal_rejected";

// What a person should do about a decline, one sentence. `retry_at` as above.
std::string_view next_action(std::string_view reason, std::string_view response_code, DeclineCategory category,
                             bool will_retry);

}  // namespace nightdrop::engine
