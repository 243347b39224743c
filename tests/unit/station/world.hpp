// What the tests of the line share: a station's folder with its keys in SoftHSM, and readers that do what a reader does
// with real keys but keep everything in memory, so that a test sees what ever reached them.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "crypto/dukpt.hpp"
#include "crypto/p256.hpp"
#include "crypto/primitives.hpp"
#include "crypto/tr31.hpp"
#include "keys/command_line.hpp"
#include "keys/files.hpp"
#include "keys/hsm/hsm.hpp"
#include "nightdrop/encoding.hpp"
#include "provisioning/reader.hpp"
#include "provisioning/station.hpp"
#include "unit/pkcs11/softhsm.hpp"
#include "x509/certificate.hpp"

namespace nightdrop::keys {

inline constexpr const char* test_policy =
    R"({"version": 1, "valid_from": "2026-01-01T00:00:00Z", "valid_until": "2036-01-01T00:00:00Z", "merchant_id": "m_1"})";
inline constexpr const char* test_template = R"({"hal": "sim", "label": "Till {serial_number}", "vault_dir": "vault",
  "queue_dir": "queue", "policy_file": "policy.json", "policy_signer": "policy_signer.pem",
  "acquirer": {"url": "https://127.0.0.1:8443", "ca_file": "ca.pem", "client_certificate_file": "reader.pem"}})";

// A station's folder as a key ceremony leaves it, with a policy and a template beside it.
class MadeStation {
 public:
  explicit MadeStation(std::size_t bdk_bytes = 16) {
    std::string name = "/tmp/nd-line-XXXXXX";
    folder_ = mkdtemp(name.data());
    const auto where = test::soft_hsm().make_token();
    auto token = pkcs11::Token::open(where, test::secret("12345678"));
    Hsm hsm(std::move(token.value()));
    make_keys(hsm, bdk_bytes);
    make_certificates(hsm);
    EXPECT_TRUE(write_file(folder_ / "pin", "12345678"));
    EXPECT_TRUE(
        save_hsm_settings(folder_.string(), {where, (folder_ / "pin").string(), test::soft_hsm().path().string()}));
    EXPECT_TRUE(write_file(folder_ / "policy.json", test_policy));
    EXPECT_TRUE(write_file(folder_ / "template.json", test_template));
  }
  ~MadeStation() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  MadeStation(const MadeStation&) = delete;
  MadeStation& operator=(const MadeStation&) = delete;

  const std::filesystem::path& folder() const { return folder_; }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  const x509::Certificate& authority() const { return authority_; }

 private:
  static void make_keys(Hsm& hsm, std::size_t bdk_bytes) {
    using pkcs11::KeyUse;
    SecretBytes bdk(bdk_bytes);
    EXPECT_TRUE(random_bytes(bdk.writable()));
    const auto check_value = tr31::check_value_cmac(bdk.view()).value();
    const std::array<std::uint8_t, 4> id{check_value[0], check_value[1], check_value[2], check_value[3]};
    EXPECT_TRUE(hsm.token().import_aes(bdk.view(), {bdk_name(id), {KeyUse::Derive, KeyUse::Authenticate}}));
    EXPECT_TRUE(hsm.token().generate_aes(32, {"transport", {KeyUse::Encrypt}}));
    EXPECT_TRUE(hsm.token().generate_aes(32, {"fingerprint/m_1", {KeyUse::Authenticate}, true}));
    for (const char* name : {"ca", "station", "policy", "orders"}) {
      EXPECT_TRUE(hsm.token().generate_p256({name, {KeyUse::Sign}}));
    }
  }

  void make_certificates(Hsm& hsm) {
    const UtcMs at = now();
    const x509::Signer ca = hsm.signer("ca").value();
    const auto options = [&](const char* name, const char* number, x509::Purpose purpose) {
      return x509::IssueOptions{name, number, at - 86'400'000, at + UtcMs{86'400'000} * 3650, purpose, {}};
    };
    authority_ = x509::make_authority(ca, options("Test manufacturing CA", "01", x509::Purpose::Authority)).value();
    EXPECT_TRUE(write_file(folder_ / "ca.pem", authority_.pem()));
    for (const auto& [key, number, purpose] :
         {std::tuple{"station", "02", x509::Purpose::Station}, std::tuple{"orders", "03", x509::Purpose::Orders}}) {
      const auto made = x509::issue(ca, authority_, hsm.public_key(key).value(), options(key, number, purpose));
      EXPECT_TRUE(write_file(folder_ / (std::string(key) + ".pem"), made->pem()));
    }
    EXPECT_TRUE(write_file(folder_ / "policy_signer.pem", p256_to_spki_pem(hsm.public_key("policy").value())));
  }

  std::filesystem::path folder_;
  x509::Certificate authority_;
};

// A reader's keys in memory. What it ever took is kept, also of attempts that came to nothing.
class MemoryHome final : public provisioning::ReaderHome {
 public:
  explicit MemoryHome(std::string serial_number) {
    hello_.serial_number = std::move(serial_number);
    hello_.factory_key = p256_public_key(factory_key_.view()).value();
    hello_.firmware_version = "0.1.0";
  }
  // How it misbehaves.
  enum class Fault {
    None,
    OtherName,
    OtherCheckValue,
    OtherFingerprintKey,
    OtherMac,
    OtherSignature,
    OtherKeySerial,
    Refuses,
    EndIsNotHeard,
    EndsWithAnotherKey,
    EndsWithAnotherCertificate
  };
  Fault fault{Fault::None};

  provisioning::ReaderHello facts() const override {
    const std::scoped_lock alone(mutex_);
    return hello_;
  }
  Result<x509::Bytes> sign_with_factory_key(std::span<const std::uint8_t> message) override {
    return p256_sign(factory_key_.view(), message);
  }
  provisioning::OrReason<x509::Bytes> make_identity(std::string_view common_name) override {
    identity_ = p256_generate().value();
    const x509::Signer signer{p256_public_key(identity_.view()).value(),
                              [this](auto digest) { return p256_sign_digest(identity_.view(), digest); }};
    return x509::make_request(signer, fault == Fault::OtherName ? "ND999999" : common_name).value();
  }
  provisioning::OrReason<provisioning::Installed> install(const provisioning::Installation& what,
                                                          std::span<const std::uint8_t> kbpk) override {
    if (fault == Fault::Refuses) return std::unexpected("policy.json: is not for this reader");
    const auto initial = tr31::unwrap(kbpk, what.initial_key_block, {"B1"});
    const auto fingerprint = tr31::unwrap(kbpk, what.fingerprint_key_block, {"M7"});
    if (!initial || !fingerprint) return std::unexpected("a key block does not open");
    const std::scoped_lock alone(mutex_);
    initial_key_ = SecretBytes(initial->key.view());
    initial_key_id_ = initial->known.initial_key_id.value();
    for (const auto& file : what.files) {
      if (file.name == "reader.pem") certificate_ = x509::parse_certificate_pem(file.content).value();
      if (file.name == "nightdrop.json") configuration = file.content;
    }
    seen_keys.push_back(hex_upper(initial_key_id_));
    seen_certificates.push_back(certificate_.serial_number);
    auto check_value = hex_upper(tr31::check_value_cmac(initial_key_.view()).value());
    if (fault == Fault::OtherCheckValue) check_value = "0000000000";
    auto fingerprint_value = hex_upper(tr31::check_value_cmac(fingerprint->key.view()).value());
    if (fault == Fault::OtherFingerprintKey) fingerprint_value = "0000000000";
    return provisioning::Installed{check_value, fingerprint_value};
  }
  provisioning::OrReason<provisioning::Proof> prove(std::span<const std::uint8_t, 32> challenge) override {
    const std::string message = provisioning::proof_message(hello_.serial_number, challenge);
    provisioning::Proof proof;
    auto key_id = initial_key_id_;
    if (fault == Fault::OtherKeySerial) key_id[7] ^= 1;
    proof.ksn = dukpt::make_ksn(key_id, 1);
    const auto key = dukpt::derive_working_key(initial_key_.view(), proof.ksn, dukpt::Usage::MacGeneration,
                                               dukpt::aes_kind(initial_key_.size()).value());
    proof.mac = cmac(BlockCipher::Aes, key->view(), bytes_of(message)).value();
    if (fault == Fault::OtherMac) proof.mac[3] ^= 1;
    proof.signature =
        p256_sign(fault == Fault::OtherSignature ? factory_key_.view() : identity_.view(), bytes_of(message)).value();
    return proof;
  }
  provisioning::OrReason<void> commit() override {
    const std::scoped_lock alone(mutex_);
    hello_.state = provisioning::ReaderState::Provisioned;
    hello_.certificate_serial = certificate_.serial_number;
    hello_.initial_key_id = hex_lower(initial_key_id_);
    if (fault == Fault::EndsWithAnotherKey) hello_.initial_key_id = "00112233445566aa";
    if (fault == Fault::EndsWithAnotherCertificate) hello_.certificate_serial = "0a";
    if (fault >= Fault::EndIsNotHeard) return std::unexpected("the answer is lost");
    return {};
  }
  provisioning::OrReason<void> erase(std::string_view) override { return std::unexpected("not here"); }
  void forget_staged() override {}
  // As if an erase order had been carried out.
  void go_back_to_factory() {
    const std::scoped_lock alone(mutex_);
    hello_.state = provisioning::ReaderState::Factory;
    hello_.certificate_serial.clear();
    hello_.initial_key_id.clear();
  }
  // As if a rekey had been carried out.
  void take_initial_key(const std::string& id) {
    const std::scoped_lock alone(mutex_);
    hello_.initial_key_id = id;
  }
  std::span<const std::uint8_t> initial_key() const { return initial_key_.view(); }
  const x509::Certificate& certificate() const { return certificate_; }

  std::vector<std::string> seen_keys;
  std::vector<std::string> seen_certificates;
  std::string configuration;

 private:
  mutable std::mutex mutex_;
  Secret<32> factory_key_{p256_generate().value()};
  Secret<32> identity_{p256_generate().value()};
  provisioning::ReaderHello hello_;
  SecretBytes initial_key_;
  dukpt::InitialKeyId initial_key_id_{};
  x509::Certificate certificate_;
};

// A reader that waits for stations on a Unix socket until this object goes.
class ListeningReader {
 public:
  ListeningReader(provisioning::ReaderHome& home, const x509::Certificate& authority, const std::string& path)
      : home_(home), authority_(authority) {
    EXPECT_EQ(pipe2(stop_, O_CLOEXEC), 0);
    auto listener = provisioning::Listener::open("unix:" + path, stop_[0]);
    EXPECT_TRUE(listener) << path;
    listener_ = std::move(listener.value());
    thread_ = std::thread([this] { serve(); });
  }
  ~ListeningReader() {
    close(stop_[1]);  // the read end becomes readable
    thread_.join();
    close(stop_[0]);
  }
  ListeningReader(const ListeningReader&) = delete;
  ListeningReader& operator=(const ListeningReader&) = delete;

 private:
  void serve() {
    while (auto stream = listener_->accept()) {
      provisioning::FactoryReader reader(**stream, home_, authority_, now);
      for (auto ended = reader.serve(); ended && *ended != provisioning::FactoryReader::Ended::LineGone;)
        ended = reader.serve();
    }
  }
  provisioning::ReaderHome& home_;
  const x509::Certificate& authority_;
  int stop_[2]{-1, -1};
  std::unique_ptr<provisioning::Listener> listener_;
  std::thread thread_;
};

}  // namespace nightdrop::keys
