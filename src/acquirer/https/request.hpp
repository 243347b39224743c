// Builds what is sent to the acquirer (docs/acquirer_api.md). The body of one id is a pure function of what its row
// holds and of the builder's version kept with it, so every attempt sends the same bytes, also after an upgrade.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "hal/host_link.hpp"
#include "nightdrop/payment.hpp"

namespace nightdrop::acquirer {

// What of the reader is in every body.
struct Merchant {
  std::string merchant_id;
  std::string terminal_id;
  std::string serial_number;
};

// The JSON body of POST /v1/payments. Requires: payment.body_version == 1.
std::string payment_body(const Payment& payment, const Merchant& merchant);

// The key that makes a payment once at the acquirer: the id; a decline that the policy tries again is a new
// authorization of the same id, "<id>:retry-<n>".
std::string idempotency_key(const Payment& payment);

hal::HostRequest payment_request(const Payment& payment, const Merchant& merchant, UtcMs now);
hal::HostRequest inquiry_request(const Payment& payment, const Merchant& merchant);
hal::HostRequest reversal_request(const std::string& payment_id, ReversalReason reason, const Merchant& merchant);
hal::HostRequest batch_request(const std::vector<Payment>& payments, const Merchant& merchant, UtcMs now);
hal::HostRequest capabilities_request(const Merchant& merchant);

}  // namespace nightdrop::acquirer
