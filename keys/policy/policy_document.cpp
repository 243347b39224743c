// Writing policies; see policy_document.hpp. What a policy may hold is decided by src/config alone: everything here
// goes through its parser before it is signed or given back.
#include "keys/policy/policy_document.hpp"

#include <algorithm>

#include "crypto/p256.hpp"
#include "crypto/primitives.hpp"
#include "keys/files.hpp"
#include "nightdrop/encoding.hpp"
#include "nightdrop/time_text.hpp"

namespace nightdrop::keys {
namespace {

constexpr UtcMs day_ms = 86'400'000;
constexpr std::string_view development_merchant = "m_0001";

Outcome<Json> parse_object(const std::string& document) {
  auto parsed = Json::parse(document);
  if (!parsed || !parsed->view().is_object()) return refuse(Exit::Data, "the policy is not a JSON object");
  return Outcome<Json>(std::move(*parsed));
}

bool is_gap(JsonView value) {
  return !value.exists() || value.is_null();
}

// Gives true if there was a gap to fill.
bool fill(Json& document, UtcMs now) {
  bool filled = false;
  const auto put = [&](std::string_view key, const std::string& value) {
    if (!is_gap(document[key])) return;
    document.set(key, value);
    filled = true;
  };
  put("valid_from", rfc3339(now - day_ms));
  put("valid_until", rfc3339(now + 3'652 * day_ms));
  put("merchant_id", std::string(development_merchant));
  return filled;
}

}  // namespace

Json draft_of(const Policy& policy) {
  const Json defaults = policy_json(policy);
  Json document = Json::object();
  for (const JsonView member : defaults.view().items()) {
    const std::string_view key = member.key();
    const bool gap = key == "valid_from" || key == "valid_until" || key == "merchant_id";
    document.set(key, gap ? Json::null() : member.copy());
  }
  document.set("ceiling", nullptr);
  return document;
}

Outcome<Json> development_policy(UtcMs now) {
  Policy policy;
  policy.merchant_id = development_merchant;
  policy.valid_from = now - day_ms;
  policy.valid_until = now + 3'652 * day_ms;
  for (const Currency& currency : {Currency{{'e', 'u', 'r'}}, Currency{{'g', 'b', 'p'}}}) {
    policy.currencies.emplace(currency, CurrencyLimits{});
  }
  auto manager = make_approver("manager", bytes_of("2468"));
  if (!manager) return std::unexpected(manager.error());
  policy.approvers.push_back(std::move(*manager));
  return Outcome<Json>(policy_json(policy));
}

Outcome<Policy> check_policy(const std::string& document, const std::string& name) {
  auto policy = parse_policy(document);
  if (!policy) return refuse(Exit::Data, name + ": " + policy.error().message);
  return std::move(*policy);
}

Outcome<std::string> fill_gaps(const std::string& document, UtcMs now) {
  auto parsed = parse_object(document);
  if (!parsed) return std::unexpected(parsed.error());
  const std::string whole = fill(*parsed, now) ? parsed->view().dump_pretty() + "\n" : document;
  if (const auto policy = parse_policy(whole); !policy) return refuse(Exit::Data, policy.error().message);
  return whole;
}

Outcome<Approver> make_approver(std::string_view id, std::span<const std::uint8_t> pin) {
  if (pin.size() < pin_length_min || pin.size() > pin_length_max ||
      !std::all_of(pin.begin(), pin.end(), [](std::uint8_t c) { return c >= '0' && c <= '9'; })) {
    return refuse(Exit::Data, "a PIN has 4 to 12 digits");
  }
  Approver approver;
  approver.id = id;
  approver.iterations = pin_iterations;
  approver.salt.resize(16);
  if (const auto filled = random_bytes(approver.salt); !filled) return refuse("a salt", filled.error());
  const Digest hash = pbkdf2_hmac_sha256(pin, approver.salt, approver.iterations);
  approver.pin_hash.assign(hash.begin(), hash.end());
  return approver;
}

Outcome<std::string> with_approver(const std::string& document, const Approver& approver, bool replace) {
  auto parsed = parse_object(document);
  if (!parsed) return std::unexpected(parsed.error());
  Policy alone;
  alone.approvers.push_back(approver);
  Json all = Json::array();
  for (const JsonView entry : (*parsed)["approvers"].items()) {
    if (entry["id"].string() != std::string_view(approver.id)) {
      all.push(entry.copy());
    } else if (!replace) {
      return refuse(Exit::Data, "approvers: there is one with that id; --replace gives a new PIN");
    }
  }
  const Json printed = policy_json(alone);
  all.push(printed["approvers"].items().front().copy());
  parsed->set("approvers", std::move(all));
  const std::string text = parsed->view().dump_pretty() + "\n";
  // The gaps of a draft stay gaps in what is given back; they are filled only to have the rest checked.
  if (const auto checked = fill_gaps(text, 0); !checked) return std::unexpected(checked.error());
  return text;
}

Outcome<void> write_signed(const std::filesystem::path& file, const std::string& document, const x509::MemoryKey& key) {
  return write_signed(file, document, [&](std::span<const std::uint8_t> bytes) -> Outcome<std::vector<std::uint8_t>> {
    const auto signature = key.sign(bytes);
    if (!signature) return refuse("signing the policy", signature.error());
    return std::vector<std::uint8_t>(signature->begin(), signature->end());
  });
}

Outcome<void> write_signed(const std::filesystem::path& file, const std::string& document, const SignPolicy& sign) {
  const auto signature = sign(bytes_of(document));
  if (!signature) return std::unexpected(signature.error());
  if (auto written = write_file(file, document); !written) return written;
  return write_file(file.string() + ".sig", to_base64(*signature) + "\n");
}

Result<void> verify_signature(std::string_view signer_pem, std::span<const std::uint8_t> message,
                              std::span<const std::uint8_t> signature) {
  const auto key = p256_from_spki_pem(signer_pem);
  if (!key) return std::unexpected(key.error());
  return p256_verify(*key, message, signature);
}

}  // namespace nightdrop::keys
