// The one table that the bench prints, and how its figures are taken.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

namespace nightdrop::bench {

inline double seconds(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Of this thread's processor alone: for work that waits for nothing, so that other work on the machine does not count.
inline double cpu_seconds(const std::function<void()>& work) {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  };
  const double begin = now();
  work();
  return now() - begin;
}

inline double percentile(std::vector<double> values, double p) {
  std::ranges::sort(values);
  return values[static_cast<std::size_t>(std::lround(p * static_cast<double>(values.size() - 1)))];
}

inline void row(const char* what, const std::string& figure, const std::string& against, double ratio,
                const char* aim) {
  std::printf("| %-46s | %12s | %24s | %8.2f | %-7s |\n", what, figure.c_str(), against.c_str(), ratio, aim);
  std::fflush(stdout);
}

[[gnu::format(printf, 1, 2)]] inline std::string text(const char* format, ...) {
  char buffer[64];
  va_list values;
  va_start(values, format);
  std::vsnprintf(buffer, sizeof buffer, format, values);
  va_end(values);
  return buffer;
}

}  // namespace nightdrop::bench
