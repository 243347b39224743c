// What came back from the acquirer, as the engine reads it (docs/acquirer_api.md, Answers). Only an Approved or a
// DeclinedAnswer is an outcome; everything else leaves the payment as undecided as it was.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "nightdrop/payment.hpp"

namespace nightdrop {

struct Approved {
  Authorization authorization;
  std::string emv;  // 8A… for the receipt; may be empty
  bool partial{false};
};
struct DeclinedAnswer {
  std::string id;
  std::string response_code;
  std::string reason;
  std::string advice_code;
  DeclineCategory category{DeclineCategory::Soft};
};
// Under way there: ask with GET.
struct Pending {
  std::optional<std::chrono::milliseconds> retry_after;
};
// 400, 404, 409, 413, 422: this payment needs a person, the queue goes on.
struct Rejected {
  int status{0};
  std::string code;
};
// 401, 403: nothing of any payment changes; forwarding stops.
struct NotAuthorized {
  int status{0};
};
// 408, 425, 429, 5xx: the same again.
struct TryAgain {
  std::optional<std::chrono::milliseconds> retry_after;
};
// No answer of the acquirer's at all (a portal, a broken proxy): the route is suspect.
struct NotAnAnswer {
  const char* why{""};
};
// The outcome is unknown: timeout, cut.
struct NoAnswer {
  bool timed_out{false};
};
// The request never began.
struct NeverSent {
  bool timed_out{false};
};
// To a GET: the acquirer does not know the id.
struct NeverReceived {};
struct ReversalDone {};

using Answer = std::variant<Approved, DeclinedAnswer, Pending, Rejected, NotAuthorized, TryAgain, NotAnAnswer, NoAnswer,
                            NeverSent, NeverReceived, ReversalDone>;

}  // namespace nightdrop
