// A policy signed by the key `policy` of an HSM: a reader that holds the HSM's public key takes it. docs/policy.md.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "config/policy_json.hpp"
#include "keys/hsm/hsm.hpp"
#include "keys/policy/policy_commands.hpp"
#include "keys/policy/policy_document.hpp"
#include "unit/pkcs11/softhsm.hpp"

namespace nightdrop::keys {
namespace {

namespace fs = std::filesystem;
using test::secret;
using test::soft_hsm;

constexpr const char* document =
    R"({"version":3,"valid_from":"2026-01-01T00:00:00Z","valid_until":"2027-01-01T00:00:00Z","merchant_id":"m_1"})";

class PolicySigning : public testing::Test {
 protected:
  PolicySigning() {
    folder_ = soft_hsm().path() / ("station-" + std::to_string(++stations));
    fs::create_directories(folder_);
    spill("pin", "12345678\n");
    chmod((folder_ / "pin").c_str(), 0600);
    spill("in.json", document);
  }
  void make_station(bool with_key) {
    const auto where = soft_hsm().make_token();
    if (with_key) {
      auto token = pkcs11::Token::open(where, secret("12345678"));
      ASSERT_TRUE(token);
      ASSERT_TRUE((*token)->generate_p256({"policy", {pkcs11::KeyUse::Sign}}));
    }
    ASSERT_TRUE(save_hsm_settings(folder_, {where, folder_ / "pin", soft_hsm().path()}));
  }
  void spill(const std::string& name, const std::string& text) const { std::ofstream(folder_ / name) << text; }
  std::string slurp(const std::string& name) const {
    std::ifstream in(folder_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  Outcome<Made> sign() const {
    return policy_sign({.key_file = {}, .station = folder_}, folder_ / "in.json", folder_ / "out.json");
  }

  static inline int stations = 0;
  fs::path folder_;
};

TEST_F(PolicySigning, TheReaderTakesWhatTheHsmSigned) {
  make_station(true);
  const auto made = sign();
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(slurp("out.json"), document) << "byte for byte";
  const auto signer = policy_signer(folder_);
  ASSERT_TRUE(signer) << signer.error().message;
  const auto taken = load_policy(slurp("out.json"), slurp("out.json.sig"), signer->text, 2, verify_signature);
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_EQ(taken->version, 3);
  EXPECT_FALSE(load_policy(slurp("out.json") + " ", slurp("out.json.sig"), signer->text, 2, verify_signature));
}

TEST_F(PolicySigning, WithoutAKeyOrAStationNothingIsWritten) {
  EXPECT_EQ(sign().error().exit, Exit::NoInput) << "no hsm.json";
  make_station(false);
  EXPECT_EQ(sign().error().exit, Exit::Data) << "no key of that name";
  make_station(true);
  spill("in.json", R"({"device_count":-1})");
  EXPECT_EQ(sign().error().exit, Exit::Data) << "no policy";
  EXPECT_FALSE(fs::exists(folder_ / "out.json"));
}

}  // namespace
}  // namespace nightdrop::keys
