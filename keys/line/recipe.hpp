// What every unit of an order gets alike: the signed policy, the configuration's template, trust anchors. All of it is
// read and checked before the first unit is touched, and each file once however many units share it.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "keys/line/station.hpp"
#include "keys/outcome.hpp"

namespace nightdrop::keys {

struct SignedPolicy {
  std::string document;
  std::string signature;  // base64 DER, as in policy.json.sig
  std::string merchant;
};

struct Recipe {
  SignedPolicy policy;
  std::string config_template;
  std::string acquirer_url;            // empty: as the template says
  std::string acquirer_ca_pem;         // ca.pem of the reader; the manufacturing CA where the acquirer has no other
  std::filesystem::path acquirer_dir;  // gets readers/SERIAL.pem; empty: none
  std::array<std::uint8_t, 4> bdk_id{};
  bool development{false};
  std::int64_t certificate_days{1'826};  // five years
};

struct RecipeOptions {
  std::string policy_file;
  std::string config_template;
  std::string acquirer_url;
  std::string acquirer_ca_file;
  std::string acquirer_dir;
  std::string bdk_id;
  bool development{false};
  std::int64_t certificate_days{1'826};
};

// A policy that has a FILE.sig beside it must be signed by the station's policy key; one without is signed in the HSM.
// Errors: NoInput, Data (policy, signature), Config (template, BDK).
Outcome<Recipe> make_recipe(Station& station, const RecipeOptions& options);

// A policy that the station's policy key signs now. Errors: Data (it is no policy; `name` is the file's), Software.
Outcome<SignedPolicy> sign_policy(Station& station, std::string document, const std::string& name);

// The reader's nightdrop.json: the template with {serial_number} and {merchant_id} put in, serial_number and
// acquirer.url set. Errors: Config (the result is no configuration; the message names the field).
Outcome<std::string> reader_configuration(const Recipe& recipe, const Order& order);

}  // namespace nightdrop::keys
