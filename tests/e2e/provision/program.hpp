// Runs a program to its end and keeps what it said: the real binaries are tested from outside.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace nightdrop::test {

struct Ended {
  int exit_code{-1};
  std::string out;
  std::string err;
};

inline std::string slurp(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

inline void spill(const std::filesystem::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
}

// A folder of the test's own, gone with it. Its path is short: sockets live below it.
class Scratch {
 public:
  Scratch() {
    std::string name = "/tmp/nd-XXXXXX";
    path_ = mkdtemp(name.data());
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// Runs `program` with `input` as its standard input.
inline Ended run(const std::string& program, const std::vector<std::string>& arguments, const std::string& input = "") {
  const Scratch scratch;
  const std::string in = scratch / "in";
  const std::string out = scratch / "out";
  const std::string err = scratch / "err";
  spill(in, input);
  std::vector<std::string> words{program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, in.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, out.c_str(), O_WRONLY | O_CREAT, 0600);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, err.c_str(), O_WRONLY | O_CREAT, 0600);
  pid_t child = -1;
  const int failed = posix_spawn(&child, program.c_str(), &files, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  Ended ended;
  if (failed != 0) return ended;
  int status = 0;
  if (waitpid(child, &status, 0) == child && WIFEXITED(status)) ended.exit_code = WEXITSTATUS(status);
  ended.out = slurp(out);
  ended.err = slurp(err);
  return ended;
}

}  // namespace nightdrop::test
