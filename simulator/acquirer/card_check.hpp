// Opens the card envelope of a payment and holds the card data against what the body says in the clear.
#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string>

#include "nightdrop/payment.hpp"
#include "simulator/acquirer/answer.hpp"
#include "simulator/acquirer/card_keys.hpp"

namespace nightdrop::simulator {

// What the body says of the card in the clear.
struct ClearCard {
  std::string last4;
  int exp_month{0};
  int exp_year{0};
};

// Opens the envelope under `aad`, checks it against `clear`, opens the PIN block if there is one, and asks the issuer's
// table. Gives the card's decline code, or nothing if it approves.
// Errors: 422; the message names the field and never its content.
std::expected<std::optional<std::string>, ApiError> check_card(const CardKeys& keys, const Envelope& envelope,
                                                               const std::string& aad, const ClearCard& clear);

// Checks the clear EMV data: well-formed, nothing in it that identifies the card, 9F02 as the card amount.
std::optional<ApiError> check_emv(std::span<const std::uint8_t> emv, std::int64_t card_amount, bool required);

}  // namespace nightdrop::simulator
