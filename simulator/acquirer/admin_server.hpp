// The admin API: plain HTTP on loopback, for tests and people. It looks into the ledger and installs faults; it books
// nothing but what a registered reader has signed: a sealed export.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "simulator/acquirer/faults.hpp"
#include "simulator/acquirer/host.hpp"
#include "simulator/acquirer/traffic.hpp"

namespace nightdrop::simulator {

class AdminServer {
 public:
  // `directory`: the acquirer's, where the readers are registered.
  static std::expected<std::unique_ptr<AdminServer>, std::string> open(const std::string& directory,
                                                                       const std::string& address, int port, Host& host,
                                                                       Faults& faults, Traffic& traffic);
  ~AdminServer();

  int port() const;
  void run();   // returns after stop()
  void stop();  // from another thread

  class Inside;  // holds the HTTP library

 private:
  explicit AdminServer(std::unique_ptr<Inside> inside);
  std::unique_ptr<Inside> inside_;
};

}  // namespace nightdrop::simulator
