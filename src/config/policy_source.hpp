// Which policy is in force: chosen at the start, replaced while the reader runs. A policy is taken only when it is
// signed by the pinned signer, not older than any taken before, not another one of the same version, not another
// merchant's and not run out; it is then kept as the accepted copy before it is in force. One that is refused changes
// nothing but what is told of it. The merchant's overlay is laid over whatever is in force, without what would loosen
// it; one that cannot be read leaves the signed policy alone in force.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <string_view>

#include "config/accepted_policy.hpp"
#include "config/policy_json.hpp"
#include "nightdrop/policy.hpp"

namespace nightdrop {

class PolicySource {
 public:
  struct Files {
    std::string policy;    // its signature beside it, with .sig
    std::string signer;    // PEM
    std::string overlay;   // empty: the configuration names none
    std::string accepted;  // the copy that this class keeps
  };
  struct Time {
    UtcMs now{0};
    bool trusted{false};
  };

  PolicySource(Files files, VerifySignature verify) : files_(std::move(files)), verify_(std::move(verify)) {}

  // Chooses at the start: the configured policy if it is good; otherwise the accepted copy, and gives the reason why
  // (empty: the configured one). Writes nothing before keep(). `highest_version_seen` is the store's; `reader` names
  // this reader as it was provisioned: a copy that it kept under another name is not looked at.
  // Errors: neither can be used; says why of the configured one.
  std::expected<std::string, PolicyError> open(std::int64_t highest_version_seen, Time time, std::string reader = {});
  // Makes the choice durable; from here on the reader runs under it. Errors: the disk's; the choice stands.
  Result<void> keep();

  // Takes a policy that was handed in, as text and base64. Ensures: on return it is durable, and policy() is the new
  // one. The one that is in force already is taken as well, and nothing changes. Errors: why it is refused, or that the
  // accepted copy could not be written (NotKept); policy() is then as it was.
  std::expected<void, PolicyError> take(std::string_view document, std::string_view signature_base64, Time time);

  // Reads the configured policy and the overlay again. Errors: as take(), of the policy; the overlay is read all the
  // same.
  std::expected<void, PolicyError> reload(Time time);

  // Writes down that a policy was refused, where standing() and the next start find it. Best effort.
  void remember_refusal(PolicyRefusal refused);

  const Policy& policy() const { return merged_; }  // with the overlay
  const Policy& signed_policy() const { return signed_; }
  const PolicyStanding& standing() const { return standing_; }

 private:
  struct Pair {
    std::string document, signature;
  };
  std::expected<Pair, PolicyError> read_configured() const;
  std::expected<std::string, PolicyError> signer() const;
  std::expected<Policy, PolicyError> check(const Pair& pair, Time time) const;
  std::expected<void, PolicyError> accept(Pair pair, Policy policy, std::string supersedes);
  std::expected<void, PolicyError> take_configured(Time time, bool at_start);
  void lay_overlay();
  Result<void> write(const AcceptedPolicy& accepted);

  Files files_;
  VerifySignature verify_;
  std::string reader_;
  std::int64_t highest_seen_{0};
  bool opened_{false};      // accepted_ and signed_ hold a policy
  bool kept_{false};        // keep() was called
  bool to_be_kept_{false};  // accepted_ is not on the disk yet
  AcceptedPolicy accepted_;
  Policy signed_;
  Policy merged_;
  PolicyStanding standing_;
};

}  // namespace nightdrop
