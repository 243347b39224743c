// System calls for the ports; each class keeps what it asked the system once, and nothing else.
#include "hal/linux/system_clock.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <string_view>

#include <sys/socket.h>
#include <sys/timex.h>
#include <sys/un.h>
#include <unistd.h>

#include "nightdrop/random.hpp"

namespace nightdrop::hal {
namespace {

std::int64_t clock_ms(clockid_t clock) {
  timespec now{};
  ND_ASSERT(clock_gettime(clock, &now) == 0);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

std::optional<std::int64_t> number(const char* text) {
  if (text == nullptr) return std::nullopt;
  std::int64_t value = 0;
  const char* end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, value);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

}  // namespace

SystemClock::SystemClock() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::getline(file, boot_id_);
}

std::chrono::milliseconds SystemClock::monotonic() const {
  return std::chrono::milliseconds{clock_ms(CLOCK_BOOTTIME)};
}

WallReading SystemClock::wall() const {
  timex status{};  // modes 0: reads only
  const int state = adjtimex(&status);
  const bool synchronised = state >= 0 && state != TIME_ERROR && (status.status & STA_UNSYNC) == 0;
  return {clock_ms(CLOCK_REALTIME), synchronised};
}

Result<void> SystemEntropy::fill(std::span<std::uint8_t> bytes) {
  return random_bytes(bytes);
}

SystemdWatchdog::SystemdWatchdog() {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || (path[0] != '/' && path[0] != '@')) return;
  sockaddr_un address{};
  const std::string_view name(path);
  if (name.size() >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  std::copy(name.begin(), name.end(), address.sun_path);
  if (name[0] == '@') address.sun_path[0] = '\0';  // an abstract name
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return;
  // An abstract name has no NUL at its end, and its length says where it ends.
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + (name[0] == '@' ? 0 : 1));
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), length) != 0) {
    close(fd);
    return;
  }
  socket_ = fd;
  const auto limit_us = number(std::getenv("WATCHDOG_USEC"));
  const char* pid_text = std::getenv("WATCHDOG_PID");
  const bool mine = pid_text == nullptr || number(pid_text) == std::int64_t{getpid()};
  if (limit_us && *limit_us > 0 && mine)
    interval_ = std::chrono::milliseconds{std::max<std::int64_t>(1, *limit_us / 3000)};
}

SystemdWatchdog::~SystemdWatchdog() {
  if (socket_ >= 0) close(socket_);
}

void SystemdWatchdog::feed() {
  if (!interval_) return;
  const auto now = std::chrono::steady_clock::now();
  if (fed_at_ && now - *fed_at_ < *interval_ / 2) return;  // each turn of a busy loop need not be a system call
  fed_at_ = now;
  notify("WATCHDOG=1");
}

void SystemdWatchdog::notify_ready() {
  notify("READY=1");
}
void SystemdWatchdog::notify_stopping() {
  notify("STOPPING=1");
}

void SystemdWatchdog::notify(const char* state) {
  if (socket_ < 0) return;
  // Best effort: a supervisor that does not read will restart the process, which is what it is for.
  [[maybe_unused]] const ssize_t sent = ::send(socket_, state, std::strlen(state), MSG_NOSIGNAL);
}

}  // namespace nightdrop::hal
