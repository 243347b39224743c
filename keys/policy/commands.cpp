// The commands `policy …` on the command line.
#include <CLI/CLI.hpp>

#include <memory>
#include <string>

#include "keys/command_line.hpp"
#include "keys/policy/policy_commands.hpp"

namespace nightdrop::keys {
namespace {

struct PolicyArguments {
  std::string key, in, out, id, file, signer;
  bool replace{false};
};

}  // namespace

void add_policy_commands(CLI::App& app, Command& chosen) {
  const auto given = std::make_shared<PolicyArguments>();  // lives in the callbacks
  CLI::App* policy = app.add_subcommand("policy", "Writes, checks and signs the policy document (docs/policy.md).");
  policy->require_subcommand(1);

  CLI::App* defaults = policy->add_subcommand("defaults", "Prints the default policy with every key in it.");
  defaults->callback([&chosen] { chosen = policy_defaults; });

  CLI::App* check = policy->add_subcommand("check", "Checks a policy as the reader would.");
  check->add_option("FILE", given->file, "The policy")->required();
  check->add_option("--signer", given->signer, "Checks FILE.sig too, against this public key (PEM)")->type_name("FILE");
  check->callback([given, &chosen] { chosen = [given] { return policy_check(given->file, given->signer, now()); }; });

  CLI::App* sign =
      policy->add_subcommand("sign", "Signs a policy: writes FILE, byte for byte as it came, and FILE.sig.");
  sign->add_option("--key", given->key, "The signing key, P-256 in PEM")->required()->type_name("PEM");
  sign->add_option("--in", given->in, "The policy to sign")->required()->type_name("FILE");
  sign->add_option("--out", given->out, "Where the signed one goes; may be the same file")
      ->required()
      ->type_name("FILE");
  sign->callback([given, &chosen] { chosen = [given] { return policy_sign(given->key, given->in, given->out); }; });

  CLI::App* approver = policy->add_subcommand(
      "add-approver", "Adds a manager who may approve payments; the PIN, 4 to 12 digits, comes from standard input.");
  approver->add_option("--policy", given->file, "The policy, changed in place; sign it afterwards")
      ->required()
      ->type_name("FILE");
  approver->add_option("--id", given->id, "The approver's name")->required()->type_name("NAME");
  approver->add_flag("--replace", given->replace, "Gives a new PIN to an approver that is in already");
  approver->callback([given, &chosen] { chosen = [given] { return policy_add_approver(given->file, given->id, given->replace); }; });
}

}  // namespace nightdrop::keys
