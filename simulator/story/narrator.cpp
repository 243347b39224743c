#include "simulator/story/narrator.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <ctime>

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace nightdrop::simulator {
namespace {

constexpr std::size_t width_least = 60;
constexpr std::size_t width_most = 100;  // longer lines are hard to read
constexpr std::size_t indent = 2;

std::size_t width_of(int descriptor) {
  winsize size{};
  std::size_t width = 80;
  if (::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) width = size.ws_col;
  return std::clamp(width, width_least, width_most);
}

bool has_colours(int descriptor) {
  const char* refused = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return (refused == nullptr || *refused == '\0') && ::isatty(descriptor) == 1 &&
         !(terminal != nullptr && std::string_view(terminal) == "dumb");
}

UtcMs now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

int local_offset_minutes(UtcMs time) {
  const std::time_t seconds = time / 1000;
  std::tm local{};
  return ::localtime_r(&seconds, &local) == nullptr ? 0 : static_cast<int>(local.tm_gmtoff / 60);
}

}  // namespace

Narrator::Narrator(int descriptor, bool fast)
    : descriptor_(descriptor),
      terminal_(::isatty(descriptor) == 1),
      fast_(fast),
      style_{.width = width_of(descriptor),
             .colour = has_colours(descriptor),
             .now = now_ms(),
             .utc_offset_minutes = &local_offset_minutes} {}

const report::Style& Narrator::style() {
  style_.now = now_ms();
  return style_;
}

void Narrator::title(std::string_view name, std::string_view about) {
  write("\n  " + report::toned(name, report::Tone::Strong, style_) + "\n");
  wrapped("  ", about, report::Tone::Dim);
}

void Narrator::chapter(std::string_view name) {
  pause(std::chrono::milliseconds(1'800));
  const std::size_t used = report::display_width(name) + 4;
  const std::string rule = report::repeated("─", style_.width > used ? style_.width - used : 0);
  write("\n" + report::toned("── ", report::Tone::Dim, style_) + report::toned(name, report::Tone::Strong, style_) +
        " " + report::toned(rule, report::Tone::Dim, style_) + "\n");
  pause(std::chrono::milliseconds(300));
}

void Narrator::say(std::string_view text, report::Tone tone) {
  wrapped("  ", text, tone);
}

void Narrator::mark(std::string_view sign, report::Tone tone, std::string_view text) {
  wrapped("  " + report::toned(sign, tone, style_) + " ", text, report::Tone::Plain);
  pause(std::chrono::milliseconds(200));
}

void Narrator::then(std::string_view text, report::Tone tone) {
  wrapped("      ", text, tone);
}

void Narrator::block(std::string_view lines) {
  std::string out;
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    if (end > 0) out += std::string(indent, ' ');
    out += std::string(lines.substr(0, end)) + '\n';
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  write(out);
}

void Narrator::blank() {
  write("\n");
}

void Narrator::progress(std::string_view text) {
  if (!terminal_) return;
  const std::string line = "\r\x1b[K  " + report::clipped(text, style_.width - indent - 1);
  progress_shown_ = false;  // it takes the place of itself
  write(line);
  progress_shown_ = true;
}

void Narrator::pause(std::chrono::milliseconds time) {
  if (terminal_ && !fast_) ::poll(nullptr, 0, static_cast<int>(time.count()));
}

void Narrator::wrapped(std::string_view first, std::string_view text, report::Tone tone) {
  // Colours take no columns: what is before the text is two or four wide, or six of spaces.
  const std::size_t column = first.find_first_not_of(' ') == std::string_view::npos ? first.size() : 4;
  std::string out;
  for (const std::string& line : report::wrapped(text, style_.width - column)) {
    out += (out.empty() ? std::string(first) : std::string(column, ' ')) + report::toned(line, tone, style_) + '\n';
  }
  write(out);
}

void Narrator::write(std::string_view text) {
  std::string all;
  if (progress_shown_) all = "\r\x1b[K";
  progress_shown_ = false;
  all += text;
  for (std::string_view rest = all; !rest.empty();) {
    const ssize_t count = ::write(descriptor_, rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return;  // nobody reads any more; the proof is made all the same
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
}

}  // namespace nightdrop::simulator
