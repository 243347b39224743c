// The policy document (docs/policy.md) into a Policy and back. Strict: an unknown key, a value out of its range, or one
// above the document's own ceiling makes the whole policy invalid. load_policy() is the only way a reader takes one:
// signed, by the configured signer, and not older than the newest it has ever taken. Whether it is still valid is the
// engine's question (Policy::valid_until), not an error here: an expired policy still forwards what is stored.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "json/json.hpp"
#include "nightdrop/policy.hpp"
#include "nightdrop/result.hpp"

namespace nightdrop {

struct PolicyError {
  enum class Kind : std::uint8_t {
    Invalid,         // no JSON, an unknown key, a value out of its range
    AboveCeiling,    // above the acquirer's limits, or above the networks' (rule 19)
    Unsigned,        // no signature, or one that is no base64
    WrongSignature,  // made by another key, or over other bytes; or the signer is no P-256 public key
    Older,           // a newer one was taken before
    Conflict,        // the version that is in force, with other content
    OtherMerchant,   // of another merchant than the one this reader was made for
    Expired,         // already run out when it came
    Loosens,         // an overlay that would allow more than the signed policy (policy_overlay.hpp)
    Unreadable,      // a file that is not there or cannot be read
    NotKept,         // good, but the disk did not take it
  };
  Kind kind{Kind::Invalid};
  std::string message;  // one sentence that names the field; no value from the document
};

// ECDSA P-256 with SHA-256: Ok only if `signature` (DER) is by the key of `signer_pem` over `message`. Handed in, so
// that this folder needs no crypto: p256_from_spki_pem() and p256_verify() in a row.
using VerifySignature = std::function<Result<void>(std::string_view signer_pem, std::span<const std::uint8_t> message,
                                                   std::span<const std::uint8_t> signature)>;

// The document's Policy; the signature is not looked at.
// Errors: Invalid, AboveCeiling.
std::expected<Policy, PolicyError> parse_policy(std::string_view document);

// As parse_policy(), of a document that `signer_pem` signed (base64 of the DER signature over its exact bytes) and
// whose version is at least `highest_version_seen`. Errors: all kinds. The signature is checked before anything in the
// document is looked at.
std::expected<Policy, PolicyError> load_policy(std::string_view document, std::string_view signature_base64,
                                               std::string_view signer_pem, std::int64_t highest_version_seen,
                                               const VerifySignature& verify);

// The policy with every key, in the order of docs/policy.md; the ceiling, which a Policy does not keep, left out.
Json policy_json(const Policy& policy);

}  // namespace nightdrop
