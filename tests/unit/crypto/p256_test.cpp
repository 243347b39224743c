// ECDSA P-256: RFC 6979's key, forgeries, and DER that only looks right.
#include "crypto/p256.hpp"

#include <algorithm>
#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "crypto/primitives.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop {
namespace {

Secret<32> rfc6979_scalar() {
  const auto bytes = from_hex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721").value();
  return Secret<32>(std::span(bytes).first<32>());
}

TEST(P256, PublicKeyAndSignatureOfRfc6979) {
  const auto key = p256_public_key(rfc6979_scalar().view());
  ASSERT_TRUE(key);
  EXPECT_EQ(hex_upper(*key),
            "0460FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB67903FE1008B8BC99A41AE9E95628BC64F2F1B20C"
            "2D7E9F51"
            "77A3C294D4462299");
  const auto raw =
      from_hex(
          "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9"
          "AFF4064DC4AB2F843ACDA8")
          .value();
  P256RawSignature signature{};
  std::ranges::copy(raw, signature.begin());
  const auto der = p256_signature_to_der(signature);
  EXPECT_TRUE(p256_verify(*key, bytes_of("sample"), der));
  EXPECT_EQ(p256_verify(*key, bytes_of("Sample"), der).error().code, Errc::WrongKey);
  EXPECT_EQ(p256_signature_from_der(der).value(), signature);
}

TEST(P256, SignsWhatItVerifies) {
  const auto scalar = p256_generate();
  ASSERT_TRUE(scalar);
  const auto key = p256_public_key(scalar->view()).value();
  const auto message = bytes_of("nightdrop-checkpoint");
  for (int i = 0; i < 20; ++i) {
    auto signature = p256_sign(scalar->view(), message).value();
    ASSERT_TRUE(p256_verify(key, message, signature));
    ASSERT_TRUE(p256_verify_digest(key, sha256(message), signature));
    signature.back() ^= 1;
    EXPECT_FALSE(p256_verify(key, message, signature));
  }
  const auto other = p256_public_key(p256_generate()->view()).value();
  EXPECT_EQ(p256_verify(other, message, p256_sign(scalar->view(), message).value()).error().code, Errc::WrongKey);
  EXPECT_FALSE(p256_sign_digest(scalar->view(), message.first(4)));
}

TEST(P256, RefusesBadKeys) {
  EXPECT_FALSE(p256_public_key(Secret<32>().view()));
  Secret<32> above;
  std::ranges::fill(above.writable(), std::uint8_t{0xFF});
  EXPECT_FALSE(p256_sign(above.view(), bytes_of("x")));
  auto key = p256_public_key(rfc6979_scalar().view()).value();
  const auto signature = p256_sign(rfc6979_scalar().view(), bytes_of("x")).value();
  key[64] ^= 1;  // off the curve
  EXPECT_EQ(p256_verify(key, bytes_of("x"), signature).error().code, Errc::Malformed);
}

TEST(P256, PemRoundTripAndStrictness) {
  const auto key = p256_public_key(rfc6979_scalar().view()).value();
  const std::string pem = p256_to_spki_pem(key);
  EXPECT_EQ(p256_from_spki_pem(pem).value(), key);
  EXPECT_EQ(p256_from_spki_pem("# a comment\r\n" + pem).value(), key);
  EXPECT_FALSE(p256_from_spki_pem(""));
  EXPECT_FALSE(p256_from_spki_pem(pem.substr(0, pem.size() - 10)));
  auto der = p256_to_spki_der(key);
  der[20] ^= 1;  // another curve
  EXPECT_FALSE(p256_from_spki_pem("-----BEGIN PUBLIC KEY-----\n" + to_base64(der) + "\n-----END PUBLIC KEY-----\n"));
}

TEST(P256, DerIsStrict) {
  P256RawSignature raw{};
  raw[31] = 1;
  raw[63] = 0x80;  // needs the sign byte
  const auto der = p256_signature_to_der(raw);
  EXPECT_EQ(hex_lower(der), "300702010102020080");
  EXPECT_EQ(p256_signature_from_der(der).value(), raw);
  for (const char* bad :
       {"", "30", "3000", "300702010102020080ff", "3006020101020180", "30080202000102020080", "300402010102",
        "308107020101020200 80", "310702010102020080", "3007020101030200 80", "3008020101020300008 0"}) {
    std::string text(bad);
    std::erase(text, ' ');
    EXPECT_FALSE(p256_signature_from_der(from_hex(text).value())) << bad;
  }
}

TEST(P256, SignsFromSeveralThreads) {
  const auto scalar = p256_generate();
  ASSERT_TRUE(scalar);
  const auto key = p256_public_key(scalar->view()).value();
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10; ++i) {
        const auto signature = p256_sign(scalar->view(), bytes_of("m"));
        if (signature && p256_verify(key, bytes_of("m"), *signature)) ++good;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, 40);
}

// RFC 5903, 8.1: a 256-bit random ECP group.
TEST(P256, AgreesOnTheKeyOfRfc5903) {
  const auto scalar = from_hex("c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433").value();
  const auto peer = from_hex(
                        "04d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"
                        "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab")
                        .value();
  P256Point point{};
  std::ranges::copy(peer, point.begin());
  const auto shared = p256_ecdh(std::span(scalar).first<32>(), point);
  ASSERT_TRUE(shared);
  EXPECT_EQ(hex_lower(shared->view()), "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de");
  point[64] ^= 1;
  EXPECT_EQ(p256_ecdh(std::span(scalar).first<32>(), point).error().code, Errc::Malformed);
  point.fill(0);
  EXPECT_EQ(p256_ecdh(std::span(scalar).first<32>(), point).error().code, Errc::Malformed);
}

}  // namespace
}  // namespace nightdrop
