#include "engine/retry.hpp"

#include <algorithm>
#include <array>

namespace nightdrop::engine {
namespace {

constexpr UtcMs hour = 3'600'000;
constexpr UtcMs day = 24 * hour;

template <std::size_t N>
bool one_of(std::string_view code, const std::array<std::string_view, N>& codes) {
  return std::ranges::find(codes, code) != codes.end();
}

// The union of published category 1 lists; other brands' declines are treated as strictly.
constexpr std::array<std::string_view, 12> never_again_codes{"04", "07", "12", "14", "15", "41",
                                                             "43", "46", "57", "R0", "R1", "R3"};
constexpr std::array<std::string_view, 2> never_again_advice{"03", "21"};

// Mastercard's merchant advice codes 24…30 name how long to wait.
std::optional<UtcMs> advised_wait(std::string_view advice) {
  if (advice == "24") return hour;
  if (advice == "25") return day;
  if (advice == "26") return 2 * day;
  if (advice == "27") return 4 * day;
  if (advice == "28") return 6 * day;
  if (advice == "29") return 8 * day;
  if (advice == "30") return 10 * day;
  return std::nullopt;
}

}  // namespace

std::chrono::milliseconds backoff(std::uint32_t attempts, std::uint64_t random) {
  const std::uint32_t doublings = std::min<std::uint32_t>(attempts - 1, 16);
  const auto ceiling = std::min<std::chrono::milliseconds>(backoff_cap, backoff_base * (1LL << doublings));
  return std::chrono::milliseconds(random % (static_cast<std::uint64_t>(ceiling.count()) + 1));
}

bool is_never_again(Brand brand, std::string_view response_code, std::string_view advice_code,
                    DeclineCategory category) {
  if (category == DeclineCategory::Hard) return true;
  if (one_of(response_code, never_again_codes)) return true;
  return (brand == Brand::Mastercard || brand == Brand::Maestro) && one_of(advice_code, never_again_advice);
}

std::optional<UtcMs> decline_retry_at(const Policy& policy, const Payment& payment, const DeclinedAnswer& answer,
                                      UtcMs now) {
  const DeclineRetries& plan = policy.decline_retries;
  if (!plan.enabled || plan.max_per_day == 0) return std::nullopt;
  if (!payment.deferred || !payment.envelope)
    return std::nullopt;  // only what was taken offline can be sent again unasked
  const Brand brand = payment.card ? payment.card->brand : Brand::Unknown;
  if (is_never_again(brand, answer.response_code, answer.advice_code, answer.category)) return std::nullopt;
  const bool mastercard = brand == Brand::Mastercard || brand == Brand::Maestro;
  const std::uint32_t in_30_days = std::min<std::uint32_t>(plan.max_per_30_days, mastercard ? 35 : 15);
  const std::uint32_t a_day = std::min<std::uint32_t>(plan.max_per_day, mastercard ? 10 : 15);
  if (payment.decline_retries >= in_30_days) return std::nullopt;
  const UtcMs first = payment.first_declined_at.value_or(now);
  UtcMs at = now + day / a_day;
  if (const auto wait = advised_wait(answer.advice_code)) at = std::max(at, now + *wait);
  if (at - first > 30 * day) return std::nullopt;
  return at;
}

std::string_view next_action(std::string_view reason, std::string_view response_code, DeclineCategory category,
                             bool will_retry) {
  if (will_retry) return "Nothing yet: it is tried again by itself at the time shown.";
  if (reason == "deadline_passed") return "Release it for forwarding, or settle with the customer and acknowledge it.";
  if (reason == reversal_rejected)
    return "The acquirer refused to undo it: the customer may have been charged. Support must look at it.";
  if (reason == "partial_approval_refused")
    return "Ask the customer for another means of payment; nothing was charged.";
  if (response_code == "41" || response_code == "43" || response_code == "04" || response_code == "07") {
    return "Do not take this card again; contact the customer for another means of payment.";
  }
  if (response_code == "14" || response_code == "54") {
    return "The card cannot be charged; contact the customer for another card.";
  }
  if (response_code == "51" || response_code == "61" || response_code == "65") {
    return "Contact the customer: another card, or the same card at another time as a new payment.";
  }
  if (category == DeclineCategory::Hard) return "Final: contact the customer for another means of payment.";
  return "Contact the customer and take a new payment.";
}

}  // namespace nightdrop::engine
