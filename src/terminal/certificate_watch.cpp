#include "terminal/certificate_watch.hpp"

#include <algorithm>
#include <utility>

#include "nightdrop/time_text.hpp"

namespace nightdrop::terminal {
namespace {

constexpr std::int64_t look_every_ms = 3'600'000;  // engine time may be corrected: never trust one long timer

const char* word_of(acquirer::NoCertificate why) {
  switch (why) {
    case acquirer::NoCertificate::NoAnswer: return "no_answer";
    case acquirer::NoCertificate::NotOffered: return "not_offered";
    case acquirer::NoCertificate::Refused: return "refused";
    case acquirer::NoCertificate::Unavailable: return "unavailable";
    case acquirer::NoCertificate::NotAnAnswer: return "not_an_answer";
  }
  return "not_an_answer";
}

bool is_about_the_disk(Errc code) {
  return code == Errc::Io || code == Errc::DiskFull;
}

}  // namespace

void CertificateWatch::tick() {
  if (books_.ports().certificate == nullptr) return;
  const bool path = wants_path_ && network_.route().has_value();
  const bool trust = books_.clock_trusted() != was_trusted_;
  if (path || trust || at_ms_ <= books_.mono_ms()) look();
}

std::optional<std::int64_t> CertificateWatch::next_tick_ms() const {
  if (books_.ports().certificate == nullptr) return std::nullopt;
  return at_ms_;
}

void CertificateWatch::look() {
  const hal::IdentityCertificate& certificate = *books_.ports().certificate;
  const UtcMs now = books_.now();
  was_trusted_ = books_.clock_trusted();
  state_.not_after = certificate.not_after();
  state_.renewable = certificate.renewable();
  const auto step = engine::plan_certificate(state_, now, was_trusted_);
  const std::int64_t wait = step.next ? std::clamp<std::int64_t>(*step.next - now, 1, look_every_ms) : look_every_ms;
  at_ms_ = books_.mono_ms() + wait;
  if (step.tell) tell();
  wants_path_ = step.ask;
  if (const auto route = network_.route(); step.ask && route) ask(*route);
}

void CertificateWatch::tell() {
  const UtcMs now = books_.now();
  Json data = Json::object();
  data.set("not_after", rfc3339(state_.not_after))
      .set("expired", state_.not_after <= now)
      .set("renewable", state_.renewable);
  const auto written = books_.write([&] { return books_.journal("certificate.expiring", std::move(data)); });
  if (written) state_.told_at = now;
}

void CertificateWatch::ask(Route route) {
  wants_path_ = false;
  state_.asked_at = books_.now();
  if (request_.empty() || request_for_ != state_.not_after) {
    auto made = books_.ports().certificate->request();
    if (!made) return failed("not_signed", made.error().text);
    request_ = *std::move(made);
    request_for_ = state_.not_after;
  }
  hal::HostRequest request = acquirer::renewal_request(request_, books_.settings().merchant);
  request.route = route;
  state_.asking = true;
  books_.ports().host.send(std::move(request), [this](const hal::HostOutcome& outcome) { on_answer(outcome); });
}

void CertificateWatch::on_answer(const hal::HostOutcome& outcome) {
  state_.asking = false;
  at_ms_ = books_.mono_ms();  // a new plan either way
  const auto chain = acquirer::read_renewal_answer(outcome);
  if (!chain) return failed(word_of(chain.error()), "the acquirer gave no certificate");
  const UtcMs before = state_.not_after;
  const auto accepted = books_.ports().certificate->accept(*chain, books_.now());
  if (!accepted) {
    return failed(is_about_the_disk(accepted.error().code) ? "not_written" : "not_valid", accepted.error().text);
  }
  state_ = {};
  request_.clear();
  (void)books_.write([&] {
    Json data = Json::object();
    data.set("not_after", rfc3339(books_.ports().certificate->not_after())).set("previous_not_after", rfc3339(before));
    return books_.journal("certificate.renewed", std::move(data));
  });
}

void CertificateWatch::failed(const char* reason, const char* text) {
  (void)books_.write([&] {
    Json data = Json::object();
    data.set("reason", reason).set("detail", text).set("not_after", rfc3339(state_.not_after));
    return books_.journal("certificate.renewal_failed", std::move(data));
  });
}

std::optional<report::CertificateStanding> CertificateWatch::standing() {
  if (books_.ports().certificate == nullptr) return std::nullopt;
  const UtcMs not_after = books_.ports().certificate->not_after();
  return report::CertificateStanding{not_after,
                                     books_.clock_trusted() && engine::expires_soon(not_after, books_.now())};
}

}  // namespace nightdrop::terminal
