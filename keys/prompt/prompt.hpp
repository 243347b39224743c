// What a person types and no other process may see: from the terminal without echo, or from a pipe; never from the
// command line. And what is kept in a file for the same purpose.
#pragma once

#include <filesystem>
#include <string>

#include "keys/outcome.hpp"
#include "nightdrop/secret.hpp"

namespace nightdrop::keys {

// One line of standard input without its end, at most `size_max` bytes; a terminal shows `prompt` and echoes nothing.
// Errors: NoInput (the input's end), Data (too long).
Outcome<SecretBytes> ask_secret(const std::string& prompt, std::size_t size_max);
// As ask_secret(); a terminal is asked twice. Errors: Data (the two differ).
Outcome<SecretBytes> ask_secret_twice(const std::string& prompt, std::size_t size_max);
// One line that is no secret: a name, a check value. Errors: as ask_secret().
Outcome<std::string> ask_line(const std::string& prompt);

// The contents of a file that is its owner's alone (0600 or less), without the line's end: a PIN.
// Errors: NoInput (missing, or others may read it), Data (empty).
Outcome<SecretBytes> read_private_file(const std::filesystem::path& file);

}  // namespace nightdrop::keys
