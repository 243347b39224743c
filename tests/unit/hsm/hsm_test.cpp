// The operator's keys over SoftHSM: derivation against the published vectors, check values, key blocks, signatures.
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>

#include "crypto/primitives.hpp"
#include "json/json.hpp"
#include "keys/hsm/hsm.hpp"
#include "keys/hsm/key_wrap.hpp"
#include "nightdrop/encoding.hpp"
#include "unit/pkcs11/softhsm.hpp"

namespace nightdrop::keys {
namespace {

using pkcs11::KeyUse;
using test::soft_hsm;
using Bytes = std::vector<std::uint8_t>;

class HsmTest : public testing::Test {
 protected:
  Hsm hsm{soft_hsm().make_open_token()};

  void bring(const std::string& name, const Bytes& key, bool extractable = true) {
    ASSERT_TRUE(hsm.token().import_aes(key, {name, {KeyUse::Derive, KeyUse::Authenticate}, extractable}));
  }
};

Json vectors() {
  std::ifstream in(std::string(NIGHTDROP_SOURCE_DIR) + "/tests/vectors/aes_dukpt.json");
  std::stringstream text;
  text << in.rdbuf();
  auto document = Json::parse(text.str());
  return document ? std::move(*document) : Json::object();
}

Bytes bytes_of(JsonView hex) {
  return from_hex(hex.string().value_or("")).value();
}

TEST_F(HsmTest, DerivesTheVectorsInitialKeys) {
  const Json document = vectors();
  int checked = 0;
  for (const char* list : {"suites", "initial_keys"}) {
    for (const JsonView vector : document[list].items()) {
      const Bytes bdk = bytes_of(vector["bdk"]);
      if (bdk.size() == 24) continue;  // no BDK of this project's has 192 bits
      dukpt::InitialKeyId id{};
      const Bytes id_bytes = bytes_of(vector["initial_key_id"]);
      std::ranges::copy(id_bytes, id.begin());
      const std::string name = bdk_name(std::span(id).first<4>());
      if (hsm.token().has(name)) {
        ASSERT_TRUE(hsm.token().destroy(name));
      }
      bring(name, bdk, false);
      const auto key = hsm.derive_initial_key(id);
      ASSERT_TRUE(key) << key.error().message;
      EXPECT_EQ(hex_upper(key->view()), hex_upper(bytes_of(vector["initial_key"])));
      ++checked;
    }
  }
  EXPECT_GE(checked, 3);
}

TEST_F(HsmTest, DerivesOnlyUnderABdkThatIsThere) {
  const auto key = hsm.derive_initial_key({1, 2, 3, 4, 5, 6, 7, 8});
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().exit, Exit::Data);
  EXPECT_EQ(key.error().message, "the HSM has no key bdk/01020304");
}

TEST_F(HsmTest, CheckValuesAreTheCmacOfZeros) {
  const Bytes key(32, 0x5A);
  bring("kbpk/x", key);
  EXPECT_EQ(hsm.check_value("kbpk/x").value(), hex_upper(tr31::check_value_cmac(key).value()));
  EXPECT_FALSE(hsm.check_value("kbpk/y"));
}

TEST_F(HsmTest, AKeyBlockOpensToTheKey) {
  const Bytes bdk(16, 0x21);
  const Bytes kbpk(32, 0x43);
  bring("bdk/A", bdk);
  bring("kbpk/acquirer", kbpk);
  tr31::Header header;
  header.usage = "B0";
  header.mode_of_use = 'X';
  const auto block = hsm.export_block_under("bdk/A", header, "acquirer");
  ASSERT_TRUE(block) << block.error().message;
  const auto opened = tr31::unwrap(kbpk, *block, {"B0"});
  ASSERT_TRUE(opened);
  EXPECT_TRUE(std::ranges::equal(opened->key.view(), bdk));
  EXPECT_EQ(opened->header.usage, "B0");
  EXPECT_TRUE(std::ranges::equal(hsm.open_block(*block, "acquirer", {"B0"})->key.view(), bdk));

  EXPECT_EQ(hsm.open_block(*block, "acquirer", {"K0", "K1"}).error().exit, Exit::Data) << "a BDK is no KBPK";
  const auto of_session = hsm.export_block("bdk/A", header, Bytes(32, 0x99));
  ASSERT_TRUE(of_session);
  EXPECT_EQ(hsm.open_block(*of_session, "acquirer", {"B0"}).error().exit, Exit::Data);
  EXPECT_TRUE(std::ranges::equal(tr31::unwrap(Bytes(32, 0x99), *of_session, {"B0"})->key.view(), bdk));
}

TEST_F(HsmTest, NoKeyLeavesThatMayNotNorUnderAWeakerOne) {
  bring("bdk/A", Bytes(32, 1), false);
  bring("bdk/B", Bytes(32, 2));
  tr31::Header header;
  header.usage = "B0";
  header.mode_of_use = 'X';
  EXPECT_THAT(hsm.export_block("bdk/A", header, Bytes(32, 3)).error().message, testing::HasSubstr("does not leave"));
  EXPECT_THAT(hsm.export_block("bdk/B", header, Bytes(16, 3)).error().message, testing::HasSubstr("shorter"));
}

TEST_F(HsmTest, SignsWhatItsPublicKeyVerifies) {
  ASSERT_TRUE(hsm.token().generate_p256({"orders", {KeyUse::Sign}}));
  const Bytes message{'e', 'r', 'a', 's', 'e'};
  const auto signature = hsm.sign("orders", message);
  ASSERT_TRUE(signature);
  EXPECT_TRUE(p256_verify(hsm.public_key("orders").value(), message, *signature));
  const auto signer = hsm.signer("orders");
  ASSERT_TRUE(signer);
  EXPECT_TRUE(p256_verify(signer->public_key, message, signer->sign(sha256(message)).value()));
  EXPECT_FALSE(hsm.sign("policy", message));
}

TEST(KeyWrap, OpensThePublishedExamples) {
  const Bytes key = from_hex("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8").value();
  const Bytes wrapped = from_hex("138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a").value();
  EXPECT_EQ(hex_lower(unwrap_key(key, wrapped)->view()), "c37b7e6492584340bed12207808941155068f738");
  const Bytes short_one = from_hex("afbeb0f07dfbf5419200f2ccb50bb24f").value();
  EXPECT_EQ(hex_lower(unwrap_key(key, short_one)->view()), "466f7250617369");
}

TEST(KeyWrap, RefusesEveryChange) {
  const Bytes key = from_hex("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8").value();
  const Bytes wrapped = from_hex("138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a").value();
  for (std::size_t i = 0; i < wrapped.size(); ++i) {
    Bytes changed = wrapped;
    changed[i] ^= 0x80;
    EXPECT_EQ(unwrap_key(key, changed).error().code, Errc::WrongKey);
  }
  EXPECT_EQ(unwrap_key(key, std::span(wrapped).first(15)).error().code, Errc::InvalidArgument);
  EXPECT_EQ(unwrap_key(key, std::span(wrapped).first(8)).error().code, Errc::InvalidArgument);
}

}  // namespace
}  // namespace nightdrop::keys
