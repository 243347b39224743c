// JSON, read strictly and built up: what RFC 8259 does not know is refused, and what is written is read back.
#include "json/json.hpp"

#include <gtest/gtest.h>

namespace nightdrop {
namespace {

bool parses(std::string_view text) {
  return Json::parse(text).has_value();
}

TEST(JsonParse, TakesWhatTheStandardKnows) {
  for (const char* text :
       {"{}", "[]", " \t\r\n{}\n ", "null", "true", "false", "0", "-0", "-1.5e+3", "1E2", "\"\"",
        R"("\"\\\/\b\f\n\r\t")", R"("é \u00e9 \ud83d\ude00")", R"({"a":[1,{"b":null}]})", R"("a\\u0000b")"}) {
    EXPECT_TRUE(parses(text)) << text;
  }
}

TEST(JsonParse, RefusesWhatItDoesNot) {
  for (const char* text : {"",
                           " ",
                           "{",
                           "}",
                           "[1,]",
                           "{\"a\":1,}",
                           "{'a':1}",
                           "{a:1}",
                           "nul",
                           "True",
                           "NaN",
                           "Infinity",
                           "// x\n1",
                           "1 2",
                           "{}{}",
                           "{} x",
                           "01",
                           "-01",
                           "00",
                           "+1",
                           "1.",
                           ".5",
                           "-",
                           "-.5",
                           "1e",
                           "1e+",
                           "1.e2",
                           "0x10",
                           "1_000",
                           "--1",
                           "1-2",
                           "\"\t\"",
                           "\"\n\"",
                           "\"\\x\"",
                           "\"\\ud800\"",
                           "\"\\u12\"",
                           "\"abc",
                           "\x01{}",
                           "{}\x01",
                           "\x0b{}",
                           "\xEF\xBB\xBF{}",
                           "[1\x0c]"}) {
    EXPECT_FALSE(parses(text)) << text;
    const auto refused = Json::parse(text);
    if (!refused) {
      EXPECT_EQ(refused.error().code, Errc::Malformed);
    }
  }
}

TEST(JsonParse, RefusesNulInEveryForm) {
  using namespace std::string_view_literals;
  EXPECT_FALSE(parses("\"a\0b\""sv));
  EXPECT_FALSE(parses("{}\0"sv));
  EXPECT_FALSE(parses(R"("a\u0000b")"));
  EXPECT_FALSE(parses(R"({"\u0000":1})"));
  EXPECT_FALSE(parses(R"("\\\u0000")"));
  EXPECT_EQ(Json::parse(R"("\\u0000")")->view().string(), "\\u0000") << "a backslash and five letters";
}

TEST(JsonParse, RefusesWhatIsNotUtf8) {
  for (const char* bytes :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xC3", "\xE0\x80\x80", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xED\xBF\xBF",
        "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xE2\x82", "\xC3\x28"}) {
    EXPECT_FALSE(parses(std::string("\"") + bytes + "\"")) << bytes;
    EXPECT_FALSE(parses(bytes));
  }
  for (const char* bytes : {"\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                            "\xEF\xBF\xBD", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(parses(std::string("\"") + bytes + "\"")) << bytes;
  }
}

TEST(JsonParse, DepthIsBounded) {
  EXPECT_TRUE(parses(std::string(100, '[') + std::string(100, ']')));
  EXPECT_FALSE(parses(std::string(100'000, '[') + std::string(100'000, ']'))) << "and the stack is not";
}

TEST(JsonNumbers, IntegersAreWholeAndExact) {
  const auto integer = [](const char* text) { return Json::parse(text)->view().integer(); };
  EXPECT_EQ(integer("0"), 0);
  EXPECT_EQ(integer("-7"), -7);
  EXPECT_EQ(integer("99999999"), 99'999'999);
  EXPECT_EQ(integer("1795290003123"), 1'795'290'003'123);
  EXPECT_EQ(integer("999999999999999"), 999'999'999'999'999);
  EXPECT_EQ(integer("-999999999999999"), -999'999'999'999'999);
  EXPECT_EQ(integer("1000000000000000"), std::nullopt) << "it would not be written as it was read";
  EXPECT_EQ(integer("1e2"), 100);
  EXPECT_EQ(integer("1.0"), 1);
  EXPECT_EQ(integer("1.5"), std::nullopt);
  EXPECT_EQ(integer("1e300"), std::nullopt);
  EXPECT_EQ(integer("1e999"), std::nullopt);
  EXPECT_EQ(integer("\"1\""), std::nullopt);
  EXPECT_EQ(integer("true"), std::nullopt);
  EXPECT_EQ(integer("null"), std::nullopt);
}

TEST(JsonNumbers, AreWrittenAsTheyWere) {
  for (const std::int64_t value :
       {std::int64_t{0}, std::int64_t{-1}, std::int64_t{99'999'999}, std::int64_t{2'147'483'648},
        std::int64_t{1'795'290'003'123}, std::int64_t{-1'795'290'003'123}, std::int64_t{999'999'999'999'999}}) {
    const std::string text = Json::integer(value).dump();
    EXPECT_EQ(Json::parse(text)->view().integer(), value) << text;
    EXPECT_EQ(text, std::to_string(value));
  }
}

TEST(JsonView, MissingIsNullAndNeverACrash) {
  const auto json = Json::parse(R"({"a":{"b":[1,"x",null]},"A":2,"":3})");
  ASSERT_TRUE(json);
  const JsonView nothing = (*json)["nothing"]["at"]["all"];
  EXPECT_FALSE(nothing.exists());
  EXPECT_FALSE(nothing.is_null() || nothing.is_object() || nothing.is_string() || nothing.is_integer() ||
               nothing.is_bool() || nothing.is_array());
  EXPECT_EQ(nothing.string(), std::nullopt);
  EXPECT_EQ(nothing.integer(), std::nullopt);
  EXPECT_EQ(nothing.boolean(), std::nullopt);
  EXPECT_EQ(nothing.size(), 0U);
  EXPECT_EQ(nothing.dump(), "null");
  EXPECT_EQ(nothing.key(), "");
  EXPECT_EQ((*json)["A"].integer(), 2) << "names are case-sensitive";
  EXPECT_EQ((*json)[""].integer(), 3);
  EXPECT_EQ((*json)["a"]["b"].size(), 3U);
  EXPECT_EQ((*json)["a"]["b"].items()[1].string(), "x");
  EXPECT_TRUE((*json)["a"]["b"].items()[2].is_null());
  EXPECT_EQ(json->view().items()[0].key(), "a");
}

TEST(JsonView, OfMembersWithTheSameNameTheFirstCounts) {
  EXPECT_EQ((*Json::parse(R"({"a":1,"a":2})"))["a"].integer(), 1);
}

TEST(JsonBuild, SetsReplacesAndEscapes) {
  Json json = Json::object();
  json.set("text", "a\"b\\c\n\x01é").set("number", 5).set("flag", true).set("nothing", nullptr);
  json.set("number", std::int64_t{6})
      .set("absent", std::optional<std::int64_t>{})
      .set("there", std::optional<std::int64_t>{7});
  Json list = Json::array();
  list.push(Json::integer(1)).push(Json::string("x"));
  json.set("list", std::move(list));
  const std::string text = json.dump();
  EXPECT_EQ(text,
            "{\"text\":\"a\\\"b\\\\c\\n\\u0001é\",\"flag\":true,\"nothing\":null,\"number\":6,\"absent\":null,"
            "\"there\":7,\"list\":[1,\"x\"]}");
  const auto again = Json::parse(text);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->dump(), text);
  EXPECT_EQ((*again)["text"].string(), "a\"b\\c\n\x01é");
  const Json copy = (*again)["list"].copy();
  EXPECT_EQ(copy.dump(), "[1,\"x\"]");
}

TEST(JsonBuild, MovesAndNullIsTheDefault) {
  Json a = Json::string("x");
  Json b = std::move(a);
  EXPECT_EQ(b.dump(), "\"x\"");
  b = Json::integer(3);
  EXPECT_EQ(b.dump(), "3");
  EXPECT_EQ(Json().dump(), "null");
}

}  // namespace
}  // namespace nightdrop
