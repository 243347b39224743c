// The manufacturing line's commands on the command line: device, batch, verify, list, label, report, revoke,
// erase-order, erase, rekey, renewal-authority. Each opens the station's folder for itself; only one process may have
// it.
#include <CLI/CLI.hpp>

#include <chrono>
#include <memory>
#include <string>

#include "keys/command_line.hpp"
#include "keys/line/batch.hpp"
#include "keys/line/inventory.hpp"
#include "keys/line/provision_unit.hpp"
#include "keys/line/renewal_authority.hpp"

namespace nightdrop::keys {
namespace {

// What the options of all these commands are read into; each command looks at its own.
struct LineArguments {
  std::string station, serial_number, connection, merchant, factory_key;
  RecipeOptions recipe;
  std::string orders_file;
  int jobs{4};
  bool retry_failed{false};
  int timeout_s{10};
  std::uint32_t first_derivation{1}, last_derivation{0x7FFFFFFF};
  std::string state, out, reason, present, certificate, erase_order;
  int days{7};
  int authority_days{renewal_authority_days};

  provisioning::Timeouts timeouts() const {
    provisioning::Timeouts made;
    made.step = std::chrono::seconds(timeout_s);
    return made;
  }
};

constexpr const char* connect_or_last =
    "unix:PATH, serial:/dev/ttyACM0 or tcp:127.0.0.1:PORT; if not given, where it was provisioned";

// Help names what may be given in its own words, where CLI11 would add types and bounds.
template <class T>
CLI::Validator in_range(T least, T most) {
  return CLI::Range(least, most).description("");
}

using Work = Outcome<Made> (*)(Station&, const LineArguments&);

Outcome<Made> device(Station& station, const LineArguments& given) {
  const Order order{"device", given.serial_number, given.merchant, given.connection, given.factory_key};
  if (const std::string mistake = mistake_in(order); !mistake.empty()) return refuse(Exit::Usage, mistake);
  const auto recipe = make_recipe(station, given.recipe);
  if (!recipe) return std::unexpected(recipe.error());
  if (recipe->policy.merchant != order.merchant) {
    return refuse(Exit::Data, given.recipe.policy_file + ": merchant_id: is another merchant's, not --merchant's");
  }
  const auto done = run_unit({station, *recipe, now, given.timeouts()}, order);
  if (!done) return refuse(done.error().exit, order.serial_number + ": " + done.error().message);
  Made made;
  made.text = done->serial_number + ": " + (done->settled ? "was provisioned before the line was cut" : "provisioned") +
              ", initial key " + done->initial_key_id + " (check value " + done->key_check_value + "), certificate " +
              done->certificate + "\n";
  if (done->trusted_on_first_use) made.text += "  its factory key " + done->factory_key + " was trusted on first use\n";
  made.json.set("serial_number", done->serial_number)
      .set("initial_key_id", done->initial_key_id)
      .set("key_check_value", done->key_check_value)
      .set("certificate", done->certificate)
      .set("factory_key", done->factory_key)
      .set("trusted_on_first_use", done->trusted_on_first_use)
      .set("settled", done->settled)
      .set("duration_ms", done->duration_ms);
  return made;
}

Outcome<Made> batch(Station& station, const LineArguments& given) {
  return run_batch(station, {given.orders_file, given.recipe, given.jobs, given.retry_failed, given.timeouts()});
}

// A command whose work is `work`, with the option that all have.
CLI::App* add(CLI::App& app, Command& chosen, const std::shared_ptr<LineArguments>& given, const char* name,
              const char* about, Work work) {
  CLI::App* command = app.add_subcommand(name, about);
  command->add_option("--station", given->station, "The station's folder, made by hsm init and ceremony init")
      ->required()
      ->type_name("DIR");
  command->callback([given, &chosen, work] {
    chosen = [given, work]() -> Outcome<Made> {
      const auto station = Station::open(given->station, {given->first_derivation, given->last_derivation});
      if (!station) return std::unexpected(station.error());
      return work(**station, *given);
    };
  });
  return command;
}

CLI::Option* add_serial(CLI::App* command, LineArguments& given) {
  return command->add_option("--serial", given.serial_number, "The reader's serial number")->type_name("SN");
}

CLI::Option* add_connect(CLI::App* command, LineArguments& given, const char* about) {
  return command->add_option("--connect", given.connection, about)->type_name("WHERE");
}

void add_timeout(CLI::App* command, LineArguments& given) {
  command->add_option("--timeout", given.timeout_s, "How long each answer may take, 1 to 600; 10 if not given")
      ->check(in_range(1, 600))
      ->type_name("SECONDS");
}

// What a unit gets besides its own keys.
void add_recipe(CLI::App* command, LineArguments& given, bool required) {
  command
      ->add_option("--policy", given.recipe.policy_file,
                   "The policy; signed in the HSM unless FILE.sig of its key is beside it")
      ->required(required)
      ->type_name("FILE");
  command
      ->add_option("--config-template", given.recipe.config_template,
                   "nightdrop.json with {serial_number} and {merchant_id} where they are wanted")
      ->required(required)
      ->type_name("FILE");
  command->add_option("--acquirer-url", given.recipe.acquirer_url, "https://host:port, in place of the template's")
      ->type_name("URL");
  command
      ->add_option("--acquirer-ca", given.recipe.acquirer_ca_file,
                   "Whom the reader trusts as its acquirer; the manufacturing CA if not given")
      ->type_name("FILE");
  command
      ->add_option("--acquirer-dir", given.recipe.acquirer_dir, "The acquirer's folder, which gets readers/SERIAL.pem")
      ->type_name("DIR");
  command->add_option("--bdk-id", given.recipe.bdk_id, "Which BDK, where the HSM has several")->type_name("HEX");
  command
      ->add_option("--certificate-days", given.recipe.certificate_days,
                   "How long the certificate is good, 1 to 7300; 1826 if not given")
      ->check(in_range(1, 7300))
      ->type_name("DAYS");
  command->add_flag(
      "--development", given.recipe.development,
      "Marks the keys as development's, which a release build of nightdropd refuses; always so with SoftHSM2");
  command
      ->add_option("--first-derivation", given.first_derivation,
                   "Where a new station's derivation numbers begin; stations that share a BDK need ranges of their own")
      ->check(in_range(std::uint32_t{1}, std::uint32_t{0xFFFFFFFF}))
      ->type_name("N");
  command->add_option("--last-derivation", given.last_derivation, "Where they end")
      ->check(in_range(std::uint32_t{1}, std::uint32_t{0xFFFFFFFF}))
      ->type_name("N");
  add_timeout(command, given);
}

void add_making(CLI::App& app, Command& chosen, const std::shared_ptr<LineArguments>& given) {
  CLI::App* one = add(app, chosen, given, "device", "Provisions one reader in factory state.", device);
  add_serial(one, *given)->required();
  add_connect(one, *given, "unix:PATH, serial:/dev/ttyACM0 or tcp:127.0.0.1:PORT")->required();
  one->add_option("--merchant", given->merchant, "Whose reader it is: the policy's merchant_id")
      ->required()
      ->type_name("ID");
  one->add_option("--factory-key", given->factory_key,
                  "SHA-256 of the reader's factory key; if not given it is trusted on first use")
      ->type_name("HEX");
  add_recipe(one, *given, true);

  CLI::App* many = add(app, chosen, given, "batch",
                       "Provisions the readers of orders.csv, many at once. Stops after the units in hand at SIGINT;\n"
                       "run again, it goes on where it was. A unit that fails is set aside with its reason.",
                       batch);
  many->add_option("orders", given->orders_file,
                   "Columns serial_number, merchant_id, connect; where wanted factory_key, policy, config")
      ->required()
      ->type_name("orders.csv");
  many->add_option("--jobs", given->jobs, "Units at once, 1 to 256; 4 if not given")
      ->check(in_range(1, 256))
      ->type_name("N");
  many->add_flag("--retry-failed", given->retry_failed, "Takes the units again that were set aside");
  add_recipe(many, *given, false);
}

void add_telling(CLI::App& app, Command& chosen, const std::shared_ptr<LineArguments>& given) {
  CLI::App* verify = add(app, chosen, given, "verify", "Asks a reader whether it is what the database says.",
                         [](Station& station, const LineArguments& with) {
                           return verify_unit(station, with.serial_number, with.connection, with.timeouts());
                         });
  add_serial(verify, *given);
  add_connect(verify, *given, connect_or_last);
  add_timeout(verify, *given);

  CLI::App* list = add(app, chosen, given, "list", "Lists the units.",
                       [](Station& station, const LineArguments& with) { return list_units(station, with.state); });
  list->add_option("--state", given->state, "waiting, working, provisioned or aside alone")->type_name("STATE");

  CLI::App* label = add(
      app, chosen, given, "label", "Makes a reader's label: SVG, PNG and ZPL.",
      [](Station& station, const LineArguments& with) { return make_label(station, with.serial_number, with.out); });
  add_serial(label, *given)->required();
  label->add_option("--out", given->out, "The folder that gets SN.svg, SN.png and SN.zpl")
      ->required()
      ->type_name("DIR");

  add(app, chosen, given, "report", "Yield, failures, times, and the check values of the keys in use.",
      [](Station& station, const LineArguments&) { return report(station); });
}

void add_field_orders(CLI::App& app, Command& chosen, const std::shared_ptr<LineArguments>& given) {
  CLI::App* revoke = add(app, chosen, given, "revoke",
                         "Takes a reader's certificate out of trust and writes the revocation list DIR/revoked.pem;\n"
                         "without --serial it writes the list anew, with what never came into force.",
                         [](Station& station, const LineArguments& with) {
                           return revoke_unit(station, with.serial_number, with.reason, with.recipe.acquirer_dir);
                         });
  add_serial(revoke, *given);
  revoke->add_option("--reason", given->reason, "Why, in a few words")->type_name("TEXT");
  revoke->add_option("--acquirer-dir", given->recipe.acquirer_dir, "The acquirer's folder, which gets the list too")
      ->type_name("DIR");

  CLI::App* erase =
      add(app, chosen, given, "erase-order",
          "Writes a signed order by which a provisioned reader goes back to factory state.",
          [](Station& station, const LineArguments& with) {
            return make_erase_order_file(station, with.serial_number, with.certificate, with.out, with.days);
          });
  add_serial(erase, *given)->required();
  erase->add_option("--certificate", given->certificate, "Serial number of its certificate, where that was renewed")
      ->type_name("HEX");
  erase->add_option("--days", given->days, "How long the order is good, 1 to 365; 7 if not given")
      ->check(in_range(1, 365))
      ->type_name("DAYS");
  erase->add_option("--out", given->out, "The order")->required()->type_name("FILE");

  CLI::App* hand_over =
      add(app, chosen, given, "erase", "Hands an erase order to a reader, which goes back to factory state.",
          [](Station& station, const LineArguments& with) {
            return erase_unit(station, with.serial_number, with.connection, with.erase_order, with.timeouts());
          });
  add_serial(hand_over, *given)->required();
  add_connect(hand_over, *given, connect_or_last);
  hand_over->add_option("--order", given->erase_order, "The order that erase-order wrote")
      ->required()
      ->type_name("FILE");
  add_timeout(hand_over, *given);

  CLI::App* rekey =
      add(app, chosen, given, "rekey",
          "Writes a new initial key for a reader in the field, under the update key of the one it has.",
          [](Station& station, const LineArguments& with) {
            return make_rekey_file(station, with.serial_number, with.present, with.recipe.bdk_id, with.out);
          });
  add_serial(rekey, *given)->required();
  rekey->add_option("--present", given->present, "The initial key ID it has, where an earlier rekey is open")
      ->type_name("HEX");
  rekey->add_option("--bdk-id", given->recipe.bdk_id, "The BDK of the new key; the present one's if not given")
      ->type_name("HEX");
  rekey->add_option("--out", given->out, "The TR-31 block")->required()->type_name("FILE");
}

void add_renewal(CLI::App& app, Command& chosen, const std::shared_ptr<LineArguments>& given) {
  CLI::App* renewal = add(app, chosen, given, "renewal-authority",
                          "Makes the authority by which an acquirer renews readers' certificates: renewal.pem,\n"
                          "renewal.key and manufacturing_ca.pem. It can certify neither stations nor servers.",
                          [](Station& station, const LineArguments& with) {
                            return make_renewal_authority(station, with.recipe.acquirer_dir, with.authority_days);
                          });
  renewal->add_option("--acquirer-dir", given->recipe.acquirer_dir, "The acquirer's folder")
      ->required()
      ->type_name("DIR");
  renewal
      ->add_option("--days", given->authority_days,
                   "How long it is good, 30 or more; 3650 if not given; the CA's end at most")
      ->check(in_range(30, 36'500))
      ->type_name("DAYS");
}

}  // namespace

void add_line_commands(CLI::App& app, Command& chosen) {
  const auto given = std::make_shared<LineArguments>();  // lives in the callbacks; one command runs
  add_making(app, chosen, given);
  add_telling(app, chosen, given);
  add_field_orders(app, chosen, given);
  add_renewal(app, chosen, given);
}

}  // namespace nightdrop::keys
