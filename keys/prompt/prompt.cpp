// Reads byte by byte with read(2), so that no buffer but the wiped one ever holds what was typed.
#include "keys/prompt/prompt.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>

#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "keys/files.hpp"

namespace nightdrop::keys {
namespace {

constexpr std::size_t line_max = 256;

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

bool is_terminal() {
  return isatty(STDIN_FILENO) != 0;
}

// `prompt` names what was wanted where nothing comes.
Outcome<SecretBytes> read_line(const std::string& prompt, std::size_t size_max) {
  SecretBytes line(size_max);
  std::size_t size = 0;
  while (true) {
    std::uint8_t byte = 0;
    const ssize_t got = read(STDIN_FILENO, &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 || (got == 0 && size == 0)) return refuse(Exit::NoInput, prompt + "standard input has ended");
    if (got == 0 || byte == '\n') break;
    if (size == line.size()) return refuse(Exit::Data, "what was typed is too long");
    line.writable()[size++] = byte;
    wipe({&byte, 1});
  }
  if (size > 0 && line.view()[size - 1] == '\r') --size;
  line.truncate(size);
  return Outcome<SecretBytes>(std::move(line));
}

}  // namespace

Outcome<SecretBytes> ask_secret(const std::string& prompt, std::size_t size_max) {
  if (!is_terminal()) return read_line(prompt, size_max);
  const NoEcho no_echo;  // before the prompt: who answers it at once is not echoed either
  std::fputs(prompt.c_str(), stderr);
  auto line = read_line(prompt, size_max);
  std::fputc('\n', stderr);
  return line;
}

Outcome<SecretBytes> ask_secret_twice(const std::string& prompt, std::size_t size_max) {
  auto first = ask_secret(prompt, size_max);
  if (!first || !is_terminal()) return first;
  const auto again = ask_secret("The same again: ", size_max);
  if (!again) return std::unexpected(again.error());
  if (!equal_in_constant_time(first->view(), again->view())) return refuse(Exit::Data, "the two differ");
  return first;
}

Outcome<std::string> ask_line(const std::string& prompt) {
  if (is_terminal()) std::fputs(prompt.c_str(), stderr);
  const auto line = read_line(prompt, line_max);
  if (!line) return std::unexpected(line.error());
  return std::string(line->view().begin(), line->view().end());
}

Outcome<SecretBytes> read_private_file(const std::filesystem::path& file) {
  struct stat about{};
  if (stat(file.c_str(), &about) == 0 && (about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return refuse(Exit::NoInput, file.string() + ": others may read it; its mode must be 0600");
  }
  auto bytes = read_secret_file(file);
  if (!bytes) return bytes;
  std::size_t size = bytes->size();
  while (size > 0 && (bytes->view()[size - 1] == '\n' || bytes->view()[size - 1] == '\r')) --size;
  if (size == 0) return refuse(Exit::Data, file.string() + ": is empty");
  return SecretBytes(bytes->view().first(size));
}

}  // namespace nightdrop::keys
