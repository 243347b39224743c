// How the folders of this tool put their commands on the command line: each has a function add_…_commands() beside the
// code that it runs, takes what CLI11 parsed, and leaves the one command to run. A command's options live in the
// callback's own struct. Exit codes and printing are main.cpp's.
#pragma once

#include <functional>
#include <string>

#include "keys/outcome.hpp"
#include "nightdrop/payment.hpp"

namespace CLI {
class App;
}

namespace nightdrop::keys {

using Command = std::function<Outcome<Made>()>;

// The wall clock, in ms.
UtcMs now();

void add_dev_commands(CLI::App& app, Command& chosen);       // keys/dev
void add_policy_commands(CLI::App& app, Command& chosen);    // keys/policy
void add_ceremony_commands(CLI::App& app, Command& chosen);  // keys/ceremony: hsm and ceremony
void add_line_commands(CLI::App& app, Command& chosen);      // keys/line: device, batch, verify, list …

}  // namespace nightdrop::keys
