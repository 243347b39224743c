// Port: the reader's tamper circuit (mesh, case switches, temperature and voltage). Whoever listens zeroises keys
// before anything else.
#pragma once

#include <functional>

namespace nightdrop::hal {

class TamperMonitor {
 public:
  virtual ~TamperMonitor() = default;
  // Whether a tamper event has happened that nobody has cleared; hardware latches it, also without power.
  virtual bool tampered() const = 0;
  // Calls `happened` on the loop's thread, at once when a latched event is there already. One listener.
  virtual void on_tamper(std::function<void()> happened) = 0;
};

}  // namespace nightdrop::hal
