// A reader's home in a temporary folder, and all that a station would install in it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "config/policy_json.hpp"
#include "crypto/sealed_key_vault.hpp"
#include "crypto/tr31.hpp"
#include "nightdrop/encoding.hpp"
#include "provisioning/erase_order.hpp"
#include "provisioning/home_files.hpp"
#include "provisioning/reader_home.hpp"
#include "unit/provisioning/world.hpp"

namespace nightdrop::provisioning {

// Thrown at a crash point: what is on the disk then is what a killed reader leaves.
struct Killed {};

class HomeTest : public testing::Test {
 protected:
  static constexpr dukpt::InitialKeyId key_id{0x12, 0x34, 0x56, 0x78, 0x80, 0, 0, 7};
  static constexpr const char* serial = "ND000007";

  explicit HomeTest(UtcMs now = test_now) : now_(now), authority_("Nightdrop test manufacturing CA", now) {
    std::string pattern = (std::filesystem::temp_directory_path() / "nightdrop-home-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
    home_ = root_ / "home";
  }
  ~HomeTest() override { std::filesystem::remove_all(root_); }

  static Result<std::unique_ptr<hal::KeyVault>> open_vault(const std::filesystem::path& dir, const Config& = {}) {
    auto vault = SealedKeyVault::open(dir, [](std::function<void()> run) { run(); });
    if (!vault) return std::unexpected(vault.error());
    return std::unique_ptr<hal::KeyVault>(std::move(*vault));
  }
  Result<std::unique_ptr<FileReaderHome>> open(std::function<void(std::string_view)> crash_point = {}) {
    ReaderHomeSettings settings;
    settings.folder = home_;
    settings.serial_number = serial;
    settings.firmware_version = "0.1.0";
    settings.authority = authority_.certificate();
    settings.open_vault = open_vault;
    settings.root_settings = [](const VaultConfig&) { return RootSettings{}; };
    settings.wall_clock = [this] { return now_; };
    settings.may_erase = [this](const Config&) -> OrReason<void> {
      if (!waiting_.empty()) return std::unexpected(waiting_);
      return {};
    };
    settings.crash_point = std::move(crash_point);
    return FileReaderHome::open(std::move(settings));
  }

  std::string configuration(const std::string& number = serial) const {
    return R"({"hal":"sim","serial_number":")" + number + R"(","vault_dir":"vault","queue_dir":"queue",)" + backend_ +
           R"("policy_file":"policy.json","policy_signer":"policy_signer.pem",)"
           R"("pos_socket":{"path":"run/pos.sock"},)"
           R"("acquirer":{"url":"https://localhost:8443","ca_file":"ca.pem","client_certificate_file":"reader.pem"}})";
  }

  // What a station would send to a reader with this identity key.
  Installation installation(const x509::PublicKey& identity, std::span<const std::uint8_t> kbpk) const {
    Installation what;
    const std::string policy = policy_text(now_ + a_day);
    const auto signature = signer_.sign(bytes_of(policy)).value();
    const auto leaf = authority_.issue(identity, serial, x509::Purpose::Client);
    what.files = {{"manufacturing_ca.pem", authority_.certificate().pem()},
                  {"ca.pem", authority_.certificate().pem()},
                  {"reader.pem", leaf.pem()},
                  {"policy_signer.pem", signer_.public_pem().value()},
                  {"policy.json", policy},
                  {"policy.json.sig", to_base64(signature) + "\n"},
                  {"nightdrop.json", configuration()}};
    const auto key = initial_key();
    what.initial_key_block =
        tr31::wrap(kbpk, tr31::make_initial_key_header(key_id, key.view()).value(), key.view()).value();
    tr31::Header header;
    header.usage = tr31::usage::hmac;
    header.algorithm = 'H';
    header.mode_of_use = 'C';
    what.fingerprint_key_block = tr31::wrap(kbpk, header, std::vector<std::uint8_t>(32, 0x33)).value();
    return what;
  }
  std::string policy_text(UtcMs valid_until) const {
    Policy policy;
    policy.valid_from = now_ - 2 * a_day;
    policy.valid_until = valid_until;
    policy.merchant_id = "m_1";
    return policy_json(policy).dump();
  }
  static SecretBytes initial_key() {
    return dukpt::derive_initial_key(std::vector<std::uint8_t>(16, 0x77), key_id).value();
  }

  // The steps of a session, without the line; gives the certificate's serial number.
  void provision(FileReaderHome& home) {
    const auto request = x509::parse_request(home.make_identity(serial).value()).value();
    const auto installed = home.install(installation(request.public_key, kbpk_), kbpk_);
    ASSERT_TRUE(installed) << installed.error();
    ASSERT_TRUE(home.prove(std::array<std::uint8_t, 32>{5}));
    const auto done = home.commit();
    ASSERT_TRUE(done) << done.error();
  }
  std::string order(const std::string& certificate, const std::string& number = serial) const {
    return order(certificate, number, now_ + a_day);
  }
  std::string order(const std::string& certificate, const std::string& number, UtcMs valid_until) const {
    return make_erase_order({number, certificate, valid_until, std::string(32, '1')}, orders_.identity.chain,
                            orders_.identity.signer)
        .value();
  }
  bool has(const char* name) const { return std::filesystem::exists(home_ / name); }

  UtcMs now_;
  std::filesystem::path root_, home_;
  Authority authority_;
  Station orders_{authority_, x509::Purpose::Orders};
  x509::MemoryKey signer_{x509::MemoryKey::generate().value()};
  std::vector<std::uint8_t> kbpk_ = std::vector<std::uint8_t>(32, 0x5A);
  std::string backend_;  // a member vault_backend of the configuration, with its comma
  std::string waiting_;  // why nothing may be erased
};

}  // namespace nightdrop::provisioning
