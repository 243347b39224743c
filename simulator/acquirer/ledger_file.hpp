// The acquirer's ledger on disk: one JSON object a line, appended and never changed. Group commit: append() writes in
// the order of the calls, wait() returns when the line is on the disk, and one fdatasync serves all that wait. A line
// that was torn by a crash was never answered for, so opening cuts it off; damage anywhere else is refused. One process
// at a time.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "json/json.hpp"
#include "nightdrop/result.hpp"

namespace nightdrop::simulator {

inline constexpr const char* ledger_name = "ledger.jsonl";

// The whole lines of a ledger, parsed, and how many bytes they take; a torn last line is left out.
struct LedgerLines {
  std::vector<Json> records;
  std::uint64_t bytes{0};
  bool torn{false};
};
// Reads a ledger without locking it. Errors: Io (native errno), Corrupt (a whole line that is not a JSON object).
[[nodiscard]] Result<LedgerLines> read_ledger(const std::string& path);

class LedgerFile {
 public:
  // Opens or makes the file and hands its records over. Errors: Busy (another acquirer has it), Io, Corrupt.
  [[nodiscard]] static Result<std::unique_ptr<LedgerFile>> open(const std::string& directory, LedgerLines& lines);
  ~LedgerFile();
  LedgerFile(const LedgerFile&) = delete;
  LedgerFile& operator=(const LedgerFile&) = delete;

  // Appends one line. Ensures: all or nothing is in the file; durable only after wait(ticket). Errors: DiskFull, Io.
  [[nodiscard]] Result<std::uint64_t> append(std::string_view line);
  // Returns when everything up to `ticket` is durable. Errors: Io; then the file takes nothing more until it is
  // reopened.
  [[nodiscard]] Result<void> wait(std::uint64_t ticket);

 private:
  LedgerFile(int file, std::uint64_t bytes) : file_(file), bytes_(bytes) {}

  int file_;
  std::mutex mutex_;
  std::condition_variable synced_changed_;
  std::uint64_t bytes_;
  std::uint64_t appended_{0};  // tickets given
  std::uint64_t synced_{0};    // tickets that are durable
  bool syncing_{false};
  bool broken_{false};
};

}  // namespace nightdrop::simulator
