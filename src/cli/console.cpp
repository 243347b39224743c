// The terminal, see console.hpp.
#include "cli/console.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

namespace nightdrop::cli {
namespace {

constexpr std::size_t width_unknown = 80;

void write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(descriptor, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return;  // nobody reads any more
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

std::size_t terminal_width() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20) return size.ws_col;
  if (const char* columns = std::getenv("COLUMNS")) {
    const long width = std::strtol(columns, nullptr, 10);
    if (width >= 20 && width <= 1000) return static_cast<std::size_t>(width);
  }
  return width_unknown;
}

int local_offset_minutes(UtcMs time) {
  const std::time_t seconds = time / 1000;
  std::tm local{};
  if (::localtime_r(&seconds, &local) == nullptr) return 0;
  return static_cast<int>(local.tm_gmtoff / 60);
}

UtcMs now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

bool has_colours(int descriptor, bool no_color) {
  const char* refused = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return !no_color && (refused == nullptr || *refused == '\0') && ::isatty(descriptor) == 1 &&
         !(terminal != nullptr && std::string_view(terminal) == "dumb");
}

// A line of standard input, byte by byte so that nothing after it is taken.
std::optional<std::string> read_line() {
  std::string line;
  for (;;) {
    char c = 0;
    const ssize_t count = ::read(STDIN_FILENO, &c, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return line.empty() ? std::nullopt : std::optional(line);
    if (c == '\n') return line;
    if (c != '\r') line += c;
    if (line.size() > 256) return std::nullopt;
  }
}

// Turns the terminal's echo off while it lives.
class WithoutEcho {
 public:
  WithoutEcho() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    changed_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
  }
  ~WithoutEcho() {
    if (changed_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  WithoutEcho(const WithoutEcho&) = delete;
  WithoutEcho& operator=(const WithoutEcho&) = delete;
  bool works() const { return changed_; }

 private:
  termios before_{};
  bool changed_{false};
};

bool is_pin(const std::string& text) {
  return text.size() >= 4 && text.size() <= 12 &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

Console::Console(bool json, bool no_color)
    : json_(json),
      colour_out_(has_colours(STDOUT_FILENO, no_color)),
      colour_error_(has_colours(STDERR_FILENO, no_color)),
      error_is_terminal_(::isatty(STDERR_FILENO) == 1),
      can_ask_(error_is_terminal_ && ::isatty(STDIN_FILENO) == 1) {}

report::Style Console::style() const {
  return {
      .width = terminal_width(), .colour = colour_out_, .now = now_ms(), .utc_offset_minutes = &local_offset_minutes};
}

report::Style Console::error_style() const {
  report::Style same = style();
  same.colour = colour_error_;
  return same;
}

void Console::out(std::string_view text) {
  end_progress();
  write_all(STDOUT_FILENO, text);
}

void Console::say(std::string_view line, report::Tone tone) {
  end_progress();
  write_all(STDERR_FILENO, report::toned(line, tone, error_style()) + '\n');
}

void Console::complain(std::string_view line) {
  say("nightdrop: " + std::string(line), report::Tone::Bad);
}

void Console::progress(std::string_view line) {
  if (line == progress_) return;
  progress_ = line;
  if (error_is_terminal_) {
    write_all(STDERR_FILENO, "\r\x1b[K" + report::clipped(line, terminal_width() - 1));
  } else {
    write_all(STDERR_FILENO, progress_ + '\n');
  }
}

void Console::end_progress() {
  if (error_is_terminal_ && !progress_.empty()) write_all(STDERR_FILENO, "\r\x1b[K");
  progress_.clear();
}

std::optional<std::string> Console::ask(std::string_view question) {
  end_progress();
  write_all(STDERR_FILENO, question);
  return read_line();
}

std::optional<std::string> Console::ask_pin(std::string_view question) {
  end_progress();
  const WithoutEcho silent;
  if (!silent.works()) return std::nullopt;
  write_all(STDERR_FILENO, question);
  auto pin = read_pin_line();
  write_all(STDERR_FILENO, "\n");
  return pin;
}

std::optional<std::string> Console::read_pin_line() {
  auto pin = read_line();
  if (pin && !is_pin(*pin)) {
    explicit_bzero(pin->data(), pin->size());
    return std::nullopt;
  }
  return pin;
}

Interrupts::Interrupts() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  descriptor_ = ::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
}

Interrupts::~Interrupts() {
  if (descriptor_ >= 0) ::close(descriptor_);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_UNBLOCK, &signals, nullptr);
}

bool Interrupts::pending() {
  signalfd_siginfo info{};
  return descriptor_ >= 0 && ::read(descriptor_, &info, sizeof info) == static_cast<ssize_t>(sizeof info);
}

}  // namespace nightdrop::cli
