// Port: the reader's keys, by operation and never by key bytes (the database key, which SQLCipher must be handed, is
// the one exception). Counters: seal_card() spends a DUKPT counter value; the caller commits marks() in the same
// transaction as what was sealed, and only then lets it leave the box. At start-up the caller says what it committed,
// and each side finds out whether the other is an older copy: the vault remembers how far the queue's journal had come,
// the queue how often the vault's file had been written.
#pragma once

#include <array>
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

// What the caller commits with each turn that sealed, and at start-up.
struct VaultMarks {
  std::array<std::uint8_t, 8> initial_key_id{};
  std::uint32_t counter{0};     // the last spent value under that initial key; 0 if none
  std::uint64_t generation{0};  // durable changes of the vault; grows over rekey() and erase_card_keys() too
};
// What the queue has committed. An IKID of zeros and a generation of 0 are "not known", never a sign of an older copy.
struct QueueMarks {
  std::array<std::uint8_t, 8> initial_key_id{};
  std::uint32_t counter{0};
  std::uint64_t journal_seq{0};       // of its last event
  std::uint64_t vault_generation{0};  // of the last marks it committed
  bool queue_was_lost{false};         // it started empty, or was found damaged: its numbers prove nothing
};
// Which older copies a person has decided to go on with.
enum class Older : std::uint8_t { Refuse, AcceptQueue, AcceptVault, AcceptBoth };

enum class VaultState : std::uint8_t {
  Ready,
  CardKeysErased,  // no card can be sealed any more; identity and queue key are there, for what waits in the queue
  Erased,          // nothing is there
};

// That this reader holds its identity key and its initial key.
struct PossessionProof {
  std::vector<std::uint8_t> signature;  // as sign()
  Ksn ksn{};
  std::array<std::uint8_t, 16> mac{};  // AES-CMAC by the DUKPT MAC generation key (usage 2000) of that KSN
};

class KeyVault {
 public:
  virtual ~KeyVault() = default;

  // Encrypts card data under the next transaction's AES DUKPT data key; the used key exists no more when this returns.
  // `online_pin` (ASCII digits) may be empty; else it becomes an ISO 9564-1 format 4 block with `pan` (ASCII digits).
  // Errors: CounterExhausted (final), Unavailable (the vault's file could not be written: retry), CryptoFailed.
  // Standard: ANSI X9.24-3-2017, 6.3; docs/card_envelope.md.
  [[nodiscard]] virtual Result<Envelope> seal_card(std::span<const std::uint8_t> plaintext, std::string_view aad,
                                                   std::span<const std::uint8_t> online_pin,
                                                   std::span<const std::uint8_t> pan) = 0;
  // What is durable in the vault's file now, and the last spent counter value.
  virtual VaultMarks marks() const = 0;
  // Whether no next counter value exists: all are spent, or the keys are erased.
  virtual bool exhausted() const = 0;
  // Called at start-up with what the queue committed, before anything is sealed. No value that may have left the box is
  // spent again, whatever is older: the vault goes on after the highest that either side knows of.
  // Ensures: durable when Ok; the vault then holds `queue` for the truth.
  // Errors: RolledBack, with older_queue_text or older_vault_text: that one is an older copy and `accepted` does not
  // name it; or with replaced_keys_text, which nothing accepts: the copy is from before a rekey(). Unavailable (the
  // file could not be written). After an Error nothing has changed, and it may be called again.
  [[nodiscard]] virtual Result<void> resume(const QueueMarks& queue, Older accepted) = 0;
  // Makes the erasure of spent keys durable, soon and not on the caller's thread, and with it the note of how far the
  // queue's journal had come in the last commit: the witness against an older queue.
  virtual void erase_spent_keys(std::uint64_t committed_journal_seq) = 0;

  // Signs `message` by the identity key and authenticates it by the next transaction's MAC key, whose counter value is
  // spent. Requires: resume(). Ensures: spent durably before it returns, as nothing commits it for the caller.
  // Errors: CounterExhausted, Unavailable, CryptoFailed.
  // Standard: ANSI X9.24-3-2017, 6.3; NIST SP 800-38B.
  [[nodiscard]] virtual Result<PossessionProof> prove(std::span<const std::uint8_t> message) = 0;
  // Takes a new initial key from a TR-31 block: usage B1, optional block IK, under the present one's update key. What
  // was sealed before stays as it is; what is sealed after is under the new key, from its counter value 1. Requires:
  // resume(). Ensures: durable in one write before anything is sealed under it; the old registers are wiped. Errors:
  // Malformed, WrongKey, Unsupported (the block), InvalidArgument (no AES key, no IKID, a key stronger than the one it
  // came under), Conflict (an IKID this vault has or had), CounterExhausted, Unavailable, CryptoFailed; the old key
  // goes on. Standard: ANSI X9.143-2022; ANSI X9.24-3-2017, 6.5 (counter FFFFFFFF, usage 0002).
  [[nodiscard]] virtual Result<void> rekey(std::string_view tr31_block) = 0;

  // Erases the DUKPT registers and the fingerprint key, in memory first and then on the disk, before it returns;
  // nothing brings them back. Identity and queue key stay. Cut off at any moment it is brought to its end by the next
  // opening. Errors: Io (they are gone from memory; the disk is tried again at the next opening).
  [[nodiscard]] virtual Result<void> erase_card_keys() = 0;
  // Erases every key. What waits in the queue can't be opened any more: export it first. Errors: as erase_card_keys().
  [[nodiscard]] virtual Result<void> erase() = 0;
  virtual VaultState state() const = 0;

  // fp_ + 32 hex digits: HMAC-SHA-256 of the PAN's ASCII digits under the merchant's fingerprint key, first 16 bytes.
  [[nodiscard]] virtual Result<std::string> fingerprint(std::span<const std::uint8_t> pan) = 0;
  // ECDSA P-256 with SHA-256 by the reader's identity key; DER.
  [[nodiscard]] virtual Result<std::vector<std::uint8_t>> sign(std::span<const std::uint8_t> message) = 0;
  // As sign(), of a digest of 32 bytes that the caller made (TLS client authentication). Thread-safe.
  [[nodiscard]] virtual Result<std::vector<std::uint8_t>> sign_digest(std::span<const std::uint8_t> digest) = 0;
  // Hands the raw 256-bit database key to `use` and wipes it after.
  [[nodiscard]] virtual Result<void> with_queue_key(
      const std::function<Result<void>(std::span<const std::uint8_t, 32>)>& use) = 0;

  // PBKDF2-HMAC-SHA-256 of `pin`, compared in constant time, on another thread; `done` is called on the loop's.
  virtual void check_pin(SecretBytes pin, std::vector<std::uint8_t> salt, std::vector<std::uint8_t> hash,
                         std::uint32_t iterations, std::function<void(bool matches)> done) = 0;
};

// What a person is told of RolledBack, and by what the three are told apart.
inline constexpr char older_queue_text[] =
    "the queue is an older copy than the vault has seen: payments that were stored since are missing from it";
inline constexpr char older_vault_text[] =
    "the vault is an older copy than the queue has seen: keys that were spent since are in it again";
inline constexpr char replaced_keys_text[] =
    "the vault is an older copy, of before its initial key was replaced: it can't go on and must be provisioned anew";

}  // namespace nightdrop::hal
