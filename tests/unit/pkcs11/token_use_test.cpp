// What keys in the token compute is what this project's own primitives compute.
#include <atomic>
#include <thread>

#include "crypto/p256.hpp"
#include "crypto/primitives.hpp"
#include "unit/pkcs11/softhsm.hpp"

namespace nightdrop::pkcs11 {
namespace {

using Bytes = std::vector<std::uint8_t>;
using test::soft_hsm;

Bytes some(std::size_t size, std::uint8_t first) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(first + i * 5);
  return bytes;
}

class TokenUse : public testing::TestWithParam<std::size_t> {
 protected:
  std::unique_ptr<Token> token = soft_hsm().make_open_token();
  Bytes key = some(GetParam(), 9);
};
INSTANTIATE_TEST_SUITE_P(AesSizes, TokenUse, testing::Values(16U, 32U));

TEST_P(TokenUse, EncryptsAsThePrimitivesDo) {
  ASSERT_TRUE(token->import_aes(key, {"k", {KeyUse::Derive}}));
  const Bytes in = some(32, 1);
  Bytes out(32);
  Bytes expected(32);
  ASSERT_TRUE(token->encrypt_ecb("k", in, out));
  ASSERT_TRUE(ecb_encrypt(BlockCipher::Aes, key, in, expected));
  EXPECT_EQ(out, expected);
  EXPECT_EQ(token->encrypt_ecb("k", some(15, 1), std::span(out).first(15)).error().code, Errc::InvalidArgument);
  EXPECT_EQ(token->encrypt_ecb("other", in, out).error().code, Errc::NotFound);
}

TEST_P(TokenUse, AuthenticatesAsThePrimitivesDo) {
  ASSERT_TRUE(token->import_aes(key, {"k", {KeyUse::Authenticate}}));
  for (const std::size_t size : {0U, 15U, 16U, 100U}) {
    const auto mac = token->cmac("k", some(size, 2));
    ASSERT_TRUE(mac) << mac.error().text;
    EXPECT_EQ(*mac, cmac(BlockCipher::Aes, key, some(size, 2)).value());
  }
}

TEST_P(TokenUse, SealsAndOpensAsThePrimitivesDo) {
  ASSERT_TRUE(token->import_aes(key, {"k", {KeyUse::Encrypt}}));
  const Bytes nonce = some(12, 4);
  for (const std::size_t size : {0U, 1U, 16U, 1000U}) {
    const Bytes plaintext = some(size, 3);
    for (const Bytes& aad : {Bytes{}, some(20, 8)}) {
      const auto sealed = token->seal("k", nonce, aad, plaintext);
      ASSERT_TRUE(sealed) << sealed.error().text;
      EXPECT_EQ(*sealed, aes_gcm_seal(key, nonce, aad, plaintext).value());
      const auto opened = token->open_sealed("k", nonce, aad, *sealed);
      ASSERT_TRUE(opened) << opened.error().text << " " << size;
      EXPECT_TRUE(std::ranges::equal(opened->view(), plaintext));
    }
  }
}

TEST_P(TokenUse, OpensNothingThatWasChanged) {
  ASSERT_TRUE(token->import_aes(key, {"k", {KeyUse::Encrypt}}));
  const Bytes nonce = some(12, 4);
  const Bytes aad = some(5, 6);
  const Bytes sealed = token->seal("k", nonce, aad, some(33, 3)).value();
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    Bytes changed = sealed;
    changed[i] ^= 1;
    const auto opened = token->open_sealed("k", nonce, aad, changed);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::WrongKey);
  }
  EXPECT_EQ(token->open_sealed("k", nonce, some(5, 7), sealed).error().code, Errc::WrongKey);
  EXPECT_EQ(token->open_sealed("k", some(12, 5), aad, sealed).error().code, Errc::WrongKey);
  EXPECT_TRUE(token->open_sealed("k", nonce, aad, sealed)) << "a failure leaves the session usable";
}

TEST_P(TokenUse, IsHeldToWhatTheKeyIsFor) {
  ASSERT_TRUE(token->import_aes(key, {"derives", {KeyUse::Derive}}));
  ASSERT_TRUE(token->import_aes(key, {"authenticates", {KeyUse::Authenticate}}));
  ASSERT_TRUE(token->generate_p256({"agrees", {KeyUse::Derive}}));
  Bytes out(16);
  EXPECT_EQ(token->encrypt_ecb("authenticates", out, out).error().code, Errc::CryptoFailed);
  EXPECT_EQ(token->cmac("derives", out).error().code, Errc::CryptoFailed);
  EXPECT_FALSE(token->open_sealed("derives", some(12, 1), {}, some(16, 1)));
  EXPECT_EQ(token->sign_digest("agrees", some(32, 1)).error().code, Errc::CryptoFailed);
}

TEST(TokenSigns, WhatItsPublicKeyVerifies) {
  const auto token = soft_hsm().make_open_token();
  ASSERT_TRUE(token->generate_p256({"s", {KeyUse::Sign}}));
  const Bytes message = some(77, 1);
  const auto signature = token->sign_digest("s", sha256(message));
  ASSERT_TRUE(signature) << signature.error().text;
  const auto key = token->public_key("s");
  ASSERT_TRUE(key) << key.error().text;
  P256Point point{};
  std::ranges::copy(*key, point.begin());
  P256RawSignature raw{};
  std::ranges::copy(*signature, raw.begin());
  EXPECT_TRUE(p256_verify(point, message, p256_signature_to_der(raw)));
  EXPECT_FALSE(p256_verify(point, some(77, 2), p256_signature_to_der(raw)));
  EXPECT_EQ(token->sign_digest("s", some(31, 1)).error().code, Errc::InvalidArgument);
}

TEST(TokenThreads, ShareOneSession) {
  const auto token = soft_hsm().make_open_token();
  const Bytes key = some(16, 1);
  ASSERT_TRUE(token->import_aes(key, {"k", {KeyUse::Encrypt, KeyUse::Authenticate}}));
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (std::uint8_t n = 0; n < 4; ++n) {
    threads.emplace_back([&, n] {
      const Bytes expected = cmac(BlockCipher::Aes, key, some(40, n)).value();
      for (int i = 0; i < 50; ++i) {
        if (token->cmac("k", some(40, n)) != expected) ++wrong;
        const auto sealed = token->seal("k", some(12, n), {}, some(40, n));
        if (!sealed || !token->open_sealed("k", some(12, n), {}, *sealed)) ++wrong;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(TokenImport, AP256KeySignsAndIsTold) {
  const auto token = soft_hsm().make_open_token();
  const auto scalar = p256_generate();
  ASSERT_TRUE(scalar);
  const P256Point point = p256_public_key(scalar->view()).value();
  ASSERT_TRUE(token->import_p256(scalar->view(), point, {"brought", {KeyUse::Sign}}));
  EXPECT_EQ(token->public_key("brought").value(), Bytes(point.begin(), point.end()));
  const Digest digest = sha256(some(20, 1));
  const auto raw = token->sign_digest("brought", digest);
  ASSERT_TRUE(raw) << raw.error().text;
  P256RawSignature signature{};
  std::copy(raw->begin(), raw->end(), signature.begin());
  EXPECT_TRUE(p256_verify_digest(point, digest, p256_signature_to_der(signature)));
  const auto facts = token->facts("brought");
  ASSERT_TRUE(facts);
  EXPECT_FALSE(facts->local) << "its bytes were in a process";
  EXPECT_FALSE(facts->extractable);
  EXPECT_EQ(token->import_p256(scalar->view(), point, {"brought", {KeyUse::Sign}}).error().code, Errc::Conflict);
}

}  // namespace
}  // namespace nightdrop::pkcs11
