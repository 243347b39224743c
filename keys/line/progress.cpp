// The progress bar; see progress.hpp.
#include "keys/line/progress.hpp"

#include <fmt/format.h>

namespace nightdrop::keys {
namespace {

constexpr std::size_t bar_width = 24;

}  // namespace

std::string progress_text(std::size_t done, std::size_t aside, std::size_t all, std::chrono::milliseconds elapsed) {
  const std::size_t filled = all == 0 ? bar_width : done * bar_width / all;
  const double seconds = static_cast<double>(elapsed.count()) / 1000.0;
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0.0;
  std::string left = "-:--";
  if (rate > 0) {
    const auto whole = static_cast<std::int64_t>(static_cast<double>(all - done) / rate + 0.5);
    left = fmt::format("{}:{:02}", whole / 60, whole % 60);
  }
  std::string text =
      fmt::format("[{}{}] {:>{}}/{}  {:.1f}/s  {} left", std::string(filled, '#'), std::string(bar_width - filled, '-'),
                  done, std::to_string(all).size(), all, rate, left);
  if (aside > 0) text += fmt::format("  {} aside", aside);
  return text;
}

void Progress::clear() {
  if (!drawn_) return;
  std::fputs("\r\x1B[K", out_);
  drawn_ = false;
}

void Progress::draw() {
  if (!bar_) return;
  const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begun_);
  std::fprintf(out_, "\r%s\x1B[K", progress_text(done_, aside_, all_, elapsed).c_str());
  std::fflush(out_);
  drawn_ = true;
}

void Progress::unit(const std::string& line, bool aside) {
  ++done_;
  if (aside) ++aside_;
  if (!bar_ || aside) note(line);  // beside a bar only what went wrong is worth a line
  draw();
}

void Progress::note(const std::string& line) {
  clear();
  std::fprintf(out_, "%s\n", line.c_str());
  std::fflush(out_);
}

}  // namespace nightdrop::keys
