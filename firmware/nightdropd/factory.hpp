// The reader in factory state (nightdropd --factory): serves provisioning sessions, one after another, until it is told
// to stop; and the end of a reader's use, an erasure by a signed order. The composition root of both.
#pragma once

#include <expected>
#include <string>

#include "config/config.hpp"
#include "firmware/nightdropd/daemon.hpp"

namespace nightdrop::firmware {

struct FactoryOptions {
  std::string home;
  std::string serial_number;
  std::string listen;          // unix:PATH, serial:/dev/LINE or tcp:127.0.0.1:PORT
  std::string authority_file;  // the manufacturing CA's certificate, PEM
  bool once{false};            // ends after a commit
  VaultConfig vault;           // what the vault to be made stands on: as vault_backend in nightdrop.json
};

// Prints one line {"event":"factory",...} when a station can connect; ends in order on SIGTERM, SIGINT, and with `once`
// after a commit. A provisioned reader is served as well: it says who it is, and takes an erase order.
std::expected<void, StartFailure> run_factory(const FactoryOptions& options);

// Brings the reader of `config`, whose daemon is stopped, back to factory state by the signed order in `order_file`;
// its manufacturing_ca.pem says whose orders count.
std::expected<void, StartFailure> erase_reader(const Config& config, const std::string& config_file,
                                               const std::string& order_file);

// Whether nothing is lost with this reader's queue: no payment waits in it, or all that wait have been exported.
// Errors: a sentence that says what is in the way.
std::expected<void, std::string> queue_may_go(const Config& config);

}  // namespace nightdrop::firmware
