// What a POS command ends in when it does not succeed (docs/pos_protocol.md, Errors).
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>

#include "nightdrop/payment.hpp"
#include "nightdrop/pos_code.hpp"
#include "nightdrop/result.hpp"

namespace nightdrop::terminal {

struct PosError {
  PosCode code{PosCode::StoreUnavailable};
  std::string message;  // one plain sentence without secrets
  std::string field{};  // of InvalidParams, and where a field is to blame
  std::optional<Payment> payment{};
  std::optional<std::int64_t> attempts_remaining{};
  std::optional<std::int64_t> retry_after_s{};
};

template <class T>
using PosResult = std::expected<T, PosError>;
template <class T>
using Reply = std::function<void(PosResult<T>)>;

inline std::unexpected<PosError> refuse(PosCode code, std::string message,
                                        std::optional<Payment> payment = std::nullopt) {
  return std::unexpected(PosError{.code = code, .message = std::move(message), .payment = std::move(payment)});
}

// A store that said no: full, or not usable now. Nothing was changed.
inline PosError store_error(const Error& error) {
  if (error.code == Errc::DiskFull) {
    return {.code = PosCode::StoreFull, .message = "The disk is full; new payments are refused, forwarding goes on."};
  }
  return {.code = PosCode::StoreUnavailable,
          .message = "The payment store cannot be written now; retrieve the payment before trying again."};
}

}  // namespace nightdrop::terminal
