// Watches the reader's certificate: tells that it will run out, asks the acquirer for a new one when there is a path,
// and journals what came of it. Whatever fails, the old one stays in force and is asked for again a day later.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "acquirer/https/renewal.hpp"
#include "engine/certificate_plan.hpp"
#include "hal/identity_certificate.hpp"
#include "report/objects.hpp"
#include "terminal/books.hpp"
#include "terminal/network.hpp"

namespace nightdrop::terminal {

class CertificateWatch {
 public:
  CertificateWatch(Books& books, Network& network) : books_(books), network_(network) {}

  void tick();
  std::optional<std::int64_t> next_tick_ms() const;  // monotonic
  // Nothing where the reader has no certificate that is watched.
  std::optional<report::CertificateStanding> standing();

 private:
  void look();
  void tell();
  void ask(Route route);
  void on_answer(const hal::HostOutcome& outcome);
  void failed(const char* reason, const char* text);

  Books& books_;
  Network& network_;
  engine::CertificateState state_;
  std::vector<std::uint8_t> request_;  // the same at each attempt for one certificate: the acquirer answers it once
  UtcMs request_for_{0};               // the end of the certificate that it was made for
  bool wants_path_{false};
  bool was_trusted_{false};
  std::int64_t at_ms_{0};  // monotonic: when to look again
};

}  // namespace nightdrop::terminal
