#include "simulator/story/guests.hpp"

#include <array>
#include <string_view>

#include "emv/pan.hpp"
#include "hal/sim/card_catalogue.hpp"
#include "nightdrop/result.hpp"
#include "nightdrop/words.hpp"
#include "report/text.hpp"

namespace nightdrop::simulator {
namespace {

// A small generator of the story's own, so that every run meets the same guests.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}
  std::uint32_t next(std::uint32_t below) {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<std::uint32_t>(state_ >> 33U) % below;
  }

 private:
  std::uint64_t state_;
};

struct Prefix {
  std::string_view digits;
  std::size_t length;
};
// Inside the ranges of published test numbers.
constexpr std::array prefixes{Prefix{"424242", 16}, Prefix{"555555", 16}, Prefix{"378282", 15},
                              Prefix{"601111", 16}, Prefix{"424242", 16}, Prefix{"545454", 16}};

GuestCard own_card(Dice& dice, std::size_t kind) {
  const Prefix& prefix = prefixes[kind % prefixes.size()];
  GuestCard card;
  card.pan = prefix.digits;
  while (card.pan.size() + 1 < prefix.length) card.pan += static_cast<char>('0' + dice.next(10));
  card.pan += emv::luhn_check_digit(card.pan);
  const auto spec = hal::own_card({.pan = card.pan});
  ND_ASSERT(spec.has_value());
  card.about = report::brand_text(word(spec->brand)) + " " + emv::last4(card.pan);
  return card;
}

// Guests whose card is one of the catalogue; the issuer declines three of them when it is asked at last.
const char* special_card(int guest) {
  switch (guest) {
    case 1: return "mastercard_contact";
    case 3: return "visa_offline_pin";
    case 5: return "amex_contactless";
    case 8: return "visa_wallet";
    case 11: return "visa_decline_51";
    case 14: return "jcb_contactless";
    case 17: return "unionpay_contact";
    case 20: return "cobadged_visa";
    case 23: return "visa_decline_43";
    case 26: return "discover_contact";
    case 29: return "maestro_contactless";
    case big_party: return "mastercard_contactless";
    case 34: return "visa_decline_05";
    case 37: return "eftpos_contactless";
    default: return nullptr;
  }
}

}  // namespace

Json GuestCard::json() const {
  if (!name.empty()) return Json::string(name);
  Json card = Json::object();
  card.set("pan", pan);
  return card;
}

GuestCard catalogue_card(const std::string& name) {
  const hal::CardSpec* spec = hal::find_card(name);
  ND_ASSERT(spec != nullptr);
  return {name, spec->pan, report::brand_text(word(spec->brand)) + " " + emv::last4(spec->pan)};
}

std::vector<Guest> forty_guests() {
  Dice dice(20'261'120);
  std::vector<Guest> guests;
  for (int number = 1; number <= guest_count; ++number) {
    Guest guest{number, 1'450 + 50 * static_cast<std::int64_t>(dice.next(58)), {}};
    const char* special = special_card(number);
    guest.card = special != nullptr ? catalogue_card(special) : own_card(dice, static_cast<std::size_t>(number));
    if (number == big_party) guest.amount = 12'840;
    guests.push_back(std::move(guest));
  }
  return guests;
}

std::vector<Guest> late_guests() {
  Dice dice(1);
  std::vector<Guest> guests;
  for (int number = 1; number <= 8; ++number) {
    guests.push_back({number, 1'900 + 425 * number, own_card(dice, static_cast<std::size_t>(number))});
  }
  return guests;
}

std::string restaurant_policy(JsonView defaults) {
  Json policy = defaults.copy();
  Json limits = Json::object();
  limits.set("per_transaction", payment_cap).set("device_total", total_cap).set("per_card_total", 20'000);
  limits.set("refund_total", 10'000).set("approval_threshold", threshold);
  Json currencies = Json::object();
  currencies.set("usd", std::move(limits));
  policy.set("currencies", std::move(currencies));
  return policy.view().dump_pretty() + "\n";
}

}  // namespace nightdrop::simulator
