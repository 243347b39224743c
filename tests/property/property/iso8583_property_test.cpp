// Properties of the ISO 8583 codec in every encoding: what is built is read back, what is read builds the same bytes,
// and no bytes, random, mutated or cut short, make the parser crash or read past their end.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <memory>

#include "acquirer/iso8583/codec.hpp"
#include "acquirer/iso8583/exchange.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::iso8583 {
namespace {

using Buffer = std::vector<std::uint8_t>;

Format any_format() {
  Format format = format_1987(*rc::gen::element(Profile::Ascii, Profile::AsciiBinaryBitmap, Profile::Bcd));
  format.fields[55].kind = *rc::gen::element(Kind::Ans, Kind::BHex, Kind::BRaw);
  for (const unsigned element : {2U, 32U, 33U, 99U, 100U}) {
    format.fields.at(element).kind = *rc::gen::element(Kind::N, Kind::NRight);
  }
  return format;
}

char any_of(std::string_view characters) {
  return characters[*rc::gen::inRange<std::size_t>(0, characters.size())];
}

std::string any_text(std::string_view characters, std::size_t size) {
  std::string text;
  while (text.size() < size) text += any_of(characters);
  return text;
}

std::string any_value(const FieldFormat& field) {
  constexpr std::string_view digits = "0123456789";
  constexpr std::string_view letters = "0123456789ABCXYZabcxyz ";
  constexpr std::string_view printable = " !\"#$%&'()*+,-./0123456789:;<=>?@AMZ[]^_`amz{|}~";
  const std::size_t most = std::min<std::size_t>(field.max, 40);
  const std::size_t size = field.length == Length::Fixed ? field.max : *rc::gen::inRange<std::size_t>(0, most + 1);
  switch (field.kind) {
    case Kind::N:
    case Kind::NRight: return any_text(digits, size);
    case Kind::SignedN: return any_of("CD0") + any_text(digits, size - 1);
    case Kind::Z: {
      std::string track = any_text(digits, size);
      if (size > 0) track[*rc::gen::inRange<std::size_t>(0, size)] = 'D';
      return track;
    }
    case Kind::An: return any_text(letters, size);
    case Kind::Z3:
    case Kind::Ans: return any_text(printable, size);
    case Kind::B:
    case Kind::BRaw:
    case Kind::BHex: {
      const auto bytes = *rc::gen::container<Buffer>(size, rc::gen::arbitrary<std::uint8_t>());
      return {bytes.begin(), bytes.end()};
    }
    case Kind::None: break;
  }
  return {};
}

Message any_message(const Format& format) {
  std::string type = "0000";
  type[1] = any_of("12345678");
  type[2] = any_of("0123");
  type[3] = any_of("012345");
  Message message(Mti::parse(type).value());
  const auto count = *rc::gen::inRange(0, 12);
  for (int i = 0; i < count; ++i) {
    const auto element = *rc::gen::inRange(2U, last_element + 1);
    if (format.fields.at(element).kind != Kind::None) message.set(element, any_value(format.fields.at(element)));
  }
  return message;
}

Buffer any_wire(const Format& format) {
  const auto built = build(any_message(format), format).value();
  return {built.view().begin(), built.view().end()};
}

// Whatever the bytes: an error that says so, or a message that builds them again. On a heap block of the exact size, so
// that AddressSanitizer sees an overread.
void exercise(const Buffer& bytes, const Format& format) {
  const auto block = std::make_unique<std::uint8_t[]>(bytes.size());
  std::ranges::copy(bytes, block.get());
  const auto parsed = parse({block.get(), bytes.size()}, format);
  if (!parsed) {
    RC_ASSERT(parsed.error().code == Errc::Malformed);
    RC_ASSERT(parsed.error().native >= 0 && parsed.error().native <= static_cast<int>(last_element));
    return;
  }
  const auto again = build(*parsed, format);
  RC_ASSERT(again.has_value());
  RC_ASSERT(std::ranges::equal(again->view(), bytes));
  static_cast<void>(check_content(*parsed));
  static_cast<void>(original_data(*parsed));
}

RC_GTEST_PROP(Iso8583Property, WhatIsBuiltIsReadBack, ()) {
  const auto format = any_format();
  const auto message = any_message(format);
  const auto wire = build(message, format);
  RC_ASSERT(wire.has_value());
  const auto parsed = parse(wire->view(), format);
  RC_ASSERT(parsed.has_value());
  RC_ASSERT(*parsed == message);
  RC_ASSERT(message.copy() == message);
}

RC_GTEST_PROP(Iso8583Property, AnyBytesAreSafe, (const Buffer& bytes)) {
  exercise(bytes, any_format());
}

// Random bytes seldom get past the message type: these do.
RC_GTEST_PROP(Iso8583Property, AnyBitMapAndBodyAreSafe, (const Buffer& body)) {
  Format format = any_format();
  format.profile = *rc::gen::element(Profile::AsciiBinaryBitmap, Profile::Bcd);
  Buffer wire = format.profile == Profile::Bcd ? Buffer{0x02, 0x00} : Buffer{'0', '2', '0', '0'};
  wire.insert(wire.end(), body.begin(), body.end());
  exercise(wire, format);
}

RC_GTEST_PROP(Iso8583Property, EveryMutationIsSafe, ()) {
  const auto format = any_format();
  Buffer wire = any_wire(format);
  const auto times = *rc::gen::inRange(1, 4);
  for (int i = 0; i < times; ++i) {
    const auto at = *rc::gen::inRange<std::size_t>(0, wire.size());
    switch (*rc::gen::inRange(0, 4)) {
      case 0: wire[at] = *rc::gen::arbitrary<std::uint8_t>(); break;
      case 1: wire[at] = static_cast<std::uint8_t>(any_of("0123456789ABCDEF")); break;
      case 2: wire[at] = static_cast<std::uint8_t>(wire[at] ^ 1U << *rc::gen::inRange(0U, 8U)); break;
      default: wire.insert(wire.begin() + static_cast<std::ptrdiff_t>(at), '9'); break;
    }
  }
  exercise(wire, format);
}

RC_GTEST_PROP(Iso8583Property, WhatIsCutShortOrTooLongIsRefused, ()) {
  const auto format = any_format();
  Buffer wire = any_wire(format);
  const auto cut = *rc::gen::inRange<std::size_t>(0, wire.size());
  RC_ASSERT(!parse(Bytes(wire).first(cut), format).has_value());
  wire.push_back(*rc::gen::arbitrary<std::uint8_t>());
  RC_ASSERT(!parse(wire, format).has_value());
}

RC_GTEST_PROP(Iso8583Property, ARepeatOnTheWireDiffersInItsTypeAlone, ()) {
  const auto format = any_format();
  const auto message = any_message(format);
  RC_PRE(message.mti().is_request());
  const auto first = build(message, format).value();
  const auto again = build(repeat_of(message).value(), format).value();
  const std::size_t type_size = format.profile == Profile::Bcd ? 2 : 4;
  RC_ASSERT(std::ranges::equal(first.view().subspan(type_size), again.view().subspan(type_size)));
}

// Values that replace others, also by themselves, and memory that grows.
RC_GTEST_PROP(Iso8583Property, AMessageKeepsWhatItWasGiven, ()) {
  Message message;
  std::map<unsigned, std::string> expected;
  const auto steps = *rc::gen::inRange(0, 60);
  for (int i = 0; i < steps; ++i) {
    const auto element = *rc::gen::inRange(2U, 12U);
    switch (*rc::gen::inRange(0, 4)) {
      case 0: {
        message.erase(element);
        expected.erase(element);
        break;
      }
      case 1: {  // out of its own memory
        const auto from = *rc::gen::inRange(2U, 12U);
        const std::string value(message.value(from));
        message.set(element, message.value(from));
        expected[element] = value;
        break;
      }
      default: {
        const auto value = any_text("0123456789", *rc::gen::inRange<std::size_t>(0, 400));
        message.set(element, value);
        expected[element] = value;
      }
    }
  }
  for (unsigned element = 2; element < 12; ++element) {
    RC_ASSERT(message.has(element) == expected.contains(element));
    if (message.has(element)) RC_ASSERT(message.value(element) == expected[element]);
  }
}

// The memory stays mapped as long as the message does.
TEST(Iso8583Property, WhatIsReplacedOrErasedIsWiped) {
  Message message;
  const auto first = message.make(2, 16);
  std::ranges::fill(first, '4');
  message.set(2, "1");
  EXPECT_EQ(std::ranges::count(first, 0), 16);
  const auto second = message.make(35, 20);
  std::ranges::fill(second, '4');
  message.erase(35);
  EXPECT_EQ(std::ranges::count(second, 0), 20);
}

}  // namespace
}  // namespace nightdrop::iso8583
