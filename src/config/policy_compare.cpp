// The order of each field of a policy; see policy_compare.hpp. A list that both gains and loses entries is looser: what
// it gained was not allowed before.
#include "config/policy_compare.hpp"

#include <algorithm>
#include <set>

#include "json/json.hpp"
#include "nightdrop/time_text.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop {
namespace {

using Direction = PolicyDirection;
using Texts = std::set<std::string>;

std::string json_of(std::int64_t value) {
  return std::to_string(value);
}

std::string json_of(const std::optional<std::int64_t>& value) {
  return value ? std::to_string(*value) : "null";
}

std::string json_of(bool value) {
  return value ? "true" : "false";
}

std::string json_of(const std::string& value) {
  return Json::string(value).dump();
}

std::string json_of(const Texts& values) {
  Json list = Json::array();
  for (const std::string& value : values) list.push(Json::string(value));
  return list.dump();
}

std::string json_of(const CurrencyLimits& limits) {
  Json entry = Json::object();
  entry.set("per_transaction", limits.per_transaction)
      .set("device_total", limits.device_total)
      .set("per_card_total", limits.per_card_total)
      .set("refund_total", limits.refund_total)
      .set("approval_threshold", limits.approval_threshold);
  return entry.dump();
}

template <class Enum, std::size_t N>
Texts words_of(const std::array<bool, N>& flags) {
  Texts texts;
  for (const auto& [value, name] : words<Enum>) {
    if (flags[static_cast<std::size_t>(value)]) texts.emplace(name);
  }
  return texts;
}

class Comparison {
 public:
  template <class T>
  void note(const std::string& field, Direction direction, const T& before, const T& after) {
    found.push_back({field, direction, json_of(before), json_of(after)});
  }
  // The less, the tighter.
  void cap(const std::string& field, std::int64_t before, std::int64_t after) {
    if (before != after) note(field, after < before ? Direction::Tighter : Direction::Looser, before, after);
  }
  // As a cap; nothing is no cap at all.
  void threshold(const std::string& field, std::optional<std::int64_t> before, std::optional<std::int64_t> after) {
    if (before == after) return;
    const bool tighter = after && (!before || *after < *before);
    note(field, tighter ? Direction::Tighter : Direction::Looser, before, after);
  }
  // Off is tighter.
  void permission(const std::string& field, bool before, bool after) {
    if (before != after) note(field, after ? Direction::Looser : Direction::Tighter, before, after);
  }
  template <class T>
  void other(const std::string& field, const T& before, const T& after) {
    if (before != after) note(field, Direction::Different, before, after);
  }
  void allowed(const std::string& field, const Texts& before, const Texts& after) {
    if (before != after) note(field, holds(before, after) ? Direction::Tighter : Direction::Looser, before, after);
  }
  void blocked(const std::string& field, const Texts& before, const Texts& after) {
    if (before != after) note(field, holds(after, before) ? Direction::Tighter : Direction::Looser, before, after);
  }

  std::vector<PolicyDifference> found;

 private:
  static bool holds(const Texts& whole, const Texts& part) { return std::ranges::includes(whole, part); }
};

void compare_currency(Comparison& all, const std::string& path, const CurrencyLimits& before,
                      const CurrencyLimits& after) {
  all.cap(path + ".per_transaction", before.per_transaction, after.per_transaction);
  all.cap(path + ".device_total", before.device_total, after.device_total);
  all.cap(path + ".per_card_total", before.per_card_total, after.per_card_total);
  all.cap(path + ".refund_total", before.refund_total, after.refund_total);
  all.threshold(path + ".approval_threshold", before.approval_threshold, after.approval_threshold);
}

void compare_currencies(Comparison& all, const Policy& before, const Policy& after) {
  std::set<Currency> currencies;
  for (const auto& [currency, limits] : before.currencies) currencies.insert(currency);
  for (const auto& [currency, limits] : after.currencies) currencies.insert(currency);
  for (const Currency& currency : currencies) {
    const std::string path = "currencies." + std::string(currency.view());
    const auto old_one = before.currencies.find(currency);
    const auto new_one = after.currencies.find(currency);
    if (old_one == before.currencies.end()) {
      all.found.push_back({path, Direction::Looser, "null", json_of(new_one->second)});
    } else if (new_one == after.currencies.end()) {
      all.found.push_back({path, Direction::Tighter, json_of(old_one->second), "null"});
    } else {
      compare_currency(all, path, old_one->second, new_one->second);
    }
  }
}

void compare_approvers(Comparison& all, const Policy& before, const Policy& after) {
  const auto ids = [](const Policy& policy) {
    Texts names;
    for (const Approver& approver : policy.approvers) names.insert(approver.id);
    return names;
  };
  all.allowed("approvers", ids(before), ids(after));
  for (const Approver& old_one : before.approvers) {
    const auto new_one = std::ranges::find(after.approvers, old_one.id, &Approver::id);
    if (new_one == after.approvers.end()) continue;
    const bool same = old_one.salt == new_one->salt && old_one.pin_hash == new_one->pin_hash &&
                      old_one.iterations == new_one->iterations;
    if (!same) all.found.push_back({"approvers." + old_one.id, Direction::Different, "\"a PIN\"", "\"another PIN\""});
  }
}

Texts set_of(const std::vector<std::string>& list) {
  return {list.begin(), list.end()};
}

}  // namespace

std::vector<PolicyDifference> compare_policies(const Policy& before, const Policy& after) {
  Comparison all;
  all.other("version", before.version, after.version);
  if (before.valid_from != after.valid_from) {
    all.note("valid_from", after.valid_from > before.valid_from ? Direction::Tighter : Direction::Looser,
             rfc3339(before.valid_from), rfc3339(after.valid_from));
  }
  if (before.valid_until != after.valid_until) {
    all.note("valid_until", after.valid_until < before.valid_until ? Direction::Tighter : Direction::Looser,
             rfc3339(before.valid_until), rfc3339(after.valid_until));
  }
  all.other("merchant_id", before.merchant_id, after.merchant_id);
  all.other("livemode", before.livemode, after.livemode);
  if (before.region_name != after.region_name) {
    const Direction direction = after.region == before.region ? Direction::Different
                                : after.region == Region::Eea ? Direction::Tighter
                                                              : Direction::Looser;
    all.note("region", direction, before.region_name, after.region_name);
  }
  compare_currencies(all, before, after);
  all.cap("device_count", before.device_count, after.device_count);
  all.cap("per_card_count", before.per_card_count, after.per_card_count);
  all.cap("forward_deadline_s", before.forward_deadline_s, after.forward_deadline_s);
  all.cap("storing_window_s", before.storing_window_s, after.storing_window_s);
  all.allowed("entry_modes_offline", words_of<ReadMethod>(before.entry_modes_offline),
              words_of<ReadMethod>(after.entry_modes_offline));
  all.cap("fallbacks_per_spell", before.fallbacks_per_spell, after.fallbacks_per_spell);
  all.allowed("brands_offline", words_of<Brand>(before.brands_offline), words_of<Brand>(after.brands_offline));
  all.blocked("blocked_bins", set_of(before.blocked_bins), set_of(after.blocked_bins));
  all.blocked("blocked_fingerprints", set_of(before.blocked_fingerprints), set_of(after.blocked_fingerprints));
  if (before.partial_approvals != after.partial_approvals) {
    const auto name = [](const Policy& policy) {
      return std::string(policy.partial_approvals == PartialApprovals::Accept ? "accept" : "reverse");
    };
    const bool tighter = after.partial_approvals == PartialApprovals::Reverse;
    all.note("partial_approvals", tighter ? Direction::Tighter : Direction::Looser, name(before), name(after));
  }
  all.permission("decline_retries.enabled", before.decline_retries.enabled, after.decline_retries.enabled);
  all.cap("decline_retries.max_per_day", before.decline_retries.max_per_day, after.decline_retries.max_per_day);
  all.cap("decline_retries.max_per_30_days", before.decline_retries.max_per_30_days,
          after.decline_retries.max_per_30_days);
  compare_approvers(all, before, after);
  all.cap("untrusted_clock_s", before.untrusted_clock_s, after.untrusted_clock_s);
  all.other("online_timeout_ms", before.online_timeout_ms, after.online_timeout_ms);
  all.other("retention_days", before.retention_days, after.retention_days);
  return std::move(all.found);
}

}  // namespace nightdrop
