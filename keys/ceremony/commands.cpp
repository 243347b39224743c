// The commands `hsm …` and `ceremony …` on the command line. No option takes a PIN, a key or a component: arguments can
// be read by every process.
#include <CLI/CLI.hpp>

#include <memory>
#include <string>

#include "keys/ceremony/ceremony.hpp"
#include "keys/command_line.hpp"
#include "keys/prompt/prompt.hpp"

namespace nightdrop::keys {
namespace {

struct CeremonyArguments {
  CeremonyContext context;
  HsmInitOptions hsm{"", "nightdrop", "", ""};
  CeremonyInitOptions init;
  CeremonyImportOptions import;
  CeremonyExportOptions out;
  std::string merchant, component_type{"aes-256"}, component_file;
  bool softhsm{false};
  bool verify{false};
};
using Given = std::shared_ptr<CeremonyArguments>;  // lives in the callbacks

CLI::App* add_command(CLI::App& under, const Given& given, const char* name, const char* what) {
  CLI::App* command = under.add_subcommand(name, what);
  command->add_option("--station", given->context.folder, "The station's folder")->required()->type_name("DIR");
  return command;
}

void add_operator(CLI::App& command, const Given& given) {
  command
      .add_option("--operator", given->context.operators,
                  "Who is at the keyboard, for the transcript; may be repeated. The login's name if not given")
      ->type_name("NAME")
      ->allow_extra_args(false);
}

Outcome<Made> run_hsm_init(const CeremonyArguments& given) {
  if (given.softhsm == !given.hsm.module.empty()) return refuse(Exit::Usage, "either --softhsm or --module");
  if (!given.softhsm && !given.hsm.so_pin_file.empty()) {
    return refuse(Exit::Usage, "--so-pin-file goes with --softhsm: another HSM's token is made by its maker's tool");
  }
  return hsm_init(given.context, given.hsm);
}

void add_hsm(CLI::App& app, const Given& given, Command& chosen) {
  CLI::App* hsm = app.add_subcommand("hsm", "The HSM that holds the operator's keys.");
  hsm->require_subcommand(1);
  CLI::App* init = add_command(*hsm, given, "init",
                               "Chooses the HSM of a station, once: writes DIR/hsm.json and tries the PIN.\n"
                               "PINs come from files or are asked for.");
  init->add_flag("--softhsm", given->softhsm, "Makes a SoftHSM2 token in DIR/tokens: for development and tests");
  init->add_option("--module", given->hsm.module, "The PKCS#11 module of an HSM")->type_name("PATH");
  init->add_option("--token", given->hsm.token_label, "The token's label; nightdrop if not given")->type_name("LABEL");
  init->add_option("--pin-file", given->hsm.pin_file,
                   "A file with the PIN, mode 0600; asked for each time if not given")
      ->type_name("FILE");
  init->add_option("--so-pin-file", given->hsm.so_pin_file, "SoftHSM2: a file with the security officer's PIN")
      ->type_name("FILE");
  add_operator(*init, given);
  init->callback([given, &chosen] {
    chosen = [given] {
      given->context.clock = now;
      return run_hsm_init(*given);
    };
  });
}

// What a command does, with the time that it is run at.
template <class Function>
void on(CLI::App* command, const Given& given, Command& chosen, Function function) {
  command->callback([given, &chosen, function] {
    chosen = [given, function]() -> Outcome<Made> {
      given->context.clock = now;
      return function(*given);
    };
  });
}

void add_init(CLI::App& ceremony, const Given& given, Command& chosen) {
  CLI::App* init = add_command(ceremony, given, "init",
                               "Makes the station's keys in the HSM, and its certificates: orders, transport, a BDK,\n"
                               "policy, ca, station, a fingerprint key a merchant; ca.pem, station.pem, orders.pem,\n"
                               "policy_signer.pem. Run again after a crash: what is there is kept.");
  init->add_option("--key-type", given->init.key_type, "Of the BDK: aes-128 (if not given) or aes-256")
      ->type_name("TYPE");
  init->add_option("--merchant", given->init.merchants, "A merchant with readers of its own; may be repeated")
      ->type_name("ID")
      ->allow_extra_args(false);
  init->add_option("--authority-name", given->init.authority_name, "The manufacturing CA's name")->type_name("NAME");
  init->add_option("--station-name", given->init.station_name, "The station's name; station-1 if not given")
      ->type_name("NAME");
  add_operator(*init, given);
  on(init, given, chosen, [](const CeremonyArguments& all) { return ceremony_init(all.context, all.init); });

  CLI::App* merchant = add_command(ceremony, given, "add-merchant", "Makes a merchant's fingerprint key.");
  merchant->add_option("MERCHANT", given->merchant, "The merchant")->required();
  add_operator(*merchant, given);
  on(merchant, given, chosen,
     [](const CeremonyArguments& all) { return ceremony_add_merchant(all.context, all.merchant); });

  CLI::App* renew = add_command(ceremony, given, "renew",
                                "Makes new certificates for the station and for orders, in place of those that end.");
  add_operator(*renew, given);
  on(renew, given, chosen, [](const CeremonyArguments& all) { return ceremony_renew(all.context); });
}

void add_component(CLI::App& ceremony, const Given& given, Command& chosen) {
  CLI::App* component = ceremony.add_subcommand(
      "component", "Makes a random component for one custodian: a file with it and its check value. Needs no HSM.");
  component->add_option("--key-type", given->component_type, "aes-128 or aes-256 (if not given)")->type_name("TYPE");
  component->add_option("--out", given->component_file, "The file; it must not be there")
      ->required()
      ->type_name("FILE");
  on(component, given, chosen,
     [](const CeremonyArguments& all) { return ceremony_component(all.component_type, all.component_file); });
}

void add_import(CLI::App& ceremony, const Given& given, Command& chosen) {
  CLI::App* import = add_command(ceremony, given, "import",
                                 "Brings a key into the HSM: in two or three components, each typed by its custodian\n"
                                 "without echo and checked by its check value; or as a TR-31 key block.");
  import->add_option("--key", given->import.key, "bdk, bdk/ID, kbpk/NAME, transport or fingerprint/MERCHANT")
      ->required()
      ->type_name("KEY");
  import->add_option("--components", given->import.components, "How many: 2 (if not given) or 3")->type_name("N");
  import
      ->add_option("--custodian", given->import.custodians,
                   "A custodian's name, once for each component in their order; asked for if not given")
      ->type_name("NAME")
      ->allow_extra_args(false);
  import
      ->add_option("--component-file", given->import.component_files,
                   "A file, mode 0600, once for each component: its hex digits, and its check value on a second line")
      ->type_name("FILE")
      ->allow_extra_args(false);
  import->add_option("--check-value", given->import.check_value, "Of the whole key; asked for if not given")
      ->type_name("HEX");
  import->add_option("--tr31", given->import.tr31_file, "A file with a TR-31 key block")->type_name("FILE");
  import->add_option("--kbpk", given->import.kbpk, "The block is under kbpk/NAME")->type_name("NAME");
  add_operator(*import, given);
  on(import, given, chosen, [](const CeremonyArguments& all) { return ceremony_import(all.context, all.import); });
}

void add_export(CLI::App& ceremony, const Given& given, Command& chosen) {
  CLI::App* out =
      add_command(ceremony, given, "export", "Writes a key as a TR-31 key block, version D, for an acquirer's HSM.");
  out->add_option("--key", given->out.key, "bdk/ID or fingerprint/MERCHANT")->required()->type_name("KEY");
  out->add_option("--kbpk", given->out.kbpk, "Under kbpk/NAME")->required()->type_name("NAME");
  out->add_option("--out", given->out.out, "The file; it must not be there")->required()->type_name("FILE");
  out->add_flag("--final", given->out.final, "Afterwards the key never leaves the HSM again");
  add_operator(*out, given);
  on(out, given, chosen, [](const CeremonyArguments& all) { return ceremony_export(all.context, all.out); });
}

}  // namespace

void add_ceremony_commands(CLI::App& app, Command& chosen) {
  const auto given = std::make_shared<CeremonyArguments>();
  add_hsm(app, given, chosen);
  CLI::App* ceremony =
      app.add_subcommand("ceremony", "The key ceremony: keys made, brought in and given out (keys/README.md).");
  ceremony->require_subcommand(1);
  add_init(*ceremony, given, chosen);
  add_component(*ceremony, given, chosen);
  add_import(*ceremony, given, chosen);
  add_export(*ceremony, given, chosen);
  CLI::App* show = add_command(*ceremony, given, "show", "Lists the keys in the HSM with their check values.");
  on(show, given, chosen, [](const CeremonyArguments& all) { return ceremony_show(all.context); });
  CLI::App* transcript = add_command(*ceremony, given, "transcript", "Prints the transcript.");
  transcript->add_flag("--verify", given->verify, "Checks it instead; needs no HSM");
  on(transcript, given, chosen,
     [](const CeremonyArguments& all) { return ceremony_transcript(all.context, all.verify); });
}

}  // namespace nightdrop::keys
