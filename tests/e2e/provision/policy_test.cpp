// `nightdrop-provision policy …` from outside: defaults, drafts, approvers, signatures.
#include <gtest/gtest.h>

#include <algorithm>

#include "config/policy_json.hpp"
#include "crypto/p256.hpp"
#include "crypto/primitives.hpp"
#include "e2e/provision/program.hpp"
#include "json/json.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop {
namespace {

namespace fs = std::filesystem;
using test::Ended;
using test::slurp;
using test::spill;

const std::string program = std::string(NIGHTDROP_BIN_DIR) + "/nightdrop-provision";
const std::string whole =
    R"({"version": 2, "valid_from": "2026-01-01T00:00:00Z",   "valid_until": "2036-01-01T00:00:00Z", "merchant_id": "m_7"})";

Result<void> verify(std::string_view pem, std::span<const std::uint8_t> message,
                    std::span<const std::uint8_t> signature) {
  const auto key = p256_from_spki_pem(pem);
  if (!key) return std::unexpected(key.error());
  return p256_verify(*key, message, signature);
}

class PolicyCommand : public testing::Test {
 protected:
  Ended policy(std::vector<std::string> arguments, const std::string& input = "") const {
    arguments.insert(arguments.begin(), "policy");
    return test::run(program, arguments, input);
  }
  Ended dev(const std::string& policy_file) const {
    return test::run(program, {"dev", "--out", reader_, "--policy", policy_file});
  }
  std::expected<Policy, PolicyError> taken() const {
    return load_policy(slurp(reader_ + "/policy.json"), slurp(reader_ + "/policy.json.sig"),
                       slurp(reader_ + "/policy_signer.pem"), 0, verify);
  }
  test::Scratch scratch_;
  std::string file_ = scratch_ / "policy.json";
  std::string reader_ = scratch_ / "r";
};

TEST_F(PolicyCommand, defaults_have_every_key_of_the_contract) {
  const Ended ended = policy({"defaults"});
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  const auto document = Json::parse(ended.out);
  ASSERT_TRUE(document);
  for (const char* key : {"version",
                          "valid_from",
                          "valid_until",
                          "merchant_id",
                          "livemode",
                          "region",
                          "currencies",
                          "device_count",
                          "per_card_count",
                          "forward_deadline_s",
                          "storing_window_s",
                          "entry_modes_offline",
                          "fallbacks_per_spell",
                          "brands_offline",
                          "blocked_bins",
                          "blocked_fingerprints",
                          "partial_approvals",
                          "decline_retries",
                          "approvers",
                          "untrusted_clock_s",
                          "online_timeout_ms",
                          "retention_days",
                          "ceiling"}) {
    EXPECT_TRUE((*document)[key].exists()) << key;
  }
  EXPECT_EQ(document->view().size(), 23U);
  EXPECT_EQ((*document)["currencies"]["usd"].size(), 5U);
  EXPECT_EQ((*document)["currencies"]["usd"]["per_transaction"].integer(), 10'000);
}

TEST_F(PolicyCommand, defaults_make_a_reader_whose_gaps_are_filled) {
  spill(file_, policy({"defaults"}).out);
  EXPECT_EQ(policy({"check", file_}).exit_code, 65) << "a policy without a merchant is a draft";
  ASSERT_EQ(dev(file_).exit_code, 0);
  const auto loaded = taken();
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->merchant_id, "m_0001");
  EXPECT_TRUE(loaded->approvers.empty());
  EXPECT_EQ(loaded->currencies.size(), 1U);
  EXPECT_EQ(loaded->device_count, 100);
}

TEST_F(PolicyCommand, a_whole_policy_is_signed_byte_for_byte) {
  spill(file_, whole);
  ASSERT_EQ(dev(file_).exit_code, 0);
  EXPECT_EQ(slurp(reader_ + "/policy.json"), whole);
  ASSERT_TRUE(taken());
  EXPECT_EQ(taken()->merchant_id, "m_7");
}

TEST_F(PolicyCommand, a_later_policy_is_signed_for_the_same_reader) {
  spill(file_, whole);
  ASSERT_EQ(dev(file_).exit_code, 0);
  std::string later = whole;
  later.replace(later.find("\"version\": 2"), 12, "\"version\": 3");
  spill(file_, later);
  const std::string out = reader_ + "/policy.json";
  const Ended ended = policy({"sign", "--key", reader_ + "/signing/policy_signing.key", "--in", file_, "--out", out});
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  ASSERT_TRUE(taken());
  EXPECT_EQ(taken()->version, 3);
  EXPECT_EQ(policy({"check", out, "--signer", reader_ + "/policy_signer.pem"}).exit_code, 0);

  spill(out, whole);
  const Ended stale = policy({"check", out, "--signer", reader_ + "/policy_signer.pem"});
  EXPECT_EQ(stale.exit_code, 65);
  EXPECT_NE(stale.err.find("signature"), std::string::npos) << stale.err;
}

TEST_F(PolicyCommand, what_is_no_policy_is_not_signed) {
  spill(file_, whole);
  ASSERT_EQ(dev(file_).exit_code, 0);
  const std::string key = reader_ + "/signing/policy_signing.key";
  const std::string out = scratch_ / "out.json";
  spill(file_, R"({"device_count": -1})");
  EXPECT_EQ(policy({"sign", "--key", key, "--in", file_, "--out", out}).exit_code, 65);
  spill(file_, whole);
  EXPECT_EQ(policy({"sign", "--key", file_, "--in", file_, "--out", out}).exit_code, 65);
  EXPECT_EQ(policy({"sign", "--key", scratch_ / "none", "--in", file_, "--out", out}).exit_code, 66);
  EXPECT_EQ(policy({"sign", "--key", key, "--in", file_, "--out", scratch_ / "no/out.json"}).exit_code, 73);
  EXPECT_FALSE(fs::exists(out));
}

TEST_F(PolicyCommand, an_approvers_pin_comes_from_standard_input) {
  spill(file_, whole);
  const Ended ended = policy({"add-approver", "--policy", file_, "--id", "anna"}, "135791\n");
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  const std::string text = slurp(file_);
  EXPECT_EQ((text + ended.out + ended.err).find("135791"), std::string::npos);
  const auto parsed = parse_policy(text);
  ASSERT_TRUE(parsed) << parsed.error().message;
  ASSERT_EQ(parsed->approvers.size(), 1U);
  const Approver& anna = parsed->approvers[0];
  EXPECT_EQ(anna.id, "anna");
  const Digest hash = pbkdf2_hmac_sha256(bytes_of("135791"), anna.salt, anna.iterations);
  EXPECT_TRUE(std::equal(hash.begin(), hash.end(), anna.pin_hash.begin(), anna.pin_hash.end()));

  ASSERT_EQ(policy({"add-approver", "--policy", file_, "--id", "ben"}, "1357").exit_code, 0);
  EXPECT_EQ(parse_policy(slurp(file_))->approvers.size(), 2U);
  EXPECT_EQ(policy({"add-approver", "--policy", file_, "--id", "ben"}, "2468").exit_code, 65);
  EXPECT_EQ(policy({"add-approver", "--policy", file_, "--id", "ben", "--replace"}, "2468").exit_code, 0);
  EXPECT_EQ(parse_policy(slurp(file_))->approvers.size(), 2U);
}

TEST_F(PolicyCommand, bad_pins_and_names_change_nothing) {
  spill(file_, whole);
  for (const char* pin : {"123", "1234567890123", "12a4", "12 34"}) {
    EXPECT_EQ(policy({"add-approver", "--policy", file_, "--id", "anna"}, pin).exit_code, 65) << pin;
  }
  EXPECT_EQ(policy({"add-approver", "--policy", file_, "--id", "anna"}).exit_code, 66);
  EXPECT_EQ(policy({"add-approver", "--policy", file_, "--id", "an na"}, "1357").exit_code, 65);
  EXPECT_EQ(slurp(file_), whole);
}

TEST_F(PolicyCommand, every_command_explains_itself) {
  for (const std::vector<std::string>& command : {std::vector<std::string>{},
                                                  {"dev"},
                                                  {"policy"},
                                                  {"policy", "defaults"},
                                                  {"policy", "check"},
                                                  {"policy", "sign"},
                                                  {"policy", "add-approver"}}) {
    std::vector<std::string> arguments = command;
    arguments.emplace_back("--help");
    const Ended ended = test::run(program, arguments);
    EXPECT_EQ(ended.exit_code, 0);
    EXPECT_NE(ended.out.find("Usage"), std::string::npos);
  }
  EXPECT_EQ(test::run(program, {}).exit_code, 64);
  EXPECT_EQ(policy({}).exit_code, 64);
}

}  // namespace
}  // namespace nightdrop
