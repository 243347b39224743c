// The command `dev` on the command line.
#include <CLI/CLI.hpp>

#include <memory>
#include <string>

#include "keys/command_line.hpp"
#include "keys/dev/development_reader.hpp"
#include "keys/files.hpp"
#include "nightdrop/encoding.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop::keys {
namespace {

struct DevArguments {
  std::string out, serial_number{"ND000001"}, acquirer_url{"https://127.0.0.1:8443"}, policy, bdk, bdk_file, key_type;
  bool force{false};
};

// Empty where none was given.
Outcome<SecretBytes> given_bdk(DevArguments& given) {
  if (given.bdk.empty() && given.bdk_file.empty()) return Outcome<SecretBytes>(SecretBytes());
  Result<SecretBytes> bdk = SecretBytes();
  if (given.bdk_file.empty()) {
    bdk = secret_from_hex(given.bdk);
    wipe({reinterpret_cast<std::uint8_t*>(given.bdk.data()), given.bdk.size()});
  } else {
    const auto text = read_secret_file(given.bdk_file);
    if (!text) return std::unexpected(text.error());
    const std::string_view all(reinterpret_cast<const char*>(text->view().data()), text->size());
    bdk = secret_from_hex(all.substr(0, all.find_last_not_of("\r\n") + 1));
  }
  if (bdk && (bdk->size() == 16 || bdk->size() == 32)) return Outcome<SecretBytes>(std::move(*bdk));
  if (!given.bdk_file.empty()) return refuse(Exit::Data, given.bdk_file + ": is not 32 or 64 hex digits");
  return refuse(Exit::Usage, "--bdk is 32 or 64 hex digits: an AES-128 or an AES-256 key");
}

Outcome<Made> run_dev(DevArguments& given) {
  DevelopmentOptions options;
  options.folder = given.out;
  options.serial_number = given.serial_number;
  options.acquirer_url = given.acquirer_url;
  options.policy_file = given.policy;
  options.force = given.force;
  const auto key_type = given.key_type.empty() ? KeyType::Aes128 : from_word<KeyType>(given.key_type);
  if (!key_type || *key_type == KeyType::Aes192) return refuse(Exit::Usage, "--key-type is aes-128 or aes-256");
  options.key_type = *key_type;
  auto bdk = given_bdk(given);
  if (!bdk) return std::unexpected(bdk.error());
  if (!bdk->empty() && !given.key_type.empty() && (bdk->size() == 32) != (*key_type == KeyType::Aes256)) {
    return refuse(Exit::Usage, "the BDK is not of the length that --key-type says");
  }
  options.bdk = std::move(*bdk);
  return make_development_reader(options, now());
}

}  // namespace

void add_dev_commands(CLI::App& app, Command& chosen) {
  const auto given = std::make_shared<DevArguments>();  // lives in the callback
  CLI::App* dev = app.add_subcommand(
      "dev",
      "Makes a simulated reader and its acquirer's side in one folder, with fresh development keys.\n"
      "Configuration nightdrop.json, vault/, queue/, the signed policy.json, acquirer/ for nightdrop-sim,\n"
      "station/ with the keys in SoftHSM2, for the commands that take --station,\n"
      "and signing/policy_signing.key, with which `policy sign` can sign another policy for it.\n"
      "A release build of nightdropd refuses such a reader.");
  dev->add_option("--out", given->out, "The folder; made anew if this tool made it before")
      ->required()
      ->type_name("DIR");
  dev->add_option("--serial", given->serial_number, "The reader's serial number, ND000001 if not given");
  dev->add_option("--acquirer-url", given->acquirer_url, "https://host:port, https://127.0.0.1:8443 if not given");
  dev->add_option("--policy", given->policy, "An unsigned policy to sign, in place of the development policy")
      ->type_name("FILE");
  auto* bdk = dev->add_option("--bdk", given->bdk,
                              "The base derivation key, 32 or 64 hex digits; the HSM makes one if not given.\n"
                              "Other processes can see it here: --bdk-file for one that is more than a test's");
  bdk->type_name("HEX");
  dev->add_option("--bdk-file", given->bdk_file, "A file with the base derivation key in hex")
      ->excludes(bdk)
      ->type_name("FILE");
  dev->add_option("--key-type", given->key_type, "aes-128 (if not given) or aes-256")->type_name("TYPE");
  dev->add_flag("--force", given->force, "Also into a folder that holds what this tool did not make");
  dev->callback([given, &chosen] { chosen = [given] { return run_dev(*given); }; });
}

}  // namespace nightdrop::keys
