// The commands that read policies: show, diff, verify.
#pragma once

#include <string>

#include "keys/outcome.hpp"
#include "nightdrop/payment.hpp"

namespace nightdrop::keys {

// The policy as a table; with an overlay (a file's name, or empty) as a reader would have it.
// Errors: NoInput, Data (the overlay would loosen it, too).
Outcome<Made> policy_show(const std::string& file, const std::string& overlay_file);
// What `after` changes, field by field, and which way; drafts may be compared too. The exit code is 1 where they
// differ. Errors: NoInput, Data.
Outcome<Made> policy_diff(const std::string& before, const std::string& after);

}  // namespace nightdrop::keys
