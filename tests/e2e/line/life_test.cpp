// A real reader's way through the station's hands: provisioned, asked, erased by order, provisioned again with other
// values; and what it refuses in between.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/harness.hpp"
#include "unit/station/world.hpp"

namespace nightdrop::keys {
namespace {

using testing::HasSubstr;

class Life : public testing::Test {
 protected:
  Life() : line_("unix:" + station_.path("r.sock")) {
    reader_ = std::make_unique<e2e::Process>(
        "nightdropd",
        std::vector<std::string>{"--factory", "--home", station_.path("reader"), "--serial", "ND000001", "--listen",
                                 line_, "--authority", station_.path("ca.pem")},
        station_.path("reader.log"));
    EXPECT_THAT(reader_->first_line(), HasSubstr("\"factory\""));
  }
  e2e::Ended station(std::vector<std::string> words) const {
    words.insert(words.begin() + 1, {"--station", station_.folder().string(), "--serial", "ND000001"});
    return e2e::run("nightdrop-provision", words);
  }
  e2e::Ended device() const {
    return station({"device", "--connect", line_, "--merchant", "m_1", "--policy", station_.path("policy.json"),
                    "--config-template", station_.path("template.json")});
  }
  e2e::Ended verify() const { return station({"verify", "--connect", line_}); }
  std::string certificate() const { return read_file(station_.path("reader/reader.pem")).value_or(""); }

  MadeStation station_;
  std::string line_;
  std::unique_ptr<e2e::Process> reader_;
};

TEST_F(Life, provisioned_erased_by_order_and_provisioned_again) {
  ASSERT_EQ(device().exit_code, 0);
  EXPECT_EQ(verify().exit_code, 0);
  const std::string first = certificate();
  EXPECT_EQ(device().exit_code, 65) << "it is locked";

  const std::string order = station_.path("order.json");
  ASSERT_TRUE(write_file(order, "{}"));
  const auto refused = station({"erase", "--connect", line_, "--order", order});
  EXPECT_EQ(refused.exit_code, 69) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("refused: "));
  EXPECT_EQ(verify().exit_code, 0) << "still what it was";

  const auto listed = [&] {
    return e2e::run("nightdrop-provision", {"list", "--station", station_.folder().string()}).out;
  };
  EXPECT_EQ(listed().find("erase order"), std::string::npos) << listed();
  ASSERT_EQ(station({"erase-order", "--out", order}).exit_code, 0);
  EXPECT_THAT(listed(), HasSubstr(", erase order is out\n"));
  const auto erased = station({"erase", "--connect", line_, "--order", order});
  ASSERT_EQ(erased.exit_code, 0) << erased.err;
  const auto different = verify();
  EXPECT_EQ(different.exit_code, 65);
  EXPECT_THAT(different.err, HasSubstr("factory state"));
  const auto again = device();
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(verify().exit_code, 0);
  EXPECT_NE(certificate(), first);
  EXPECT_EQ(listed().find("erase order"), std::string::npos) << "that was of what it had before: " << listed();
  EXPECT_EQ(station({"erase", "--connect", line_, "--order", order}).exit_code, 69)
      << "that order was for the certificate before";
  EXPECT_EQ(reader_->end(SIGTERM), 0);
}

TEST_F(Life, what_a_person_leaves_out_is_named) {
  const auto nobody = e2e::run("nightdrop-provision", {"verify", "--station", station_.folder().string()});
  EXPECT_EQ(nobody.exit_code, 64);
  EXPECT_THAT(nobody.err, HasSubstr("--serial or --connect"));
  const auto other = station({"device", "--connect", line_, "--merchant", "m_2", "--policy",
                              station_.path("policy.json"), "--config-template", station_.path("template.json")});
  EXPECT_EQ(other.exit_code, 65);
  EXPECT_THAT(other.err, HasSubstr("merchant_id: "));
  const auto no_template = station({"device", "--connect", line_, "--merchant", "m_1", "--policy",
                                    station_.path("policy.json"), "--config-template", station_.path("policy.json")});
  EXPECT_EQ(no_template.exit_code, 78);
  EXPECT_THAT(no_template.err, HasSubstr("policy.json: hal: is missing"));
}

}  // namespace
}  // namespace nightdrop::keys
