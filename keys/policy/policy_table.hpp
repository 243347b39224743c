// A policy in a merchant's words: amounts with the currency's decimals, times in days and hours, lists by name.
#pragma once

#include <string>
#include <string_view>

#include "nightdrop/policy.hpp"

namespace nightdrop::keys {

// The whole policy as a table. `has_ceiling`: the document holds the acquirer's limits.
std::string policy_table(const Policy& policy, bool has_ceiling);

// One value of a policy's field (dotted; JSON) as the table has it: currencies.usd.device_total, 100000 -> 1,000.00.
std::string shown_value(std::string_view field, std::string_view json);

// 90000 -> 1 d 1 h; 45 -> 45 s. Units: seconds.
std::string shown_seconds(std::int64_t seconds);

}  // namespace nightdrop::keys
