// The renewal authority that the station's CA, in SoftHSM, makes for an acquirer.
#include <gtest/gtest.h>

#include "keys/line/renewal_authority.hpp"
#include "unit/station/world.hpp"
#include "x509/certificate_file.hpp"
#include "x509/memory_key.hpp"

namespace nightdrop::keys {
namespace {

constexpr UtcMs day = 86'400'000;

class RenewalAuthority : public testing::Test {
 protected:
  RenewalAuthority() : station_(Station::open(made_.folder()).value()) {}
  std::string in_folder(const std::string& name) const { return made_.path("acquirer/" + name); }

  MadeStation made_;
  std::unique_ptr<Station> station_;
};

TEST_F(RenewalAuthority, certifies_readers_and_nobody_else) {
  const auto made = make_renewal_authority(*station_, made_.path("acquirer"));
  ASSERT_TRUE(made) << made.error().message;
  const auto key = x509::MemoryKey::from_file(in_folder("renewal.key"));
  const auto chain = x509::read_chain_file(in_folder("renewal.pem"));
  const auto above = x509::read_chain_file(in_folder("manufacturing_ca.pem"));
  ASSERT_TRUE(key && chain && above);
  EXPECT_EQ(chain->front().public_key, key->public_key());
  EXPECT_EQ(above->front().der, made_.authority().der);
  EXPECT_TRUE(x509::verify_chain(*chain, made_.authority(), now(), x509::Purpose::ClientAuthority));
  const auto reader = x509::MemoryKey::generate();
  for (const auto purpose :
       {x509::Purpose::Client, x509::Purpose::Server, x509::Purpose::Station, x509::Purpose::Orders}) {
    const auto leaf = x509::issue(key->signer(), chain->front(), reader->public_key(),
                                  {.common_name = "ND000001",
                                   .serial_number = "5",
                                   .not_before = now() - day,
                                   .not_after = now() + day,
                                   .purpose = purpose,
                                   .hosts = {}});
    ASSERT_TRUE(leaf);
    EXPECT_EQ(x509::verify_chain({*leaf, chain->front()}, made_.authority(), now(), purpose).has_value(),
              purpose == x509::Purpose::Client);
  }
  const auto mode = std::filesystem::status(in_folder("renewal.key")).permissions();
  EXPECT_EQ(mode, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(RenewalAuthority, ends_no_later_than_the_authority_above) {
  ASSERT_TRUE(make_renewal_authority(*station_, made_.path("acquirer"), 100'000));
  EXPECT_EQ(x509::read_chain_file(in_folder("renewal.pem"))->front().not_after, made_.authority().not_after);
}

TEST_F(RenewalAuthority, takes_no_other_ones_place) {
  ASSERT_TRUE(make_renewal_authority(*station_, made_.path("acquirer")));
  const auto before = x509::read_text_file(in_folder("renewal.pem"));
  const auto again = make_renewal_authority(*station_, made_.path("acquirer"));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().exit, Exit::CannotCreate);
  EXPECT_EQ(x509::read_text_file(in_folder("renewal.pem")).value(), before.value());
}

}  // namespace
}  // namespace nightdrop::keys
