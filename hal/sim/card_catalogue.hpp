// The simulated cards: a catalogue by name, and cards given by their own number. Numbers are published test numbers
// where there is one, else made up inside the same test ranges; every one has a right check digit, and no two cards of
// the catalogue share one. The simulated issuer knows a card that it declines by its number.
#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nightdrop/payment.hpp"

namespace nightdrop::hal {

// How the meeting of card and reader goes.
enum class CardBehavior : std::uint8_t {
  Approves,      // the card leaves the decision to the issuer (ARQC)
  ChipRefuses,   // the card declines offline (AAC)
  ChipFails,     // the chip gives no answer; then the stripe is read
  RemovedEarly,  // the card is taken away before it has answered
};

enum class CardVerification : std::uint8_t { None, OfflinePin, OnlinePin, Device };

// An application on the chip. Hex is upper case.
struct CardApplication {
  std::string_view aid_hex;
  std::string_view label;
  int priority{1};
};

struct CardSpec {
  std::string name;   // of the catalogue; "own" for a card given by its number
  std::string about;  // one line for a person
  std::string pan;
  int exp_month{12};
  int exp_year{2030};
  Brand brand{Brand::Visa};
  ReadMethod read_method{ReadMethod::ContactlessEmv};
  CardBehavior behavior{CardBehavior::Approves};
  CardVerification verification{CardVerification::None};
  std::vector<CardApplication> applications;  // empty: stripe or keyed only
  std::string service_code{"201"};            // a first digit 2 or 6 says on the stripe that there is a chip
  std::string cardholder_name;                // on contact chips
  bool test_card{true};
};

// Every card of the catalogue, in a fixed order. Lifetime: static.
std::span<const CardSpec> card_catalogue();

// The card of this name; null if there is none. Lifetime: static.
const CardSpec* find_card(std::string_view name);

// DE39 with which the simulated issuer declines this card: "05", "51" …; nothing for one it approves.
std::optional<std::string_view> issuer_decline_code(std::string_view pan);

// A card as a tester describes it. Only the number is needed.
struct OwnCard {
  std::string pan;
  std::int64_t exp_month{12};
  std::int64_t exp_year{2030};
  ReadMethod read_method{ReadMethod::ContactlessEmv};
  std::optional<Brand> brand;  // default: by the number
  std::string service_code;    // default: 201 with a chip, 101 without
  std::string cardholder_name;
  bool test_card{true};
};

// What is wrong with a description, by the field's name on the wire. The message never repeats the number.
struct CardFieldError {
  std::string field;
  std::string message;
};

// The card described: behaves like visa_contactless (or visa_contact, visa_swipe, visa_fallback, visa_keyed by read
// method) of its brand. Errors: the first field that can't be.
std::expected<CardSpec, CardFieldError> own_card(const OwnCard& described);

}  // namespace nightdrop::hal
