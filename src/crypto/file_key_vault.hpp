// The KeyVault over files, each sealed with AES-256-GCM under the device's root key. The DUKPT file holds keys of the
// future alone and a ceiling: a counter value is spent only while it is at or below a ceiling that is on the disk, so
// that even a reader that lost its queue knows where to go on. The ceiling runs ahead of the counter, and a background
// thread writes it and the erasure of spent keys; a payment waits for the disk only when that thread has fallen behind.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "crypto/dukpt.hpp"
#include "crypto/p256.hpp"
#include "hal/key_vault.hpp"

namespace nightdrop {

// What the provisioning tool puts into a new vault.
struct VaultContents {
  SecretBytes initial_key;  // AES DUKPT initial key, 16, 24 or 32 bytes; it is not stored, only what it leads to
  dukpt::InitialKeyId initial_key_id{};
  SecretBytes identity_scalar;  // P-256, 32 bytes; empty: a fresh one
  SecretBytes fingerprint_key;  // per merchant, at least 16 bytes
  SecretBytes queue_key;        // 32 bytes; empty: a fresh one
  bool development{false};      // keys that everybody knows: a release build refuses this vault
};

class FileKeyVault final : public hal::KeyVault {
 public:
  // Runs a callable on the loop's thread.
  using Post = std::function<void(std::function<void()>)>;

  // Makes a vault in `dir` (created with mode 0700). Durable when Ok; a vault that was cut off in the making can be
  // made again. Errors: Conflict (there is a vault), InvalidArgument (contents), Io, CryptoFailed.
  [[nodiscard]] static Result<void> create(const std::filesystem::path& dir, const VaultContents& contents);
  // Opens the vault; it is this object's alone (Busy for another) until it is destroyed. seal_card() works after
  // resume_after(). Errors: NotFound, Busy, WrongKey (a file was changed or is another device's), Corrupt,
  // InvalidArgument (root.key can be read by others), DevelopmentKey, Io.
  [[nodiscard]] static Result<std::unique_ptr<FileKeyVault>> open(const std::filesystem::path& dir, Post post);
  // Waits for what the background thread has in hand. PIN checks not yet begun are dropped, their `done` never called.
  ~FileKeyVault() override;

  [[nodiscard]] Result<Envelope> seal_card(std::span<const std::uint8_t> plaintext, std::string_view aad,
                                           std::span<const std::uint8_t> online_pin,
                                           std::span<const std::uint8_t> pan) override;
  std::uint32_t counter() const override;
  bool exhausted() const override;
  [[nodiscard]] Result<void> resume_after(std::uint32_t counter, bool queue_was_lost) override;
  void erase_spent_keys() override;
  [[nodiscard]] Result<std::string> fingerprint(std::span<const std::uint8_t> pan) override;
  [[nodiscard]] Result<std::vector<std::uint8_t>> sign(std::span<const std::uint8_t> message) override;
  [[nodiscard]] Result<std::vector<std::uint8_t>> sign_digest(std::span<const std::uint8_t> digest) override;
  [[nodiscard]] Result<void> with_queue_key(
      const std::function<Result<void>(std::span<const std::uint8_t, 32>)>& use) override;
  void check_pin(SecretBytes pin, std::vector<std::uint8_t> salt, std::vector<std::uint8_t> hash,
                 std::uint32_t iterations, std::function<void(bool matches)> done) override;

  // The public half of the identity key, 04 | x | y.
  const P256Point& identity_public_key() const;
  const dukpt::InitialKeyId& initial_key_id() const;
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
  explicit FileKeyVault(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace nightdrop
