// The tables of application identifiers and issuer identification ranges, and the choice among a card's applications.
#include "emv/brand.hpp"

#include <algorithm>
#include <array>
#include <tuple>

#include "nightdrop/encoding.hpp"

namespace nightdrop::emv {
namespace {

struct AidPrefix {
  std::string_view hex;
  Scheme scheme;
};
constexpr auto aid_prefixes = std::to_array<AidPrefix>({
    {"A0000000031010", Scheme::Visa},
    {"A0000000032010", Scheme::Visa},  // Visa Electron
    {"A0000000033010", Scheme::Visa},  // Interlink
    {"A0000000980840", Scheme::VisaUsCommonDebit},
    {"A0000000041010", Scheme::Mastercard},
    {"A0000000042010", Scheme::Mastercard},
    {"A0000000043060", Scheme::Maestro},
    {"A0000000042203", Scheme::Maestro},  // US
    {"A00000002501", Scheme::Amex},
    {"A0000001523010", Scheme::Discover},  // and Diners
    {"A0000001524010", Scheme::Discover},  // US common debit
    {"A0000000651010", Scheme::Jcb},
    {"A000000333010101", Scheme::Unionpay},
    {"A000000333010102", Scheme::Unionpay},
    {"A000000333010103", Scheme::Unionpay},
    {"A0000002771010", Scheme::Interac},
    {"A00000038410", Scheme::Eftpos},  // savings
    {"A00000038420", Scheme::Eftpos},  // cheque
    {"A0000000421010", Scheme::CartesBancaires},
    {"A0000003591010028001", Scheme::Girocard},
    {"A0000006200620", Scheme::UsCommonDebit},  // Debit Network Alliance: NYCE, PULSE, STAR and others
});

// Lengths as a set of bits: bit n for n digits.
constexpr std::uint32_t lengths(std::initializer_list<unsigned> list) {
  std::uint32_t bits = 0;
  for (const auto length : list) bits |= 1U << length;
  return bits;
}
constexpr std::uint32_t lengths_from(unsigned first, unsigned last) {
  std::uint32_t bits = 0;
  for (unsigned length = first; length <= last; ++length) bits |= 1U << length;
  return bits;
}

struct IinRange {
  std::string_view from;
  std::string_view to;  // as many digits as `from`
  std::uint32_t pan_lengths;
  Scheme scheme;
};
constexpr auto iin_ranges = std::to_array<IinRange>({
    {"4", "4", lengths({13, 16, 18, 19}), Scheme::Visa},
    {"51", "55", lengths({16}), Scheme::Mastercard},
    {"222100", "272099", lengths({16}), Scheme::Mastercard},
    {"34", "34", lengths({15}), Scheme::Amex},
    {"37", "37", lengths({15}), Scheme::Amex},
    {"6011", "6011", lengths_from(16, 19), Scheme::Discover},
    {"644", "649", lengths_from(16, 19), Scheme::Discover},
    {"65", "65", lengths_from(16, 19), Scheme::Discover},
    {"300", "305", lengths_from(14, 19), Scheme::Diners},
    {"3095", "3095", lengths_from(14, 19), Scheme::Diners},
    {"36", "36", lengths_from(14, 19), Scheme::Diners},
    {"38", "39", lengths_from(14, 19), Scheme::Diners},
    {"3528", "3589", lengths_from(16, 19), Scheme::Jcb},
    {"62", "62", lengths_from(13, 19), Scheme::Unionpay},
    {"81", "81", lengths_from(16, 19), Scheme::Unionpay},
    {"50", "50", lengths_from(12, 19), Scheme::Maestro},
    {"56", "58", lengths_from(12, 19), Scheme::Maestro},
    {"6304", "6304", lengths_from(12, 19), Scheme::Maestro},
    {"67", "67", lengths_from(12, 19), Scheme::Maestro},
});

bool covers(const IinRange& range, std::string_view pan) {
  if (pan.size() < range.from.size() || pan.size() > 19 || (range.pan_lengths >> pan.size() & 1U) == 0) return false;
  const auto prefix = pan.substr(0, range.from.size());
  return prefix >= range.from && prefix <= range.to;
}

bool all_digits(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::string_view scheme_name(Scheme scheme) {
  switch (scheme) {
    case Scheme::Unknown: return "unknown";
    case Scheme::Visa: return "visa";
    case Scheme::VisaUsCommonDebit: return "visa_us_common_debit";
    case Scheme::Mastercard: return "mastercard";
    case Scheme::Maestro: return "maestro";
    case Scheme::Amex: return "amex";
    case Scheme::Discover: return "discover";
    case Scheme::Diners: return "diners";
    case Scheme::Jcb: return "jcb";
    case Scheme::Unionpay: return "unionpay";
    case Scheme::Interac: return "interac";
    case Scheme::Eftpos: return "eftpos";
    case Scheme::CartesBancaires: return "cartes_bancaires";
    case Scheme::Girocard: return "girocard";
    case Scheme::UsCommonDebit: return "us_common_debit";
  }
  return "unknown";
}

Scheme scheme_of_aid(Bytes aid) {
  const std::string hex = hex_upper(aid);
  const AidPrefix* best = nullptr;
  for (const auto& entry : aid_prefixes) {
    if (hex.starts_with(entry.hex) && (best == nullptr || entry.hex.size() > best->hex.size())) best = &entry;
  }
  return best == nullptr ? Scheme::Unknown : best->scheme;
}

Scheme scheme_of_pan(std::string_view pan) {
  if (!all_digits(pan)) return Scheme::Unknown;
  const IinRange* best = nullptr;
  for (const auto& range : iin_ranges) {
    if (covers(range, pan) && (best == nullptr || range.from.size() > best->from.size())) best = &range;
  }
  return best == nullptr ? Scheme::Unknown : best->scheme;
}

Brand brand_of(Scheme scheme) {
  switch (scheme) {
    case Scheme::Unknown: return Brand::Unknown;
    case Scheme::Visa:
    case Scheme::VisaUsCommonDebit: return Brand::Visa;
    case Scheme::Mastercard: return Brand::Mastercard;
    case Scheme::Maestro: return Brand::Maestro;
    case Scheme::Amex: return Brand::Amex;
    case Scheme::Discover:
    case Scheme::Diners: return Brand::Discover;
    case Scheme::Jcb: return Brand::Jcb;
    case Scheme::Unionpay: return Brand::Unionpay;
    case Scheme::Interac: return Brand::Interac;
    case Scheme::Eftpos: return Brand::Eftpos;
    case Scheme::CartesBancaires: return Brand::CartesBancaires;
    case Scheme::Girocard: return Brand::Girocard;
    case Scheme::UsCommonDebit: return Brand::Unknown;
  }
  return Brand::Unknown;
}

Brand brand_of_card(Bytes aid, std::string_view pan) {
  const Scheme by_aid = scheme_of_aid(aid);
  return brand_of(by_aid == Scheme::Unknown ? scheme_of_pan(pan) : by_aid);
}

bool is_international(Scheme scheme) {
  switch (scheme) {
    case Scheme::Visa:
    case Scheme::Mastercard:
    case Scheme::Maestro:
    case Scheme::Amex:
    case Scheme::Discover:
    case Scheme::Diners:
    case Scheme::Jcb:
    case Scheme::Unionpay: return true;
    case Scheme::Unknown:
    case Scheme::VisaUsCommonDebit:
    case Scheme::Interac:
    case Scheme::Eftpos:
    case Scheme::CartesBancaires:
    case Scheme::Girocard:
    case Scheme::UsCommonDebit: return false;
  }
  return false;
}

std::optional<std::size_t> choose_application(std::span<const Application> applications) {
  const auto rank = [&applications](std::size_t i) {
    const auto& application = applications[i];
    const unsigned priority = application.priority & 0x0FU;
    return std::tuple(is_international(scheme_of_aid(application.aid)) ? 0 : 1, priority == 0 ? 16U : priority, i);
  };
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < applications.size(); ++i) {
    if (!best || rank(i) < rank(*best)) best = i;
  }
  return best;
}

}  // namespace nightdrop::emv
