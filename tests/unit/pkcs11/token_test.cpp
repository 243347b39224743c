// Tokens and keys over SoftHSM: what a token lets happen, and what it refuses.
#include <gmock/gmock.h>

#include "unit/pkcs11/softhsm.hpp"

namespace nightdrop::pkcs11 {
namespace {

using test::secret;
using test::soft_hsm;

Errc code_of(const auto& result) {
  EXPECT_FALSE(result.has_value());
  return result ? Errc::InvalidArgument : result.error().code;
}

KeyTemplate key_for(std::string label, std::vector<KeyUse> uses, bool extractable = false) {
  return {std::move(label), std::move(uses), extractable, true};
}

TEST(Tokens, AreMadeOnceAndOpenedByTheirPin) {
  const TokenLocation where = soft_hsm().make_token();
  EXPECT_EQ(code_of(Token::initialise(where, secret("87654321"), secret("12345678"))), Errc::Conflict);
  EXPECT_EQ(code_of(Token::open(where, secret("12345679"))), Errc::WrongKey);
  const auto token = Token::open(where, secret("12345678"));
  ASSERT_TRUE(token);
  EXPECT_THAT((*token)->description(), testing::HasSubstr("SoftHSM v2, serial number "));
}

TEST(Tokens, ThatAreNotThereAreNotFound) {
  EXPECT_EQ(code_of(Token::open({softhsm_module, "no such token"}, secret("12345678"))), Errc::NotFound);
  EXPECT_EQ(code_of(Token::open({"/nonexistent/module.so", "x"}, secret("12345678"))), Errc::Io);
}

TEST(Tokens, RefuseAPinOfAWrongLength) {
  EXPECT_EQ(code_of(Token::initialise({softhsm_module, "short"}, secret("1"), secret("12345678"))),
            Errc::InvalidArgument);
}

TEST(Tokens, OfAnotherFolderAreNotForThisProcess) {
  soft_hsm().make_token();
  EXPECT_TRUE(use_softhsm_folder(soft_hsm().path().string()));
  EXPECT_EQ(code_of(use_softhsm_folder("/tmp/nightdrop-another-folder")), Errc::Conflict);
}

TEST(Keys, AreWhatTheyWereMadeAs) {
  const auto token = soft_hsm().make_open_token();
  ASSERT_TRUE(token->generate_aes(32, key_for("transport", {KeyUse::Encrypt})));
  ASSERT_TRUE(token->generate_aes(16, key_for("bdk/1", {KeyUse::Derive}, true)));
  ASSERT_TRUE(token->generate_p256(key_for("ca", {KeyUse::Sign})));
  const std::vector<std::uint8_t> brought(32, 7);
  ASSERT_TRUE(token->import_aes(brought, key_for("kbpk/x", {KeyUse::Authenticate}, true)));

  const auto all = token->list();
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 4U);
  const auto row = [&](std::size_t i) {
    const KeyFacts& f = (*all)[i];
    return f.label + " " + f.kind + (f.extractable ? " extractable" : "") + (f.never_extractable ? " never" : "") +
           (f.sensitive ? " sensitive" : "") + (f.local ? " local" : "");
  };
  EXPECT_EQ(row(0), "bdk/1 aes-128 extractable sensitive local");
  EXPECT_EQ(row(1), "ca p256 never sensitive local");
  EXPECT_EQ(row(2), "kbpk/x aes-256 extractable sensitive");
  EXPECT_EQ(row(3), "transport aes-256 never sensitive local");
}

TEST(Keys, HaveOneLabelEach) {
  const auto token = soft_hsm().make_open_token();
  ASSERT_TRUE(token->generate_aes(16, key_for("a", {KeyUse::Encrypt})));
  EXPECT_EQ(code_of(token->generate_aes(16, key_for("a", {KeyUse::Encrypt}))), Errc::Conflict);
  EXPECT_EQ(code_of(token->generate_p256(key_for("a", {KeyUse::Sign}))), Errc::Conflict);
  EXPECT_EQ(code_of(token->import_aes(std::vector<std::uint8_t>(16, 1), key_for("a", {}))), Errc::Conflict);
  EXPECT_EQ(code_of(token->generate_aes(16, key_for("", {KeyUse::Encrypt}))), Errc::InvalidArgument);
  EXPECT_EQ(code_of(token->generate_aes(17, key_for("b", {KeyUse::Encrypt}))), Errc::InvalidArgument);
}

TEST(Keys, AreGoneWhenDestroyed) {
  const auto token = soft_hsm().make_open_token();
  ASSERT_TRUE(token->generate_p256(key_for("identity", {KeyUse::Sign})));
  EXPECT_TRUE(token->has("identity"));
  ASSERT_TRUE(token->public_key("identity"));
  ASSERT_TRUE(token->destroy("identity"));
  EXPECT_FALSE(token->has("identity"));
  EXPECT_EQ(code_of(token->public_key("identity")), Errc::NotFound);
  EXPECT_EQ(code_of(token->destroy("identity")), Errc::NotFound);
  EXPECT_TRUE(token->generate_p256(key_for("identity", {KeyUse::Sign}))) << "the label is free again";
}

TEST(Keys, TakeAnotherNameThatIsFree) {
  const auto token = soft_hsm().make_open_token();
  ASSERT_TRUE(token->generate_aes(16, key_for("bdk/new", {KeyUse::Derive})));
  ASSERT_TRUE(token->generate_aes(16, key_for("bdk/1", {KeyUse::Derive})));
  EXPECT_EQ(code_of(token->rename_aes("bdk/new", "bdk/1")), Errc::Conflict);
  ASSERT_TRUE(token->rename_aes("bdk/new", "bdk/2"));
  EXPECT_FALSE(token->has("bdk/new"));
  EXPECT_EQ(token->facts("bdk/2").value().kind, "aes-128");
  EXPECT_EQ(code_of(token->rename_aes("bdk/new", "bdk/3")), Errc::NotFound);
}

TEST(Keys, OutliveTheSessionUnlessTheyAreForIt) {
  const TokenLocation where = soft_hsm().make_token();
  {
    const auto token = Token::open(where, secret("12345678"));
    ASSERT_TRUE(token);
    ASSERT_TRUE((*token)->generate_aes(16, key_for("stays", {KeyUse::Encrypt})));
    ASSERT_TRUE((*token)->generate_aes(16, {"goes", {KeyUse::Encrypt}, false, false}));
    EXPECT_TRUE((*token)->has("goes"));
  }
  const auto token = Token::open(where, secret("12345678"));
  ASSERT_TRUE(token);
  EXPECT_TRUE((*token)->has("stays"));
  EXPECT_FALSE((*token)->has("goes"));
}

TEST(Keys, ComeOutOnlyWhileTheyMay) {
  const auto token = soft_hsm().make_open_token();
  const std::vector<std::uint8_t> wrapping(32, 3);
  ASSERT_TRUE(token->generate_aes(32, key_for("never", {KeyUse::Encrypt})));
  EXPECT_EQ(code_of(token->wrap_out("never", wrapping)), Errc::Unsupported);
  ASSERT_TRUE(token->generate_aes(32, key_for("once", {KeyUse::Derive}, true)));
  const auto wrapped = token->wrap_out("once", wrapping);
  ASSERT_TRUE(wrapped) << wrapped.error().text;
  EXPECT_EQ(wrapped->size(), 40U);
  ASSERT_TRUE(token->lock_extraction("once"));
  EXPECT_EQ(code_of(token->wrap_out("once", wrapping)), Errc::Unsupported);
  const auto facts = token->facts("once");
  ASSERT_TRUE(facts);
  EXPECT_FALSE(facts->extractable);
  EXPECT_FALSE(facts->never_extractable) << "it was, and that is remembered";
  EXPECT_EQ(token->list()->size(), 2U) << "the wrapping key did not stay";
}

TEST(Values, AreReplacedAndOutliveTheSession) {
  const TokenLocation where = soft_hsm().make_token();
  {
    const auto token = Token::open(where, secret("12345678"));
    ASSERT_TRUE(token);
    EXPECT_EQ(code_of((*token)->read_value("counter")), Errc::NotFound);
    for (std::uint8_t i = 1; i <= 3; ++i)
      ASSERT_TRUE((*token)->write_value("counter", std::vector<std::uint8_t>(8, i)));
    ASSERT_TRUE((*token)->write_value("other", std::vector<std::uint8_t>{}));
  }
  const auto token = Token::open(where, secret("12345678"));
  ASSERT_TRUE(token);
  EXPECT_EQ((*token)->read_value("counter").value(), std::vector<std::uint8_t>(8, 3));
  EXPECT_EQ((*token)->read_value("other").value(), std::vector<std::uint8_t>{});
}

}  // namespace
}  // namespace nightdrop::pkcs11
