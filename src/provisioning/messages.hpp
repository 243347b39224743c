// What is said inside the session's records: JSON objects with a "type", strict in every member, so that neither end
// ever acts on half of what the other meant. A refusal names the field and never a value.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <variant>

#include "provisioning/station.hpp"

namespace nightdrop::provisioning {

struct MakeIdentity {
  std::string common_name;
};
struct Prove {
  std::array<std::uint8_t, 32> challenge{};
};
struct Commit {};
struct Erase {
  std::string order;
};
using Request = std::variant<MakeIdentity, Installation, Prove, Commit, Erase>;

struct Ready {};  // the first record of all: the reader has believed the station, and has the same keys
struct IdentityMade {
  x509::Bytes request;  // PKCS #10, DER
};
struct Committed {};
struct Erased {};
struct Refused {
  std::string reason;  // one sentence that names the field
};
using Answer = std::variant<Ready, IdentityMade, Installed, Proof, Committed, Erased, Refused>;

std::string encode(const Request& request);
std::string encode(const Answer& answer);
// Errors: a sentence that names the field.
[[nodiscard]] std::expected<Request, std::string> decode_request(std::string_view json);
[[nodiscard]] std::expected<Answer, std::string> decode_answer(std::string_view json);

// Why a reader ended a session, sent in the clear when there are no keys to say it under: a hint for the operator,
// which whoever holds the line could have sent as well.
enum class AlertReason : std::uint8_t { Protocol = 1, Authentication = 2, Timeout = 3 };

}  // namespace nightdrop::provisioning
