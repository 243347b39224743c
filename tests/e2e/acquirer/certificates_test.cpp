// Revocation and renewal of readers' certificates by the simulated acquirer.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "e2e/acquirer/harness.hpp"
#include "nightdrop/encoding.hpp"
#include "x509/certificate.hpp"
#include "x509/certificate_file.hpp"
#include "x509/memory_key.hpp"

namespace nightdrop::e2e {
namespace {

constexpr UtcMs day = 86'400'000;

UtcMs utc_now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

class Certificates : public ::testing::Test {
 protected:
  Certificates() : ca_key_(*x509::MemoryKey::from_file(folder_.path() + "/ca.key")) {
    ca_ = *x509::parse_certificate_pem(read_file(folder_.authority()));
  }

  // Signed by the authority itself unless another is given.
  std::string list(std::int64_t number, const std::vector<std::string>& serials, const x509::MemoryKey* key = nullptr) {
    std::vector<x509::Revoked> revoked;
    for (const std::string& serial : serials) revoked.push_back({serial, utc_now()});
    const x509::MemoryKey& signer = key == nullptr ? ca_key_ : *key;
    x509::Certificate authority = ca_;
    authority.public_key = signer.public_key();
    if (key != nullptr) {
      authority = *x509::make_authority(
          signer.signer(),
          {.common_name = ca_.common_name, .serial_number = "1", .not_before = 0, .not_after = utc_now() + day});
    }
    return *x509::make_revocation_list(signer.signer(), authority, number, utc_now(), utc_now() + day, revoked);
  }
  void revoke(const std::string& pem) {
    const auto replaced = x509::replace_file(folder_.path() + "/revoked.pem", pem);
    ASSERT_TRUE(replaced) << replaced.error().text << replaced.error().native;
  }
  std::string serial_of(const std::string& reader) const {
    return x509::parse_certificate_pem(read_file(folder_.certificate(reader)))->serial_number;
  }
  // Makes the renewal authority, good for `days`.
  void allow_renewal(int days = 3650) {
    const auto key = x509::MemoryKey::generate();
    const auto certificate = x509::issue(ca_key_.signer(), ca_, key->public_key(),
                                         {.common_name = "Renewal",
                                          .serial_number = "7e",
                                          .not_before = utc_now() - day,
                                          .not_after = utc_now() + days * day,
                                          .purpose = x509::Purpose::ClientAuthority,
                                          .hosts = {}});
    ASSERT_TRUE(certificate) << certificate.error().text;
    write_file(folder_.path() + "/renewal.pem", certificate->pem());
    const auto pem = key->to_pem();
    write_file(folder_.path() + "/renewal.key", {pem->view().begin(), pem->view().end()});
  }
  static std::string body_with(const x509::MemoryKey& key, const std::string& name) {
    return "{\"csr\":\"" + to_base64(*x509::make_request(key.signer(), name)) + "\"}";
  }
  x509::MemoryKey key_of(const std::string& reader) const { return *x509::MemoryKey::from_file(folder_.key(reader)); }
  static Reply renew(const TestReader& reader, const std::string& body) {
    return reader.post("/v1/certificate", body, std::nullopt, "ND000001");
  }
  static std::string code(const Reply& reply) {
    const Json body = reply.json();
    return std::to_string(reply.status) + " " + std::string(body["error"]["code"].string().value_or("none"));
  }

  DevFolder folder_;
  x509::MemoryKey ca_key_;
  x509::Certificate ca_;
};

TEST_F(Certificates, ARevokedReaderIsRefusedAndTheOthersAreNot) {
  folder_.add_reader("ND000002", true);
  const AcquirerProcess acquirer(folder_);
  const TestReader one(folder_, acquirer);
  const TestReader two(folder_, acquirer, "ND000002");
  EXPECT_EQ(one.get("/v1/capabilities").status, 200);
  revoke(list(1, {serial_of("ND000001")}));
  EXPECT_EQ(code(one.get("/v1/capabilities")), "403 certificate_revoked");
  EXPECT_EQ(two.get("/v1/capabilities").status, 200);
  // Found without a restart, in both directions: a newer list that has it no more.
  revoke(list(2, {serial_of("ND000002")}));
  EXPECT_EQ(one.get("/v1/capabilities").status, 200);
  EXPECT_EQ(code(two.get("/v1/capabilities")), "403 certificate_revoked");
}

TEST_F(Certificates, AListThatIsNotTheAuthoritysOrIsOlderIsIgnored) {
  const AcquirerProcess acquirer(folder_);
  const TestReader reader(folder_, acquirer);
  const std::string serial = serial_of("ND000001");
  const auto other = x509::MemoryKey::generate();
  revoke(list(9, {serial}, &*other));
  EXPECT_EQ(reader.get("/v1/capabilities").status, 200) << "signed by another of the same name";
  revoke("no list");
  EXPECT_EQ(reader.get("/v1/capabilities").status, 200);
  revoke(list(5, {serial}));
  EXPECT_EQ(reader.get("/v1/capabilities").status, 403);
  revoke(list(4, {}));
  EXPECT_EQ(reader.get("/v1/capabilities").status, 403) << "older than the one in force";
  std::filesystem::remove(folder_.path() + "/revoked.pem");
  EXPECT_EQ(reader.get("/v1/capabilities").status, 403) << "a file that is gone revokes nothing";
  revoke(list(6, {}));
  EXPECT_EQ(reader.get("/v1/capabilities").status, 200);
}

TEST_F(Certificates, RenewalIsUnknownWhereThereIsNoAuthority) {
  const AcquirerProcess acquirer(folder_);
  const TestReader reader(folder_, acquirer);
  EXPECT_EQ(code(renew(reader, body_with(key_of("ND000001"), "ND000001"))), "404 renewal_unknown");
}

TEST_F(Certificates, ARenewedCertificateIsGoodAndSoIsTheOldOne) {
  allow_renewal();
  const AcquirerProcess acquirer(folder_);
  const TestReader reader(folder_, acquirer);
  const Reply reply = renew(reader, body_with(key_of("ND000001"), "ND000001"));
  ASSERT_EQ(reply.status, 200) << reply.body;
  const Json body = reply.json();
  const auto chain = x509::parse_chain_pem(*body["certificate"].string());
  ASSERT_TRUE(chain) << chain.error().text;
  EXPECT_TRUE(x509::verify_chain(*chain, ca_, utc_now(), x509::Purpose::Client));
  EXPECT_EQ(chain->front().common_name, "ND000001");
  EXPECT_EQ(chain->front().public_key, key_of("ND000001").public_key());
  EXPECT_GT(chain->front().not_after, utc_now() + 700 * day);

  EXPECT_EQ(reader.get("/v1/capabilities").status, 200) << "the old one";
  const std::string old = read_file(folder_.certificate("ND000001"));
  write_file(folder_.certificate("ND000001"), chain->front().pem());
  EXPECT_EQ(reader.get("/v1/capabilities").status, 200) << "the new one";
  // Revoked by the certificate it was made with, it is refused under the new one too.
  write_file(folder_.certificate("ND000009"), old);
  revoke(list(1, {serial_of("ND000009")}));
  EXPECT_EQ(code(reader.get("/v1/capabilities")), "403 certificate_revoked");
}

TEST_F(Certificates, TheSameRequestGetsTheSameAnswerAlsoAfterARestart) {
  allow_renewal();
  const std::string body = body_with(key_of("ND000001"), "ND000001");
  std::string first;
  {
    AcquirerProcess acquirer(folder_);
    const TestReader reader(folder_, acquirer);
    const Reply reply = renew(reader, body);
    EXPECT_EQ(reply.status, 200);
    EXPECT_FALSE(reply.replayed);
    first = reply.body;
    acquirer.end(SIGKILL);
  }
  const AcquirerProcess acquirer(folder_);
  const TestReader reader(folder_, acquirer);
  const Reply again = renew(reader, body);
  EXPECT_EQ(again.status, 200);
  EXPECT_TRUE(again.replayed);
  EXPECT_EQ(again.body, first);
  const auto registered = x509::read_chain_file(folder_.path() + "/readers/ND000001.pem");
  ASSERT_TRUE(registered);
  EXPECT_EQ(registered->size(), 2U);
}

TEST_F(Certificates, ARequestThatIsNotTheReadersOwnIsRefused) {
  allow_renewal();
  folder_.add_reader("ND000002", true);
  const AcquirerProcess acquirer(folder_);
  const TestReader reader(folder_, acquirer);
  const auto stranger = x509::MemoryKey::generate();
  const auto own = key_of("ND000001");
  EXPECT_EQ(code(renew(reader, body_with(own, "ND000002"))), "422 csr_name");
  EXPECT_EQ(code(renew(reader, body_with(*stranger, "ND000001"))), "422 csr_key");
  EXPECT_EQ(code(renew(reader, body_with(key_of("ND000002"), "ND000001"))), "422 csr_key");
  x509::Signer lying{own.public_key(), stranger->signer().sign};
  const auto unproved = x509::make_request(lying, "ND000001");
  EXPECT_EQ(code(renew(reader, "{\"csr\":\"" + to_base64(*unproved) + "\"}")), "422 csr_invalid");
  for (const char* body : {"", "{}", "{\"csr\":7}", "{\"csr\":\"***\"}", "[]"}) {
    EXPECT_EQ(code(renew(reader, body)), "400 malformed_json") << body;
  }
  EXPECT_EQ(x509::read_chain_file(folder_.path() + "/readers/ND000001.pem")->size(), 1U);
}

TEST_F(Certificates, OfARevokedReaderNoneIsRenewed) {
  allow_renewal();
  const AcquirerProcess acquirer(folder_);
  const TestReader reader(folder_, acquirer);
  revoke(list(1, {serial_of("ND000001")}));
  EXPECT_EQ(code(renew(reader, body_with(key_of("ND000001"), "ND000001"))), "403 certificate_revoked");
  revoke(list(2, {"7e"}));
  EXPECT_EQ(code(renew(reader, body_with(key_of("ND000001"), "ND000001"))), "503 renewal_unavailable")
      << "the renewal authority was revoked";
}

TEST_F(Certificates, ThatHaveRunOutAreRefused) {
  const auto key = key_of("ND000001");
  const auto certificate = x509::issue(ca_key_.signer(), ca_, key.public_key(),
                                       {.common_name = "ND000001",
                                        .serial_number = "abc",
                                        .not_before = utc_now() - 10 * day,
                                        .not_after = utc_now() - 1000,
                                        .purpose = x509::Purpose::Client,
                                        .hosts = {}});
  ASSERT_TRUE(certificate) << certificate.error().text;
  write_file(folder_.certificate("ND000001"), certificate->pem());
  write_file(folder_.path() + "/readers/ND000001.pem", certificate->pem());
  const AcquirerProcess acquirer(folder_);
  const TestReader reader(folder_, acquirer);
  EXPECT_EQ(code(reader.get("/v1/capabilities")), "403 certificate_expired");
}

}  // namespace
}  // namespace nightdrop::e2e
