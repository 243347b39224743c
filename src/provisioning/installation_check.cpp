#include "provisioning/installation_check.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include "config/policy_json.hpp"
#include "crypto/p256.hpp"
#include "crypto/tr31.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::provisioning {
namespace {

constexpr std::array<std::string_view, 7> file_names{"manufacturing_ca.pem", "ca.pem",      "reader.pem",
                                                     "policy_signer.pem",    "policy.json", "policy.json.sig",
                                                     "nightdrop.json"};
using Files = std::map<std::string_view, std::string_view>;

std::unexpected<std::string> refuse(std::string_view field, std::string_view what) {
  return std::unexpected(std::string(field).append(": ").append(what));
}

OrReason<Files> sort_files(const Installation& what) {
  Files files;
  for (const File& file : what.files) {
    const auto known = std::ranges::find(file_names, file.name);
    if (known == file_names.end()) return refuse("files", "there is one that is no part of an installation");
    if (!files.emplace(*known, file.content).second) return refuse(*known, "is there twice");
  }
  for (const std::string_view name : file_names) {
    if (!files.contains(name)) return refuse(name, "is missing");
  }
  return files;
}

OrReason<void> check_certificates(const Files& files, const ReaderFacts& reader) {
  const auto authority = x509::parse_certificate_pem(files.at("manufacturing_ca.pem"));
  if (!authority) return refuse("manufacturing_ca.pem", "cannot be read");
  if (authority->der != reader.authority.der) {
    return refuse("manufacturing_ca.pem", "is not the authority that this reader was made to believe");
  }
  const auto chain = x509::parse_chain_pem(files.at("reader.pem"));
  if (!chain || chain->empty()) return refuse("reader.pem", "cannot be read");
  if (chain->front().public_key != reader.identity) return refuse("reader.pem", "is not of this reader's identity key");
  if (chain->front().common_name != reader.serial_number) return refuse("reader.pem", "is of another serial number");
  const auto good = x509::verify_chain(*chain, reader.authority, reader.now, x509::Purpose::Client);
  if (!good) return refuse("reader.pem", good.error().text);
  // The acquirer's authority may have any kind of key: TLS reads it.
  if (files.at("ca.pem").find("-----BEGIN CERTIFICATE-----") == std::string_view::npos) {
    return refuse("ca.pem", "holds no certificate");
  }
  return {};
}

OrReason<void> check_policy(const Files& files, UtcMs now) {
  std::string_view signature = files.at("policy.json.sig");
  while (!signature.empty() && (signature.back() == '\n' || signature.back() == '\r')) signature.remove_suffix(1);
  const auto verify = [](std::string_view signer, std::span<const std::uint8_t> message,
                         std::span<const std::uint8_t> by) -> Result<void> {
    const auto key = p256_from_spki_pem(signer);
    ND_TRY(key);
    return p256_verify(*key, message, by);
  };
  const auto policy = load_policy(files.at("policy.json"), signature, files.at("policy_signer.pem"), 0, verify);
  if (!policy) return refuse("policy.json", policy.error().message);
  // The daemon takes no new policy that has run out: such a reader would not start.
  if (policy->valid_until <= now) return refuse("policy.json", "valid_until: is past");
  return {};
}

// An erasure clears the queue's folder: it may hold neither the reader itself nor any folder above it.
bool holds(const std::string& folder, const std::filesystem::path& home) {
  std::filesystem::path normal = std::filesystem::path(folder).lexically_normal();
  if (!normal.has_filename()) normal = normal.parent_path();  // a separator at the end
  return std::ranges::mismatch(normal, home).in1 == normal.end();
}

OrReason<Config> check_config(const Files& files, const ReaderFacts& reader) {
  auto config = parse_config(files.at("nightdrop.json"), (reader.home / "nightdrop.json").string());
  if (!config) return std::unexpected(config.error().message);
  if (config->serial_number != reader.serial_number)
    return refuse("nightdrop.json: serial_number", "is another reader's");
  const std::array places{
      std::tuple{"vault_dir", &config->vault_dir, "vault"},
      std::tuple{"policy_file", &config->policy_file, "policy.json"},
      std::tuple{"policy_signer", &config->policy_signer_file, "policy_signer.pem"},
      std::tuple{"acquirer.ca_file", &config->acquirer.ca_file, "ca.pem"},
      std::tuple{"acquirer.client_certificate_file", &config->acquirer.client_certificate_file, "reader.pem"}};
  for (const auto& [field, path, name] : places) {
    if (*path == (reader.home / name).lexically_normal().string()) continue;
    return refuse(std::string("nightdrop.json: ") + field, std::string("must be \"") + name + "\" beside it");
  }
  if (holds(config->queue_dir, reader.home)) {
    return refuse("nightdrop.json: queue_dir", "must be a folder of its own, not one that holds the reader's home");
  }
  const VaultConfig& vault = config->vault;
  if (std::tie(vault.backend, vault.root_credential, vault.module, vault.token_label) !=
      std::tie(reader.vault.backend, reader.vault.root_credential, reader.vault.module, reader.vault.token_label)) {
    return refuse("nightdrop.json: vault_backend", "is not what this reader's vault is made on");
  }
  return std::move(*config);
}

// The block's key, when it is for `usage`.
OrReason<tr31::KeyBlock> open_block(std::string_view field, std::string_view usage, const std::string& text,
                                    std::span<const std::uint8_t> kbpk) {
  auto block = tr31::unwrap(kbpk, text, {usage});
  if (!block) return refuse(field, block.error().text);
  if (block->header.version != 'D') return refuse(field, "must be of version D");
  return std::move(*block);
}

OrReason<void> check_keys(const Installation& what, std::span<const std::uint8_t> kbpk, CheckedInstallation& into) {
  auto initial = open_block("initial_key_block", tr31::usage::initial_key, what.initial_key_block, kbpk);
  if (!initial) return std::unexpected(initial.error());
  if (!initial->known.initial_key_id) return refuse("initial_key_block", "has no optional block IK");
  into.contents.initial_key_id = *initial->known.initial_key_id;
  const auto initial_check = tr31::check_value_cmac(initial->key.view());
  if (!initial_check) return refuse("initial_key_block", "holds no AES key");
  auto fingerprint = open_block("fingerprint_key_block", tr31::usage::hmac, what.fingerprint_key_block, kbpk);
  if (!fingerprint) return std::unexpected(fingerprint.error());
  const auto fingerprint_check = tr31::check_value_cmac(fingerprint->key.view());
  if (!fingerprint_check) return refuse("fingerprint_key_block", "must hold a key of 16, 24 or 32 bytes");
  into.check_values = {hex_upper(*initial_check), hex_upper(*fingerprint_check)};
  into.contents.initial_key = std::move(initial->key);
  into.contents.fingerprint_key = std::move(fingerprint->key);
  into.contents.development = what.development;
  return {};
}

}  // namespace

std::span<const std::string_view> installed_files() {
  return file_names;
}

OrReason<CheckedInstallation> check_installation(const Installation& what, const ReaderFacts& reader,
                                                 std::span<const std::uint8_t> kbpk) {
  CheckedInstallation checked;
  const auto files = sort_files(what);
  if (!files) return std::unexpected(files.error());
  if (auto good = check_certificates(*files, reader); !good) return std::unexpected(good.error());
  if (auto good = check_policy(*files, reader.now); !good) return std::unexpected(good.error());
  auto config = check_config(*files, reader);
  if (!config) return std::unexpected(config.error());
  checked.config = std::move(*config);
  if (auto good = check_keys(what, kbpk, checked); !good) return std::unexpected(good.error());
  return checked;
}

}  // namespace nightdrop::provisioning
