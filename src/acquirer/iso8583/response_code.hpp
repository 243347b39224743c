// DE39, the response code, as data: what the host decided, whether the card is to be kept, when the same card may be
// tried again, and what becomes of a stored advice that got it. The codes of ISO 8583:1987, and those of the card
// schemes that hosts pass through. Limits on the number of attempts change by scheme and year: they are configuration.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace nightdrop::iso8583 {

enum class Outcome : std::uint8_t {
  Approve,
  ApprovePartial,  // the amount approved is in DE4
  ApproveZeroAmountOnly,
  Refer,
  Decline,
  FormatError,  // our message is at fault
  Technical,    // nothing was decided
  Duplicate,    // on a repeat: the first copy was taken
};

enum class Retry : std::uint8_t { No, Later, AfterFixingData, Never };  // Never: not this card at this merchant

enum class AdviceAction : std::uint8_t { Done, Repeat, PutAside };  // PutAside: a person must look

struct ResponseCode {
  std::string_view code;
  std::string_view meaning;
  Outcome outcome;
  bool capture_card;
  Retry retry;
  AdviceAction advice_action;
  bool of_scheme;  // not a code of ISO 8583:1987
};

std::span<const ResponseCode> response_codes();

// The line of a code; null for one that is not in the table, which is never an approval.
const ResponseCode* find_response_code(std::string_view code);

}  // namespace nightdrop::iso8583
