// The API's routes without the HTTP library: a request in, what shall happen on the wire out. Each request passes three
// stages: who sent it, the plan's fault, the host's answer; the fault then changes the answer or how it leaves.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "simulator/acquirer/answer.hpp"
#include "simulator/acquirer/faults.hpp"
#include "simulator/acquirer/host.hpp"
#include "simulator/acquirer/renewal.hpp"
#include "simulator/acquirer/traffic.hpp"

namespace nightdrop::simulator {

struct ApiRequest {
  std::string method;
  std::string path;
  Caller caller;                               // whose certificate the connection has
  std::optional<std::string> reader_header;    // Nightdrop-Reader
  std::optional<std::string> idempotency_key;  // Idempotency-Key
  std::string body;
};

// What leaves, and how.
struct ApiReply {
  Answer answer;
  std::string content_type{"application/json"};
  std::string location;      // of a redirect
  bool cut{false};           // nothing leaves: the connection is cut
  std::int64_t delay_ms{0};  // before anything leaves
  std::int64_t drip_ms{0};   // between two bytes of the body
};

class Api {
 public:
  Api(Host& host, Faults& faults, Traffic& traffic, Renewals& renewals)
      : host_(host), faults_(faults), traffic_(traffic), renewals_(renewals) {}
  ApiReply handle(const ApiRequest& request);

 private:
  std::optional<ApiError> check_reader(const ApiRequest& request) const;
  std::vector<std::string> ids_of(const ApiRequest& request) const;
  Answer answer(const ApiRequest& request, const Fault& fault);
  Answer batch(const ApiRequest& request, const Fault& fault);
  Answer durable(Answer answer);

  Host& host_;
  Faults& faults_;
  Traffic& traffic_;
  Renewals& renewals_;
};

}  // namespace nightdrop::simulator
