// `nightdrop-provision dev` from outside: everything it promises is in the folder, fits together, and is private.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>

#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "config/config.hpp"
#include "config/policy_json.hpp"
#include "crypto/dukpt.hpp"
#include "crypto/p256.hpp"
#include "crypto/primitives.hpp"
#include "crypto/sealed_key_vault.hpp"
#include "e2e/provision/program.hpp"
#include "json/json.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop {
namespace {

namespace fs = std::filesystem;
using test::Ended;
using test::slurp;
using test::spill;

const std::string program = std::string(NIGHTDROP_BIN_DIR) + "/nightdrop-provision";

Result<void> verify(std::string_view pem, std::span<const std::uint8_t> message,
                    std::span<const std::uint8_t> signature) {
  const auto key = p256_from_spki_pem(pem);
  if (!key) return std::unexpected(key.error());
  return p256_verify(*key, message, signature);
}

class Dev : public testing::Test {
 protected:
  Ended dev(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments{"dev", "--out", dir_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return test::run(program, arguments);
  }
  Json keys() const { return *Json::parse(slurp(dir_ + "/acquirer/keys.json")); }
  std::vector<std::uint8_t> key(const char* name) const { return *from_hex(*keys()[name].string()); }
  std::unique_ptr<SealedKeyVault> vault() const {
    auto opened = SealedKeyVault::open(dir_ + "/vault", [](std::function<void()> call) { call(); });
    EXPECT_TRUE(opened) << opened.error().text;
    return opened ? std::move(*opened) : nullptr;
  }
  std::expected<Policy, PolicyError> policy() const {
    return load_policy(slurp(dir_ + "/policy.json"), slurp(dir_ + "/policy.json.sig"),
                       slurp(dir_ + "/policy_signer.pem"), 0, verify);
  }

  test::Scratch scratch_;
  std::string dir_ = scratch_ / "r";
};

TEST_F(Dev, makes_all_of_it_and_keeps_it_private) {
  const Ended ended = dev();
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_EQ(ended.err, "");
  for (const char* name :
       {"nightdrop.json", "policy.json", "policy.json.sig", "policy_signer.pem", "ca.pem", "reader.pem", "vault",
        "queue", "run", "acquirer/keys.json", "acquirer/server.pem", "acquirer/server.key", "acquirer/ca.pem",
        "acquirer/readers/ND000001.pem", "signing/policy_signing.key", "manufacturing_ca.pem", "station/hsm.json",
        "station/station.db", "station/transcript.txt"}) {
    EXPECT_TRUE(fs::exists(fs::path(dir_) / name)) << name;
  }
  EXPECT_TRUE(fs::is_empty(dir_ + "/queue"));
  for (const auto& entry : fs::recursive_directory_iterator(dir_)) {
    struct stat status{};
    ASSERT_EQ(lstat(entry.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0077, 0U) << entry.path();
  }
}

TEST_F(Dev, the_configuration_is_whole_and_below_the_folder) {
  ASSERT_EQ(dev({"--serial", "ND000042", "--acquirer-url", "https://localhost:9000"}).exit_code, 0);
  const auto config = load_config(dir_ + "/nightdrop.json");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->hal, HalKind::Sim);
  EXPECT_EQ(config->serial_number, "ND000042");
  EXPECT_EQ(config->acquirer.url, "https://localhost:9000");
  for (const std::string& path :
       {config->vault_dir, config->queue_dir, config->policy_file, config->policy_signer_file, config->pos_socket.path,
        config->sim_socket, config->acquirer.ca_file, config->acquirer.client_certificate_file}) {
    EXPECT_TRUE(path.starts_with(dir_ + "/")) << path;
    EXPECT_TRUE(fs::exists(fs::path(path).parent_path())) << path;
  }
  EXPECT_EQ(config->sim_socket, dir_ + "/run/sim.sock");
  EXPECT_TRUE(fs::exists(config->acquirer.client_certificate_file));
}

TEST_F(Dev, the_policy_is_signed_and_the_contracts) {
  ASSERT_EQ(dev().exit_code, 0);
  const auto taken = policy();
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_EQ(taken->merchant_id, "m_0001");
  ASSERT_EQ(taken->currencies.size(), 3U);
  for (const char* code : {"usd", "eur", "gbp"}) {
    const Currency currency{{code[0], code[1], code[2]}};
    ASSERT_TRUE(taken->currencies.contains(currency)) << code;
    EXPECT_EQ(taken->currencies.at(currency).device_total, 100'000);
  }
  ASSERT_EQ(taken->approvers.size(), 1U);
  const Approver& manager = taken->approvers[0];
  EXPECT_EQ(manager.id, "manager");
  const Digest hash = pbkdf2_hmac_sha256(bytes_of("2468"), manager.salt, manager.iterations);
  EXPECT_TRUE(std::equal(hash.begin(), hash.end(), manager.pin_hash.begin(), manager.pin_hash.end()));
}

// What the vault seals, the acquirer opens with its BDK; and both know a card by the same fingerprint.
void expect_keys_fit(SealedKeyVault& vault, std::span<const std::uint8_t> bdk, std::span<const std::uint8_t> bdk_id,
                     std::span<const std::uint8_t> fingerprint_key) {
  EXPECT_TRUE(vault.is_development());
  EXPECT_TRUE(std::equal(bdk_id.begin(), bdk_id.end(), vault.initial_key_id().begin()));
  ASSERT_TRUE(vault.resume({}, hal::Older::Refuse));
  const std::string plaintext = "not a card";
  const auto envelope = vault.seal_card(bytes_of(plaintext), "aad", {}, {});
  ASSERT_TRUE(envelope) << envelope.error().text;
  const auto initial = dukpt::derive_initial_key(bdk, dukpt::initial_key_id(envelope->ksn));
  ASSERT_TRUE(initial);
  const auto working = dukpt::derive_working_key(initial->view(), envelope->ksn, dukpt::Usage::DataEncrypt,
                                                 *dukpt::aes_kind(bdk.size()));
  ASSERT_TRUE(working);
  const auto opened = aes_gcm_open(working->view(), envelope->ksn, bytes_of("aad"), envelope->ciphertext);
  ASSERT_TRUE(opened) << opened.error().text;
  EXPECT_EQ(std::string(opened->view().begin(), opened->view().end()), plaintext);

  const std::string pan = "4242424242424242";
  const Digest mac = hmac_sha256(fingerprint_key, bytes_of(pan));
  EXPECT_EQ(vault.fingerprint(bytes_of(pan)).value_or(""), "fp_" + hex_lower(std::span(mac).first(16)));
}

TEST_F(Dev, the_acquirer_opens_what_the_vault_seals) {
  ASSERT_EQ(dev().exit_code, 0);
  EXPECT_EQ(keys()["key_type"].string(), "aes-128");
  EXPECT_EQ(keys().view().size(), 4U);
  const auto opened = vault();
  ASSERT_NE(opened, nullptr);
  EXPECT_EQ(opened->key_type(), KeyType::Aes128);
  expect_keys_fit(*opened, key("bdk"), key("bdk_id"), key("fingerprint_key"));
}

TEST_F(Dev, no_two_serial_numbers_share_keys_under_one_bdk) {
  std::set<dukpt::InitialKeyId> ids;
  const std::vector<std::string> serials{"ND000001", "ND000002", "ND1", "ND01", "ND0000001", "XX000001", "nd000001"};
  for (const std::string& serial : serials) {
    ASSERT_EQ(dev({"--serial", serial, "--bdk", "00112233445566778899aabbccddeeff"}).exit_code, 0) << serial;
    const auto opened = vault();
    ASSERT_NE(opened, nullptr);
    ids.insert(opened->initial_key_id());
  }
  EXPECT_EQ(ids.size(), serials.size());
}

TEST_F(Dev, a_reader_made_anew_under_one_bdk_does_not_begin_where_it_began) {
  // By chance one in 128 pairs may: five in a row may not.
  std::set<dukpt::InitialKeyId> ids;
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(dev({"--bdk", "00112233445566778899aabbccddeeff"}).exit_code, 0);
    const auto opened = vault();
    ASSERT_NE(opened, nullptr);
    const auto id = opened->initial_key_id();
    EXPECT_EQ(id[6], 1) << "256 numbers of its own, by ND000001";
    ids.insert(id);
  }
  EXPECT_GT(ids.size(), 1U);
}

TEST_F(Dev, a_bdk_comes_from_a_file_too) {
  const std::string file = scratch_ / "bdk";
  spill(file, "00112233445566778899AABBCCDDEEFF\n");
  ASSERT_EQ(dev({"--bdk-file", file}).exit_code, 0);
  EXPECT_EQ(keys()["bdk"].string(), "00112233445566778899aabbccddeeff");
  spill(file, "0011\n");
  EXPECT_EQ(dev({"--bdk-file", file}).exit_code, 65);
  EXPECT_EQ(dev({"--bdk-file", scratch_ / "none"}).exit_code, 66);
  EXPECT_EQ(dev({"--bdk-file", file, "--bdk", "00112233445566778899aabbccddeeff"}).exit_code, 64);
}

TEST_F(Dev, its_station_is_one_like_any) {
  ASSERT_EQ(dev().exit_code, 0);
  const std::string station = dir_ + "/station";
  const Ended listed = test::run(program, {"--json", "list", "--station", station});
  ASSERT_EQ(listed.exit_code, 0) << listed.err;
  const auto list = Json::parse(listed.out);
  ASSERT_TRUE(list);
  const JsonView unit = (*list)["units"].items().front();
  EXPECT_EQ(unit["serial_number"].string(), "ND000001");
  EXPECT_EQ(unit["state"].string(), "provisioned");
  EXPECT_EQ(unit["initial_key_id"].string(), hex_upper(vault()->initial_key_id()));
  EXPECT_EQ(test::run(program, {"ceremony", "transcript", "--station", station, "--verify"}).exit_code, 0);
}

TEST_F(Dev, a_given_bdk_of_256_bits_is_taken) {
  const std::string bdk = "00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef";
  const Ended ended = dev({"--bdk", bdk});
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_EQ(keys()["bdk"].string(), bdk);
  EXPECT_EQ(keys()["key_type"].string(), "aes-256");
  const auto opened = vault();
  ASSERT_NE(opened, nullptr);
  EXPECT_EQ(opened->key_type(), KeyType::Aes256);
  expect_keys_fit(*opened, key("bdk"), key("bdk_id"), key("fingerprint_key"));
}

TEST_F(Dev, no_secret_is_where_it_has_no_business) {
  const std::string bdk = "00112233445566778899aabbccddeeff";
  const Ended ended = dev({"--bdk", bdk, "--json"});
  ASSERT_EQ(ended.exit_code, 0);
  const auto raw = *from_hex(bdk);
  const std::string raw_text(raw.begin(), raw.end());
  const std::string fingerprint_key = std::string(*keys()["fingerprint_key"].string());
  EXPECT_EQ((ended.out + ended.err).find(bdk), std::string::npos);
  for (const auto& entry : fs::recursive_directory_iterator(dir_)) {
    if (!entry.is_regular_file() || entry.path().filename() == "keys.json") continue;
    const std::string text = slurp(entry.path());
    EXPECT_EQ(text.find(bdk), std::string::npos) << entry.path();
    EXPECT_EQ(text.find(raw_text), std::string::npos) << entry.path();
    EXPECT_EQ(text.find(fingerprint_key), std::string::npos) << entry.path();
    const bool may_hold_a_key = entry.path().filename() == "server.key" || entry.path().filename() == "renewal.key" ||
                                entry.path().filename() == "policy_signing.key";
    EXPECT_EQ(text.find("PRIVATE KEY") != std::string::npos, may_hold_a_key) << entry.path();
  }
}

template <class T, void (*free)(T*)>
struct Freed {
  void operator()(T* object) const { free(object); }
};
using Certificate = std::unique_ptr<X509, Freed<X509, X509_free>>;

Certificate certificate(const std::string& file) {
  const std::unique_ptr<BIO, Freed<BIO, BIO_free_all>> bio(BIO_new_file(file.c_str(), "r"));
  return Certificate(bio ? PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr) : nullptr);
}

bool is_issued_for(X509* leaf, X509* authority, int purpose) {
  const std::unique_ptr<X509_STORE, Freed<X509_STORE, X509_STORE_free>> store(X509_STORE_new());
  X509_STORE_add_cert(store.get(), authority);
  const std::unique_ptr<X509_STORE_CTX, Freed<X509_STORE_CTX, X509_STORE_CTX_free>> check(X509_STORE_CTX_new());
  X509_STORE_CTX_init(check.get(), store.get(), leaf, nullptr);
  X509_STORE_CTX_set_purpose(check.get(), purpose);
  return X509_verify_cert(check.get()) == 1;
}

TEST_F(Dev, the_certificates_are_one_familys) {
  ASSERT_EQ(dev({"--acquirer-url", "https://acquirer.example:8443"}).exit_code, 0);
  const Certificate authority = certificate(dir_ + "/ca.pem");
  const Certificate server = certificate(dir_ + "/acquirer/server.pem");
  const Certificate reader = certificate(dir_ + "/reader.pem");
  ASSERT_TRUE(authority && server && reader);
  EXPECT_EQ(slurp(dir_ + "/ca.pem"), slurp(dir_ + "/acquirer/ca.pem"));
  EXPECT_EQ(slurp(dir_ + "/reader.pem"), slurp(dir_ + "/acquirer/readers/ND000001.pem"));

  EXPECT_TRUE(is_issued_for(server.get(), authority.get(), X509_PURPOSE_SSL_SERVER));
  EXPECT_FALSE(is_issued_for(server.get(), authority.get(), X509_PURPOSE_SSL_CLIENT));
  EXPECT_TRUE(is_issued_for(reader.get(), authority.get(), X509_PURPOSE_SSL_CLIENT));
  EXPECT_FALSE(is_issued_for(reader.get(), authority.get(), X509_PURPOSE_SSL_SERVER));
  EXPECT_EQ(X509_check_ip_asc(server.get(), "127.0.0.1", 0), 1);
  EXPECT_EQ(X509_check_host(server.get(), "localhost", 0, 0, nullptr), 1);
  EXPECT_EQ(X509_check_host(server.get(), "acquirer.example", 0, 0, nullptr), 1);
  EXPECT_NE(X509_check_host(server.get(), "other.example", 0, 0, nullptr), 1);

  char name[64] = {};
  X509_NAME_get_text_by_NID(X509_get_subject_name(reader.get()), NID_commonName, name, sizeof(name));
  EXPECT_STREQ(name, "ND000001");
  const auto opened = vault();
  ASSERT_NE(opened, nullptr);
  const auto der = p256_to_spki_der(opened->identity_public_key());
  unsigned char* printed = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(reader.get()), &printed);
  EXPECT_EQ(std::vector<std::uint8_t>(printed, printed + size), der);
  OPENSSL_free(printed);

  const std::unique_ptr<BIO, Freed<BIO, BIO_free_all>> bio(BIO_new_file((dir_ + "/acquirer/server.key").c_str(), "r"));
  const std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY, EVP_PKEY_free>> server_key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  EXPECT_EQ(X509_check_private_key(server.get(), server_key.get()), 1);
}

TEST_F(Dev, is_made_anew_in_its_own_folder_and_refused_in_anothers) {
  ASSERT_EQ(dev().exit_code, 0);
  const auto first = key("bdk");
  spill(dir_ + "/queue/old", "x");
  spill(dir_ + "/world.json.tamper", "{}");
  ASSERT_EQ(dev().exit_code, 0);
  EXPECT_NE(key("bdk"), first);
  EXPECT_FALSE(fs::exists(dir_ + "/queue/old"));
  EXPECT_FALSE(fs::exists(dir_ + "/world.json.tamper")) << "a new reader's case was never opened";

  const std::string foreign = scratch_ / "foreign";
  fs::create_directory(foreign);
  spill(foreign + "/thesis.txt", "irreplaceable");
  const Ended refused = test::run(program, {"dev", "--out", foreign});
  EXPECT_EQ(refused.exit_code, 73);
  EXPECT_NE(refused.err.find("--force"), std::string::npos);
  EXPECT_EQ(std::distance(fs::directory_iterator(foreign), {}), 1);
  EXPECT_EQ(test::run(program, {"dev", "--out", foreign, "--force"}).exit_code, 0);
  EXPECT_EQ(slurp(foreign + "/thesis.txt"), "irreplaceable");
  EXPECT_TRUE(fs::exists(foreign + "/nightdrop.json"));
}

TEST_F(Dev, a_wrong_command_line_is_told_as_json_too) {
  const Ended wrong = test::run(program, {"--json", "dev"});
  EXPECT_EQ(wrong.exit_code, 64);
  EXPECT_NE(wrong.out.find(R"({"error":{"message":"--out is required","exit_code":64}})"), std::string::npos)
      << wrong.out;
}

TEST_F(Dev, a_folder_in_use_is_left_alone) {
  ASSERT_EQ(dev().exit_code, 0);
  const auto first = key("bdk");
  const auto held_by_a_daemon = vault();
  ASSERT_NE(held_by_a_daemon, nullptr);
  const Ended refused = dev({"--force"});
  EXPECT_EQ(refused.exit_code, 73);
  EXPECT_NE(refused.err.find("in use"), std::string::npos) << refused.err;
  EXPECT_EQ(key("bdk"), first);
}

TEST_F(Dev, a_moved_folder_is_still_a_reader) {
  ASSERT_EQ(dev().exit_code, 0);
  const std::string moved = scratch_ / "moved";
  fs::rename(dir_, moved);
  const auto config = load_config(moved + "/nightdrop.json");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->vault_dir, moved + "/vault");
}

TEST_F(Dev, mistakes_are_named_and_nothing_is_made) {
  const std::string deep = dir_ + "/" + std::string(100, 'd');
  const Ended too_deep = test::run(program, {"dev", "--out", deep});
  EXPECT_EQ(too_deep.exit_code, 73);
  EXPECT_NE(too_deep.err.find("107"), std::string::npos) << too_deep.err;

  const Ended url = dev({"--acquirer-url", "http://127.0.0.1"});
  EXPECT_EQ(url.exit_code, 78);
  EXPECT_NE(url.err.find("acquirer.url"), std::string::npos) << url.err;
  EXPECT_EQ(dev({"--serial", "../x"}).exit_code, 78);

  const std::string policy = scratch_ / "policy.json";
  spill(policy, R"({"device_counts": 1})");
  const Ended bad_policy = dev({"--policy", policy});
  EXPECT_EQ(bad_policy.exit_code, 65);
  EXPECT_NE(bad_policy.err.find("device_counts"), std::string::npos) << bad_policy.err;
  EXPECT_EQ(dev({"--policy", scratch_ / "none"}).exit_code, 66);

  EXPECT_EQ(dev({"--bdk", "0011"}).exit_code, 64);
  EXPECT_EQ(dev({"--bdk", "00112233445566778899aabbccddeefg"}).exit_code, 64);
  EXPECT_EQ(dev({"--bdk", "00112233445566778899aabbccddeeff", "--key-type", "aes-256"}).exit_code, 64);
  EXPECT_EQ(dev({"--key-type", "aes-192"}).exit_code, 64);
  EXPECT_EQ(dev({"--no-such-option"}).exit_code, 64);
  EXPECT_FALSE(fs::exists(dir_));
}

TEST_F(Dev, says_it_to_programs_too) {
  const Ended ended = dev({"--json"});
  ASSERT_EQ(ended.exit_code, 0);
  const auto made = Json::parse(ended.out);
  ASSERT_TRUE(made) << ended.out;
  EXPECT_EQ((*made)["config"].string(), dir_ + "/nightdrop.json");
  EXPECT_EQ((*made)["sim_socket"].string(), dir_ + "/run/sim.sock");
  const Ended refused = dev({"--json", "--acquirer-url", "x"});
  EXPECT_EQ(refused.exit_code, 78);
  const auto problem = Json::parse(refused.out);
  ASSERT_TRUE(problem) << refused.out;
  EXPECT_EQ((*problem)["error"]["exit_code"].integer(), 78);
}

}  // namespace
}  // namespace nightdrop
