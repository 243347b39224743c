// `hsm init`, `ceremony init` and `add-merchant` from outside: what is there afterwards, and what is refused.
#include <sys/file.h>

#include "e2e/ceremony/station.hpp"
#include "x509/certificate.hpp"

namespace nightdrop {
namespace {

using test::CeremonyStation;
using test::MadeStation;
using test::slurp;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

TEST(Ceremony, MakesAllKeysInTheHsm) {
  const MadeStation station("aes-256");
  const auto keys = station.keys();
  EXPECT_THAT(keys,
              ElementsAre(StartsWith("bdk/"), "ca", "fingerprint/m_0001", "orders", "policy", "station", "transport"));
  EXPECT_EQ(station.shown(keys.front(), "kind"), "\"aes-256\"");
  EXPECT_THAT(station.shown(keys.front(), "check_value"), HasSubstr(keys.front().substr(4)));
  for (const std::string& key : keys) {
    EXPECT_EQ(station.shown(key, "local"), "true") << key;
    const bool leaves = key.starts_with("bdk/") || key.starts_with("fingerprint/");
    EXPECT_EQ(station.shown(key, "extractable"), leaves ? "true" : "false") << key;
    EXPECT_EQ(station.shown(key, "never_extractable"), leaves ? "false" : "true") << key;
  }
}

// A station's certificate signs no orders, and one for orders opens no session.
x509::Purpose purpose_of(std::string_view file) {
  return file == "orders.pem" ? x509::Purpose::Orders : x509::Purpose::Station;
}

TEST(Ceremony, IssuesCertificatesThatLeadToItsAuthority) {
  const MadeStation station;
  const auto authority = x509::parse_certificate_pem(slurp(station.file("ca.pem")));
  ASSERT_TRUE(authority);
  EXPECT_TRUE(authority->is_authority);
  for (const char* name : {"station.pem", "orders.pem"}) {
    const auto leaf = x509::parse_certificate_pem(slurp(station.file(name)));
    ASSERT_TRUE(leaf) << name;
    const UtcMs then = leaf->not_before + 1000;
    for (const auto purpose : {x509::Purpose::Station, x509::Purpose::Orders, x509::Purpose::Client}) {
      EXPECT_EQ(x509::verify_chain({*leaf}, *authority, then, purpose).has_value(), purpose == purpose_of(name))
          << name;
    }
  }
  EXPECT_THAT(slurp(station.file("policy_signer.pem")), StartsWith("-----BEGIN PUBLIC KEY-----"));
}

TEST(Ceremony, IsHeldOnce) {
  const MadeStation station;
  const std::string before = slurp(station.file("transcript.txt"));
  const auto keys = station.keys();
  const test::Ended again = station.ceremony("init", {"--merchant", "m_0002"});
  EXPECT_EQ(again.exit_code, 73);
  EXPECT_THAT(again.err, HasSubstr("conflict"));
  EXPECT_EQ(station.keys(), keys);
  EXPECT_EQ(slurp(station.file("transcript.txt")), before);
  const test::Ended hsm = station.hsm_init();
  EXPECT_EQ(hsm.exit_code, 73);
  EXPECT_THAT(hsm.err, HasSubstr("conflict"));
}

TEST(Ceremony, AddsAMerchantOnce) {
  const MadeStation station;
  EXPECT_EQ(station.ceremony("add-merchant", {"m_0002"}).exit_code, 0);
  EXPECT_THAT(station.keys(), testing::Contains("fingerprint/m_0002"));
  const test::Ended again = station.ceremony("add-merchant", {"m_0002"});
  EXPECT_EQ(again.exit_code, 73);
  EXPECT_THAT(again.err, HasSubstr("conflict: the HSM has fingerprint/m_0002 already"));
  EXPECT_EQ(station.ceremony("add-merchant", {"m/../2"}).exit_code, 64);
}

TEST(Ceremony, RenewsTheCertificatesOfTheSameKeys) {
  const MadeStation station;
  const auto read = [&](const char* name) { return x509::parse_certificate_pem(slurp(station.file(name))).value(); };
  const auto authority = read("ca.pem");
  for (const char* name : {"station.pem", "orders.pem"}) {
    const auto before = read(name);
    const test::Ended renewed = station.ceremony("renew");
    ASSERT_EQ(renewed.exit_code, 0) << renewed.err;
    const auto after = read(name);
    EXPECT_NE(after.serial_number, before.serial_number);
    EXPECT_EQ(after.public_key, before.public_key);
    EXPECT_EQ(after.common_name, before.common_name);
    EXPECT_TRUE(x509::verify_chain({after}, authority, after.not_before + 1000, purpose_of(name)));
  }
  EXPECT_EQ(station.ceremony("transcript", {"--verify"}).exit_code, 0);
}

TEST(Ceremony, IsHeldByOneAtATime) {
  const MadeStation station;
  const int folder = ::open(station.station().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_EQ(::flock(folder, LOCK_EX | LOCK_NB), 0);
  const test::Ended second = station.ceremony("add-merchant", {"m_0002"});
  EXPECT_EQ(second.exit_code, 75);
  EXPECT_THAT(second.err, HasSubstr("another ceremony is held here"));
  ::close(folder);
  EXPECT_EQ(station.ceremony("add-merchant", {"m_0002"}).exit_code, 0);
}

TEST(Ceremony, NeedsThePin) {
  const MadeStation station;
  station.write_private("pin", "12345679\n");
  const test::Ended wrong = station.ceremony("show");
  EXPECT_EQ(wrong.exit_code, 65);
  EXPECT_THAT(wrong.err, HasSubstr("does not take this PIN"));
  EXPECT_THAT(wrong.err, testing::Not(HasSubstr("12345679")));
  station.write_private("pin", "12345678\n");
  EXPECT_EQ(station.ceremony("show").exit_code, 0);
  ::chmod(station.path("pin").c_str(), 0640);
  const test::Ended open = station.ceremony("show");
  EXPECT_EQ(open.exit_code, 66);
  EXPECT_THAT(open.err, HasSubstr("others may read it"));
}

TEST(Ceremony, TakesThePinFromStandardInputWhereNoFileIsNamed) {
  const CeremonyStation station;
  const auto init = [&](const std::string& input) {
    return test::run(test::provision, {"hsm", "init", "--station", station.station(), "--softhsm"}, input);
  };
  EXPECT_EQ(init("").exit_code, 66);
  const test::Ended made = init("87654321\n12345678\n");  // the officer's, the user's
  EXPECT_EQ(made.exit_code, 0) << made.err;
  EXPECT_EQ(station.ceremony("show", {}, "12345678\n").exit_code, 0);
  EXPECT_EQ(station.ceremony("show", {}, "12345670\n").exit_code, 65);
  EXPECT_EQ(slurp(station.file("hsm.json")).find("pin"), std::string::npos);
}

// Any PKCS#11 module is one by its path: here SoftHSM's, configured from outside as an administrator would.
TEST(Ceremony, TakesAModuleAndATokenThatItsMakersToolMade) {
  const CeremonyStation station;
  const std::string tokens = station.path("elsewhere");
  std::filesystem::create_directory(tokens);
  test::spill(station.path("softhsm2.conf"), "directories.tokendir = " + tokens + "\n");
  ASSERT_EQ(::setenv("SOFTHSM2_CONF", station.path("softhsm2.conf").c_str(), 1), 0);
  const test::Ended made = test::run("/usr/bin/softhsm2-util", {"--init-token", "--free", "--label", "production",
                                                                "--so-pin", "87654321", "--pin", "12345678"});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  const auto init = [&](const std::string& token) {
    return test::run(test::provision,
                     {"hsm", "init", "--station", station.station(), "--module", "/usr/lib/softhsm/libsofthsm2.so",
                      "--token", token, "--pin-file", station.path("pin")});
  };
  EXPECT_EQ(init("another").exit_code, 78);
  EXPECT_EQ(init("production").exit_code, 0);
  EXPECT_EQ(station.ceremony("init").exit_code, 0);
  EXPECT_EQ(station.keys().size(), 6U);
  EXPECT_FALSE(std::filesystem::exists(station.file("tokens"))) << "no SoftHSM of the station's own";
  EXPECT_EQ(station.ceremony("transcript", {"--verify"}).exit_code, 0);
  ::unsetenv("SOFTHSM2_CONF");
}

TEST(Ceremony, NamesWhatIsWrongWithTheHsm) {
  const CeremonyStation station;
  const test::Ended none = station.ceremony("init");
  EXPECT_EQ(none.exit_code, 66);
  EXPECT_THAT(none.err, HasSubstr("hsm init"));
  const auto init = [&](std::vector<std::string> more) {
    std::vector<std::string> words{"hsm", "init", "--station", station.station(), "--pin-file", station.path("pin")};
    words.insert(words.end(), more.begin(), more.end());
    return test::run(test::provision, words);
  };
  EXPECT_EQ(init({}).exit_code, 64);
  EXPECT_EQ(init({"--softhsm", "--module", "/x.so"}).exit_code, 64);
  EXPECT_EQ(init({"--module", station.path("no-module.so")}).exit_code, 66);
  EXPECT_EQ(init({"--softhsm", "--so-pin-file", station.write_private("short", "1\n")}).exit_code, 65);
  ASSERT_EQ(station.hsm_init().exit_code, 0);
  test::spill(station.file("hsm.json"), R"({"module": "/usr/lib/softhsm/libsofthsm2.so", "token_lable": "x"})");
  const test::Ended misspelt = station.ceremony("init");
  EXPECT_EQ(misspelt.exit_code, 78);
  EXPECT_THAT(misspelt.err, HasSubstr("token_lable"));
}

TEST(Ceremony, RefusesAKeyTypeThatIsNone) {
  const CeremonyStation station;
  ASSERT_EQ(station.hsm_init().exit_code, 0);
  EXPECT_EQ(station.ceremony("init", {"--key-type", "aes-192"}).exit_code, 64);
  EXPECT_EQ(station.ceremony("init", {"--merchant", "a b"}).exit_code, 64);
  EXPECT_EQ(station.ceremony("init", {"--operator", "anna\nbefore 00"}).exit_code, 64);
}

}  // namespace
}  // namespace nightdrop
