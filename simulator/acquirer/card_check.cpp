#include "simulator/acquirer/card_check.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>
#include <vector>

#include "crypto/envelope.hpp"
#include "hal/sim/card_catalogue.hpp"
#include "simulator/acquirer/tlv.hpp"

namespace nightdrop::simulator {
namespace {

// Track 2 and its relatives, PAN, name, expiry, discretionary data: only inside the envelope.
constexpr std::array<std::uint32_t, 8> secret_tags{0x57, 0x5A, 0x5F20, 0x5F24, 0x9F6B, 0x56, 0x9F1F, 0x9F20};
constexpr std::array<std::uint32_t, 5> envelope_tags{0x57, 0x5A, 0x5F24, 0x5F34, 0x5F20};

std::unexpected<ApiError> refused(std::string code, std::string message) {
  return std::unexpected(ApiError{422, std::move(code), std::move(message)});
}

// Card data as digits and separators, one nibble a character; wiped when it goes.
class Digits {
 public:
  explicit Digits(std::span<const std::uint8_t> packed) : text_(packed.size() * 2) {
    const auto characters = text_.writable();
    for (std::size_t i = 0; i < characters.size(); ++i) {
      const int nibble = i % 2 == 0 ? packed[i / 2] >> 4 : packed[i / 2] & 0x0F;
      characters[i] = static_cast<std::uint8_t>(nibble < 10 ? '0' + nibble : 'A' + nibble - 10);
    }
  }
  std::string_view view() const {
    const auto bytes = text_.view();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

 private:
  SecretBytes text_;
};

bool all_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}
int number(std::string_view digits) {
  int value = -1;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

// What the envelope holds, found by tag. `expiry` is YYMM.
struct CardData {
  std::optional<Digits> track2;
  std::optional<Digits> pan_field;
  std::optional<Digits> expiry_field;
  std::string_view pan;
  std::string_view expiry;
};

std::expected<CardData, ApiError> read_card_data(std::span<const std::uint8_t> plaintext) {
  const auto objects = read_tlv(plaintext);
  if (!objects) return refused("envelope_malformed", "encrypted_card.ciphertext: the plaintext is no BER-TLV");
  CardData card;
  std::size_t place = 0;  // the contract fixes the order, and each tag comes once
  for (const Tlv& object : *objects) {
    const auto at =
        std::find(envelope_tags.begin() + static_cast<std::ptrdiff_t>(place), envelope_tags.end(), object.tag);
    if (at == envelope_tags.end()) {
      return refused("envelope_malformed", "encrypted_card.ciphertext: a tag is unknown, doubled or out of order");
    }
    place = static_cast<std::size_t>(at - envelope_tags.begin()) + 1;
    if (object.tag == 0x57) card.track2.emplace(object.value);
    if (object.tag == 0x5A) card.pan_field.emplace(object.value);
    if (object.tag == 0x5F24) card.expiry_field.emplace(object.value);
  }
  std::string_view pan_of_track;
  if (card.track2) {
    const std::string_view track = card.track2->view();
    const std::size_t separator = std::min(track.find('D'), track.size());
    pan_of_track = track.substr(0, separator);
    if (separator + 5 <= track.size()) card.expiry = track.substr(separator + 1, 4);
  }
  if (card.pan_field) {
    const std::string_view field = card.pan_field->view();
    card.pan = field.substr(0, std::min(field.find('F'), field.size()));
  } else {
    card.pan = pan_of_track;
  }
  if (card.expiry_field && card.expiry_field->view().size() >= 4) card.expiry = card.expiry_field->view().substr(0, 4);
  if (card.pan.size() < 12 || card.pan.size() > 19 || !all_digits(card.pan)) {
    return refused("card_data_invalid", "encrypted_card.ciphertext: neither 5A nor 57 holds a card number");
  }
  if (!pan_of_track.empty() && pan_of_track != card.pan) {
    return refused("card_data_invalid", "encrypted_card.ciphertext: 57 and 5A are of different cards");
  }
  return card;
}

}  // namespace

std::expected<std::optional<std::string>, ApiError> check_card(const CardKeys& keys, const Envelope& envelope,
                                                               const std::string& aad, const ClearCard& clear) {
  const auto plaintext = open_envelope(keys.bdk.view(), envelope, aad);
  if (!plaintext) {
    if (plaintext.error().code == Errc::InvalidArgument) {
      return refused("ksn_invalid", "encrypted_card.ksn: no device can originate it, or its key type is too strong");
    }
    return refused("envelope_unreadable",
                   "encrypted_card.ciphertext: does not open; another key, or id, object, card_amount, currency or "
                   "terminal_id are not those it was sealed for");
  }
  auto card = read_card_data(plaintext->view());
  if (!card) return std::unexpected(std::move(card.error()));
  if (!card->pan.ends_with(clear.last4)) {
    return refused("last4_mismatch", "last4: is not the end of the encrypted card number");
  }
  if (card->expiry.size() == 4 && all_digits(card->expiry)) {
    if (number(card->expiry.substr(0, 2)) != clear.exp_year % 100) {
      return refused("expiry_mismatch", "exp_year: is not the encrypted card's");
    }
    if (number(card->expiry.substr(2, 2)) != clear.exp_month) {
      return refused("expiry_mismatch", "exp_month: is not the encrypted card's");
    }
  }
  if (!envelope.pin_block.empty()) {
    const std::span<const std::uint8_t> pan(reinterpret_cast<const std::uint8_t*>(card->pan.data()), card->pan.size());
    if (!open_envelope_pin(keys.bdk.view(), envelope, pan)) {
      return refused("pin_block_invalid", "encrypted_pin_block: is no format 4 block of this key and card");
    }
  }
  const auto code = hal::issuer_decline_code(card->pan);
  return code ? std::optional(std::string(*code)) : std::nullopt;
}

std::optional<ApiError> check_emv(std::span<const std::uint8_t> emv, std::int64_t card_amount, bool required) {
  const auto objects = read_tlv(emv);
  if (!objects) return ApiError{422, "emv_malformed", "emv: is no BER-TLV"};
  const Tlv* amount = nullptr;
  for (const Tlv& object : *objects) {
    if (std::find(secret_tags.begin(), secret_tags.end(), object.tag) != secret_tags.end()) {
      return ApiError{422, "emv_card_data",
                      "emv: holds a tag that identifies the card; those go in encrypted_card only"};
    }
    if (object.tag == 0x9F02) amount = &object;
  }
  if (amount == nullptr) {
    if (!required) return std::nullopt;
    return ApiError{422, "emv_amount_missing", "emv: has no 9F02"};
  }
  std::int64_t minor_units = 0;
  bool decimal = amount->value.size() == 6;
  for (const std::uint8_t byte : amount->value) {
    decimal = decimal && (byte >> 4) < 10 && (byte & 0x0F) < 10;
    minor_units = minor_units * 100 + (byte >> 4) * 10 + (byte & 0x0F);
  }
  if (!decimal || minor_units != card_amount)
    return ApiError{422, "emv_amount_mismatch", "emv: 9F02 is not card_amount"};
  return std::nullopt;
}

}  // namespace nightdrop::simulator
