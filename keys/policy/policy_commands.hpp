// The sub-commands of `nightdrop-provision policy`.
#pragma once

#include <string>

#include "keys/outcome.hpp"
#include "nightdrop/payment.hpp"

namespace nightdrop::keys {

// Prints the default with every key.
Outcome<Made> policy_defaults();
// Checks a policy as nightdropd would, but for its age; its signature too where `signer_file` (PEM) is not empty.
Outcome<Made> policy_check(const std::string& file, const std::string& signer_file, UtcMs now);
// Signs `in` byte for byte: `out` and `out`.sig.
Outcome<Made> policy_sign(const std::string& key_file, const std::string& in, const std::string& out);
// Puts an approver into `file`, with the PIN from standard input. The file's old signature does not fit any more.
Outcome<Made> policy_add_approver(const std::string& file, const std::string& id, bool replace);

}  // namespace nightdrop::keys
