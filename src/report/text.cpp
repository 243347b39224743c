// Laying out text, see text.hpp.
#include "report/text.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "nightdrop/time_text.hpp"

namespace nightdrop::report {
namespace {

bool continues(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

// The bytes of the UTF-8 character at `at`; 0 if there is none.
std::size_t character_size(std::string_view text, std::size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  const std::size_t size = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
  if (size == 0 || at + size > text.size()) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if (!continues(text[at + i])) return 0;
  }
  return size;
}

// C1 controls, and the characters that reorder or hide text.
bool is_hidden(std::string_view character) {
  if (character.size() == 2) return character[0] == '\xC2' && static_cast<unsigned char>(character[1]) < 0xA0;
  if (character.size() != 3 || character[0] != '\xE2') return false;
  const auto second = static_cast<unsigned char>(character[1]);
  const auto third = static_cast<unsigned char>(character[2]);
  return (second == 0x80 && ((third >= 0x8B && third <= 0x8F) || (third >= 0xA8 && third <= 0xAE))) ||
         (second == 0x81 && third >= 0xA0 && third <= 0xAF);
}

// The byte where column `column` begins.
std::size_t byte_of_column(std::string_view text, std::size_t column) {
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    if (continues(text[at])) continue;
    if (column-- == 0) break;
  }
  return at;
}

using Words = std::pair<std::string_view, std::string_view>;

template <std::size_t N>
std::string_view find(const std::array<Words, N>& table, std::string_view key, std::string_view otherwise) {
  const auto found = std::ranges::find(table, key, &Words::first);
  return found == table.end() ? otherwise : found->second;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string safe;
  safe.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = character_size(text, at);
    const std::string_view character = text.substr(at, std::max<std::size_t>(size, 1));
    const bool control = size == 1 && (static_cast<unsigned char>(character[0]) < 0x20 || character[0] == 0x7F);
    safe += size == 0 || control || is_hidden(character) ? "?" : character;
    at += character.size();
  }
  return safe;
}

std::size_t display_width(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return !continues(c); }));
}

std::string clipped(std::string_view text, std::size_t width) {
  if (display_width(text) <= width) return std::string(text);
  if (width == 0) return {};
  return std::string(text.substr(0, byte_of_column(text, width - 1))) + "…";
}

std::string left(std::string_view text, std::size_t width) {
  const std::size_t used = display_width(text);
  return std::string(text) + std::string(width > used ? width - used : 0, ' ');
}

std::string right(std::string_view text, std::size_t width) {
  const std::size_t used = display_width(text);
  return std::string(width > used ? width - used : 0, ' ') + std::string(text);
}

std::string centred(std::string_view text, std::size_t width) {
  const std::size_t used = display_width(text);
  return std::string(width > used ? (width - used) / 2 : 0, ' ') + std::string(text);
}

std::vector<std::string> wrapped(std::string_view text, std::size_t width) {
  width = std::max<std::size_t>(width, 1);
  std::vector<std::string> lines{""};
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    std::string_view word = text.substr(at, end - at);
    at = end + 1;
    if (word.empty()) continue;
    const std::size_t needed = display_width(word) + (lines.back().empty() ? 0 : 1);
    if (display_width(lines.back()) + needed > width && !lines.back().empty()) lines.emplace_back();
    if (!lines.back().empty()) lines.back() += ' ';
    while (display_width(word) > width) {
      const std::size_t cut = byte_of_column(word, width);
      lines.back() += word.substr(0, cut);
      lines.emplace_back();
      word.remove_prefix(cut);
    }
    lines.back() += word;
  }
  return lines;
}

std::string repeated(std::string_view text, std::size_t count) {
  std::string all;
  all.reserve(text.size() * count);
  for (std::size_t i = 0; i < count; ++i) all += text;
  return all;
}

std::string toned(std::string_view text, Tone tone, const Style& style) {
  if (!style.colour || tone == Tone::Plain || text.empty()) return std::string(text);
  const char* code = tone == Tone::Strong    ? "\x1b[1m"
                     : tone == Tone::Dim     ? "\x1b[2m"
                     : tone == Tone::Good    ? "\x1b[32m"
                     : tone == Tone::Warning ? "\x1b[33m"
                                             : "\x1b[31m";
  return code + std::string(text) + "\x1b[0m";
}

std::string local_time(UtcMs time, const Style& style, bool seconds) {
  std::string text = rfc3339_local(time, style.utc_offset_minutes(time)).substr(0, seconds ? 19 : 16);
  text[10] = ' ';
  return text;
}

std::string duration(UtcMs span) {
  const std::int64_t s = std::max<std::int64_t>(span, 0) / 1000;
  const auto two = [](std::int64_t a, const char* a_unit, std::int64_t b, const char* b_unit) {
    return std::to_string(a) + a_unit + (b == 0 ? std::string() : ' ' + std::to_string(b) + b_unit);
  };
  if (s < 60) return std::to_string(s) + " s";
  if (s < 3600) return two(s / 60, " min", s % 60, " s");
  if (s < 86'400) return two(s / 3600, " h", s % 3600 / 60, " min");
  return two(s / 86'400, " d", s % 86'400 / 3600, " h");
}

std::string relative(UtcMs time, UtcMs now) {
  const UtcMs ahead = time - now;
  if (ahead > -1000 && ahead < 1000) return "now";
  return ahead > 0 ? "in " + duration(ahead) : duration(-ahead) + " ago";
}

std::string bar(std::int64_t used, std::int64_t cap, std::size_t width) {
  const double share = cap <= 0 ? 1.0 : std::clamp(static_cast<double>(used) / static_cast<double>(cap), 0.0, 1.0);
  auto filled = static_cast<std::size_t>(share * static_cast<double>(width));
  if (filled == 0 && used > 0) filled = 1;  // something is there
  return '[' + std::string(filled, '#') + std::string(width - filled, '.') + ']';
}

std::string_view status_text(std::string_view status) {
  static constexpr auto table = std::to_array<Words>({
      {"requires_payment_method", "waits for a card"},
      {"requires_confirmation", "waits for confirmation"},
      {"requires_approval", "waits for a manager"},
      {"processing", "in progress"},
      {"stored", "stored, not authorized"},
      {"forwarding", "sending, not authorized"},
      {"succeeded", "approved"},
      {"declined", "declined"},
      {"expired", "expired, never sent"},
      {"canceled", "canceled"},
      {"requires_review", "needs review"},
  });
  return find(table, status, status);
}

Tone status_tone(std::string_view status) {
  if (status == "succeeded") return Tone::Good;
  if (status == "declined" || status == "expired" || status == "requires_review") return Tone::Bad;
  if (status == "canceled" || status == "requires_payment_method") return Tone::Dim;
  return Tone::Warning;
}

std::string brand_text(std::string_view brand) {
  static constexpr auto table = std::to_array<Words>({
      {"visa", "Visa"},
      {"mastercard", "Mastercard"},
      {"amex", "American Express"},
      {"discover", "Discover"},
      {"unionpay", "UnionPay"},
      {"jcb", "JCB"},
      {"maestro", "Maestro"},
      {"eftpos", "eftpos"},
      {"cartes_bancaires", "Cartes Bancaires"},
      {"girocard", "girocard"},
      {"interac", "Interac"},
      {"nyce", "NYCE"},
      {"pulse", "PULSE"},
      {"star", "STAR"},
      {"unknown", "Card"},
  });
  return printable(find(table, brand, brand));
}

std::string read_method_text(std::string_view read_method) {
  static constexpr auto table = std::to_array<Words>({
      {"contact_emv", "Chip"},
      {"contactless_emv", "Contactless"},
      {"magnetic_stripe_track2", "Swiped"},
      {"magnetic_stripe_fallback", "Swiped (chip failed)"},
      {"keyed", "Keyed"},
  });
  return printable(find(table, read_method, read_method));
}

}  // namespace nightdrop::report
