// Amounts in text: the decimals of ISO 4217, and no rounding anywhere.
#include "report/currency.hpp"

#include <gtest/gtest.h>

namespace nightdrop::report {
namespace {

TEST(Currency, KnowsTheListAndItsDecimals) {
  EXPECT_TRUE(is_iso4217("usd"));
  EXPECT_TRUE(is_iso4217("zwg"));
  for (const char* none : {"USD", "xxx", "xau", "zzz", "us", "usdd", "", "btc"}) EXPECT_FALSE(is_iso4217(none)) << none;
  EXPECT_EQ(currency_exponent("jpy"), 0);
  EXPECT_EQ(currency_exponent("eur"), 2);
  EXPECT_EQ(currency_exponent("bhd"), 3);
  EXPECT_EQ(currency_exponent("clf"), 4);
  EXPECT_EQ(currency_exponent("zzz"), std::nullopt);
}

TEST(Currency, WritesMinorUnitsWithTheCurrencysDecimals) {
  EXPECT_EQ(decimal(1250, "usd"), "12.50");
  EXPECT_EQ(decimal(5, "usd"), "0.05");
  EXPECT_EQ(decimal(0, "usd"), "0.00");
  EXPECT_EQ(decimal(-1250, "usd"), "-12.50");
  EXPECT_EQ(decimal(500, "jpy"), "500");
  EXPECT_EQ(decimal(1250, "bhd"), "1.250");
  EXPECT_EQ(decimal(99'999'999, "usd"), "999,999.99");
  EXPECT_EQ(decimal(100'000, "jpy"), "100,000");
  EXPECT_EQ(decimal(INT64_MIN, "jpy"), "-9,223,372,036,854,775,808");
  EXPECT_EQ(money(198'000, "usd"), "USD 1,980.00");
}

TEST(Currency, ReadsWhatAPersonTypes) {
  EXPECT_EQ(parse_decimal("12.50", "usd"), 1250);
  EXPECT_EQ(parse_decimal("12.5", "usd"), 1250);
  EXPECT_EQ(parse_decimal("12", "usd"), 1200);
  EXPECT_EQ(parse_decimal("1,980.00", "usd"), 198'000);
  EXPECT_EQ(parse_decimal("500", "jpy"), 500);
  EXPECT_EQ(parse_decimal("1.25", "bhd"), 1250);
  EXPECT_EQ(parse_decimal("999999.99", "usd"), 99'999'999);
}

TEST(Currency, RefusesWhatIsNotExactlyAnAmount) {
  for (const char* bad :
       {"", ".", ".5", "12.", "-1", "+1", "1e3", "12,5", "1,2345", ",123", "12 ", "12.50.1", "0x10", "1,00.00"}) {
    EXPECT_FALSE(parse_decimal(bad, "usd")) << bad;
  }
  EXPECT_EQ(parse_decimal("12.505", "usd").error().code, Errc::InvalidArgument);
  EXPECT_EQ(parse_decimal("1.5", "jpy").error().code, Errc::InvalidArgument);
  EXPECT_EQ(parse_decimal("1000000.00", "usd").error().code, Errc::InvalidArgument);
  EXPECT_EQ(parse_decimal("99999999999999999999999", "usd").error().code, Errc::InvalidArgument);
  EXPECT_EQ(parse_decimal("1", "zzz").error().code, Errc::InvalidArgument);
}

}  // namespace
}  // namespace nightdrop::report
