#include "engine/offline_rules.hpp"

#include <algorithm>
#include <chrono>

namespace nightdrop::engine {
namespace {

const CurrencyLimits* limits_of(const Policy& policy, Currency currency) {
  const auto found = policy.currencies.find(currency);
  return found == policy.currencies.end() ? nullptr : &found->second;
}

Refused refuse(PosCode code, const char* message) {
  return Refused{code, message};
}

}  // namespace

bool is_card_expired(int exp_month, int exp_year, UtcMs now) {
  using namespace std::chrono;
  const year_month_day today{floor<days>(sys_time<milliseconds>(milliseconds(now)))};
  const year_month last{year(exp_year), month(static_cast<unsigned>(exp_month))};
  return year_month{today.year(), today.month()} > last;
}

bool is_bin_blocked(const Policy& policy, std::string_view pan) {
  return std::ranges::any_of(policy.blocked_bins, [&](const std::string& bin) { return pan.starts_with(bin); });
}

bool is_fingerprint_blocked(const Policy& policy, std::string_view fingerprint) {
  return std::ranges::find(policy.blocked_fingerprints, fingerprint) != policy.blocked_fingerprints.end();
}

std::optional<Refused> refuse_reader(const Policy& policy, const Exposure& exposure, const ClockState& clock) {
  if (clock.now < policy.valid_from || clock.now >= policy.valid_until) {
    return refuse(PosCode::OfflineDisabled, "The policy is not valid now; the reader takes no offline payments.");
  }
  if (!clock.trusted && clock.untrusted_for_ms >= policy.untrusted_clock_s * 1000) {
    return refuse(PosCode::ClockUntrusted, "The clock has not been trusted for longer than the policy allows.");
  }
  if (exposure.oldest_stored_at && clock.now - *exposure.oldest_stored_at >= policy.storing_window_s * 1000) {
    return refuse(PosCode::OfflineWindowExceeded, "The oldest stored payment has waited as long as the policy allows.");
  }
  return std::nullopt;
}

std::optional<Refused> refuse_amount(const Policy& policy, const Payment& payment, const Exposure& exposure) {
  const CurrencyLimits* limits = limits_of(policy, payment.currency);
  if (limits == nullptr) {
    return refuse(PosCode::OfflineCurrencyNotAllowed, "The policy allows no offline payments in this currency.");
  }
  if (payment.kind == ObjectKind::Refund) {
    if (exposure.refunds + payment.amount > limits->refund_total) {
      return refuse(PosCode::OfflineTotalLimitReached, "The refund would exceed the cap on stored refunds.");
    }
  } else {
    if (payment.amount > limits->per_transaction) {
      return refuse(PosCode::AmountExceedsMaxOfflineAmount, "The amount exceeds the offline cap per transaction.");
    }
    if (payment.max_offline_amount && payment.amount > *payment.max_offline_amount) {
      return refuse(PosCode::AmountExceedsMaxOfflineAmount, "The amount exceeds the request's max_offline_amount.");
    }
    if (exposure.payments + payment.amount > limits->device_total) {
      return refuse(PosCode::OfflineTotalLimitReached, "The amount would exceed the cap on the total stored.");
    }
  }
  if (exposure.count + 1 > policy.device_count) {
    return refuse(PosCode::OfflineCountLimitReached, "The cap on the number of stored payments is reached.");
  }
  return std::nullopt;
}

std::optional<Refused> refuse_card(const Policy& policy, const CardFacts& facts) {
  if (facts.test_card && policy.livemode) {
    return refuse(PosCode::TestCardInLivemode, "A test card cannot be used in live mode.");
  }
  if (facts.blocked) return refuse(PosCode::CardBlocked, "The policy blocks this card.");
  return std::nullopt;
}

std::optional<Refused> refuse_card_offline(const Policy& policy, const Payment& payment, const CardFacts& facts,
                                           const Exposure& exposure, const ClockState& clock) {
  const CardSummary& card = *payment.card;
  if (!policy.entry_modes_offline[static_cast<std::size_t>(card.read_method)]) {
    return refuse(PosCode::EntryModeNotAllowedOffline, "The policy does not allow this way of reading a card offline.");
  }
  if (card.fallback && exposure.fallbacks + 1 > policy.fallbacks_per_spell) {
    return refuse(PosCode::EntryModeNotAllowedOffline, "This offline spell has had as many fallbacks as allowed.");
  }
  if (facts.online_pin) {
    return refuse(PosCode::OnlinePinNotSupportedOffline, "A PIN that the issuer must check cannot be taken offline.");
  }
  if (policy.region == Region::Eea && (card.read_method != ReadMethod::ContactEmv || !facts.offline_pin_verified)) {
    return refuse(PosCode::EntryModeNotAllowedOffline,
                  "This region allows offline only a contact chip with offline PIN.");
  }
  if (!policy.brands_offline[static_cast<std::size_t>(card.brand)]) {
    return refuse(PosCode::OfflineBrandNotAllowed, "The policy does not allow this brand offline.");
  }
  if (is_card_expired(card.exp_month, card.exp_year, clock.now)) {
    return refuse(PosCode::OfflineAndCardExpired, "The card has expired and the issuer cannot be asked.");
  }
  return std::nullopt;
}

std::optional<Refused> refuse_card_caps(const Policy& policy, const Payment& payment, const Exposure& exposure) {
  if (payment.kind == ObjectKind::Refund) return std::nullopt;
  const CurrencyLimits* limits = limits_of(policy, payment.currency);
  if (limits == nullptr) return std::nullopt;
  if (exposure.card_count + 1 > policy.per_card_count ||
      exposure.card_total + payment.amount > limits->per_card_total) {
    return refuse(PosCode::CardOfflineLimitReached, "This card has been used offline as much as the policy allows.");
  }
  return std::nullopt;
}

Decision decide_offline(const Policy& policy, const Payment& payment, const CardFacts& facts, const Exposure& exposure,
                        const ClockState& clock) {
  if (const auto no = refuse_card(policy, facts)) return *no;
  if (const auto no = refuse_reader(policy, exposure, clock)) return *no;
  const bool card_was_read = payment.card && payment.original_payment.empty();
  if (card_was_read) {
    if (const auto no = refuse_card_offline(policy, payment, facts, exposure, clock)) return *no;
  }
  if (const auto no = refuse_amount(policy, payment, exposure)) return *no;
  if (card_was_read) {
    if (const auto no = refuse_card_caps(policy, payment, exposure)) return *no;
  }
  const CurrencyLimits& limits = policy.currencies.at(payment.currency);
  const bool above = limits.approval_threshold && payment.amount > *limits.approval_threshold;
  const bool needs = payment.kind == ObjectKind::Refund || above;
  if (needs && payment.approved_up_to < payment.amount) return NeedsApproval{};
  return Allowed{};
}

}  // namespace nightdrop::engine
