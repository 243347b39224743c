// IdentityCertificate over files: the certificate and its chain in one PEM file, which is replaced as a whole, and the
// manufacturing CA's certificate, without which nothing new is taken.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hal/identity_certificate.hpp"
#include "hal/key_vault.hpp"
#include "x509/certificate.hpp"

namespace nightdrop::hal {

class FileCertificate final : public IdentityCertificate {
 public:
  // Hears of each new chain (PEM), after it is durable.
  using Changed = std::function<void(const std::string& chain_pem)>;

  // `authority_path` may name no file: then there is no renewal.
  // Errors: those of x509::read_chain_file(). Lifetime: `vault` outlives it.
  static Result<std::unique_ptr<FileCertificate>> open(std::string path, const std::string& authority_path,
                                                       KeyVault& vault, Changed changed);

  UtcMs not_after() const override { return current_.not_after; }
  bool renewable() const override { return authority_.has_value(); }
  [[nodiscard]] Result<std::vector<std::uint8_t>> request() override;
  [[nodiscard]] Result<void> accept(std::string_view chain_pem, UtcMs now) override;

 private:
  FileCertificate(std::string path, KeyVault& vault, Changed changed)
      : path_(std::move(path)), vault_(vault), changed_(std::move(changed)) {}

  const std::string path_;
  KeyVault& vault_;
  const Changed changed_;
  x509::Certificate current_;
  std::optional<x509::Certificate> authority_;
};

}  // namespace nightdrop::hal
