// The sub-commands of `nightdrop-provision policy`; see policy_commands.hpp.
#include "keys/policy/policy_commands.hpp"

#include "config/fields.hpp"
#include "config/policy_json.hpp"
#include "crypto/p256.hpp"
#include "keys/files.hpp"
#include "keys/hsm/hsm.hpp"
#include "keys/policy/pin_prompt.hpp"
#include "keys/policy/policy_document.hpp"
#include "keys/policy/presets.hpp"
#include "nightdrop/time_text.hpp"
#include "report/text.hpp"
#include "x509/memory_key.hpp"

namespace nightdrop::keys {
namespace {

// PCI DSS 4.0.1, 10.5.1: audit logs are kept for twelve months.
constexpr std::int64_t audit_days_min = 365;
// Shorter ones are tried out in no time by who has the policy: a million guesses instead of ten thousand.
constexpr std::size_t pin_length_wanted = 6;
constexpr const char* signing_key = "policy";  // in the HSM

std::vector<std::string> warnings(const Policy& policy, UtcMs now) {
  std::vector<std::string> all;
  if (policy.valid_until <= now) all.emplace_back("valid_until: is past; no payment is taken offline under it");
  if (policy.valid_from > now) all.emplace_back("valid_from: is still to come");
  if (policy.retention_days < audit_days_min)
    all.emplace_back("retention_days: audit logs are kept for 365 days at least");
  if (policy.currencies.empty()) all.emplace_back("currencies: none; no payment is taken offline");
  return all;
}

// Whether a reader that has the policy in `file`, if there is one, would take the new one. The commonest slip of the
// hand is a version that was not raised.
bool is_step_forward(const std::string& file, const std::string& document, const Policy& policy) {
  const auto before = read_file(file);
  if (!before || *before == document) return true;
  const auto replaced = parse_policy(*before);
  return !replaced || policy.version > replaced->version;
}

Outcome<void> sign_by_file(const std::string& key_file, const std::string& out, const std::string& document) {
  const auto pem = read_secret_file(key_file);
  if (!pem) return std::unexpected(pem.error());
  const auto key = x509::MemoryKey::from_pem(pem->view());
  if (!key) return refuse(Exit::Data, key_file + ": " + key.error().text);
  return write_signed(out, document, *key);
}

Outcome<std::unique_ptr<Hsm>> open_hsm(const std::string& station) {
  const auto settings = load_hsm_settings(station);
  if (!settings) return std::unexpected(settings.error());
  return Hsm::open(*settings);
}

Outcome<void> sign_by_hsm(const std::string& station, const std::string& out, const std::string& document) {
  const auto hsm = open_hsm(station);
  if (!hsm) return std::unexpected(hsm.error());
  return write_signed(out, document,
                      [&](std::span<const std::uint8_t> bytes) { return (*hsm)->sign(signing_key, bytes); });
}

}  // namespace

Outcome<Made> policy_defaults(const std::string& preset) {
  const auto policy = preset.empty() ? std::optional(Policy{}) : preset_policy(preset);
  if (!policy) return refuse(Exit::Usage, "there is no preset of that name; `policy preset` lists them");
  Made made;
  made.json = draft_of(*policy);
  made.text = made.json.view().dump_pretty() + "\n";
  return Outcome<Made>(std::move(made));
}

Outcome<Made> policy_presets() {
  Made made;
  Json list = Json::array();
  for (const Preset& preset : presets()) {
    made.text += report::left(preset.name, 18) + std::string(preset.about) + "\n";
    list.push(std::move(Json::object().set("name", preset.name).set("about", preset.about)));
  }
  made.json.set("presets", std::move(list));
  return Outcome<Made>(std::move(made));
}

Outcome<Made> policy_check(const std::string& file, const std::string& signer_file, UtcMs now) {
  const auto document = read_file(file);
  if (!document) return std::unexpected(document.error());
  const auto policy = check_policy(*document, file);
  if (!policy) return std::unexpected(policy.error());
  if (!signer_file.empty()) {
    const auto signer = read_file(signer_file);
    if (!signer) return std::unexpected(signer.error());
    const auto signature = read_file(file + ".sig");
    const auto loaded = load_policy(*document, signature.value_or(""), *signer, 0, verify_signature);
    if (!loaded) return refuse(Exit::Data, file + ": " + loaded.error().message);
  }
  Made made;
  made.text = file + ": version " + std::to_string(policy->version) + " of " + policy->merchant_id + ", valid until " +
              rfc3339(policy->valid_until) + (signer_file.empty() ? "" : ", signed") + "\n";
  Json list = Json::array();
  for (const std::string& warning : warnings(*policy, now)) {
    made.text += "  note: " + warning + "\n";
    list.push(Json::string(warning));
  }
  made.json.set("policy", file)
      .set("version", policy->version)
      .set("merchant_id", policy->merchant_id)
      .set("valid_from", rfc3339(policy->valid_from))
      .set("valid_until", rfc3339(policy->valid_until))
      .set("signature_checked", !signer_file.empty())
      .set("warnings", std::move(list));
  return Outcome<Made>(std::move(made));
}

Outcome<Made> policy_sign(const PolicySigner& signer, const std::string& in, const std::string& out) {
  const auto document = read_file(in);
  if (!document) return std::unexpected(document.error());
  const auto policy = check_policy(*document, in);
  if (!policy) return std::unexpected(policy.error());
  const bool is_step = is_step_forward(out, *document, *policy);
  if (auto written = signer.station.empty() ? sign_by_file(signer.key_file, out, *document)
                                            : sign_by_hsm(signer.station, out, *document);
      !written) {
    return std::unexpected(written.error());
  }
  Made made;
  made.text = out + ": version " + std::to_string(policy->version) + ", signed in " + out + ".sig\n";
  Json warned = Json::array();
  if (!is_step) {
    const char* warning = "version: is not above that of the policy it replaces; a reader that has that one refuses it";
    made.text += std::string("  note: ") + warning + "\n";
    warned.push(Json::string(warning));
  }
  made.json.set("policy", out).set("signature", out + ".sig").set("version", policy->version);
  made.json.set("warnings", std::move(warned));
  return Outcome<Made>(std::move(made));
}

Outcome<Made> policy_add_approver(const std::string& file, const std::string& id, bool replace) {
  const auto document = read_file(file);
  if (!document) return std::unexpected(document.error());
  if (!config::only(id, config::id_characters) || id.size() > 64) {
    return refuse(Exit::Data, "an approver's id has 1 to 64 letters, digits, _ . or -");
  }
  const auto pin = read_pin();
  if (!pin) return std::unexpected(pin.error());
  const auto approver = make_approver(id, pin->view());
  if (!approver) return std::unexpected(approver.error());
  const auto text = with_approver(*document, *approver, replace);
  if (!text) return refuse(text.error().exit, file + ": " + text.error().message);
  if (auto written = write_file(file, *text); !written) return std::unexpected(written.error());
  Made made;
  made.text = file + ": approver " + id + " is in; sign the policy again, with a higher version\n";
  Json warned = Json::array();
  if (pin->view().size() < pin_length_wanted) {
    const char* warning = "pin: has fewer than 6 digits; who gets hold of the policy finds it out in minutes";
    made.text += std::string("  note: ") + warning + "\n";
    warned.push(Json::string(warning));
  }
  made.json.set("policy", file).set("approver", id).set("warnings", std::move(warned));
  return Outcome<Made>(std::move(made));
}

Outcome<Made> policy_signer(const std::string& station) {
  const auto hsm = open_hsm(station);
  if (!hsm) return std::unexpected(hsm.error());
  const auto key = (*hsm)->public_key(signing_key);
  if (!key) return std::unexpected(key.error());
  Made made;
  made.text = p256_to_spki_pem(*key);
  made.json.set("public_key_pem", made.text);
  return Outcome<Made>(std::move(made));
}

}  // namespace nightdrop::keys
