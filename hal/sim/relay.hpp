// One route's relay: a loopback port whose connections are carried to the acquirer under the link's conditions. What is
// read from one side waits in a queue for its moment (a queue a direction and connection, in order, many chunks on the
// way at once) and is then written to the other. All of it runs on one thread, that of the io_context.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>

#include "hal/sim/sim_links.hpp"
#include "nightdrop/result.hpp"

namespace nightdrop::hal {

using RelayTime = std::chrono::steady_clock::time_point;
enum class RelayDirection : std::uint8_t { Up, Down };

// When bytes that enter the link come out of it.
class LinkSchedule {
 public:
  explicit LinkSchedule(std::uint32_t seed) : random_(seed) {}
  SimLinkSettings settings;

  // Of `size` bytes that enter at `at`; they take their share of the link's rate.
  RelayTime out(RelayDirection direction, std::size_t size, RelayTime at);
  // How long a TCP connect takes: one round trip.
  std::chrono::microseconds connect_time() const { return std::chrono::milliseconds(settings.latency_ms); }

 private:
  std::chrono::microseconds retransmissions(std::size_t size);

  std::minstd_rand random_;
  std::array<RelayTime, 2> free_at_{};  // by direction: when the link has sent all it was given
};

class RelaySession;

class Relay {
 public:
  Relay(asio::io_context& context, std::string host, std::uint16_t port, std::uint32_t seed);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  // Takes a loopback port for good. Errors: Io.
  Result<void> reserve();
  std::uint16_t port() const { return port_; }
  // Puts the settings into force. On the context's thread, or before it runs. Errors: Io.
  Result<void> apply(const SimLinkSettings& settings);

 private:
  friend class RelaySession;
  Result<void> listen();
  void accept();
  void make_room();
  void forget(const RelaySession* session);

  asio::io_context& context_;
  const std::string host_;
  const std::uint16_t host_port_;
  LinkSchedule schedule_;
  // Bound and never listening: it keeps the port while the link is down and connects are refused.
  asio::ip::tcp::socket reserved_;
  asio::ip::tcp::acceptor acceptor_;
  asio::steady_timer accept_again_;  // after the process ran out of descriptors
  std::uint16_t port_{0};
  std::list<std::shared_ptr<RelaySession>> sessions_;  // oldest first
};

}  // namespace nightdrop::hal
