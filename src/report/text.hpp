// Text for people: how it is to look, and the small moves of laying it out. Widths count characters of UTF-8, one
// column each. What comes from outside passes printable() first, so that no name or note can steer a terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "nightdrop/payment.hpp"

namespace nightdrop::report {

enum class Tone : std::uint8_t { Plain, Strong, Dim, Good, Warning, Bad };

// How a text is to look: the terminal's width, whether colours may be used, what time it is and where.
struct Style {
  std::size_t width{80};
  bool colour{false};
  UtcMs now{0};
  // Minutes east of Greenwich at a time; for local times in what people read.
  int (*utc_offset_minutes)(UtcMs) = [](UtcMs) { return 0; };
};

// The text with control characters (C0, C1, DEL) and bytes that are no UTF-8 as '?'.
std::string printable(std::string_view text);

// The columns that the text takes. Requires: no control or escape sequences.
std::size_t display_width(std::string_view text);
// The first `width` columns, with … as the last where something was cut.
std::string clipped(std::string_view text, std::size_t width);
// Filled up with spaces to `width` columns; longer text stays as it is.
std::string left(std::string_view text, std::size_t width);
std::string right(std::string_view text, std::size_t width);
std::string centred(std::string_view text, std::size_t width);
// Broken at spaces into lines of at most `width` columns; longer words are cut. Never empty.
std::vector<std::string> wrapped(std::string_view text, std::size_t width);
// The text repeated.
std::string repeated(std::string_view text, std::size_t count);

// The text in the tone's colour, or as it is without colours.
std::string toned(std::string_view text, Tone tone, const Style& style);

// The local time as 2026-11-21 14:40, with seconds on demand.
std::string local_time(UtcMs time, const Style& style, bool seconds = false);
// A span of time in its two largest units: 2 h 10 min, 3 d 4 h, 45 s.
std::string duration(UtcMs span);
// "in 21 h 50 min", "2 h 10 min ago", "now".
std::string relative(UtcMs time, UtcMs now);

// A bar for a share of a cap: [######..............]
std::string bar(std::int64_t used, std::int64_t cap, std::size_t width);

// The terminal's word of a status, for people and with its tone: "stored, not authorized".
std::string_view status_text(std::string_view status);
Tone status_tone(std::string_view status);
// "mastercard" -> "Mastercard", "contactless_emv" -> "Contactless", as a receipt says it.
std::string brand_text(std::string_view brand);
std::string read_method_text(std::string_view read_method);

}  // namespace nightdrop::report
