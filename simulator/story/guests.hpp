// Who comes on that Friday: amounts, cards and what is to happen, the same at every run. Every card number is a test
// number; all of them are known here, so that the proof can look for each of them in every file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "json/json.hpp"

namespace nightdrop::simulator {

struct GuestCard {
  std::string name;  // of the catalogue; empty: a card of its own
  std::string pan;
  std::string about;  // "Visa 4242"
  // The `card` of the simulated reader's present_card.
  Json json() const;
};

// A card of the catalogue. Requires: the name is in it.
GuestCard catalogue_card(const std::string& name);

struct Guest {
  int number{0};
  std::int64_t amount{0};  // minor units of usd
  GuestCard card;
};

inline constexpr int guest_count = 40;
inline constexpr int big_party = 31;  // above the manager's threshold
inline constexpr const char* manager = "manager";
inline constexpr const char* manager_pin = "2468";
inline constexpr std::int64_t threshold = 10'000;
inline constexpr std::int64_t payment_cap = 15'000;
inline constexpr std::int64_t total_cap = 140'000;

// The forty who pay while the line is down, in their order.
std::vector<Guest> forty_guests();

// Those who pay while the stored payments are being forwarded.
std::vector<Guest> late_guests();

// The policy of the restaurant, unsigned: the defaults with caps for a full house.
// Requires: `defaults` is what `nightdrop-provision policy defaults` prints.
std::string restaurant_policy(JsonView defaults);

}  // namespace nightdrop::simulator
