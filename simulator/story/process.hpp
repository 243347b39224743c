// The programs of the story as child processes. They die with this one, however it ends.
#pragma once

#include <sys/types.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "json/json.hpp"

namespace nightdrop::simulator {

// The story cannot go on: a program did not start, or said what it never should. Caught in run_story().
class StoryFailure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A program that ended by itself.
struct Ended {
  int exit_code{-1};
  std::string out;
};

// Runs a program to its end, with `input` (short) as its standard input; its standard error is appended to `log`.
Ended run_program(const std::vector<std::string>& command, const std::string& log, std::string_view input = {});

// A program that stays. Killed when the object goes, unless it was ended before.
class Process {
 public:
  // Starts it and waits for its ready line. Throws StoryFailure without one in 20 seconds.
  Process(const std::vector<std::string>& command, const std::string& log);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  JsonView ready() const { return ready_.view(); }
  pid_t id() const { return process_; }
  // Ends it with a signal and waits; its exit code, or -1 when the signal itself ended it.
  int end(int signal);

 private:
  pid_t process_{-1};
  int out_{-1};
  Json ready_;
};

}  // namespace nightdrop::simulator
