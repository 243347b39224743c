// What of a key block is taken and written, field by field: each test starts from a block that is taken and changes one
// thing. The published vectors are in tests/vectors.
#include "crypto/tr31.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>

#include "crypto/primitives.hpp"
#include "crypto/tr31_format.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::tr31 {
namespace {

using Bytes = std::vector<std::uint8_t>;
constexpr dukpt::InitialKeyId id{0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56};

Bytes key_of(std::size_t size, std::uint8_t first = 0x21) {
  Bytes key(size);
  for (std::size_t i = 0; i < size; ++i) key[i] = static_cast<std::uint8_t>(first + 7 * i);
  return key;
}
const Bytes kbpk = key_of(32, 0x80);

Header header_of(std::string_view usage, char algorithm, char mode) {
  Header header;
  header.usage = usage;
  header.algorithm = algorithm;
  header.mode_of_use = mode;
  return header;
}

// A block with a right MAC that wrap() would not write.
std::string sealed(const Header& header, const Bytes& key) {
  const auto text = seal_block(kbpk, header, key);
  EXPECT_TRUE(text) << text.error().text;
  return text.value_or("");
}

void expect_error(const Result<KeyBlock>& result, Errc code, const std::string& text) {
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, code) << result.error().text;
  EXPECT_EQ(result.error().text, text);
}

TEST(Tr31, AnInitialKeyTravelsWithItsId) {
  for (const std::size_t size : {16U, 24U, 32U}) {
    const Bytes key = key_of(size);
    const auto header = make_initial_key_header(id, key);
    ASSERT_TRUE(header);
    EXPECT_EQ(header->block("IK"), "1234567890123456");
    const auto text = wrap(kbpk, *header, key);
    ASSERT_TRUE(text) << text.error().text;
    EXPECT_TRUE(text->starts_with("D0192B1AX00N0300IK141234567890123456KC100")) << *text;
    const auto block = unwrap(kbpk, *text, {usage::initial_key});
    ASSERT_TRUE(block) << block.error().text;
    EXPECT_TRUE(std::ranges::equal(block->key.view(), key));
    EXPECT_EQ(block->known.initial_key_id, id);
    EXPECT_EQ(block->known.key_check_value, (CheckValue{true, *check_value_cmac(key)}));
    EXPECT_TRUE(block->known.padded);
  }
  EXPECT_FALSE(make_initial_key_header(id, key_of(20)));
}

TEST(Tr31, TheLengthOfTheKeyIsHidden) {
  const auto length = [](std::string_view usage, char algorithm, char mode, std::size_t size) {
    const auto text = wrap(kbpk, header_of(usage, algorithm, mode), key_of(size));
    return text ? text->size() : 0;
  };
  EXPECT_EQ(length("B0", 'A', 'X', 16), 144u);
  EXPECT_EQ(length("B0", 'A', 'X', 24), 144u);
  EXPECT_EQ(length("B0", 'A', 'X', 32), 144u);
  EXPECT_EQ(length("P0", 'T', 'E', 16), 112u);
  EXPECT_EQ(length("P0", 'T', 'E', 24), 112u);
  EXPECT_EQ(length("M7", 'H', 'C', 16), 208u);
  EXPECT_EQ(length("M7", 'H', 'C', 64), 208u);
  // The same key twice: random padding, so another text.
  EXPECT_NE(*wrap(kbpk, Header{}, key_of(16)), *wrap(kbpk, Header{}, key_of(16)));
}

// A MAC that differs gives one and the same answer, whatever the payload would decrypt to.
TEST(Tr31, NoFlippedBitPassesAndThePayloadIsNotBelieved) {
  const auto header = make_initial_key_header(id, key_of(16));
  ASSERT_TRUE(header);
  const std::string text = *wrap(kbpk, *header, key_of(16));
  constexpr std::string_view digits = "0123456789ABCDEF";
  const std::size_t payload = parse_header(text)->size;
  for (std::size_t at = payload; at < text.size(); ++at) {
    for (const unsigned bit : {1U, 2U, 4U, 8U}) {
      std::string changed = text;
      changed[at] = digits[digits.find(text[at]) ^ bit];
      expect_error(unwrap(kbpk, changed, {usage::initial_key}), Errc::WrongKey, "TR-31 MAC");
    }
  }
  // Header characters that another block could have: the MAC is what tells.
  for (const auto& [at, other] : {std::pair{5U, 'K'}, {8U, 'N'}, {9U, '1'}, {11U, 'E'}, {14U, '1'}, {20U, 'F'}}) {
    std::string changed = text;
    changed[at] = other;
    expect_error(unwrap(kbpk, changed, {usage::initial_key, usage::key_encryption}), Errc::WrongKey, "TR-31 MAC");
  }
}

TEST(Tr31, AUsageThatIsNotWantedIsRefused) {
  const auto text = wrap(kbpk, header_of("B0", 'A', 'X'), key_of(16));
  ASSERT_TRUE(text);
  EXPECT_TRUE(unwrap(kbpk, *text, {usage::initial_key, usage::base_derivation_key}));
  expect_error(unwrap(kbpk, *text, {usage::initial_key}), Errc::Unsupported, "TR-31 key usage");
  expect_error(unwrap(kbpk, *text, {}), Errc::Unsupported, "TR-31 key usage");
  // A usage that nobody here knows is refused also where it is asked for.
  expect_error(unwrap(kbpk, sealed(header_of("C0", 'A', 'V'), key_of(16)), {"C0"}), Errc::Unsupported,
               "TR-31 key usage");
}

TEST(Tr31, EachUsageHasItsAlgorithmsAndModes) {
  struct Row {
    std::string_view usage, algorithms, modes;
  };
  constexpr std::array<Row, 9> rows{{{"B0", "AT", "X"},
                                     {"B1", "AT", "X"},
                                     {"D0", "AT", "BDE"},
                                     {"K0", "AT", "BDE"},
                                     {"K1", "AT", "BDE"},
                                     {"P0", "AT", "BDE"},
                                     {"M6", "AT", "CGV"},
                                     {"M7", "H", "CGV"},
                                     {"S0", "DER", "SV"}}};
  for (const Row& row : rows) {
    for (const char algorithm : std::string_view("ADEHRST")) {
      for (const char mode : std::string_view("BCDEGNSTVXY")) {
        SCOPED_TRACE(std::string(row.usage) + algorithm + mode);
        const Header header = header_of(row.usage, algorithm, mode);
        const bool known_algorithm = row.algorithms.contains(algorithm);
        const bool good = known_algorithm && row.modes.contains(mode);
        EXPECT_EQ(wrap(kbpk, header, key_of(16)).has_value(), good);
        const auto read = unwrap(kbpk, sealed(header, key_of(16)), {row.usage});
        if (good || (known_algorithm && mode == 'N')) {
          EXPECT_TRUE(read);
        } else {
          expect_error(read, Errc::Malformed, known_algorithm ? "TR-31 mode of use" : "TR-31 algorithm");
        }
      }
    }
  }
}

TEST(Tr31, KeysHaveTheirAlgorithmsLengths) {
  for (const std::size_t size : {1U, 8U, 15U, 17U, 33U}) {
    expect_error(unwrap(kbpk, sealed(Header{}, key_of(size)), {"K0"}), Errc::Malformed, "TR-31 key length");
    EXPECT_FALSE(wrap(kbpk, Header{}, key_of(size)));
  }
  EXPECT_EQ(wrap(kbpk, header_of("K0", 'T', 'B'), key_of(8)).error().text, std::string("TR-31 key length"));
  EXPECT_EQ(wrap(kbpk, header_of("M7", 'H', 'C'), key_of(65)).error().text, std::string("TR-31 key length"));
}

TEST(Tr31, AWeakerKeyDoesNotProtectAStrongerOne) {
  const Bytes weak = key_of(16, 0x70);
  EXPECT_TRUE(wrap(weak, Header{}, key_of(16)));
  EXPECT_EQ(wrap(weak, Header{}, key_of(32)).error().text, std::string("TR-31 KBPK: weaker than the key"));
  EXPECT_EQ(wrap(weak, header_of("M7", 'H', 'C'), key_of(32)).error().text,
            std::string("TR-31 KBPK: weaker than the key"));
  EXPECT_EQ(wrap(key_of(20), Header{}, key_of(16)).error().text, std::string("TR-31 KBPK: length"));
}

TEST(Tr31, OnlyVersionDIsWrittenAndBIsReadForTdesAlone) {
  Header header = header_of("K0", 'T', 'B');
  header.version = 'B';
  const Bytes tdes = key_of(24);
  EXPECT_EQ(wrap(tdes, header, key_of(16)).error().code, Errc::Unsupported);
  const auto text = seal_block(tdes, header, key_of(16));
  ASSERT_TRUE(text);
  EXPECT_TRUE(unwrap(tdes, *text, {"K0"}));
  header.algorithm = 'A';
  expect_error(unwrap(tdes, *seal_block(tdes, header, key_of(16)), {"K0"}), Errc::Malformed, "TR-31 algorithm");
  for (const char version : {'A', 'C', 'E'}) {
    header.version = version;
    const auto old = seal_block(tdes, header, key_of(16));
    ASSERT_TRUE(old);
    expect_error(unwrap(tdes, *old, {"K0"}), Errc::Unsupported, "TR-31 version");
  }
}

TEST(Tr31, OtherFieldsOfTheHeader) {
  Header header;
  header.exportability = 'X';
  expect_error(unwrap(kbpk, sealed(header, key_of(16)), {"K0"}), Errc::Malformed, "TR-31 exportability");
  EXPECT_FALSE(wrap(kbpk, header, key_of(16)));
  const auto read = [](std::string_view text) { return std::string(parse_header(text).error().text); };
  EXPECT_EQ(read("D0112K0AB00E000"), "TR-31 header: length");
  EXPECT_EQ(read("F0112K0AB00E0000"), "TR-31 version");
  EXPECT_EQ(read("D011AK0AB00E0000"), "TR-31 length");
  EXPECT_EQ(read("D0112K-AB00E0000"), "TR-31 key usage");
  EXPECT_EQ(read("D0112K0 B00E0000"), "TR-31 algorithm");
  EXPECT_EQ(read("D0112K0A+00E0000"), "TR-31 mode of use");
  EXPECT_EQ(read("D0112K0AB0.E0000"), "TR-31 key version");
  EXPECT_EQ(read("D0112K0AB00!0000"), "TR-31 exportability");
  EXPECT_EQ(read("D0112K0AB00E0A00"), "TR-31 number of optional blocks");
  EXPECT_EQ(read("D0112K0AB00E000_"), "TR-31 reserved field");
  EXPECT_EQ(read("D0112K0AB00E0100IK"), "TR-31 optional block IK: length");
  EXPECT_EQ(read("D0112K0AB00E0100ZZ03"), "TR-31 optional block: length");
  EXPECT_EQ(read("D0112K0AB00E0100LB06\x7f."), "TR-31 optional block LB: data");
  EXPECT_EQ(read("D0112K0AB00E0100?B06.."), "TR-31 optional block: id");
}

}  // namespace
}  // namespace nightdrop::tr31
