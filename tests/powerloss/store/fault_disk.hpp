// A disk that loses power: an SQLite VFS over the system's. What is written waits in memory until its file is synced;
// at the chosen operation the power goes, what had not been synced is kept, dropped or torn sector by sector, and from
// then on every operation fails, as if the process were gone. The real files then hold what a reader would find after a
// start. The same disk can be full, or fail once, from the n-th operation on.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

struct sqlite3_vfs;

namespace nightdrop::test {

enum class Unsynced { Kept, Dropped, Torn };

class FaultDisk {
 public:
  struct Plan {
    long cut_at{0};  // power goes at this write, truncation or sync; 0: never
    Unsynced unsynced{Unsynced::Kept};
    std::uint32_t seed{1};
    long full_from{0};  // from this operation on the disk is full; 0: never
    long full_until{0};
    long fail_at{0};            // this operation fails and has no effect
    bool safe_overwrite{true};  // what the disk says of itself: a torn write changes nothing beside it
  };
  // Registers the VFS under `name`. Lifetime: longer than every store on it.
  FaultDisk(std::string name, Plan plan);
  ~FaultDisk();
  FaultDisk(const FaultDisk&) = delete;
  FaultDisk& operator=(const FaultDisk&) = delete;

  const char* name() const { return name_.c_str(); }
  bool dead() const { return dead_; }
  long operations() const { return operations_; }
  // Power goes now, between two operations.
  void cut_now() {
    if (!dead_) lose_power();
  }
  void heal() { plan_ = {}; }

  struct Change {
    bool truncation{false};
    std::int64_t at{0};  // offset, or the new size
    std::vector<std::uint8_t> bytes;
  };
  struct Content {
    std::vector<std::uint8_t> view;  // what a running process reads
    std::vector<Change> unsynced;
    int users{0};
  };
  Content& content(const std::string& path) { return files_[path]; }
  void drop(const std::string& path) { files_.erase(path); }
  // Counts an operation. SQLITE_OK, or what the caller gives back without doing anything.
  int operation();
  // Makes a file's changes real.
  void settle(const std::string& path, Content& content);
  const Plan& plan() const { return plan_; }
  sqlite3_vfs* system() const { return system_; }

 private:
  void lose_power();
  std::string name_;
  Plan plan_;
  long operations_{0};
  bool dead_{false};
  std::map<std::string, Content> files_;
  sqlite3_vfs* system_{nullptr};
  std::unique_ptr<sqlite3_vfs> vfs_;
};

}  // namespace nightdrop::test
