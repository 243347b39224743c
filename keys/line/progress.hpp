// How a batch shows how far it is: a bar with rate and time left on a terminal, one line a unit elsewhere.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>

namespace nightdrop::keys {

// The bar's text: "[####----]  12/200  3.4/s  0:55 left  2 aside".
std::string progress_text(std::size_t done, std::size_t aside, std::size_t all, std::chrono::milliseconds elapsed);

class Progress {
 public:
  using Clock = std::chrono::steady_clock;
  Progress(std::FILE* out, std::size_t all, bool bar) : out_(out), all_(all), bar_(bar), begun_(Clock::now()) {}
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // A unit that is done, or set aside with a reason.
  void unit(const std::string& line, bool aside);
  // Something else worth a line.
  void note(const std::string& line);
  // Draws the bar anew: the time goes on also while no unit ends.
  void draw();

 private:
  void clear();
  std::FILE* out_;
  std::size_t all_;
  bool bar_;
  Clock::time_point begun_;
  std::size_t done_{0};
  std::size_t aside_{0};
  bool drawn_{false};
};

}  // namespace nightdrop::keys
