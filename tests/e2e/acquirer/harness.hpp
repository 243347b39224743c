// A test's world: the real nightdrop-sim as a process, a reader that seals cards as the device does and talks over
// HTTPS, and the admin API.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "crypto/dukpt.hpp"
#include "e2e/acquirer/dev_folder.hpp"
#include "json/json.hpp"

namespace nightdrop::e2e {

// A program that ended by itself: its exit code and what it said.
struct Ended {
  int exit_code{-1};
  std::string out;
  std::string err;
};
Ended run_to_end(const std::vector<std::string>& arguments);

// nightdrop-sim acquirer, up to its ready line. Killed when it goes, unless it was ended before.
class AcquirerProcess {
 public:
  explicit AcquirerProcess(const DevFolder& folder, const std::vector<std::string>& more = {});
  ~AcquirerProcess();
  AcquirerProcess(const AcquirerProcess&) = delete;
  AcquirerProcess& operator=(const AcquirerProcess&) = delete;

  int end(int signal);  // sends it and gives the exit code; -1 when a signal ended the process
  int port() const { return port_; }
  int admin_port() const { return admin_port_; }

 private:
  pid_t process_{-1};
  int port_{0};
  int admin_port_{0};
};

struct Reply {
  int status{0};  // 0: no answer
  std::string body;
  bool replayed{false};
  std::string retry_after;
  std::string location;
  std::string content_type;
  Json json() const;
};

// What a card payment is made of; every field can be changed before it is sealed.
struct Sale {
  std::string id;
  std::string object{"payment_intent"};
  std::int64_t amount{1250};
  std::int64_t card_amount{1250};
  std::string pan{"4242424242424242"};
  std::string last4{"4242"};
  std::string reference;  // empty: "order-" and the id's end
  std::string emv_amount{"000000001250"};
};
std::string new_id();

class TestReader {
 public:
  TestReader(const DevFolder& folder, const AcquirerProcess& acquirer, std::string serial = "ND000001");

  // The body of a sale, its card sealed under this reader's next KSN.
  std::string body(const Sale& sale);
  Reply post(const std::string& path, const std::string& body, const std::optional<std::string>& key,
             const std::optional<std::string>& serial) const;
  Reply get(const std::string& path) const;

  Reply pay(const std::string& id, const std::string& body) const { return post("/v1/payments", body, id, serial_); }
  Reply reverse(const std::string& id, const std::string& reason = "timeout") const;
  Reply batch(const std::vector<std::string>& bodies) const;
  Reply admin(const std::string& method, const std::string& path, const std::string& body = "") const;

  Json stats() const { return admin("GET", "/admin/stats").json(); }
  std::int64_t stat(const char* name) const { return stats()[name].integer().value_or(-1); }
  // The ledger's row of an id; null if there is none.
  Json row(const std::string& id) const;
  void faults(const std::string& plan) const;

 private:
  const DevFolder& folder_;
  const int port_;
  const int admin_port_;
  const std::string serial_;
  dukpt::DukptDevice device_;
};

}  // namespace nightdrop::e2e
