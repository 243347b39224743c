// What this project signs, as another program sees it: the openssl command line checks certificates, a request and a
// revocation list.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "x509/certificate.hpp"
#include "x509/memory_key.hpp"

namespace nightdrop::x509 {
namespace {

constexpr UtcMs day = 86'400'000;
constexpr UtcMs now = 1'795'269'600'000;           // 2026-11-21T14:00:00Z
constexpr const char* at = " -attime 1795269600";  // the same, in seconds

class OpensslCommand : public ::testing::Test {
 protected:
  OpensslCommand() {
    std::string name = (std::filesystem::temp_directory_path() / "nightdrop-x509-").string() + std::string(6, 'X');
    folder_ = ::mkdtemp(name.data());
    ca_ = *make_authority(ca_key_.signer(), options("Test CA", Purpose::Authority, "ca"));
    write("ca.pem", ca_.pem());
  }
  ~OpensslCommand() override { std::filesystem::remove_all(folder_); }

  static IssueOptions options(std::string name, Purpose purpose, std::string serial) {
    return {.common_name = std::move(name),
            .serial_number = std::move(serial),
            .not_before = now - day,
            .not_after = now + 400 * day,
            .purpose = purpose,
            .hosts = {}};
  }
  void write(const std::string& name, std::string_view text) const {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << text;
  }
  // What the command said, standard error included, and its exit code at the end.
  std::string openssl(const std::string& arguments) const {
    const std::string command = "cd '" + folder_ + "' && openssl " + arguments + " 2>&1";
    std::FILE* pipe = ::popen(command.c_str(), "r");
    std::string text;
    std::array<char, 4096> buffer{};
    while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) text.append(buffer.data(), got);
    return text + "exit " + std::to_string(WEXITSTATUS(::pclose(pipe)));
  }

  std::string folder_;
  MemoryKey ca_key_{*MemoryKey::generate()};
  MemoryKey key_{*MemoryKey::generate()};
  Certificate ca_;
};

TEST_F(OpensslCommand, VerifiesAChainThroughASubAuthority) {
  const MemoryKey sub_key = *MemoryKey::generate();
  const auto sub = issue(ca_key_.signer(), ca_, sub_key.public_key(), options("Renewal", Purpose::Authority, "2"));
  const auto reader = issue(sub_key.signer(), *sub, key_.public_key(), options("ND000001", Purpose::Client, "3"));
  ASSERT_TRUE(sub && reader);
  write("sub.pem", sub->pem());
  write("reader.pem", reader->pem());
  const std::string verify = std::string("verify -x509_strict -CAfile ca.pem -untrusted sub.pem") + at;
  EXPECT_EQ(openssl(verify + " -purpose sslclient reader.pem"), "reader.pem: OK\nexit 0");
  EXPECT_NE(openssl(verify + " -purpose sslserver reader.pem").find("exit 2"), std::string::npos);
}

TEST_F(OpensslCommand, AClientAuthorityLeadsToNoServer) {
  const MemoryKey sub_key = *MemoryKey::generate();
  const auto sub =
      issue(ca_key_.signer(), ca_, sub_key.public_key(), options("Renewal", Purpose::ClientAuthority, "2"));
  const auto reader = issue(sub_key.signer(), *sub, key_.public_key(), options("ND000001", Purpose::Client, "3"));
  const auto server = issue(sub_key.signer(), *sub, key_.public_key(), options("acquirer", Purpose::Server, "4"));
  ASSERT_TRUE(sub && reader && server);
  write("sub.pem", sub->pem());
  write("reader.pem", reader->pem());
  write("server.pem", server->pem());
  const std::string verify = std::string("verify -x509_strict -CAfile ca.pem -untrusted sub.pem") + at;
  EXPECT_EQ(openssl(verify + " -purpose sslclient reader.pem"), "reader.pem: OK\nexit 0");
  EXPECT_NE(openssl(verify + " -purpose sslserver server.pem").find("exit 2"), std::string::npos);
}

TEST_F(OpensslCommand, ReadsTheExtensions) {
  IssueOptions server = options("acquirer.example", Purpose::Server, "0a1b2c");
  server.hosts = {"acquirer.example", "127.0.0.1", "::1"};
  write("server.pem", issue(ca_key_.signer(), ca_, key_.public_key(), server)->pem());
  write("station.pem",
        issue(ca_key_.signer(), ca_, key_.public_key(), options("Line 1", Purpose::Station, "5"))->pem());
  write("orders.pem",
        issue(ca_key_.signer(), ca_, key_.public_key(), options("Line 1 orders", Purpose::Orders, "6"))->pem());
  const std::string shown = openssl("x509 -in server.pem -noout -text");
  for (const char* part : {"DNS:acquirer.example, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1",
                           "TLS Web Server Authentication", "CA:FALSE", "X509v3 Basic Constraints: critical",
                           "X509v3 Key Usage: critical", "Digital Signature", "ecdsa-with-SHA256", "NIST CURVE: P-256",
                           "X509v3 Subject Key Identifier", "X509v3 Authority Key Identifier", "Version: 3"}) {
    EXPECT_NE(shown.find(part), std::string::npos) << part << "\n" << shown;
  }
  EXPECT_NE(openssl("x509 -in server.pem -noout -serial").find("serial=0A1B2C"), std::string::npos);
  const std::string station = openssl("x509 -in station.pem -noout -text");
  EXPECT_NE(station.find(station_purpose_oid), std::string::npos) << station;
  const std::string orders = openssl("x509 -in orders.pem -noout -text");
  EXPECT_NE(orders.find(orders_purpose_oid), std::string::npos) << orders;
  EXPECT_NE(openssl("x509 -in ca.pem -noout -text").find("CA:TRUE, pathlen:1"), std::string::npos);
}

TEST_F(OpensslCommand, VerifiesARequest) {
  const auto der = make_request(key_.signer(), "ND000001");
  ASSERT_TRUE(der);
  write("request.der", {reinterpret_cast<const char*>(der->data()), der->size()});
  const std::string said = openssl("req -inform DER -in request.der -verify -noout -subject");
  EXPECT_NE(said.find("verify OK"), std::string::npos) << said;
  EXPECT_NE(said.find("CN = ND000001"), std::string::npos) << said;
}

TEST_F(OpensslCommand, VerifiesARevocationListAndKeepsToIt) {
  write("reader.pem",
        issue(ca_key_.signer(), ca_, key_.public_key(), options("ND000001", Purpose::Client, "3"))->pem());
  const auto list = make_revocation_list(ca_key_.signer(), ca_, 12, now, now + 30 * day, {{"3", now}});
  ASSERT_TRUE(list);
  write("list.pem", *list);
  const std::string shown = openssl("crl -in list.pem -CAfile ca.pem -noout -crlnumber");
  EXPECT_NE(shown.find("verify OK"), std::string::npos) << shown;
  EXPECT_NE(shown.find("crlNumber=0x0C"), std::string::npos) << shown;
  const std::string verified =
      openssl(std::string("verify -crl_check -CRLfile list.pem -CAfile ca.pem") + at + " reader.pem");
  EXPECT_NE(verified.find("certificate revoked"), std::string::npos) << verified;
}

TEST_F(OpensslCommand, MakesARequestThatIsRead) {
  openssl("ecparam -name prime256v1 -genkey -noout -out theirs.key");
  openssl("req -new -sha256 -key theirs.key -subj /CN=ND000007 -outform DER -out theirs.der");
  std::ifstream in(folder_ + "/theirs.der", std::ios::binary);
  const std::string der(std::istreambuf_iterator<char>(in), {});
  const auto request = parse_request({reinterpret_cast<const std::uint8_t*>(der.data()), der.size()});
  ASSERT_TRUE(request) << request.error().text;
  EXPECT_EQ(request->common_name, "ND000007");
  const auto key = MemoryKey::from_file(folder_ + "/theirs.key");
  ASSERT_TRUE(key);
  EXPECT_EQ(request->public_key, key->public_key());
}

}  // namespace
}  // namespace nightdrop::x509
