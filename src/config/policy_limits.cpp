// The ceilings of a policy; see policy_limits.hpp. Every member of the ceiling is read as strictly as the policy's own.
#include "config/policy_limits.hpp"

namespace nightdrop::config {
namespace {

constexpr std::int64_t visa_per_30_days_max = 15;
constexpr std::int64_t mastercard_per_day_max = 10;

// The field of the policy itself, not that of the ceiling, is named: that is where the value must change.
void note_above(Problem& problem, std::string_view field) {
  if (problem.found()) return;
  problem.note(field, "is above the ceiling");
  problem.above_ceiling = true;
}

// Reads one number of the ceiling and holds the policy's against it.
void hold(Fields& ceiling, std::string_view key, std::string_view field, std::optional<std::int64_t> value) {
  if (!ceiling.has(key) || ceiling.take(key).is_null()) return;
  std::int64_t limit = 0;
  ceiling.integer(key, limit, 0, total_max);
  if (!value || *value > limit) note_above(ceiling.problem(), field);
}

void check_currencies(Fields& ceiling, const Policy& policy) {
  const JsonView listed = ceiling.take("currencies");
  if (!listed.exists()) return;
  if (!listed.is_object()) {
    ceiling.refuse("currencies", "must be an object");
    return;
  }
  for (const JsonView entry : listed.items()) {
    const std::string path = ceiling.name("currencies") + "." + std::string(entry.key());
    const auto currency = currency_of(entry.key());
    if (!currency) ceiling.problem().note(path, "a currency is three lower-case letters");
    const auto limits = currency ? policy.currencies.find(*currency) : policy.currencies.end();
    // A currency the policy does not take is within any limit; its members are read for their names alone.
    CurrencyLimits none{0, 0, 0, 0, 0};
    const CurrencyLimits& own = limits == policy.currencies.end() ? none : limits->second;
    const std::string field = "currencies." + std::string(entry.key()) + ".";
    Fields members(entry, path, ceiling.problem());
    hold(members, "per_transaction", field + "per_transaction", own.per_transaction);
    hold(members, "device_total", field + "device_total", own.device_total);
    hold(members, "per_card_total", field + "per_card_total", own.per_card_total);
    hold(members, "refund_total", field + "refund_total", own.refund_total);
    hold(members, "approval_threshold", field + "approval_threshold", own.approval_threshold);
  }
  for (const auto& [currency, limits] : policy.currencies) {
    if (!listed[currency.view()].exists()) {
      note_above(ceiling.problem(), "currencies." + std::string(currency.view()));
    }
  }
}

}  // namespace

std::optional<Currency> currency_of(std::string_view code) {
  if (code.size() != 3 || !only(code, "abcdefghijklmnopqrstuvwxyz")) return std::nullopt;
  return Currency{{code[0], code[1], code[2]}};
}

void check_networks_ceiling(Fields& decline_retries, std::int64_t max_per_day, std::int64_t max_per_30_days) {
  if (max_per_day > mastercard_per_day_max) note_above(decline_retries.problem(), decline_retries.name("max_per_day"));
  if (max_per_30_days > visa_per_30_days_max) {
    note_above(decline_retries.problem(), decline_retries.name("max_per_30_days"));
  }
}

void check_ceiling(Fields& document, const Policy& policy) {
  const JsonView object = document.take("ceiling");
  if (!object.exists() || object.is_null()) return;
  Fields ceiling(object, document.name("ceiling"), document.problem());
  check_currencies(ceiling, policy);
  hold(ceiling, "device_count", "device_count", policy.device_count);
  hold(ceiling, "per_card_count", "per_card_count", policy.per_card_count);
  hold(ceiling, "forward_deadline_s", "forward_deadline_s", policy.forward_deadline_s);
  hold(ceiling, "storing_window_s", "storing_window_s", policy.storing_window_s);
  hold(ceiling, "fallbacks_per_spell", "fallbacks_per_spell", policy.fallbacks_per_spell);
  hold(ceiling, "untrusted_clock_s", "untrusted_clock_s", policy.untrusted_clock_s);
  hold(ceiling, "online_timeout_ms", "online_timeout_ms", policy.online_timeout_ms);
  hold(ceiling, "retention_days", "retention_days", policy.retention_days);
  if (!ceiling.has("decline_retries")) return;
  Fields retries(ceiling.take("decline_retries"), ceiling.name("decline_retries"), document.problem());
  bool enabled = true;
  retries.boolean("enabled", enabled);
  if (policy.decline_retries.enabled && !enabled) note_above(document.problem(), "decline_retries.enabled");
  hold(retries, "max_per_day", "decline_retries.max_per_day", policy.decline_retries.max_per_day);
  hold(retries, "max_per_30_days", "decline_retries.max_per_30_days", policy.decline_retries.max_per_30_days);
}

}  // namespace nightdrop::config
