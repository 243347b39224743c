#include "simulator/story/process.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nightdrop::simulator {
namespace {

using Steady = std::chrono::steady_clock;
constexpr auto ready_within = std::chrono::seconds(20);

struct Child {
  pid_t process{-1};
  int out{-1};
};

// Standard output comes back through a pipe, standard error goes to the log.
Child start(const std::vector<std::string>& command, const std::string& log, std::string_view input) {
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  const int errors = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (errors < 0 || ::pipe2(out.data(), O_CLOEXEC) != 0 || ::pipe2(in.data(), O_CLOEXEC) != 0)
    throw StoryFailure(log + " cannot be written");
  std::vector<std::string> words = command;
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t process = ::fork();
  if (process == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);  // it died before this one was tied to it
    ::dup2(in[0], STDIN_FILENO);
    ::dup2(out[1], STDOUT_FILENO);
    ::dup2(errors, STDERR_FILENO);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(out[1]);
  ::close(errors);
  ::close(in[0]);
  const ssize_t written = input.empty() ? 0 : ::write(in[1], input.data(), input.size());  // it fits the pipe
  ::close(in[1]);
  if (process < 0 || written < 0) throw StoryFailure("no process could be started");
  return {process, out[0]};
}

int wait_for(pid_t process) {
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// The first line, or what came of it in time.
std::string first_line(int pipe) {
  const auto deadline = Steady::now() + ready_within;
  std::string line;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Steady::now()).count();
    pollfd entry{pipe, POLLIN, 0};
    char c = 0;
    if (left <= 0 || ::poll(&entry, 1, static_cast<int>(left)) <= 0 || ::read(pipe, &c, 1) != 1 || c == '\n')
      return line;
    line += c;
  }
}

}  // namespace

Ended run_program(const std::vector<std::string>& command, const std::string& log, std::string_view input) {
  const Child child = start(command, log, input);
  Ended ended;
  std::array<char, 8192> buffer{};
  for (;;) {
    const ssize_t count = ::read(child.out, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    ended.out.append(buffer.data(), static_cast<std::size_t>(count));
  }
  ::close(child.out);
  ended.exit_code = wait_for(child.process);
  return ended;
}

Process::Process(const std::vector<std::string>& command, const std::string& log) {
  const Child child = start(command, log, {});
  process_ = child.process;
  out_ = child.out;
  auto ready = Json::parse(first_line(out_));
  if (!ready || (*ready)["event"].string() != "ready") {
    end(SIGKILL);
    throw StoryFailure(command.front() + " did not start; see " + log);
  }
  ready_ = std::move(*ready);
}

Process::~Process() {
  if (process_ > 0) end(SIGKILL);
}

int Process::end(int signal) {
  if (process_ <= 0) return -1;
  ::kill(process_, signal);
  const int code = wait_for(process_);
  ::close(out_);
  process_ = -1;
  return code;
}

}  // namespace nightdrop::simulator
