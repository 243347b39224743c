// Every block of tr31.json is read and, where all of its inputs are known, written again to the same characters; every
// negative one is refused, and differs from one that is accepted in what it is refused for.
#include <algorithm>

#include "crypto/tr31.hpp"
#include "vectors/vectors/crypto_vectors.hpp"

namespace nightdrop::vectors {
namespace {

char letter(JsonView value) {
  return text_of(value).at(0);
}

TEST(Tr31Vectors, ReadsEachAndWritesItAgain) {
  const Json json = load("tr31.json");
  std::size_t rewritten = 0;
  for (const JsonView vector : json["vectors"].items()) {
    SCOPED_TRACE(text_of(vector["id"]));
    const auto kbpk = bytes_of_hex(vector["kbpk"]);
    const std::string text = text_of(vector["key_block"]);
    const auto block = tr31::unwrap(kbpk, text);
    ASSERT_TRUE(block) << block.error().text;
    EXPECT_EQ(hex_upper(block->key.view()), text_of(vector["key"]));

    const JsonView header = vector["header"];
    EXPECT_EQ(block->header.version, letter(header["version"]));
    EXPECT_EQ(block->header.usage, text_of(header["key_usage"]));
    EXPECT_EQ(block->header.algorithm, letter(header["algorithm"]));
    EXPECT_EQ(block->header.mode_of_use, letter(header["mode_of_use"]));
    EXPECT_EQ(block->header.key_version, text_of(header["key_version"]));
    EXPECT_EQ(block->header.exportability, letter(header["exportability"]));
    EXPECT_EQ(block->header.reserved, text_of(header["key_context_or_reserved"]));
    const auto parsed = tr31::parse_header(text);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->declared_length, static_cast<std::size_t>(header["length"].integer().value()));
    EXPECT_EQ(parsed->size, static_cast<std::size_t>(vector["header_length"].integer().value()));
    const auto expected = vector["optional_blocks"].items();
    ASSERT_EQ(block->header.blocks.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(block->header.blocks[i].id, text_of(expected[i]["id"]));
      EXPECT_EQ(block->header.blocks[i].data, text_of(expected[i]["data"]));
    }

    const auto keys = tr31::derive_block_keys(block->header.version, kbpk);
    ASSERT_TRUE(keys);
    EXPECT_EQ(hex_upper(keys->encryption.view()), text_of(vector["kbek"]));
    EXPECT_EQ(hex_upper(keys->mac.view()), text_of(vector["kbak"]));

    const auto padding = bytes_of_hex(vector["wrap_padding"]);
    const auto again = tr31::wrap(kbpk, block->header, block->key.view(), std::span<const std::uint8_t>(padding));
    ASSERT_TRUE(again) << again.error().text;
    EXPECT_EQ(*again, text);
    ++rewritten;
  }
  EXPECT_EQ(rewritten, 27u);
}

TEST(Tr31Vectors, EachChangedCharacterIsRefused) {
  const Json json = load("tr31.json");
  for (const JsonView vector : json["vectors"].items()) {
    SCOPED_TRACE(text_of(vector["id"]));
    const auto kbpk = bytes_of_hex(vector["kbpk"]);
    const std::string text = text_of(vector["key_block"]);
    if (text.size() > 400) continue;  // the long one has the same code paths
    for (std::size_t i = 0; i < text.size(); ++i) {
      std::string changed = text;
      changed[i] = changed[i] == '7' ? '8' : '7';
      EXPECT_FALSE(tr31::unwrap(kbpk, changed)) << i;
    }
    auto other = kbpk;
    other[0] ^= 0x10;
    EXPECT_EQ(tr31::unwrap(other, text).error().code, Errc::WrongKey);
  }
}

TEST(Tr31Vectors, DerivedKeys) {
  const Json json = load("tr31.json");
  for (const JsonView entry : json["derived_keys"].items()) {
    const auto keys = tr31::derive_block_keys(letter(entry["version"]), bytes_of_hex(entry["kbpk"]));
    ASSERT_TRUE(keys);
    EXPECT_EQ(hex_upper(keys->encryption.view()), text_of(entry["kbek"]));
    EXPECT_EQ(hex_upper(keys->mac.view()), text_of(entry["kbak"]));
  }
  EXPECT_EQ(json["derived_keys"].size(), 5u);
}

TEST(Tr31Vectors, CheckValues) {
  const Json json = load("tr31.json");
  std::size_t checked = 0;
  for (const JsonView vector : json["vectors"].items()) {
    SCOPED_TRACE(text_of(vector["id"]));
    const auto kbpk = bytes_of_hex(vector["kbpk"]);
    const auto key = bytes_of_hex(vector["key"]);
    if (vector["kcv"].exists()) {
      ++checked;
      const std::string kcv = text_of(vector["kcv"]);
      const bool by_cmac = text_of(vector["kcv_method"]).starts_with("AES-CMAC");
      const auto value =
          by_cmac ? tr31::check_value_cmac(key) : tr31::check_value_legacy(letter(vector["header"]["algorithm"]), key);
      EXPECT_EQ(hex_of(value).substr(0, kcv.size()), kcv);
    }
    const auto block = tr31::unwrap(kbpk, text_of(vector["key_block"]));
    ASSERT_TRUE(block);
    if (const auto kp = block->header.block("KP")) {
      ++checked;
      EXPECT_EQ(*kp, "01" + hex_of(tr31::check_value_cmac(kbpk)));
    }
    if (const auto kc = block->header.block("KC")) {
      ++checked;
      EXPECT_EQ(*kc, "01" + hex_of(tr31::check_value_cmac(key)));
    }
  }
  EXPECT_GE(checked, 11u);
}

TEST(Tr31Vectors, Negative) {
  const Json json = load("tr31.json");
  std::size_t refused = 0;
  for (const JsonView entry : json["negative"].items()) {
    SCOPED_TRACE(text_of(entry["published_reason"]));
    ASSERT_EQ(text_of(entry["expect"]), "reject");
    ++refused;
    if (text_of(entry["kind"]) == "header") {
      const auto parsed = tr31::parse_header(text_of(entry["text"]));
      ASSERT_FALSE(parsed);
      EXPECT_EQ(parsed.error().code, Errc::Malformed);
    } else {
      EXPECT_FALSE(tr31::unwrap(bytes_of_hex(entry["kbpk"]), text_of(entry["key_block"])));
    }
  }
  EXPECT_EQ(refused, 45u);
  // The same shapes without the fault are read.
  for (const char* good : {"B0000P0TE00N0000", "B0000P0TE00N0100KS071ab", "B0000P0TE00N0200KS04TT04",
                           "B0000P0TE00N0100KS00020Aab", "B0000P0TE00N0100KS0004000Cab"}) {
    EXPECT_TRUE(tr31::parse_header(good)) << good;
  }
  EXPECT_EQ(tr31::parse_header("B0000P0TE00N0100KS00020Aab")->header.block("KS"), "ab");
}

TEST(Tr31, WrapsAndUnwrapsEveryVersion) {
  const std::vector<std::uint8_t> tdes_kbpk(24, 0x3C);
  std::vector<std::uint8_t> kbpk(tdes_kbpk);
  for (std::size_t i = 0; i < kbpk.size(); ++i) kbpk[i] = static_cast<std::uint8_t>(kbpk[i] + i);
  const std::vector<std::uint8_t> key(16, 0x5D);
  for (const char version : {'A', 'B', 'C', 'D', 'E'}) {
    tr31::Header header;
    header.version = version;
    header.usage = "B1";
    header.algorithm = version < 'D' ? 'T' : 'A';
    header.mode_of_use = 'X';
    header.blocks = {{"IK", "1234567890123456"}, {"LB", std::string(300, 'x')}};
    const auto text = tr31::wrap(kbpk, header, key);
    ASSERT_TRUE(text) << version << text.error().text;
    const auto block = tr31::unwrap(kbpk, *text);
    ASSERT_TRUE(block) << version << block.error().text;
    EXPECT_TRUE(std::ranges::equal(block->key.view(), key));
    EXPECT_EQ(block->header.block("IK"), "1234567890123456");
    EXPECT_EQ(block->header.block("LB"), std::string(300, 'x'));
    EXPECT_TRUE(block->header.block("PB").has_value());
    EXPECT_NE(*tr31::wrap(kbpk, header, key), *text);  // the padding is random
  }
  tr31::Header bad;
  bad.usage = "B?";
  EXPECT_FALSE(tr31::wrap(kbpk, bad, key));
  bad = {};
  bad.blocks = {{"IKX", ""}};
  EXPECT_FALSE(tr31::wrap(kbpk, bad, key));
  EXPECT_FALSE(tr31::wrap(kbpk, {}, {}));
}

}  // namespace
}  // namespace nightdrop::vectors
