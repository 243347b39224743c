// What the simulated issuer says: a response code (ISO 8583 DE39) for a card, with the words the API gives it.
#pragma once

#include <string_view>

namespace nightdrop::simulator {

struct Verdict {
  std::string_view response_code;
  std::string_view reason;
  std::string_view category;  // soft: may be tried again under the policy; hard: never again
};

// The words of a decline code; an unknown code is "declined", soft. Lifetime: `response_code` refers to the argument.
Verdict decline_verdict(std::string_view response_code);
// Whether the text can be a DE39: two characters, digits or capital letters.
bool is_response_code(std::string_view text);

}  // namespace nightdrop::simulator
