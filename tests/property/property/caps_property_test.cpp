// Caps for any sequence of payments, refunds, tips and answers: what the rules allow never adds up to more than a cap,
// and a payment that fits is not refused.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <vector>

#include "engine/offline_rules.hpp"

namespace nightdrop::engine {
namespace {

struct Stored {
  bool refund{false};
  std::int64_t amount{0};
  std::size_t currency{0};
  std::size_t card{0};
};

const std::array<Currency, 2> currencies{Currency{}, Currency{{'e', 'u', 'r'}}};

Exposure exposure_of(const std::vector<Stored>& queue, const Stored& next) {
  Exposure exposure;
  for (const Stored& each : queue) {
    exposure.count += 1;
    if (each.currency == next.currency) (each.refund ? exposure.refunds : exposure.payments) += each.amount;
    if (each.refund || each.card != next.card) continue;
    exposure.card_count += 1;
    if (each.currency == next.currency) exposure.card_total += each.amount;
  }
  return exposure;
}

RC_GTEST_PROP(CapProperties, NoSequenceExceedsACapAndWhatFitsIsTaken, ()) {
  Policy policy;
  policy.valid_until = INT64_MAX;
  policy.device_count = *rc::gen::inRange<std::int64_t>(0, 12);
  policy.per_card_count = *rc::gen::inRange<std::int64_t>(0, 5);
  policy.currencies.clear();
  for (const Currency& currency : currencies) {
    CurrencyLimits limits;
    limits.per_transaction = *rc::gen::inRange<std::int64_t>(0, 300);
    limits.device_total = *rc::gen::inRange<std::int64_t>(0, 1'200);
    limits.per_card_total = *rc::gen::inRange<std::int64_t>(0, 500);
    limits.refund_total = *rc::gen::inRange<std::int64_t>(0, 300);
    policy.currencies[currency] = limits;
  }
  std::vector<Stored> queue;
  for (int i = *rc::gen::inRange(1, 40); i > 0; --i) {
    if (!queue.empty() && *rc::gen::inRange(0, 6) == 0) {  // one was answered
      queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(*rc::gen::inRange<std::size_t>(0, queue.size())));
      continue;
    }
    Stored next{*rc::gen::inRange(0, 5) == 0, *rc::gen::inRange<std::int64_t>(1, 350),
                *rc::gen::inRange<std::size_t>(0, 2), *rc::gen::inRange<std::size_t>(0, 3)};
    Payment payment;
    payment.kind = next.refund ? ObjectKind::Refund : ObjectKind::PaymentIntent;
    payment.amount = next.amount;
    payment.currency = currencies[next.currency];
    payment.approved_up_to = next.amount;
    payment.card.emplace();
    payment.card->brand = Brand::Visa;
    payment.card->exp_month = 12;
    payment.card->exp_year = 2100;
    const Exposure before = exposure_of(queue, next);
    const bool allowed = std::holds_alternative<Allowed>(
        decide_offline(policy, payment, {}, before, ClockState{.now = 1'790'000'000'000}));
    const CurrencyLimits& limits = policy.currencies.at(payment.currency);
    const bool fits =
        before.count + 1 <= policy.device_count &&
        (next.refund ? before.refunds + next.amount <= limits.refund_total
                     : next.amount <= limits.per_transaction && before.payments + next.amount <= limits.device_total &&
                           before.card_count + 1 <= policy.per_card_count &&
                           before.card_total + next.amount <= limits.per_card_total);
    RC_ASSERT(allowed == fits);
    if (allowed) queue.push_back(next);

    RC_ASSERT(static_cast<std::int64_t>(queue.size()) <= policy.device_count);
    for (std::size_t c = 0; c < currencies.size(); ++c) {
      const CurrencyLimits& caps = policy.currencies.at(currencies[c]);
      std::int64_t sales = 0, refunds = 0;
      for (const Stored& each : queue) {
        if (each.currency == c) (each.refund ? refunds : sales) += each.amount;
      }
      RC_ASSERT(sales <= caps.device_total);
      RC_ASSERT(refunds <= caps.refund_total);
      for (std::size_t card = 0; card < 3; ++card) {
        std::int64_t total = 0, count = 0;
        for (const Stored& each : queue) {
          if (each.refund || each.card != card) continue;
          count += 1;
          if (each.currency == c) total += each.amount;
        }
        RC_ASSERT(total <= caps.per_card_total);
        RC_ASSERT(count <= policy.per_card_count);
      }
    }
  }
}

RC_GTEST_PROP(CapProperties, ATighterPolicyNeverAllowsMore, ()) {
  Policy policy;
  policy.valid_until = INT64_MAX;
  Payment payment;
  payment.amount = *rc::gen::inRange<std::int64_t>(1, 20'000);
  payment.card.emplace();
  payment.card->brand = Brand::Visa;
  payment.card->exp_month = 1;
  payment.card->exp_year = 2100;
  Exposure exposure;
  exposure.payments = *rc::gen::inRange<std::int64_t>(0, 110'000);
  exposure.count = *rc::gen::inRange<std::int64_t>(0, 110);
  exposure.card_total = *rc::gen::inRange<std::int64_t>(0, 25'000);
  exposure.card_count = *rc::gen::inRange<std::int64_t>(0, 4);
  const ClockState clock{.now = 1'790'000'000'000};
  const bool before = std::holds_alternative<Allowed>(decide_offline(policy, payment, {}, exposure, clock));
  CurrencyLimits& limits = policy.currencies.begin()->second;
  switch (*rc::gen::inRange(0, 6)) {
    case 0: limits.per_transaction -= *rc::gen::inRange<std::int64_t>(0, 10'000); break;
    case 1: limits.device_total -= *rc::gen::inRange<std::int64_t>(0, 100'000); break;
    case 2: limits.per_card_total -= *rc::gen::inRange<std::int64_t>(0, 20'000); break;
    case 3: policy.device_count -= *rc::gen::inRange<std::int64_t>(0, 100); break;
    case 4: policy.per_card_count -= *rc::gen::inRange<std::int64_t>(0, 2); break;
    default: payment.max_offline_amount = *rc::gen::inRange<std::int64_t>(0, 20'000); break;
  }
  const bool after = std::holds_alternative<Allowed>(decide_offline(policy, payment, {}, exposure, clock));
  RC_ASSERT(before || !after);
}

}  // namespace
}  // namespace nightdrop::engine
