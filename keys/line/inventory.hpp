// What a station knows about the readers it made, and what it says about them: lists, labels, figures, revocations; and
// asking a reader whether it still is what the database says.
#pragma once

#include <string>

#include "keys/line/provision_unit.hpp"
#include "keys/line/station.hpp"
#include "keys/outcome.hpp"

namespace nightdrop::keys {

// All units, or those in a state of this name. Errors: Usage (no such state).
Outcome<Made> list_units(Station& station, const std::string& state);

// Opens a session with the reader at `connection` (empty: the unit's own; `serial_number` empty: whoever answers there)
// and compares what it says with the database; a new initial key that it shows is in force from here on. Errors: Data
// (a difference, named), Unavailable (the reader).
Outcome<Made> verify_unit(Station& station, const std::string& serial_number, const std::string& connection,
                          const provisioning::Timeouts& timeouts);

// Writes SERIAL.svg, SERIAL.png and SERIAL.zpl into `folder`. Errors: Data (not provisioned), CannotCreate.
Outcome<Made> make_label(Station& station, const std::string& serial_number, const std::string& folder);

// Yield, failures by reason, times, check values of the BDKs and fingerprint keys.
Outcome<Made> report(Station& station);

// Takes the certificate of a unit out of trust (`serial_number` empty: none) and writes the revocation list anew, into
// DIR/revoked.pem and `acquirer_dir` where one is given. Errors: Data, CannotCreate.
Outcome<Made> revoke_unit(Station& station, const std::string& serial_number, const std::string& reason,
                          const std::string& acquirer_dir);

// Writes the operator's signed word that this reader goes back to factory state (provisioning/erase_order.hpp).
// `certificate`: serial number of the one it has, where that was renewed since; empty: the one it got here.
// Errors: Data (not provisioned), CannotCreate.
Outcome<Made> make_erase_order_file(Station& station, const std::string& serial_number, const std::string& certificate,
                                    const std::string& out, int days);

// Hands an erase order to the reader at `connection`, which goes back to factory state. Errors: NoInput (the order),
// Unavailable (the reader is not there, or refuses: its reason), Data (who it is).
Outcome<Made> erase_unit(Station& station, const std::string& serial_number, const std::string& connection,
                         const std::string& order_file, const provisioning::Timeouts& timeouts);

// Writes a new initial key for a reader in the field: a TR-31 block under the update key of the one it has
// (`present`, 16 hex digits; empty: the one the database knows, refused while another rekey has not been seen).
// Errors: Data, CannotCreate. Standard: ANSI X9.24-3-2017, 6.3.1 (key update).
Outcome<Made> make_rekey_file(Station& station, const std::string& serial_number, const std::string& present,
                              const std::string& bdk_id, const std::string& out);

// The unit with this serial number. Errors: Data.
Outcome<Unit> known_unit(Station& station, const std::string& serial_number);

}  // namespace nightdrop::keys
