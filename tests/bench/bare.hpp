// What the engine is compared with: the same rows into bare SQLCipher with synchronous=FULL, and a bare 4 KiB
// write with fdatasync; on the same file system, in the same run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

struct sqlite3;
struct sqlite3_stmt;

namespace nightdrop::bench {

class BareFile {
 public:
  explicit BareFile(const std::filesystem::path& path);
  ~BareFile();
  BareFile(const BareFile&) = delete;
  BareFile& operator=(const BareFile&) = delete;
  void write_and_sync();

 private:
  int file_{-1};
  std::int64_t written_{0};
};

// The rows of one stored payment, with no logic about them: the payment, its envelope, its event, the head and the
// card's counter, in tables made by the project's own migrations, one transaction a payment.
class BareSqlCipher {
 public:
  BareSqlCipher(const std::filesystem::path& path, const std::filesystem::path& migrations);
  ~BareSqlCipher();
  BareSqlCipher(const BareSqlCipher&) = delete;
  BareSqlCipher& operator=(const BareSqlCipher&) = delete;
  void insert();

 private:
  void execute(const std::string& sql);
  sqlite3_stmt* prepare(const char* sql);
  void run(sqlite3_stmt* statement);
  sqlite3* database_{nullptr};
  sqlite3_stmt *begin_{nullptr}, *payment_{nullptr}, *envelope_{nullptr}, *event_{nullptr}, *state_{nullptr},
      *commit_{nullptr};
  std::int64_t next_{1};
};

}  // namespace nightdrop::bench
