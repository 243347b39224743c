#include "simulator/acquirer/traffic.hpp"

#include <cstdio>

namespace nightdrop::simulator {

bool Traffic::pause(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return !stopped_changed_.wait_for(lock, time, [&] { return stopped_; });
}

void Traffic::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  stopped_changed_.notify_all();
}

void Traffic::log(std::string_view line) {
  if (verbose_) warn(line);
}

void Traffic::warn(std::string_view line) {
  const std::string whole = std::string(line) + '\n';
  std::fputs(whole.c_str(), stderr);
}

}  // namespace nightdrop::simulator
