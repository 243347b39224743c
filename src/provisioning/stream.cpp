// Streams over descriptors: non-blocking, every wait is a poll() with the time that is left. Serial lines are raw, so
// that no byte means anything to the terminal driver, and locked, so that two stations never share one.
#include "provisioning/stream.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>

#include "nightdrop/durable_file.hpp"

namespace nightdrop::provisioning {
namespace {

std::unexpected<Error> io_failure(const char* text) {
  const int native = errno;
  if (native == ENOENT || native == ECONNREFUSED) return failure(Errc::NotFound, text, native);
  if (native == EBUSY) return failure(Errc::Busy, text, native);
  return failure(Errc::Io, text, native);
}

bool other_end_gone(int native) {
  // EIO: what a hung-up terminal line says.
  return native == EPIPE || native == ECONNRESET || native == EIO || native == ENXIO;
}

int milliseconds_left(Deadline deadline) {
  if (deadline == never) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
}

// Waits until the descriptor is ready for `events`. Errors: Unavailable (the deadline), NotFound (told to stop), Io.
Result<void> wait_for(int descriptor, short events, int stop, Deadline deadline) {
  while (true) {
    std::array<pollfd, 2> watched{pollfd{descriptor, events, 0}, pollfd{stop, POLLIN, 0}};
    const int ready = ::poll(watched.data(), stop >= 0 ? 2 : 1, milliseconds_left(deadline));
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return io_failure("the line cannot be waited for");
    if (stop >= 0 && watched[1].revents != 0) return failure(Errc::NotFound, "told to stop");
    if (watched[0].revents != 0) return {};
    if (std::chrono::steady_clock::now() >= deadline) return failure(Errc::Unavailable, "no answer in time");
  }
}

class DescriptorStream final : public Stream {
 public:
  DescriptorStream(Descriptor descriptor, int stop) : descriptor_(std::move(descriptor)), stop_(stop) {
    struct stat facts{};
    is_socket_ = ::fstat(descriptor_.get(), &facts) == 0 && S_ISSOCK(facts.st_mode);
    (void)::fcntl(descriptor_.get(), F_SETFL, ::fcntl(descriptor_.get(), F_GETFL) | O_NONBLOCK);
  }

  Result<std::size_t> read_some(std::span<std::uint8_t> into, Deadline deadline) override {
    while (true) {
      ND_TRY(wait_for(descriptor_.get(), POLLIN, stop_, deadline));
      const ssize_t got = ::read(descriptor_.get(), into.data(), into.size());
      if (got > 0) return static_cast<std::size_t>(got);
      if (got == 0 || other_end_gone(errno)) return failure(Errc::NotFound, "the other end has closed the line");
      if (errno != EAGAIN && errno != EINTR) return io_failure("the line cannot be read");
    }
  }

  Result<void> write_all(std::span<const std::uint8_t> bytes, Deadline deadline) override {
    while (!bytes.empty()) {
      ND_TRY(wait_for(descriptor_.get(), POLLOUT, stop_, deadline));
      const ssize_t put = is_socket_ ? ::send(descriptor_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL)
                                     : ::write(descriptor_.get(), bytes.data(), bytes.size());
      if (put >= 0) {
        bytes = bytes.subspan(static_cast<std::size_t>(put));
      } else if (other_end_gone(errno)) {
        return failure(Errc::NotFound, "the other end has closed the line");
      } else if (errno != EAGAIN && errno != EINTR) {
        return io_failure("the line cannot be written");
      }
    }
    return {};
  }

 private:
  Descriptor descriptor_;
  int stop_;
  bool is_socket_{false};
};

struct Address {
  enum class Kind : std::uint8_t { Unix, Serial, Tcp };
  Kind kind{Kind::Unix};
  std::string path;
  sockaddr_in tcp{};
  sockaddr_un local{};
};

Result<Address> parse_address(std::string_view text) {
  Address address;
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return failure(Errc::InvalidArgument, "an address is unix:, serial: or tcp:");
  const std::string_view kind = text.substr(0, colon);
  address.path = text.substr(colon + 1);
  if (kind == "unix") {
    address.local.sun_family = AF_UNIX;
    if (address.path.empty() || address.path.size() >= sizeof address.local.sun_path) {
      return failure(Errc::InvalidArgument, "a Unix socket's path has 1 to 107 bytes");
    }
    std::memcpy(address.local.sun_path, address.path.data(), address.path.size());
    return address;
  }
  if (kind == "serial") {
    address.kind = Address::Kind::Serial;
    if (!address.path.starts_with('/')) return failure(Errc::InvalidArgument, "a serial line is an absolute path");
    return address;
  }
  constexpr std::string_view host = "127.0.0.1:";
  if (kind != "tcp" || !address.path.starts_with(host)) {
    return failure(Errc::InvalidArgument, "an address is unix:PATH, serial:/dev/LINE or tcp:127.0.0.1:PORT");
  }
  address.kind = Address::Kind::Tcp;
  std::uint16_t port = 0;
  const char* const begin = address.path.data() + host.size();
  const char* const end = address.path.data() + address.path.size();
  const auto parsed = std::from_chars(begin, end, port);
  if (begin == end || parsed.ec != std::errc() || parsed.ptr != end) {
    return failure(Errc::InvalidArgument, "a TCP port is a number up to 65535");
  }
  address.tcp.sin_family = AF_INET;
  address.tcp.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.tcp.sin_port = htons(port);
  return address;
}

Result<Descriptor> open_serial(const std::string& path, bool drop_old_input) {
  Descriptor line(::open(path.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  if (!line.valid()) return io_failure("the serial line cannot be opened");
  if (::flock(line.get(), LOCK_EX | LOCK_NB) != 0)
    return failure(Errc::Busy, "another process has the serial line", errno);
  termios settings{};
  if (::tcgetattr(line.get(), &settings) != 0) return failure(Errc::InvalidArgument, "this is no serial line", errno);
  ::cfmakeraw(&settings);
  settings.c_cflag |= CLOCAL | CREAD;
  settings.c_cflag &= ~static_cast<tcflag_t>(CRTSCTS);
  settings.c_cc[VMIN] = 1;
  settings.c_cc[VTIME] = 0;
  ::cfsetispeed(&settings, B115200);
  ::cfsetospeed(&settings, B115200);
  if (::tcsetattr(line.get(), TCSANOW, &settings) != 0) return io_failure("the serial line cannot be set up");
  if (drop_old_input) (void)::tcflush(line.get(), TCIFLUSH);
  return line;
}

std::pair<const sockaddr*, socklen_t> socket_address(const Address& address) {
  if (address.kind == Address::Kind::Tcp) {
    return {reinterpret_cast<const sockaddr*>(&address.tcp), sizeof address.tcp};
  }
  return {reinterpret_cast<const sockaddr*>(&address.local), sizeof address.local};
}

Result<Descriptor> make_socket(const Address& address) {
  const bool tcp = address.kind == Address::Kind::Tcp;
  Descriptor socket(::socket(tcp ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return io_failure("no socket");
  const int yes = 1;
  if (tcp) (void)::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  return socket;
}

Result<Descriptor> connect_socket(const Address& address, Deadline deadline) {
  auto socket = make_socket(address);
  ND_TRY(socket);
  const auto [where, size] = socket_address(address);
  if (::connect(socket->get(), where, size) != 0) {
    if (errno != EINPROGRESS && errno != EINTR) return io_failure("nobody listens at the address");
    ND_TRY(wait_for(socket->get(), POLLOUT, -1, deadline));
    int problem = 0;
    socklen_t length = sizeof problem;
    if (::getsockopt(socket->get(), SOL_SOCKET, SO_ERROR, &problem, &length) != 0) problem = errno;
    errno = problem;
    if (problem != 0) return io_failure("nobody listens at the address");
  }
  return socket;
}

class SocketListener final : public Listener {
 public:
  SocketListener(Descriptor socket, std::string address, std::string path, int stop)
      : socket_(std::move(socket)), address_(std::move(address)), path_(std::move(path)), stop_(stop) {}
  ~SocketListener() override {
    if (!path_.empty()) ::unlink(path_.c_str());
  }

  Result<std::unique_ptr<Stream>> accept() override {
    while (true) {
      ND_TRY(wait_for(socket_.get(), POLLIN, stop_, never));
      const int taken = ::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (taken >= 0) return stream_of(taken, stop_);
      if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) return io_failure("no connection can be taken");
    }
  }
  const std::string& address() const override { return address_; }

 private:
  Descriptor socket_;
  std::string address_;
  std::string path_;  // Unix: to be removed
  int stop_;
};

// Opens the line anew for each stream: one that was hung up stays so until then.
class SerialListener final : public Listener {
 public:
  SerialListener(Descriptor line, std::string address, std::string path, int stop)
      : line_(std::move(line)), address_(std::move(address)), path_(std::move(path)), stop_(stop) {}

  Result<std::unique_ptr<Stream>> accept() override {
    if (told_to_stop()) return failure(Errc::NotFound, "told to stop");
    if (line_.valid()) return stream_of(line_.release(), stop_);
    auto again = open_serial(path_, false);
    ND_TRY(again);
    return stream_of(again->release(), stop_);
  }
  const std::string& address() const override { return address_; }

 private:
  // A line is always there to be given: nothing else would end a reader whose sessions end because it was told to stop.
  bool told_to_stop() const {
    pollfd watched{stop_, POLLIN, 0};
    return stop_ >= 0 && ::poll(&watched, 1, 0) > 0;
  }

  Descriptor line_;
  std::string address_;
  std::string path_;
  int stop_;
};

// A socket file that nobody listens on is what a killed reader left.
Result<void> clear_stale_socket(const Address& address) {
  struct stat facts{};
  if (::lstat(address.path.c_str(), &facts) != 0) return {};
  if (!S_ISSOCK(facts.st_mode)) return failure(Errc::InvalidArgument, "the address names a file that is no socket");
  const auto there = connect_socket(address, std::chrono::steady_clock::now() + std::chrono::seconds(1));
  if (there) return failure(Errc::Busy, "another process listens at the address");
  if (::unlink(address.path.c_str()) != 0) return io_failure("an old socket cannot be removed");
  return {};
}

Result<std::unique_ptr<Listener>> listen_at(Address address, int stop) {
  const bool tcp = address.kind == Address::Kind::Tcp;
  if (!tcp) ND_TRY(clear_stale_socket(address));
  auto socket = make_socket(address);
  ND_TRY(socket);
  const int yes = 1;
  if (tcp) (void)::setsockopt(socket->get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  // Linux makes the socket file with the socket's own mode, so that there is no moment in which others may connect.
  if (!tcp && ::fchmod(socket->get(), 0600) != 0) return io_failure("the socket's mode cannot be set");
  const auto [where, size] = socket_address(address);
  if (::bind(socket->get(), where, size) != 0) {
    if (errno == EADDRINUSE) return failure(Errc::Busy, "another process listens at the address", errno);
    return io_failure("the address cannot be listened at");
  }
  if (::listen(socket->get(), 8) != 0) return io_failure("the address cannot be listened at");
  std::string name = "unix:" + address.path;
  if (tcp) {
    sockaddr_in bound{};
    socklen_t length = sizeof bound;
    if (::getsockname(socket->get(), reinterpret_cast<sockaddr*>(&bound), &length) != 0) return io_failure("no port");
    name = "tcp:127.0.0.1:" + std::to_string(ntohs(bound.sin_port));
  }
  return std::make_unique<SocketListener>(std::move(*socket), std::move(name), tcp ? "" : address.path, stop);
}

}  // namespace

std::unique_ptr<Stream> stream_of(int descriptor, int stop) {
  return std::make_unique<DescriptorStream>(Descriptor(descriptor), stop);
}

Result<std::unique_ptr<Stream>> connect(std::string_view text, Deadline deadline) {
  const auto address = parse_address(text);
  ND_TRY(address);
  auto descriptor =
      address->kind == Address::Kind::Serial ? open_serial(address->path, true) : connect_socket(*address, deadline);
  ND_TRY(descriptor);
  return stream_of(descriptor->release());
}

Result<std::unique_ptr<Listener>> Listener::open(std::string_view text, int stop) {
  auto address = parse_address(text);
  ND_TRY(address);
  if (address->kind != Address::Kind::Serial) return listen_at(std::move(*address), stop);
  auto line = open_serial(address->path, false);
  ND_TRY(line);
  return std::make_unique<SerialListener>(std::move(*line), std::string(text), address->path, stop);
}

}  // namespace nightdrop::provisioning
