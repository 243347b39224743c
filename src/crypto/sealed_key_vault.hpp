// The KeyVault over sealed files in a directory (vault_directory.hpp) and a root of trust (root_of_trust.hpp). The
// DUKPT file holds keys of the future alone and a ceiling: a counter value is spent only while it is at or below a
// ceiling that is on the disk, so that even a reader that lost its queue knows where to go on. The ceiling runs ahead
// of the counter, and a background thread writes it and the erasure of spent keys; a payment waits for the disk only
// when that thread has fallen behind. Made by VaultMaker (vault_maker.hpp).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/dukpt.hpp"
#include "crypto/p256.hpp"
#include "crypto/root_of_trust.hpp"
#include "hal/key_vault.hpp"

namespace nightdrop {

class SealedKeyVault final : public hal::KeyVault {
 public:
  // Runs a callable on the loop's thread.
  using Post = std::function<void(std::function<void()>)>;

  // Whether a vault with development keys opens. Accepted is for the tool alone that makes such readers, in a release
  // build too; a daemon never says it.
  enum class Development : std::uint8_t { NotInRelease, Accepted };

  // Opens the vault; it is this object's alone (Busy for another) until it is destroyed. seal_card() works after
  // resume(). A vault whose card keys were erased opens as that.
  // Errors: NotFound (none, or it was erased), Busy, WrongKey (a file was changed or is another device's; the token's
  // PIN), Corrupt, InvalidArgument (the root key can be read by others), DevelopmentKey, Io.
  [[nodiscard]] static Result<std::unique_ptr<SealedKeyVault>> open(
      const std::filesystem::path& dir, Post post, const RootSettings& root = {},
      Development development = Development::NotInRelease);
  // Waits for what the background thread has in hand. PIN checks not yet begun are dropped, their `done` never called.
  ~SealedKeyVault() override;

  [[nodiscard]] Result<Envelope> seal_card(std::span<const std::uint8_t> plaintext, std::string_view aad,
                                           std::span<const std::uint8_t> online_pin,
                                           std::span<const std::uint8_t> pan) override;
  hal::VaultMarks marks() const override;
  bool exhausted() const override;
  [[nodiscard]] Result<void> resume(const hal::QueueMarks& queue, hal::Older accepted) override;
  void erase_spent_keys(std::uint64_t committed_journal_seq) override;
  [[nodiscard]] Result<hal::PossessionProof> prove(std::span<const std::uint8_t> message) override;
  [[nodiscard]] Result<void> rekey(std::string_view tr31_block) override;
  [[nodiscard]] Result<void> erase_card_keys() override;
  [[nodiscard]] Result<void> erase() override;
  hal::VaultState state() const override;
  [[nodiscard]] Result<std::string> fingerprint(std::span<const std::uint8_t> pan) override;
  [[nodiscard]] Result<std::vector<std::uint8_t>> sign(std::span<const std::uint8_t> message) override;
  [[nodiscard]] Result<std::vector<std::uint8_t>> sign_digest(std::span<const std::uint8_t> digest) override;
  [[nodiscard]] Result<void> with_queue_key(
      const std::function<Result<void>(std::span<const std::uint8_t, 32>)>& use) override;
  void check_pin(SecretBytes pin, std::vector<std::uint8_t> salt, std::vector<std::uint8_t> hash,
                 std::uint32_t iterations, std::function<void(bool matches)> done) override;

  // The public half of the identity key, 04 | x | y.
  const P256Point& identity_public_key() const;
  // Of the present initial key; zeros when the card keys are erased.
  dukpt::InitialKeyId initial_key_id() const;
  // The type of key its envelopes are sealed under.
  KeyType key_type() const;
  bool is_development() const;

  // Waits until every erase_spent_keys() so far is on the disk, or has failed.
  // Errors: Io, of the last write.
  [[nodiscard]] Result<void> flush();
  // For simulations: while `fault` gives true, operations fail as Unavailable. Called from any thread, one at a time.
  void set_fault(std::function<bool()> fault);

 private:
  struct State;
  explicit SealedKeyVault(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace nightdrop
