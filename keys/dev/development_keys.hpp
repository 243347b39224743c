// The symmetric side of a development reader: a BDK with its ID, the reader's initial key ID, and keys.json, what the
// acquirer has of them (docs/card_envelope.md).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "crypto/dukpt.hpp"
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

// Fresh keys; with `bdk` where that is not empty. The BDK's ID is the start of its check value (CMAC of zeros), so the
// same BDK has the same ID wherever it is provisioned. Requires: `bdk` empty or of 16 or 32 bytes. Errors:
// CryptoFailed, Io.
[[nodiscard]] Result<DevelopmentKeys> make_development_keys(std::span<const std::uint8_t> bdk, KeyType key_type);

// The reader's: BDK ID, then four bytes of the serial number: its number where that is ND and six digits, else a part
// of its SHA-256 with the top bit set. Readers that share one under one BDK share their keys, so no two spellings of a
// number may meet here.
// Standard: ANSI X9.24-3-2017 (initial key ID).
dukpt::InitialKeyId initial_key_id(const DevelopmentKeys& keys, std::string_view serial_number);

// The text of keys.json: bdk, bdk_id, key_type, fingerprint_key.
SecretBytes keys_json(const DevelopmentKeys& keys);

}  // namespace nightdrop::keys
