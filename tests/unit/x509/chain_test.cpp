// What leads to an authority and what does not.
#include "unit/x509/support.hpp"

namespace nightdrop::x509 {
namespace {

class Chain : public ::testing::Test {
 protected:
  const Authority ca;
  const MemoryKey key{new_key()};

  Certificate leaf(Purpose purpose) const {
    auto made = ca.issue_for(key, options("ND000001", purpose));
    EXPECT_TRUE(made) << made.error().text;
    return made.value_or(Certificate{});
  }
};

TEST_F(Chain, TellsWhatWasAskedFor) {
  const Certificate certificate = leaf(Purpose::Client);
  EXPECT_EQ(certificate.common_name, "ND000001");
  EXPECT_EQ(certificate.issuer_name, "Test CA");
  EXPECT_EQ(certificate.serial_number, "1f");
  EXPECT_EQ(certificate.not_before, now - day);
  EXPECT_EQ(certificate.not_after, now + 365 * day);
  EXPECT_EQ(certificate.public_key, key.public_key());
  EXPECT_FALSE(certificate.is_authority);
  EXPECT_TRUE(ca.certificate.is_authority);
}

TEST_F(Chain, EachPurposeIsGoodForItselfAlone) {
  const std::vector<Purpose> all{Purpose::Server, Purpose::Client,    Purpose::Station,
                                 Purpose::Orders, Purpose::Authority, Purpose::ClientAuthority};
  for (const Purpose made : all) {
    const Certificate certificate = leaf(made);
    for (const Purpose asked : all) {
      const auto verified = verify_chain({certificate}, ca.certificate, now, asked);
      EXPECT_EQ(verified.has_value(), made == asked) << static_cast<int>(made) << " as " << static_cast<int>(asked);
      if (!verified) {
        EXPECT_EQ(verified.error().code, Errc::WrongKey);
      }
    }
  }
}

TEST_F(Chain, IsGoodFromItsFirstSecondUpToItsEnd) {
  const std::vector<Certificate> chain{leaf(Purpose::Client)};
  EXPECT_TRUE(verify_chain(chain, ca.certificate, now - day, Purpose::Client));
  EXPECT_TRUE(verify_chain(chain, ca.certificate, now + 365 * day - 1000, Purpose::Client));
  for (const UtcMs at : {now - day - 1000, now + 365 * day}) {
    const auto verified = verify_chain(chain, ca.certificate, at, Purpose::Client);
    ASSERT_FALSE(verified) << at;
    EXPECT_EQ(verified.error().code, Errc::Unavailable);
  }
}

TEST_F(Chain, OfAnotherAuthorityIsRefused) {
  const Authority other;  // of the same name
  const auto verified = verify_chain({leaf(Purpose::Client)}, other.certificate, now, Purpose::Client);
  ASSERT_FALSE(verified);
  EXPECT_EQ(verified.error().code, Errc::WrongKey);
}

TEST_F(Chain, ThatWasChangedIsRefused) {
  Certificate certificate = leaf(Purpose::Client);
  certificate.der[certificate.der.size() - 1] ^= 1;
  EXPECT_FALSE(verify_chain({certificate}, ca.certificate, now, Purpose::Client));
}

TEST_F(Chain, OfNothingIsRefused) {
  const auto verified = verify_chain({}, ca.certificate, now, Purpose::Client);
  ASSERT_FALSE(verified);
  EXPECT_EQ(verified.error().code, Errc::WrongKey);
}

TEST_F(Chain, GoesThroughASubAuthorityThatIsGivenAlong) {
  const MemoryKey sub_key = new_key();
  const auto sub = ca.issue_for(sub_key, options("Renewal", Purpose::Authority, "2"));
  ASSERT_TRUE(sub) << sub.error().text;
  const auto reader = issue(sub_key.signer(), *sub, key.public_key(), options("ND000001", Purpose::Client, "3"));
  ASSERT_TRUE(reader) << reader.error().text;
  EXPECT_TRUE(verify_chain({*reader, *sub}, ca.certificate, now, Purpose::Client));
  EXPECT_FALSE(verify_chain({*reader}, ca.certificate, now, Purpose::Client)) << "the sub-authority is missing";
  EXPECT_TRUE(verify_chain({*reader}, *sub, now, Purpose::Client)) << "an anchor ends the path";
}

TEST_F(Chain, ASubAuthorityHasNoSubAuthorities) {
  const MemoryKey sub_key = new_key();
  const MemoryKey deeper_key = new_key();
  const auto sub = ca.issue_for(sub_key, options("Renewal", Purpose::Authority, "2"));
  ASSERT_TRUE(sub);
  const auto deeper =
      issue(sub_key.signer(), *sub, deeper_key.public_key(), options("Deeper", Purpose::Authority, "3"));
  ASSERT_TRUE(deeper);
  const auto reader = issue(deeper_key.signer(), *deeper, key.public_key(), options("ND000001", Purpose::Client, "4"));
  ASSERT_TRUE(reader);
  const auto verified = verify_chain({*reader, *deeper, *sub}, ca.certificate, now, Purpose::Client);
  ASSERT_FALSE(verified);
  EXPECT_EQ(verified.error().code, Errc::WrongKey);
}

TEST_F(Chain, AClientAuthorityLeadsToClientsAlone) {
  const MemoryKey sub_key = new_key();
  const auto sub = ca.issue_for(sub_key, options("Renewal", Purpose::ClientAuthority, "2"));
  ASSERT_TRUE(sub);
  for (const Purpose purpose : {Purpose::Client, Purpose::Server, Purpose::Station, Purpose::Orders}) {
    const auto made = issue(sub_key.signer(), *sub, key.public_key(), options("ND000001", purpose, "3"));
    ASSERT_TRUE(made);
    const auto verified = verify_chain({*made, *sub}, ca.certificate, now, purpose);
    EXPECT_EQ(verified.has_value(), purpose == Purpose::Client) << static_cast<int>(purpose);
    EXPECT_EQ(verify_chain({*made}, *sub, now, purpose).has_value(), purpose == Purpose::Client)
        << "as the anchor, " << static_cast<int>(purpose);
  }
}

TEST_F(Chain, ALeafIssuesNothing) {
  const Certificate certificate = leaf(Purpose::Client);
  EXPECT_FALSE(issue(key.signer(), certificate, key.public_key(), options("ND000002", Purpose::Client)));
}

TEST_F(Chain, RefusesOptionsThatMakeNoSense) {
  const auto code_of = [&](const IssueOptions& what) {
    const auto made = ca.issue_for(key, what);
    return made ? std::string("made") : std::string(errc_name(made.error().code));
  };
  IssueOptions what = options("", Purpose::Client);
  EXPECT_EQ(code_of(what), "invalid_argument");
  what = options(std::string(65, 'x'), Purpose::Client);
  EXPECT_EQ(code_of(what), "invalid_argument");
  for (const char* number : {"", "0", "00", "xyz", "8000000000000000000000000000000000000000"}) {
    EXPECT_EQ(code_of(options("ND000001", Purpose::Client, number)), "invalid_argument") << number;
  }
  what = options("ND000001", Purpose::Client);
  what.not_after = what.not_before;
  EXPECT_EQ(code_of(what), "invalid_argument");
  what = options("localhost", Purpose::Server);
  what.hosts = {"localhost,DNS:bank.example"};
  EXPECT_EQ(code_of(what), "invalid_argument");
  what.hosts = {"localhost", "127.0.0.1", "::1"};
  EXPECT_EQ(code_of(what), "made");
}

TEST_F(Chain, PemIsReadBack) {
  const Certificate certificate = leaf(Purpose::Client);
  const auto chain = parse_chain_pem(certificate.pem() + ca.certificate.pem());
  ASSERT_TRUE(chain) << chain.error().text;
  ASSERT_EQ(chain->size(), 2U);
  EXPECT_EQ(chain->at(0).der, certificate.der);
  EXPECT_EQ(chain->at(1).der, ca.certificate.der);
}

TEST(Parse, RefusesWhatIsNoCertificate) {
  for (const std::string text : {"", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "hello"}) {
    const auto chain = parse_chain_pem(text);
    ASSERT_FALSE(chain) << text;
    EXPECT_EQ(chain.error().code, Errc::Malformed);
  }
  const Authority ca;
  Bytes longer = ca.certificate.der;
  longer.push_back(0);
  EXPECT_FALSE(parse_certificate(longer)) << "nothing may follow";
  EXPECT_FALSE(parse_chain_pem(ca.certificate.pem() + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
      << "a second one that does not parse";
}

TEST(SerialNumber, AtRandomIsNotTheSameTwice) {
  const auto one = random_serial_number();
  const auto other = random_serial_number();
  ASSERT_TRUE(one && other);
  EXPECT_EQ(one->size(), 32U);
  EXPECT_NE(*one, *other);
}

}  // namespace
}  // namespace nightdrop::x509
