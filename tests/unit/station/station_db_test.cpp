// The station's database: nothing is given out twice, whatever attempts fail and however often it is opened again.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <thread>

#include <unistd.h>

#include "keys/line/station_db.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::keys {
namespace {

namespace fs = std::filesystem;
constexpr std::array<std::uint8_t, 32> key{7};
constexpr std::array<std::uint8_t, 4> bdk_id{0xA1, 0xB2, 0xC3, 0xD4};
constexpr UtcMs at = 1'790'000'000'000;

class Station : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/nd-station-XXXXXX";
    folder_ = mkdtemp(name.data());
    reopen();
  }
  void TearDown() override {
    db_.reset();
    fs::remove_all(folder_);
  }
  void reopen() {
    db_.reset();
    auto opened = StationDb::open(folder_, key, {100, 100'000});
    ASSERT_TRUE(opened) << opened.error().message;
    db_ = std::move(*opened);
  }
  std::int64_t unit(const std::string& serial, const std::string& merchant = "m_1") {
    const auto taken = db_->take_order({"orders.csv", serial, merchant, "unix:x", ""}, at);
    EXPECT_TRUE(taken) << taken.error().message;
    return taken ? taken->unit : 0;
  }
  Allocation attempt(std::int64_t unit) {
    const auto begun = db_->begin_attempt(unit, bdk_id, at);
    EXPECT_TRUE(begun) << begun.error().message;
    return begun.value_or(Allocation{});
  }
  void provision(const Allocation& allocation) {
    ASSERT_TRUE(db_->issued(allocation, std::vector<std::uint8_t>{1, 2}, at + 1000, "0011223344", at));
    ASSERT_TRUE(db_->sent(allocation, at));
    ASSERT_TRUE(db_->proven(allocation, at));
    ASSERT_TRUE(db_->provisioned(allocation, 40, at));
  }
  Unit find(const std::string& serial) {
    const auto found = db_->find(serial);
    EXPECT_TRUE(found && *found);
    return **found;
  }

  fs::path folder_;
  std::unique_ptr<StationDb> db_;
};

TEST_F(Station, one_process_has_it) {
  const auto second = StationDb::open(folder_, key, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().exit, Exit::Busy);
}

TEST_F(Station, another_key_opens_nothing) {
  db_.reset();
  const auto other = StationDb::open(folder_, std::array<std::uint8_t, 32>{8}, {});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().exit, Exit::Data);
  reopen();
}

TEST_F(Station, an_order_is_taken_once_and_its_merchant_stays) {
  const auto first = unit("ND000001");
  EXPECT_EQ(unit("ND000001"), first);
  EXPECT_FALSE(db_->take_order({"o", "ND000001", "m_2", "unix:x", ""}, at));
  ASSERT_TRUE(db_->take_order({"o", "ND000001", "m_1", "unix:y", "aa"}, at));
  EXPECT_FALSE(db_->take_order({"o", "ND000001", "m_1", "unix:y", "bb"}, at)) << "another factory key";
  EXPECT_EQ(find("ND000001").order.connection, "unix:y");
  EXPECT_EQ(find("ND000001").order.factory_key, "aa");
}

TEST_F(Station, every_attempt_has_values_of_its_own_also_after_a_restart) {
  std::set<std::string> keys;
  std::set<std::string> certificates;
  const auto first = unit("A");
  const auto second = unit("B");
  for (int round = 0; round < 12; ++round) {
    for (const auto each : {first, second}) {
      const Allocation got = attempt(each);
      EXPECT_TRUE(keys.insert(initial_key_id_text(got.initial_key_id)).second);
      EXPECT_TRUE(certificates.insert(got.certificate).second);
      EXPECT_TRUE(std::ranges::equal(bdk_id, std::span(got.initial_key_id).first(4)));
      EXPECT_EQ(got.certificate.size(), 32U);
      EXPECT_NE(got.certificate[0], '0');
      const auto came_so_far = round % 3 == 1   ? db_->sent(got, at)
                               : round % 3 == 2 ? db_->proven(got, at)
                                                : Outcome<void>{};
      EXPECT_TRUE(came_so_far);
    }
    if (round % 4 == 3) reopen();
  }
  EXPECT_EQ(*keys.begin(), "A1B2C3D400000064") << "the range begins at 100";
}

TEST_F(Station, the_range_ends_with_a_refusal) {
  db_.reset();
  fs::remove_all(folder_);
  fs::create_directory(folder_);
  auto small = StationDb::open(folder_, key, {5, 6});
  ASSERT_TRUE(small);
  db_ = std::move(*small);
  const auto a = unit("A");
  attempt(a);
  attempt(a);
  const auto third = db_->begin_attempt(a, bdk_id, at);
  ASSERT_FALSE(third);
  EXPECT_NE(third.error().message.find("range"), std::string::npos);
}

TEST_F(Station, what_is_in_force_is_told_and_is_not_begun_again_without_an_erase_order) {
  const auto a = unit("A");
  const Allocation got = attempt(a);
  provision(got);
  const Unit told = find("A");
  EXPECT_EQ(told.state, UnitState::Provisioned);
  EXPECT_EQ(told.initial_key_id, initial_key_id_text(got.initial_key_id));
  EXPECT_EQ(told.key_check_value, "0011223344");
  EXPECT_EQ(told.certificate, got.certificate);
  EXPECT_EQ(told.certificate_state, "active");
  EXPECT_EQ(told.duration_ms, 40);
  EXPECT_EQ(db_->certificate(got.certificate).value(), (std::vector<std::uint8_t>{1, 2}));

  EXPECT_FALSE(db_->begin_attempt(a, bdk_id, at));
  ASSERT_TRUE(db_->set_aside(a, "the line was cut", at));
  EXPECT_EQ(find("A").state, UnitState::Provisioned) << "a late failure takes nothing out of force";
  ASSERT_TRUE(db_->erase_ordered(a, "n1", got.certificate, at + 1, at));
  const Allocation again = attempt(a);
  EXPECT_NE(again.certificate, got.certificate);
  EXPECT_EQ(find("A").initial_key_id, "") << "burned with the attempt";
  const auto list = db_->next_revocation_list(at);
  ASSERT_TRUE(list);
  ASSERT_EQ(list->revoked.size(), 1U) << "the erased reader's certificate";
  EXPECT_EQ(list->revoked[0].serial_number, got.certificate);
  provision(again);
  EXPECT_FALSE(db_->begin_attempt(a, bdk_id, at)) << "that order was for the certificate before";
}

TEST_F(Station, an_unseen_end_is_kept_until_it_is_settled) {
  const auto a = unit("A");
  const Allocation got = attempt(a);
  ASSERT_TRUE(db_->issued(got, std::vector<std::uint8_t>{1}, at + 1000, "0011223344", at));
  ASSERT_TRUE(db_->sent(got, at));
  EXPECT_FALSE(db_->unsettled(a).value());
  ASSERT_TRUE(db_->proven(got, at));
  reopen();
  const auto unsettled = db_->unsettled(a);
  ASSERT_TRUE(unsettled && *unsettled);
  EXPECT_EQ((*unsettled)->certificate, got.certificate);
  EXPECT_EQ((*unsettled)->initial_key_id, got.initial_key_id);
  EXPECT_TRUE(find("A").provisioned_in_part);
  attempt(a);
  EXPECT_FALSE(db_->unsettled(a).value());
  const auto list = db_->next_revocation_list(at);
  ASSERT_TRUE(list);
  ASSERT_EQ(list->revoked.size(), 1U) << "it left and never came into force";
  EXPECT_EQ(list->revoked[0].serial_number, got.certificate);
}

TEST_F(Station, revocation_lists_go_upwards_and_forget_what_has_expired) {
  const auto a = unit("A");
  EXPECT_FALSE(db_->revoke(a, "lost", at)) << "nothing in force";
  provision(attempt(a));
  ASSERT_TRUE(db_->revoke(a, "lost", at));
  ASSERT_TRUE(db_->revoke(a, "lost again", at + 5));
  EXPECT_EQ(find("A").certificate_state, "revoked");
  const auto first = db_->next_revocation_list(at + 6);
  const auto later = db_->next_revocation_list(at + 2000);
  ASSERT_TRUE(first && later);
  EXPECT_EQ(first->number, 1);
  EXPECT_EQ(later->number, 2);
  ASSERT_EQ(first->revoked.size(), 1U);
  EXPECT_EQ(first->revoked[0].at, at);
  EXPECT_TRUE(later->revoked.empty());
}

TEST_F(Station, a_new_initial_key_is_in_force_when_it_was_seen) {
  const auto a = unit("A");
  const Allocation got = attempt(a);
  provision(got);
  const auto fresh = db_->allocate_rekey(a, bdk_id, at);
  ASSERT_TRUE(fresh);
  EXPECT_NE(*fresh, got.initial_key_id);
  EXPECT_TRUE(db_->pending_rekeys(a)->empty());
  ASSERT_TRUE(db_->rekey_sent(*fresh, "aabbccddee", at));
  EXPECT_EQ(*db_->pending_rekeys(a), std::vector{initial_key_id_text(*fresh)});
  EXPECT_EQ(find("A").initial_key_id, initial_key_id_text(got.initial_key_id));
  ASSERT_TRUE(db_->rekey_seen(a, "0000000000000000", at));
  EXPECT_EQ(find("A").initial_key_id, initial_key_id_text(got.initial_key_id)) << "a key of nobody's changes nothing";
  ASSERT_TRUE(db_->rekey_seen(a, initial_key_id_text(*fresh), at));
  EXPECT_EQ(find("A").initial_key_id, initial_key_id_text(*fresh));
  EXPECT_EQ(find("A").key_check_value, "aabbccddee");
  ASSERT_TRUE(db_->rekey_seen(a, initial_key_id_text(*fresh), at));
  EXPECT_EQ(find("A").initial_key_id, initial_key_id_text(*fresh)) << "seen again";
  EXPECT_TRUE(db_->pending_rekeys(a)->empty());
}

TEST_F(Station, threads_get_values_of_their_own) {
  std::vector<std::int64_t> units;
  for (int i = 0; i < 4; ++i) units.push_back(unit("T" + std::to_string(i)));
  std::vector<std::set<std::string>> seen(units.size());
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < units.size(); ++i) {
      threads.emplace_back([&, i] {
        for (int round = 0; round < 25; ++round) seen[i].insert(initial_key_id_text(attempt(units[i]).initial_key_id));
      });
    }
  }
  std::set<std::string> all;
  for (const auto& each : seen) all.insert(each.begin(), each.end());
  EXPECT_EQ(all.size(), 100U);
}

TEST_F(Station, counts_what_a_report_tells) {
  provision(attempt(unit("A")));
  const auto b = unit("B");
  attempt(b);
  provision(attempt(b));
  ASSERT_TRUE(db_->set_aside(unit("C"), "cut", at));
  unit("D");
  const auto counts = db_->counts();
  ASSERT_TRUE(counts);
  EXPECT_EQ(counts->units, 4);
  EXPECT_EQ(counts->provisioned, 2);
  EXPECT_EQ(counts->first_pass, 1);
  EXPECT_EQ(counts->aside, 1);
  EXPECT_EQ(counts->waiting, 1);
  EXPECT_EQ(counts->keys_burned, 1);
  EXPECT_EQ(counts->mean_ms, 40);
}

TEST_F(Station, numbers_that_an_older_copy_may_have_given_out_are_skipped) {
  ASSERT_TRUE(db_->skip_derivations_to(500, at));
  ASSERT_TRUE(db_->skip_derivations_to(300, at));
  EXPECT_EQ(db_->next_derivation(), 500U);
}

}  // namespace
}  // namespace nightdrop::keys
