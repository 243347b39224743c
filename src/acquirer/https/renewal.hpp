// Renewal of the reader's certificate over the API (docs/acquirer_api.md, POST /v1/certificate).
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>

#include "acquirer/https/request.hpp"
#include "hal/host_link.hpp"

namespace nightdrop::acquirer {

hal::HostRequest renewal_request(std::span<const std::uint8_t> csr_der, const Merchant& merchant);

// Why no certificate came.
enum class NoCertificate : std::uint8_t {
  NoAnswer,     // not sent, or nothing came back
  NotOffered,   // 404: this acquirer renews none
  Refused,      // another 4xx
  Unavailable,  // 5xx and the like
  NotAnAnswer,  // nothing that the contract knows
};
// The chain in PEM, unchecked.
std::expected<std::string, NoCertificate> read_renewal_answer(const hal::HostOutcome& outcome);

}  // namespace nightdrop::acquirer
