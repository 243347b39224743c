// A reader whose certificate runs out soon: docs/operations.md, "Certificate runs out"; docs/acquirer_api.md, POST
// /v1/certificate. The test is the factory: it certifies the key that the reader's vault has.
#include <chrono>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "e2e/harness.hpp"
#include "nightdrop/time_text.hpp"
#include "x509/certificate_file.hpp"
#include "x509/memory_key.hpp"

namespace nightdrop::e2e {
namespace {

constexpr UtcMs day = 86'400'000;

UtcMs utc_now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

class CertificateRunsOut : public testing::Test {
 protected:
  CertificateRunsOut() : world({.start = false}) {
    reader_key = x509::read_chain_file(world.path("reader.pem"))->front().public_key;
    // What the development folder was made with; each test gives what it needs.
    for (const char* name :
         {"manufacturing_ca.pem", "acquirer/manufacturing_ca.pem", "acquirer/renewal.pem", "acquirer/renewal.key"}) {
      std::filesystem::remove(world.path(name));
    }
    ca = *x509::make_authority(ca_key.signer(), options("Factory CA", "ca", 4000));
  }

  static x509::IssueOptions options(const std::string& name, const std::string& serial, int days,
                                    x509::Purpose purpose = x509::Purpose::Client) {
    return {.common_name = name,
            .serial_number = serial,
            .not_before = utc_now() - 100 * day,
            .not_after = utc_now() + days * day,
            .purpose = purpose,
            .hosts = {}};
  }
  void write(const std::string& name, const std::string& text) const {
    ASSERT_TRUE(x509::replace_file(world.path(name), text));
  }
  // The reader's certificate, good for `days`, at the reader and at the acquirer.
  void certify(int days) const {
    const auto made = x509::issue(ca_key.signer(), ca, reader_key, options("ND000001", "1", days));
    ASSERT_TRUE(made) << made.error().text;
    for (const char* name : {"reader.pem", "acquirer/readers/ND000001.pem"}) write(name, made->pem());
  }
  void give_authority() const { write("manufacturing_ca.pem", ca.pem()); }
  // The acquirer's renewal authority, under `above`.
  void allow_renewal(const x509::MemoryKey& above_key, const x509::Certificate& above) const {
    const auto key = *x509::MemoryKey::generate();
    const auto sub = x509::issue(above_key.signer(), above, key.public_key(),
                                 options("Renewal", "7e", 3000, x509::Purpose::ClientAuthority));
    ASSERT_TRUE(sub) << sub.error().text;
    write("acquirer/renewal.pem", sub->pem());
    const auto pem = key.to_pem();
    write("acquirer/renewal.key", std::string(pem->view().begin(), pem->view().end()));
  }
  void start() {
    world.start();
    (void)world.call("subscribe", R"({"consumer":"office"})");
  }
  UtcMs end_of_file() const { return x509::read_chain_file(world.path("reader.pem"))->front().not_after; }

  World world;
  x509::MemoryKey ca_key{*x509::MemoryKey::generate()};
  x509::PublicKey reader_key{};
  x509::Certificate ca;
};

TEST_F(CertificateRunsOut, IsToldOfWhereItCannotBeRenewed) {
  certify(10);
  start();
  const Json event = world.pos().event("certificate.expiring");
  EXPECT_TRUE(holds(event["data"], R"({"expired":false,"renewable":false})")) << event.dump();
  EXPECT_EQ(event["data"]["not_after"].string(), rfc3339(end_of_file()));
  EXPECT_TRUE(holds(world.offline_status(), R"({"certificate":{"expires_soon":true}})"));
  const Ended status = run("nightdrop", {"--socket", world.path("run/pos.sock"), "status"});
  EXPECT_NE(status.out.find("Certificate runs out in"), std::string::npos) << status.out << status.err;
}

TEST_F(CertificateRunsOut, IsRenewedAndTheNewOneIsUsedAtOnce) {
  certify(10);
  give_authority();
  allow_renewal(ca_key, ca);
  const std::string old = *x509::read_text_file(world.path("reader.pem"));
  start();
  const Json event = world.pos().event("certificate.renewed");
  const auto chain = x509::read_chain_file(world.path("reader.pem"));
  ASSERT_TRUE(chain) << chain.error().text;
  EXPECT_EQ(event["data"]["not_after"].string(), rfc3339(chain->front().not_after));
  EXPECT_GT(chain->front().not_after, utc_now() + 700 * day);
  EXPECT_EQ(chain->front().public_key, reader_key);
  EXPECT_TRUE(x509::verify_chain(*chain, ca, utc_now(), x509::Purpose::Client));
  EXPECT_TRUE(holds(world.offline_status(), R"({"certificate":{"expires_soon":false}})"));
  // The acquirer forgets the old one: whoever shows it is a stranger now, and only the new one is heard.
  write("acquirer/readers/ND000001.pem", chain->front().pem());
  world.kill_acquirer();
  world.start_acquirer();
  EXPECT_WORD(world.pay(700, new_card()), "succeeded");
  // And after a restart, from the file.
  world.restart();
  EXPECT_WORD(world.pay(800, new_card()), "succeeded");
}

TEST_F(CertificateRunsOut, OfAnotherAuthorityIsRefusedAndPaymentsGoOn) {
  certify(10);
  give_authority();
  const auto other_key = *x509::MemoryKey::generate();
  const auto other = x509::make_authority(other_key.signer(), options("Factory CA", "ca", 4000));
  ASSERT_TRUE(other);
  allow_renewal(other_key, *other);
  const UtcMs before = end_of_file();
  start();
  const Json event = world.pos().event("certificate.renewal_failed");
  EXPECT_TRUE(holds(event["data"], R"({"reason":"not_valid"})")) << event.dump();
  EXPECT_EQ(end_of_file(), before);
  EXPECT_WORD(world.pay(700, new_card()), "succeeded");
}

TEST_F(CertificateRunsOut, AnAcquirerThatRenewsNoneIsReported) {
  certify(10);
  give_authority();
  start();
  EXPECT_TRUE(holds(world.pos().event("certificate.renewal_failed")["data"], R"({"reason":"not_offered"})"));
  EXPECT_WORD(world.pay(700, new_card()), "succeeded");
}

TEST_F(CertificateRunsOut, NothingIsSaidOfOneThatIsGoodForLong) {
  certify(100);
  give_authority();
  allow_renewal(ca_key, ca);
  start();
  EXPECT_WORD(world.pay(700, new_card()), "succeeded");
  EXPECT_TRUE(holds(world.offline_status(), R"({"certificate":{"expires_soon":false}})"));
  // Seventy days later it is told of, and renewed.
  world.advance(71 * 86'400);
  world.pos().event("certificate.expiring");
}

}  // namespace
}  // namespace nightdrop::e2e
