// Revocation lists, there and back.
#include "unit/x509/support.hpp"

namespace nightdrop::x509 {
namespace {

TEST(RevocationListTest, IsReadBackWhole) {
  const Authority ca;
  const std::vector<Revoked> revoked{{"ff", now - day}, {"102030405060708090a0b0c0d0e0f", now}, {"1", now}};
  const auto pem = make_revocation_list(ca.key.signer(), ca.certificate, 7, now, now + 30 * day, revoked);
  ASSERT_TRUE(pem) << pem.error().text;
  const auto list = read_revocation_list(*pem, ca.certificate);
  ASSERT_TRUE(list) << list.error().text;
  EXPECT_EQ(list->number, 7);
  EXPECT_EQ(list->this_update, now);
  EXPECT_EQ(list->next_update, now + 30 * day);
  EXPECT_EQ(list->revoked.size(), 3U);
  for (const Revoked& each : revoked) EXPECT_TRUE(list->holds(each.serial_number)) << each.serial_number;
  EXPECT_FALSE(list->holds("2"));
  EXPECT_FALSE(list->holds(""));
}

TEST(RevocationListTest, MayBeEmpty) {
  const Authority ca;
  const auto pem = make_revocation_list(ca.key.signer(), ca.certificate, 0, now, now + day, {});
  ASSERT_TRUE(pem);
  const auto list = read_revocation_list(*pem, ca.certificate);
  ASSERT_TRUE(list) << list.error().text;
  EXPECT_TRUE(list->revoked.empty());
}

TEST(RevocationListTest, OfAnotherAuthorityIsRefused) {
  const Authority ca;
  const Authority other;  // of the same name
  const auto pem = make_revocation_list(other.key.signer(), other.certificate, 1, now, now + day, {{"1f", now}});
  ASSERT_TRUE(pem);
  const auto list = read_revocation_list(*pem, ca.certificate);
  ASSERT_FALSE(list);
  EXPECT_EQ(list.error().code, Errc::WrongKey);
}

TEST(RevocationListTest, OfALeafIsRefused) {
  const Authority ca;
  const MemoryKey key = new_key();
  const auto leaf = ca.issue_for(key, options("ND000001", Purpose::Client));
  ASSERT_TRUE(leaf);
  EXPECT_FALSE(make_revocation_list(key.signer(), *leaf, 1, now, now + day, {}));
}

TEST(RevocationListTest, ThatWasChangedOrIsNoneIsRefused) {
  const Authority ca;
  const auto pem = make_revocation_list(ca.key.signer(), ca.certificate, 1, now, now + day, {{"1f", now}});
  ASSERT_TRUE(pem);
  const std::size_t middle = pem->size() / 2;
  std::string changed = *pem;
  changed[middle] = changed[middle] == 'A' ? 'B' : 'A';
  EXPECT_FALSE(read_revocation_list(changed, ca.certificate));
  const auto nothing = read_revocation_list("no list", ca.certificate);
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().code, Errc::Malformed);
}

TEST(RevocationListTest, RefusesArgumentsThatMakeNoSense) {
  const Authority ca;
  EXPECT_FALSE(make_revocation_list(ca.key.signer(), ca.certificate, 1, now, now, {}));
  EXPECT_FALSE(make_revocation_list(ca.key.signer(), ca.certificate, -1, now, now + day, {}));
  EXPECT_FALSE(make_revocation_list(ca.key.signer(), ca.certificate, 1, now, now + day, {{"zz", now}}));
}

}  // namespace
}  // namespace nightdrop::x509
