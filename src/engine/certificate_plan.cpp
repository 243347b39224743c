#include "engine/certificate_plan.hpp"

#include <algorithm>

namespace nightdrop::engine {
namespace {

// Due again a day after the last time; a time that lies ahead was taken on a clock that was corrected since.
UtcMs due_at(const std::optional<UtcMs>& last, UtcMs now) {
  return !last || *last > now ? now : *last + certificate_daily_ms;
}

}  // namespace

CertificateStep plan_certificate(const CertificateState& state, UtcMs now, bool time_trusted) {
  if (!time_trusted) return {};
  if (!expires_soon(state.not_after, now)) return {.next = state.not_after - certificate_notice_ms};
  const UtcMs tell_at = due_at(state.told_at, now);
  const UtcMs ask_at = due_at(state.asked_at, now);
  CertificateStep step;
  step.tell = tell_at <= now;
  step.ask = state.renewable && !state.asking && ask_at <= now;
  step.next = step.tell ? now + certificate_daily_ms : tell_at;
  if (state.renewable && !step.ask && !state.asking) step.next = std::min(*step.next, ask_at);
  return step;
}

}  // namespace nightdrop::engine
