// A merchant's overlay: a JSON object of the policy's shape, any subset of it, that tightens the signed policy. It
// needs no signature because it can only tighten: whatever it says, a payment that the signed policy refuses stays
// refused. What would loosen anything makes the whole overlay invalid, with the field's name; nothing of it is then in
// force, so that nobody believes in half of it.
#pragma once

#include <expected>
#include <string_view>

#include "config/policy_json.hpp"
#include "nightdrop/policy.hpp"

namespace nightdrop {

// The signed policy with the overlay laid over it. Pure. A member that the overlay leaves out stays as it is signed;
// `currencies` and the lists of what is allowed keep only what the overlay names, `blocked_…` lists are added to,
// `approvers` ([{"id"}]) keeps those named. Ensures: compare_policies(policy, result) finds nothing looser.
// Errors: Loosens; Invalid and AboveCeiling as parse_policy() has them, and for a member that an overlay may not have.
std::expected<Policy, PolicyError> tighten_policy(const Policy& policy, std::string_view overlay);

}  // namespace nightdrop
