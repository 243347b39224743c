// `nightdrop-provision dev`: a whole simulated reader and its acquirer's side, with fresh keys, in one folder. Method:
// a station in DIR/station, made by the same ceremony as any, provisions a reader whose home is DIR by the same session
// as any, over a line that does not leave the process. The keys are for development: the vault carries a mark that a
// release build of nightdropd refuses, and the BDK lies beside it for the simulated acquirer.
#pragma once

#include <filesystem>
#include <string>

#include "keys/outcome.hpp"
#include "nightdrop/payment.hpp"
#include "nightdrop/secret.hpp"

namespace nightdrop::keys {

struct DevelopmentOptions {
  std::filesystem::path folder;
  std::string serial_number{"ND000001"};
  std::string acquirer_url{"https://127.0.0.1:8443"};
  std::string policy_file;  // unsigned; empty: the development policy
  SecretBytes bdk;          // 16 or 32 bytes; empty: a fresh one
  KeyType key_type{KeyType::Aes128};
  bool force{false};  // also into a folder that holds something else
};

// Makes the folder, or makes it anew where this tool made it before: keys, queue and ledger of the earlier one are
// gone. Ensures: a folder with nightdrop.json holds a whole reader; station/ is put beside it last. Errors:
// CannotCreate (files; a foreign folder; a path too long for a socket), Config (serial number, URL), Data (policy).
Outcome<Made> make_development_reader(const DevelopmentOptions& options, UtcMs now);

}  // namespace nightdrop::keys
