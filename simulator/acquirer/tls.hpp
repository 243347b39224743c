// TLS of the acquirer: version 1.3, a client certificate always asked for, and who it belongs to. Any certificate
// passes the handshake (its owner has proved to hold the key); whether it is a registered reader's is decided for each
// request (reader_registry.hpp), so that a stranger gets a clear 403.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>

struct ssl_ctx_st;
struct ssl_st;

namespace nightdrop::simulator {

// The TLS connections that are open, so that they can be ended at once, and a say in each before its handshake.
class Connections {
 public:
  // `refuse` is asked once for each accepted connection.
  explicit Connections(std::function<bool()> refuse) : refuse_(std::move(refuse)) {}
  // Ends every open connection and each that is still to come; what is being answered fails.
  void shut_all();

  // Takes up a connection; true if it goes on to its handshake.
  bool opened(int socket);
  void closed(int socket);

 private:
  const std::function<bool()> refuse_;
  std::mutex mutex_;
  std::set<int> sockets_;
  bool stopping_{false};
};

// Prepares the server's context from server.pem, server.key and ca.pem of `directory`; `connections` outlives it.
// Gives one sentence that says what is wrong, or nothing.
std::optional<std::string> configure_tls(ssl_ctx_st* context, const std::string& directory, Connections& connections);

// Cuts the TCP connection under a TLS connection; nothing more is sent, no close_notify either.
void cut(const ssl_st* connection);

}  // namespace nightdrop::simulator
