// When to speak of the reader's certificate and when to ask for a new one. From 30 days before its end, once a day
// each, and never by a clock that is not trusted: a wrong year must neither frighten the merchant nor renew anything.
#pragma once

#include <optional>

#include "nightdrop/payment.hpp"

namespace nightdrop::engine {

inline constexpr UtcMs certificate_notice_ms = 30 * INT64_C(86'400'000);
inline constexpr UtcMs certificate_daily_ms = INT64_C(86'400'000);

struct CertificateState {
  UtcMs not_after{0};
  bool renewable{false};          // there is somebody to check a new one by
  std::optional<UtcMs> told_at;   // of this certificate's end
  std::optional<UtcMs> asked_at;  // for a new one
  bool asking{false};             // an answer is awaited
};

struct CertificateStep {
  bool tell{false};           // that it will run out
  bool ask{false};            // for a new one, when there is a path
  std::optional<UtcMs> next;  // when to look again; nothing while the clock is not trusted
};

// Whether a certificate that ends at `not_after` is to be warned of.
constexpr bool expires_soon(UtcMs not_after, UtcMs now) {
  return now >= not_after - certificate_notice_ms;
}

// What is to be done at `now`, engine time. `ask` stays true until it was asked.
CertificateStep plan_certificate(const CertificateState& state, UtcMs now, bool time_trusted);

}  // namespace nightdrop::engine
