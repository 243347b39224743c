// A loop for tests: functions posted from any thread run on the one that waits. A wait ends when its condition holds or
// a deadline that no healthy run reaches has passed.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

namespace nightdrop::test {

inline constexpr std::chrono::seconds patience{20};

class TestLoop {
 public:
  std::function<void(std::function<void()>)> post() {
    return [this](std::function<void()> what) {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(what));
      changed_.notify_all();
    };
  }
  // Runs what is posted until `condition` holds. False: it never did.
  bool run_until(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
      std::unique_lock lock(mutex_);
      if (!changed_.wait_until(lock, deadline, [this] { return !queue_.empty(); })) return false;
      auto what = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      what();
    }
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
};

}  // namespace nightdrop::test
