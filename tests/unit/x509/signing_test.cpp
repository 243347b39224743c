// Requests, and signers that fail or lie.
#include "unit/x509/support.hpp"

namespace nightdrop::x509 {
namespace {

Signer failing(const MemoryKey& key) {
  return {key.public_key(), [](std::span<const std::uint8_t>) -> Result<Bytes> {
            return failure(Errc::Unavailable, "the token is gone");
          }};
}
// Says it is `said` and signs with `used`.
Signer lying(const MemoryKey& said, const MemoryKey& used) {
  return {said.public_key(), used.signer().sign};
}

TEST(Request, ShowsThatItsKeyIsHeld) {
  const MemoryKey key = new_key();
  const auto der = make_request(key.signer(), "ND000001");
  ASSERT_TRUE(der) << der.error().text;
  const auto request = parse_request(*der);
  ASSERT_TRUE(request) << request.error().text;
  EXPECT_EQ(request->common_name, "ND000001");
  EXPECT_EQ(request->public_key, key.public_key());
}

TEST(Request, WithAnotherKeysSignatureIsRefused) {
  const MemoryKey victim = new_key();
  const MemoryKey own = new_key();
  const auto der = make_request(lying(victim, own), "ND000001");
  ASSERT_TRUE(der);
  const auto request = parse_request(*der);
  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().code, Errc::WrongKey);
}

TEST(Request, ThatWasChangedIsRefused) {
  const MemoryKey key = new_key();
  const auto der = make_request(key.signer(), "ND000001");
  ASSERT_TRUE(der);
  std::size_t taken = 0;
  for (std::size_t i = 0; i < der->size(); ++i) {
    Bytes changed = *der;
    changed[i] ^= 0x01;
    if (parse_request(changed)) ++taken;
  }
  EXPECT_EQ(taken, 0U);
  Bytes longer = *der;
  longer.push_back(0);
  EXPECT_FALSE(parse_request(longer));
  EXPECT_FALSE(parse_request({}));
}

TEST(SignerThatFails, GivesItsOwnError) {
  const MemoryKey key = new_key();
  const Authority ca;
  const auto expect_gone = [](const auto& result) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::Unavailable);
    EXPECT_STREQ(result.error().text, "the token is gone");
  };
  expect_gone(make_request(failing(key), "ND000001"));
  expect_gone(make_authority(failing(key), options("CA", Purpose::Authority)));
  expect_gone(issue(failing(ca.key), ca.certificate, key.public_key(), options("ND000001", Purpose::Client)));
  expect_gone(make_revocation_list(failing(ca.key), ca.certificate, 1, now, now + day, {}));
}

TEST(SignerThatLies, IsFoundBeforeAnythingIsGivenOut) {
  const MemoryKey key = new_key();
  const MemoryKey other = new_key();
  const Authority ca;
  const auto authority = make_authority(lying(key, other), options("CA", Purpose::Authority));
  ASSERT_FALSE(authority);
  EXPECT_EQ(authority.error().code, Errc::CryptoFailed);
  const auto certificate =
      issue(lying(ca.key, other), ca.certificate, key.public_key(), options("ND000001", Purpose::Client));
  ASSERT_FALSE(certificate);
  EXPECT_EQ(certificate.error().code, Errc::CryptoFailed);
  EXPECT_FALSE(make_revocation_list(lying(ca.key, other), ca.certificate, 1, now, now + day, {}));
  EXPECT_FALSE(issue(other.signer(), ca.certificate, key.public_key(), options("ND000001", Purpose::Client)))
      << "a certificate of another key";
}

TEST(SignerThatGivesNonsense, IsNoSignature) {
  const MemoryKey key = new_key();
  for (const std::size_t size : {0U, 10U, 72U, 5000U}) {
    const Signer nonsense{key.public_key(),
                          [size](std::span<const std::uint8_t>) -> Result<Bytes> { return Bytes(size, 7); }};
    EXPECT_FALSE(make_authority(nonsense, options("CA", Purpose::Authority))) << size;
  }
}

TEST(SignerOffTheCurve, IsMalformed) {
  Signer signer{{}, [](std::span<const std::uint8_t>) -> Result<Bytes> { return Bytes{}; }};
  signer.public_key.fill(7);
  const auto request = make_request(signer, "ND000001");
  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().code, Errc::Malformed);
}

TEST(MemoryKeyTest, PemIsReadBackAndNothingElseIs) {
  const MemoryKey key = new_key();
  const auto pem = key.to_pem();
  ASSERT_TRUE(pem);
  const auto again = MemoryKey::from_pem(pem->view());
  ASSERT_TRUE(again) << again.error().text;
  EXPECT_EQ(again->public_key(), key.public_key());
  const std::string nothing = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
  EXPECT_FALSE(MemoryKey::from_pem({reinterpret_cast<const std::uint8_t*>(nothing.data()), nothing.size()}));
}

TEST(MemoryKeyTest, SignsOnAfterItWasMoved) {
  MemoryKey key = new_key();
  const Signer signer = key.signer();
  const MemoryKey moved = std::move(key);
  EXPECT_TRUE(make_request(signer, "ND000001"));
  EXPECT_EQ(moved.public_key(), signer.public_key);
}

}  // namespace
}  // namespace nightdrop::x509
