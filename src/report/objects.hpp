// The contract's objects as JSON (docs/pos_protocol.md, Objects). The one place where a payment becomes text for
// others.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hal/record_store.hpp"
#include "json/json.hpp"
#include "nightdrop/payment.hpp"
#include "nightdrop/policy.hpp"

namespace nightdrop::report {

Json payment_json(const Payment& payment);

// The certificate that the reader shows to the acquirer.
struct CertificateStanding {
  UtcMs not_after{0};
  bool expires_soon{false};  // in less than 30 days, by a clock that is trusted
};

struct OfflineStatus {
  std::string network_status{"unknown"};  // online, offline, unknown
  std::optional<Route> route;
  hal::Totals totals;
  bool paused{false};
  std::size_t in_flight{0};
  std::string reason;  // why forwarding is paused; empty if it is not
  PolicyStanding policy;
  std::optional<CertificateStanding> certificate;
  UtcMs now{0};
};
// A policy that runs out in less is warned of.
inline constexpr UtcMs policy_expires_soon_ms = 7 * INT64_C(86'400'000);

Json offline_status_json(const OfflineStatus& status, const Policy& policy);

Json sync_report_json(const hal::SyncRun& run, const std::vector<Payment>& payments);

}  // namespace nightdrop::report
