// AES DUKPT: a key for each transaction that the device itself cannot derive again (ANSI X9.24-3-2017). The host
// derives any key from the BDK; the device holds up to 32 intermediate keys, one for each subtree of counters still
// ahead of it. Invariants of DukptDevice: register i is in use exactly if it leads to a counter value not yet spent,
// the register of the current transaction is the one at the lowest one-bit of its counter, and a register is wiped the
// moment its counter is spent. A counter value has at most 16 one-bits; 0 is never a transaction.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "nightdrop/payment.hpp"
#include "nightdrop/result.hpp"
#include "nightdrop/secret.hpp"

namespace nightdrop::dukpt {

using InitialKeyId = std::array<std::uint8_t, 8>;  // BDK ID 4, derivation ID 4

inline constexpr std::uint32_t counter_max = 0xFFFF0000;  // the last transaction
inline constexpr std::uint32_t update_key_counter =
    0xFFFFFFFF;  // no transaction: the key that brings a new initial key
inline constexpr int counter_bits_max = 16;

// What a derived key is for; named from the device (X9.24-3, table 3).
enum class Usage : std::uint16_t {
  KeyEncryption = 0x0002,
  PinEncryption = 0x1000,
  MacGeneration = 0x2000,
  MacVerification = 0x2001,
  MacBoth = 0x2002,
  DataEncrypt = 0x3000,
  DataDecrypt = 0x3001,
  DataBoth = 0x3002,
  KeyDerivation = 0x8000,
  InitialKey = 0x8001,
};
// What kind of key is derived (X9.24-3, tables 4 and 5).
enum class KeyKind : std::uint8_t { Tdea2, Tdea3, Aes128, Aes192, Aes256, Hmac128, Hmac192, Hmac256 };

// Length of a key of that kind in bytes.
std::size_t key_size(KeyKind kind);
// The kind of an AES key of that many bytes.
// Errors: InvalidArgument.
[[nodiscard]] Result<KeyKind> aes_kind(std::size_t key_bytes);

// KSN = initial key ID, then the transaction counter.
Ksn make_ksn(const InitialKeyId& id, std::uint32_t counter);
InitialKeyId initial_key_id(const Ksn& ksn);
std::uint32_t transaction_counter(const Ksn& ksn);
// Errors: Malformed (not 12 bytes), InvalidArgument (a counter that is never a transaction's).
[[nodiscard]] Result<Ksn> parse_ksn(std::span<const std::uint8_t> bytes);
[[nodiscard]] Result<Ksn> parse_ksn_hex(std::string_view text);

// Whether a device may originate a transaction with this counter value.
bool is_transaction_counter(std::uint32_t counter);
// The smallest transaction counter above `counter`; nothing above FFFF0000.
std::optional<std::uint32_t> next_counter(std::uint32_t counter);

// The 16 bytes that are encrypted under the parent key to give block `block` (1 or 2) of the derived key.
// Standard: X9.24-3-2017, 6.2 and table 2.
std::array<std::uint8_t, 16> derivation_data(Usage usage, KeyKind kind, const InitialKeyId& id, std::uint32_t counter,
                                             std::uint8_t block);

// Host: the initial key of a device.
// Errors: InvalidArgument (BDK not 16, 24 or 32 bytes), CryptoFailed.
[[nodiscard]] Result<SecretBytes> derive_initial_key(std::span<const std::uint8_t> bdk, const InitialKeyId& id);
// Host: the derivation key of one counter value, from which its working keys come. Counters with 17 one-bits, which
// devices by the letter of the standard's pseudo code may send, are derived too; who receives decides on accepting
// them. Errors: InvalidArgument (counter 0), CryptoFailed.
[[nodiscard]] Result<SecretBytes> derive_transaction_key(std::span<const std::uint8_t> initial_key,
                                                         const InitialKeyId& id, std::uint32_t counter);
// Host: a working key of one KSN.
// Errors: InvalidArgument (counter 0, or a key stronger than its parent), CryptoFailed.
[[nodiscard]] Result<SecretBytes> derive_working_key(std::span<const std::uint8_t> initial_key, const Ksn& ksn,
                                                     Usage usage, KeyKind kind);
// A working key from its transaction's derivation key.
[[nodiscard]] Result<SecretBytes> derive_from_transaction_key(std::span<const std::uint8_t> transaction_key,
                                                              const Ksn& ksn, Usage usage, KeyKind kind);

// The originating side: holds keys of the future alone.
class DukptDevice {
 public:
  // Loads an initial key: derives the 32 registers; the first transaction is 1. The caller wipes the initial key.
  // Errors: InvalidArgument (key size), CryptoFailed.
  [[nodiscard]] static Result<DukptDevice> load(std::span<const std::uint8_t> initial_key, const InitialKeyId& id);
  // Reads what serialise() gave.
  // Errors: Corrupt.
  [[nodiscard]] static Result<DukptDevice> deserialise(std::span<const std::uint8_t> bytes);
  // All that is needed to go on later; to be stored sealed.
  SecretBytes serialise() const;

  const InitialKeyId& initial_key_id() const { return id_; }
  std::size_t key_size() const { return key_size_; }
  // The current transaction's counter value, not yet spent; nothing when exhausted.
  std::optional<std::uint32_t> current() const;
  bool exhausted() const { return current_ == 0; }
  // The current transaction's KSN. Requires: not exhausted.
  Ksn ksn() const { return make_ksn(id_, current_); }

  // A working key of the current transaction; any number of them, of different usages.
  // Errors: CounterExhausted, InvalidArgument (stronger than the device's keys), CryptoFailed.
  [[nodiscard]] Result<SecretBytes> working_key(Usage usage, KeyKind kind) const;
  // Spends the current counter value: derives what it leads to, wipes its key, goes to the next value.
  // Errors: CounterExhausted, CryptoFailed (then nothing has changed).
  [[nodiscard]] Result<void> advance();
  // Makes every value up to `counter` underivable, in at most 32 rounds of derivation; nothing to do when it is behind.
  // Errors: CryptoFailed (then nothing has changed).
  [[nodiscard]] Result<void> skip_past(std::uint32_t counter);
  // The key that a new initial key comes under; independent of the transactions.
  // Errors: CounterExhausted, InvalidArgument, CryptoFailed.
  [[nodiscard]] Result<SecretBytes> update_key(KeyKind kind) const;

  // The register at one bit, or empty when it is erased. For tests and diagnostics of the key's life.
  std::span<const std::uint8_t> register_at(std::size_t bit) const;

 private:
  static constexpr std::size_t register_count = 32;
  static constexpr std::size_t slot_size = 32;

  DukptDevice(const InitialKeyId& id, std::size_t key_size) : id_(id), key_size_(key_size) {}
  DukptDevice copy() const;
  std::span<std::uint8_t> slot(std::size_t bit) { return registers_.writable().subspan(bit * slot_size, key_size_); }
  std::span<const std::uint8_t> slot(std::size_t bit) const {
    return registers_.view().subspan(bit * slot_size, key_size_);
  }
  bool in_use(std::size_t bit) const { return (used_ >> bit & 1U) != 0; }
  void erase(std::size_t bit);
  Result<void> derive_below(std::span<const std::uint8_t> parent, std::uint32_t parent_counter, std::size_t bit);
  Result<void> descend(std::uint32_t target);

  InitialKeyId id_{};
  std::size_t key_size_{0};
  std::uint32_t current_{0};  // 0: exhausted
  std::uint32_t used_{0};     // bit i: register i is in use
  SecretBytes registers_{register_count * slot_size};
};

}  // namespace nightdrop::dukpt
