// A manager's PIN, asked for twice.
#include "keys/policy/pin_prompt.hpp"

#include "keys/prompt/prompt.hpp"

namespace nightdrop::keys {

Outcome<SecretBytes> read_pin() {
  constexpr std::size_t line_max = 64;
  auto pin = ask_secret_twice("PIN (4 to 12 digits): ", line_max);
  if (!pin && pin.error().exit == Exit::NoInput) return refuse(Exit::NoInput, "no PIN on standard input");
  return pin;
}

}  // namespace nightdrop::keys
