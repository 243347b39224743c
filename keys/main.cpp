// nightdrop-provision: the command line of the provisioning tool. It reads options, runs one command, prints what was
// made (for a person, or with --json for a program) and maps every refusal to an exit code of sysexits.h.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <functional>

#include <sys/prctl.h>
#include <sys/resource.h>

#include "keys/command_line.hpp"

namespace nightdrop::keys {
namespace {

constexpr const char* footer =
    "Exit codes: 0 done, 64 wrong use, 65 data that can't be used, 66 a file that can't be read,\n"
    "69 a reader that is not there or says no, 70 a failure inside, 73 a file that can't be made,\n"
    "75 at work already, or stopped before the end, 78 configuration.";

void print_error_json(const std::string& message, Exit exit) {
  Json error = Json::object();
  error.set("message", message).set("exit_code", static_cast<int>(exit));
  Json document = Json::object();
  document.set("error", std::move(error));
  std::printf("%s\n", document.dump().c_str());
}

int print(const Outcome<Made>& outcome, bool json) {
  if (!outcome) {
    std::fprintf(stderr, "nightdrop-provision: %s\n", outcome.error().message.c_str());
    if (json) print_error_json(outcome.error().message, outcome.error().exit);
    return static_cast<int>(outcome.error().exit);
  }
  if (json) {
    std::printf("%s\n", outcome->json.dump().c_str());
  } else {
    std::fputs(outcome->text.c_str(), stdout);
  }
  if (std::fflush(stdout) != 0) return static_cast<int>(Exit::CannotCreate);
  return outcome->exit_code;
}

// No core file and no debugger of another process sees the keys that pass through here.
void protect_memory() {
  prctl(PR_SET_DUMPABLE, 0);
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
}

// Options before and after a sub-command mean the same at every depth.
void fall_through(CLI::App& app) {
  app.fallthrough();
  for (CLI::App* sub : app.get_subcommands({})) fall_through(*sub);
}

}  // namespace

int run(int argc, char** argv) {
  protect_memory();
  bool json = false;
  Command chosen;
  CLI::App app("Makes readers and signs what they trust: key ceremonies, the manufacturing line, policies.",
               "nightdrop-provision");
  app.footer(footer);
  app.require_subcommand(1);
  app.add_flag("--json", json, "Prints what was made, or what went wrong, as one JSON object");
  add_dev_commands(app, chosen);
  add_policy_commands(app, chosen);
  add_ceremony_commands(app, chosen);
  add_line_commands(app, chosen);
  fall_through(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (app.exit(error) == 0) return 0;
    // Where the command line is wrong, the flag is looked for: parsing did not come to it.
    if (std::find(argv, argv + argc, std::string_view("--json")) != argv + argc) {
      print_error_json(error.what(), Exit::Usage);
    }
    return static_cast<int>(Exit::Usage);
  }
  return print(chosen(), json);
}

}  // namespace nightdrop::keys

int main(int argc, char** argv) {
  try {
    return nightdrop::keys::run(argc, argv);
  } catch (const std::exception&) {  // out of memory, or a path the C++ library cannot take
    std::fputs("nightdrop-provision: failed inside\n", stderr);
    return static_cast<int>(nightdrop::keys::Exit::Software);
  }
}
