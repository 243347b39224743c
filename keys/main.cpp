// nightdrop-provision: the command line of the provisioning tool. It reads options, runs one command, prints what was
// made (for a person, or with --json for a program) and maps every refusal to an exit code of sysexits.h.
#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdio>
#include <functional>

#include <sys/prctl.h>
#include <sys/resource.h>

#include "nightdrop/encoding.hpp"
#include "keys/development_reader.hpp"
#include "keys/policy_commands.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop::keys {
namespace {

using Command = std::function<Outcome<Made>()>;

constexpr const char* footer =
    "Exit codes: 0 done, 64 wrong use, 65 data that can't be used, 66 a file that can't be read,\n"
    "70 a failure inside, 73 a file that can't be made, 78 configuration.";

struct Arguments {
  bool json{false};
  std::string out, serial_number{"ND000001"}, acquirer_url{"https://127.0.0.1:8443"}, policy, bdk, key_type;
  bool force{false};
  std::string key, in, id, file, signer;
  bool replace{false};
};

UtcMs now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Outcome<Made> run_dev(Arguments& given) {
  DevelopmentOptions options;
  options.folder = given.out;
  options.serial_number = given.serial_number;
  options.acquirer_url = given.acquirer_url;
  options.policy_file = given.policy;
  options.force = given.force;
  const auto key_type = given.key_type.empty() ? KeyType::Aes128 : from_word<KeyType>(given.key_type);
  if (!key_type || *key_type == KeyType::Aes192) return refuse(Exit::Usage, "--key-type is aes-128 or aes-256");
  options.key_type = *key_type;
  if (!given.bdk.empty()) {
    auto bdk = secret_from_hex(given.bdk);
    wipe({reinterpret_cast<std::uint8_t*>(given.bdk.data()), given.bdk.size()});
    if (!bdk || (bdk->size() != 16 && bdk->size() != 32)) {
      return refuse(Exit::Usage, "--bdk is 32 or 64 hex digits: an AES-128 or an AES-256 key");
    }
    if (!given.key_type.empty() && (bdk->size() == 32) != (*key_type == KeyType::Aes256)) {
      return refuse(Exit::Usage, "--bdk is not of the length that --key-type says");
    }
    options.bdk = std::move(*bdk);
  }
  return make_development_reader(options, now());
}

void add_dev(CLI::App& app, Arguments& given, Command& command) {
  CLI::App* dev = app.add_subcommand(
      "dev",
      "Makes a simulated reader and its acquirer's side in one folder, with fresh development keys.\n"
      "Configuration nightdrop.json, vault/, queue/, the signed policy.json, acquirer/ for nightdrop-sim,\n"
      "and signing/policy_signing.key, with which `policy sign` can sign another policy for it.\n"
      "A release build of nightdropd refuses such a reader.");
  dev->add_option("--out", given.out, "The folder; made anew if this tool made it before")
      ->required()
      ->type_name("DIR");
  dev->add_option("--serial", given.serial_number, "The reader's serial number, ND000001 if not given");
  dev->add_option("--acquirer-url", given.acquirer_url, "https://host:port, https://127.0.0.1:8443 if not given");
  dev->add_option("--policy", given.policy, "An unsigned policy to sign, in place of the development policy")
      ->type_name("FILE");
  dev->add_option("--bdk", given.bdk, "The base derivation key, 32 or 64 hex digits; a random one if not given")
      ->type_name("HEX");
  dev->add_option("--key-type", given.key_type, "aes-128 (if not given) or aes-256")->type_name("TYPE");
  dev->add_flag("--force", given.force, "Also into a folder that holds what this tool did not make");
  dev->callback([&] { command = [&] { return run_dev(given); }; });
}

void add_policy(CLI::App& app, Arguments& given, Command& command) {
  CLI::App* policy = app.add_subcommand("policy", "Writes, checks and signs the policy document (docs/policy.md).");
  policy->require_subcommand(1);

  CLI::App* defaults = policy->add_subcommand("defaults", "Prints the default policy with every key in it.");
  defaults->callback([&] { command = policy_defaults; });

  CLI::App* check = policy->add_subcommand("check", "Checks a policy as the reader would.");
  check->add_option("FILE", given.file, "The policy")->required();
  check->add_option("--signer", given.signer, "Checks FILE.sig too, against this public key (PEM)")->type_name("FILE");
  check->callback([&] { command = [&] { return policy_check(given.file, given.signer, now()); }; });

  CLI::App* sign =
      policy->add_subcommand("sign", "Signs a policy: writes FILE, byte for byte as it came, and FILE.sig.");
  sign->add_option("--key", given.key, "The signing key, P-256 in PEM")->required()->type_name("PEM");
  sign->add_option("--in", given.in, "The policy to sign")->required()->type_name("FILE");
  sign->add_option("--out", given.out, "Where the signed one goes; may be the same file")
      ->required()
      ->type_name("FILE");
  sign->callback([&] { command = [&] { return policy_sign(given.key, given.in, given.out); }; });

  CLI::App* approver = policy->add_subcommand(
      "add-approver", "Adds a manager who may approve payments; the PIN, 4 to 12 digits, comes from standard input.");
  approver->add_option("--policy", given.file, "The policy, changed in place; sign it afterwards")
      ->required()
      ->type_name("FILE");
  approver->add_option("--id", given.id, "The approver's name")->required()->type_name("NAME");
  approver->add_flag("--replace", given.replace, "Gives a new PIN to an approver that is in already");
  approver->callback([&] { command = [&] { return policy_add_approver(given.file, given.id, given.replace); }; });
}

int print(const Outcome<Made>& outcome, bool json) {
  if (!outcome) {
    std::fprintf(stderr, "nightdrop-provision: %s\n", outcome.error().message.c_str());
    if (json) {
      Json error = Json::object();
      error.set("message", outcome.error().message).set("exit_code", static_cast<int>(outcome.error().exit));
      Json document = Json::object();
      document.set("error", std::move(error));
      std::printf("%s\n", document.dump().c_str());
    }
    return static_cast<int>(outcome.error().exit);
  }
  if (json) {
    std::printf("%s\n", outcome->json.dump().c_str());
  } else {
    std::fputs(outcome->text.c_str(), stdout);
  }
  if (std::fflush(stdout) != 0) return static_cast<int>(Exit::CannotCreate);
  return 0;
}

// No core file and no debugger of another process sees the keys that pass through here.
void protect_memory() {
  prctl(PR_SET_DUMPABLE, 0);
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
}

int run(int argc, char** argv) {
  protect_memory();
  Arguments given;
  Command command;
  CLI::App app("Makes readers and signs what they trust: development readers, policies, approvers.",
               "nightdrop-provision");
  app.footer(footer);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_flag("--json", given.json, "Prints what was made, or what went wrong, as one JSON object");
  add_dev(app, given, command);
  add_policy(app, given, command);
  for (CLI::App* sub : app.get_subcommands({})) sub->fallthrough();
  for (CLI::App* sub : app.get_subcommand("policy")->get_subcommands({})) sub->fallthrough();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(Exit::Usage);
  }
  return print(command(), given.json);
}

}  // namespace
}  // namespace nightdrop::keys

int main(int argc, char** argv) {
  try {
    return nightdrop::keys::run(argc, argv);
  } catch (const std::exception&) {  // out of memory, or a path the C++ library cannot take
    std::fputs("nightdrop-provision: failed inside\n", stderr);
    return static_cast<int>(nightdrop::keys::Exit::Software);
  }
}
