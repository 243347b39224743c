// Port: requests to the acquirer. Exactly one completion per request, on the loop's thread, never from inside send().
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "nightdrop/payment.hpp"

namespace nightdrop::hal {

struct HostRequest {
  Route route{Route::Wifi};
  std::string method{"GET"};
  std::string path;  // with the leading slash
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::chrono::milliseconds timeout{8000};  // for the whole exchange, the connection included
};

struct HostReply {
  int status{0};
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;                                          // at most 64 KiB of it
  bool too_long{false};                                      // there was more than 64 KiB
};
// The first byte of the request cannot have reached a server that holds the pinned certificate: it is safe to say "not
// sent".
struct NotSent {
  const char* why{""};  // static text
  bool timed_out{false};
};
// Anything after that: it may have been processed.
struct Unknown {
  const char* why{""};
  bool timed_out{false};
};
using HostOutcome = std::variant<HostReply, NotSent, Unknown>;

class HostLink {
 public:
  virtual ~HostLink() = default;
  virtual void send(HostRequest request, std::function<void(HostOutcome)> done) = 0;
  // Connections of a route are useless now (the link went down): in-flight requests end soon, new ones connect anew.
  virtual void drop_route(Route route) = 0;
};

}  // namespace nightdrop::hal
