// Port: which links the device has and how they are. Reports state, carries no payload.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "nightdrop/payment.hpp"

namespace nightdrop::hal {

struct LinkState {
  Route route{Route::Wifi};
  bool up{false};                 // has an address and a carrier; says nothing about what is behind it
  std::optional<int> signal_dbm;  // radio links
};

class LinkMonitor {
 public:
  virtual ~LinkMonitor() = default;
  virtual std::vector<LinkState> links() const = 0;
  // Called on the loop's thread after each change.
  virtual void on_change(std::function<void(const LinkState&)> changed) = 0;
};

}  // namespace nightdrop::hal
