// Reads the body of a payment or refund as the contract writes it and opens its card envelope: every field, the AAD,
// and that the clear fields say the same as the card data. The PAN lives in wiped memory for the time of the call
// alone.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "json/json.hpp"
#include "simulator/acquirer/answer.hpp"
#include "simulator/acquirer/card_keys.hpp"

namespace nightdrop::simulator {

// A payment that may be taken to the issuer. Holds no card data but the last four digits.
struct CheckedPayment {
  std::string id;
  std::string object;
  std::int64_t amount{0};
  std::int64_t card_amount{0};
  std::string currency;
  std::string merchant_id;
  std::string terminal_id;
  std::string merchant_reference;
  bool deferred{false};
  bool chip{false};                        // it has EMV data, so the answer may have some
  std::string last4;                       // empty for a refund without a card
  std::optional<Ksn> ksn;                  // none for a refund without a card
  std::optional<std::string> issuer_code;  // the decline code of this card; none: it approves
};

// Whether the text is a payment's id: pi_ or re_ and 32 hex digits in lower case.
bool is_payment_id(std::string_view text);

// Errors: 422 with a code and a message that names the field.
std::expected<CheckedPayment, ApiError> check_payment(JsonView body, const CardKeys& keys);

}  // namespace nightdrop::simulator
