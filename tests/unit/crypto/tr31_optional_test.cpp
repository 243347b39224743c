// Optional blocks of key blocks: what is understood as values, what is wrong by name, and what is not understood kept
// as it came.
#include <gtest/gtest.h>

#include <string>

#include "crypto/tr31.hpp"
#include "crypto/tr31_format.hpp"
#include "nightdrop/encoding.hpp"
#include "nightdrop/time_text.hpp"

namespace nightdrop::tr31 {
namespace {

using Bytes = std::vector<std::uint8_t>;

Header with(std::vector<OptionalBlock> blocks) {
  Header header;
  header.blocks = std::move(blocks);
  return header;
}

// What is said of a header with this one block; nothing if it is taken.
std::string wrong(const std::string& id, const std::string& data) {
  const auto known = known_blocks(with({{id, data}}));
  return known ? "" : known.error().text;
}

TEST(Tr31Optional, Values) {
  const auto known = known_blocks(with({{"KS", "1ED9D5000000BC200000"},
                                        {"IK", "1234567890ABCDEF"},
                                        {"LB", "Bar till 3"},
                                        {"TS", "20260116101501Z"},
                                        {"KC", "0105EF4531EC"},
                                        {"KP", "00753949"},
                                        {"ZZ", "whatever"},
                                        {"PB", "0000"}}));
  ASSERT_TRUE(known) << known.error().text;
  EXPECT_EQ(known->key_set_identifier, from_hex("1ED9D5000000BC200000").value());
  EXPECT_EQ(known->initial_key_id, (dukpt::InitialKeyId{0x12, 0x34, 0x56, 0x78, 0x90, 0xAB, 0xCD, 0xEF}));
  EXPECT_EQ(known->label, "Bar till 3");
  EXPECT_EQ(known->time_stamp, parse_rfc3339("2026-01-16T10:15:01Z"));
  EXPECT_EQ(known->key_check_value, (CheckValue{true, {0x05, 0xEF, 0x45, 0x31, 0xEC}}));
  EXPECT_EQ(known->protection_key_check_value, (CheckValue{false, {0x75, 0x39, 0x49}}));
  EXPECT_TRUE(known->padded);

  const auto none = known_blocks(with({{"ZZ", "x"}}));
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->initial_key_id || none->label || none->time_stamp || none->key_check_value || none->padded);
}

TEST(Tr31Optional, TimeStamps) {
  const auto time = [](const std::string& text) { return known_blocks(with({{"TS", text}}))->time_stamp; };
  EXPECT_EQ(time("20200818221218Z"), parse_rfc3339("2020-08-18T22:12:18Z"));
  EXPECT_EQ(time("20200818221218.25Z"), parse_rfc3339("2020-08-18T22:12:18.250Z"));
  EXPECT_EQ(time("2018-06-18T20:42:39.22"), parse_rfc3339("2018-06-18T20:42:39.220Z"));  // as printed in X9.143, 8.2
  EXPECT_EQ(time_stamp_block(*parse_rfc3339("2026-01-16T10:15:01.999Z")), (OptionalBlock{"TS", "20260116101501Z"}));
  for (const char* bad : {"", "Z", "2026", "20261316101501Z", "20260132101501Z", "2026011610150Z", "20260116101501X",
                          "20260116-01501Z", "202601161015 1Z"}) {
    EXPECT_EQ(wrong("TS", bad), "TR-31 optional block TS: data") << bad;
  }
}

TEST(Tr31Optional, WhatIsWrongIsNamed) {
  EXPECT_EQ(wrong("IK", "123456789012345"), "TR-31 optional block IK: length");
  EXPECT_EQ(wrong("IK", "12345678901234567"), "TR-31 optional block IK: length");
  EXPECT_EQ(wrong("IK", "123456789012345G"), "TR-31 optional block IK: data");
  EXPECT_EQ(wrong("IK", "123456789012345a"), "TR-31 optional block IK: data");
  EXPECT_EQ(wrong("KS", "1234"), "TR-31 optional block KS: length");
  EXPECT_EQ(wrong("KS", "12345678901"), "TR-31 optional block KS: data");
  EXPECT_EQ(wrong("KC", "01123456789"), "TR-31 optional block KC: length");
  EXPECT_EQ(wrong("KC", ""), "TR-31 optional block KC: length");
  EXPECT_EQ(wrong("KC", "021234567890"), "TR-31 optional block KC: data");
  EXPECT_EQ(wrong("KP", "00123456FF"), "TR-31 optional block KP: length");
  EXPECT_EQ(wrong("KP", "00-12345"), "TR-31 optional block KP: data");
  EXPECT_EQ(known_blocks(with({{"LB", "a"}, {"LB", "b"}})).error().text, std::string("TR-31 optional block LB: twice"));
  EXPECT_TRUE(known_blocks(with({{"ZZ", "a"}, {"ZZ", "b"}})));  // not for us to say
}

TEST(Tr31Optional, AWrongOneIsNeitherWrittenNorTaken) {
  const Bytes kbpk(32, 0x11);
  const Bytes key(16, 0x22);
  const Header header = with({{"IK", "12"}});
  EXPECT_EQ(wrap(kbpk, header, key).error().text, std::string("TR-31 optional block IK: length"));
  EXPECT_EQ(wrap(kbpk, header, key).error().code, Errc::InvalidArgument);
  const auto text = seal_block(kbpk, header, key);
  ASSERT_TRUE(text);
  EXPECT_EQ(unwrap(kbpk, *text, {"K0"}).error().text, std::string("TR-31 optional block IK: length"));
  for (const OptionalBlock& bad : {OptionalBlock{"I", "x"},
                                   {"IKX", "x"},
                                   {"Z?", "x"},
                                   {"ZZ", "\n"},
                                   {"ZZ", "x", 9},
                                   {"ZZ", std::string(9'900, 'x')},
                                   {"ZZ", "xxxxxxxxxxxx", 1}}) {
    EXPECT_FALSE(wrap(kbpk, with({bad}), key)) << bad.id;
  }
  EXPECT_FALSE(wrap(kbpk, with(std::vector<OptionalBlock>(100, {"ZZ", ""})), key));
}

TEST(Tr31Optional, CheckValuesAreHeld) {
  const Bytes kbpk(32, 0x11);
  const Bytes key(16, 0x22);
  const auto of_key = *check_value_cmac(key);
  const auto of_kbpk = *check_value_cmac(kbpk);
  const auto right = wrap(kbpk, with({key_check_value_block(of_key), protection_check_value_block(of_kbpk)}), key);
  ASSERT_TRUE(right);
  EXPECT_TRUE(unwrap(kbpk, *right, {"K0"}));
  const auto legacy = wrap(kbpk, with({{"KC", "00" + hex_upper(*check_value_legacy('A', key))}}), key);
  ASSERT_TRUE(legacy) << legacy.error().text;
  EXPECT_TRUE(unwrap(kbpk, *legacy, {"K0"}));
  for (const auto& [block, text] : {std::pair{key_check_value_block(of_kbpk), "TR-31 optional block KC: check value"},
                                    {protection_check_value_block(of_key), "TR-31 optional block KP: check value"}}) {
    const auto sealed = seal_block(kbpk, with({block}), key);
    ASSERT_TRUE(sealed);
    const auto read = unwrap(kbpk, *sealed, {"K0"});
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, Errc::WrongKey);
    EXPECT_EQ(read.error().text, std::string(text));
    EXPECT_FALSE(wrap(kbpk, with({block}), key));
  }
}

TEST(Tr31Optional, WhatIsNotKnownIsWrittenBackAsItCame) {
  const Bytes kbpk(32, 0x11);
  const Bytes key(16, 0x22);
  // Short, extended though short would do, and long; in an order of their own.
  const std::vector<OptionalBlock> blocks{
      {"zz", "~ !"}, {"Q1", "ab", 2}, {"10", "", 4}, {"LB", "label"}, {"Q1", std::string(300, 'y'), 8}, {"AA", ""}};
  const auto text = wrap(kbpk, with(blocks), key);
  ASSERT_TRUE(text) << text.error().text;
  EXPECT_NE(text->find("zz07~ !Q100020Aab"), std::string::npos);
  const auto block = unwrap(kbpk, *text, {"K0"});
  ASSERT_TRUE(block) << block.error().text;
  ASSERT_EQ(block->header.blocks.size(), blocks.size() + 1);
  EXPECT_EQ(block->header.blocks.back().id, "PB");
  EXPECT_TRUE(std::equal(blocks.begin(), blocks.end(), block->header.blocks.begin()));
  const auto again = wrap(kbpk, block->header, key);
  ASSERT_TRUE(again);
  const std::size_t size = parse_header(*text)->size;
  EXPECT_EQ(again->substr(0, size), text->substr(0, size));
}

}  // namespace
}  // namespace nightdrop::tr31
