// How messages belong together: the repeat of one, the answer to one, the reversal of one.
// A repeat is the same message under another type, also after a restart: whoever sends keeps the original values.
// Standard: ISO 8583:1987, 4.2.4 (repeats), DE90 and DE95.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "acquirer/iso8583/message.hpp"
#include "nightdrop/result.hpp"

namespace nightdrop::iso8583 {

// What makes a repeat the same transaction to the host, where present.
inline constexpr std::array<unsigned, 12> kept_on_repeat{2, 3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 90};

// What an answer echoes. DE11 alone wraps and is unique a terminal and day at most.
inline constexpr std::array<unsigned, 5> echoed_in_answer{7, 11, 37, 41, 42};

// The message to send again: as it was but for its type. Errors: InvalidArgument (it is an answer).
Result<Message> repeat_of(const Message& message);

// Whether `again` repeats `original`.
bool is_repeat_of(const Message& original, const Message& again);

// Whether `answer` is of the type that answers `request` and echoes what identifies it. One that answers nothing is
// logged and left; a late approval after a queued reversal is still reversed.
bool is_answer_to(const Message& request, const Message& answer);

// DE90 of the reversal of `original`: type 4, DE11 6, DE7 10, DE32 and DE33 11 each, filled with zeros on the left.
// Errors: InvalidArgument (one is missing, not digits or too long; `native` is the data element).
Result<std::string> original_data(const Message& original);

// DE95 of a partial reversal: the amount that stands, no settlement amount and no fees.
// Errors: InvalidArgument (more than 12 digits). Units: minor units of DE49.
Result<std::string> replacement_amounts(std::uint64_t amount_minor);

}  // namespace nightdrop::iso8583
