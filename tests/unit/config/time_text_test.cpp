// RFC 3339 both ways: the contract's own examples, calendar edges, and everything that is not a date-time.
#include "nightdrop/time_text.hpp"

#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>

namespace nightdrop {
namespace {

TEST(TimeText, prints_the_contracts_examples) {
  EXPECT_EQ(rfc3339(1'795'290'003'123), "2026-11-21T19:40:03.123Z");
  EXPECT_EQ(rfc3339_local(1'795'290'003'123, -300), "2026-11-21T14:40:03-05:00");
  EXPECT_EQ(rfc3339_local(1'795'290'003'123, 345), "2026-11-22T01:25:03+05:45");
  EXPECT_EQ(rfc3339_local(0, 0), "1970-01-01T00:00:00+00:00");
}

TEST(TimeText, holds_what_is_out_of_range_at_the_edge) {
  EXPECT_EQ(rfc3339(-1), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(rfc3339(INT64_MIN), "0000-01-01T00:00:00.000Z");
  EXPECT_EQ(rfc3339(INT64_MAX), "9999-12-31T23:59:59.999Z");
}

TEST(TimeText, parses_offsets_fractions_and_the_calendar) {
  EXPECT_EQ(parse_rfc3339("2026-11-21T19:40:03.123Z"), 1'795'290'003'123);
  EXPECT_EQ(parse_rfc3339("2026-11-21T14:40:03-05:00"), 1'795'290'003'000);
  EXPECT_EQ(parse_rfc3339("2026-11-21t19:40:03.1z"), 1'795'290'003'100);
  EXPECT_EQ(parse_rfc3339("2026-11-21T19:40:03.123999999Z"), 1'795'290'003'123);
  EXPECT_EQ(parse_rfc3339("2024-02-29T00:00:00Z"), 1'709'164'800'000);
  EXPECT_EQ(parse_rfc3339("2016-12-31T23:59:60Z"), parse_rfc3339("2017-01-01T00:00:00Z"));
}

TEST(TimeText, refuses_what_is_no_date_time) {
  for (const char* text : {"",
                           "2026",
                           "2026-11-21",
                           "2026-11-21T19:40Z",
                           "2026-11-21T19:40:03",
                           "2026-11-21T19:40:03.Z",
                           "2026-13-21T19:40:03Z",
                           "2026-00-21T19:40:03Z",
                           "2025-02-29T00:00:00Z",
                           "2026-11-31T00:00:00Z",
                           "2026-11-21T24:00:00Z",
                           "2026-11-21T19:60:03Z",
                           "2026-11-21T19:40:61Z",
                           "2026-11-21T19:40:03+5:00",
                           "2026-11-21T19:40:03+24:00",
                           "2026-11-21T19:40:03+05:60",
                           "2026-11-21T19:40:03Z ",
                           "+026-11-21T19:40:03Z",
                           "26-11-21T19:40:03Z",
                           "2026-11-21X19:40:03Z",
                           "2026-11-21T19:40:03+0500"}) {
    EXPECT_EQ(parse_rfc3339(text), std::nullopt) << text;
  }
}

RC_GTEST_PROP(TimeText, every_time_comes_back, ()) {
  const auto time = *rc::gen::inRange<UtcMs>(time_text_detail::first_ms, time_text_detail::last_ms + 1);
  RC_ASSERT(parse_rfc3339(rfc3339(time)) == std::optional<UtcMs>(time));
  const int offset = *rc::gen::inRange(-1439, 1440);
  const UtcMs inner = std::clamp(time, time_text_detail::first_ms + 86'400'000, time_text_detail::last_ms - 86'400'000);
  const auto local = parse_rfc3339(rfc3339_local(inner, offset));
  RC_ASSERT(local.has_value());
  RC_ASSERT(inner - *local >= 0 && inner - *local < 1000);
}

}  // namespace
}  // namespace nightdrop
