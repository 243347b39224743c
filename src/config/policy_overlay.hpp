// A merchant's overlay: a JSON object of the policy's shape, any subset of it, that tightens the signed policy. It
// needs no signature because it can only tighten: whatever it says, a payment that the signed policy refuses stays
// refused. Of the two the tighter is in force, field by field: what tightens counts, what would loosen is left out and
// named, so that one field too many does not switch all the others off. An overlay that cannot be read as one, with an
// unknown key or a value out of its range, is refused whole: nobody knows what it was to say.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "config/policy_json.hpp"
#include "nightdrop/policy.hpp"

namespace nightdrop {

struct TightenedPolicy {
  Policy policy;
  std::vector<std::string> left_out;  // fields of the overlay that would have loosened something; dotted, each once
  // One sentence that names them; empty where nothing was left out.
  std::string left_out_sentence() const;
};

// The signed policy with the overlay laid over it. Pure. A member that the overlay leaves out stays as it is signed;
// `currencies` and the lists of what is allowed keep only what both name, `blocked_…` lists are added to, `approvers`
// ([{"id"}]) keeps those that both name. Ensures: compare_policies(policy, result) finds nothing but tighter fields.
// Errors: Invalid and AboveCeiling as parse_policy() has them, and for a member that an overlay may not have; Loosens
// for a field of which it is not known how to keep the tighter.
std::expected<TightenedPolicy, PolicyError> tighten_policy(const Policy& policy, std::string_view overlay);

}  // namespace nightdrop
