// The session's records: each direction has its key, and the number of the record in its direction is the nonce, so
// that a record that is changed, left out, repeated, reordered or sent back opens for nobody.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "nightdrop/result.hpp"
#include "nightdrop/secret.hpp"

namespace nightdrop::provisioning {

struct SessionKeys {
  SecretBytes to_reader;   // AES-256-GCM
  SecretBytes to_station;  // AES-256-GCM
  SecretBytes kbpk;        // AES-256, for TR-31
};

enum class End : std::uint8_t { Station, Reader };

class Channel {
 public:
  // Requires: keys of 32 bytes that no other Channel of this end was ever made with.
  Channel(End end, SessionKeys keys) : end_(end), keys_(std::move(keys)) {}

  // Errors: InvalidArgument (longer than a frame holds), CryptoFailed.
  [[nodiscard]] Result<std::vector<std::uint8_t>> seal(std::span<const std::uint8_t> plaintext);
  // Errors: WrongKey (not the other end's next record), CryptoFailed.
  [[nodiscard]] Result<SecretBytes> open(std::span<const std::uint8_t> record);
  std::span<const std::uint8_t> kbpk() const { return keys_.kbpk.view(); }

 private:
  End end_;
  SessionKeys keys_;
  std::uint64_t sent_{0};
  std::uint64_t received_{0};
};

}  // namespace nightdrop::provisioning
