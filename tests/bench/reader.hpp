// A provisioned reader with its real daemon and acquirer, and the few calls the benchmark makes.
#pragma once

#include <optional>
#include <string>

#include "json/json.hpp"
#include "nightdrop/pos_client.hpp"
#include "tests/bench/process.hpp"

namespace nightdrop::bench {

class Reader {
 public:
  // Provisions a reader whose policy has no cap that a benchmark could reach.
  Reader(std::string binaries, std::filesystem::path dir, int acquirer_port);

  void start();
  void stop(int signal = SIGTERM) {
    daemon_.reset();
    (void)signal;
  }
  double start_seconds();  // starts and gives the time to the ready line
  pid_t pid() const { return daemon_->pid(); }

  PosClient pos() const { return connect("run/pos.sock"); }
  PosClient world() const { return connect("run/sim.sock"); }
  const std::filesystem::path& dir() const { return dir_; }
  std::string program(const char* name) const { return binaries_ + "/" + name; }

 private:
  PosClient connect(const char* socket) const;
  std::string binaries_;
  std::filesystem::path dir_;
  std::optional<Process> daemon_;
};

// The result of a call; ends the benchmark with the error where it failed.
Json call(PosClient& client, const char* method, const std::string& params);

// An intent with a card read, ready to be confirmed. Gives its id.
std::string collected(PosClient& pos, PosClient& world, const std::string& reference);
// Confirms it; it must become stored.
void confirm(PosClient& pos, const std::string& id);

}  // namespace nightdrop::bench
