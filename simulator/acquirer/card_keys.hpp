// The acquirer's keys, keys.json: the BDK that derives every reader's keys again.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <string>

#include "nightdrop/payment.hpp"
#include "nightdrop/secret.hpp"

namespace nightdrop::simulator {

struct CardKeys {
  SecretBytes bdk;
  std::array<std::uint8_t, 4> bdk_id{};
  KeyType bdk_type{KeyType::Aes128};
};

// Reads keys.json of the acquirer's folder. Errors: one sentence that names the file and the field, never a key.
std::expected<CardKeys, std::string> load_card_keys(const std::string& directory);

}  // namespace nightdrop::simulator
