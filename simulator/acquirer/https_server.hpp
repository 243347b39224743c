// The acquirer's API over TLS (docs/acquirer_api.md): routes, who the reader is, and the faults of the plan. Runs on
// threads of its own, one a connection.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "simulator/acquirer/faults.hpp"
#include "simulator/acquirer/host.hpp"
#include "simulator/acquirer/traffic.hpp"

namespace nightdrop::simulator {

class HttpsServer {
 public:
  // Binds and prepares TLS; serves from run() on. Errors: one sentence. Lifetime: the references outlive it.
  static std::expected<std::unique_ptr<HttpsServer>, std::string> open(const std::string& directory,
                                                                       const std::string& address, int port, Host& host,
                                                                       Faults& faults, Traffic& traffic);
  ~HttpsServer();

  int port() const;
  void run();   // returns after stop()
  void stop();  // from another thread: ends every connection

  class Inside;  // holds the HTTP library

 private:
  explicit HttpsServer(std::unique_ptr<Inside> inside);
  std::unique_ptr<Inside> inside_;
};

}  // namespace nightdrop::simulator
