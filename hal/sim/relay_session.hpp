// One connection through a relay. Callbacks under way hold it (shared_ptr), the relay's list does, and nobody else.
#pragma once

#include "hal/sim/relay.hpp"

namespace nightdrop::hal {

class RelaySession : public std::enable_shared_from_this<RelaySession> {
 public:
  RelaySession(Relay& relay, asio::ip::tcp::socket client);

  // Begins to read the client and, if the link is up, connects to the acquirer.
  void start();
  // The link's state has changed to one that this connection survives.
  void resume();
  // Ends both sides with a reset and whatever was on the way with them.
  void reset();
  bool is_captive() const { return captive_; }
  bool client_gone() const { return up_.ended; }

 private:
  struct Chunk {
    RelayTime due;
    std::vector<char> data;  // empty: the sender has shut its side
  };
  struct Pipe {
    Pipe(RelayDirection direction_, asio::ip::tcp::socket& from_, asio::ip::tcp::socket& to_, asio::io_context& context)
        : direction(direction_), from(from_), to(to_), timer(context) {}
    RelayDirection direction;
    asio::ip::tcp::socket& from;
    asio::ip::tcp::socket& to;
    asio::steady_timer timer;
    std::deque<Chunk> chunks;
    std::size_t queued{0};
    RelayTime last_due{};
    bool reading{false};
    bool writing{false};
    bool ended{false};      // nothing more comes in
    bool delivered{false};  // and all of it is out
    std::vector<char> buffer;
  };

  void connect();
  void read(Pipe& pipe);
  void received(Pipe& pipe, std::size_t size);
  void enqueue(Pipe& pipe, std::vector<char> data);
  void deliver(Pipe& pipe);
  void write_front(Pipe& pipe);
  void portal_answers();
  void finish_if_done();
  bool frozen() const;

  Relay& relay_;
  asio::ip::tcp::socket client_;
  asio::ip::tcp::socket acquirer_;
  asio::ip::tcp::resolver resolver_;
  Pipe up_;
  Pipe down_;
  RelayTime established_;  // when the client's TCP connect would be through
  bool captive_{false};
  bool connecting_{false};
  bool connected_{false};
  bool over_{false};
};

}  // namespace nightdrop::hal
