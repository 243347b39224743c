// The voice of the story: chapters, short lines, tables as they come from src/report, and on a terminal one live line
// that rewrites itself. Colours and pauses on a terminal alone.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "report/text.hpp"

namespace nightdrop::simulator {

class Narrator {
 public:
  // Requires: `descriptor` is open. `fast`: no pauses.
  Narrator(int descriptor, bool fast);

  const report::Style& style();
  bool live() const { return terminal_; }

  void title(std::string_view name, std::string_view about);
  void chapter(std::string_view name);
  // A line of the story, wrapped and indented.
  void say(std::string_view text, report::Tone tone = report::Tone::Plain);
  // A line that begins with a mark: ✓ ✗ · in its tone.
  void mark(std::string_view sign, report::Tone tone, std::string_view text);
  // What follows from the line above.
  void then(std::string_view text, report::Tone tone = report::Tone::Dim);
  // Lines that are laid out already; indented by two.
  void block(std::string_view lines);
  void blank();
  // The live line; nothing where there is no terminal.
  void progress(std::string_view text);
  // A moment for the eye.
  void pause(std::chrono::milliseconds time);
  // Of the text of blocks.
  std::size_t width() { return style().width - 2; }

 private:
  void write(std::string_view text);
  void wrapped(std::string_view first, std::string_view text, report::Tone tone);

  int descriptor_;
  bool terminal_;
  bool fast_;
  bool progress_shown_{false};
  report::Style style_;
};

}  // namespace nightdrop::simulator
