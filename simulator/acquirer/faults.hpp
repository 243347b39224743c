// A plan of faults: rules that are asked in order at each request; the first that matches and fires decides. The same
// plan with the same seed and the same order of requests gives the same faults. The shape of a plan
// (`nightdrop-sim acquirer --help` says it at length):
//   {"seed": 7, "rules": [{"fault": "cut_after", "match": {"method","path","id","nth","every"}, "probability": 0.1,
//    "count": 5, "processed": true, ...the fault's own fields}]}, or the bare array of rules.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "json/json.hpp"

namespace nightdrop::simulator {

enum class FaultKind : std::uint8_t {
  None,
  Refuse,          // the connection is closed when it is accepted, before TLS
  CutBefore,       // the request is read, nothing is processed, the connection is cut
  CutAfter,        // processed and posted, then cut before any byte of the answer
  Delay,           // processed; the answer comes `ms` later
  Status,          // HTTP status `code`, Retry-After `retry_after`
  Html,            // 200 with a web page, as a captive portal gives it
  Garbage,         // 200 with a body that is no JSON
  WrongId,         // a good answer that names another payment
  SlowDrip,        // processed; the answer comes a byte every `ms`
  Pending,         // 202 `n` times for a payment, then its answer
  Partial,         // approved for `amount` only
  Replay,          // delivered twice, as by a proxy that repeats; the second answer is given
  TooLong,         // an answer of more than 64 KiB
  Redirect,        // 302 to another host
  UnknownOutcome,  // an `outcome` that the contract doesn't know
};
std::string_view fault_name(FaultKind kind);

struct Fault {
  FaultKind kind{FaultKind::None};
  std::int64_t ms{0};
  int code{503};
  std::string retry_after;  // the header's value; empty: no header
  std::int64_t n{0};
  std::int64_t amount{0};
  bool processed{false};  // whether the request is processed before the fault
};

struct FaultRule {
  Fault fault;
  std::string method;  // empty: any
  std::string path;    // empty: any; a trailing * matches what follows
  std::string id;      // empty: any
  std::int64_t nth{0};
  std::int64_t every{0};
  double probability{1.0};
  std::int64_t count{0};  // fires at most so often; 0: no limit
  std::uint64_t seed{0};
};

// Reads a plan. Errors: one sentence that names the field.
std::expected<std::vector<FaultRule>, std::string> parse_fault_plan(JsonView plan);

class Faults {
 public:
  void install(std::vector<FaultRule> rules);
  void clear() { install({}); }
  void reset();  // the same rules from the beginning: counters and random numbers

  // The fault of a request; `ids` are those it names (more than one in a batch).
  Fault pick(std::string_view method, std::string_view path, std::span<const std::string> ids);
  // Whether a new connection is refused.
  bool refuse_connection();
  std::map<std::string, std::uint64_t> fired() const;  // by kind, since the start
  std::size_t size() const;

 private:
  struct Live {
    FaultRule rule;
    std::int64_t matched{0};
    std::int64_t fired{0};
    std::uint64_t random{0};
  };
  bool fires(Live& live);

  mutable std::mutex mutex_;
  std::vector<Live> rules_;
  std::map<std::string, std::uint64_t> fired_;
};

}  // namespace nightdrop::simulator
