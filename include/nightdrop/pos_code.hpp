// The POS protocol's error codes (docs/pos_protocol.md, Errors). A refusal names the rule that refused.
#pragma once

#include <cstdint>

#include "nightdrop/words.hpp"

namespace nightdrop {

enum class PosCode : std::uint8_t {
  InvalidParams,  // JSON-RPC -32602; all others are -32000
  UnknownPaymentIntent,
  UnexpectedState,
  MerchantReferenceConflict,
  ReaderBusy,
  ReaderNotProvisioned,
  ReaderTampered,
  CardReadTimedOut,
  Canceled,
  CardRemoved,
  CardReadFailed,
  OfflineDisabled,
  AmountExceedsMaxOfflineAmount,
  OfflineTotalLimitReached,
  OfflineCountLimitReached,
  CardOfflineLimitReached,
  OfflineCurrencyNotAllowed,
  OfflineBrandNotAllowed,
  EntryModeNotAllowedOffline,
  OnlinePinNotSupportedOffline,
  OfflineAndCardExpired,
  CardDeclinedOffline,
  CardBlocked,
  OfflineWindowExceeded,
  TestCardInLivemode,
  NetworkLost,
  NetworkRequired,
  ApprovalRequired,
  ApproverInvalid,
  ApproverLocked,
  StoreFull,
  StoreUnavailable,
  ClockUntrusted,
  PolicyRefused,
};

template <>
inline constexpr auto words<PosCode> = std::to_array({
    std::pair{PosCode::InvalidParams, std::string_view("invalid_params")},
    std::pair{PosCode::UnknownPaymentIntent, std::string_view("unknown_payment_intent")},
    std::pair{PosCode::UnexpectedState, std::string_view("unexpected_state")},
    std::pair{PosCode::MerchantReferenceConflict, std::string_view("merchant_reference_conflict")},
    std::pair{PosCode::ReaderBusy, std::string_view("reader_busy")},
    std::pair{PosCode::ReaderNotProvisioned, std::string_view("reader_not_provisioned")},
    std::pair{PosCode::ReaderTampered, std::string_view("reader_tampered")},
    std::pair{PosCode::CardReadTimedOut, std::string_view("card_read_timed_out")},
    std::pair{PosCode::Canceled, std::string_view("canceled")},
    std::pair{PosCode::CardRemoved, std::string_view("card_removed")},
    std::pair{PosCode::CardReadFailed, std::string_view("card_read_failed")},
    std::pair{PosCode::OfflineDisabled, std::string_view("offline_disabled")},
    std::pair{PosCode::AmountExceedsMaxOfflineAmount, std::string_view("amount_exceeds_max_offline_amount")},
    std::pair{PosCode::OfflineTotalLimitReached, std::string_view("offline_total_limit_reached")},
    std::pair{PosCode::OfflineCountLimitReached, std::string_view("offline_count_limit_reached")},
    std::pair{PosCode::CardOfflineLimitReached, std::string_view("card_offline_limit_reached")},
    std::pair{PosCode::OfflineCurrencyNotAllowed, std::string_view("offline_currency_not_allowed")},
    std::pair{PosCode::OfflineBrandNotAllowed, std::string_view("offline_brand_not_allowed")},
    std::pair{PosCode::EntryModeNotAllowedOffline, std::string_view("entry_mode_not_allowed_offline")},
    std::pair{PosCode::OnlinePinNotSupportedOffline, std::string_view("online_pin_not_supported_offline")},
    std::pair{PosCode::OfflineAndCardExpired, std::string_view("offline_and_card_expired")},
    std::pair{PosCode::CardDeclinedOffline, std::string_view("card_declined_offline")},
    std::pair{PosCode::CardBlocked, std::string_view("card_blocked")},
    std::pair{PosCode::OfflineWindowExceeded, std::string_view("offline_window_exceeded")},
    std::pair{PosCode::TestCardInLivemode, std::string_view("test_card_in_livemode")},
    std::pair{PosCode::NetworkLost, std::string_view("network_lost")},
    std::pair{PosCode::NetworkRequired, std::string_view("network_required")},
    std::pair{PosCode::ApprovalRequired, std::string_view("approval_required")},
    std::pair{PosCode::ApproverInvalid, std::string_view("approver_invalid")},
    std::pair{PosCode::ApproverLocked, std::string_view("approver_locked")},
    std::pair{PosCode::StoreFull, std::string_view("store_full")},
    std::pair{PosCode::StoreUnavailable, std::string_view("store_unavailable")},
    std::pair{PosCode::ClockUntrusted, std::string_view("clock_untrusted")},
    std::pair{PosCode::PolicyRefused, std::string_view("policy_refused")},
});
static_assert(words_check::in_order<PosCode>());

}  // namespace nightdrop
