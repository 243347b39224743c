#include "config/policy_source.hpp"

#include <algorithm>

#include "config/policy_overlay.hpp"

namespace nightdrop {
namespace {

using Kind = PolicyError::Kind;

std::unexpected<PolicyError> refuse(Kind kind, std::string message) {
  return std::unexpected(PolicyError{kind, std::move(message)});
}

std::string without_space_around(const std::string& text) {
  constexpr std::string_view space = " \t\r\n";
  const std::size_t first = text.find_first_not_of(space);
  return first == std::string::npos ? std::string() : text.substr(first, text.find_last_not_of(space) - first + 1);
}

}  // namespace

std::expected<PolicySource::Pair, PolicyError> PolicySource::read_configured() const {
  auto document = read_whole_file(files_.policy);
  if (!document) return refuse(Kind::Unreadable, "the policy cannot be read: " + files_.policy);
  auto signature = read_whole_file(files_.policy + ".sig");
  if (!signature) return refuse(Kind::Unsigned, "the policy's signature cannot be read: " + files_.policy + ".sig");
  return Pair{std::move(*document), without_space_around(*signature)};
}

std::expected<std::string, PolicyError> PolicySource::signer() const {
  auto pem = read_whole_file(files_.signer);
  if (!pem) return refuse(Kind::Unreadable, "the policy signer's public key cannot be read: " + files_.signer);
  return std::move(*pem);
}

// Whether a policy that comes from outside may be taken, beside or after the one that was accepted last.
std::expected<Policy, PolicyError> PolicySource::check(const Pair& pair, Time time) const {
  const auto pem = signer();
  if (!pem) return std::unexpected(pem.error());
  auto policy = load_policy(pair.document, pair.signature, *pem, highest_seen_, verify_);
  if (!policy) return policy;
  if (opened_) {
    if (policy->merchant_id != signed_.merchant_id) {
      return refuse(Kind::OtherMerchant, "merchant_id: is not that of the policy this reader was made with");
    }
    if (policy->version == signed_.version) {
      if (pair.document == accepted_.document) return policy;
      return refuse(Kind::Conflict, "version: is the one that is in force, with other content");
    }
  }
  // One that has run out is not taken anew; one that ran out while in force still forwards what is stored.
  if (policy->version > highest_seen_ && time.trusted && policy->valid_until <= time.now)
    return refuse(Kind::Expired, "valid_until: is past");
  return policy;
}

// Durable first, then in force.
std::expected<void, PolicyError> PolicySource::accept(Pair pair, Policy policy, std::string supersedes) {
  AcceptedPolicy accepted{std::move(pair.document), std::move(pair.signature), std::move(supersedes), reader_,
                          std::nullopt};
  if (const auto written = write(accepted); !written)
    return refuse(Kind::NotKept, std::string(written.error().text) + "; the policy is not taken");
  accepted_ = std::move(accepted);
  signed_ = std::move(policy);
  highest_seen_ = std::max(highest_seen_, signed_.version);
  standing_.refused.reset();
  opened_ = true;
  lay_overlay();
  return {};
}

void PolicySource::lay_overlay() {
  merged_ = signed_;
  standing_.overlay = OverlayState::None;
  standing_.overlay_reason.clear();
  if (files_.overlay.empty()) return;
  const auto text = read_whole_file(files_.overlay);
  auto merged =
      text ? tighten_policy(signed_, *text)
           : std::expected<TightenedPolicy, PolicyError>(refuse(Kind::Unreadable, "the overlay cannot be read"));
  if (!merged) {
    standing_.overlay = OverlayState::Refused;
    standing_.overlay_reason = merged.error().message;
    return;
  }
  standing_.overlay = merged->left_out.empty() ? OverlayState::InForce : OverlayState::InPart;
  standing_.overlay_reason = merged->left_out_sentence();
  merged_ = std::move(merged->policy);
}

std::expected<std::string, PolicyError> PolicySource::open(std::int64_t highest_version_seen, Time time,
                                                           std::string reader) {
  reader_ = std::move(reader);
  highest_seen_ = highest_version_seen;
  // The accepted copy first: it says what this reader has taken, and so what the configured file may be.
  if (auto accepted = read_accepted_policy(files_.accepted); accepted && accepted->reader == reader_) {
    const auto pem = signer();
    if (!pem) return std::unexpected(pem.error());
    if (auto policy = load_policy(accepted->document, accepted->signature, *pem, highest_seen_, verify_)) {
      accepted_ = std::move(*accepted);
      signed_ = std::move(*policy);
      highest_seen_ = signed_.version;
      standing_.refused = accepted_.refused;
      opened_ = true;
      lay_overlay();
    }
  }
  const bool had_accepted = opened_;
  auto taken = take_configured(time, true);
  if (taken) return std::string();
  if (!had_accepted) return std::unexpected(taken.error());
  remember_refusal({time.now, PolicyOrigin::Configured, taken.error().message});
  return taken.error().message;
}

Result<void> PolicySource::keep() {
  kept_ = true;
  return to_be_kept_ ? write(accepted_) : Result<void>();
}

Result<void> PolicySource::write(const AcceptedPolicy& accepted) {
  to_be_kept_ = true;
  if (!kept_) return {};
  ND_TRY(write_accepted_policy(files_.accepted, accepted));
  to_be_kept_ = false;
  return {};
}

std::expected<void, PolicyError> PolicySource::take_configured(Time time, bool at_start) {
  auto pair = read_configured();
  if (!pair) return std::unexpected(pair.error());
  // Replaced by a newer one that was handed in, and not touched since.
  if (opened_ && !accepted_.supersedes.empty() && pair->signature == accepted_.supersedes) return {};
  auto policy = check(*pair, time);
  if (!policy) return std::unexpected(policy.error());
  const bool in_force = opened_ && pair->document == accepted_.document;
  // A start brings nothing new: what was refused over the socket stays told of until somebody brings a good one.
  const bool still_told = at_start && accepted_.refused && accepted_.refused->origin == PolicyOrigin::Update;
  if (in_force && (!accepted_.refused || still_told)) return {};
  return accept(std::move(*pair), std::move(*policy), "");
}

std::expected<void, PolicyError> PolicySource::take(std::string_view document, std::string_view signature_base64,
                                                    Time time) {
  Pair pair{std::string(document), without_space_around(std::string(signature_base64))};
  auto policy = check(pair, time);
  if (!policy) return std::unexpected(policy.error());
  const bool in_force = pair.document == accepted_.document;
  if (in_force && !accepted_.refused) return {};
  const auto configured = read_configured();
  // What lies in the configured place is replaced only by a newer one, not by taking the same again.
  std::string supersedes = in_force ? accepted_.supersedes : configured ? configured->signature : std::string();
  return accept(std::move(pair), std::move(*policy), std::move(supersedes));
}

std::expected<void, PolicyError> PolicySource::reload(Time time) {
  auto taken = take_configured(time, false);
  lay_overlay();
  return taken;
}

void PolicySource::remember_refusal(PolicyRefusal refused) {
  standing_.refused = std::move(refused);
  if (!opened_) return;
  accepted_.refused = standing_.refused;
  (void)write(accepted_);
}

}  // namespace nightdrop
