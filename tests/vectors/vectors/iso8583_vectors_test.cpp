// Every vector of tests/vectors/iso8583.json: the standard's field table, message types, response codes, bit maps,
// messages in three encodings there and back, and what must be refused. The file is read as it is; a list that is empty
// fails.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "acquirer/iso8583/codec.hpp"
#include "acquirer/iso8583/exchange.hpp"
#include "acquirer/iso8583/response_code.hpp"
#include "json/json.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::iso8583 {
namespace {

const Json& vectors() {
  static const Json document = [] {
    std::ifstream file(std::string(NIGHTDROP_SOURCE_DIR) + "/tests/vectors/iso8583.json");
    std::stringstream text;
    text << file.rdbuf();
    auto parsed = Json::parse(text.str());
    ND_ASSERT(parsed.has_value());
    return std::move(*parsed);
  }();
  return document;
}

std::vector<JsonView> list(std::string_view name) {
  auto items = vectors()[name].items();
  EXPECT_FALSE(items.empty()) << name;
  return items;
}

std::string text(JsonView view) {
  return std::string(view.string().value());
}
std::vector<std::uint8_t> bytes(JsonView view) {
  return from_hex(text(view)).value();
}

Profile profile_of(JsonView view) {
  const std::map<std::string, Profile> names{
      {"ascii", Profile::Ascii}, {"ascii_binbm", Profile::AsciiBinaryBitmap}, {"bcd", Profile::Bcd}};
  return names.at(text(view));
}

FieldFormat field_of(JsonView view) {
  const std::map<std::string, Kind> kinds{{"n", Kind::N},     {"nr", Kind::NRight}, {"x+n", Kind::SignedN},
                                          {"z", Kind::Z},     {"z3", Kind::Z3},     {"an", Kind::An},
                                          {"ns", Kind::Ans},  {"ans", Kind::Ans},   {"b", Kind::B},
                                          {"bh", Kind::BHex}, {"braw", Kind::BRaw}};
  const std::map<std::string, Length> lengths{{"F", Length::Fixed}, {"LL", Length::Ll}, {"LLL", Length::Lll}};
  return {.kind = kinds.at(text(view["type"])),
          .max = static_cast<std::uint16_t>(view["max"].integer().value()),
          .length = lengths.at(text(view["length"]))};
}

Format format_of(JsonView vector) {
  Format format = format_1987(profile_of(vector["profile"]));
  for (const auto& field : vector["field_overrides"].items()) {
    format.fields.at(std::stoul(std::string(field.key()))) = field_of(field);
  }
  return format;
}

// A value as the file writes it: bytes as hex.
std::string shown(const Message& message, unsigned element, const Format& format) {
  const auto kind = format.fields.at(element).kind;
  const auto value = message.value(element);
  if (kind == Kind::B || kind == Kind::BHex || kind == Kind::BRaw) return hex_upper(bytes_of(value));
  return std::string(value);
}

std::map<unsigned, std::string> all_shown(const Message& message, const Format& format) {
  std::map<unsigned, std::string> fields;
  for (unsigned element = 2; element <= last_element; ++element) {
    if (message.has(element)) fields[element] = shown(message, element, format);
  }
  return fields;
}

std::map<unsigned, std::string> expected_fields(JsonView vector) {
  std::map<unsigned, std::string> fields;
  for (const auto& field : vector["fields"].items()) {
    fields[static_cast<unsigned>(std::stoul(std::string(field.key())))] = text(field);
  }
  return fields;
}

JsonView message_vector(std::string_view id) {
  for (const auto& vector : list("messages")) {
    if (vector["id"].string() == id) return vector;
  }
  ADD_FAILURE() << "no message " << id;
  return {};
}

Message message(std::string_view id) {
  const auto vector = message_vector(id);
  auto parsed = parse(bytes(vector["hex"]), format_of(vector));
  EXPECT_TRUE(parsed.has_value()) << id;
  return std::move(parsed).value();
}

TEST(Iso8583Vectors, TheFieldTableIsTheStandards) {
  const auto table = format_1987(Profile::Bcd).fields;
  const auto spec = vectors()["facts"]["spec_1987"].items();
  ASSERT_EQ(spec.size(), 126U);
  for (const auto& line : spec) {
    SCOPED_TRACE(std::string(line.key()));
    const auto expected = field_of(line);
    const auto& field = table.at(std::stoul(std::string(line.key())));
    EXPECT_EQ(field.max, expected.max);
    EXPECT_EQ(field.length, expected.length);
    // What hosts do, and every packed vector asks for: variable digits have their padding on the right.
    const bool right = expected.kind == Kind::N && expected.length != Length::Fixed;
    EXPECT_EQ(field.kind, right ? Kind::NRight : expected.kind);
  }
}

TEST(Iso8583Vectors, MessageTypes) {
  for (const auto& vector : list("mti")) {
    const auto mti = Mti::parse(text(vector["mti"])).value();
    EXPECT_EQ(mti.text(), text(vector["mti"]));
    EXPECT_EQ(mti.meaning(), text(vector["meaning"]));
    EXPECT_EQ(mti.response().value().text(), text(vector["response"]));
    const auto repeat = mti.repeat().value();
    EXPECT_EQ(repeat.text(), text(vector["repeat"]));
    EXPECT_TRUE(repeat.is_repeat());
    EXPECT_EQ(repeat.repeat(), repeat);
    EXPECT_EQ(repeat.response(), mti.response());
    EXPECT_FALSE(mti.response()->response().has_value());
    EXPECT_FALSE(mti.response()->repeat().has_value());
  }
}

TEST(Iso8583Vectors, WhatIsNoMessageTypeIsRefused) {
  for (const char* type : {"", "020", "02000", "1200", "0000", "0900", "0240", "0206", "02a0", " 200"}) {
    EXPECT_EQ(Mti::parse(type).error().code, Errc::Malformed) << type;
  }
}

TEST(Iso8583Vectors, ResponseCodes) {
  const std::map<std::string, Outcome> outcomes{{"approve", Outcome::Approve},
                                                {"approve_partial", Outcome::ApprovePartial},
                                                {"approve_zero_amount_only", Outcome::ApproveZeroAmountOnly},
                                                {"refer", Outcome::Refer},
                                                {"decline", Outcome::Decline},
                                                {"format_error", Outcome::FormatError},
                                                {"technical", Outcome::Technical},
                                                {"duplicate", Outcome::Duplicate}};
  const std::map<std::string, Retry> retries{{"no", Retry::No},
                                             {"later", Retry::Later},
                                             {"after_fixing_data", Retry::AfterFixingData},
                                             {"never", Retry::Never}};
  const std::map<std::string, AdviceAction> actions{
      {"done", AdviceAction::Done}, {"repeat", AdviceAction::Repeat}, {"put_aside", AdviceAction::PutAside}};
  for (const auto& vector : list("de39")) {
    SCOPED_TRACE(text(vector["code"]));
    const auto* line = find_response_code(text(vector["code"]));
    ASSERT_NE(line, nullptr);
    EXPECT_EQ(line->code, text(vector["code"]));
    EXPECT_EQ(line->meaning, text(vector["meaning"]));
    EXPECT_EQ(line->outcome, outcomes.at(text(vector["outcome"])));
    EXPECT_EQ(line->capture_card, vector["capture_card"].boolean().value());
    EXPECT_EQ(line->retry, retries.at(text(vector["retry"])));
    EXPECT_EQ(line->advice_action, actions.at(text(vector["advice_action"])));
    EXPECT_EQ(line->of_scheme, text(vector["class"]) == "scheme");
  }
  EXPECT_EQ(response_codes().size(), list("de39").size());
  for (const char* code : {"", "0", "000", "ZZ", "  ", "1a"}) EXPECT_EQ(find_response_code(code), nullptr) << code;
}

TEST(Iso8583Vectors, BitMaps) {
  bool third_seen = false;
  for (const auto& vector : list("bitmaps")) {
    SCOPED_TRACE(text(vector["hex"]));
    std::vector<unsigned> expected;
    for (const auto& bit : vector["bits"].items()) expected.push_back(static_cast<unsigned>(bit.integer().value()));
    const auto read = read_bitmap(bytes(vector["hex"]));
    if (std::ranges::count(expected, 65U) != 0) {
      third_seen = true;
      ASSERT_FALSE(read.has_value());
      EXPECT_EQ(read.error().code, Errc::Malformed);
      continue;
    }
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(*read, expected);
  }
  EXPECT_TRUE(third_seen);
}

TEST(Iso8583Vectors, MessagesThereAndBack) {
  std::map<Profile, int> seen;
  for (const auto& vector : list("messages")) {
    SCOPED_TRACE(text(vector["id"]));
    const auto format = format_of(vector);
    const auto wire = bytes(vector["hex"]);
    if (vector["text"].is_string()) {
      EXPECT_EQ(hex_upper(bytes_of(text(vector["text"]))), text(vector["hex"]));
    }
    const auto parsed = parse(wire, format);
    ASSERT_TRUE(parsed.has_value()) << parsed.error().text << ", DE" << parsed.error().native;
    EXPECT_EQ(parsed->mti().text(), text(vector["mti"]));
    EXPECT_EQ(all_shown(*parsed, format), expected_fields(vector));
    const auto built = build(*parsed, format);
    ASSERT_TRUE(built.has_value()) << built.error().text << ", DE" << built.error().native;
    EXPECT_EQ(hex_upper(built->view()), text(vector["hex"]));
    ++seen[format.profile];
  }
  EXPECT_EQ(seen.size(), 3U);
}

// From values alone, not by way of parse().
TEST(Iso8583Vectors, MessagesAreBuiltFromTheirValues) {
  for (const auto& vector : list("messages")) {
    SCOPED_TRACE(text(vector["id"]));
    const auto format = format_of(vector);
    Message message(Mti::parse(text(vector["mti"])).value());
    const auto expected = expected_fields(vector);
    for (auto field = expected.rbegin(); field != expected.rend(); ++field) {  // in any order
      const auto kind = format.fields.at(field->first).kind;
      if (kind == Kind::B || kind == Kind::BHex || kind == Kind::BRaw) {
        const auto value = from_hex(field->second).value();
        message.set(field->first, {reinterpret_cast<const char*>(value.data()), value.size()});
      } else {
        message.set(field->first, field->second);
      }
    }
    const auto built = build(message, format);
    ASSERT_TRUE(built.has_value()) << built.error().text << ", DE" << built.error().native;
    EXPECT_EQ(hex_upper(built->view()), text(vector["hex"]));
  }
}

TEST(Iso8583Vectors, EveryMessageCutShortOrWithAByteMoreIsRefused) {
  for (const auto& vector : list("messages")) {
    SCOPED_TRACE(text(vector["id"]));
    const auto format = format_of(vector);
    auto wire = bytes(vector["hex"]);
    for (std::size_t size = 0; size < wire.size(); ++size) {
      const auto cut = parse(Bytes(wire).first(size), format);
      ASSERT_FALSE(cut.has_value()) << size;
      EXPECT_EQ(cut.error().code, Errc::Malformed);
    }
    wire.push_back('0');
    EXPECT_FALSE(parse(wire, format).has_value());
  }
}

// Same values, whatever the encoding; only track 2's separator shows which it was.
TEST(Iso8583Vectors, OneMessageInThreeEncodings) {
  std::map<std::string, std::vector<Message>> groups;
  for (const auto& vector : list("messages")) {
    if (!vector["same_as"].exists()) continue;
    Message parsed = message(text(vector["id"]));
    std::string track2(parsed.value(35));
    std::ranges::replace(track2, '=', 'D');
    if (parsed.has(35)) parsed.set(35, track2);
    groups[text(vector["same_as"])].push_back(std::move(parsed));
  }
  EXPECT_EQ(groups.size(), 2U);
  for (const auto& [name, messages] : groups) {
    ASSERT_EQ(messages.size(), 3U) << name;
    EXPECT_TRUE(messages[0] == messages[1]) << name;
    EXPECT_TRUE(messages[0] == messages[2]) << name;
  }
}

TEST(Iso8583Vectors, NegativeMessages) {
  std::map<std::string, int> kinds;
  for (const auto& vector : list("negative")) {
    SCOPED_TRACE(text(vector["why"]));
    ASSERT_EQ(text(vector["expect"]), "reject");
    ++kinds[text(vector["kind"])];
    const auto parsed = parse(bytes(vector["hex"]), format_of(vector));
    if (text(vector["kind"]) == "framing") {
      ASSERT_FALSE(parsed.has_value());
      EXPECT_EQ(parsed.error().code, Errc::Malformed);
      continue;
    }
    ASSERT_TRUE(parsed.has_value()) << parsed.error().text;  // its encoding is right, what it says is not
    const auto checked = check_content(*parsed);
    ASSERT_FALSE(checked.has_value());
    EXPECT_EQ(checked.error().code, Errc::Malformed);
    EXPECT_EQ(text(vector["why"]).rfind("DE" + std::to_string(checked.error().native) + " ", 0), 0U);
  }
  EXPECT_GT(kinds["framing"], 0);
  EXPECT_GT(kinds["content"], 0);
}

// What a terminal such as this one sends passes; other projects' test messages have stand-ins in them.
TEST(Iso8583Vectors, OwnMessagesHavePossibleContent) {
  int own = 0;
  for (const auto& vector : list("messages")) {
    if (text(vector["source"]) != "constructed (own reference code)") continue;
    ++own;
    const auto checked = check_content(message(text(vector["id"])));
    EXPECT_TRUE(checked.has_value()) << text(vector["id"]) << ": " << checked.error().text;
  }
  EXPECT_GT(own, 30);
}

TEST(Iso8583Vectors, ARepeatDiffersInItsTypeAlone) {
  const std::vector<std::pair<const char*, const char*>> pairs{
      {"m38", "m39"}, {"m44", "m45"}, {"m48", "m49"}, {"m56", "m57"}};
  for (const auto& [first, again] : pairs) {
    const Message original = message(first);
    const auto repeat = repeat_of(original).value();
    const auto vector = message_vector(again);
    EXPECT_EQ(hex_upper(build(repeat, format_of(vector)).value().view()), text(vector["hex"]));
    EXPECT_TRUE(is_repeat_of(original, repeat));
    EXPECT_FALSE(is_repeat_of(repeat, original));
    for (const unsigned element : kept_on_repeat) {
      Message other = repeat.copy();
      if (other.has(element)) {
        other.erase(element);
      } else {
        other.set(element, "1");
      }
      EXPECT_FALSE(is_repeat_of(original, other)) << element;
    }
    Message other = repeat.copy();
    other.erase(25);  // not what makes it the same transaction
    EXPECT_TRUE(is_repeat_of(original, other));
  }
  EXPECT_EQ(repeat_of(message("m40")).error().code, Errc::InvalidArgument);  // an answer
}

TEST(Iso8583Vectors, AnAnswerIsKnownByWhatItEchoes) {
  const std::vector<std::pair<const char*, const char*>> pairs{
      {"m38", "m40"}, {"m39", "m41"}, {"m38", "m42"}, {"m44", "m46"}, {"m45", "m47"}, {"m48", "m50"},
      {"m49", "m51"}, {"m52", "m53"}, {"m54", "m55"}, {"m56", "m58"}, {"m57", "m59"}, {"m60", "m61"}};
  for (const auto& [sent, came] : pairs) {
    SCOPED_TRACE(std::string(sent) + " " + came);
    const Message request = message(sent);
    const Message answer = message(came);
    EXPECT_TRUE(is_answer_to(request, answer));
    EXPECT_FALSE(is_answer_to(answer, request));
    for (const unsigned element : echoed_in_answer) {
      Message other = answer.copy();
      other.set(element, "1");
      EXPECT_FALSE(is_answer_to(request, other)) << element;
    }
  }
  EXPECT_FALSE(is_answer_to(message("m38"), message("m53")));
}

// Each answer's DE39 is in the table, and a decline carries no approval code.
TEST(Iso8583Vectors, OwnAnswersFollowTheTable) {
  int declines = 0;
  for (const auto& vector : list("messages")) {
    if (text(vector["source"]) != "constructed (own reference code)") continue;
    const Message answer = message(text(vector["id"]));
    if (answer.mti().is_request()) {
      const bool advice = answer.mti().text()[2] == '2';
      EXPECT_FALSE(advice && answer.has(52)) << "an advice with a PIN block: " << text(vector["id"]);
      continue;
    }
    const auto* line = find_response_code(answer.value(39));
    ASSERT_NE(line, nullptr) << text(vector["id"]);
    if (line->outcome != Outcome::Decline) continue;
    ++declines;
    EXPECT_FALSE(answer.has(38)) << text(vector["id"]);
  }
  EXPECT_GT(declines, 0);
}

TEST(Iso8583Vectors, AReversalPointsAtItsOriginal) {
  Message sale = message("m52");
  EXPECT_EQ(original_data(sale).value(), message("m54").value(90));
  EXPECT_EQ(original_data(sale).value(), message("m56").value(90));
  EXPECT_EQ(replacement_amounts(700).value(), message("m56").value(95));
  EXPECT_EQ(replacement_amounts(999'999'999'999).value().size(), 42U);
  EXPECT_EQ(replacement_amounts(1'000'000'000'000).error().code, Errc::InvalidArgument);
  sale.set(33, "123456789012");
  EXPECT_EQ(original_data(sale).error().native, 33);
  sale.erase(11);
  EXPECT_EQ(original_data(sale).error().native, 11);
}

TEST(Iso8583Vectors, PackedLengthsAndPadding) {
  Format format = format_1987(Profile::Bcd);
  Message message(Mti::parse("0200").value());
  const auto wire = [&] { return hex_upper(build(message, format).value().view()).substr(20); };
  message.set(2, "378282246310005");  // odd and variable: padded on the right
  message.set(22, "051");             // odd and fixed: on the left
  EXPECT_EQ(wire(),
            "15"
            "3782822463100050"
            "0051");
  message.erase(2);
  format.fields[55] = {.kind = Kind::BRaw, .max = 999, .length = Length::Lll};
  message.set(55, "\x9F\x26");
  EXPECT_EQ(wire(),
            "0051"
            "0002"
            "9F26");  // LLL is two bytes
  format.fields[55].kind = Kind::BHex;
  EXPECT_EQ(wire(),
            "0051"
            "0004"
            "39463236");  // hex: the length counts characters
  message.set(35, "4242424242424242=2712201");
  message.erase(55);
  EXPECT_EQ(wire(),
            "0051"
            "24"
            "4242424242424242D2712201");
}

TEST(Iso8583Vectors, PaddingThatIsNotZeroIsRefused) {
  const Format format = format_1987(Profile::Bcd);
  const auto error_of = [&](const char* hex) { return parse(from_hex(hex).value(), format).error().native; };
  EXPECT_TRUE(parse(from_hex("0200000004000000000000"
                             "51")
                        .value(),
                    format)
                  .has_value());
  EXPECT_EQ(error_of("0200000004000000000010"
                     "51"),
            22);
  EXPECT_TRUE(parse(from_hex("02004000000000000000"
                             "03"
                             "1230")
                        .value(),
                    format)
                  .has_value());
  EXPECT_EQ(error_of("02004000000000000000"
                     "03"
                     "1231"),
            2);
  EXPECT_EQ(error_of("02004000000000000000"
                     "03"
                     "123F"),
            2);
  EXPECT_EQ(error_of("02004000000000000000"
                     "02"
                     "1D"),
            2);  // only a track has a separator
  EXPECT_EQ(error_of("02000000000000000200"
                     "1004"
                     "31323334"),
            55);  // LLL's fourth digit
}

TEST(Iso8583Vectors, AValueItsFormatDoesNotAllowIsNotBuilt) {
  const std::vector<std::pair<unsigned, std::string>> values{{2, "42424242424242424242"},
                                                             {2, "4242 4242"},
                                                             {3, "12345"},
                                                             {3, "1234567"},
                                                             {28, "X00000100"},
                                                             {28, ""},
                                                             {35, "4242424242424242"},
                                                             {35, "4242=27=1"},
                                                             {37, "12345678901!"},
                                                             {41, "1234567\n"},
                                                             {52, "1234567"},
                                                             {65, "x"}};
  for (const auto& [element, value] : values) {
    Message message(Mti::parse("0200").value());
    message.set(element, value);
    const auto built = build(message, format_1987(Profile::Ascii));
    ASSERT_FALSE(built.has_value()) << element;
    EXPECT_EQ(built.error().code, Errc::InvalidArgument);
    EXPECT_EQ(built.error().native, static_cast<int>(element));
  }
}

TEST(Iso8583Vectors, HexIsUpperCase) {
  const auto format = format_1987(Profile::Ascii);
  EXPECT_TRUE(parse(bytes_of("0800000000000000100001234567890ABCDE"), format).has_value());
  EXPECT_EQ(parse(bytes_of("0800000000000000100001234567890abcde"), format).error().native, 52);
}

TEST(Iso8583Vectors, AnEmptySecondBitMapIsKept) {
  const auto format = format_1987(Profile::Ascii);
  const std::string wire = "0800A0000000000000000000000000000000990000";
  const auto parsed = parse(bytes_of(wire), format);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_TRUE(parsed->has(1));
  EXPECT_EQ(hex_upper(build(*parsed, format).value().view()), hex_upper(bytes_of(wire)));
}

}  // namespace
}  // namespace nightdrop::iso8583
