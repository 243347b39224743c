// What the vectors leave open in src/emv: limits of the TLV reader, co-badge choice, masking of what is no card number,
// currencies, and the words for what the chip said.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "emv/brand.hpp"
#include "emv/chip_words.hpp"
#include "emv/currency.hpp"
#include "emv/dictionary.hpp"
#include "emv/dol.hpp"
#include "emv/pan.hpp"
#include "emv/tlv.hpp"
#include "emv/track2.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::emv {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::uint8_t> hex(std::string_view text) {
  return from_hex(text).value();
}
Currency currency(std::string_view code) {
  return Currency{{code[0], code[1], code[2]}};
}

TEST(Tlv, TagsAreWholeOrNone) {
  EXPECT_TRUE(valid_tag(0x95));
  EXPECT_TRUE(valid_tag(0x9F26));
  EXPECT_TRUE(valid_tag(0xDF810C));
  EXPECT_TRUE(valid_tag(0xDF818203));
  EXPECT_FALSE(valid_tag(0x00));
  EXPECT_FALSE(valid_tag(0x9F));    // calls for another byte
  EXPECT_FALSE(valid_tag(0x9F81));  // and so does this one
  EXPECT_FALSE(valid_tag(0x9526));  // a byte too many
  EXPECT_FALSE(valid_tag(0xDF0181));
}

TEST(Tlv, TagOfFiveBytesIsRefused) {
  EXPECT_TRUE(check_tlv(hex("DF81828300")).has_value() == false);
  EXPECT_TRUE(check_tlv(hex("DF81820300")).has_value());
}

TEST(Tlv, LengthsAreReadInFourBytesAndBoundedByTheirValue) {
  EXPECT_TRUE(check_tlv(hex("9C8300000101")).has_value());
  EXPECT_TRUE(check_tlv(hex("9C840000000101")).has_value());
  EXPECT_FALSE(check_tlv(hex("9C85000000000101")).has_value());
  std::vector<std::uint8_t> big = hex("9C83010000");
  big.resize(big.size() + 0x10000);
  EXPECT_FALSE(check_tlv(big).has_value());
}

TEST(Tlv, NestingEndsAtSixteen) {
  std::vector<std::uint8_t> inner;
  for (int depth = 1; depth <= 17; ++depth) {
    TlvBuilder builder;
    builder.put(0xE0, inner);
    inner = builder.take();
    EXPECT_EQ(check_tlv(inner).has_value(), depth < 16) << depth;
  }
  EXPECT_FALSE(find_tlv(inner, 0x9F26).has_value());
}

TEST(Tlv, LongestValueHasTwoLengthBytes) {
  TlvBuilder builder;
  builder.put(0x9F4B, std::vector<std::uint8_t>(tlv_value_max, 0xAB));
  EXPECT_EQ(hex_upper(Bytes(builder.bytes()).first(5)), "9F4B82FFFF");
  EXPECT_EQ(find_tlv(builder.bytes(), 0x9F4B)->size(), tlv_value_max);
}

TEST(Tlv, FindLooksIntoTemplatesAndStopsAtDamage) {
  EXPECT_EQ(hex_upper(find_tlv(hex("7006E0049F360201"), 0x9F36).value_or(Bytes{})), "");
  const auto good = hex("7007E0059F36020102");
  EXPECT_EQ(hex_upper(find_tlv(good, 0x9F36).value()), "0102");
  EXPECT_FALSE(find_tlv(good, 0x9F26).has_value());
}

TEST(Tlv, ReaderStandsStillAfterAnError) {
  const auto bytes = hex("9C01009C05");
  TlvReader reader(bytes);
  EXPECT_TRUE(reader.next().has_value());
  EXPECT_FALSE(reader.next().has_value());
  EXPECT_FALSE(reader.next().has_value());
}

TEST(Dictionary, OnlyTheListedTagsTravelInClear) {
  const auto mixed =
      hex("9F2608112233445566778857084761739001010119"
          "5A084761739001010119"
          "5F24032212319F2701805F2003412F42"
          "DF010199"
          "950500000480009F270140");
  EXPECT_EQ(hex_upper(select_for_acquirer(mixed).value()), "9F260811223344556677889F27018095050000048000");
  EXPECT_FALSE(select_for_acquirer(hex("9F2608")).has_value());
  for (const Tag tag : {0x57U, 0x5AU, 0x56U, 0x5F20U, 0x5F24U, 0x9F6BU, 0x9F1FU, 0x9F20U})
    EXPECT_TRUE(identifies_card(tag));
  EXPECT_FALSE(identifies_card(0x9F26));
}

TEST(Dol, ConstructedTagsAreZeros) {
  const auto source = hex("E0049C0120009C0120");
  const std::array sources{Bytes(source)};
  EXPECT_EQ(hex_upper(build_dol(hex("E0049C01"), sources).value()), "0000000020");
}

TEST(Pan, OnlyWholeNumbersAreValid) {
  EXPECT_TRUE(pan_valid("4242424242424242"));
  EXPECT_FALSE(pan_valid("42424242424242424240"));  // 20 digits
  EXPECT_FALSE(pan_valid("4242 4242 4242 4242"));
  EXPECT_FALSE(pan_valid("00000000000"));
  EXPECT_FALSE(pan_valid(""));
}

TEST(Pan, MaskingFailsClosed) {
  EXPECT_EQ(mask_pan("4242424242424242"), "************4242");
  EXPECT_EQ(mask_pan("4242424242424241"), "************4241");  // a wrong check digit is masked all the same
  for (const auto* text :
       {"", "1234", "4242 4242 4242 4242", "42424242424242424242", "4242424242424242D2512", "abcdefghijklmnop"}) {
    EXPECT_EQ(mask_pan(text), "****") << text;
    EXPECT_EQ(last4(text), "");
  }
}

TEST(Brand, ApplicationBeforeNumber) {
  EXPECT_EQ(brand_of_card(hex("A0000002771010"), "4506445006931933"), Brand::Interac);
  EXPECT_EQ(brand_of_card({}, "4506445006931933"), Brand::Visa);
  EXPECT_EQ(brand_of_card(hex("A00000038410"), "6280000360000978"), Brand::Eftpos);
  EXPECT_EQ(brand_of_card(hex("A0000000421010"), "4150580996517927"), Brand::CartesBancaires);
  EXPECT_EQ(brand_of_card(hex("A0000003591010028001"), "6725000000000000007"), Brand::Girocard);
  EXPECT_EQ(brand_of_card(hex("A0000001523010"), "36259600000004"), Brand::Discover);
  EXPECT_EQ(brand_of_card({}, "36259600000004"), Brand::Discover);  // Diners
  EXPECT_EQ(brand_of_card(hex("F000000001"), "9999999999999995"), Brand::Unknown);
  EXPECT_EQ(brand_of_card(hex("A0000006200620"), "4242424242424242"), Brand::Unknown);
}

TEST(Brand, NumberOfAWrongLengthIsUnknown) {
  EXPECT_EQ(scheme_of_pan("42424242424242"), Scheme::Unknown);
  EXPECT_EQ(scheme_of_pan("378282246310005"), Scheme::Amex);
  EXPECT_EQ(scheme_of_pan("3782822463100055"), Scheme::Unknown);
  EXPECT_EQ(scheme_of_pan(""), Scheme::Unknown);
}

TEST(Brand, CobadgedCardsGoByTheInternationalScheme) {
  const std::vector<Application> cards{{hex("A0000000421010"), "CB", 1}, {hex("A0000000031010"), "VISA", 2}};
  EXPECT_EQ(choose_application(cards), 1U);
  const std::vector<Application> domestic{{hex("A0000000421010"), "CB", 2}, {hex("A0000002771010"), "INTERAC", 1}};
  EXPECT_EQ(choose_application(domestic), 1U);
  const std::vector<Application> two{{hex("A0000000031010"), "VISA", 0}, {hex("A0000000041010"), "MASTERCARD", 3}};
  EXPECT_EQ(choose_application(two), 1U);
  EXPECT_FALSE(choose_application({}).has_value());
}

TEST(Currency, NumericCodes) {
  EXPECT_EQ(currency_code(currency("usd"))->numeric, 840);
  EXPECT_EQ(currency_code(currency("eur"))->numeric, 978);
  EXPECT_EQ(currency_code(currency("gbp"))->numeric, 826);
  EXPECT_EQ(currency_code(currency("jpy"))->exponent, 0);
  EXPECT_EQ(currency_code(currency("kwd"))->exponent, 3);
  EXPECT_FALSE(currency_code(currency("zzz")).has_value());
  EXPECT_FALSE(currency_code(currency("USD")).has_value());
}

TEST(ChipWords, NameEachBit) {
  EXPECT_THAT(tvr_words(hex("8040040020")),
              ElementsAre("offline data authentication not performed", "expired application", "online PIN entered",
                          "script failed before final GENERATE AC"));
  EXPECT_THAT(tvr_words(hex("0000000000")), IsEmpty());
  EXPECT_THAT(tvr_words(hex("80")), IsEmpty());
  EXPECT_THAT(tsi_words(hex("E800")),
              ElementsAre("offline data authentication performed", "cardholder verification performed",
                          "card risk management performed", "terminal risk management performed"));
  EXPECT_EQ(cryptogram_words(cryptogram_type(0x80)), "ARQC: asks the issuer");
  EXPECT_EQ(cryptogram_type(0xC0), CryptogramType::Reserved);
  EXPECT_EQ(offline_response_words("Z1"), "offline declined");
  EXPECT_EQ(offline_response_words("00"), "");
}

TEST(ChipWords, CvmResults) {
  EXPECT_TRUE(cvm_words(hex("410302"))->pin_by_card);
  EXPECT_FALSE(cvm_words(hex("410301"))->pin_by_card);  // the PIN was wrong
  EXPECT_TRUE(cvm_words(hex("420300"))->online_pin);
  EXPECT_EQ(cvm_words(hex("1F0302"))->method, "none required");
  EXPECT_EQ(cvm_words(hex("1F0302"))->outcome, CvmOutcome::Successful);
  EXPECT_EQ(cvm_words(hex("3F0000"))->method, "none performed");
  EXPECT_EQ(cvm_words(hex("1E0300"))->condition, "terminal supports the CVM");
  EXPECT_FALSE(cvm_words(hex("1E03")).has_value());
}

TEST(Track2, WritesOnlyWhatFits) {
  std::array<std::uint8_t, track2_bytes_max> out{};
  EXPECT_TRUE(write_track2(out, "4242424242424242", "3012", "201", "0000012345").has_value());
  EXPECT_FALSE(write_track2(out, "4242424242424242", "3012", "201", "000001234500000").has_value());
  EXPECT_FALSE(write_track2(out, "4242", "3012", "201", "").has_value());
  EXPECT_FALSE(write_track2(out, "4242424242424242", "30", "201", "").has_value());
  EXPECT_FALSE(write_track2(out, "424242424242424x", "3012", "201", "").has_value());
  EXPECT_TRUE(has_chip("201"));
  EXPECT_FALSE(has_chip("101"));
}

TEST(Pan, IsFoundInFreeText) {
  for (const char* text : {"4242424242424242", "card 4242 4242 4242 4242, table 7", "4242-4242-4242-4242",
                           "a4242424242424242b", "00042424242424242420"}) {
    EXPECT_TRUE(holds_pan(text)) << text;
  }
  for (const char* text :
       {"", "Table 7", "4242424242424241", "order 1234567890123", "4242 4242\n4242 4242", "42424242"}) {
    EXPECT_FALSE(holds_pan(text)) << text;
  }
}

}  // namespace
}  // namespace nightdrop::emv
