// The policy document in the hands of who writes it: the default, drafts with gaps, approvers, the signature.
// A draft is a policy in which what has no default (valid_from, valid_until, merchant_id) may still be null or missing.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "config/policy_json.hpp"
#include "keys/outcome.hpp"
#include "x509/memory_key.hpp"

namespace nightdrop::keys {

// Iterations of PBKDF2 for a new PIN: about 0.2 s on a desktop.
inline constexpr std::uint32_t pin_iterations = 200'000;
inline constexpr std::size_t pin_length_min = 4;
inline constexpr std::size_t pin_length_max = 12;

// `policy` with every key in it; null where there is no default: whose it is, from when and until when.
Json draft_of(const Policy& policy);
// The development policy: the default, usd, eur and gbp, the merchant m_0001, the approver `manager` with PIN 2468.
Outcome<Json> development_policy(UtcMs now);

// `document` with the gaps of a draft filled in as in the development policy; the same bytes where there are none.
// Errors: Data, where the result is no policy (the message names the field).
Outcome<std::string> fill_gaps(const std::string& document, UtcMs now);
// The document without gaps, as a Policy.
// Errors: Data.
Outcome<Policy> check_policy(const std::string& document, const std::string& name);

// A new approver, with a fresh salt. Requires: a PIN of pin_length_min to pin_length_max digits.
Outcome<Approver> make_approver(std::string_view id, std::span<const std::uint8_t> pin);
// Puts the approver into a draft, in place of one with that id only where `replace` says so.
// Errors: Data.
Outcome<std::string> with_approver(const std::string& document, const Approver& approver, bool replace);

// ECDSA P-256 with SHA-256 over the bytes; DER. Of a key in a file or in an HSM.
using SignPolicy = std::function<Outcome<std::vector<std::uint8_t>>(std::span<const std::uint8_t>)>;

// Writes `document` to `file` and its signature to `file`.sig, the signature last: a reader that looks in between
// refuses the policy and keeps the one it has.
Outcome<void> write_signed(const std::filesystem::path& file, const std::string& document, const SignPolicy& sign);
Outcome<void> write_signed(const std::filesystem::path& file, const std::string& document, const x509::MemoryKey& key);

// ECDSA as load_policy() wants it.
Result<void> verify_signature(std::string_view signer_pem, std::span<const std::uint8_t> message,
                              std::span<const std::uint8_t> signature);

}  // namespace nightdrop::keys
