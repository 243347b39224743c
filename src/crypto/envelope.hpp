// The card envelope `nd1` (docs/card_envelope.md): card data under a DUKPT data key that exists once, bound by its AAD
// to the payment it is for. The reader's side seals with a DukptDevice; the host's side opens with the BDK.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "crypto/dukpt.hpp"
#include "nightdrop/payment.hpp"
#include "nightdrop/result.hpp"
#include "nightdrop/secret.hpp"

namespace nightdrop {

// What the envelope is bound to.
struct EnvelopeBinding {
  std::string_view id;
  ObjectKind kind{ObjectKind::PaymentIntent};
  std::int64_t card_amount{0};  // minor units; what the card saw (9F02)
  Currency currency{};
  std::string_view terminal_id;
};

// The AAD: "nightdrop/1", id, kind, card amount, currency, terminal id; LF between, none at the end.
std::string envelope_aad(const EnvelopeBinding& binding);

// The type of the data and PIN keys a device with keys of this size makes: AES-256 under an AES-256 BDK, else AES-128.
KeyType envelope_key_type(std::size_t device_key_bytes);

// Seals under the device's current transaction; `online_pin` (ASCII digits) may be empty. Spends nothing: the caller
// advances the device at once.
// Errors: CounterExhausted, InvalidArgument (PIN or PAN), CryptoFailed, Io (no random bytes).
[[nodiscard]] Result<Envelope> seal_envelope(const dukpt::DukptDevice& device, std::span<const std::uint8_t> plaintext,
                                             std::string_view aad, std::span<const std::uint8_t> online_pin,
                                             std::span<const std::uint8_t> pan);

// Host: the plaintext of an envelope.
// Errors: InvalidArgument (a KSN that no device may originate; a key type stronger than the BDK), WrongKey (BDK, AAD or
// data), CryptoFailed.
[[nodiscard]] Result<SecretBytes> open_envelope(std::span<const std::uint8_t> bdk, const Envelope& envelope,
                                                std::string_view aad);
// Host: the PIN of an envelope's PIN block.
// Errors: NotFound (it has none), Malformed (not a block of this key and PAN), as open_envelope().
[[nodiscard]] Result<SecretBytes> open_envelope_pin(std::span<const std::uint8_t> bdk, const Envelope& envelope,
                                                    std::span<const std::uint8_t> pan);

// fp_ + 32 hex digits: the first 16 bytes of HMAC-SHA-256 of the PAN's ASCII digits.
std::string card_fingerprint(std::span<const std::uint8_t> fingerprint_key, std::span<const std::uint8_t> pan);

}  // namespace nightdrop
