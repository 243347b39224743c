// A PIN from a person or a pipe, never from the command line, where every process could read it.
#pragma once

#include "keys/outcome.hpp"
#include "nightdrop/secret.hpp"

namespace nightdrop::keys {

// One line of standard input without its end; from a terminal without echo, asked for twice.
// Errors: Data (the two differ, the line is too long), NoInput.
Outcome<SecretBytes> read_pin();

}  // namespace nightdrop::keys
