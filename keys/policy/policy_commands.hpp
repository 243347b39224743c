// The sub-commands of `nightdrop-provision policy`.
#pragma once

#include <string>

#include "keys/outcome.hpp"
#include "nightdrop/payment.hpp"

namespace nightdrop::keys {

// Prints the default, or a preset, with every key. Errors: Usage (no such preset).
Outcome<Made> policy_defaults(const std::string& preset);
// The presets there are.
Outcome<Made> policy_presets();
// Checks a policy as nightdropd would, but for its age; its signature too where `signer_file` (PEM) is not empty.
Outcome<Made> policy_check(const std::string& file, const std::string& signer_file, UtcMs now);
// Who signs: a key in a PEM file, or the key `policy` in the HSM of a station's folder. One of the two.
struct PolicySigner {
  std::string key_file;
  std::string station;
};
// Signs `in` byte for byte: `out` and `out`.sig.
Outcome<Made> policy_sign(const PolicySigner& signer, const std::string& in, const std::string& out);
// The HSM's public key, PEM: what readers hold as policy_signer.pem.
Outcome<Made> policy_signer(const std::string& station);
// Puts an approver into `file`, with the PIN from standard input. The file's old signature does not fit any more.
Outcome<Made> policy_add_approver(const std::string& file, const std::string& id, bool replace);

}  // namespace nightdrop::keys
