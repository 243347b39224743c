// Which policy is in force: at the start, when one is handed in, when the files are read again, and after a cut between
// any two steps. docs/policy.md, Replacing it.
#include "config/policy_source.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "crypto/p256.hpp"
#include "nightdrop/encoding.hpp"
#include "nightdrop/time_text.hpp"

namespace nightdrop {
namespace {

namespace fs = std::filesystem;
using Kind = PolicyError::Kind;

Result<void> verify(std::string_view pem, std::span<const std::uint8_t> message,
                    std::span<const std::uint8_t> signature) {
  const auto key = p256_from_spki_pem(pem);
  if (!key) return std::unexpected(key.error());
  return p256_verify(*key, message, signature);
}

std::string document(int version, const std::string& more = "", const std::string& merchant = "m_1") {
  return R"({"version":)" + std::to_string(version) +
         R"(,"valid_from":"2026-01-01T00:00:00Z","valid_until":"2027-01-01T00:00:00Z","merchant_id":")" + merchant +
         "\"" + more + "}";
}

class PolicySourceTest : public testing::Test {
 protected:
  PolicySourceTest() {
    std::string name = "/tmp/nd-policy-XXXXXX";
    folder_ = mkdtemp(name.data());
    spill("signer.pem", p256_to_spki_pem(*p256_public_key(key_.view())));
  }
  ~PolicySourceTest() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  void spill(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary | std::ios::trunc) << text;
  }
  std::string sign(const std::string& text) const { return to_base64(*p256_sign(key_.view(), bytes_of(text))); }
  void configure(const std::string& text) const {
    spill("policy.json", text);
    spill("policy.json.sig", sign(text) + "\n");
  }
  PolicySource source(const std::string& overlay = "") const {
    return PolicySource(
        {path("policy.json"), path("signer.pem"), overlay.empty() ? "" : path(overlay), path("policy.accepted.json")},
        verify);
  }
  // As a daemon starts: chosen, then kept. The store has seen `highest`.
  PolicySource started(std::int64_t highest = 0) const {
    PolicySource made = source();
    const auto opened = made.open(highest, now_);
    EXPECT_TRUE(opened) << opened.error().message;
    EXPECT_TRUE(made.keep());
    return made;
  }
  static Kind kind(const std::expected<void, PolicyError>& taken) {
    EXPECT_FALSE(taken);
    return taken ? Kind{255} : taken.error().kind;
  }
  std::expected<void, PolicyError> take(PolicySource& source, const std::string& text) const {
    return source.take(text, sign(text), now_);
  }

  std::string folder_;
  Secret<32> key_ = *p256_generate();
  PolicySource::Time now_{*parse_rfc3339("2026-11-21T12:00:00Z"), true};
};

TEST_F(PolicySourceTest, takes_the_configured_one_and_keeps_a_copy_of_its_own) {
  configure(document(1));
  PolicySource first = source();
  ASSERT_TRUE(first.open(0, now_));
  EXPECT_FALSE(fs::exists(path("policy.accepted.json"))) << "to choose changes nothing";
  ASSERT_TRUE(first.keep());
  struct stat status{};
  ASSERT_EQ(stat(path("policy.accepted.json").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U) << "it holds PIN hashes";
  fs::remove(path("policy.json"));
  EXPECT_EQ(started().policy().version, 1) << "the copy alone is enough";
}

TEST_F(PolicySourceTest, does_not_open_without_a_good_one) {
  PolicySource none = source();
  EXPECT_EQ(none.open(0, now_).error().kind, Kind::Unreadable);
  configure(document(1));
  fs::remove(path("policy.json.sig"));
  EXPECT_EQ(source().open(0, now_).error().kind, Kind::Unsigned);
  configure(document(1));
  EXPECT_EQ(source().open(2, now_).error().kind, Kind::Older);
  spill("policy.accepted.json", "{");
  EXPECT_TRUE(source().open(1, now_)) << "a damaged copy does no harm while the configured one is good";
}

TEST_F(PolicySourceTest, a_newer_one_is_in_force_and_survives_a_restart) {
  configure(document(1));
  PolicySource running = started();
  ASSERT_TRUE(take(running, document(2, R"(,"device_count":5)")));
  EXPECT_EQ(running.policy().device_count, 5);
  PolicySource again = source();
  const auto opened = again.open(1, now_);  // the commit that follows the copy was cut
  ASSERT_TRUE(opened);
  EXPECT_EQ(*opened, "") << "the configured one was replaced, nobody has touched it";
  EXPECT_EQ(again.policy().version, 2);
  EXPECT_FALSE(again.standing().refused);
}

TEST_F(PolicySourceTest, refuses_what_is_no_step_forward_and_keeps_what_is_in_force) {
  configure(document(3));
  PolicySource running = started();
  const std::string before = policy_json(running.policy()).dump();
  EXPECT_EQ(kind(take(running, document(2))), Kind::Older);
  EXPECT_EQ(kind(take(running, document(3, R"(,"device_count":5)"))), Kind::Conflict);
  EXPECT_EQ(kind(take(running, document(4, "", "m_2"))), Kind::OtherMerchant);
  EXPECT_EQ(kind(take(running, document(4, R"(,"device_count":-5)"))), Kind::Invalid);
  EXPECT_EQ(kind(running.take(document(4), sign(document(5)), now_)), Kind::WrongSignature);
  EXPECT_EQ(kind(running.take(document(4), "", now_)), Kind::Unsigned);
  std::string late = document(4);
  late.replace(late.find("2027-01-01"), 10, "2026-11-01");
  EXPECT_EQ(kind(take(running, late)), Kind::Expired);
  EXPECT_EQ(policy_json(running.policy()).dump(), before);
  EXPECT_EQ(started(3).policy().version, 3);
  EXPECT_TRUE(take(running, document(3))) << "the one that is in force may come again";
}

TEST_F(PolicySourceTest, what_was_refused_is_told_until_a_good_one_comes) {
  configure(document(1));
  PolicySource running = started();
  running.remember_refusal({now_.now, PolicyOrigin::Update, "the policy has no signature"});
  PolicySource again = started();
  ASSERT_TRUE(again.standing().refused) << "also over a restart with the same good file";
  EXPECT_EQ(again.standing().refused->reason, "the policy has no signature");
  EXPECT_EQ(again.standing().refused->at, now_.now);
  ASSERT_TRUE(take(again, document(2)));
  EXPECT_FALSE(again.standing().refused);
  EXPECT_FALSE(started().standing().refused);
}

TEST_F(PolicySourceTest, a_bad_configured_file_leaves_the_copy_in_force_and_a_good_one_ends_it) {
  configure(document(2));
  (void)started();
  configure(document(1));
  PolicySource older = source();
  const auto opened = older.open(2, now_);
  ASSERT_TRUE(opened);
  EXPECT_TRUE(opened->starts_with("version: ")) << *opened;
  ASSERT_TRUE(older.keep());
  EXPECT_EQ(older.policy().version, 2);
  EXPECT_EQ(older.standing().refused->origin, PolicyOrigin::Configured);
  configure(document(2));
  EXPECT_FALSE(started(2).standing().refused);
}

TEST_F(PolicySourceTest, an_older_copy_put_back_is_not_believed) {
  configure(document(1));
  (void)started();
  const auto old_copy = *read_whole_file(path("policy.accepted.json"));
  configure(document(2));
  (void)started(1);
  spill("policy.accepted.json", old_copy);
  EXPECT_EQ(started(2).policy().version, 2);
  spill("policy.accepted.json", old_copy);
  fs::remove(path("policy.json"));
  EXPECT_FALSE(source().open(2, now_));
}

TEST_F(PolicySourceTest, a_reader_made_anew_does_not_go_on_with_the_old_ones_copy) {
  configure(document(5));
  PolicySource before = source();
  ASSERT_TRUE(before.open(0, now_, "reader-1"));
  ASSERT_TRUE(before.keep());
  configure(document(1, "", "m_2"));
  PolicySource same = source();
  EXPECT_TRUE(same.open(0, now_, "reader-1")->starts_with("version: "));
  PolicySource anew = source();
  EXPECT_EQ(anew.open(0, now_, "reader-2"), "");
  EXPECT_EQ(anew.policy().merchant_id, "m_2");
}

TEST_F(PolicySourceTest, a_forged_copy_is_not_believed) {
  configure(document(1));
  (void)started();
  AcceptedPolicy copy = *read_accepted_policy(path("policy.accepted.json"));
  copy.document = document(1, R"(,"device_count":5000)");
  ASSERT_TRUE(write_accepted_policy(path("policy.accepted.json"), copy));
  EXPECT_EQ(started(1).policy().device_count, 100);
}

// Any prefix of the steps of a replacement: the new file being written, whole, and in place.
TEST_F(PolicySourceTest, a_cut_at_any_byte_of_the_copy_leaves_the_old_one_whole) {
  configure(document(1));
  PolicySource running = started();
  const std::string old_copy = *read_whole_file(path("policy.accepted.json"));
  ASSERT_TRUE(take(running, document(2)));
  const std::string new_copy = *read_whole_file(path("policy.accepted.json"));
  for (std::size_t written = 0; written <= new_copy.size(); written += 17) {
    spill("policy.accepted.json", old_copy);
    spill("policy.accepted.json.new", new_copy.substr(0, written));
    PolicySource after = started(1);
    EXPECT_EQ(after.policy().version, 1) << written;
    ASSERT_TRUE(take(after, document(2))) << "what the cut left is no hindrance";
    EXPECT_EQ(started(1).policy().version, 2);
  }
}

TEST_F(PolicySourceTest, is_not_taken_where_it_cannot_be_kept) {
  configure(document(1));
  PolicySource running = started();
  fs::create_directories(path("policy.accepted.json.new/in_the_way"));
  EXPECT_EQ(kind(take(running, document(2))), Kind::NotKept);
  EXPECT_EQ(running.policy().version, 1);
}

TEST_F(PolicySourceTest, reads_its_files_again) {
  configure(document(1));
  spill("overlay.json", R"({"device_count":7})");
  PolicySource running = source("overlay.json");
  ASSERT_TRUE(running.open(0, now_));
  ASSERT_TRUE(running.keep());
  EXPECT_EQ(running.policy().device_count, 7);
  EXPECT_EQ(running.signed_policy().device_count, 100);
  EXPECT_EQ(running.standing().overlay, OverlayState::InForce);

  spill("overlay.json", R"({"device_count":101,"per_card_count":1})");
  ASSERT_TRUE(running.reload(now_));
  EXPECT_EQ(running.policy().device_count, 100) << "as signed";
  EXPECT_EQ(running.policy().per_card_count, 1) << "the rest is in force";
  EXPECT_EQ(running.standing().overlay, OverlayState::InPart);
  EXPECT_TRUE(running.standing().overlay_reason.starts_with("device_count: ")) << running.standing().overlay_reason;

  spill("overlay.json", R"({"device_count":3})");
  spill("policy.json", "{}");
  EXPECT_EQ(kind(running.reload(now_)), Kind::WrongSignature);
  EXPECT_EQ(running.policy().device_count, 3) << "the overlay is read all the same";
  configure(document(2, R"(,"device_count":2)"));
  ASSERT_TRUE(running.reload(now_));
  EXPECT_EQ(running.policy().device_count, 2);
  EXPECT_EQ(running.standing().overlay, OverlayState::InPart) << "3 is more than the new policy's 2";
  spill("overlay.json", R"({"device_count":1,"devce_count":1})");
  ASSERT_TRUE(running.reload(now_));
  EXPECT_EQ(running.policy().device_count, 2) << "the signed policy alone";
  EXPECT_EQ(running.standing().overlay, OverlayState::Refused) << "an unknown key";
  fs::remove(path("overlay.json"));
  ASSERT_TRUE(running.reload(now_));
  EXPECT_EQ(running.standing().overlay, OverlayState::Refused) << "the configuration names one";
}

}  // namespace
}  // namespace nightdrop
