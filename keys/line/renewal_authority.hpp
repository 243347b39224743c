// The authority by which an acquirer renews readers' certificates: a sub-authority of the manufacturing CA for clients
// alone (docs/certificates.md), with a key of its own outside of the HSM, in the acquirer's folder.
#pragma once

#include <string>

#include "keys/line/station.hpp"
#include "keys/outcome.hpp"

namespace nightdrop::keys {

inline constexpr int renewal_authority_days = 3'650;

// Makes renewal.key, renewal.pem and manufacturing_ca.pem in `acquirer_dir`. It ends no later than the manufacturing
// CA. Errors: CannotCreate (also where there is one: what it certified would no longer be renewed by it), Software (the
// HSM).
Outcome<Made> make_renewal_authority(Station& station, const std::string& acquirer_dir,
                                     int days = renewal_authority_days);

}  // namespace nightdrop::keys
