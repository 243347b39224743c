// Reads the PIN byte by byte with read(2), so that no buffer but the wiped one ever holds it.
#include "keys/policy/pin_prompt.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>

#include <termios.h>
#include <unistd.h>

namespace nightdrop::keys {
namespace {

constexpr std::size_t line_max = 64;

// Standard input without echo for as long as it lives. Signals wait meanwhile, so that none leaves the terminal mute.
class NoEcho {
 public:
  NoEcho() {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &signals_);
    tcgetattr(STDIN_FILENO, &before_);
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
  }
  ~NoEcho() {
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    sigprocmask(SIG_SETMASK, &signals_, nullptr);
  }
  NoEcho(const NoEcho&) = delete;
  NoEcho& operator=(const NoEcho&) = delete;

 private:
  termios before_{};
  sigset_t signals_{};
};

Outcome<SecretBytes> read_line() {
  SecretBytes line(line_max);
  std::size_t size = 0;
  while (true) {
    std::uint8_t byte = 0;
    const ssize_t got = read(STDIN_FILENO, &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 || (got == 0 && size == 0)) return refuse(Exit::NoInput, "no PIN on standard input");
    if (got == 0 || byte == '\n') break;
    if (size == line.size()) return refuse(Exit::Data, "a PIN has 4 to 12 digits");
    line.writable()[size++] = byte;
    wipe({&byte, 1});
  }
  if (size > 0 && line.view()[size - 1] == '\r') --size;
  line.truncate(size);
  return Outcome<SecretBytes>(std::move(line));
}

Outcome<SecretBytes> ask(const char* prompt) {
  std::fputs(prompt, stderr);
  auto line = read_line();
  std::fputc('\n', stderr);
  return line;
}

}  // namespace

Outcome<SecretBytes> read_pin() {
  if (isatty(STDIN_FILENO) == 0) return read_line();
  const NoEcho no_echo;
  auto pin = ask("PIN (4 to 12 digits): ");
  if (!pin) return pin;
  const auto again = ask("The same again: ");
  if (!again) return std::unexpected(again.error());
  if (!equal_in_constant_time(pin->view(), again->view())) return refuse(Exit::Data, "the two PINs differ");
  return pin;
}

}  // namespace nightdrop::keys
