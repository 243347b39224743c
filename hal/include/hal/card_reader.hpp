// Port: one card interaction at the level of a certified EMV kernel. The kernel selects the application, reads it,
// verifies the cardholder and asks the card for a cryptogram; what it hands over is the result. Three different ends:
// the card's data, the card's or the kernel's "no", and a read that failed.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "nightdrop/payment.hpp"
#include "nightdrop/secret.hpp"

namespace nightdrop::hal {

struct CardRequest {
  Amount amount;
  ObjectKind kind{ObjectKind::PaymentIntent};
  std::array<bool, read_method_count> allowed{true, true, true, true, true};  // by ReadMethod
  UtcMs now{0};                                                               // for 9A and 9F21
};

// A card that was read and did not refuse.
struct CardData {
  CardSummary summary;               // fingerprint left empty: the engine fills it in
  SecretBytes pan;                   // digits, ASCII
  SecretBytes sensitive;             // BER-TLV 57 5A 5F24 5F34 5F20 in this order, each present tag once
  SecretBytes online_pin;            // ASCII digits from the PIN pad when the CVM is online PIN; else empty
  std::vector<std::uint8_t> emv;     // BER-TLV for the acquirer without tags that identify the card (RULES 16)
  bool test_card{false};             // of a published test range
  bool offline_pin_verified{false};  // CVM result: PIN checked by the card
  bool expired{false};               // by the kernel's clock; the engine checks again by its own
};

enum class CardRefusal : std::uint8_t {
  ChipDeclined,     // AAC: the card, or the terminal action codes, said no (EMV 4.4 Book 3, 10.7-10.8)
  EntryNotAllowed,  // this read method is not allowed in the request
};
enum class CardFailure : std::uint8_t { Removed, Unreadable, Canceled };

struct CardRefused {
  CardRefusal reason{CardRefusal::ChipDeclined};
  CardSummary summary;  // as far as it was read
};
struct CardFailed {
  CardFailure reason{CardFailure::Unreadable};
};
using CardOutcome = std::variant<CardData, CardRefused, CardFailed>;

enum class Prompt : std::uint8_t { InsertOrTap, RemoveCard, TryAgain, EnterPin, UseChip };

class CardListener {
 public:
  virtual ~CardListener() = default;
  virtual void on_prompt(Prompt prompt) = 0;
  virtual void on_card_inserted() = 0;
  virtual void on_card_removed() = 0;
  // Exactly once per start(), cancel() included. Called on the loop's thread, never from inside start() or cancel().
  virtual void on_card_outcome(CardOutcome outcome) = 0;
};

class CardReader {
 public:
  virtual ~CardReader() = default;
  // Prompts for a card and reads it. Requires: no interaction under way. Lifetime: listener until its outcome.
  virtual void start(const CardRequest& request, CardListener& listener) = 0;
  // A hint: the interaction ends soon, in on_card_outcome (Canceled, or what was already decided).
  virtual void cancel() = 0;
};

}  // namespace nightdrop::hal
