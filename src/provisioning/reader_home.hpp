// The ReaderHome over a folder. What a session brings is staged in .new/ and checked there, the vault included;
// commit() writes .new/COMMIT, and from that moment on everything rolls forward into the folder, nightdrop.json last.
// An erasure begins with nightdrop.json losing its name, and from that moment on rolls forward as well. So a reader
// that was cut off at any step is, once opened again, in factory state or provisioned as a whole; it has nightdrop.json
// or it has none. The factory key is a file (factory.key, mode 0600) in this implementation; a reader's hardware keeps
// it in its secure element, where it was made.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/vault_maker.hpp"
#include "hal/key_vault.hpp"
#include "provisioning/installation_check.hpp"
#include "provisioning/reader.hpp"

namespace nightdrop::provisioning {

struct ReaderHomeSettings {
  // Opens the vault in `dir` as the daemon of that configuration would.
  using OpenVault =
      std::function<Result<std::unique_ptr<hal::KeyVault>>(const std::filesystem::path& dir, const Config& config)>;

  std::filesystem::path folder;
  std::string serial_number;
  std::string firmware_version;
  x509::Certificate authority;  // the manufacturing CA: what identity certificates and erase orders must lead to
  VaultConfig vault;            // what the vault to be made stands on
  std::function<RootSettings(const VaultConfig&)> root_settings;
  OpenVault open_vault;
  std::function<UtcMs()> wall_clock;
  // Asked before an erasure, of a provisioned reader's configuration: an error refuses it (payments that wait).
  std::function<OrReason<void>(const Config&)> may_erase;
  // For tests: called before each step that leaves a trace.
  std::function<void(std::string_view step)> crash_point;
};

class FileReaderHome final : public ReaderHome {
 public:
  // Makes the folder and the factory key where there are none, and brings what was cut off to its end.
  // Errors: Io, Corrupt (the factory key), Busy (another process has the folder), CryptoFailed.
  [[nodiscard]] static Result<std::unique_ptr<FileReaderHome>> open(ReaderHomeSettings settings);
  ~FileReaderHome() override;

  ReaderHello facts() const override;
  [[nodiscard]] Result<x509::Bytes> sign_with_factory_key(std::span<const std::uint8_t> message) override;
  [[nodiscard]] OrReason<x509::Bytes> make_identity(std::string_view common_name) override;
  [[nodiscard]] OrReason<Installed> install(const Installation& what, std::span<const std::uint8_t> kbpk) override;
  [[nodiscard]] OrReason<Proof> prove(std::span<const std::uint8_t, 32> challenge) override;
  [[nodiscard]] OrReason<void> commit() override;
  [[nodiscard]] OrReason<void> erase(std::string_view order) override;
  void forget_staged() override;

 private:
  struct State;
  explicit FileReaderHome(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace nightdrop::provisioning
