// Serial lines between a station and readers, as pairs of ptys with a relay between them that can misbehave. Each line
// has two ends with stable names (symbolic links), so that it can be cut, which hangs both ends up, and laid anew.
// One thread relays all lines; what it does at a fault is decided by the line's plan, at a count of bytes that have
// gone to the reader, and so at the same place of the session in every run.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace nightdrop::e2e {

// What a line does to one session.
enum class Mishap : std::uint8_t {
  None,
  Cut,      // both ends hang up
  Garbage,  // random bytes go to the reader before the first byte
  Flip,     // a bit of what goes to the reader
  Replay,   // cut; before the next session the reader is sent what this one sent, byte for byte
  Call,     // on_call() is called, from the relay's thread
};

struct Plan {
  Mishap mishap{Mishap::None};
  std::size_t at{0};  // bytes to the reader
};

class SerialLines {
 public:
  // `folder` takes the names of the ends.
  explicit SerialLines(std::string folder);
  ~SerialLines();
  SerialLines(const SerialLines&) = delete;
  SerialLines& operator=(const SerialLines&) = delete;

  // Lays a line; its number.
  std::size_t add();
  std::string station_end(std::size_t line) const { return folder_ + "/s" + std::to_string(line); }
  std::string reader_end(std::size_t line) const { return folder_ + "/r" + std::to_string(line); }
  // One mishap, for the bytes from now on.
  void plan(std::size_t line, const Plan& plan);
  // Whether the plan has come about.
  bool happened(std::size_t line);
  bool is_cut(std::size_t line);
  // New ptys under the old names; what was replayed by plan goes to the reader first.
  void lay_anew(std::size_t line);
  // Called at Mishap::Call with the line's number.
  void on_call(std::function<void(std::size_t)> call);
  std::uint64_t bytes_relayed() const { return relayed_; }

 private:
  struct Direction {
    std::vector<std::uint8_t> waiting;
  };
  struct Line {
    int station_master{-1}, station_slave{-1}, reader_master{-1}, reader_slave{-1};
    Direction to_reader, to_station;
    Plan plan;
    bool happened{false};
    std::size_t sent{0};                 // to the reader since the plan was made
    std::vector<std::uint8_t> recorded;  // for Replay
    bool replaying{false};               // its answers go nowhere
  };

  void open(std::size_t number);
  void close(Line& line);
  void run();
  void wake();
  void take(std::size_t number, bool from_station);
  void meddle(std::size_t number, std::vector<std::uint8_t>& bytes);
  static void flush(int to, Direction& direction);

  const std::string folder_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Line>> lines_;
  std::function<void(std::size_t)> call_;
  std::vector<std::size_t> calls_;  // to make without the mutex
  std::atomic<std::uint64_t> relayed_{0};
  int wake_in_{-1}, wake_out_{-1};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace nightdrop::e2e
