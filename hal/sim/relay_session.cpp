// Reading, waiting and writing. Reading goes on while a link is a black hole, so that a client's going is noticed and
// its bytes can arrive late, as retransmitted ones do; only delivery stands still.
#include "hal/sim/relay_session.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include <asio/buffer.hpp>
#include <asio/connect.hpp>
#include <asio/error.hpp>
#include <asio/write.hpp>

namespace nightdrop::hal {
namespace {

using asio::ip::tcp;

constexpr std::size_t read_bytes = 16 * 1024;
constexpr std::size_t queued_bytes_max = 1024 * 1024;  // what TCP would have on its way at most

constexpr std::string_view portal_page =
    "HTTP/1.1 302 Found\r\nLocation: http://portal.example/login\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

}  // namespace

RelaySession::RelaySession(Relay& relay, tcp::socket client)
    : relay_(relay),
      client_(std::move(client)),
      acquirer_(relay.context_),
      resolver_(relay.context_),
      up_(RelayDirection::Up, client_, acquirer_, relay.context_),
      down_(RelayDirection::Down, acquirer_, client_, relay.context_),
      established_(std::chrono::steady_clock::now() + relay.schedule_.connect_time()),
      captive_(relay.schedule_.settings.mode == SimLinkMode::Captive) {
  asio::error_code ignored;
  client_.set_option(tcp::no_delay(true), ignored);
}

bool RelaySession::frozen() const {
  return relay_.schedule_.settings.mode == SimLinkMode::Blackhole;
}

void RelaySession::start() {
  read(up_);
  resume();
}

void RelaySession::resume() {
  if (!captive_ && !connected_ && !connecting_ && !frozen()) connect();
  deliver(up_);
  deliver(down_);
}

void RelaySession::reset() {
  if (over_) return;
  over_ = true;
  resolver_.cancel();
  for (tcp::socket* socket : {&client_, &acquirer_}) {
    asio::error_code ignored;
    socket->set_option(asio::socket_base::linger(true, 0), ignored);
    socket->close(ignored);
  }
  up_.timer.cancel();
  down_.timer.cancel();
  relay_.forget(this);
}

void RelaySession::connect() {
  connecting_ = true;
  auto self = shared_from_this();
  resolver_.async_resolve(
      relay_.host_, std::to_string(relay_.host_port_),
      [self](const asio::error_code& error, const tcp::resolver::results_type& found) {
        if (self->over_) return;
        if (error) return self->reset();
        asio::async_connect(self->acquirer_, found, [self](const asio::error_code& failed, const tcp::endpoint&) {
          if (self->over_) return;
          if (failed) return self->reset();  // nobody listens there: the client's connection ends as a refused one does
          asio::error_code ignored;
          self->acquirer_.set_option(tcp::no_delay(true), ignored);
          self->connected_ = true;
          self->read(self->down_);
          self->deliver(self->up_);
        });
      });
}

void RelaySession::read(Pipe& pipe) {
  if (over_ || pipe.reading || pipe.ended || pipe.queued >= queued_bytes_max) return;
  pipe.reading = true;
  // On a slow link small pieces, else bytes would come out in lumps.
  const std::int64_t rate = relay_.schedule_.settings.bytes_per_s;
  const auto piece = rate > 0 ? std::clamp<std::int64_t>(rate / 50, 64, read_bytes) : std::int64_t{read_bytes};
  pipe.buffer.resize(static_cast<std::size_t>(piece));
  pipe.from.async_read_some(asio::buffer(pipe.buffer),
                            [self = shared_from_this(), &pipe](const asio::error_code& error, std::size_t size) {
                              pipe.reading = false;
                              if (self->over_) return;
                              if (error && error != asio::error::eof) return self->reset();
                              self->received(pipe, size);
                              self->read(pipe);
                            });
}

void RelaySession::received(Pipe& pipe, std::size_t size) {
  if (size == 0) pipe.ended = true;
  if (captive_) {
    if (size != 0 && !down_.ended) portal_answers();
    if (size == 0) reset();
    return;
  }
  enqueue(pipe, {pipe.buffer.begin(), pipe.buffer.begin() + static_cast<std::ptrdiff_t>(size)});
}

// What nobody asked answers the first bytes, whatever they were, and closes.
void RelaySession::portal_answers() {
  enqueue(down_, {portal_page.begin(), portal_page.end()});
  down_.ended = true;
  enqueue(down_, {});
}

void RelaySession::enqueue(Pipe& pipe, std::vector<char> data) {
  const RelayTime entered = std::max(std::chrono::steady_clock::now(), established_);
  const RelayTime due = std::max(relay_.schedule_.out(pipe.direction, data.size(), entered), pipe.last_due);
  pipe.last_due = due;
  pipe.queued += data.size();
  pipe.chunks.push_back({due, std::move(data)});
  if (pipe.chunks.size() == 1) deliver(pipe);
}

// Writes the first chunk if its moment has come, else waits for it.
void RelaySession::deliver(Pipe& pipe) {
  const bool open = pipe.direction == RelayDirection::Down || connected_;
  if (over_ || pipe.writing || pipe.chunks.empty() || frozen() || !open) return;
  const RelayTime due = pipe.chunks.front().due;
  if (due <= std::chrono::steady_clock::now()) return write_front(pipe);
  pipe.timer.expires_at(due);  // cancels a wait that was there
  pipe.timer.async_wait([self = shared_from_this(), &pipe](const asio::error_code& error) {
    if (!error) self->deliver(pipe);
  });
}

void RelaySession::write_front(Pipe& pipe) {
  if (pipe.chunks.front().data.empty()) {
    asio::error_code ignored;
    pipe.to.shutdown(tcp::socket::shutdown_send, ignored);
    pipe.chunks.clear();
    pipe.delivered = true;
    return finish_if_done();
  }
  pipe.writing = true;
  asio::async_write(pipe.to, asio::buffer(pipe.chunks.front().data),
                    [self = shared_from_this(), &pipe](const asio::error_code& error, std::size_t) {
                      pipe.writing = false;
                      if (self->over_) return;
                      if (error) return self->reset();
                      pipe.queued -= pipe.chunks.front().data.size();
                      pipe.chunks.pop_front();
                      self->deliver(pipe);
                      self->read(pipe);
                    });
}

void RelaySession::finish_if_done() {
  if (!up_.delivered || !down_.delivered) return;
  over_ = true;
  asio::error_code ignored;
  client_.close(ignored);
  acquirer_.close(ignored);
  relay_.forget(this);
}

}  // namespace nightdrop::hal
