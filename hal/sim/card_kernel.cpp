// The simulated kernel. Card data goes straight into locked memory; everything for the acquirer is put together as one
// list of objects and then selected by the dictionary, so that what identifies a card can't slip through.
#include "hal/sim/card_kernel.hpp"

#include <algorithm>
#include <chrono>
#include <span>
#include <string>

#include "emv/brand.hpp"
#include "emv/currency.hpp"
#include "emv/dictionary.hpp"
#include "emv/dol.hpp"
#include "emv/pan.hpp"
#include "emv/tlv.hpp"
#include "emv/track2.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::hal {
namespace {

constexpr std::string_view cdol1_hex = "9F02069F03069F1A0295055F2A029A039C019F3704";
constexpr std::string_view simulated_pin = "1234";
constexpr std::uint16_t terminal_country = 840;
constexpr std::uint16_t no_currency = 999;  // ISO 4217: no currency
constexpr std::string_view chip_discretionary = "10000999";
constexpr std::string_view stripe_discretionary = "10000123";

std::vector<std::uint8_t> hex(std::string_view text) {
  auto bytes = from_hex(text);
  ND_ASSERT(bytes.has_value());  // constants of this file and of the catalogue
  return std::move(*bytes);
}

emv::Bytes ascii(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// Decimal digits two a byte, in the last 2 * N digits of the number.
template <std::size_t N>
std::array<std::uint8_t, N> bcd(std::uint64_t number) {
  std::array<std::uint8_t, N> bytes{};
  for (std::size_t i = N; i-- > 0; number /= 100)
    bytes[i] = static_cast<std::uint8_t>(number % 10 | number / 10 % 10 << 4U);
  return bytes;
}

std::chrono::year_month_day date_of(UtcMs now) {
  return std::chrono::floor<std::chrono::days>(
      std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::milliseconds(now)));
}

std::uint64_t yymmdd(std::chrono::year_month_day date) {
  const auto year = static_cast<unsigned>(static_cast<int>(date.year())) % 100;
  return year * 10'000ULL + static_cast<unsigned>(date.month()) * 100ULL + static_cast<unsigned>(date.day());
}

std::chrono::year_month_day last_day(const CardSpec& card) {
  const auto month = std::chrono::month(static_cast<unsigned>(card.exp_month));
  return std::chrono::sys_days(std::chrono::year(card.exp_year) / month / std::chrono::last);
}

bool expired(const CardSpec& card, UtcMs now) {
  return std::chrono::sys_days(date_of(now)) > std::chrono::sys_days(last_day(card));
}

bool contactless(const CardSpec& card) {
  return card.read_method == ReadMethod::ContactlessEmv;
}
bool visa_contactless(const CardSpec& card) {
  return contactless(card) && card.brand == Brand::Visa;
}

const CardApplication& chosen_application(const CardSpec& card) {
  std::vector<emv::Application> candidates;
  for (const auto& application : card.applications) {
    candidates.push_back(
        {hex(application.aid_hex), std::string(application.label), static_cast<std::uint8_t>(application.priority)});
  }
  const auto chosen = emv::choose_application(candidates);
  ND_ASSERT(chosen.has_value());
  return card.applications[*chosen];
}

// Contact and most contactless kernels check the card's signature and exceed a floor limit of zero; Visa's contactless
// kernel leaves TVR and TSI at zero.
std::array<std::uint8_t, 5> tvr_of(const CardSpec& card, UtcMs now) {
  std::array<std::uint8_t, 5> tvr{};
  if (expired(card, now)) tvr[1] |= 0x40;
  if (card.verification == CardVerification::OnlinePin) tvr[2] |= 0x04;
  if (!visa_contactless(card)) tvr[3] |= 0x80;
  return tvr;
}

std::array<std::uint8_t, 2> tsi_of(const CardSpec& card) {
  return visa_contactless(card) ? std::array<std::uint8_t, 2>{} : std::array<std::uint8_t, 2>{0xE8, 0x00};
}

std::array<std::uint8_t, 3> cvm_of(CardVerification verification) {
  switch (verification) {
    case CardVerification::OfflinePin: return {0x41, 0x03, 0x02};
    case CardVerification::OnlinePin: return {0x42, 0x03, 0x00};
    case CardVerification::None:
    case CardVerification::Device: return {0x1F, 0x03, 0x02};  // the device's own check shows in 9F6E
  }
  return {0x3F, 0x00, 0x00};
}

// Issuer application data: key index, cryptogram version, card verification results. The results say which cryptogram
// the card gave and whether it checked a PIN.
std::vector<std::uint8_t> iad_of(const CardSpec& card, bool refuses) {
  if (card.brand == Brand::Mastercard || card.brand == Brand::Maestro) {
    auto iad = hex("0110A04003220000000000000000000000FF");
    iad[2] = refuses ? 0x00 : 0xA0;
    return iad;
  }
  auto iad = hex("06010A03A00000");
  iad[4] = refuses ? 0x80 : 0xA0;
  if (card.verification == CardVerification::OfflinePin) iad[4] |= 0x04;
  return iad;
}

std::vector<std::uint8_t> aip_of(const CardSpec& card) {
  if (visa_contactless(card)) return hex("2000");
  return hex(contactless(card) ? "1980" : "3900");
}

std::array<std::uint8_t, 8> ifd_serial(std::string_view serial) {
  std::array<std::uint8_t, 8> bytes{};
  bytes.fill('0');
  const std::string_view tail = serial.size() > 8 ? serial.substr(serial.size() - 8) : serial;
  std::ranges::copy(tail, bytes.end() - static_cast<std::ptrdiff_t>(tail.size()));
  return bytes;
}

// The stand-in for the card's cryptogram; see the header.
std::array<std::uint8_t, 8> mix(std::string_view secret, std::span<const emv::Bytes> parts) {
  std::uint64_t state = 0x6E69'6768'7464'726FULL;
  const auto absorb = [&state](std::uint8_t byte) {
    state = (state ^ byte) * 0x100'0000'01B3ULL;
    state ^= state >> 29U;
  };
  for (const char digit : secret) absorb(static_cast<std::uint8_t>(digit));
  for (const auto part : parts) {
    absorb(static_cast<std::uint8_t>(part.size()));
    for (const auto byte : part) absorb(byte);
  }
  state = (state ^ state >> 30U) * 0xBF58'476D'1CE4'E5B9ULL;
  state = (state ^ state >> 27U) * 0x94D0'49BB'1331'11EBULL;
  state ^= state >> 31U;
  std::array<std::uint8_t, 8> bytes{};
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<std::uint8_t>(state >> (56 - 8 * i));
  return bytes;
}

// The objects of one chip transaction, those that identify the card left out.
struct ChipTransaction {
  emv::TlvBuilder objects;
  std::array<std::uint8_t, 8> ac{};
  std::array<std::uint8_t, 5> tvr{};
  std::array<std::uint8_t, 2> tsi{};
  std::array<std::uint8_t, 3> cvm{};
};

// What the terminal tells the card: the source CDOL1 is answered from.
emv::TlvBuilder terminal_objects(const KernelInput& input, const std::array<std::uint8_t, 5>& tvr) {
  const auto currency = emv::currency_code(input.amount.currency);
  emv::TlvBuilder objects;
  objects.put(0x9F37, input.unpredictable)
      .put(0x95, tvr)
      .put(0x9A, bcd<3>(yymmdd(date_of(input.now))))
      .put(0x9C, bcd<1>(input.kind == ObjectKind::Refund ? 20 : 0))
      .put(0x9F02, bcd<6>(static_cast<std::uint64_t>(input.amount.minor_units)))
      .put(0x9F03, bcd<6>(0))
      .put(0x5F2A, bcd<2>(currency ? currency->numeric : no_currency))
      .put(0x9F1A, bcd<2>(terminal_country))
      .put(0x9F33, hex("E0F8C8"))
      .put(0x9F35, hex("22"))
      .put(0x9F1E, ifd_serial(input.terminal_serial));
  return objects;
}

ChipTransaction transact(const CardSpec& card, const KernelInput& input, const CardApplication& application) {
  const bool refuses = card.behavior == CardBehavior::ChipRefuses;
  ChipTransaction result;
  result.tvr = tvr_of(card, input.now);
  result.tsi = tsi_of(card);
  result.cvm = cvm_of(card.verification);
  const auto terminal = terminal_objects(input, result.tvr);
  const std::array sources{emv::Bytes(terminal.bytes())};
  const auto cdol_data = emv::build_dol(hex(cdol1_hex), sources);
  ND_ASSERT(cdol_data.has_value());
  const auto iad = iad_of(card, refuses);
  const auto aip = aip_of(card);
  const std::array atc{static_cast<std::uint8_t>(input.atc >> 8U), static_cast<std::uint8_t>(input.atc)};
  const std::array parts{emv::Bytes(*cdol_data), emv::Bytes(aip), emv::Bytes(atc), emv::Bytes(iad)};
  result.ac = mix(card.pan, parts);
  result.objects.put(0x9F26, result.ac)
      .put(0x9F27, hex(refuses ? "00" : "80"))
      .put(0x9F10, iad)
      .put(0x9F36, atc)
      .put(0x9B, result.tsi)
      .put(0x9F34, result.cvm)
      .put(0x82, aip)
      .put(0x84, hex(application.aid_hex))
      .put(0x50, ascii(application.label))
      .put(0x5F34, hex("01"));
  if (visa_contactless(card)) {
    result.objects.put(0x9F6E, hex(card.verification == CardVerification::Device ? "238C0000" : "20700000"));
  }
  emv::TlvReader reader(terminal.bytes());
  for (auto object = reader.next(); object && *object; object = reader.next())
    result.objects.put((*object)->tag, (*object)->value);
  return result;
}

SecretBytes digits(std::string_view text) {
  return SecretBytes(ascii(text));
}

// Collects the sensitive objects in locked memory, in the order they are put.
class SensitiveWriter {
 public:
  void put(emv::Tag tag, emv::Bytes value) { size_ += emv::write_tlv(bytes_.writable().subspan(size_), tag, value); }
  void put_track2(const CardSpec& card, std::string_view service_code, std::string_view discretionary) {
    Secret<emv::track2_bytes_max> track;
    const auto expiry = std::to_string(10'000 + card.exp_year % 100 * 100 + card.exp_month).substr(1);
    const auto size = emv::write_track2(track.writable(), card.pan, expiry, service_code, discretionary);
    ND_ASSERT(size.has_value());
    put(0x57, track.view().first(*size));
  }
  void put_pan(const CardSpec& card) {
    Secret<10> packed;
    auto bytes = packed.writable();
    for (std::size_t i = 0; i < card.pan.size(); ++i) {
      const auto digit = static_cast<unsigned>(card.pan[i] - '0');
      bytes[i / 2] = static_cast<std::uint8_t>(i % 2 == 0 ? digit << 4U | 0x0FU : (bytes[i / 2] & 0xF0U) | digit);
    }
    put(0x5A, packed.view().first((card.pan.size() + 1) / 2));
  }
  void put_expiry(const CardSpec& card) { put(0x5F24, bcd<3>(yymmdd(last_day(card)))); }
  SecretBytes take() {
    bytes_.truncate(size_);
    return std::move(bytes_);
  }

 private:
  SecretBytes bytes_{128};
  std::size_t size_{0};
};

CardData data_of(const CardSpec& card, ReadMethod read_method, UtcMs now) {
  CardData data;
  data.summary = summary_of(card, read_method);
  data.pan = digits(card.pan);
  data.test_card = card.test_card;
  data.expired = expired(card, now);
  return data;
}

}  // namespace

CardSummary summary_of(const CardSpec& card, ReadMethod read_method) {
  CardSummary summary;
  summary.brand = card.brand;
  summary.last4 = emv::last4(card.pan);
  summary.exp_month = card.exp_month;
  summary.exp_year = card.exp_year;
  summary.read_method = read_method;
  summary.fallback = read_method == ReadMethod::MagneticStripeFallback;
  return summary;
}

CardOutcome read_chip(const CardSpec& card, const KernelInput& input) {
  const auto& application = chosen_application(card);
  const auto transaction = transact(card, input, application);
  const bool contact = !contactless(card);
  auto data = data_of(card, card.read_method, input.now);
  auto& summary = data.summary;
  if (contact) summary.cardholder_name = card.cardholder_name;
  summary.application_preferred_name = application.label;
  summary.dedicated_file_name = application.aid_hex;
  summary.application_cryptogram = hex_upper(transaction.ac);
  summary.terminal_verification_results = hex_upper(transaction.tvr);
  summary.transaction_status_information = hex_upper(transaction.tsi);
  summary.cardholder_verification_method = hex_upper(transaction.cvm);
  if (card.brand == Brand::Eftpos) summary.account_type = "10";  // its application names the savings account
  if (card.behavior == CardBehavior::ChipRefuses) return CardRefused{CardRefusal::ChipDeclined, std::move(summary)};

  auto selected = emv::select_for_acquirer(transaction.objects.bytes());
  ND_ASSERT(selected.has_value());
  data.emv = std::move(*selected);
  SensitiveWriter sensitive;
  sensitive.put_track2(card, card.service_code, chip_discretionary);
  sensitive.put_pan(card);
  sensitive.put_expiry(card);
  sensitive.put(0x5F34, bcd<1>(1));
  if (contact && !card.cardholder_name.empty()) sensitive.put(0x5F20, ascii(card.cardholder_name));
  data.sensitive = sensitive.take();
  if (card.verification == CardVerification::OnlinePin) data.online_pin = digits(simulated_pin);
  data.offline_pin_verified = card.verification == CardVerification::OfflinePin;
  return data;
}

CardData read_stripe(const CardSpec& card, UtcMs now) {
  auto data = data_of(card, card.read_method, now);
  SensitiveWriter sensitive;
  sensitive.put_track2(card, card.service_code, stripe_discretionary);
  data.sensitive = sensitive.take();
  return data;
}

CardData read_keyed(const CardSpec& card, UtcMs now) {
  auto data = data_of(card, ReadMethod::Keyed, now);
  SensitiveWriter sensitive;
  sensitive.put_pan(card);
  sensitive.put_expiry(card);
  data.sensitive = sensitive.take();
  return data;
}

}  // namespace nightdrop::hal
