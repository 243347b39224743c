// One reader from factory state to its record, by a station with its keys in SoftHSM: what it gets, what it must prove,
// and what the database says after each way to fail.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "json/json.hpp"
#include "keys/line/inventory.hpp"
#include "keys/line/provision_unit.hpp"
#include "unit/station/world.hpp"

namespace nightdrop::keys {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using Fault = MemoryHome::Fault;

class Provisioning : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = Station::open(made_.folder());
    ASSERT_TRUE(opened) << opened.error().message;
    station_ = std::move(*opened);
    auto recipe = make_recipe(*station_, {.policy_file = made_.path("policy.json"),
                                          .config_template = made_.path("template.json"),
                                          .acquirer_url = "",
                                          .acquirer_ca_file = "",
                                          .acquirer_dir = made_.path("acquirer"),
                                          .bdk_id = ""});
    ASSERT_TRUE(recipe) << recipe.error().message;
    recipe_ = std::move(*recipe);
  }
  Order order(const std::string& factory_key = "") const {
    return {"test", "ND000001", "m_1", "unix:" + made_.path("r.sock"), factory_key};
  }
  Outcome<UnitResult> provision(const std::string& factory_key = "") {
    const ListeningReader reader(home_, made_.authority(), made_.path("r.sock"));
    return run_unit({*station_, recipe_, now}, order(factory_key));
  }
  Unit unit() { return known_unit(*station_, "ND000001").value(); }

  MadeStation made_;
  std::unique_ptr<Station> station_;
  Recipe recipe_;
  MemoryHome home_{"ND000001"};
};

TEST_F(Provisioning, a_reader_gets_keys_that_fit_and_the_database_says_so) {
  const auto done = provision();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_TRUE(done->trusted_on_first_use);
  EXPECT_EQ(home_.facts().state, provisioning::ReaderState::Provisioned);
  EXPECT_EQ(home_.seen_keys, std::vector{done->initial_key_id});
  EXPECT_EQ(home_.certificate().serial_number, done->certificate);
  EXPECT_EQ(home_.certificate().common_name, "ND000001");
  EXPECT_TRUE(x509::verify_chain({home_.certificate()}, made_.authority(), now(), x509::Purpose::Client));

  const auto id = parse_initial_key_id(done->initial_key_id).value();
  const auto again = station_->hsm().derive_initial_key(id);
  ASSERT_TRUE(again);
  EXPECT_TRUE(std::ranges::equal(again->view(), home_.initial_key()));

  const auto config = Json::parse(home_.configuration);
  ASSERT_TRUE(config);
  EXPECT_EQ((*config)["serial_number"].string(), "ND000001");
  EXPECT_EQ((*config)["label"].string(), "Till ND000001");
  const auto registered = read_file(made_.path("acquirer/readers/ND000001.pem"));
  ASSERT_TRUE(registered);
  EXPECT_EQ(*registered, home_.certificate().pem());

  const Unit told = unit();
  EXPECT_EQ(told.state, UnitState::Provisioned);
  EXPECT_EQ(told.certificate, done->certificate);
  EXPECT_EQ(told.order.factory_key, done->factory_key);
}

TEST_F(Provisioning, a_second_time_needs_an_erase_order) {
  ASSERT_TRUE(provision());
  const auto locked = provision();
  ASSERT_FALSE(locked);
  EXPECT_THAT(locked.error().message, HasSubstr("is provisioned"));
  home_.go_back_to_factory();
  const auto without = provision();
  ASSERT_FALSE(without);
  EXPECT_THAT(without.error().message, HasSubstr("erase order"));
  ASSERT_TRUE(make_erase_order_file(*station_, "ND000001", "", made_.path("order.json"), 7));
  ASSERT_TRUE(provision());
  ASSERT_EQ(home_.seen_keys.size(), 2U);
  EXPECT_NE(home_.seen_keys[0], home_.seen_keys[1]);
  EXPECT_NE(home_.seen_certificates[0], home_.seen_certificates[1]);
  EXPECT_EQ(read_file(made_.path("acquirer/readers/ND000001.pem")).value_or(""), home_.certificate().pem());
  // The acquirer keeps the first: what the reader signed with that key may still be on its way.
  std::vector<std::string> former;
  for (const auto& file : std::filesystem::directory_iterator(made_.path("acquirer/readers/former/ND000001"))) {
    const auto pem = read_file(file.path());
    former.push_back(x509::parse_certificate_pem(pem.value_or("")).value().serial_number);
  }
  EXPECT_EQ(former, std::vector{home_.seen_certificates[0]});
}

TEST_F(Provisioning, another_factory_key_is_refused_before_anything_is_given) {
  const auto other = provision(std::string(64, 'a'));
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message, HasSubstr("factory key"));
  EXPECT_TRUE(home_.seen_keys.empty());
  EXPECT_EQ(unit().state, UnitState::Aside);
}

TEST_F(Provisioning, the_factory_key_of_the_first_contact_stays) {
  home_.fault = Fault::Refuses;
  ASSERT_FALSE(provision());
  MemoryHome impostor("ND000001");
  const ListeningReader reader(impostor, made_.authority(), made_.path("r2.sock"));
  Order other = order();
  other.connection = "unix:" + made_.path("r2.sock");
  const auto done = run_unit({*station_, recipe_, now}, other);
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("factory key"));
}

TEST_F(Provisioning, a_reader_that_proves_nothing_is_set_aside_and_gets_fresh_values_the_next_time) {
  const std::vector<std::pair<Fault, std::string>> faults{
      {Fault::OtherName, "proof: the certificate request is for another name"},
      {Fault::OtherCheckValue, "check_value: the reader's initial key"},
      {Fault::OtherFingerprintKey, "check_value: the reader's fing"},
      {Fault::OtherMac, "proof: the reader's MAC"},
      {Fault::OtherSignature, "proof: the reader's signature"},
      {Fault::OtherKeySerial, "proof: the reader's key serial"},
      {Fault::Refuses, "refused: "}};
  for (const auto& [fault, message] : faults) {
    home_.fault = fault;
    const auto done = provision();
    ASSERT_FALSE(done) << message;
    EXPECT_THAT(done.error().message, StartsWith(message));
    EXPECT_EQ(unit().state, UnitState::Aside);
    EXPECT_EQ(unit().reason, done.error().message);
    EXPECT_EQ(home_.facts().state, provisioning::ReaderState::Factory);
    EXPECT_FALSE(std::filesystem::exists(made_.path("acquirer/readers/ND000001.pem")));
  }
  home_.fault = Fault::None;
  ASSERT_TRUE(provision());
  const std::set<std::string> keys(home_.seen_keys.begin(), home_.seen_keys.end());
  EXPECT_EQ(keys.size(), home_.seen_keys.size());
  EXPECT_EQ(home_.seen_keys.size(), 6U) << "one refused before it took any";
  const auto list = station_->db().next_revocation_list(now());
  EXPECT_EQ(list->revoked.size(), 6U) << "every certificate that left and never came into force";
}

TEST_F(Provisioning, an_end_that_the_station_did_not_hear_of_is_settled_by_asking_again) {
  home_.fault = Fault::EndIsNotHeard;
  const auto done = provision();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_TRUE(done->settled);
  EXPECT_EQ(home_.seen_keys, std::vector{done->initial_key_id}) << "nothing was given a second time";
  EXPECT_EQ(home_.certificate().serial_number, done->certificate);
  EXPECT_EQ(unit().state, UnitState::Provisioned);
  EXPECT_TRUE(station_->db().next_revocation_list(now())->revoked.empty());
}

TEST_F(Provisioning, a_reader_that_ended_with_what_it_was_not_given_is_not_settled) {
  for (const Fault fault : {Fault::EndsWithAnotherKey, Fault::EndsWithAnotherCertificate}) {
    home_.fault = fault;
    const auto done = provision();
    ASSERT_FALSE(done);
    EXPECT_THAT(done.error().message, HasSubstr("did not give it"));
    EXPECT_EQ(unit().state, UnitState::Aside);
    home_.go_back_to_factory();
  }
}

TEST_F(Provisioning, a_reader_of_another_name_is_given_nothing) {
  MemoryHome other("ND000002");
  const ListeningReader reader(other, made_.authority(), made_.path("r.sock"));
  const auto done = run_unit({*station_, recipe_, now}, order());
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("another serial number"));
  EXPECT_TRUE(other.seen_keys.empty());
}

TEST_F(Provisioning, nobody_there_is_the_lines_fault) {
  const auto done = run_unit({*station_, recipe_, now}, order());
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, StartsWith("line: "));
  EXPECT_EQ(done.error().exit, Exit::Unavailable);
  EXPECT_EQ(unit().state, UnitState::Aside);
}

TEST_F(Provisioning, a_reader_is_asked_whether_it_is_what_the_database_says) {
  ASSERT_TRUE(provision());
  const ListeningReader reader(home_, made_.authority(), made_.path("r.sock"));
  const auto same = verify_unit(*station_, "ND000001", "", {});
  ASSERT_TRUE(same) << same.error().message;
  home_.take_initial_key("00112233445566aa");
  const auto different = verify_unit(*station_, "ND000001", "", {});
  ASSERT_FALSE(different);
  EXPECT_THAT(different.error().message, HasSubstr("initial_key_id"));
  home_.go_back_to_factory();
  const auto erased = verify_unit(*station_, "", "unix:" + made_.path("r.sock"), {});
  ASSERT_FALSE(erased);
  EXPECT_THAT(erased.error().message, HasSubstr("factory state"));
  EXPECT_FALSE(verify_unit(*station_, "ND000002", "unix:" + made_.path("r.sock"), {}));
}

TEST_F(Provisioning, a_new_initial_key_comes_under_the_update_key_of_the_old_one) {
  ASSERT_TRUE(provision());
  const std::string file = made_.path("rekey.tr31");
  const auto made = make_rekey_file(*station_, "ND000001", "", "", file);
  ASSERT_TRUE(made) << made.error().message;
  const auto old_id = parse_initial_key_id(unit().initial_key_id).value();
  const auto device = dukpt::DukptDevice::load(home_.initial_key(), old_id);
  ASSERT_TRUE(device);
  const auto update_key = device->update_key(dukpt::aes_kind(home_.initial_key().size()).value());
  ASSERT_TRUE(update_key);
  std::string text = read_file(file).value();
  text.pop_back();
  const auto block = tr31::unwrap(update_key->view(), text, {"B1"});
  ASSERT_TRUE(block) << block.error().text;
  const std::string fresh = initial_key_id_text(block->known.initial_key_id.value());
  EXPECT_NE(fresh, unit().initial_key_id);
  EXPECT_TRUE(
      std::ranges::equal(block->key.view(), station_->hsm().derive_initial_key(*block->known.initial_key_id)->view()));

  const auto second = make_rekey_file(*station_, "ND000001", "", "", file);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("--present"));
  home_.take_initial_key(hex_lower(block->known.initial_key_id.value()));
  const ListeningReader reader(home_, made_.authority(), made_.path("r.sock"));
  const auto seen = verify_unit(*station_, "ND000001", "", {});
  ASSERT_TRUE(seen) << seen.error().message;
  EXPECT_EQ(unit().initial_key_id, fresh);
  EXPECT_TRUE(make_rekey_file(*station_, "ND000001", "", "", file));
}

TEST_F(Provisioning, revoking_writes_a_list_that_the_authority_signed) {
  ASSERT_TRUE(provision());
  const auto made = revoke_unit(*station_, "ND000001", "stolen", made_.path("acquirer"));
  ASSERT_TRUE(made) << made.error().message;
  for (const std::string& file : {made_.path("revoked.pem"), made_.path("acquirer/revoked.pem")}) {
    const auto list = x509::read_revocation_list(read_file(file).value(), made_.authority());
    ASSERT_TRUE(list) << file;
    EXPECT_EQ(list->number, 1);
    EXPECT_TRUE(list->holds(unit().certificate));
  }
  ASSERT_TRUE(revoke_unit(*station_, "", "", ""));
  EXPECT_EQ(x509::read_revocation_list(read_file(made_.path("revoked.pem")).value(), made_.authority())->number, 2);
  EXPECT_FALSE(revoke_unit(*station_, "ND000001", "", ""));
  EXPECT_FALSE(revoke_unit(*station_, "ND000009", "stolen", ""));
}

TEST_F(Provisioning, the_database_of_an_older_copy_gives_no_number_again) {
  ASSERT_TRUE(provision());
  station_.reset();
  const std::string old_copy = made_.path("copy.db");
  std::filesystem::copy_file(made_.path("station.db"), old_copy);
  station_ = std::move(Station::open(made_.folder()).value());
  ASSERT_TRUE(make_erase_order_file(*station_, "ND000001", "", made_.path("order.json"), 7));
  home_.go_back_to_factory();
  ASSERT_TRUE(provision());
  station_.reset();
  std::filesystem::copy_file(old_copy, made_.path("station.db"), std::filesystem::copy_options::overwrite_existing);
  for (const char* rest : {"station.db-wal", "station.db-shm"}) std::filesystem::remove(made_.path(rest));
  station_ = std::move(Station::open(made_.folder()).value());
  ASSERT_TRUE(make_erase_order_file(*station_, "ND000001", "", made_.path("order.json"), 7));
  home_.go_back_to_factory();
  ASSERT_TRUE(provision());
  ASSERT_EQ(home_.seen_keys.size(), 3U);
  EXPECT_LT(home_.seen_keys[1], home_.seen_keys[2]) << "the HSM's mark is above what the newer database gave out";
}

TEST_F(Provisioning, a_station_without_its_sealed_key_makes_no_other) {
  station_.reset();
  std::filesystem::remove(made_.path("station.key"));
  const auto opened = Station::open(made_.folder());
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr("station.key"));
}

TEST_F(Provisioning, a_policy_signed_by_somebody_else_is_not_taken) {
  ASSERT_TRUE(write_file(made_.path("policy.json.sig"), to_base64(std::vector<std::uint8_t>(70, 1))));
  const auto recipe = make_recipe(
      *station_, {.policy_file = made_.path("policy.json"), .config_template = made_.path("template.json")});
  ASSERT_FALSE(recipe);
  EXPECT_EQ(recipe.error().exit, Exit::Data);
}

TEST_F(Provisioning, a_template_that_is_no_configuration_is_found_before_any_reader_is_touched) {
  ASSERT_TRUE(write_file(made_.path("bad.json"), R"({"hal": "sim", "vault": 1})"));
  const auto recipe =
      make_recipe(*station_, {.policy_file = made_.path("policy.json"), .config_template = made_.path("bad.json")});
  ASSERT_FALSE(recipe);
  EXPECT_THAT(recipe.error().message, HasSubstr("bad.json"));
}

}  // namespace
}  // namespace nightdrop::keys
