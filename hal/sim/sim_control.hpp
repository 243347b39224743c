// The world's control socket (docs/simulated_reader.md, Play the world): JSON-RPC 2.0, one object a line, on a Unix
// socket of mode 0600. It runs on the main loop, so a method's effect is in force when its answer is written. It knows
// the card reader by the functions below alone.
#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <string>

#include "hal/sim/sim_clock.hpp"
#include "hal/sim/sim_faults.hpp"
#include "hal/sim/sim_indicator.hpp"
#include "hal/sim/sim_links.hpp"
#include "hal/sim/sim_tamper.hpp"
#include "json/json.hpp"
#include "nightdrop/result.hpp"

namespace asio {
class io_context;
}

namespace nightdrop::hal {

// What a caller's params got wrong: the answer is -32602 with data.field.
struct SimFieldError {
  std::string field;
  std::string message;
};

// The card reader as the control socket sees it. Called on the loop's thread.
struct SimCardHooks {
  // A JSON array of {"name","about","pan","brand","read_method"}.
  std::function<Json()> catalogue;
  // Checks a card without presenting it. `card` is a name of the catalogue (a string) or an object {pan, exp_month, …}.
  std::function<std::expected<void, SimFieldError>(JsonView card)> check;
  // Presents a checked card, `repeat` times in a row (one interaction each); waits for a prompt if none is open yet.
  std::function<void(JsonView card, int repeat)> present;
  std::function<void()> remove;
  // What the reader shows now, for get_state: e.g. {"open":true,"last":"insert_or_tap","card":"inserted"}.
  std::function<Json()> prompts;
};

// Lifetime: all outlive the control socket.
struct SimWorld {
  SimLinks& links;
  SimClock& clock;
  SimFaults& faults;
  SimIndicator& indicator;
  SimTamper& tamper;
  SimCardHooks cards;
  std::function<void()> on_clock_changed;  // the wall or the monotonic clock jumped: timers are to be looked at again
};

class SimControl {
 public:
  // Listens at `socket_path`, taking the place of a stale socket there.
  // Errors: Busy (another process listens there), InvalidArgument (the path is too long), Io.
  static Result<std::unique_ptr<SimControl>> create(asio::io_context& loop, const std::string& socket_path,
                                                    SimWorld world);
  // Closes its connections and removes the socket. On the loop's thread.
  ~SimControl();
  SimControl(const SimControl&) = delete;
  SimControl& operator=(const SimControl&) = delete;

 private:
  class Server;
  explicit SimControl(std::shared_ptr<Server> server);
  std::shared_ptr<Server> server_;
};

}  // namespace nightdrop::hal
