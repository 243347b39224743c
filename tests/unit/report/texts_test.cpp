// Text for people: widths, tables, bars, times, and the chart.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "report/chart.hpp"
#include "report/csv.hpp"
#include "report/table.hpp"
#include "report/text.hpp"

namespace nightdrop::report {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::size_t widest(const std::string& text) {
  std::size_t width = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) width = std::max(width, display_width(line));
  return width;
}

TEST(Text, MakesWhatSteersATerminalPrintable) {
  EXPECT_EQ(printable("café ✓"), "café ✓");
  EXPECT_EQ(printable("a\x1b[2Jb\nc\x7f"), "a?[2Jb?c?");
  EXPECT_EQ(printable("\xC2\x9B"), "?");  // C1
  EXPECT_EQ(printable("\xE2\x80\xAE"
                      "evil"),
            "?evil");  // right-to-left override
  EXPECT_EQ(printable("\xFF\xC3"), "??");
  EXPECT_EQ(printable("\xE2\x82"), "??");
}

TEST(Text, CountsCharactersNotBytes) {
  EXPECT_EQ(display_width("café"), 4U);
  EXPECT_EQ(left("é", 3), "é  ");
  EXPECT_EQ(right("é", 3), "  é");
  EXPECT_EQ(clipped("abcdé", 5), "abcdé");
  EXPECT_EQ(clipped("ééééé", 3), "éé…");
}

TEST(Text, WrapsAtSpacesAndCutsWhatIsTooLong) {
  EXPECT_THAT(wrapped("the quick brown fox", 9), ElementsAre("the quick", "brown fox"));
  EXPECT_THAT(wrapped("a abcdefgh b", 4), ElementsAre("a", "abcd", "efgh", "b"));
  EXPECT_THAT(wrapped("", 4), ElementsAre(""));
}

TEST(Text, SaysTimesAsPeopleDo) {
  EXPECT_EQ(duration(59'999), "59 s");
  EXPECT_EQ(duration(3'600'000), "1 h");
  EXPECT_EQ(duration(7'800'000), "2 h 10 min");
  EXPECT_EQ(duration(3 * 86'400'000LL + 4 * 3'600'000), "3 d 4 h");
  EXPECT_EQ(relative(7'800'000, 0), "in 2 h 10 min");
  EXPECT_EQ(relative(0, 7'800'000), "2 h 10 min ago");
  EXPECT_EQ(relative(5, 0), "now");
  const Style east{.utc_offset_minutes = [](UtcMs) { return 90; }};
  EXPECT_EQ(local_time(1'795'000'000'000, Style{}), "2026-11-18 11:06");
  EXPECT_EQ(local_time(1'795'000'000'000, east, true), "2026-11-18 12:36:40");
}

TEST(Text, DrawsABarThatIsNeverEmptyWhenSomethingIsThere) {
  EXPECT_EQ(bar(0, 100, 4), "[....]");
  EXPECT_EQ(bar(1, 100, 4), "[#...]");
  EXPECT_EQ(bar(99, 100, 4), "[###.]");
  EXPECT_EQ(bar(100, 100, 4), "[####]");
  EXPECT_EQ(bar(500, 100, 4), "[####]");
  EXPECT_EQ(bar(0, 0, 4), "[####]");
}

TEST(Text, UsesColoursOnlyWhenAsked) {
  EXPECT_EQ(toned("x", Tone::Bad, Style{}), "x");
  EXPECT_EQ(toned("x", Tone::Bad, Style{.colour = true}), "\x1b[31mx\x1b[0m");
}

Table example() {
  Table table({{"NAME", false, Fit::Clip, 6, 90},
               {"AMOUNT", true, Fit::Whole, 8, 100},
               {"NOTE", false, Fit::Wrap, 10, 50},
               {"ID", false, Fit::Whole, 8, 1}});
  table.row({{"a rather long name"}, {"12.50"}, {"some words that take their place"}, {"pi_0123456789"}});
  return table;
}

TEST(Table, IsAsWideAsItsContentWhereThereIsRoom) {
  EXPECT_EQ(example().render(Style{.width = 200}),
            "NAME                AMOUNT  NOTE                              ID\n"
            "a rather long name   12.50  some words that take their place  pi_0123456789\n");
}

TEST(Table, GivesWayToFitAndDropsTheLeastImportantColumn) {
  for (const std::size_t width : {75U, 60U, 45U, 40U, 30U, 26U}) {
    const std::string text = example().render(Style{.width = width});
    EXPECT_LE(widest(text), width) << text;
    EXPECT_THAT(text, HasSubstr("12.50"));
  }
  EXPECT_THAT(example().render(Style{.width = 75}), HasSubstr("pi_0123456789"));
  EXPECT_THAT(example().render(Style{.width = 30}), Not(HasSubstr("pi_")));
}

TEST(Table, ColoursDoNotMoveTheColumns) {
  Table table({{"A"}, {"B", true}});
  table.row({{"x", Tone::Good}, {"1", Tone::Bad}});
  table.row({{"long"}, {"100"}});
  EXPECT_EQ(table.render(Style{}), "A       B\nx       1\nlong  100\n");
  EXPECT_EQ(table.render(Style{.colour = true}),
            "\x1b[1mA   \x1b[0m  \x1b[1m  B\x1b[0m\n\x1b[32mx\x1b[0m       \x1b[31m1\x1b[0m\nlong  100\n");
}

TEST(Chart, ShowsThePeakOfEachColumn) {
  const std::vector<ExposurePoint> points{{0, 0}, {10'000, 400}, {10'001, 100}, {20'000, 0}};
  const std::string chart = exposure_chart(points, 40'000, "usd", Style{.width = 27}, 2);
  EXPECT_EQ(chart,
            "4.00 ┤     █\n"
            "   0 ┤     █▄▄▄▄\n"
            "     └────────────────────\n"
            "      00:00:00    00:00:40\n");
}

TEST(Chart, FitsItsWidthAndSaysWhenThereIsNothing) {
  EXPECT_EQ(exposure_chart({}, 0, "usd", Style{}), "Nothing was stored.\n");
  const std::vector<ExposurePoint> points{{0, 100'000}, {5, 1}};
  for (const std::size_t width : {40U, 80U, 120U})
    EXPECT_LE(widest(exposure_chart(points, 1000, "usd", Style{.width = width})), width);
  EXPECT_THAT(exposure_chart(points, 1000, "usd", Style{}), HasSubstr("▁"));  // one cent is still seen
}

TEST(Csv, ReadsQuotesLineEndsAndTheMark) {
  const auto records = parse_csv(
      "\xEF\xBB\xBF"
      "a,\"b,\"\"c\"\"\nd\"\r\n\r\n,\n");
  ASSERT_TRUE(records);
  ASSERT_EQ(records->size(), 2U);
  EXPECT_EQ((*records)[0][1].text, "b,\"c\"\nd");
  EXPECT_EQ((*records)[1].size(), 2U);
  EXPECT_EQ((*records)[1][0].line, 4U);
}

std::string problem(std::string_view log) {
  const auto entries = parse_pos_log(log);
  return entries ? "none" : entries.error().text();
}

TEST(Csv, SaysWhereALogIsWrong) {
  const std::string head = "merchant_reference,amount,currency,last4\n";
  EXPECT_EQ(problem(head + "a,12.50,usd,4242\n"), "none");
  EXPECT_EQ(problem(head + "a,12.50,usd,\n\"b\",1,EUR,0000"), "none");
  EXPECT_THAT(problem(""), HasSubstr("line 1, column 1: the file is empty"));
  EXPECT_THAT(problem("amount,currency\n"), HasSubstr("no column merchant_reference"));
  EXPECT_THAT(problem("merchant_reference,amount,amount_minor,currency\n"),
              HasSubstr("one of the columns amount and amount_minor"));
  EXPECT_THAT(problem("merchant_reference,currency\n"), HasSubstr("one of the columns amount and amount_minor"));
  EXPECT_THAT(problem("currency,currency\n"), HasSubstr("line 1, column 10: the header names currency twice"));
  EXPECT_THAT(problem(head + "a,12.50,usd\n"), HasSubstr("line 2, column 9: the line has 3 fields, the header has 4"));
  EXPECT_THAT(problem(head + "a,12.50,xxx,4242\n"), HasSubstr("line 2, column 9: the currency"));
  EXPECT_THAT(problem(head + "\na,12.505,usd,4242\n"), HasSubstr("line 3, column 3: "));
  EXPECT_THAT(problem(head + "a,0,usd,4242\n"), HasSubstr("outside of what a payment may be"));
  EXPECT_THAT(problem(head + "a,1,usd,42424\n"), HasSubstr("line 2, column 9: last4"));
  EXPECT_THAT(problem(head + ",1,usd,4242\n"), HasSubstr("line 2, column 1: merchant_reference"));
  EXPECT_THAT(problem(head + "a\"b,1,usd,4242\n"), HasSubstr("line 2, column 2: a quote"));
  EXPECT_THAT(problem(head + "\"a\"b,1,usd,4242\n"), HasSubstr("line 2, column 4: something follows"));
  EXPECT_THAT(problem(head + "\"a,1,usd,4242\n"), HasSubstr("line 2, column 1: the quoted field is never closed"));
}

TEST(Csv, TakesMinorUnits) {
  const auto entries = parse_pos_log("x,amount_minor,currency,merchant_reference\n?,1250,USD,\"a,b\"\n");
  ASSERT_TRUE(entries);
  EXPECT_EQ(entries->at(0).amount, 1250);
  EXPECT_EQ(entries->at(0).currency.view(), "usd");
  EXPECT_EQ(entries->at(0).merchant_reference, "a,b");
  EXPECT_THAT(problem("amount_minor,currency,merchant_reference\n12.50,usd,a\n"),
              HasSubstr("whole number of minor units"));
}

}  // namespace
}  // namespace nightdrop::report
