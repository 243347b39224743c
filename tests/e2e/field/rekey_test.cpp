// A new initial key while payments under the old one wait, on the real programs: the block is made here from the
// acquirer's own key, as an HSM would make it.
#include <fstream>
#include <iterator>

#include <gmock/gmock.h>

#include "crypto/dukpt.hpp"
#include "crypto/tr31.hpp"
#include "e2e/field/journal.hpp"
#include "e2e/harness.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::e2e {
namespace {

struct Rekey : testing::Test {
  Rekey() {
    std::ifstream file(world.path("acquirer/keys.json"));
    const Json keys = json(std::string(std::istreambuf_iterator<char>(file), {}));
    bdk = *secret_from_hex(std::string(keys["bdk"].string().value_or("")));
  }
  std::string id_now() { return world.call("get_reader").text("initial_key_id"); }
  // The block that brings `wanted` to a reader that has `present`, both as hex.
  std::string block(const std::string& present, const std::string& wanted) const {
    const auto id_of = [](const std::string& text) {
      dukpt::InitialKeyId id{};
      const auto bytes = from_hex(text);
      std::copy_n(bytes->begin(), id.size(), id.begin());
      return id;
    };
    const SecretBytes old_key = *dukpt::derive_initial_key(bdk.view(), id_of(present));
    const SecretBytes new_key = *dukpt::derive_initial_key(bdk.view(), id_of(wanted));
    const auto device = *dukpt::DukptDevice::load(old_key.view(), id_of(present));
    const dukpt::KeyKind kind = bdk.size() == 32 ? dukpt::KeyKind::Aes256 : dukpt::KeyKind::Aes128;
    const SecretBytes update = *device.update_key(kind);
    const auto header = *tr31::make_initial_key_header(id_of(wanted), new_key.view());
    return *tr31::wrap(update.view(), header, new_key.view());
  }
  Ended command(const std::string& text) {
    std::ofstream(world.path("key.tr31")) << text << "\n";
    return run("nightdrop",
               {"--socket", world.path("run/pos.sock"), "rekey", "--block", world.path("key.tr31"), "--json"});
  }
  std::string next_of(std::string id) const {
    id.back() = id.back() == 'F' ? 'E' : 'F';
    return id;
  }

  World world;
  SecretBytes bdk;
};

TEST_F(Rekey, WhatWaitsGoesOutAsItIsAndTheNewKeySealsWhatComes) {
  world.offline();
  const std::string before = id_now();
  const std::string after = next_of(before);
  const Answer old_sale = world.pay(1'000, new_card());
  EXPECT_WORD(old_sale, "stored");

  const Ended changed = command(block(before, after));
  ASSERT_EQ(changed.exit_code, 0) << changed.err;
  EXPECT_HOLDS(json(changed.out), R"({"initial_key_id":")" + after + R"("})");
  EXPECT_EQ(id_now(), after);
  const Json told = last_event(world, "keys.changed");
  EXPECT_HOLDS(told, R"({"initial_key_id":")" + after + R"(","previous_initial_key_id":")" + before + R"("})");
  const Answer new_sale = world.pay(2'000, new_card());
  EXPECT_WORD(new_sale, "stored");

  world.restart();
  EXPECT_EQ(id_now(), after);
  world.online();
  world.await_drained();
  EXPECT_EQ(world.status(old_sale.id()), "succeeded");
  EXPECT_EQ(world.status(new_sale.id()), "succeeded");
  const std::string old_ksn(world.ledger_row(old_sale.id())["ksn"].string().value_or(""));
  const std::string new_ksn(world.ledger_row(new_sale.id())["ksn"].string().value_or(""));
  EXPECT_THAT(old_ksn, testing::StartsWith(before));
  EXPECT_EQ(std::stoll(old_ksn.substr(16), nullptr, 16), told["previous_counter"].integer().value_or(0));
  EXPECT_EQ(new_ksn, after + "00000001");
  EXPECT_HOLDS(world.stats(), R"({"posted":2,"twice":0,"anomalies":0})");
}

TEST_F(Rekey, NobodyElsesBlockIsTaken) {
  const std::string before = id_now();
  std::string changed = block(before, next_of(before));
  changed[changed.size() - 20] = changed[changed.size() - 20] == 'A' ? 'B' : 'A';
  EXPECT_NE(command(changed).exit_code, 0);
  EXPECT_WORD(world.call("rekey", R"({"key_block":"D0016B0TB00E0000"})"), "invalid_params");
  EXPECT_NE(command(block(next_of(before), before)).exit_code, 0) << "under another key's update key";
  EXPECT_NE(command(block(before, before)).exit_code, 0) << "the key that is there already would be used twice";
  EXPECT_EQ(id_now(), before);
  EXPECT_TRUE(last_event(world, "keys.changed").view().is_null());
  world.online();
  EXPECT_WORD(world.pay(1'000, new_card()), "succeeded");
}

TEST_F(Rekey, AnEarlierKeyNeverComesBack) {
  const std::string first = id_now();
  const std::string second = next_of(first);
  ASSERT_EQ(command(block(first, second)).exit_code, 0);
  EXPECT_NE(command(block(second, first)).exit_code, 0);
  EXPECT_EQ(id_now(), second);
}

}  // namespace
}  // namespace nightdrop::e2e
