// The POS socket: AF_UNIX, JSON-RPC 2.0, one object a line. Framing, peers, limits and events; what a call does is in
// Methods. Everything runs on the loop's thread. Events are read from the journal as fast as a consumer takes them, so
// a slow one costs no memory and loses nothing.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "nightdrop/result.hpp"
#include "pos/methods.hpp"

namespace asio {
class io_context;
}

namespace nightdrop::pos {

inline constexpr std::size_t line_max = 65'536;
inline constexpr std::size_t connections_max = 32;
inline constexpr std::size_t unanswered_max = 64;  // a connection

struct ServerOptions {
  std::string path;
  unsigned mode{0660};
  std::vector<unsigned> uids;  // empty, and gids too: the daemon's own user alone
  std::vector<unsigned> gids;
};

class Server {
 public:
  Server(asio::io_context& loop, terminal::Terminal& terminal, Methods& methods, ServerOptions options);
  ~Server();
  // Binds and listens; a stale socket file is replaced. Errors: Io with errno, Busy when another daemon listens there.
  Result<void> start();
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nightdrop::pos
