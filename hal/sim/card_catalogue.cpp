// The catalogue's rows. Sources of the numbers: Stripe's, Braintree's, Worldpay's and Apple Pay's public test lists,
// the EMV test cards of tests/vectors/emv_tlv.json; rows marked "made" are ours. visa_live is made in a range that no
// issuer is known to use, so that it belongs to nobody.
#include "hal/sim/card_catalogue.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "emv/brand.hpp"
#include "emv/pan.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop::hal {
namespace {

// One application a brand. NYCE, PULSE and STAR share the Debit Network Alliance's; the brand is then the acquirer's
// knowledge by number, here the catalogue's.
CardApplication application_of(Brand brand) {
  switch (brand) {
    case Brand::Visa: return {"A0000000031010", "VISA CREDIT"};
    case Brand::Mastercard: return {"A0000000041010", "MASTERCARD"};
    case Brand::Amex: return {"A000000025010801", "AMERICAN EXPRESS"};
    case Brand::Discover: return {"A0000001523010", "DISCOVER"};
    case Brand::Unionpay: return {"A000000333010102", "UNIONPAY CREDIT"};
    case Brand::Jcb: return {"A0000000651010", "JCB CREDIT"};
    case Brand::Maestro: return {"A0000000043060", "MAESTRO"};
    case Brand::Eftpos: return {"A00000038410", "EFTPOS SAVINGS"};
    case Brand::CartesBancaires: return {"A0000000421010", "CB"};
    case Brand::Girocard: return {"A0000003591010028001", "GIROCARD"};
    case Brand::Interac: return {"A0000002771010", "INTERAC"};
    case Brand::Nyce:
    case Brand::Pulse:
    case Brand::Star: return {"A0000006200620", "US DEBIT"};
    case Brand::Unknown: return {"F000000001", "UNKNOWN"};  // a proprietary identifier of no known scheme
  }
  return {"F000000001", "UNKNOWN"};
}

struct BrandRow {
  Brand brand;
  std::string_view contact_pan;
  std::string_view contactless_pan;
};
constexpr auto brand_rows = std::to_array<BrandRow>({
    {Brand::Visa, "4761739001010119", "4242424242424242"},
    {Brand::Mastercard, "5413330089020011", "5555555555554444"},
    {Brand::Amex, "378734493671000", "378282246310005"},
    {Brand::Discover, "6011981111111113", "6011111111111117"},
    {Brand::Unionpay, "6221261111117766", "6200000000000005"},
    {Brand::Jcb, "3566111111111113", "3566002020360505"},
    {Brand::Maestro, "6759560045005727054", "6771798021000008"},
    {Brand::Eftpos, "6280000360000978", "6280000360000986"},           // the second: made
    {Brand::CartesBancaires, "4150580996517927", "4150580996517935"},  // the second: made
    {Brand::Girocard, "6725998900000200015", "6725998900000200031"},   // made
    {Brand::Interac, "4506445006931933", "4506445006931941"},          // the second: made
    {Brand::Nyce, "6006490000000012", "6006490000000020"},             // made
    {Brand::Pulse, "6050000000000014", "6050000000000022"},            // made
    {Brand::Star, "6073000000000017", "6073000000000025"},             // made
});

struct DeclineRow {
  std::string_view code;
  std::string_view pan;
  std::string_view about;
};
constexpr auto decline_rows = std::to_array<DeclineRow>({
    {"05", "4000000000000002", "do not honor"},
    {"14", "4000000000000143", "invalid card number"},  // made
    {"41", "4000000000009987", "lost card"},
    {"43", "4000000000009979", "stolen card"},
    {"51", "4000000000009995", "insufficient funds"},
    {"54", "4000000000000069", "expired card, says the issuer"},
    {"61", "4000000000006975", "exceeds amount limit"},
    {"62", "4000000000000622", "restricted card"},          // made
    {"65", "4000000000000655", "exceeds frequency limit"},  // made
    {"91", "4000000000000119", "issuer not available"},
    {"96", "4000000000000960", "system malfunction"},  // made
});

CardSpec visa(std::string_view name, std::string_view about, std::string_view pan, ReadMethod read_method) {
  CardSpec card;
  card.name = name;
  card.about = about;
  card.pan = pan;
  card.read_method = read_method;
  card.applications = {application_of(Brand::Visa)};
  if (read_method == ReadMethod::ContactEmv) card.cardholder_name = "NIGHTDROP/TEST";
  return card;
}

void add_brands(std::vector<CardSpec>& cards) {
  for (const auto& row : brand_rows) {
    for (const bool contact : {true, false}) {
      auto card = visa("", "", contact ? row.contact_pan : row.contactless_pan,
                       contact ? ReadMethod::ContactEmv : ReadMethod::ContactlessEmv);
      const std::string brand(word(row.brand));
      card.name = brand + (contact ? "_contact" : "_contactless");
      card.about = brand + (contact ? ", chip inserted; approved" : ", tapped; approved");
      card.brand = row.brand;
      card.applications = {application_of(row.brand)};
      cards.push_back(std::move(card));
    }
  }
}

void add_other_ways_to_read(std::vector<CardSpec>& cards) {
  auto swipe = visa("visa_swipe", "stripe only, swiped", "4012888888881881", ReadMethod::MagneticStripeTrack2);
  swipe.service_code = "101";
  swipe.applications.clear();
  cards.push_back(std::move(swipe));
  auto fallback = visa("visa_fallback", "chip fails, then the stripe is read", "4012000033330026",
                       ReadMethod::MagneticStripeFallback);
  fallback.behavior = CardBehavior::ChipFails;
  cards.push_back(std::move(fallback));
  auto keyed = visa("visa_keyed", "number keyed in by hand", "4005519200000004", ReadMethod::Keyed);
  keyed.applications.clear();
  cards.push_back(std::move(keyed));
  auto wallet = visa("visa_wallet", "phone, verified on the device", "4761120010000492", ReadMethod::ContactlessEmv);
  wallet.verification = CardVerification::Device;
  cards.push_back(std::move(wallet));
}

void add_contact_cases(std::vector<CardSpec>& cards) {
  constexpr auto contact = ReadMethod::ContactEmv;
  auto expired = visa("visa_expired", "expired at the end of 2020", "4508750015741019", contact);
  expired.exp_year = 2020;
  cards.push_back(std::move(expired));
  auto refuses = visa("visa_chip_refuses", "the chip declines offline (AAC)", "4500600000000061", contact);
  refuses.behavior = CardBehavior::ChipRefuses;
  cards.push_back(std::move(refuses));
  auto offline_pin = visa("visa_offline_pin", "PIN checked by the chip", "4111111111111111", contact);
  offline_pin.verification = CardVerification::OfflinePin;
  cards.push_back(std::move(offline_pin));
  auto online_pin = visa("visa_online_pin", "PIN 1234, checked by the issuer", "4001000360000005", contact);
  online_pin.verification = CardVerification::OnlinePin;
  cards.push_back(std::move(online_pin));
  auto removed = visa("visa_removed_early", "taken out too early", "4000056655665556", contact);
  removed.behavior = CardBehavior::RemovedEarly;
  cards.push_back(std::move(removed));
  auto cobadged = visa("cobadged_visa", "Cartes Bancaires and Visa on one chip", "4000002500001001", contact);
  cobadged.applications = {application_of(Brand::CartesBancaires), application_of(Brand::Visa)};
  cobadged.applications[1].priority = 2;
  cards.push_back(std::move(cobadged));
  auto live = visa("visa_live", "a live-mode card (a number nobody has)", "4999990000000007", contact);
  live.test_card = false;
  cards.push_back(std::move(live));
}

std::vector<CardSpec> make_catalogue() {
  std::vector<CardSpec> cards;
  add_brands(cards);
  add_other_ways_to_read(cards);
  add_contact_cases(cards);
  for (const auto& row : decline_rows) {
    cards.push_back(visa("visa_decline_" + std::string(row.code),
                         "the issuer declines with " + std::string(row.code) + ": " + std::string(row.about), row.pan,
                         ReadMethod::ContactEmv));
  }
  return cards;
}

bool all_digits(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

bool printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

std::optional<CardFieldError> fault_of(const OwnCard& card) {
  if (card.pan.size() < 12 || card.pan.size() > 19 || !all_digits(card.pan)) {
    return CardFieldError{"pan", "The card number must be 12 to 19 digits."};
  }
  if (!emv::luhn_valid(card.pan)) return CardFieldError{"pan", "The card number's check digit is wrong."};
  if (card.exp_month < 1 || card.exp_month > 12) return CardFieldError{"exp_month", "The month must be 1 to 12."};
  if (card.exp_year < 2000 || card.exp_year > 2099) return CardFieldError{"exp_year", "The year must be 2000 to 2099."};
  if (!card.service_code.empty() && (card.service_code.size() != 3 || !all_digits(card.service_code))) {
    return CardFieldError{"service_code", "The service code must be three digits."};
  }
  if (card.cardholder_name.size() > 26 || !printable(card.cardholder_name)) {
    return CardFieldError{"cardholder_name", "The name must be at most 26 printable ASCII characters."};
  }
  return std::nullopt;
}

}  // namespace

std::span<const CardSpec> card_catalogue() {
  static const std::vector<CardSpec> catalogue = make_catalogue();
  return catalogue;
}

const CardSpec* find_card(std::string_view name) {
  const auto cards = card_catalogue();
  const auto found = std::ranges::find(cards, name, &CardSpec::name);
  return found == cards.end() ? nullptr : &*found;
}

std::optional<std::string_view> issuer_decline_code(std::string_view pan) {
  const auto* found = std::ranges::find(decline_rows, pan, &DeclineRow::pan);
  if (found == decline_rows.end()) return std::nullopt;
  return found->code;
}

std::expected<CardSpec, CardFieldError> own_card(const OwnCard& described) {
  if (auto fault = fault_of(described)) return std::unexpected(std::move(*fault));
  CardSpec card;
  card.name = "own";
  card.about = "a card given by its number";
  card.pan = described.pan;
  card.exp_month = static_cast<int>(described.exp_month);
  card.exp_year = static_cast<int>(described.exp_year);
  card.brand = described.brand.value_or(emv::brand_of(emv::scheme_of_pan(described.pan)));
  card.read_method = described.read_method;
  card.test_card = described.test_card;
  const bool chip =
      described.read_method != ReadMethod::MagneticStripeTrack2 && described.read_method != ReadMethod::Keyed;
  if (chip) card.applications = {application_of(card.brand)};
  card.service_code = !described.service_code.empty() ? described.service_code : chip ? "201" : "101";
  card.cardholder_name = described.cardholder_name;
  if (described.read_method == ReadMethod::MagneticStripeFallback) card.behavior = CardBehavior::ChipFails;
  return card;
}

}  // namespace nightdrop::hal
