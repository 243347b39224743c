// Which scheme a card belongs to: by its application (AID, longest registered prefix) first, by its number (IIN) only
// where there is no application. The number alone can't tell Interac, girocard, Cartes Bancaires and eftpos from
// the international schemes whose ranges they share. Of a co-badged card's applications the international one is taken.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "emv/tlv.hpp"
#include "nightdrop/payment.hpp"

namespace nightdrop::emv {

// Finer than Brand, as AIDs and IIN tables name them.
enum class Scheme : std::uint8_t {
  Unknown,
  Visa,
  VisaUsCommonDebit,
  Mastercard,
  Maestro,
  Amex,
  Discover,
  Diners,
  Jcb,
  Unionpay,
  Interac,
  Eftpos,
  CartesBancaires,
  Girocard,
  UsCommonDebit,
};

// The scheme's word in tables and test vectors: "visa", "visa_us_common_debit", "unknown" …
std::string_view scheme_name(Scheme scheme);

// The scheme of an application identifier by its longest known prefix; Unknown if none fits.
Scheme scheme_of_aid(Bytes aid);

// The scheme of a card number by its longest known prefix, where the number's length fits the scheme too.
Scheme scheme_of_pan(std::string_view pan);

// The contract's brand. Diners Club runs on Discover's network and application; Visa's US common debit is Visa. The AID
// that the US debit networks share names none of them, so it is Unknown, which is taken nowhere offline.
Brand brand_of(Scheme scheme);

// The brand by the application if it has a known one, else by the number.
Brand brand_of_card(Bytes aid, std::string_view pan);

// Whether the scheme is accepted across borders; the others are domestic.
bool is_international(Scheme scheme);

// An application that card and terminal both have.
struct Application {
  std::vector<std::uint8_t> aid;
  std::string label;
  std::uint8_t priority{0};  // tag 87, low nibble; 0 means none given
};

// Which application to use: international before domestic, then the card's priority (1 first, none last), then order.
// Nothing if there is none.
std::optional<std::size_t> choose_application(std::span<const Application> applications);

}  // namespace nightdrop::emv
