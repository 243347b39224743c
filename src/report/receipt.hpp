// The receipt of a payment or refund as text, 40 columns wide. What was stored offline says so in words that nobody can
// take for an approval; so does everything else that is not authorized. Never more of the card than its last four.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "json/json.hpp"
#include "report/text.hpp"

namespace nightdrop::report {

enum class Copy : std::uint8_t { Customer, Merchant };

struct ReceiptHead {
  std::string merchant;  // the reader's label, or the shop's name; may be empty
  std::string reader;    // serial number; may be empty
  bool livemode{true};   // false prints TEST - NO VALUE
};

inline constexpr std::size_t receipt_width = 40;

// The receipt's headline for a payment: what has happened to the money.
// Requires: a payment_intent or refund of the POS protocol.
std::string_view outcome_text(JsonView payment);

// The whole receipt, lines ended by line feeds.
std::string receipt(JsonView payment, const ReceiptHead& head, Copy copy, const Style& style);

// How the cardholder was verified, from the CVM results (tag 9F34) in hex; empty where that says nothing.
// Standard: EMV 4.4, Book 3, annex C3; Book 4, annex A4.
std::string_view cardholder_verification_text(std::string_view cvm_results);
// Whether those results ask for a signature on paper.
bool signature_needed(std::string_view cvm_results);

}  // namespace nightdrop::report
