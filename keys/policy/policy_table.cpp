#include "keys/policy/policy_table.hpp"

#include <algorithm>

#include "json/json.hpp"
#include "nightdrop/time_text.hpp"
#include "nightdrop/words.hpp"
#include "report/currency.hpp"
#include "report/table.hpp"
#include "report/text.hpp"

namespace nightdrop::keys {
namespace {

constexpr std::size_t label_width = 26;
constexpr std::size_t page_width = 100;

std::string line(std::string_view label, const std::string& value) {
  const auto lines = report::wrapped(value, page_width - label_width);
  std::string out;
  for (std::size_t i = 0; i < lines.size(); ++i)
    out += report::left(i == 0 ? label : std::string_view(), label_width) + lines[i] + "\n";
  return out;
}

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : ", ") + report::printable(text);
  return all.empty() ? "none" : all;
}

std::string words_for_people(std::string_view field, JsonView list) {
  std::vector<std::string> texts;
  for (const JsonView item : list.items()) {
    const auto word = item.string().value_or("");
    texts.push_back(field == "brands_offline"        ? report::brand_text(word)
                    : field == "entry_modes_offline" ? report::read_method_text(word)
                                                     : std::string(word));
  }
  return joined(texts);
}

std::string limits_for_people(std::string_view code, JsonView limits) {
  std::string all;
  for (const JsonView limit : limits.items()) {
    const std::string field = "currencies." + std::string(code) + "." + std::string(limit.key());
    all += (all.empty() ? "" : ", ") + std::string(limit.key()) + " " + shown_value(field, limit.dump());
  }
  return all;
}

template <class Enum, std::size_t N>
Json flagged(const std::array<bool, N>& flags) {
  Json list = Json::array();
  for (const auto& [value, name] : words<Enum>) {
    if (flags[static_cast<std::size_t>(value)]) list.push(Json::string(name));
  }
  return list;
}

std::string currency_table(const Policy& policy) {
  if (policy.currencies.empty()) return "No currency: no payment is taken offline.\n";
  report::Table table({{"Currency"},
                       {.title = "A payment", .align_right = true},
                       {.title = "In the reader", .align_right = true},
                       {.title = "A card", .align_right = true},
                       {.title = "Refunds", .align_right = true},
                       {.title = "Manager above", .align_right = true}});
  for (const auto& [currency, limits] : policy.currencies) {
    const auto amount = [&](std::int64_t value) { return report::Cell{report::decimal(value, currency.view())}; };
    std::string code(currency.view());
    std::ranges::transform(code, code.begin(), [](char c) { return static_cast<char>(c - 'a' + 'A'); });
    table.row({{code},
               amount(limits.per_transaction),
               amount(limits.device_total),
               amount(limits.per_card_total),
               amount(limits.refund_total),
               limits.approval_threshold ? amount(*limits.approval_threshold) : report::Cell{"never"}});
  }
  report::Style style;
  style.width = page_width;
  return table.render(style);
}

std::string retries_text(const DeclineRetries& retries) {
  if (!retries.enabled) return "not tried again";
  return "soft declines again, at most " + std::to_string(retries.max_per_day) + " a day and " +
         std::to_string(retries.max_per_30_days) + " in 30 days";
}

std::string managers(const Policy& policy) {
  std::vector<std::string> ids;
  for (const Approver& approver : policy.approvers) ids.push_back(approver.id);
  return policy.approvers.empty() ? "none: nothing above a threshold and no refund can be approved" : joined(ids);
}

}  // namespace

std::string shown_seconds(std::int64_t seconds) {
  std::string text;
  const auto take = [&](std::int64_t unit, const char* name) {
    if (seconds < unit) return;
    text += (text.empty() ? "" : " ") + std::to_string(seconds / unit) + " " + name;
    seconds %= unit;
  };
  take(86'400, "d");
  take(3'600, "h");
  take(60, "min");
  take(1, "s");
  return text.empty() ? "0 s" : text;
}

std::string shown_value(std::string_view field, std::string_view json) {
  const auto parsed = Json::parse(json);
  const JsonView value = parsed ? parsed->view() : JsonView();
  constexpr std::string_view currencies = "currencies.";
  const bool of_currency = field.starts_with(currencies);
  const std::string_view code = of_currency ? field.substr(currencies.size(), 3) : std::string_view();
  if (value.is_null() || !value.exists()) return field.ends_with("approval_threshold") ? "never" : "none";
  if (of_currency && value.is_object()) return limits_for_people(code, value);
  if (of_currency) return report::decimal(value.integer().value_or(0), code);
  if (value.is_array()) return words_for_people(field, value);
  if (const auto number = value.integer())
    return field.ends_with("_s") ? shown_seconds(*number) : std::to_string(*number);
  if (const auto text = value.string()) return report::printable(*text);
  return std::string(json);
}

std::string policy_table(const Policy& policy, bool has_ceiling) {
  report::Style style;
  std::string out = "Policy " + std::to_string(policy.version) + " of " + report::printable(policy.merchant_id) +
                    (policy.livemode ? ", live mode\n" : ", test mode: no real money\n") + "\n";
  out += line("Valid", report::local_time(policy.valid_from, style) + " to " +
                           report::local_time(policy.valid_until, style) + " UTC");
  out += line("Region", policy.region == Region::Eea ? "EEA: contact chip with offline PIN only" : policy.region_name);
  out += "\nOffline, at most\n" + currency_table(policy) + "\n";
  out += line("Payments in the reader", std::to_string(policy.device_count));
  out += line("Payments of one card", std::to_string(policy.per_card_count));
  out += line("Storing stops when", "the oldest has waited " + shown_seconds(policy.storing_window_s));
  out += line("Must be sent within", shown_seconds(policy.forward_deadline_s));
  out += line("Without a trusted clock", "for " + shown_seconds(policy.untrusted_clock_s));
  out += line("Cards are read by",
              shown_value("entry_modes_offline", flagged<ReadMethod>(policy.entry_modes_offline).dump()));
  out += line("Fallbacks to the stripe", std::to_string(policy.fallbacks_per_spell) + " until the queue is empty");
  out += line("Brands", shown_value("brands_offline", flagged<Brand>(policy.brands_offline).dump()));
  out += line("Never taken", policy.blocked_bins.empty() && policy.blocked_fingerprints.empty()
                                 ? "nothing is blocked"
                                 : "numbers that begin with " + joined(policy.blocked_bins) + "; " +
                                       std::to_string(policy.blocked_fingerprints.size()) + " single cards");
  out += "\n";
  out += line("Managers", managers(policy));
  out += line("A part approved", policy.partial_approvals == PartialApprovals::Accept ? "is kept" : "is reversed");
  out += line("Declines", retries_text(policy.decline_retries));
  out += line("Waits for an answer", std::to_string(policy.online_timeout_ms) + " ms");
  out += line("Books are kept", std::to_string(policy.retention_days) + " d");
  out += line("Ceiling", has_ceiling ? "the acquirer's limits are in it, and kept" : "none");
  return out;
}

}  // namespace nightdrop::keys
