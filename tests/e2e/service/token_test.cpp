// A reader whose vault stands on a PKCS#11 token, made by the real station and run by the real daemon: it takes and
// forwards payments over restarts, and its whole disk put back to an older copy, while the token stays as it is, is
// found. What a token's mark holds underneath is in tests/unit/vault.
#include <filesystem>
#include <fstream>
#include <set>

#include <gmock/gmock.h>

#include "e2e/service/reader.hpp"
#include "unit/pkcs11/softhsm.hpp"

namespace nightdrop::e2e {
namespace {

namespace fs = std::filesystem;

class WithAToken : public testing::Test {
 protected:
  WithAToken() : token_(test::soft_hsm().make_token()), pin_((test::soft_hsm().path() / "pin").string()) {
    std::ofstream(pin_) << "12345678\n";
    fs::permissions(pin_, fs::perms::owner_read | fs::perms::owner_write);
    Json where = Json::object();
    where.set("module", token_.module).set("token_label", token_.token_label).set("pin_file", pin_);
    Json patch = Json::object();
    // One request at a time, so that what reaches the acquirer in another order than it was sealed in is an anomaly.
    patch.set("acquirer", std::move(Json::object().set("window", 1)));
    patch.set("vault_backend", std::move(Json::object().set("pkcs11", std::move(where))));
    hall_ = std::make_unique<FactoryWorld>(1, HallOptions{patch.dump(),
                                                          {"--pkcs11-module", token_.module, "--pkcs11-token",
                                                           token_.token_label, "--pkcs11-pin-file", pin_}});
    Unit& unit = hall_->units().front();
    hall_->put_up(unit);
    hall_->provision(unit);
    hall_->kill(unit);
    home_ = unit.home;
    hall_->start_acquirer();
  }
  Ended refused_start(const std::vector<std::string>& more = {}) const {
    return run("nightdropd", InService::words(home_, more));
  }
  void expect_posted(const std::string& id) { EXPECT_HOLDS(row_of(*hall_, id), R"({"posted":1})"); }
  // The acquirer opened every envelope, each under a KSN of its own.
  void expect_no_ksn_twice(std::size_t payments) {
    std::set<std::string> seen;
    const Json ledger = hall_->ledger();
    for (const JsonView row : ledger.view().items()) {
      EXPECT_TRUE(seen.insert(std::string(row["ksn"].string().value_or(""))).second) << row.dump();
    }
    EXPECT_EQ(seen.size(), payments);
    EXPECT_HOLDS(hall_->stats(), R"({"twice":0,"anomalies":0})") << ledger.dump();
  }

  pkcs11::TokenLocation token_;
  std::string pin_;
  std::unique_ptr<FactoryWorld> hall_;
  std::string home_;
};

TEST_F(WithAToken, TakesPaymentsAndForwardsThemOverRestarts) {
  EXPECT_FALSE(fs::exists(home_ + "/vault/root.key")) << "the root is in the token alone";
  for (const std::int64_t amount : {1'000, 2'000, 3'000}) {
    std::string id;
    {
      InService reader(home_);
      id = reader.store(amount);
      EXPECT_EQ(reader.stop(), 0);
    }
    InService reader(home_);
    EXPECT_EQ(reader.status(id), "stored");
    reader.forward();
    EXPECT_EQ(reader.status(id), "succeeded");
    EXPECT_EQ(reader.stop(), 0);
    expect_posted(id);
  }
  expect_no_ksn_twice(3);
}

TEST_F(WithAToken, WithoutItsTokenNothingOpens) {
  std::ofstream(pin_) << "00000000\n";
  const Ended refused = refused_start();
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(refused.out + refused.err, testing::Not(testing::HasSubstr("00000000"))) << "no PIN in a message";
  std::ofstream(pin_) << "12345678\n";
  InService reader(home_);
  (void)reader.store(1'000);
}

TEST_F(WithAToken, TheWholeDiskPutBackIsFoundAndGoneOnWith) {
  const std::string copy = home_ + ".copy";
  std::string waits;
  {
    InService reader(home_);
    waits = reader.store(1'000);
    EXPECT_EQ(reader.stop(), 0);
  }
  for (const auto& socket : fs::directory_iterator(home_ + "/run")) fs::remove(socket);  // no part of a copy
  fs::copy(home_, copy, fs::copy_options::recursive);
  std::string since, lost;
  {
    InService reader(home_);
    since = reader.store(2'000);
    reader.forward();
    lost = reader.store(3'000);
    EXPECT_EQ(reader.stop(), 0);
  }
  expect_posted(since);
  fs::remove_all(home_);
  fs::rename(copy, home_);

  const Ended refused = refused_start();
  EXPECT_EQ(refused.exit_code, 65);
  EXPECT_THAT(refused.err, testing::HasSubstr("the vault is an older copy"));
  EXPECT_THAT(refused.err, testing::HasSubstr("--accept-older vault"));
  EXPECT_EQ(refused_start({"--accept-older", "queue"}).exit_code, 65) << "not the one that is told of";

  std::string later;
  {
    InService reader(home_, {"--accept-older", "vault"});
    later = reader.store(4'000);
    EXPECT_EQ(reader.stop(), 0);
  }
  InService reader(home_);
  EXPECT_EQ(reader.status(waits), "stored") << "as the older copy has it";
  const std::string last = reader.store(5'000);
  reader.forward();
  EXPECT_EQ(reader.status(waits), "succeeded") << "sent again, and posted once";
  for (const std::string& id : {waits, since, later, last}) expect_posted(id);
  EXPECT_TRUE(row_of(*hall_, lost).view().is_null()) << "it was on the newer disk alone";
  expect_no_ksn_twice(4);
}

}  // namespace
}  // namespace nightdrop::e2e
