// `ceremony export` and `transcript` from outside: a block that the acquirer's HSM opens, and a record that shows where
// it was changed.
#include "e2e/ceremony/station.hpp"

namespace nightdrop {
namespace {

using test::Bytes;
using test::check_value;
using test::Ended;
using test::exclusive_or;
using test::MadeStation;
using test::slurp;
using test::spill;
using testing::HasSubstr;

const std::vector<Bytes> kbpk_parts{Bytes(32, 0x31), Bytes(32, 0xC7)};
const Bytes kbpk = exclusive_or(kbpk_parts[0], kbpk_parts[1]);
const std::vector<Bytes> bdk_parts{Bytes(16, 0x11), Bytes(16, 0x5A), Bytes(16, 0x9E)};
const Bytes bdk = exclusive_or(exclusive_or(bdk_parts[0], bdk_parts[1]), bdk_parts[2]);
const std::string bdk_name = "bdk/" + check_value(bdk).substr(0, 8);

class Export : public testing::Test {
 protected:
  MadeStation station;
  std::string out = station.path("bdk.tr31");

  void SetUp() override {
    ASSERT_EQ(station.import("kbpk/acquirer", kbpk_parts).exit_code, 0);
    ASSERT_EQ(station.import("bdk", bdk_parts).exit_code, 0);
  }
  Ended give(const std::string& key, std::vector<std::string> more = {}) const {
    std::vector<std::string> options{"--key", key, "--kbpk", "acquirer", "--out", out};
    options.insert(options.end(), more.begin(), more.end());
    return station.ceremony("export", options);
  }
  Result<tr31::KeyBlock> opened(std::string_view usage) const {
    std::string text = slurp(out);
    EXPECT_TRUE(text.ends_with('\n'));
    text.pop_back();
    return tr31::unwrap(kbpk, text, {usage});
  }
};

TEST_F(Export, GivesABlockThatOpensToTheKeyOfTheComponents) {
  const Ended ended = give(bdk_name);
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  const auto block = opened("B0");
  ASSERT_TRUE(block) << block.error().text;
  EXPECT_EQ(hex_upper(block->key.view()), hex_upper(bdk));
  EXPECT_EQ(block->header.version, 'D');
  EXPECT_EQ(block->header.exportability, 'N');
  EXPECT_EQ(block->known.label, bdk_name);
  EXPECT_EQ(hex_upper(block->known.key_check_value->bytes), check_value(bdk));
  EXPECT_EQ(hex_upper(block->known.protection_key_check_value->bytes), check_value(kbpk));
  EXPECT_TRUE(block->known.time_stamp);
  EXPECT_THAT(station.ceremony("transcript").out, HasSubstr("key block made, for an acquirer's HSM"));
}

TEST_F(Export, GivesAMerchantsFingerprintKey) {
  ASSERT_EQ(give("fingerprint/m_0001").exit_code, 0);
  const auto block = opened("M7");
  ASSERT_TRUE(block) << block.error().text;
  EXPECT_EQ("\"" + check_value({block->key.view().begin(), block->key.view().end()}) + "\"",
            station.shown("fingerprint/m_0001", "check_value"));
}

TEST_F(Export, IsTheLastWhenItIsFinal) {
  ASSERT_EQ(give(bdk_name, {"--final"}).exit_code, 0);
  EXPECT_EQ(station.shown(bdk_name, "extractable"), "false");
  std::filesystem::remove(out);
  const Ended again = give(bdk_name);
  EXPECT_EQ(again.exit_code, 65);
  EXPECT_THAT(again.err, HasSubstr("does not leave the HSM"));
  EXPECT_FALSE(std::filesystem::exists(out));
  EXPECT_THAT(station.ceremony("transcript").out, HasSubstr("extraction forbidden for ever"));
}

TEST_F(Export, LetsNothingElseOut) {
  for (const char* key : {"transport", "ca", "policy", "orders", "kbpk/acquirer"}) {
    EXPECT_EQ(give(key).exit_code, 64) << key;
  }
  EXPECT_EQ(give("bdk/00000000").exit_code, 65);
  EXPECT_EQ(station.ceremony("export", {"--key", bdk_name, "--kbpk", "nobody", "--out", out}).exit_code, 65);
  EXPECT_FALSE(std::filesystem::exists(out));
  spill(out, "something");
  EXPECT_EQ(give(bdk_name).exit_code, 73);
  EXPECT_EQ(slurp(out), "something");
}

TEST_F(Export, GivesNoKeyUnderAWeakerOne) {
  const std::vector<Bytes> weak{Bytes(16, 1), Bytes(16, 2)};
  ASSERT_EQ(station.import("kbpk/weak", weak).exit_code, 0);
  const Ended ended = station.ceremony("export", {"--key", "fingerprint/m_0001", "--kbpk", "weak", "--out", out});
  EXPECT_EQ(ended.exit_code, 65);
  EXPECT_THAT(ended.err, HasSubstr("shorter than this key"));
}

TEST_F(Export, LeavesNoKeyInClearInTheStationsFolder) {
  ASSERT_EQ(give(bdk_name).exit_code, 0);
  std::vector<Bytes> secrets{bdk, kbpk};
  secrets.insert(secrets.end(), bdk_parts.begin(), bdk_parts.end());
  secrets.insert(secrets.end(), kbpk_parts.begin(), kbpk_parts.end());
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(station.station())) {
    if (!entry.is_regular_file()) continue;
    ++files;
    const std::string text = slurp(entry.path());
    for (const Bytes& key : secrets) {
      EXPECT_EQ(text.find(std::string(key.begin(), key.end())), std::string::npos) << entry.path();
      EXPECT_EQ(text.find(hex_lower(key)), std::string::npos) << entry.path();
      EXPECT_EQ(text.find(hex_upper(key)), std::string::npos) << entry.path();
    }
    struct stat about{};
    ASSERT_EQ(::stat(entry.path().c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 077, 0U) << entry.path();
  }
  EXPECT_GT(files, 10);
}

TEST_F(Export, VerifiesTheTranscriptAndSaysWhereItWasChanged) {
  const std::string file = station.file("transcript.txt");
  const std::string whole = slurp(file);
  const auto verify = [&] { return station.ceremony("transcript", {"--verify"}); };
  const Ended good = verify();
  EXPECT_EQ(good.exit_code, 0);
  EXPECT_THAT(good.out, HasSubstr("none changed; signed by station-1 orders"));

  std::string changed = whole;
  changed.replace(changed.find("key               transport"), 27, "key               transpXrt");
  spill(file, changed);
  EXPECT_EQ(verify().exit_code, 65);
  EXPECT_THAT(verify().err, HasSubstr("entry 3 was changed"));

  changed = whole;
  const std::size_t fifth = changed.find("--- 5 ---");
  changed.erase(fifth, changed.find("--- 6 ---") - fifth);
  spill(file, changed);
  EXPECT_THAT(verify().err, HasSubstr("where number 5 should be"));

  changed = whole.substr(0, whole.rfind("--- "));
  spill(file, changed);
  EXPECT_EQ(verify().exit_code, 65);
  EXPECT_THAT(verify().err, HasSubstr("cut off"));
  EXPECT_EQ(station.ceremony("add-merchant", {"m_0005"}).exit_code, 65) << "and nobody goes on with it";

  changed = whole;
  changed.replace(changed.rfind("custodian 3"), 23, "custodian 3       dora");
  spill(file, changed);
  EXPECT_THAT(verify().err, HasSubstr("its last entry was changed"));

  spill(file, whole);
  EXPECT_EQ(verify().exit_code, 0);
}

TEST_F(Export, GoesOnWithTheNewestTranscriptAlone) {
  const std::string file = station.file("transcript.txt");
  const std::string text = slurp(file);
  const std::string signature = slurp(file + ".sig");
  ASSERT_EQ(station.ceremony("add-merchant", {"m_0002"}).exit_code, 0);
  ASSERT_EQ(station.ceremony("add-merchant", {"m_0003"}).exit_code, 0);
  const std::string newest = slurp(file);
  const std::string newest_signature = slurp(file + ".sig");
  spill(file, text);
  spill(file + ".sig", signature);
  EXPECT_EQ(station.ceremony("transcript", {"--verify"}).exit_code, 0) << "it is whole, and old";
  const Ended old = station.ceremony("add-merchant", {"m_0004"});
  EXPECT_EQ(old.exit_code, 65);
  EXPECT_THAT(old.err, HasSubstr("not the newest that the HSM knows"));
  spill(file, newest);
  spill(file + ".sig", newest_signature);
  EXPECT_EQ(station.ceremony("add-merchant", {"m_0004"}).exit_code, 0);
}

}  // namespace
}  // namespace nightdrop
