// The listening side of a relay, and the arithmetic of its link.
#include "hal/sim/relay.hpp"

#include <algorithm>
#include <utility>

#include <asio/error.hpp>

#include "hal/sim/relay_session.hpp"

namespace nightdrop::hal {
namespace {

using asio::ip::tcp;
using std::chrono::microseconds;

constexpr std::size_t segment_bytes = 1448;
// In a black hole connections that nobody ends pile up; a client has far fewer open at once.
constexpr std::size_t frozen_sessions_max = 128;

// Two sockets on one port: the one that keeps it and the one that listens.
using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

}  // namespace

RelayTime LinkSchedule::out(RelayDirection direction, std::size_t size, RelayTime at) {
  RelayTime& free_at = free_at_[static_cast<std::size_t>(direction)];
  RelayTime sent = at;
  if (settings.bytes_per_s > 0) {
    const auto bytes = static_cast<std::int64_t>(size);
    sent = std::max(at, free_at) + microseconds(bytes * 1'000'000 / settings.bytes_per_s);
    free_at = sent;
  }
  return sent + microseconds(std::int64_t{settings.latency_ms} * 500) + retransmissions(size);
}

// A sender that misses an acknowledgement waits for its retransmission timer, twice as long each time it is lost again.
// Standard: RFC 6298, 5; Linux has 200 ms as the least.
microseconds LinkSchedule::retransmissions(std::size_t size) {
  microseconds delay{0};
  if (settings.loss_percent <= 0) return delay;
  std::uniform_int_distribution<int> percent(0, 99);
  const auto lost = [&] { return percent(random_) < settings.loss_percent; };
  const std::size_t segments = (size + segment_bytes - 1) / segment_bytes;
  bool any = false;
  for (std::size_t i = 0; i < segments; ++i) any = lost() || any;
  microseconds timer = std::max(microseconds(200'000), 2 * connect_time());
  for (int tries = 0; any && tries < 8; ++tries) {
    delay += timer;
    timer *= 2;
    any = lost();
  }
  return delay;
}

Relay::Relay(asio::io_context& context, std::string host, std::uint16_t port, std::uint32_t seed)
    : context_(context),
      host_(std::move(host)),
      host_port_(port),
      schedule_(seed),
      reserved_(context),
      acceptor_(context),
      accept_again_(context) {}

Relay::~Relay() = default;

Result<void> Relay::reserve() {
  asio::error_code error;
  reserved_.open(tcp::v4(), error);
  if (!error) reserved_.set_option(ReusePort(true), error);
  if (!error) reserved_.bind(tcp::endpoint(asio::ip::address_v4::loopback(), 0), error);
  if (!error) port_ = reserved_.local_endpoint(error).port();
  if (error) return failure(Errc::Io, "a simulated link got no loopback port", error.value());
  return {};
}

Result<void> Relay::listen() {
  if (acceptor_.is_open()) return {};
  asio::error_code error;
  acceptor_.open(tcp::v4(), error);
  if (!error) acceptor_.set_option(ReusePort(true), error);
  if (!error) acceptor_.bind(tcp::endpoint(asio::ip::address_v4::loopback(), port_), error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    asio::error_code ignored;
    acceptor_.close(ignored);
    return failure(Errc::Io, "a simulated link cannot listen on its port", error.value());
  }
  accept();
  return {};
}

void Relay::accept() {
  acceptor_.async_accept([this](const asio::error_code& error, tcp::socket client) {
    if (error == asio::error::operation_aborted || !acceptor_.is_open()) return;
    if (error) {
      accept_again_.expires_after(std::chrono::milliseconds(100));
      accept_again_.async_wait([this](const asio::error_code& canceled) {
        if (!canceled && acceptor_.is_open()) accept();
      });
      return;
    }
    make_room();
    const auto session = std::make_shared<RelaySession>(*this, std::move(client));
    sessions_.push_back(session);
    session->start();
    accept();
  });
}

void Relay::make_room() {
  if (schedule_.settings.mode != SimLinkMode::Blackhole || sessions_.size() < frozen_sessions_max) return;
  const auto gone = std::ranges::find_if(sessions_, [](const auto& session) { return session->client_gone(); });
  const auto victim = gone == sessions_.end() ? *sessions_.begin() : *gone;
  victim->reset();
}

void Relay::forget(const RelaySession* session) {
  sessions_.remove_if([session](const auto& other) { return other.get() == session; });
}

Result<void> Relay::apply(const SimLinkSettings& settings) {
  schedule_.settings = settings;
  if (settings.mode == SimLinkMode::Down) {
    asio::error_code ignored;
    acceptor_.close(ignored);
  }
  const auto current = sessions_;  // a reset takes its session out of the list
  for (const auto& session : current) {
    const bool survives = settings.mode == SimLinkMode::Captive
                              ? session->is_captive()
                              : settings.mode != SimLinkMode::Down && !session->is_captive();
    if (survives) {
      session->resume();
    } else {
      session->reset();
    }
  }
  return settings.mode == SimLinkMode::Down ? Result<void>{} : listen();
}

}  // namespace nightdrop::hal
