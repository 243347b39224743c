// A vault that can sign a digest and nothing else: what TLS needs of one.
#pragma once

#include "hal/key_vault.hpp"

namespace nightdrop::hal {

class SigningOnlyVault : public KeyVault {
 public:
  Result<Envelope> seal_card(std::span<const std::uint8_t>, std::string_view, std::span<const std::uint8_t>,
                             std::span<const std::uint8_t>) override {
    return failure(Errc::Unsupported, "");
  }
  VaultMarks marks() const override { return {}; }
  bool exhausted() const override { return false; }
  Result<void> resume(const QueueMarks&, Older) override { return {}; }
  void erase_spent_keys(std::uint64_t) override {}
  Result<PossessionProof> prove(std::span<const std::uint8_t>) override { return failure(Errc::Unsupported, ""); }
  Result<void> rekey(std::string_view) override { return failure(Errc::Unsupported, ""); }
  Result<void> erase_card_keys() override { return {}; }
  Result<void> erase() override { return {}; }
  VaultState state() const override { return VaultState::Ready; }
  Result<std::string> fingerprint(std::span<const std::uint8_t>) override { return failure(Errc::Unsupported, ""); }
  Result<std::vector<std::uint8_t>> sign(std::span<const std::uint8_t>) override {
    return failure(Errc::Unsupported, "");
  }
  Result<void> with_queue_key(const std::function<Result<void>(std::span<const std::uint8_t, 32>)>&) override {
    return {};
  }
  void check_pin(SecretBytes, std::vector<std::uint8_t>, std::vector<std::uint8_t>, std::uint32_t,
                 std::function<void(bool)>) override {}
};

}  // namespace nightdrop::hal
