// Known answers of the primitives from their standards, and the strictness of the decoders.
#include "crypto/primitives.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "nightdrop/encoding.hpp"

namespace nightdrop {
namespace {

std::vector<std::uint8_t> hex(std::string_view text) {
  return from_hex(text).value();
}

TEST(Encoding, HexIsStrict) {
  EXPECT_EQ(hex_lower(hex("00ffA5")), "00ffa5");
  EXPECT_EQ(hex_upper(hex("00ffA5")), "00FFA5");
  EXPECT_TRUE(from_hex("")->empty());
  for (const char* bad : {"0", "0g", " 00", "0x00", "00 "}) {
    EXPECT_FALSE(from_hex(bad)) << bad;
    EXPECT_FALSE(secret_from_hex(bad)) << bad;
  }
  EXPECT_EQ(hex_lower(secret_from_hex("0102")->view()), "0102");
}

TEST(Encoding, Base64OfRfc4648) {
  const std::pair<const char*, const char*> cases[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : cases) {
    EXPECT_EQ(to_base64(bytes_of(plain)), encoded);
    const auto decoded = from_base64(encoded);
    ASSERT_TRUE(decoded) << encoded;
    EXPECT_EQ(std::string(decoded->begin(), decoded->end()), plain);
  }
  EXPECT_EQ(to_base64(hex("fbffbf")), "+/+/");
  for (const char* bad : {"Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm9v\n", "Zm-v", "=Zg="}) {
    EXPECT_FALSE(from_base64(bad)) << bad;
  }
}

TEST(Primitives, Sha256) {
  EXPECT_EQ(hex_lower(sha256(bytes_of("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex_lower(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256(bytes_of("a"), bytes_of("bc")), sha256(bytes_of("abc")));
}

TEST(Primitives, HkdfOfRfc5869) {
  const auto hkdf = [](std::string_view secret, std::string_view salt, std::string_view info, std::size_t size) {
    return hex_lower(hkdf_sha256(hex(secret), hex(salt), hex(info), size).view());
  };
  EXPECT_EQ(
      hkdf("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9", 42),
      "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  std::string secret, salt, info;
  for (int i = 0; i < 80; ++i) {
    const auto at = [i](int first) { return hex_lower(std::array{static_cast<std::uint8_t>(first + i)}); };
    secret += at(0);
    salt += at(0x60);
    info += at(0xB0);
  }
  EXPECT_EQ(
      hkdf(secret, salt, info, 82),
      "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f"
      "09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
  EXPECT_EQ(hkdf("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "", 42),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

TEST(Primitives, HmacOfRfc4231) {
  EXPECT_EQ(hex_lower(hmac_sha256(bytes_of("Jefe"), bytes_of("what do ya want for nothing?"))),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  const std::vector<std::uint8_t> long_key(131, 0xAA);
  EXPECT_EQ(hex_lower(hmac_sha256(long_key, bytes_of("Test Using Larger Than Block-Size Key - Hash Key First"))),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Primitives, Pbkdf2OfRfc7914) {
  EXPECT_EQ(hex_lower(pbkdf2_hmac_sha256(bytes_of("passwd"), bytes_of("salt"), 1)),
            "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
  EXPECT_EQ(hex_lower(pbkdf2_hmac_sha256(bytes_of("Password"), bytes_of("NaCl"), 80000)),
            "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56");
}

TEST(Primitives, Pbkdf2IsFastEnoughForASlowHash) {
  const auto start = std::chrono::steady_clock::now();
  const Digest slow = pbkdf2_hmac_sha256(bytes_of("4711"), bytes_of("salt"), 100'000);
  const auto took = std::chrono::steady_clock::now() - start;
  EXPECT_NE(slow, Digest{});
  RecordProperty("microseconds", static_cast<int>(std::chrono::duration_cast<std::chrono::microseconds>(took).count()));
  EXPECT_LT(took,
            std::chrono::seconds(10));  // well under half a second on a desk; emulated and sanitised builds pass too
}

TEST(Primitives, GcmOfNistsTestCase4) {
  const auto key = hex("feffe9928665731c6d6a8f9467308308");
  const auto nonce = hex("cafebabefacedbaddecaf888");
  const auto aad = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  const auto plain = hex(
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657"
      "ba637b39");
  auto sealed = aes_gcm_seal(key, nonce, aad, plain);
  ASSERT_TRUE(sealed);
  EXPECT_EQ(
      hex_lower(*sealed),
      "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac97"
      "3d58e0915bc94fbc3221a5db94fae95ae7121a47");
  EXPECT_TRUE(std::ranges::equal(aes_gcm_open(key, nonce, aad, *sealed)->view(), plain));
  for (std::size_t i = 0; i < sealed->size(); ++i) {
    (*sealed)[i] ^= 1;
    const auto opened = aes_gcm_open(key, nonce, aad, *sealed);
    ASSERT_FALSE(opened) << i;
    EXPECT_EQ(opened.error().code, Errc::WrongKey);
    (*sealed)[i] ^= 1;
  }
  EXPECT_EQ(aes_gcm_open(key, nonce, {}, *sealed).error().code, Errc::WrongKey);
  EXPECT_EQ(aes_gcm_open(key, nonce, aad, std::span(*sealed).first(15)).error().code, Errc::WrongKey);
  EXPECT_EQ(aes_gcm_seal(std::span(key).first(15), nonce, aad, plain).error().code, Errc::InvalidArgument);
  EXPECT_EQ(aes_gcm_seal(key, std::span(nonce).first(11), aad, plain).error().code, Errc::InvalidArgument);
}

TEST(Primitives, GcmOfNothing) {
  const std::vector<std::uint8_t> key(32, 7);
  const auto nonce = hex("000000000000000000000001");
  const auto sealed = aes_gcm_seal(key, nonce, {}, {});
  ASSERT_TRUE(sealed);
  EXPECT_EQ(sealed->size(), gcm_tag_size);
  const auto opened = aes_gcm_open(key, nonce, {}, *sealed);
  ASSERT_TRUE(opened);
  EXPECT_TRUE(opened->empty());
}

TEST(Primitives, BlockModesOfSp80038a) {
  const auto key = hex("2b7e151628aed2a6abf7158809cf4f3c");
  const auto plain = hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
  const auto iv = hex("000102030405060708090a0b0c0d0e0f");
  std::vector<std::uint8_t> out(plain.size());
  ASSERT_TRUE(ecb_encrypt(BlockCipher::Aes, key, plain, out));
  EXPECT_EQ(hex_lower(out), "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf");
  ASSERT_TRUE(ecb_decrypt(BlockCipher::Aes, key, out, out));
  EXPECT_EQ(out, plain);
  ASSERT_TRUE(cbc_encrypt(BlockCipher::Aes, key, iv, plain, out));
  EXPECT_EQ(hex_lower(out), "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2");
  ASSERT_TRUE(cbc_decrypt(BlockCipher::Aes, key, iv, out, out));
  EXPECT_EQ(out, plain);
  std::vector<std::uint8_t> odd(17);
  ASSERT_TRUE(aes_ctr(key, hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"), std::span(plain).first(17), odd));
  EXPECT_EQ(hex_lower(odd), "874d6191b620e3261bef6864990db6ce98");
  EXPECT_FALSE(ecb_encrypt(BlockCipher::Aes, key, std::span(plain).first(17), odd));
  EXPECT_FALSE(cbc_encrypt(BlockCipher::Aes, key, std::span(iv).first(8), plain, out));
  EXPECT_FALSE(ecb_encrypt(BlockCipher::Aes, std::span(key).first(8), plain, out));
}

TEST(Primitives, TdesTakesOneTwoAndThreeKeys) {
  std::vector<std::uint8_t> out(8);
  ASSERT_TRUE(ecb_encrypt(BlockCipher::Tdes, hex("133457799bbcdff1"), hex("0123456789abcdef"), out));
  EXPECT_EQ(hex_lower(out), "85e813540f0ab405");
  const auto two = hex("0123456789abcdeffedcba9876543210");
  auto three = two;
  three.insert(three.end(), two.begin(), two.begin() + 8);
  std::vector<std::uint8_t> other(8);
  ASSERT_TRUE(ecb_encrypt(BlockCipher::Tdes, two, hex("0000000000000000"), out));
  ASSERT_TRUE(ecb_encrypt(BlockCipher::Tdes, three, hex("0000000000000000"), other));
  EXPECT_EQ(hex_lower(out), "08d7b4fb629d0885");
  EXPECT_EQ(out, other);
  ASSERT_TRUE(ecb_decrypt(BlockCipher::Tdes, two, out, out));
  EXPECT_EQ(hex_lower(out), "0000000000000000");
}

TEST(Primitives, CmacOfSp80038b) {
  const auto key = hex("2b7e151628aed2a6abf7158809cf4f3c");
  EXPECT_EQ(hex_lower(*cmac(BlockCipher::Aes, key, {})), "bb1d6929e95937287fa37d129b756746");
  EXPECT_EQ(hex_lower(*cmac(BlockCipher::Aes, key,
                            hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c8"
                                "1c46a35ce411"))),
            "dfa66747de9ae63030ca32611497c827");
  EXPECT_EQ(hex_lower(*cmac(BlockCipher::Tdes, hex("8aa83bf8cbda10620bc1bf19fbb6cd58bc313d4a371ca8b5"), {})),
            "b7a688e122ffaf95");
  EXPECT_EQ(hex_lower(*cmac(BlockCipher::Tdes, hex("4cf15134a2850dd58a3d10ba80570d38"), {})), "bd2ebf9a3ba00361");
}

TEST(Primitives, RandomBytesDiffer) {
  std::array<std::uint8_t, 32> first{};
  std::array<std::uint8_t, 32> second{};
  ASSERT_TRUE(random_bytes(first));
  ASSERT_TRUE(random_bytes(second));
  EXPECT_NE(first, second);
}

}  // namespace
}  // namespace nightdrop
