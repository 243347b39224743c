// The operator's side of a development reader: a station in DIR/station with its keys in SoftHSM2, made by the same
// ceremony as any, and what an acquirer gets of those keys by an export under a key it shares with the HSM.
#pragma once

#include <filesystem>
#include <string>

#include "keys/dev/development_keys.hpp"
#include "keys/line/station_db.hpp"
#include "keys/outcome.hpp"
#include "nightdrop/payment.hpp"
#include "x509/memory_key.hpp"

namespace nightdrop::keys {

struct DevelopmentStation {
  std::filesystem::path folder;  // nothing in it yet
  std::string merchant;
  KeyType key_type{KeyType::Aes128};
  std::span<const std::uint8_t> bdk;  // 16 or 32 bytes; empty: the HSM makes one
};

// Makes the token with random PINs in files beside it, holds the ceremony, and brings `policy_key` in as the HSM's
// policy key: it is a file too, for who signs policies without the station. Gives what the acquirer opened.
Outcome<DevelopmentKeys> make_development_station(const DevelopmentStation& wanted, const x509::MemoryKey& policy_key,
                                                  UtcMs now);

}  // namespace nightdrop::keys
