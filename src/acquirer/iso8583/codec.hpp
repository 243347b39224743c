// Reads and writes ISO 8583:1987 messages by a Format. Strict both ways: one encoding for one message, so that what was
// parsed builds the same bytes again; nothing is trimmed, guessed or skipped, and every byte must be used.
// An error names the data element in `native` and never a value. The length header some lines put before a message is
// not part of the standard and is not handled here.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "acquirer/iso8583/message.hpp"
#include "nightdrop/result.hpp"

namespace nightdrop::iso8583 {

// The bits of a bit map of 8 bytes, or of 16 when its first bit says so; in order, 1 included.
// Errors: Malformed (another size; bit 65, which announces a third one). Standard: ISO 8583:1987, 4.3.
Result<std::vector<unsigned>> read_bitmap(Bytes bitmap);

// Reads a whole message.
// Errors: Malformed (cut short, bytes left over, not in the format's encoding; `native` is the data element, 0
// outside).
Result<Message> parse(Bytes wire, const Format& format);

// Writes a whole message; bit 1 is set when an element above 64 is there.
// Errors: InvalidArgument (a value its format does not allow; `native` is the data element).
Result<SecretBytes> build(const Message& message, const Format& format);

// Whether what the values say can be: DE2 with its check digit, dates and times that exist (DE7, 12 to 17 and 73).
// For what this terminal sends: answers of hosts carry stand-ins. Errors: Malformed (`native` is the data element).
Result<void> check_content(const Message& message);

}  // namespace nightdrop::iso8583
