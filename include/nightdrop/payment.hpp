// The values of the payments domain, as the store keeps them and the contract names them. Times are milliseconds of
// UTC since 1970 on the engine's own clock (see time_keeper.hpp); amounts are minor units.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nightdrop {

using UtcMs = std::int64_t;

// ISO 4217, lower case.
struct Currency {
  std::array<char, 3> code{'u', 's', 'd'};
  std::string_view view() const { return {code.data(), code.size()}; }
  auto operator<=>(const Currency&) const = default;
};

struct Amount {
  std::int64_t minor_units{0};
  Currency currency{};
};

// A not_before that never comes by itself and that release_backoff() leaves alone.
inline constexpr UtcMs held = INT64_MAX;

inline constexpr std::int64_t amount_max = 99'999'999;

enum class Status : std::uint8_t {
  RequiresPaymentMethod,
  RequiresConfirmation,
  RequiresApproval,
  Processing,
  Stored,
  Forwarding,
  Succeeded,
  Declined,
  Expired,
  Canceled,
  RequiresReview,
};
inline constexpr std::size_t status_count = 11;

enum class ObjectKind : std::uint8_t { PaymentIntent, Refund };
enum class ReadMethod : std::uint8_t {
  ContactEmv,
  ContactlessEmv,
  MagneticStripeTrack2,
  MagneticStripeFallback,
  Keyed
};
inline constexpr std::size_t read_method_count = 5;
enum class Brand : std::uint8_t {
  Unknown,
  Visa,
  Mastercard,
  Amex,
  Discover,
  Unionpay,
  Jcb,
  Maestro,
  Eftpos,
  CartesBancaires,
  Girocard,
  Interac,
  Nyce,
  Pulse,
  Star,
};
inline constexpr std::size_t brand_count = 15;
enum class OfflineBehavior : std::uint8_t { PreferOnline, RequireOnline, ForceOffline };
enum class OnNetworkLoss : std::uint8_t { Store, Fail, Ask };
enum class Route : std::uint8_t { Ethernet, Wifi, Cellular };
inline constexpr std::size_t route_count = 3;
enum class CancelReason : std::uint8_t { RequestedByCustomer, Duplicate, Abandoned, Reversed };
enum class ReversalReason : std::uint8_t { Timeout, Canceled, PartialRefused };
enum class KeyType : std::uint8_t { Aes128, Aes192, Aes256 };
enum class DeclineCategory : std::uint8_t { Soft, Hard };
// What is known of one attempt to send. Unknown and InFlight mean: again, same id.
enum class AttemptOutcome : std::uint8_t { None, InFlight, NotSent, Unknown, Answered };

using Ksn = std::array<std::uint8_t, 12>;  // ANSI X9.24-3: initial key ID 8, transaction counter 4

// The card's data under a key that exists once; opaque to the reader. Format `nd1`, docs/card_envelope.md.
struct Envelope {
  Ksn ksn{};
  KeyType key_type{KeyType::Aes128};
  std::vector<std::uint8_t> ciphertext;  // AES-GCM ciphertext, then the 16-byte tag
  std::vector<std::uint8_t> pin_block;   // ISO 9564-1 format 4, 16 bytes, or empty
};

// What of a card may be kept, shown and logged (PCI DSS 3.4.1).
struct CardSummary {
  Brand brand{Brand::Unknown};
  std::string last4;
  int exp_month{0};
  int exp_year{0};
  ReadMethod read_method{ReadMethod::ContactEmv};
  bool fallback{false};
  std::string cardholder_name;
  std::string fingerprint;  // fp_ + 32 hex digits
  // The receipt's EMV data as upper-case hex (names as text); empty where the card gave none.
  std::string application_preferred_name;
  std::string dedicated_file_name;
  std::string application_cryptogram;
  std::string terminal_verification_results;
  std::string transaction_status_information;
  std::string authorization_response_code;
  std::string cardholder_verification_method;
  std::string account_type;
};

struct Authorization {
  std::string id;
  std::string code;
  std::int64_t approved_amount{0};
  std::string response_code;
  UtcMs processed_at{0};
};

struct Decline {
  std::string reason;
  std::string response_code;  // DE39; empty for what was not declined by the host
  std::string advice_code;
  DeclineCategory category{DeclineCategory::Soft};
  std::string next_action;  // what a person should do, one sentence
  std::optional<UtcMs> retry_at;
};

struct Cancellation {
  CancelReason reason{CancelReason::Abandoned};
  UtcMs at{0};
};

// One payment or refund: the queue's row. Empty optionals and strings mean "not yet" or "not given".
struct Payment {
  std::string id;  // pi_ + UUIDv7 in 32 hex digits; the dedup ID
  ObjectKind kind{ObjectKind::PaymentIntent};
  Status status{Status::RequiresPaymentMethod};
  Currency currency{};
  std::int64_t amount{0};  // total, tip included
  std::int64_t tip{0};
  std::int64_t card_amount{0};  // what the card saw (9F02); the envelope's AAD binds it
  std::string merchant_reference;
  std::string description;
  std::vector<std::pair<std::string, std::string>> metadata;
  OfflineBehavior offline_behavior{OfflineBehavior::PreferOnline};
  OnNetworkLoss on_network_loss{OnNetworkLoss::Store};
  std::optional<std::int64_t> max_offline_amount;
  UtcMs created_at{0};
  std::string original_payment;     // of a refund: the payment it gives back; may be empty
  std::int64_t refunded_amount{0};  // of a payment: what its refunds give back so far

  std::optional<CardSummary> card;
  std::optional<Envelope> envelope;  // erased in the commit of the final answer
  std::vector<std::uint8_t> emv;     // BER-TLV without what identifies the card

  // What identifies the message to the host; fixed in the commit before the first send (ISO 8583 DE11, DE37, DE12/13).
  std::uint32_t stan{0};
  std::string retrieval_reference_number;
  std::string local_transaction_time;  // RFC 3339 with the offset
  bool deferred{false};                // accepted offline before its first send
  int body_version{1};                 // which builder makes the request's bytes, also after an upgrade

  // Offline. stored_at is empty until it was accepted offline.
  std::optional<UtcMs> stored_at;
  std::optional<UtcMs> deadline;
  std::string offline_reference;  // 10 characters, no 0 O 1 I
  bool may_store{false};          // the card rules allow storing it, should the online attempt's outcome stay unknown

  // Forwarding.
  bool sent{false};             // a first byte may have left the box
  bool outcome_unknown{false};  // sent, and the last attempt has no answer: never expires
  std::uint32_t attempts{0};
  std::optional<UtcMs> last_attempt_at;
  std::optional<Route> last_attempt_route;
  AttemptOutcome last_attempt_outcome{AttemptOutcome::None};
  UtcMs not_before{0};          // next attempt not before; `held` (below): not until somebody decides
  bool ask_status{false};       // the next attempt asks (GET) instead of sending
  std::uint64_t time_epoch{0};  // which spell of the clock the times above were taken in
  std::uint64_t sync_id{0};     // the sync run that got the final answer

  // Approval by a manager.
  std::string approver;
  std::int64_t approved_up_to{0};

  std::optional<CancelReason> cancel_requested;  // while in flight or unknown
  std::optional<Authorization> authorization;
  std::optional<Decline> decline;
  std::optional<Cancellation> cancellation;
  std::uint32_t decline_retries{0};
  std::optional<UtcMs> first_declined_at;
  bool acknowledged{false};
  std::string acknowledge_note;

  // What this row adds to the totals (set by the engine, applied by the store in the same commit).
  std::int64_t exposure{0};  // minor units at the merchant's risk
  bool counted{false};       // stored, in flight or unknown
  bool reportable{false};    // declined, expired or requires_review: in the list of declines
};

}  // namespace nightdrop
