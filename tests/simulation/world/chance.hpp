// What every part of the simulated world shares: one source of chance per run, the two ends a run can come to by itself
// (a rule was broken; power was cut), and the trace that tells how it came there. A seed fixes everything.
#pragma once

#include <cstdint>
#include <cstdio>
#include <deque>
#include <random>
#include <string>
#include <string_view>

namespace nightdrop::simulation {

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : generator_(seed) {}
  std::uint64_t bits() { return generator_(); }
  // 0 … n-1. Requires: n > 0.
  std::int64_t below(std::int64_t n) { return static_cast<std::int64_t>(generator_() % static_cast<std::uint64_t>(n)); }
  std::int64_t between(std::int64_t low, std::int64_t high) { return low + below(high - low + 1); }
  bool per_mille(std::int64_t chance) { return below(1000) < chance; }

 private:
  std::mt19937_64 generator_;
};

// Thrown where a rule was seen broken; ends the run.
struct Failure {
  enum class Kind { Safety, Liveness };
  Kind kind{Kind::Safety};
  std::string check;  // the rule's short name
  std::string what;
};
[[noreturn]] inline void unsafe(std::string check, std::string what) {
  throw Failure{Failure::Kind::Safety, std::move(check), std::move(what)};
}
[[noreturn]] inline void stuck(std::string check, std::string what) {
  throw Failure{Failure::Kind::Liveness, std::move(check), std::move(what)};
}

// Thrown out of a port: the process is gone at this instruction.
struct PowerCut {};

class Trace {
 public:
  static constexpr std::size_t lines_max = 400;
  explicit Trace(bool print) : print_(print) {}
  void note(std::int64_t at_ms, std::string_view text) {
    std::string line = "+" + std::to_string(at_ms) + " ";
    line += text;
    for (const char c : line) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    if (print_) std::printf("%s\n", line.c_str());
    lines_.push_back(std::move(line));
    if (lines_.size() > lines_max) lines_.pop_front();
  }
  const std::deque<std::string>& lines() const { return lines_; }
  std::uint64_t hash() const { return hash_; }

 private:
  bool print_;
  std::uint64_t hash_{14695981039346656037ULL};
  std::deque<std::string> lines_;
};

// Where two texts part, with a little around it.
inline std::string first_difference(const std::string& a, const std::string& b) {
  std::size_t at = 0;
  while (at < a.size() && at < b.size() && a[at] == b[at]) ++at;
  const std::size_t from = at < 40 ? 0 : at - 40;
  return "…" + a.substr(from, 100) + "… and …" + b.substr(from, 100) + "…";
}

// The part of an id by which a person tells payments apart.
inline std::string brief(const std::string& id) {
  return id.size() > 8 ? id.substr(id.size() - 8) : id;
}

}  // namespace nightdrop::simulation
