#include "simulator/acquirer/issuer.hpp"

#include <algorithm>
#include <array>

namespace nightdrop::simulator {
namespace {

// Hard are the codes that Visa's category 1 lists (the issuer will never approve); 54 and 14 can't be cured by waiting.
constexpr std::array<Verdict, 26> verdicts{{
    {"04", "pickup_card", "hard"},
    {"05", "do_not_honor", "soft"},
    {"07", "pickup_card_fraud", "hard"},
    {"12", "invalid_transaction", "hard"},
    {"13", "invalid_amount", "soft"},
    {"14", "invalid_card_number", "hard"},
    {"15", "no_such_issuer", "hard"},
    {"41", "lost_card", "hard"},
    {"43", "stolen_card", "hard"},
    {"46", "closed_account", "hard"},
    {"51", "insufficient_funds", "soft"},
    {"54", "expired_card", "hard"},
    {"55", "incorrect_pin", "soft"},
    {"57", "transaction_not_permitted", "hard"},
    {"59", "suspected_fraud", "soft"},
    {"61", "exceeds_amount_limit", "soft"},
    {"62", "restricted_card", "soft"},
    {"65", "exceeds_frequency_limit", "soft"},
    {"75", "pin_tries_exceeded", "soft"},
    {"78", "no_account", "soft"},
    {"86", "pin_cannot_be_verified", "soft"},
    {"91", "issuer_unavailable", "soft"},
    {"96", "system_error", "soft"},
    {"R0", "stop_payment_order", "hard"},
    {"R1", "revocation_of_authorization", "hard"},
    {"R3", "revocation_of_all_authorizations", "hard"},
}};

}  // namespace

Verdict decline_verdict(std::string_view response_code) {
  for (const Verdict& verdict : verdicts) {
    if (verdict.response_code == response_code) return {response_code, verdict.reason, verdict.category};
  }
  return {response_code, "declined", "soft"};
}

bool is_response_code(std::string_view text) {
  return text.size() == 2 &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); });
}

}  // namespace nightdrop::simulator
