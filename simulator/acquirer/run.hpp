// The two sub-commands of the acquirer: the composition root that runs it, and the ledger as a person reads it.
#pragma once

#include <string>

namespace nightdrop::simulator {

struct AcquirerOptions {
  std::string directory;
  std::string listen{"127.0.0.1:8443"};
  std::string admin;  // empty: the port after `listen`'s, on 127.0.0.1
  std::string plan;   // a file; empty: no faults
  bool verbose{false};
  bool json{true};  // the ready line is JSON in any case
};

struct LedgerOptions {
  std::string directory;
  bool json{false};
};

// Runs until SIGTERM or SIGINT. Gives the exit code: 0; 65 a damaged ledger; 69 an address that is taken; 74 a disk
// that fails; 75 another acquirer on this ledger; 78 a directory or plan that can't be used. Requires: called once,
// from main().
int run_acquirer(const AcquirerOptions& options);

// Prints the ledger of a directory. Gives 0, 65 (damaged) or 78 (no ledger there).
int print_ledger(const LedgerOptions& options);

}  // namespace nightdrop::simulator
