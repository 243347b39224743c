// What the control socket's methods do, apart from how their lines travel.
#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <string>
#include <string_view>

#include "hal/sim/sim_control.hpp"

namespace nightdrop::hal {

// JSON-RPC 2.0, 5.1: the error object.
struct SimRpcError {
  int code{-32600};
  std::string message;
  std::string field;  // data.field; empty: no data
};
using SimRpcResult = std::expected<Json, SimRpcError>;

class SimMethods {
 public:
  // Runs a function on the loop after a while.
  using After = std::function<void(std::chrono::milliseconds, std::function<void()>)>;

  // Lifetime: what the world refers to outlives it, and it outlives what it gave to `after`.
  SimMethods(SimWorld world, After after) : world_(std::move(world)), after_(std::move(after)) {}

  // Errors: -32601 for a method there is none of; -32602 for params, with the field.
  SimRpcResult call(std::string_view method, JsonView params);

 private:
  SimRpcResult list_cards(JsonView params);
  SimRpcResult present_card(JsonView params);
  SimRpcResult remove_card(JsonView params);
  SimRpcResult set_link(JsonView params);
  SimRpcResult set_clock(JsonView params);
  SimRpcResult fail(JsonView params);
  SimRpcResult tamper(JsonView params);
  SimRpcResult get_state(JsonView params);
  Json link_json(Route route) const;
  Json clock_json() const;

  SimWorld world_;
  After after_;
};

}  // namespace nightdrop::hal
