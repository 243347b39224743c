// The reader's certificate in its file: what is taken in its place and what is not, and the connection that shows it.
#include "hal/linux/file_certificate.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "hal/linux/curl_host_link.hpp"
#include "test_loop.hpp"
#include "tls_server.hpp"
#include "unit/hal_linux/signing_vault.hpp"
#include "x509/memory_key.hpp"

namespace nightdrop::hal {
namespace {

constexpr UtcMs day = 86'400'000;
constexpr UtcMs now = 1'795'269'600'000;  // 2026-11-21T14:00:00Z

// A vault that signs with a key in memory, and nothing else.
class MemoryVault final : public SigningOnlyVault {
 public:
  explicit MemoryVault(const x509::MemoryKey& key) : signer_(key.signer()) {}
  Result<std::vector<std::uint8_t>> sign_digest(std::span<const std::uint8_t> digest) override {
    return signer_.sign(digest);
  }

 private:
  const x509::Signer signer_;
};

class FileCertificateTest : public ::testing::Test {
 protected:
  FileCertificateTest() {
    std::string name =
        (std::filesystem::temp_directory_path() / "nightdrop-certificate-").string() + std::string(6, 'X');
    folder_ = ::mkdtemp(name.data());
    ca_ = authority(ca_key_, "ca");
    write("manufacturing_ca.pem", ca_.pem());
    write("reader.pem", leaf(key_, 20, "1").pem());
  }
  ~FileCertificateTest() override { std::filesystem::remove_all(folder_); }

  static x509::IssueOptions options(const std::string& name, int days, const std::string& serial) {
    return {.common_name = name,
            .serial_number = serial,
            .not_before = now - 10 * day,
            .not_after = now + days * day,
            .purpose = x509::Purpose::Client,
            .hosts = {}};
  }
  static x509::Certificate authority(const x509::MemoryKey& key, const std::string& serial) {
    return *x509::make_authority(key.signer(), options("Test CA", 4000, serial));
  }
  x509::Certificate leaf(const x509::MemoryKey& key, int days, const std::string& serial,
                         const std::string& name = "ND000001") const {
    return *x509::issue(ca_key_.signer(), ca_, key.public_key(), options(name, days, serial));
  }
  void write(const std::string& name, const std::string& text) const { std::ofstream(folder_ + "/" + name) << text; }
  std::string read(const std::string& name) const {
    std::ifstream in(folder_ + "/" + name);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::unique_ptr<FileCertificate> open() {
    auto opened = FileCertificate::open(folder_ + "/reader.pem", folder_ + "/manufacturing_ca.pem", vault_,
                                        [this](const std::string& pem) { told_.push_back(pem); });
    EXPECT_TRUE(opened) << opened.error().text;
    return opened ? std::move(*opened) : nullptr;
  }
  static std::string code(const Result<void>& result) { return result ? "taken" : errc_name(result.error().code); }

  std::string folder_;
  x509::MemoryKey ca_key_{*x509::MemoryKey::generate()};
  x509::MemoryKey key_{*x509::MemoryKey::generate()};
  x509::Certificate ca_;
  MemoryVault vault_{key_};
  std::vector<std::string> told_;
};

TEST_F(FileCertificateTest, TakesALongerOneForTheSameNameAndKey) {
  const auto certificate = open();
  EXPECT_EQ(certificate->not_after(), now + 20 * day);
  EXPECT_TRUE(certificate->renewable());
  const std::string next = leaf(key_, 700, "2").pem();
  const auto taken = certificate->accept(next, now);
  ASSERT_TRUE(taken) << taken.error().text;
  EXPECT_EQ(certificate->not_after(), now + 700 * day);
  EXPECT_EQ(read("reader.pem"), next);
  EXPECT_EQ(told_, std::vector<std::string>{next});
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/reader.pem.new"));
  EXPECT_EQ(open()->not_after(), now + 700 * day) << "at the next start";
}

TEST_F(FileCertificateTest, TakesAChainThroughASubAuthority) {
  const auto sub_key = *x509::MemoryKey::generate();
  auto what = options("Renewal", 3000, "7e");
  what.purpose = x509::Purpose::Authority;
  const auto sub = x509::issue(ca_key_.signer(), ca_, sub_key.public_key(), what);
  ASSERT_TRUE(sub);
  const auto next = x509::issue(sub_key.signer(), *sub, key_.public_key(), options("ND000001", 700, "2"));
  ASSERT_TRUE(next);
  const auto certificate = open();
  EXPECT_EQ(code(certificate->accept(next->pem(), now)), "wrong_key") << "the sub-authority is missing";
  EXPECT_EQ(code(certificate->accept(next->pem() + sub->pem(), now)), "taken");
}

TEST_F(FileCertificateTest, TakesNothingElseAndKeepsTheOldOne) {
  const auto certificate = open();
  const std::string before = read("reader.pem");
  const auto other_key = *x509::MemoryKey::generate();
  const auto other_ca = *x509::MemoryKey::generate();
  const auto other_authority = authority(other_ca, "ca");
  const auto foreign =
      x509::issue(other_ca.signer(), other_authority, key_.public_key(), options("ND000001", 700, "2"));
  auto server = options("ND000001", 700, "2");
  server.purpose = x509::Purpose::Server;
  const auto not_client = x509::issue(ca_key_.signer(), ca_, key_.public_key(), server);
  EXPECT_EQ(code(certificate->accept(leaf(other_key, 700, "2").pem(), now)), "wrong_key");
  EXPECT_EQ(code(certificate->accept(leaf(key_, 700, "2", "ND000002").pem(), now)), "wrong_key");
  EXPECT_EQ(code(certificate->accept(foreign->pem(), now)), "wrong_key");
  EXPECT_EQ(code(certificate->accept(foreign->pem() + other_authority.pem(), now)), "wrong_key");
  EXPECT_EQ(code(certificate->accept(not_client->pem(), now)), "wrong_key");
  EXPECT_EQ(code(certificate->accept(leaf(key_, 20, "2").pem(), now)), "conflict");
  EXPECT_EQ(code(certificate->accept(leaf(key_, 700, "2").pem(), now - 11 * day)), "unavailable");
  EXPECT_EQ(code(certificate->accept("", now)), "malformed");
  EXPECT_EQ(code(certificate->accept("no certificate", now)), "malformed");
  EXPECT_EQ(read("reader.pem"), before);
  EXPECT_TRUE(told_.empty());
}

TEST_F(FileCertificateTest, AFileThatCannotBeWrittenChangesNothing) {
  const auto certificate = open();
  // The new file's place is taken by a folder.
  std::filesystem::create_directory(folder_ + "/reader.pem.new");
  EXPECT_EQ(code(certificate->accept(leaf(key_, 700, "2").pem(), now)), "io");
  EXPECT_EQ(certificate->not_after(), now + 20 * day);
  EXPECT_TRUE(told_.empty());
}

TEST_F(FileCertificateTest, WithoutTheManufacturingAuthorityThereIsNoRenewal) {
  std::filesystem::remove(folder_ + "/manufacturing_ca.pem");
  const auto certificate = open();
  EXPECT_FALSE(certificate->renewable());
  EXPECT_EQ(code(certificate->accept(leaf(key_, 700, "2").pem(), now)), "unsupported");
}

TEST_F(FileCertificateTest, AsksInItsOwnNameByTheVaultsKey) {
  const auto der = open()->request();
  ASSERT_TRUE(der) << der.error().text;
  const auto request = x509::parse_request(*der);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->common_name, "ND000001");
  EXPECT_EQ(request->public_key, key_.public_key());
  write("reader.pem", leaf(*x509::MemoryKey::generate(), 20, "3").pem());
  const auto other = open()->request();
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Errc::WrongKey) << "a certificate that is not the vault's";
}

// A link that gets another certificate of the same key.
TEST(CurlHostLinkCertificate, IsShownOnNewConnectionsAndNoEarlierOneIsUsedAgain) {
  const test::Pki pki;
  const auto renewed =
      test::new_certificate("ND000001 renewed", pki.reader_key.get(), pki.ca.get(), pki.ca_key.get(), false);
  std::mutex mutex;
  std::vector<std::string> names;
  test::TlsServer server(pki, [&](const test::SeenRequest& request) {
    const std::lock_guard lock(mutex);
    names.push_back(request.client_name);
    return test::Reaction{test::http_reply(200, "{}")};
  });
  CurlHostLinkConfig config;
  config.base_url = "https://acquirer.test:8443";
  config.ca_pem = test::pem(pki.ca.get());
  config.client_cert_pem = test::pem(pki.reader.get());
  for (RouteBinding& route : config.routes) route.connect_to = server.address();
  test::TestLoop loop;
  test::SigningVault vault(pki.reader_key.get());
  auto link = CurlHostLink::create(config, vault, loop.post());
  ASSERT_TRUE(link);
  const auto exchange = [&] {
    std::optional<HostOutcome> outcome;
    HostRequest request;
    request.path = "/v1/capabilities";
    request.timeout = test::patience;
    (*link)->send(std::move(request), [&](HostOutcome result) { outcome = std::move(result); });
    EXPECT_TRUE(loop.run_until([&] { return outcome.has_value(); }));
    EXPECT_TRUE(outcome && std::holds_alternative<HostReply>(*outcome));
  };
  exchange();
  exchange();
  EXPECT_EQ(server.connections(), 1);
  ASSERT_TRUE((*link)->use_certificate(test::pem(renewed.get())));
  exchange();
  exchange();
  EXPECT_EQ(server.connections(), 2);
  const std::lock_guard lock(mutex);
  EXPECT_EQ(names, (std::vector<std::string>{"ND000001", "ND000001", "ND000001 renewed", "ND000001 renewed"}));
  EXPECT_FALSE((*link)->use_certificate("no certificate"));
}

}  // namespace
}  // namespace nightdrop::hal
