// Managers at the reader: docs/pos_protocol.md, "Fine print" on PINs and approvals; RULES 6 and 31: no network is
// needed.
#include <gtest/gtest.h>

#include "e2e/harness.hpp"

namespace nightdrop::e2e {
namespace {

constexpr const char* threshold = R"({"currencies":{"usd":{"approval_threshold":1000}}})";

Answer approve(World& world, const std::string& id, const std::string& pin = "2468",
               const std::string& approver = "manager") {
  return world.call("approve_payment_intent",
                    R"({"id":")" + id + R"(","approver":")" + approver + R"(","pin":")" + pin + R"("})");
}

class Approval : public testing::Test {
 protected:
  Approval() : world(WorldOptions{.policy = threshold}) { world.offline(); }
  World world;
};

// "an amount strictly above it needs a manager"; "`requires_approval`: a manager must approve; leaves by approve,
// cancel".
TEST_F(Approval, AfterTheCard) {
  EXPECT_WORD(world.pay(1000, new_card()), "stored");
  const Answer asked = world.pay(1001, new_card());
  EXPECT_WORD(asked, "approval_required");
  EXPECT_HOLDS(asked, R"({"code":-32000,"data":{"payment_intent":{"status":"requires_approval"}}})");
  const std::string id(*asked.payment()["id"].string());
  EXPECT_WORD(world.call("confirm_payment_intent", R"({"id":")" + id + R"("})"), "approval_required");
  EXPECT_TRUE(approve(world, id).ok());
  EXPECT_WORD(world.call("confirm_payment_intent", R"({"id":")" + id + R"("})"), "stored");
  world.online();
  world.await_status(id, "succeeded");
  EXPECT_EQ(world.posted(id), 1);
}

// "Approval may be given before the card (then no `requires_approval` comes)".
TEST_F(Approval, BeforeTheCard) {
  const std::string id = world.create(5000);
  EXPECT_WORD(approve(world, id), "requires_payment_method");
  EXPECT_WORD(world.process(id, new_card()), "stored");
}

TEST_F(Approval, MayBeCanceledInstead) {
  const Answer asked = world.pay(1001, new_card());
  const std::string id(*asked.payment()["id"].string());
  EXPECT_WORD(world.call("cancel_payment_intent", R"({"id":")" + id + R"("})"), "canceled");
  EXPECT_WORD(approve(world, id), "unexpected_state");
}

// The caps stand above any manager.
TEST_F(Approval, LiftsNoCap) {
  const std::string id = world.create(10'001);
  EXPECT_TRUE(approve(world, id).ok());
  EXPECT_WORD(world.process(id, new_card()), "amount_exceeds_max_offline_amount");
}

// "An approval covers the amount shown, and ends when the amount rises."
TEST_F(Approval, CoversTheAmountShown) {
  const std::string id = world.create(1500);
  ASSERT_TRUE(approve(world, id).ok());
  ASSERT_EQ(world.process(id, new_card()).word(), "stored");
  EXPECT_WORD(world.call("adjust_payment_intent", R"({"id":")" + id + R"(","amount_details":{"tip":1}})"),
              "approval_required");
  EXPECT_HOLDS(world.retrieve(id), R"({"status":"stored","amount":1500,"amount_details":{"tip":0}})");
  const std::string small = world.pay(1000, new_card()).id();
  EXPECT_WORD(world.call("adjust_payment_intent", R"({"id":")" + small + R"(","amount_details":{"tip":1}})"),
              "approval_required");
}

// "A wrong manager PIN: `approver_invalid` with `attempts_remaining`; the fifth locks that approver for 30 minutes
// (`approver_locked`, with `retry_after_s`), across restarts and clock changes."
TEST_F(Approval, TheFifthWrongPinLocks) {
  const std::string params = R"({"amount":1500,"currency":"usd","merchant_reference":"locked"})";
  std::string id = world.call("create_payment_intent", params).id();
  for (int left = 4; left >= 1; --left) {
    if (left == 2) {
      world.restart();
      id = world.call("create_payment_intent", params).id();
    }
    const Answer wrong = approve(world, id, "1111");
    EXPECT_WORD(wrong, "approver_invalid");
    EXPECT_EQ(wrong.error()["data"]["attempts_remaining"].integer(), left);
  }
  const Answer locked = approve(world, id, "1111");
  EXPECT_WORD(locked, "approver_locked");
  EXPECT_EQ(locked.error()["data"]["retry_after_s"].integer(), 1800);

  EXPECT_WORD(approve(world, id), "approver_locked") << "the right PIN no longer counts";
  world.restart();
  id = world.call("create_payment_intent", params).id();
  EXPECT_WORD(approve(world, id), "approver_locked") << "after a restart";
  world.clock(R"({"utc":"2031-01-01T00:00:00.000Z"})");
  EXPECT_WORD(approve(world, id), "approver_locked") << "with the clock years ahead";
  world.clock(R"({"utc":"1970-01-01T00:00:00.000Z"})");
  EXPECT_WORD(approve(world, id), "approver_locked") << "with the clock at 1970";
  world.advance(1790);
  const Answer soon = approve(world, id);
  EXPECT_WORD(soon, "approver_locked");
  EXPECT_LE(soon.error()["data"]["retry_after_s"].integer().value_or(99), 10);
  world.advance(11);
  EXPECT_WORD(approve(world, id, "1111"), "approver_invalid") << "after the half hour it counts anew";
  EXPECT_TRUE(approve(world, id).ok());
  EXPECT_HOLDS(approve(world, id, "1111"), R"({"data":{"attempts_remaining":4}})");
}

TEST_F(Approval, AnUnknownApproverIsInvalid) {
  const std::string id = world.create(1500);
  EXPECT_WORD(approve(world, id, "2468", "janitor"), "approver_invalid");
  EXPECT_HOLDS(world.retrieve(id), R"({"status":"requires_payment_method"})");
}

// No PIN ever shows up in what the reader writes.
TEST_F(Approval, NoPinIsWrittenAnywhere) {
  const std::string id = world.create(1500);
  (void)approve(world, id, "864209753124");
  const std::string seen = world.log() +
                           run("nightdrop", {"--config", world.path("nightdrop.json"), "audit", "export"}).out +
                           run("nightdrop", {"--config", world.path("nightdrop.json"), "policy", "show", "--json"}).out;
  EXPECT_EQ(seen.find("864209753124"), std::string::npos);
  EXPECT_EQ(seen.find("pin_hash"), std::string::npos);
  EXPECT_NE(seen.find("approver_wrong_pin"), std::string::npos);  // it was looked for in the right place
}

}  // namespace
}  // namespace nightdrop::e2e
