// The tamper circuit of the simulated reader: sprung over the control socket, latched in a file of the simulated world,
// so that a daemon that is killed comes back into an opened reader. Clearing the latch is what a repair shop does.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "hal/sim/sim_state_file.hpp"
#include "hal/tamper_monitor.hpp"

namespace nightdrop::hal {

class SimTamper final : public TamperMonitor {
 public:
  // `state_file`: where the latch is kept; empty: nowhere.
  explicit SimTamper(std::string state_file = {}) : state_file_(std::move(state_file)) {
    const auto saved = state_file_.empty() ? std::nullopt : read_sim_state(state_file_);
    tampered_ = saved && (*saved)["tampered"].boolean().value_or(false);
  }

  bool tampered() const override { return tampered_; }
  void on_tamper(std::function<void()> happened) override {
    happened_ = std::move(happened);
    if (tampered_ && happened_) happened_();
  }

  // Opens the case: latched first, then told. Errors: Io (the latch; the listener is told all the same).
  Result<void> spring() {
    tampered_ = true;
    const auto latched = save();
    if (happened_) happened_();
    return latched;
  }
  Result<void> clear() {
    tampered_ = false;
    return save();
  }

 private:
  Result<void> save() const {
    if (state_file_.empty()) return {};
    Json state = Json::object();
    return write_sim_state(state_file_, state.set("tampered", tampered_).view());
  }

  std::string state_file_;
  bool tampered_{false};
  std::function<void()> happened_;
};

}  // namespace nightdrop::hal
