// Checks the journal's hash chain and its signed checkpoints, line by line (docs/card_envelope.md, "The journal").
// Stops at the first thing that is wrong and says at which event.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/p256.hpp"
#include "json/json.hpp"

namespace nightdrop::cli {

// What a reader's certificate says that is needed here.
struct ReaderCertificate {
  P256Point key{};
  std::string serial_number;  // the subject's serialNumber, else its common name; may be empty
};

// Reads a PEM certificate, or a bare public key.
// Errors: Malformed; Unsupported for any other key than P-256.
// Standard: RFC 5280, 4.1; RFC 5480.
Result<ReaderCertificate> parse_certificate(std::string_view pem);

class AuditChain {
 public:
  // With a key the checkpoints' signatures are checked against it and the serial number.
  explicit AuditChain(std::optional<P256Point> key = std::nullopt, std::string serial_number = {})
      : key_(key), serial_number_(std::move(serial_number)) {}

  // Where a pruned journal begins: the hash of the last event that is gone. Without it the first line decides.
  // Errors: what is wrong, one sentence.
  std::optional<std::string> start(std::uint64_t seq, std::string_view hash_hex);
  // The next line of the journal.
  // Ensures: nothing if it fits. Errors: what is wrong and where, one sentence; nothing after it counts.
  std::optional<std::string> take(JsonView line);

  std::uint64_t events() const { return events_; }
  std::uint64_t checkpoints() const { return checkpoints_; }
  std::optional<std::uint64_t> first_seq() const { return first_seq_; }
  std::uint64_t last_seq() const { return last_seq_; }
  std::uint64_t signed_through() const { return signed_through_; }
  bool checks_signatures() const { return key_.has_value(); }

 private:
  std::optional<std::string> take_event(JsonView line);
  std::optional<std::string> take_checkpoint(JsonView checkpoint, std::string_view signature);

  std::optional<P256Point> key_;
  std::string serial_number_;
  bool begun_{false};
  std::array<std::uint8_t, 32> hash_{};
  std::uint64_t last_seq_{0};
  std::optional<std::uint64_t> first_seq_;
  std::uint64_t events_{0};
  std::uint64_t checkpoints_{0};
  std::uint64_t signed_through_{0};
};

}  // namespace nightdrop::cli
