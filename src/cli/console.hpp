// The terminal: results on standard output; progress, questions and complaints on standard error. Colours only on a
// terminal and without NO_COLOR. A progress line rewrites itself on a terminal and is a plain line a change elsewhere.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "report/text.hpp"

namespace nightdrop::cli {

class Console {
 public:
  Console(bool json, bool no_color);

  bool json() const { return json_; }
  // Whether a person can be asked: standard input and error are a terminal.
  bool can_ask() const { return can_ask_; }
  // How text on standard output is to look now.
  report::Style style() const;

  void out(std::string_view text);
  // A line for the person, on standard error.
  void say(std::string_view line, report::Tone tone = report::Tone::Plain);
  // `nightdrop: …` on standard error.
  void complain(std::string_view line);
  // What is going on: replaces the previous line on a terminal, is printed when it changed elsewhere.
  void progress(std::string_view line);
  void end_progress();

  // Asks on the terminal. Errors: nothing when nobody answers.
  std::optional<std::string> ask(std::string_view question);
  // Asks for a PIN without showing it, from the terminal, or from the first line of standard input.
  // Ensures: digits alone, 4 to 12 of them. The caller wipes it.
  std::optional<std::string> ask_pin(std::string_view question);
  std::optional<std::string> read_pin_line();

 private:
  report::Style error_style() const;

  bool json_;
  bool colour_out_{false};
  bool colour_error_{false};
  bool error_is_terminal_{false};
  bool can_ask_{false};
  std::string progress_;
};

// Whether SIGINT has come since; while one exists, SIGINT and SIGTERM do not end the process.
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;
  bool pending();

 private:
  int descriptor_{-1};
};

}  // namespace nightdrop::cli
