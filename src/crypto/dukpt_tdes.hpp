// TDES DUKPT, the host's side (ANSI X9.24-1-2009, annex A): an older fleet's PIN blocks and MACs can be checked.
// Nightdrop readers originate AES DUKPT alone.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "nightdrop/result.hpp"
#include "nightdrop/secret.hpp"

namespace nightdrop::dukpt_tdes {

using Ksn = std::array<std::uint8_t, 10>;  // key set ID and device ID 59 bits, transaction counter 21 bits

// The initial PIN encryption key of a device.
// Requires: a 16-byte BDK. Errors: InvalidArgument, CryptoFailed.
[[nodiscard]] Result<Secret<16>> derive_initial_key(std::span<const std::uint8_t> bdk, const Ksn& ksn);
// The key of one transaction, from which the variants come.
// Errors: InvalidArgument (key size; counter 0 or with more than ten one-bits), CryptoFailed.
[[nodiscard]] Result<Secret<16>> derive_transaction_key(std::span<const std::uint8_t> initial_key, const Ksn& ksn);
// Variants: PIN encryption, MAC of the request, data of the request (one-way under itself).
Secret<16> pin_key(const Secret<16>& transaction_key);
Secret<16> mac_request_key(const Secret<16>& transaction_key);
[[nodiscard]] Result<Secret<16>> data_request_key(const Secret<16>& transaction_key);
// Retail MAC, leftmost four bytes; the data is padded with zeros.
// Standard: ANSI X9.19.
[[nodiscard]] Result<std::array<std::uint8_t, 4>> retail_mac(const Secret<16>& key, std::span<const std::uint8_t> data);

}  // namespace nightdrop::dukpt_tdes
