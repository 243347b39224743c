// Recipes; see recipe.hpp.
#include "keys/line/recipe.hpp"

#include <algorithm>
#include <system_error>

#include "config/config.hpp"
#include "config/policy_json.hpp"
#include "json/json.hpp"
#include "keys/files.hpp"
#include "keys/policy/policy_document.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::keys {
namespace {

Outcome<SignedPolicy> read_policy(Station& station, const std::string& file) {
  auto document = read_file(file);
  if (!document) return std::unexpected(document.error());
  const std::string signature_file = file + ".sig";
  std::error_code ignored;
  if (!std::filesystem::exists(signature_file, ignored)) return sign_policy(station, std::move(*document), file);
  const auto signature = read_file(signature_file);
  if (!signature) return std::unexpected(signature.error());
  const auto loaded = load_policy(*document, *signature, station.policy_signer_pem(), 0, verify_signature);
  if (!loaded) return refuse(Exit::Data, file + ": " + loaded.error().message);
  return SignedPolicy{std::move(*document), *signature, loaded->merchant_id};
}

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
}

}  // namespace

Outcome<SignedPolicy> sign_policy(Station& station, std::string document, const std::string& name) {
  const auto policy = check_policy(document, name);
  if (!policy) return std::unexpected(policy.error());
  const auto signature = station.hsm().sign("policy", bytes_of(document));
  if (!signature) return std::unexpected(signature.error());
  return SignedPolicy{std::move(document), to_base64(*signature) + "\n", policy->merchant_id};
}

Outcome<Recipe> make_recipe(Station& station, const RecipeOptions& options) {
  Recipe recipe;
  auto policy = read_policy(station, options.policy_file);
  if (!policy) return std::unexpected(policy.error());
  recipe.policy = std::move(*policy);
  auto config_template = read_file(options.config_template);
  if (!config_template) return std::unexpected(config_template.error());
  recipe.config_template = std::move(*config_template);
  recipe.acquirer_url = options.acquirer_url;
  recipe.acquirer_ca_pem = station.authority_pem();
  if (!options.acquirer_ca_file.empty()) {
    auto anchor = read_file(options.acquirer_ca_file);
    if (!anchor) return std::unexpected(anchor.error());
    if (const auto parsed = x509::parse_certificate_pem(*anchor); !parsed) {
      return refuse(Exit::Data, options.acquirer_ca_file + ": holds no P-256 certificate");
    }
    recipe.acquirer_ca_pem = std::move(*anchor);
  }
  recipe.acquirer_dir = options.acquirer_dir;
  const auto bdk = station.bdk_id(options.bdk_id);
  if (!bdk) return std::unexpected(bdk.error());
  recipe.bdk_id = *bdk;
  recipe.development = options.development || station.development();
  recipe.certificate_days = options.certificate_days;
  // A template that cannot work is found here, with values that any unit could have.
  const Order sample{"", "SERIAL", recipe.policy.merchant, "", ""};
  if (const auto made = reader_configuration(recipe, sample); !made) {
    return refuse(made.error().exit, options.config_template + ": " + made.error().message);
  }
  return recipe;
}

Outcome<std::string> reader_configuration(const Recipe& recipe, const Order& order) {
  std::string text = recipe.config_template;
  replace_all(text, "{serial_number}", order.serial_number);
  replace_all(text, "{merchant_id}", order.merchant);
  auto document = Json::parse(text);
  if (!document || !document->view().is_object()) return refuse(Exit::Config, "is not a JSON object");
  document->set("serial_number", order.serial_number);
  if (!recipe.acquirer_url.empty()) {
    Json acquirer = (*document)["acquirer"].is_object() ? (*document)["acquirer"].copy() : Json::object();
    acquirer.set("url", recipe.acquirer_url);
    document->set("acquirer", std::move(acquirer));
  }
  std::string made = document->view().dump_pretty() + "\n";
  const std::string name = "/nightdrop.json";  // where it will lie; a mistake is told of the template
  if (const auto config = parse_config(made, name); !config) {
    const std::string& mistake = config.error().message;
    const std::string prefix = name + ": ";
    return refuse(Exit::Config, mistake.starts_with(prefix) ? mistake.substr(prefix.size()) : mistake);
  }
  return made;
}

}  // namespace nightdrop::keys
