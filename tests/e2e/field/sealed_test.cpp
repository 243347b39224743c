// The sealed export and its import, on the real programs (docs/sealed_export.md): what waits reaches the acquirer once,
// by whichever way, and a file that was changed reaches nothing.
#include <fstream>
#include <iterator>

#include <gmock/gmock.h>

#include "e2e/harness.hpp"

namespace nightdrop::e2e {
namespace {

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Sealed : testing::Test {
  // The intents' ids, stored offline.
  std::vector<std::string> stored(int count) {
    world.offline();
    std::vector<std::string> ids;
    for (int i = 0; i < count; ++i) {
      const Answer sale = world.pay(1'000 + i, new_card());
      EXPECT_WORD(sale, "stored");
      ids.push_back(sale.id());
    }
    return ids;
  }
  Ended export_sealed() {
    return run("nightdrop", {"--socket", world.path("run/pos.sock"), "export-sealed", "--out", file, "--json"});
  }
  Ended import(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{"acquirer", "import", "--dir", world.path("acquirer"), file, "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run("nightdrop-sim", arguments);
  }
  std::vector<std::string> events() {
    std::vector<std::string> types;
    const Answer journal = world.call("audit_export", R"({"limit":1000})");
    for (const JsonView line : journal["lines"].items()) {
      if (const auto event = Json::parse(line["event"].string().value_or("")); event)
        types.emplace_back((*event)["type"].string().value_or(""));
    }
    return types;
  }

  World world;
  std::string file = world.path("friday.ndjson");
};

TEST_F(Sealed, WhatWaitsIsTakenInOnceByARunningAcquirer) {
  const auto ids = stored(3);
  const Ended exported = export_sealed();
  ASSERT_EQ(exported.exit_code, 0) << exported.err;
  EXPECT_HOLDS(json(exported.out), R"({"count":3,"reversals":0})");
  EXPECT_THAT(events(), testing::Contains("payments.exported"));
  EXPECT_EQ(read(file).find("4242424242424242"), std::string::npos);

  const Ended first = import();
  ASSERT_EQ(first.exit_code, 0) << first.err;
  EXPECT_HOLDS(json(first.out), R"({"serial_number":"ND000001","posted":3,"rejected":0,"complete":true})");
  for (const std::string& id : ids) EXPECT_EQ(world.posted(id), 1);

  const Ended second = import();
  ASSERT_EQ(second.exit_code, 0) << second.err;
  EXPECT_HOLDS(json(second.out), R"({"posted":0,"already_there":3,"complete":true})");

  // The reader forwards them all the same: the acquirer has them, and says so.
  world.online();
  world.await_drained();
  for (const std::string& id : ids) {
    EXPECT_EQ(world.status(id), "succeeded");
    EXPECT_EQ(world.posted(id), 1);
  }
  EXPECT_HOLDS(world.stats(), R"({"posted":3,"twice":0,"conflicts":0})");
}

TEST_F(Sealed, AStoppedAcquirersLedgerIsWrittenItself) {
  const auto ids = stored(2);
  ASSERT_EQ(export_sealed().exit_code, 0);
  world.kill_acquirer();
  const Ended taken = import();
  ASSERT_EQ(taken.exit_code, 0) << taken.err;
  EXPECT_HOLDS(json(taken.out), R"({"posted":2,"complete":true})");
  world.start_acquirer();
  for (const std::string& id : ids) EXPECT_EQ(world.posted(id), 1);
}

TEST_F(Sealed, AFileThatWasChangedOrIsAnothersIsNotUsed) {
  const auto ids = stored(1);
  ASSERT_EQ(export_sealed().exit_code, 0);
  const std::string good = read(file);
  const auto refused = [&](const std::string& text, const char* why) {
    std::ofstream(file, std::ios::binary) << text;
    const Ended ended = import();
    EXPECT_EQ(ended.exit_code, 65) << why << ": " << ended.out;
    EXPECT_EQ(world.posted(ids[0]), -1) << why;
  };
  std::string changed = good;
  changed.replace(changed.find("\"amount\":1000"), 13, "\"amount\":1001");
  refused(changed, "an amount was changed");
  refused(good.substr(0, good.size() / 2), "the file is cut off");
  refused(good.substr(0, good.size() - 1), "the last byte is missing");
  std::string other = good;
  other.replace(other.find("ND000001"), 8, "ND000002");
  refused(other, "the reader is another");
  std::ofstream(file, std::ios::binary) << good;
  EXPECT_EQ(import().exit_code, 0);
}

TEST_F(Sealed, UnknownOutcomesVoidsAndExpiredPaymentsAreWhatTheyAre) {
  const auto ids = stored(3);
  ASSERT_TRUE(world.call("cancel_payment_intent", R"({"id":")" + ids[0] + R"("})").ok());
  // Something is posted and its answer is lost: its outcome is unknown here.
  world.faults(R"([{"fault":"cut_after","count":1,"match":{"path":"/v1/payments*"}},
                   {"fault":"cut_before","match":{"path":"/v1/payments*"}}])");
  world.online();
  world.await("an unknown outcome",
              [&] { return world.retrieve(ids[1])["offline"]["last_attempt"]["outcome"].string() == "unknown"; });
  world.offline();
  ASSERT_EQ(export_sealed().exit_code, 0);
  const std::string text = read(file);
  EXPECT_EQ(text.find(ids[0]), std::string::npos) << "voided before it was sent";
  EXPECT_NE(text.find(R"("outcome_unknown":true)"), std::string::npos);
  const Ended taken = import();
  ASSERT_EQ(taken.exit_code, 0) << taken.err;
  EXPECT_GE(json(taken.out)["already_there"].integer().value_or(0), 1) << taken.out;
  EXPECT_EQ(world.posted(ids[1]), 1);
  EXPECT_EQ(world.posted(ids[2]), 1);
}

TEST_F(Sealed, AnExpiredPaymentIsHeldForAPerson) {
  const auto ids = stored(1);
  world.advance(25 * 3'600);
  world.await_status(ids[0], "expired");
  ASSERT_EQ(export_sealed().exit_code, 0);
  EXPECT_HOLDS(json(import().out), R"({"held":1,"posted":0,"complete":true})");
  EXPECT_EQ(world.posted(ids[0]), -1);
  EXPECT_HOLDS(json(import({"--with-expired"}).out), R"({"held":0,"posted":1})");
  EXPECT_EQ(world.posted(ids[0]), 1);
}

TEST_F(Sealed, ALargeExportComesInPagesAndIsWhole) {
  world.sign_policy(R"({"version":2,"device_count":200,"currencies":{"usd":{"device_total":10000000}}})");
  world.restart();
  const auto ids = stored(150);
  const Answer first = world.call("export_sealed");
  ASSERT_TRUE(first.ok()) << first.dump();
  EXPECT_TRUE(first["has_more"].boolean().value_or(false)) << "one page: nothing is shown";
  const Ended exported = export_sealed();
  ASSERT_EQ(exported.exit_code, 0) << exported.err;
  EXPECT_HOLDS(json(exported.out), R"({"count":150})");
  EXPECT_HOLDS(json(import().out), R"({"posted":150})");
  // What the command has taken is no longer held for another.
  EXPECT_WORD(world.call("export_sealed", R"({"export":1,"offset":0})"), "invalid_params");
}

TEST_F(Sealed, AReceiptOfOtherBytesIsNoReceipt) {
  stored(1);
  const Answer page = world.call("export_sealed");
  const std::string id = std::to_string(page["export"].integer().value_or(0));
  EXPECT_WORD(world.call("export_sealed", R"({"export":)" + id + R"(,"received":")" + std::string(64, 'a') + R"("})"),
              "invalid_params");
  EXPECT_THAT(events(), testing::Not(testing::Contains("payments.exported")));
}

}  // namespace
}  // namespace nightdrop::e2e
