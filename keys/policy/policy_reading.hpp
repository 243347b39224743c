// The commands that read policies: show, diff, verify.
#pragma once

#include <string>

#include "keys/outcome.hpp"
#include "nightdrop/payment.hpp"

namespace nightdrop::keys {

// The policy as a table. Errors: NoInput, Data.
Outcome<Made> policy_show(const std::string& file);
// What `after` changes, field by field, and which way; drafts may be compared too. The exit code is 1 where they
// differ. Errors: NoInput, Data.
Outcome<Made> policy_diff(const std::string& before, const std::string& after);

}  // namespace nightdrop::keys
