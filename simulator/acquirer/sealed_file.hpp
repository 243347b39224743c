// A reader's sealed export (docs/sealed_export.md), read and verified: whole, unchanged, and signed by the identity key
// of the reader that is registered under its serial number. What the file says of its own certificate counts for
// nothing.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace nightdrop::simulator {

struct SealedPayment {
  std::string id;
  std::string key;        // Idempotency-Key
  std::string_view body;  // byte for byte what POST /v1/payments would carry
  bool expired{false};
};
struct SealedReversal {
  std::string id;
  std::string key;
  std::string_view body;
};
// Lifetime: views are of the text that was read.
struct SealedFile {
  std::string serial_number;
  std::string created;
  std::vector<SealedPayment> payments;  // a refund comes after its sale
  std::vector<SealedReversal> reversals;
};

// Reads an export; `directory` is the acquirer's, with readers/SERIAL.pem.
// Errors: one sentence for a person; nothing of the file is used then.
std::expected<SealedFile, std::string> read_sealed(std::string_view text, const std::string& directory);

}  // namespace nightdrop::simulator
