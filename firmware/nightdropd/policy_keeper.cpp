#include "firmware/nightdropd/policy_keeper.hpp"

#include <spdlog/spdlog.h>

#include "config/policy_compare.hpp"
#include "crypto/p256.hpp"
#include "crypto/primitives.hpp"
#include "nightdrop/encoding.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop::firmware {
namespace {

Result<void> verify_signature(std::string_view signer_pem, std::span<const std::uint8_t> message,
                              std::span<const std::uint8_t> signature) {
  const auto key = p256_from_spki_pem(signer_pem);
  if (!key) return std::unexpected(key.error());
  return p256_verify(*key, message, signature);
}

// The policy as anybody at the POS may see it: approvers by name alone.
std::string shown_policy(const Policy& policy) {
  Json document = policy_json(policy);
  Json approvers = Json::array();
  for (const Approver& approver : policy.approvers) approvers.push(std::move(Json::object().set("id", approver.id)));
  document.set("approvers", std::move(approvers));
  return document.dump();
}

void warn_of_overlay(const PolicyStanding& standing) {
  if (standing.overlay == OverlayState::Refused)
    spdlog::warn("the overlay is refused: {}; the signed policy alone is in force", standing.overlay_reason);
  if (standing.overlay == OverlayState::InPart)
    spdlog::warn("of the overlay is left out: {}; the rest of it is in force", standing.overlay_reason);
}

terminal::PosError refusal(const PolicyError& error) {
  if (error.kind == PolicyError::Kind::NotKept) return {.code = PosCode::StoreUnavailable, .message = error.message};
  return {.code = PosCode::PolicyRefused, .message = "The policy is refused: " + error.message + "."};
}

}  // namespace

PolicyKeeper::PolicyKeeper(const Config& config)
    : source_({config.policy_file, config.policy_signer_file, config.policy_overlay_file,
               config.queue_dir + "/policy.accepted.json"},
              verify_signature) {}

PolicySource::Time PolicyKeeper::time(const hal::Clock& clock) {
  const hal::WallReading wall = clock.wall();
  return {wall.utc_ms, wall.trusted};
}

std::expected<void, std::string> PolicyKeeper::open(std::int64_t highest_version_seen, const hal::Clock& clock,
                                                    std::span<const std::uint8_t> identity) {
  auto opened = source_.open(highest_version_seen, time(clock), hex_lower(sha256(identity)));
  if (!opened) {
    const bool unreadable = opened.error().kind == PolicyError::Kind::Unreadable;
    return std::unexpected((unreadable ? "" : "the policy is refused: ") + opened.error().message);
  }
  refused_at_start_ = std::move(*opened);
  if (!refused_at_start_.empty()) {
    spdlog::warn("the configured policy is refused: {}; version {}, taken before, stays in force", refused_at_start_,
                 policy().version);
  }
  warn_of_overlay(source_.standing());
  return {};
}

void PolicyKeeper::attach(terminal::Terminal& terminal, pos::ReaderFacts& facts, const hal::Clock& clock) {
  terminal_ = &terminal;
  facts_ = &facts;
  clock_ = &clock;
  if (const auto kept = source_.keep(); !kept) spdlog::error("{} ({})", kept.error().text, kept.error().native);
  if (!refused_at_start_.empty()) terminal.refuse_policy("configured", refused_at_start_);
  tell_overlay();
  show();
}

void PolicyKeeper::show() {
  terminal_->set_policy_standing(source_.standing());
  facts_->livemode = source_.policy().livemode;
  facts_->policy_document = shown_policy(source_.policy());
}

// Once for each reason: a reload that finds the same overlay again is no news.
void PolicyKeeper::tell_overlay() {
  const PolicyStanding& standing = source_.standing();
  if (!standing.overlay_reason.empty() && standing.overlay_reason != overlay_told_) {
    warn_of_overlay(standing);
    terminal_->refuse_policy("overlay", standing.overlay_reason);
  }
  overlay_told_ = standing.overlay_reason;
}

// Nothing to do where the terminal decides by it already; after a commit that failed it does not, and the next attempt
// finds the difference.
void PolicyKeeper::put_in_force(const terminal::Reply<void>& done) {
  if (compare_policies(terminal_->policy(), source_.policy()).empty()) {
    show();
    return terminal_->books().reply<void>(done, {});
  }
  terminal_->change_policy(source_.policy(), [this, done](const terminal::PosResult<void>& changed) {
    if (changed) {
      show();
      spdlog::info("policy version {} is in force", terminal_->policy().version);
    }
    done(changed);
  });
}

void PolicyKeeper::update(const pos::PolicyHandedIn& handed_in, const pos::Responder& respond) {
  const PolicyOrigin origin = handed_in.none() ? PolicyOrigin::Configured : PolicyOrigin::Update;
  const std::int64_t from_version = terminal_->policy().version;
  const auto now = time(*clock_);
  const auto taken =
      handed_in.none() ? source_.reload(now) : source_.take(handed_in.document, handed_in.signature, now);
  if (!taken) {
    spdlog::warn("a policy is refused: {}", taken.error().message);
    if (taken.error().kind != PolicyError::Kind::NotKept) {
      source_.remember_refusal({now.now, origin, taken.error().message});
      terminal_->refuse_policy(word(origin), taken.error().message);
    }
  }
  tell_overlay();
  const auto error = taken ? std::nullopt : std::optional(refusal(taken.error()));
  put_in_force([this, respond, error, from_version](const terminal::PosResult<void>& changed) {
    if (error) return respond(std::unexpected(*error));
    if (!changed) return respond(std::unexpected(changed.error()));
    Json answer = Json::object();
    answer.set("version", terminal_->policy().version).set("from_version", from_version);
    answer.set("overlay", word(source_.standing().overlay));
    const std::string& reason = source_.standing().overlay_reason;
    answer.set("overlay_reason", reason.empty() ? Json::null() : Json::string(reason));
    respond(std::move(answer));
  });
}

void PolicyKeeper::reload() {
  spdlog::info("reading the policy again");
  update({}, [](const terminal::PosResult<Json>&) {});
}

}  // namespace nightdrop::firmware
