// `nightdrop-provision policy show|diff|verify|preset` from outside: what a merchant and a signer read.
#include <gtest/gtest.h>

#include "config/policy_json.hpp"
#include "e2e/provision/program.hpp"
#include "json/json.hpp"

namespace nightdrop {
namespace {

using test::Ended;
using test::slurp;
using test::spill;

const std::string program = std::string(NIGHTDROP_BIN_DIR) + "/nightdrop-provision";

std::string document(const std::string& more) {
  return R"({"version":2,"valid_from":"2026-01-01T00:00:00Z","valid_until":"2036-01-01T00:00:00Z","merchant_id":"m_7")" +
         more + "}";
}

class PolicyReading : public testing::Test {
 protected:
  Ended policy(std::vector<std::string> arguments, const std::string& input = "") const {
    arguments.insert(arguments.begin(), "policy");
    return test::run(program, arguments, input);
  }
  std::string file(const std::string& name, const std::string& text) const {
    spill(scratch_ / name, text);
    return scratch_ / name;
  }
  test::Scratch scratch_;
};

TEST_F(PolicyReading, APolicyIsShownInAMerchantsWords) {
  const std::string whole = file(
      "p.json",
      document(
          R"(,"currencies":{"jpy":{"per_transaction":5000,"approval_threshold":3000},"usd":{"device_total":123456}},
                  "storing_window_s":90000,"brands_offline":["visa","amex"],"entry_modes_offline":["contact_emv"],
                  "ceiling":{"device_count":100})"));
  const Ended shown = policy({"show", whole});
  ASSERT_EQ(shown.exit_code, 0) << shown.err;
  for (const char* words : {"Policy 2 of m_7, test mode", "2026-01-01 00:00 to 2036-01-01 00:00 UTC", "1,234.56",
                            "1 d 1 h", "Visa, American Express", "Chip\n", "never", "acquirer's limits"}) {
    EXPECT_NE(shown.out.find(words), std::string::npos) << words << "\n" << shown.out;
  }
  EXPECT_NE(shown.out.find(" 5,000"), std::string::npos) << "yen have no decimals\n" << shown.out;
  EXPECT_EQ(shown.out.find("50.00"), std::string::npos) << shown.out;
  EXPECT_EQ(policy({"show", file("draft.json", R"({"version":1})")}).exit_code, 65);
  EXPECT_EQ(policy({"show", scratch_ / "none"}).exit_code, 66);
}

TEST_F(PolicyReading, AnOverlayIsTriedBeforeItIsPutInPlace) {
  const std::string whole = file("p.json", document(""));
  const Ended tightened = policy({"show", whole, "--overlay", file("o.json", R"({"device_count":17})")});
  ASSERT_EQ(tightened.exit_code, 0) << tightened.err;
  EXPECT_NE(tightened.out.find("17\n"), std::string::npos) << tightened.out;
  const Ended loosened =
      policy({"show", whole, "--overlay",
              file("o.json", R"({"device_count":101,"per_card_count":1,"storing_window_s":9999999})")});
  EXPECT_EQ(loosened.exit_code, 65);
  EXPECT_NE(loosened.err.find("device_count, storing_window_s: would allow more"), std::string::npos) << loosened.err;
}

TEST_F(PolicyReading, NoPinHashIsShown) {
  const std::string whole = file("p.json", document(""));
  ASSERT_EQ(policy({"add-approver", "--policy", whole, "--id", "anna"}, "135791\n").exit_code, 0);
  const std::string hash(*Json::parse(slurp(whole))->view()["approvers"].items()[0]["pin_hash"].string());
  for (const Ended& shown : {policy({"show", whole}), policy({"show", whole, "--json"}),
                             policy({"diff", whole, file("q.json", document(""))})}) {
    EXPECT_NE(shown.out.find("anna"), std::string::npos) << shown.out;
    EXPECT_EQ(shown.out.find(hash), std::string::npos);
  }
}

TEST_F(PolicyReading, ADifferenceIsToldFieldByFieldWithItsDirection) {
  const std::string before = file("a.json", document(R"(,"device_count":50,"ceiling":{"device_count":100})"));
  const std::string after = file(
      "b.json",
      document(
          R"(,"device_count":40,"forward_deadline_s":172800,"currencies":{"usd":{"per_transaction":12000},"eur":{}},
              "blocked_bins":["4000"],"retention_days":500)"));
  const Ended same = policy({"diff", before, before});
  EXPECT_EQ(same.exit_code, 0) << same.err;
  const Ended told = policy({"diff", before, after});
  EXPECT_EQ(told.exit_code, 1) << told.err;
  const auto line = [&](const std::string& field) {
    const std::size_t at = told.out.find(" " + field + " ");
    if (at == std::string::npos) return std::string("not told: " + told.out);
    const std::size_t begin = told.out.rfind('\n', at) + 1;
    return told.out.substr(begin, told.out.find('\n', at) - begin);
  };
  EXPECT_TRUE(line("device_count").starts_with("tighter")) << line("device_count");
  EXPECT_TRUE(line("device_count").ends_with("50 -> 40"));
  EXPECT_TRUE(line("forward_deadline_s").starts_with("looser"));
  EXPECT_TRUE(line("forward_deadline_s").ends_with("1 d -> 2 d"));
  EXPECT_TRUE(line("currencies.usd.per_transaction").ends_with("100.00 -> 120.00"));
  EXPECT_TRUE(line("currencies.eur").starts_with("looser"));
  EXPECT_TRUE(line("blocked_bins").starts_with("tighter"));
  EXPECT_TRUE(line("retention_days").starts_with("different"));
  EXPECT_TRUE(line("ceiling").starts_with("different"));
  EXPECT_NE(told.out.find("2 tighter, 3 looser, 2 different"), std::string::npos) << told.out;
  const auto json = Json::parse(policy({"diff", before, after, "--json"}).out);
  ASSERT_TRUE(json);
  EXPECT_EQ((*json)["same"].boolean(), false);
  EXPECT_EQ((*json)["differences"].size(), 7U);
  EXPECT_EQ((*json)["version_raised"].boolean(), false);
  EXPECT_NE(told.out.find("version: is not raised"), std::string::npos) << told.out;
  EXPECT_EQ(policy({"diff", before, scratch_ / "none"}).exit_code, 66) << "no difference is told of what is not there";
}

TEST_F(PolicyReading, AGapOnOneSideAloneIsShownAsOne) {
  const std::string draft = file("draft.json", policy({"preset", "festival"}).out);
  const Ended told = policy({"diff", file("a.json", document("")), draft});
  EXPECT_EQ(told.exit_code, 1) << told.err;
  for (const char* words : {"2026-01-01T00:00:00.000Z -> none", "2036-01-01T00:00:00.000Z -> none"}) {
    EXPECT_NE(told.out.find(words), std::string::npos) << words << "\n" << told.out;
  }
  EXPECT_NE(told.out.find("different  valid_until"), std::string::npos) << told.out;
}

TEST_F(PolicyReading, PresetsAreGoodPoliciesOnceTheirGapsAreFilled) {
  const Ended listed = policy({"preset"});
  ASSERT_EQ(listed.exit_code, 0);
  for (const std::string name : {"counter-service", "table-service", "festival"}) {
    EXPECT_NE(listed.out.find(name), std::string::npos);
    const Ended printed = policy({"defaults", "--preset", name});
    ASSERT_EQ(printed.exit_code, 0) << printed.err;
    EXPECT_EQ(policy({"preset", name}).out, printed.out);
    const std::string reader = scratch_ / name;
    ASSERT_EQ(test::run(program, {"dev", "--out", reader, "--policy", file(name + ".json", printed.out)}).exit_code, 0);
    const Ended verified = policy({"verify", reader + "/policy.json", "--signer", reader + "/policy_signer.pem"});
    EXPECT_EQ(verified.exit_code, 0) << verified.err;
    const auto taken = parse_policy(slurp(reader + "/policy.json"));
    ASSERT_TRUE(taken);
    EXPECT_GE(taken->forward_deadline_s, taken->storing_window_s) << "what may still be stored may still be sent";
    const CurrencyLimits& limits = taken->currencies.begin()->second;
    EXPECT_LE(limits.per_transaction, limits.per_card_total);
    EXPECT_LE(limits.per_card_total, limits.device_total);
  }
  EXPECT_EQ(policy({"defaults", "--preset", "casino"}).exit_code, 64);
}

TEST_F(PolicyReading, VerifyNeedsTheSignerAndTheSignature) {
  const std::string reader = scratch_ / "r";
  ASSERT_EQ(test::run(program, {"dev", "--out", reader}).exit_code, 0);
  EXPECT_EQ(policy({"verify", reader + "/policy.json"}).exit_code, 64);
  EXPECT_EQ(policy({"verify", reader + "/policy.json", "--signer", reader + "/policy_signer.pem"}).exit_code, 0);
  spill(reader + "/policy.json.sig", "");
  EXPECT_EQ(policy({"verify", reader + "/policy.json", "--signer", reader + "/policy_signer.pem"}).exit_code, 65);
}

TEST_F(PolicyReading, SignTellsOfAVersionThatWasNotRaised) {
  const std::string reader = scratch_ / "r";
  ASSERT_EQ(test::run(program, {"dev", "--out", reader, "--policy", file("p.json", document(""))}).exit_code, 0);
  const auto sign = [&](const std::string& text) {
    return policy({"sign", "--key", reader + "/signing/policy_signing.key", "--in", file("next.json", text), "--out",
                   reader + "/policy.json"});
  };
  EXPECT_EQ(sign(document("")).out.find("note"), std::string::npos) << "the same again";
  const Ended slip = sign(document(R"(,"device_count":5)"));
  EXPECT_EQ(slip.exit_code, 0) << slip.err;
  EXPECT_NE(slip.out.find("version: is not above"), std::string::npos) << slip.out;
  std::string raised = document("");
  raised.replace(raised.find("\"version\":2"), 11, "\"version\":3");
  EXPECT_EQ(sign(raised).out.find("note"), std::string::npos);
}

TEST_F(PolicyReading, AShortPinIsWarnedOf) {
  const std::string whole = file("p.json", document(""));
  const Ended short_pin = policy({"add-approver", "--policy", whole, "--id", "anna"}, "13579\n");
  EXPECT_EQ(short_pin.exit_code, 0);
  EXPECT_NE(short_pin.out.find("fewer than 6 digits"), std::string::npos) << short_pin.out;
  const Ended long_pin = policy({"add-approver", "--policy", whole, "--id", "ben"}, "135791\n");
  EXPECT_EQ(long_pin.out.find("digits"), std::string::npos) << long_pin.out;
}

}  // namespace
}  // namespace nightdrop
