// The key ceremony of a station: its HSM chosen, keys made in it or brought into it under dual control, keys given to
// an acquirer's HSM, all of it in the transcript. Each function is one command; each step of it is done once however
// often the command is run, so that a command that a crash cut off is simply run again.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "keys/outcome.hpp"
#include "nightdrop/payment.hpp"

namespace nightdrop::keys {

// What all commands of a ceremony are given.
struct CeremonyContext {
  std::string folder;                  // the station's
  std::vector<std::string> operators;  // who is at the keyboard; empty: the login's name
  std::function<UtcMs()> clock;
  // Told of each step when it is done and durable: for progress, and for tests that end the process there.
  std::function<void(const std::string& step)> at = [](const std::string&) {};
};

struct HsmInitOptions {
  std::string module;       // empty: SoftHSM2 in the station's folder
  std::string token_label;  // SoftHSM2: of the token that is made
  std::string pin_file;     // empty: asked for, now and each time
  std::string so_pin_file;  // SoftHSM2 alone; empty: asked for
};
// Chooses the HSM: writes hsm.json; for SoftHSM2 makes the token too. The PIN is tried.
// Errors: CannotCreate (there is an hsm.json already), and Hsm::open()'s.
Outcome<Made> hsm_init(const CeremonyContext& context, const HsmInitOptions& options);

struct CeremonyInitOptions {
  std::string key_type{"aes-128"};  // of the BDK
  std::vector<std::string> merchants;
  std::string authority_name{"Nightdrop manufacturing CA"};
  std::string station_name{"station-1"};
};
// Makes what is missing of the station's keys and certificates.
// Errors: CannotCreate (the ceremony was finished before), Data (what is there does not fit), Usage.
Outcome<Made> ceremony_init(const CeremonyContext& context, const CeremonyInitOptions& options);
// A merchant's fingerprint key. Errors: CannotCreate (it is there), Usage.
Outcome<Made> ceremony_add_merchant(const CeremonyContext& context, const std::string& merchant);

// New certificates for the keys `station` and `orders`, under their names, in place of those that end.
// Errors: Data (the ceremony was not finished), CannotCreate.
Outcome<Made> ceremony_renew(const CeremonyContext& context);

struct CeremonyImportOptions {
  std::string key;                           // bdk, bdk/ID, kbpk/NAME, transport or fingerprint/M
  std::size_t components{2};                 // 2 or 3
  std::vector<std::string> custodians;       // empty: asked for
  std::vector<std::string> component_files;  // empty: asked for
  std::string check_value;                   // of the whole key; empty: asked for
  std::string tr31_file;                     // in place of components
  std::string kbpk;                          // NAME of kbpk/NAME
};
// Brings a key in, as components or as a key block.
// Errors: Data (a check value, a component, the block), Usage, CannotCreate (a key of that name is there).
Outcome<Made> ceremony_import(const CeremonyContext& context, const CeremonyImportOptions& options);

// A random component with its check value, in a file for one custodian (0600), as `ceremony import` takes it. Neither
// the HSM nor a station is needed. Errors: Usage, CannotCreate (the file is there).
Outcome<Made> ceremony_component(const std::string& key_type, const std::string& out);

struct CeremonyExportOptions {
  std::string key;   // bdk/ID or fingerprint/M
  std::string kbpk;  // NAME of kbpk/NAME
  std::string out;
  bool final{false};  // afterwards the key never leaves the HSM again
};
// Errors: Data (not extractable), CannotCreate (the file is there), Usage.
Outcome<Made> ceremony_export(const CeremonyContext& context, const CeremonyExportOptions& options);

// The keys in the HSM.
Outcome<Made> ceremony_show(const CeremonyContext& context);
// The transcript, and with `verify` whether chain, signature and the signer's certificate hold; without the HSM.
// Errors: Data (where it was changed), NoInput.
Outcome<Made> ceremony_transcript(const CeremonyContext& context, bool verify);

}  // namespace nightdrop::keys
