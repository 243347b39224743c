// What the acquirer of a development reader has of its keys, keys.json (docs/card_envelope.md), and where the reader's
// derivation numbers begin.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "keys/line/station_db.hpp"
#include "nightdrop/payment.hpp"
#include "nightdrop/result.hpp"
#include "nightdrop/secret.hpp"

namespace nightdrop::keys {

struct DevelopmentKeys {
  SecretBytes bdk;
  SecretBytes fingerprint_key;  // 32 bytes
  KeyType key_type{KeyType::Aes128};
  std::array<std::uint8_t, 4> bdk_id{};
};

// The derivation numbers of the station that makes this reader alone: 256 that no other serial number's meet, for its
// number where that is ND and six digits, else for a part of its SHA-256 with the top bit set. A reader that is made
// anew begins at a random place in the first half, because its station has forgotten the one before: readers that share
// a derivation number under one given BDK share their keys. Errors: Io (no random bytes).
[[nodiscard]] Result<DerivationRange> derivation_range(std::string_view serial_number);

// The text of keys.json: bdk, bdk_id, key_type, fingerprint_key.
SecretBytes keys_json(const DevelopmentKeys& keys);

}  // namespace nightdrop::keys
