// What one policy allows beside another, field by field. A field is tighter where the second policy admits a part of
// what the first admits, looser where it admits anything that the first does not; fields that order nothing (whose
// policy it is, PINs, how long the books are kept) are merely different. The same comparison refuses an overlay that
// loosens and tells a person what a new policy changes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nightdrop/policy.hpp"

namespace nightdrop {

enum class PolicyDirection : std::uint8_t { Tighter, Looser, Different };

struct PolicyDifference {
  std::string field;  // dotted: currencies.usd.per_transaction
  PolicyDirection direction{PolicyDirection::Different};
  std::string before;  // JSON; of approvers the ids alone
  std::string after;
};

// The fields that differ, in the order of docs/policy.md; none where both are the same.
std::vector<PolicyDifference> compare_policies(const Policy& before, const Policy& after);

}  // namespace nightdrop
