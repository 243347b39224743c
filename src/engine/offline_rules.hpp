// Whether a payment may be stored offline: every rule of the policy in one order, the first that refuses is named.
// Pure: run inside the transaction that inserts, on that transaction's totals (RULES 7), so no two payments can both
// take the last place. A cap of n allows n.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "nightdrop/payment.hpp"
#include "nightdrop/policy.hpp"
#include "nightdrop/pos_code.hpp"

namespace nightdrop::engine {

// What was learned of the card at the read beyond what is kept.
struct CardFacts {
  bool online_pin{false};            // the cardholder was verified by online PIN
  bool offline_pin_verified{false};  // … by a PIN that the chip checked
  bool test_card{false};
  bool blocked{false};  // a blocked BIN or fingerprint
};

// The totals of the transaction the decision is made in, without the payment itself.
struct Exposure {
  std::int64_t payments{0};    // sum of sales at risk, this currency
  std::int64_t refunds{0};     // sum of stored refunds, this currency
  std::int64_t count{0};       // payments and refunds, all currencies
  std::int64_t card_total{0};  // this card, this currency
  std::int64_t card_count{0};  // this card, all currencies
  std::int64_t fallbacks{0};   // in this offline spell
  std::optional<UtcMs> oldest_stored_at;
};

struct ClockState {
  UtcMs now{0};
  bool trusted{true};
  std::int64_t untrusted_for_ms{0};
};

struct Allowed {};
struct NeedsApproval {};
struct Refused {
  PosCode code;
  const char* message;  // one plain sentence, static
};
using Decision = std::variant<Allowed, NeedsApproval, Refused>;

// Rules that depend on the reader alone: valid policy, clock, window. Before a card is asked for.
std::optional<Refused> refuse_reader(const Policy& policy, const Exposure& exposure, const ClockState& clock);
// Rules that depend on the amount: currency, caps of transaction, device and count, the POS's own limit.
std::optional<Refused> refuse_amount(const Policy& policy, const Payment& payment, const Exposure& exposure);
// Rules that hold online and offline: test card in live mode, blocked card. RULES 14.
std::optional<Refused> refuse_card(const Policy& policy, const CardFacts& facts);
// Rules that depend on the card: entry mode, region, brand, expiry, PIN. RULES 11-14.
std::optional<Refused> refuse_card_offline(const Policy& policy, const Payment& payment, const CardFacts& facts,
                                           const Exposure& exposure, const ClockState& clock);
// Caps per card. RULES 5.
std::optional<Refused> refuse_card_caps(const Policy& policy, const Payment& payment, const Exposure& exposure);

// All of the above in order, then the approval threshold (RULES 6, 30: a refund always needs a manager).
// Requires: payment.card is set, unless it is a refund of an earlier payment.
Decision decide_offline(const Policy& policy, const Payment& payment, const CardFacts& facts, const Exposure& exposure,
                        const ClockState& clock);

// Whether a card of this expiry is expired at `now`: it is good through the last day of its month (EMV 4.4 Book
// 3, 10.4.3).
bool is_card_expired(int exp_month, int exp_year, UtcMs now);

// Whether the PAN (ASCII digits) starts with one of the policy's blocked BINs.
bool is_bin_blocked(const Policy& policy, std::string_view pan);
bool is_fingerprint_blocked(const Policy& policy, std::string_view fingerprint);

}  // namespace nightdrop::engine
