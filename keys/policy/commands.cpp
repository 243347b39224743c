// The commands `policy …` on the command line.
#include <CLI/CLI.hpp>

#include <memory>
#include <string>

#include "keys/command_line.hpp"
#include "keys/policy/policy_commands.hpp"
#include "keys/policy/policy_reading.hpp"

namespace nightdrop::keys {
namespace {

struct PolicyArguments {
  std::string key, station, in, out, id, file, other, signer, preset;
  bool replace{false};
};

}  // namespace

void add_policy_commands(CLI::App& app, Command& chosen) {
  const auto given = std::make_shared<PolicyArguments>();  // lives in the callbacks
  CLI::App* policy = app.add_subcommand("policy", "Writes, checks and signs the policy document (docs/policy.md).");
  policy->require_subcommand(1);

  CLI::App* defaults =
      policy->add_subcommand("defaults", "Prints the default policy, or a preset, with every key in it.");
  defaults->add_option("--preset", given->preset, "counter-service, table-service or festival")->type_name("NAME");
  defaults->callback([given, &chosen] { chosen = [given] { return policy_defaults(given->preset); }; });

  CLI::App* preset = policy->add_subcommand("preset", "Lists the presets, or prints one: as defaults --preset NAME.");
  preset->add_option("NAME", given->preset, "counter-service, table-service or festival");
  preset->callback([given, &chosen] {
    chosen = [given] { return given->preset.empty() ? policy_presets() : policy_defaults(given->preset); };
  });

  CLI::App* show = policy->add_subcommand("show", "Shows a policy as a table that a merchant understands.");
  show->add_option("FILE", given->file, "The policy")->required();
  show->add_option("--overlay", given->other, "A merchant's overlay, laid over it as the reader does")
      ->type_name("FILE");
  show->callback([given, &chosen] { chosen = [given] { return policy_show(given->file, given->other); }; });

  CLI::App* diff = policy->add_subcommand(
      "diff", "Tells what NEW changes, field by field, tighter or looser; exit code 0: nothing, 1: something.");
  diff->add_option("OLD", given->file, "The policy as it is")->required();
  diff->add_option("NEW", given->other, "The policy as it shall be")->required();
  diff->callback([given, &chosen] { chosen = [given] { return policy_diff(given->file, given->other); }; });

  CLI::App* verify =
      policy->add_subcommand("verify", "Checks a signed policy, FILE and FILE.sig, as the reader would.");
  verify->add_option("FILE", given->file, "The policy")->required();
  verify->add_option("--signer", given->signer, "The signer's public key (PEM)")->required()->type_name("PEM");
  verify->callback([given, &chosen] { chosen = [given] { return policy_check(given->file, given->signer, now()); }; });

  CLI::App* check = policy->add_subcommand("check", "Checks a policy as the reader would.");
  check->add_option("FILE", given->file, "The policy")->required();
  check->add_option("--signer", given->signer, "Checks FILE.sig too, against this public key (PEM)")->type_name("FILE");
  check->callback([given, &chosen] { chosen = [given] { return policy_check(given->file, given->signer, now()); }; });

  CLI::App* sign =
      policy->add_subcommand("sign", "Signs a policy: writes FILE, byte for byte as it came, and FILE.sig.");
  CLI::Option_group* by = sign->add_option_group("signer", "Who signs");
  by->add_option("--station", given->station, "The key `policy` in the HSM of this station's folder")->type_name("DIR");
  by->add_option("--key", given->key, "A key in a file, P-256 in PEM: for development")->type_name("PEM");
  by->require_option(1);
  sign->add_option("--in", given->in, "The policy to sign")->required()->type_name("FILE");
  sign->add_option("--out", given->out, "Where the signed one goes; may be the same file")
      ->required()
      ->type_name("FILE");
  sign->callback([given, &chosen] {
    chosen = [given] { return policy_sign({given->key, given->station}, given->in, given->out); };
  });

  CLI::App* signer = policy->add_subcommand("signer", "Prints the public key that readers check policies with.");
  signer->add_option("--station", given->station, "The station's folder")->required()->type_name("DIR");
  signer->callback([given, &chosen] { chosen = [given] { return policy_signer(given->station); }; });

  CLI::App* approver = policy->add_subcommand(
      "add-approver",
      "Adds a manager who may approve payments; the PIN, 4 to 12 digits, better 6 or more, comes from\n"
      "standard input.");
  approver->add_option("--policy", given->file, "The policy, changed in place; sign it afterwards")
      ->required()
      ->type_name("FILE");
  approver->add_option("--id", given->id, "The approver's name")->required()->type_name("NAME");
  approver->add_flag("--replace", given->replace, "Gives a new PIN to an approver that is in already");
  approver->callback(
      [given, &chosen] { chosen = [given] { return policy_add_approver(given->file, given->id, given->replace); }; });
}

}  // namespace nightdrop::keys
