// The contract's word for each value of an enumeration: one table a type, read both ways.
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "nightdrop/payment.hpp"

namespace nightdrop {

// Specialised for each enumeration that has words: an array of all values with their words, in the order of the values.
template <class Enum>
inline constexpr int words = 0;

template <>
inline constexpr auto words<Status> = std::to_array({
    std::pair{Status::RequiresPaymentMethod, std::string_view("requires_payment_method")},
    std::pair{Status::RequiresConfirmation, std::string_view("requires_confirmation")},
    std::pair{Status::RequiresApproval, std::string_view("requires_approval")},
    std::pair{Status::Processing, std::string_view("processing")},
    std::pair{Status::Stored, std::string_view("stored")},
    std::pair{Status::Forwarding, std::string_view("forwarding")},
    std::pair{Status::Succeeded, std::string_view("succeeded")},
    std::pair{Status::Declined, std::string_view("declined")},
    std::pair{Status::Expired, std::string_view("expired")},
    std::pair{Status::Canceled, std::string_view("canceled")},
    std::pair{Status::RequiresReview, std::string_view("requires_review")},
});
template <>
inline constexpr auto words<ObjectKind> = std::to_array({
    std::pair{ObjectKind::PaymentIntent, std::string_view("payment_intent")},
    std::pair{ObjectKind::Refund, std::string_view("refund")},
});
template <>
inline constexpr auto words<ReadMethod> = std::to_array({
    std::pair{ReadMethod::ContactEmv, std::string_view("contact_emv")},
    std::pair{ReadMethod::ContactlessEmv, std::string_view("contactless_emv")},
    std::pair{ReadMethod::MagneticStripeTrack2, std::string_view("magnetic_stripe_track2")},
    std::pair{ReadMethod::MagneticStripeFallback, std::string_view("magnetic_stripe_fallback")},
    std::pair{ReadMethod::Keyed, std::string_view("keyed")},
});
template <>
inline constexpr auto words<Brand> = std::to_array({
    std::pair{Brand::Unknown, std::string_view("unknown")},
    std::pair{Brand::Visa, std::string_view("visa")},
    std::pair{Brand::Mastercard, std::string_view("mastercard")},
    std::pair{Brand::Amex, std::string_view("amex")},
    std::pair{Brand::Discover, std::string_view("discover")},
    std::pair{Brand::Unionpay, std::string_view("unionpay")},
    std::pair{Brand::Jcb, std::string_view("jcb")},
    std::pair{Brand::Maestro, std::string_view("maestro")},
    std::pair{Brand::Eftpos, std::string_view("eftpos")},
    std::pair{Brand::CartesBancaires, std::string_view("cartes_bancaires")},
    std::pair{Brand::Girocard, std::string_view("girocard")},
    std::pair{Brand::Interac, std::string_view("interac")},
    std::pair{Brand::Nyce, std::string_view("nyce")},
    std::pair{Brand::Pulse, std::string_view("pulse")},
    std::pair{Brand::Star, std::string_view("star")},
});
template <>
inline constexpr auto words<OfflineBehavior> = std::to_array({
    std::pair{OfflineBehavior::PreferOnline, std::string_view("prefer_online")},
    std::pair{OfflineBehavior::RequireOnline, std::string_view("require_online")},
    std::pair{OfflineBehavior::ForceOffline, std::string_view("force_offline")},
});
template <>
inline constexpr auto words<OnNetworkLoss> = std::to_array({
    std::pair{OnNetworkLoss::Store, std::string_view("store")},
    std::pair{OnNetworkLoss::Fail, std::string_view("fail")},
    std::pair{OnNetworkLoss::Ask, std::string_view("ask")},
});
template <>
inline constexpr auto words<Route> = std::to_array({
    std::pair{Route::Ethernet, std::string_view("ethernet")},
    std::pair{Route::Wifi, std::string_view("wifi")},
    std::pair{Route::Cellular, std::string_view("cellular")},
});
template <>
inline constexpr auto words<CancelReason> = std::to_array({
    std::pair{CancelReason::RequestedByCustomer, std::string_view("requested_by_customer")},
    std::pair{CancelReason::Duplicate, std::string_view("duplicate")},
    std::pair{CancelReason::Abandoned, std::string_view("abandoned")},
    std::pair{CancelReason::Reversed, std::string_view("reversed")},
});
template <>
inline constexpr auto words<ReversalReason> = std::to_array({
    std::pair{ReversalReason::Timeout, std::string_view("timeout")},
    std::pair{ReversalReason::Canceled, std::string_view("canceled")},
    std::pair{ReversalReason::PartialRefused, std::string_view("partial_refused")},
});
template <>
inline constexpr auto words<KeyType> = std::to_array({
    std::pair{KeyType::Aes128, std::string_view("aes-128")},
    std::pair{KeyType::Aes192, std::string_view("aes-192")},
    std::pair{KeyType::Aes256, std::string_view("aes-256")},
});
template <>
inline constexpr auto words<DeclineCategory> = std::to_array({
    std::pair{DeclineCategory::Soft, std::string_view("soft")},
    std::pair{DeclineCategory::Hard, std::string_view("hard")},
});
template <>
inline constexpr auto words<AttemptOutcome> = std::to_array({
    std::pair{AttemptOutcome::None, std::string_view("none")},
    std::pair{AttemptOutcome::InFlight, std::string_view("in_flight")},
    std::pair{AttemptOutcome::NotSent, std::string_view("not_sent")},
    std::pair{AttemptOutcome::Unknown, std::string_view("unknown")},
    std::pair{AttemptOutcome::Answered, std::string_view("answered")},
});

// The word of a value. Every value has one.
template <class Enum>
constexpr std::string_view word(Enum value) {
  return words<Enum>[static_cast<std::size_t>(value)].second;
}

// The value of a word; nothing for a word that is none of them.
template <class Enum>
constexpr std::optional<Enum> from_word(std::string_view text) {
  for (const auto& [value, name] : words<Enum>) {
    if (name == text) return value;
  }
  return std::nullopt;
}

namespace words_check {
template <class Enum>
consteval bool in_order() {
  for (std::size_t i = 0; i < words<Enum>.size(); ++i) {
    if (static_cast<std::size_t>(words<Enum>[i].first) != i) return false;
  }
  return true;
}
static_assert(in_order<Status>() && in_order<ObjectKind>() && in_order<ReadMethod>() && in_order<Brand>() &&
              in_order<OfflineBehavior>() && in_order<OnNetworkLoss>() && in_order<Route>() &&
              in_order<CancelReason>() && in_order<ReversalReason>() && in_order<KeyType>() &&
              in_order<DeclineCategory>() && in_order<AttemptOutcome>());
}  // namespace words_check

}  // namespace nightdrop
