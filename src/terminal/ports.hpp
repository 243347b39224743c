// What the terminal stands on. References outlive their users; the composition root owns them all.
#pragma once

#include "acquirer/https/request.hpp"
#include "hal/card_reader.hpp"
#include "hal/clock.hpp"
#include "hal/entropy.hpp"
#include "hal/host_link.hpp"
#include "hal/identity_certificate.hpp"
#include "hal/indicator.hpp"
#include "hal/key_vault.hpp"
#include "hal/link_monitor.hpp"
#include "hal/record_store.hpp"
#include "terminal/sealed_export.hpp"

namespace nightdrop::terminal {

struct Ports {
  hal::RecordStore& store;
  hal::KeyVault& vault;
  hal::CardReader& reader;
  hal::HostLink& host;
  hal::LinkMonitor& links;
  const hal::Clock& clock;
  hal::Entropy& entropy;
  hal::Indicator& indicator;
  hal::IdentityCertificate* certificate{nullptr};  // null: not watched
};

struct Settings {
  acquirer::Merchant merchant;
  int utc_offset_minutes{0};
  std::size_t window{16};                          // requests to the acquirer at once
  bool batch{true};                                // use batches where the acquirer lists them
  Sha256 sha256;                                   // for sealed exports
  std::string certificate_pem;                     // of the vault's identity key, for sealed exports
  hal::Older accepted_copies{hal::Older::Refuse};  // an older vault or queue that a person has decided to go on with
  // Keeps the export of a reader that was tampered with; durable when Ok.
  std::function<Result<void>(const SealedExport& made, UtcMs at)> keep_export;
};

}  // namespace nightdrop::terminal
