// A batch over serial lines (ptys), with readers among them that are not what they should be: they are set aside with a
// reason, the others are not held up, and a later run takes up what is left.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <set>

#include "e2e/line/serial_reader.hpp"
#include "e2e/provision/program.hpp"
#include "json/json.hpp"
#include "unit/station/world.hpp"

namespace nightdrop::keys {
namespace {

using testing::HasSubstr;
const std::string program = std::string(NIGHTDROP_BIN_DIR) + "/nightdrop-provision";

class Line : public testing::Test {
 protected:
  static std::string serial(int number) { return "ND" + std::to_string(100'000 + number); }
  void make_readers(int count) {
    for (int i = 0; i < count; ++i) readers_.push_back(std::make_unique<SerialReader>(serial(i), station_.authority()));
  }
  std::string orders() const {
    std::string text = "serial_number,merchant_id,connect\n";
    for (std::size_t i = 0; i < readers_.size(); ++i) {
      text += serial(static_cast<int>(i)) + ",m_1,serial:" + readers_[i]->path + "\n";
    }
    EXPECT_TRUE(write_file(station_.path("orders.csv"), text));
    return station_.path("orders.csv");
  }
  test::Ended batch(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments{"--json",
                                       "batch",
                                       "--station",
                                       station_.folder().string(),
                                       "--jobs",
                                       "8",
                                       "--config-template",
                                       station_.path("template.json"),
                                       "--policy",
                                       station_.path("policy.json"),
                                       "--timeout",
                                       "5",
                                       orders()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return test::run(program, arguments);
  }
  void expect_no_value_twice() const {
    std::set<std::string> keys;
    std::set<std::string> certificates;
    for (const auto& reader : readers_) {
      for (const auto& key : reader->home.seen_keys) EXPECT_TRUE(keys.insert(key).second) << key;
      for (const auto& number : reader->home.seen_certificates)
        EXPECT_TRUE(certificates.insert(number).second) << number;
    }
  }

  MadeStation station_;
  std::vector<std::unique_ptr<SerialReader>> readers_;
};

TEST_F(Line, twenty_four_readers_with_faults_among_them) {
  make_readers(24);
  using Fault = MemoryHome::Fault;
  readers_[3]->home.fault = Fault::OtherMac;
  readers_[7]->home.fault = Fault::Refuses;
  readers_[11]->home.fault = Fault::OtherCheckValue;
  readers_[15]->say_garbage();
  readers_[16]->home.fault = Fault::OtherSignature;
  const auto first = batch();
  EXPECT_EQ(first.exit_code, 69) << first.out << first.err;
  const auto told = Json::parse(first.out);
  ASSERT_TRUE(told) << first.out;
  EXPECT_EQ((*told)["provisioned"].integer(), 20);
  EXPECT_EQ((*told)["aside"].integer(), 4);
  EXPECT_EQ(readers_[15]->home.facts().state, provisioning::ReaderState::Provisioned)
      << "noise before a Hello harms nothing";

  for (const auto& reader : readers_) reader->home.fault = Fault::None;
  const auto untouched = batch();
  EXPECT_EQ(untouched.exit_code, 69);
  EXPECT_EQ((*Json::parse(untouched.out))["aside_before"].integer(), 4) << "they wait until they are asked for";
  const auto second = batch({"--retry-failed"});
  EXPECT_EQ(second.exit_code, 0) << second.out << second.err;
  EXPECT_EQ((*Json::parse(second.out))["provisioned"].integer(), 4);
  EXPECT_EQ((*Json::parse(second.out))["provisioned_before"].integer(), 20);
  for (const auto& reader : readers_) EXPECT_EQ(reader->home.facts().state, provisioning::ReaderState::Provisioned);
  expect_no_value_twice();
}

TEST_F(Line, a_batch_with_a_mistake_touches_no_reader) {
  make_readers(2);
  std::string text = read_file(orders()).value();
  EXPECT_TRUE(write_file(station_.path("bad.csv"), text + "ND999999,m_other,unix:x\n"));
  const auto ended =
      test::run(program, {"batch", "--station", station_.folder().string(), "--policy", station_.path("policy.json"),
                          "--config-template", station_.path("template.json"), station_.path("bad.csv")});
  EXPECT_EQ(ended.exit_code, 65);
  EXPECT_THAT(ended.err, HasSubstr("bad.csv:4: merchant_id"));
  for (const auto& reader : readers_) EXPECT_TRUE(reader->home.seen_keys.empty());
}

TEST_F(Line, a_reader_under_another_authority_is_given_nothing) {
  make_readers(1);
  const MadeStation other;
  const auto ended =
      test::run(program, {"device", "--station", other.folder().string(), "--serial", serial(0), "--connect",
                          "serial:" + readers_[0]->path, "--merchant", "m_1", "--policy", other.path("policy.json"),
                          "--config-template", other.path("template.json"), "--timeout", "2"});
  EXPECT_EQ(ended.exit_code, 65) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("authentication: "));
  EXPECT_TRUE(readers_[0]->home.seen_keys.empty());
}

TEST_F(Line, a_label_is_made_for_what_was_provisioned) {
  make_readers(1);
  ASSERT_EQ(batch().exit_code, 0);
  const auto label = test::run(program, {"label", "--station", station_.folder().string(), "--serial", serial(0),
                                         "--out", station_.path("labels")});
  ASSERT_EQ(label.exit_code, 0) << label.err;
  EXPECT_THAT(read_file(station_.path("labels/" + serial(0) + ".svg")).value(), HasSubstr("<svg"));
  EXPECT_THAT(read_file(station_.path("labels/" + serial(0) + ".png")).value(), testing::StartsWith("\x89PNG"));
  const auto refused =
      test::run(program, {"label", "--station", station_.folder().string(), "--serial", "ND000000", "--out", "x"});
  EXPECT_EQ(refused.exit_code, 65);
}

TEST_F(Line, commands_explain_themselves_and_name_what_is_missing) {
  for (const char* command :
       {"device", "batch", "verify", "list", "label", "report", "revoke", "erase-order", "erase", "rekey"}) {
    EXPECT_THAT(test::run(program, {command, "--help"}).out, HasSubstr("--station")) << command;
    EXPECT_EQ(test::run(program, {command}).exit_code, 64) << command;
  }
  const auto none = test::run(program, {"list", "--station", station_.path("nowhere")});
  EXPECT_EQ(none.exit_code, 66);
  EXPECT_EQ(test::run(program, {"list", "--station", station_.folder().string(), "--state", "lost"}).exit_code, 64);
}

}  // namespace
}  // namespace nightdrop::keys
