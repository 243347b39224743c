#include "keys/policy/presets.hpp"

namespace nightdrop::keys {
namespace {

constexpr std::int64_t hour_s = 3'600;
constexpr std::int64_t day_s = 24 * hour_s;

void allow_only(Policy& policy, std::initializer_list<ReadMethod> methods) {
  policy.entry_modes_offline = {};
  for (const ReadMethod method : methods) policy.entry_modes_offline[static_cast<std::size_t>(method)] = true;
}

Policy counter_service() {
  Policy policy;
  policy.currencies[Currency{}] = {.per_transaction = 5'000,
                                   .device_total = 150'000,
                                   .per_card_total = 7'500,
                                   .refund_total = 5'000,
                                   .approval_threshold = std::nullopt};
  policy.device_count = 300;
  policy.per_card_count = 3;
  policy.storing_window_s = 12 * hour_s;
  policy.fallbacks_per_spell = 3;
  policy.untrusted_clock_s = 12 * hour_s;
  policy.online_timeout_ms = 6'000;
  return policy;
}

Policy table_service() {
  Policy policy;
  policy.currencies[Currency{}] = {.per_transaction = 30'000,
                                   .device_total = 300'000,
                                   .per_card_total = 30'000,
                                   .refund_total = 15'000,
                                   .approval_threshold = 15'000};
  policy.device_count = 60;
  policy.per_card_count = 2;
  policy.storing_window_s = 12 * hour_s;
  policy.fallbacks_per_spell = 5;
  policy.untrusted_clock_s = 12 * hour_s;
  return policy;
}

Policy festival() {
  Policy policy;
  policy.currencies[Currency{}] = {.per_transaction = 3'000,
                                   .device_total = 500'000,
                                   .per_card_total = 9'000,
                                   .refund_total = 3'000,
                                   .approval_threshold = std::nullopt};
  policy.device_count = 1'000;
  policy.per_card_count = 6;
  policy.storing_window_s = 3 * day_s;
  policy.forward_deadline_s = 4 * day_s;
  allow_only(policy, {ReadMethod::ContactlessEmv});
  policy.fallbacks_per_spell = 0;
  policy.untrusted_clock_s = 3 * day_s;
  policy.online_timeout_ms = 5'000;
  return policy;
}

}  // namespace

const std::vector<Preset>& presets() {
  static const std::vector<Preset> all{
      {"counter-service", "bakery, kiosk, coffee: many small payments, no manager at hand"},
      {"table-service", "restaurant, bar: higher bills with tips, a manager above a threshold"},
      {"festival", "a weekend without a network: many payments, a low cap, contactless alone"},
  };
  return all;
}

std::optional<Policy> preset_policy(std::string_view name) {
  if (name == "counter-service") return counter_service();
  if (name == "table-service") return table_service();
  if (name == "festival") return festival();
  return std::nullopt;
}

}  // namespace nightdrop::keys
