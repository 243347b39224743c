// A new initial key from the station that made the reader to the running daemon: `nightdrop-provision rekey`, a file,
// `nightdrop rekey`. What waited goes out under the old key, what comes after under the new one, and the station's
// `verify` learns that the new one is in force. docs/line.md, Later.
#include <filesystem>

#include <gmock/gmock.h>

#include "e2e/service/reader.hpp"

namespace nightdrop::e2e {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class Rekey : public testing::Test {
 protected:
  Rekey() : hall_(1), unit_(hall_.units().front()) {
    hall_.put_up(unit_);
    hall_.provision(unit_);
    hall_.kill(unit_);
    hall_.start_acquirer();
  }
  Ended station(std::vector<std::string> words) const {
    words.insert(words.begin() + 1, {"--station", hall_.station(), "--serial", unit_.serial_number});
    return run("nightdrop-provision", words);
  }
  std::string block_file() const { return hall_.path("new_key.tr31"); }
  Ended hand_over(const InService& reader) const {
    return run("nightdrop", {"--socket", reader.socket(), "rekey", "--block", block_file()});
  }
  std::string listed() {
    const Json list = hall_.report("list");
    return std::string(list["units"].items().front()["initial_key_id"].string().value_or(""));
  }
  Ended verify() {
    hall_.put_up(unit_);
    const Ended ended = station({"verify", "--connect", "serial:" + hall_.lines().station_end(unit_.line)});
    hall_.kill(unit_);
    return ended;
  }
  std::string ksn_of(const std::string& id) { return std::string(row_of(hall_, id)["ksn"].string().value_or("")); }

  FactoryWorld hall_;
  Unit& unit_;
};

TEST_F(Rekey, FromTheStationToTheRunningReaderAndBackInItsBooks) {
  const std::string before = listed();
  std::string waits, after;
  {
    InService reader(unit_.home);
    EXPECT_EQ(reader.initial_key_id(), before);
    waits = reader.store(1'000);
    const Ended made = station({"rekey", "--out", block_file()});
    ASSERT_EQ(made.exit_code, 0) << made.err;
    const Ended second = station({"rekey", "--out", hall_.path("second.tr31")});
    EXPECT_EQ(second.exit_code, 65) << "the first may or may not be in force";
    EXPECT_THAT(second.err, HasSubstr("verify"));
    EXPECT_FALSE(std::filesystem::exists(hall_.path("second.tr31")));

    const Ended taken = hand_over(reader);
    ASSERT_EQ(taken.exit_code, 0) << taken.err;
    after = reader.initial_key_id();
    EXPECT_NE(after, before);
    EXPECT_NE(hand_over(reader).exit_code, 0) << "a block is good once";
    EXPECT_EQ(reader.initial_key_id(), after);
    const std::string comes = reader.store(2'000);
    reader.forward();
    EXPECT_THAT(ksn_of(waits), StartsWith(before));
    EXPECT_THAT(ksn_of(comes), StartsWith(after));
    EXPECT_EQ(reader.stop(), 0);
  }
  EXPECT_HOLDS(hall_.stats(), R"({"posted":2,"twice":0,"anomalies":0})") << hall_.stats().dump();

  const Ended verified = verify();
  EXPECT_EQ(verified.exit_code, 0) << verified.err << verified.out;
  EXPECT_EQ(listed(), after) << "the book knows the key that is in force";

  // And from there the next one.
  ASSERT_EQ(station({"rekey", "--out", block_file()}).exit_code, 0);
  InService reader(unit_.home);
  EXPECT_EQ(hand_over(reader).exit_code, 0);
  const std::string third = reader.initial_key_id();
  EXPECT_NE(third, after);
  EXPECT_NE(third, before);
  const std::string last = reader.store(3'000);
  reader.forward();
  EXPECT_THAT(ksn_of(last), StartsWith(third));
  EXPECT_HOLDS(hall_.stats(), R"({"posted":3,"twice":0,"anomalies":0})") << hall_.stats().dump();
}

TEST_F(Rekey, ABlockThatNeverArrivedLeavesTheOldKeyInTheBook) {
  const std::string before = listed();
  ASSERT_EQ(station({"rekey", "--out", block_file()}).exit_code, 0);
  EXPECT_EQ(verify().exit_code, 0);
  EXPECT_EQ(listed(), before);
  InService reader(unit_.home);
  (void)reader.store(1'000);
  reader.forward();
  EXPECT_THAT(reader.initial_key_id(), testing::Eq(before));
}

}  // namespace
}  // namespace nightdrop::e2e
