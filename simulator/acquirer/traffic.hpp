// What the servers of one acquirer share: counts of the traffic, the log, and waiting that ends when the process stops.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace nightdrop::simulator {

class Traffic {
 public:
  explicit Traffic(bool verbose) : verbose_(verbose) {}

  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> connections{0};
  std::atomic<std::uint64_t> cuts{0};
  std::atomic<std::uint64_t> forbidden{0};

  // Counts a request as being worked on for its own life.
  class Working {
   public:
    explicit Working(Traffic& traffic) : traffic_(traffic) {
      const std::uint64_t now = ++traffic_.working_;
      std::uint64_t most = traffic_.most_.load();
      while (now > most && !traffic_.most_.compare_exchange_weak(most, now)) {
      }
    }
    ~Working() { --traffic_.working_; }
    Working(const Working&) = delete;
    Working& operator=(const Working&) = delete;

   private:
    Traffic& traffic_;
  };
  std::uint64_t max_concurrent() const { return most_.load(); }

  // Waits that long; false if the process is to stop.
  bool pause(std::chrono::milliseconds time);
  void stop();

  // One line on standard error, always.
  void warn(std::string_view line);
  // One line on standard error where --verbose was given. Only texts without card data are handed in.
  void log(std::string_view line);

 private:
  const bool verbose_;
  std::atomic<std::uint64_t> working_{0};
  std::atomic<std::uint64_t> most_{0};
  std::mutex mutex_;
  std::condition_variable stopped_changed_;
  bool stopped_{false};
};

}  // namespace nightdrop::simulator
