// Every block of tr31.json is read and, where all of its inputs are known, written again to the same characters; every
// negative one is refused, and differs from one that is accepted in what it is refused for.
#include <algorithm>

#include "crypto/tr31_format.hpp"
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
    const auto block = tr31::open_block(kbpk, text);
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
    const auto again = tr31::seal_block(kbpk, block->header, block->key.view(), std::span<const std::uint8_t>(padding));
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
      EXPECT_FALSE(tr31::open_block(kbpk, changed)) << i;
    }
    auto other = kbpk;
    other[0] ^= 0x10;
    EXPECT_EQ(tr31::open_block(other, text).error().code, Errc::WrongKey);
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
    const auto block = tr31::open_block(kbpk, text_of(vector["key_block"]));
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
      EXPECT_FALSE(tr31::open_block(bytes_of_hex(entry["kbpk"]), text_of(entry["key_block"])));
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

TEST(Tr31Vectors, WhatIsTakenIsVersionDAndB) {
  const Json json = load("tr31.json");
  std::size_t taken = 0;
  for (const JsonView vector : json["vectors"].items()) {
    SCOPED_TRACE(text_of(vector["id"]));
    const auto kbpk = bytes_of_hex(vector["kbpk"]);
    const std::string usage = text_of(vector["header"]["key_usage"]);
    const char version = letter(vector["header"]["version"]);
    const auto block = tr31::unwrap(kbpk, text_of(vector["key_block"]), {usage});
    // M3 and C0 are usages that nothing here has.
    if (version == 'A' || version == 'C' || version == 'E' || usage == "M3" || usage == "C0") {
      ASSERT_FALSE(block);
      EXPECT_EQ(block.error().code, Errc::Unsupported) << block.error().text;
      continue;
    }
    ASSERT_TRUE(block) << block.error().text;
    ++taken;
    const auto again = tr31::wrap(kbpk, block->header, block->key.view());
    // What is written is version D, says what its key is for, and is protected by a key at least as strong.
    const bool strong = letter(vector["header"]["algorithm"]) != 'A' || kbpk.size() >= block->key.size();
    EXPECT_EQ(again.has_value(), version == 'D' && block->header.mode_of_use != 'N' && strong);
  }
  EXPECT_EQ(taken, 20u);
}

}  // namespace
}  // namespace nightdrop::vectors
