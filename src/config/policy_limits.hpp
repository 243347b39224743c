// What a policy's values may not pass: sane maxima, the networks' retry rules, and the ceiling that the acquirer wrote
// into the document. A value the document leaves out counts as its default; a limit that is off (approval_threshold
// null) counts as above any; a currency that the ceiling does not name may not be in the policy.
#pragma once

#include <optional>
#include <string_view>

#include "config/fields.hpp"
#include "nightdrop/policy.hpp"

namespace nightdrop::config {

inline constexpr std::int64_t total_max = 1'000'000'000'000;
inline constexpr std::int64_t count_max = 100'000'000;
inline constexpr std::int64_t seconds_max = 365 * 86'400;

// Three lower-case letters.
std::optional<Currency> currency_of(std::string_view code);

// Visa: at most 15 in 30 days; Mastercard: at most 10 a day (rule 19).
void check_networks_ceiling(Fields& decline_retries, std::int64_t max_per_day, std::int64_t max_per_30_days);

// Takes the member `ceiling` of the document and holds `policy` against it. Null is as good as absent.
void check_ceiling(Fields& document, const Policy& policy);

}  // namespace nightdrop::config
