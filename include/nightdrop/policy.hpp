// The signed policy: what a merchant's reader may do offline (docs/policy.md). Defaults are the field's.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "nightdrop/payment.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop {

struct CurrencyLimits {
  std::int64_t per_transaction{10'000};
  std::int64_t device_total{100'000};
  std::int64_t per_card_total{20'000};
  std::int64_t refund_total{10'000};
  std::optional<std::int64_t> approval_threshold;
};

struct Approver {
  std::string id;
  std::vector<std::uint8_t> salt;
  std::vector<std::uint8_t> pin_hash;  // PBKDF2-HMAC-SHA-256, 32 bytes
  std::uint32_t iterations{0};
};

struct DeclineRetries {
  bool enabled{false};
  std::uint32_t max_per_day{1};
  std::uint32_t max_per_30_days{10};
};

enum class PartialApprovals : std::uint8_t { Reverse, Accept };
enum class Region : std::uint8_t { Other, Eea };

struct Policy {
  std::int64_t version{1};
  UtcMs valid_from{0};
  UtcMs valid_until{0};
  std::string merchant_id;
  bool livemode{false};
  Region region{Region::Other};
  std::string region_name{"US"};
  std::map<Currency, CurrencyLimits> currencies{{Currency{}, CurrencyLimits{}}};
  std::int64_t device_count{100};
  std::int64_t per_card_count{2};
  std::int64_t forward_deadline_s{86'400};
  std::int64_t storing_window_s{86'400};
  std::array<bool, read_method_count> entry_modes_offline{true, true, false, false, false};  // by ReadMethod
  std::int64_t fallbacks_per_spell{10};
  std::array<bool, brand_count> brands_offline{false, true, true, true, true,
                                               true,  true, true, true, true};  // by Brand
  std::vector<std::string> blocked_bins;
  std::vector<std::string> blocked_fingerprints;
  PartialApprovals partial_approvals{PartialApprovals::Reverse};
  DeclineRetries decline_retries;
  std::vector<Approver> approvers;
  std::int64_t untrusted_clock_s{86'400};
  std::int64_t online_timeout_ms{8'000};
  std::int64_t retention_days{400};
};

enum class OverlayState : std::uint8_t {
  None,
  InForce,
  InPart,  // without the fields that would have loosened the signed policy
  Refused,
};

template <>
inline constexpr auto words<OverlayState> = std::to_array({
    std::pair{OverlayState::None, std::string_view("none")},
    std::pair{OverlayState::InForce, std::string_view("in_force")},
    std::pair{OverlayState::InPart, std::string_view("in_part")},
    std::pair{OverlayState::Refused, std::string_view("refused")},
});
static_assert(words_check::in_order<OverlayState>());

// Where a policy came from: the configured file, or handed in over the POS socket.
enum class PolicyOrigin : std::uint8_t { Configured, Update };

template <>
inline constexpr auto words<PolicyOrigin> = std::to_array({
    std::pair{PolicyOrigin::Configured, std::string_view("configured")},
    std::pair{PolicyOrigin::Update, std::string_view("update")},
});
static_assert(words_check::in_order<PolicyOrigin>());

struct PolicyRefusal {
  UtcMs at{0};
  PolicyOrigin origin{PolicyOrigin::Configured};
  std::string reason;  // one sentence, without a value from the document
};

// How the policy in force came to be, besides the policy itself.
struct PolicyStanding {
  OverlayState overlay{OverlayState::None};
  std::string overlay_reason;            // why it is refused, or which fields are left out; else empty
  std::optional<PolicyRefusal> refused;  // the last policy that was refused, until a good one comes
};

}  // namespace nightdrop
