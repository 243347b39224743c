// Port: the reader's keys, by operation and never by key bytes (the database key, which SQLCipher must be handed, is the
// one exception). Counters: seal_card() spends a DUKPT counter value; the caller commits counter() in the same
// transaction as what was sealed, and only then lets it leave the box. At start-up the caller says what it committed.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nightdrop/payment.hpp"
#include "nightdrop/result.hpp"
#include "nightdrop/secret.hpp"

namespace nightdrop::hal {

class KeyVault {
 public:
  virtual ~KeyVault() = default;

  // Encrypts card data under the next transaction's AES DUKPT data key; the used key exists no more when this returns.
  // `online_pin` (ASCII digits) may be empty; else it becomes an ISO 9564-1 format 4 block with `pan` (ASCII digits).
  // Errors: CounterExhausted (final), Unavailable (the vault's file could not be written: retry), CryptoFailed.
  // Standard: ANSI X9.24-3-2017, 6.3; docs/card_envelope.md.
  [[nodiscard]] virtual Result<Envelope> seal_card(std::span<const std::uint8_t> plaintext, std::string_view aad,
                                     std::span<const std::uint8_t> online_pin, std::span<const std::uint8_t> pan) = 0;
  // The last spent counter value; 0 if none.
  virtual std::uint32_t counter() const = 0;
  // Whether a next counter value exists.
  virtual bool exhausted() const = 0;
  // Never again spends a value up to `counter`. Called once at start-up with what the queue committed; with nullopt-like 0
  // on a queue that was lost, the vault goes on after the highest value it may ever have handed out.
  [[nodiscard]] virtual Result<void> resume_after(std::uint32_t counter, bool queue_was_lost) = 0;
  // Makes the erasure of spent keys durable, soon and not on the caller's thread.
  virtual void erase_spent_keys() = 0;

  // fp_ + 32 hex digits: HMAC-SHA-256 of the PAN's ASCII digits under the merchant's fingerprint key, first 16 bytes.
  [[nodiscard]] virtual Result<std::string> fingerprint(std::span<const std::uint8_t> pan) = 0;
  // ECDSA P-256 with SHA-256 by the reader's identity key; DER.
  [[nodiscard]] virtual Result<std::vector<std::uint8_t>> sign(std::span<const std::uint8_t> message) = 0;
  // As sign(), of a digest of 32 bytes that the caller made (TLS client authentication). Thread-safe.
  [[nodiscard]] virtual Result<std::vector<std::uint8_t>> sign_digest(std::span<const std::uint8_t> digest) = 0;
  // Hands the raw 256-bit database key to `use` and wipes it after.
  [[nodiscard]] virtual Result<void> with_queue_key(const std::function<Result<void>(std::span<const std::uint8_t, 32>)>& use) = 0;

  // PBKDF2-HMAC-SHA-256 of `pin`, compared in constant time, on another thread; `done` is called on the loop's.
  virtual void check_pin(SecretBytes pin, std::vector<std::uint8_t> salt, std::vector<std::uint8_t> hash,
                         std::uint32_t iterations, std::function<void(bool matches)> done) = 0;
};

}  // namespace nightdrop::hal
