// JSON for any value: what is built is read back the same, and what is written is stable.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "json/json.hpp"

namespace nightdrop {
namespace {

// Any Unicode text but NUL.
std::string any_text() {
  std::string text;
  const int length = *rc::gen::inRange(0, 12);
  for (int i = 0; i < length; ++i) {
    const auto point = *rc::gen::oneOf(
        rc::gen::inRange<std::uint32_t>(1, 0x80), rc::gen::inRange<std::uint32_t>(0x80, 0x800),
        rc::gen::inRange<std::uint32_t>(0x800, 0xD800), rc::gen::inRange<std::uint32_t>(0xE000, 0x110000));
    const auto put = [&text](std::uint32_t byte) { text.push_back(static_cast<char>(byte)); };
    if (point < 0x80) {
      put(point);
    } else if (point < 0x800) {
      put(0xC0 | point >> 6), put(0x80 | (point & 0x3F));
    } else if (point < 0x10000) {
      put(0xE0 | point >> 12), put(0x80 | (point >> 6 & 0x3F)), put(0x80 | (point & 0x3F));
    } else {
      put(0xF0 | point >> 18), put(0x80 | (point >> 12 & 0x3F)), put(0x80 | (point >> 6 & 0x3F)),
          put(0x80 | (point & 0x3F));
    }
  }
  return text;
}

Json any_json(int depth) {
  switch (*rc::gen::inRange(0, depth > 0 ? 6 : 4)) {
    case 0: return Json::null();
    case 1: return Json::boolean(*rc::gen::arbitrary<bool>());
    case 2: return Json::integer(*rc::gen::inRange<std::int64_t>(-999'999'999'999'999, 1'000'000'000'000'000));
    case 3: return Json::string(any_text());
    case 4: {
      Json list = Json::array();
      for (int i = *rc::gen::inRange(0, 4); i > 0; --i) list.push(any_json(depth - 1));
      return list;
    }
    default: {
      Json object = Json::object();
      for (int i = *rc::gen::inRange(0, 4); i > 0; --i) object.set(any_text(), any_json(depth - 1));
      return object;
    }
  }
}

RC_GTEST_PROP(JsonProperties, WhatIsWrittenIsReadBack, ()) {
  const Json json = any_json(4);
  const std::string text = json.dump();
  const auto again = Json::parse(text);
  RC_ASSERT(again.has_value());
  RC_ASSERT(again->dump() == text);
  const auto pretty = Json::parse(json.view().dump_pretty());
  RC_ASSERT(pretty.has_value());
  RC_ASSERT(pretty->dump() == text);
  RC_ASSERT(json.view().copy().dump() == text);
}

RC_GTEST_PROP(JsonProperties, StringsAndIntegersAreExact, ()) {
  const std::string text = any_text();
  const auto number = *rc::gen::inRange<std::int64_t>(-999'999'999'999'999, 1'000'000'000'000'000);
  const auto again = Json::parse(std::move(Json::object().set("t", text).set("n", number)).dump());
  RC_ASSERT(again.has_value());
  RC_ASSERT((*again)["t"].string() == text);
  RC_ASSERT((*again)["n"].integer() == number);
}

RC_GTEST_PROP(JsonProperties, DamagedTextIsRefusedOrReadWhole, ()) {
  std::string text = any_json(3).dump();
  for (int i = *rc::gen::inRange(1, 4); i > 0 && !text.empty(); --i) {
    const auto at = *rc::gen::inRange<std::size_t>(0, text.size());
    if (*rc::gen::arbitrary<bool>()) {
      text[at] = static_cast<char>(*rc::gen::arbitrary<std::uint8_t>());
    } else {
      text.erase(at, 1);
    }
  }
  const auto again = Json::parse(text);
  if (!again) return;
  const auto stable = Json::parse(again->dump());
  RC_ASSERT(stable.has_value());
  RC_ASSERT(stable->dump() == again->dump());
}

}  // namespace
}  // namespace nightdrop
