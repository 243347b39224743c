// What a certified EMV kernel would hand over after reading a simulated card: real BER-TLV, a cryptogram over the data
// the card's CDOL1 asks for, and TVR, TSI and CVM Results that fit what happened. Pure functions of card and request.
// The cryptogram itself is a stand-in: a mixing function keyed by the card's number takes the place of the issuer's
// 3DES or AES session key, because the simulated issuer has no use for checking it. It is not secure and need not be.
#pragma once

#include <array>
#include <string_view>

#include "hal/card_reader.hpp"
#include "hal/sim/card_catalogue.hpp"

namespace nightdrop::hal {

// What reader and card bring to one transaction.
struct KernelInput {
  UtcMs now{0};
  Amount amount;
  ObjectKind kind{ObjectKind::PaymentIntent};
  std::uint16_t atc{0};                          // 9F36: counts up with each transaction of the card
  std::array<std::uint8_t, 4> unpredictable{};   // 9F37
  std::string_view terminal_serial{"ND000001"};  // 9F1E takes eight characters
};

// What was read of a card before anything was decided.
CardSummary summary_of(const CardSpec& card, ReadMethod read_method);

// The chip's answer, inserted or tapped: CardData with an ARQC, or CardRefused where the card gives an AAC.
// Requires: card.applications not empty. Standard: EMV 4.4 Book 3, 10; TVR, TSI Annex C.
CardOutcome read_chip(const CardSpec& card, const KernelInput& input);

// Track 2 of the stripe, swiped or as a fallback. Carries no EMV data.
CardData read_stripe(const CardSpec& card, UtcMs now);

// Number and expiry as keyed in. Carries no EMV data.
CardData read_keyed(const CardSpec& card, UtcMs now);

}  // namespace nightdrop::hal
