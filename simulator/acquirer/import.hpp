// Takes a sealed export in: reversals first, as a reader sends them, then each payment exactly as if the reader had
// sent it. Ids make it safe: what was forwarded before, or is forwarded after, or is imported again, is posted once.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "json/json.hpp"
#include "simulator/acquirer/host.hpp"
#include "simulator/acquirer/sealed_file.hpp"

namespace nightdrop::simulator {

// What became of one line: posted, declined, already_there, reversed, held (expired: a person decides) or rejected.
struct ImportedLine {
  std::string id;
  std::string result;
  std::string detail;  // of rejected: the API's error code
};
struct ImportReport {
  std::string serial_number;
  std::vector<ImportedLine> lines;
  bool durable{true};     // false: the ledger could not be written; import again
  bool complete() const;  // nothing was rejected and all is durable
  std::uint64_t count(std::string_view result) const;
};

// `with_expired`: payments that passed their deadline on the reader are posted too, which a person has decided.
// `progress` is told after each line.
ImportReport import_sealed(Host& host, const SealedFile& file, bool with_expired,
                           const std::function<void(std::size_t done, std::size_t of)>& progress);
Json report_json(const ImportReport& report);

struct ImportOptions {
  std::string directory;
  std::string file;
  std::string admin;  // of an acquirer that runs; empty: as it says itself in its folder
  bool with_expired{false};
  bool json{false};
};
// Imports a file into the ledger of a directory, or through the admin API of the acquirer that holds it.
// Gives 0; 1 something was rejected; 65 the file can't be used; 66 it can't be read; 69 the acquirer that runs is not
// reachable; 74 the disk failed; 78 the directory can't be used.
int run_import(const ImportOptions& options);

// Where an acquirer that runs says how its admin API is reached: {"admin": "ADDRESS:PORT"}.
inline constexpr const char* running_name = "running.json";

}  // namespace nightdrop::simulator
