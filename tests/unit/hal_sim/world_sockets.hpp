// Plain blocking sockets for the tests of the simulated world. Every wait has an end that no healthy run reaches.
#pragma once

#include <atomic>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace nightdrop::test {

inline constexpr std::chrono::seconds patience{20};

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

// Answers each byte with itself, on as many connections as come.
class EchoServer {
 public:
  EchoServer() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    bind(fd_, reinterpret_cast<sockaddr*>(&address), length);
    listen(fd_, 256);
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    accepting_ = std::thread([this] { accept_all(); });
  }
  ~EchoServer() {
    shutdown(fd_, SHUT_RDWR);
    accepting_.join();
    {
      const std::lock_guard lock(mutex_);
      for (const int fd : open_) shutdown(fd, SHUT_RDWR);
    }
    for (std::thread& thread : threads_) thread.join();
    close(fd_);
  }
  EchoServer(const EchoServer&) = delete;
  EchoServer& operator=(const EchoServer&) = delete;
  std::uint16_t port() const { return port_; }
  int connections() const { return connections_; }

 private:
  void accept_all() {
    for (;;) {
      const int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      ++connections_;
      {
        const std::lock_guard lock(mutex_);
        open_.push_back(fd);
      }
      threads_.emplace_back([this, fd] { echo(fd); });
    }
  }
  void echo(int fd) {
    std::vector<char> block(16 * 1024);
    for (;;) {
      const ssize_t got = recv(fd, block.data(), block.size(), 0);
      if (got <= 0 || send(fd, block.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL) != got) break;
    }
    const std::lock_guard lock(mutex_);
    std::erase(open_, fd);
    close(fd);
  }

  int fd_;
  std::uint16_t port_{0};
  std::atomic<int> connections_{0};
  std::mutex mutex_;
  std::vector<int> open_;             // under mutex_
  std::vector<std::thread> threads_;  // of the accepting thread
  std::thread accepting_;
};

// What a read came to: bytes, or why there are none.
struct Heard {
  std::string bytes;
  bool ended{false};   // the other side has shut its side
  bool silent{false};  // nothing came within the time
  int error{0};        // errno
};

class Client {
 public:
  explicit Client(const std::string& address) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const sockaddr_in to = loopback(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    error_ = connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0 ? 0 : errno;
    const int yes = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  }
  Client(Client&& other) noexcept : fd_(std::exchange(other.fd_, -1)), error_(other.error_) {}
  Client& operator=(Client&&) = delete;
  ~Client() {
    if (fd_ >= 0) close(fd_);
  }
  int connect_error() const { return error_; }
  void say(const std::string& bytes) const {
    [[maybe_unused]] const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  void end() const { shutdown(fd_, SHUT_WR); }
  // Up to `size` bytes, all of them unless the connection ends or falls silent before.
  Heard hear(std::size_t size, std::chrono::milliseconds silence = patience) const {
    Heard heard;
    std::vector<char> block(size);
    while (heard.bytes.size() < size) {
      pollfd readable{fd_, POLLIN, 0};
      if (poll(&readable, 1, static_cast<int>(silence.count())) == 0) {
        heard.silent = true;
        break;
      }
      const ssize_t got = recv(fd_, block.data(), size - heard.bytes.size(), 0);
      if (got == 0) heard.ended = true;
      if (got < 0) heard.error = errno;
      if (got <= 0) break;
      heard.bytes.append(block.data(), static_cast<std::size_t>(got));
    }
    return heard;
  }

 private:
  int fd_;
  int error_{0};
};

}  // namespace nightdrop::test
