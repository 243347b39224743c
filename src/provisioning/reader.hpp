// The reader's end of the provisioning session: waits on a line for a station's Hello, whatever else comes before it,
// and does nothing for anybody but answer that Hello until the station has proven who it is. Whatever is not expected
// ends the session: what was staged is wiped, and the reader waits for the next Hello. What the requests do is behind
// the port ReaderHome; this class knows the protocol and the order of its steps alone.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "nightdrop/payment.hpp"
#include "nightdrop/result.hpp"
#include "provisioning/station.hpp"
#include "provisioning/stream.hpp"
#include "x509/certificate.hpp"

namespace nightdrop::provisioning {

// A value, or the reason for a refusal: one sentence that names the field; no key material.
template <class T>
using OrReason = std::expected<T, std::string>;

// Port: what a reader does with what a session brings. Called in the order of the steps and never at once.
class ReaderHome {
 public:
  virtual ~ReaderHome() = default;
  // What the reader says of itself, as it is now.
  virtual ReaderHello facts() const = 0;
  // ECDSA P-256 with SHA-256 by the factory key; DER.
  [[nodiscard]] virtual Result<x509::Bytes> sign_with_factory_key(std::span<const std::uint8_t> message) = 0;

  // A fresh identity key, staged; gives a certificate request.
  [[nodiscard]] virtual OrReason<x509::Bytes> make_identity(std::string_view common_name) = 0;
  // Checks all of it and stages it.
  [[nodiscard]] virtual OrReason<Installed> install(const Installation& what, std::span<const std::uint8_t> kbpk) = 0;
  [[nodiscard]] virtual OrReason<Proof> prove(std::span<const std::uint8_t, 32> challenge) = 0;
  // Ensures: Ok means that what was staged is in force, durably and as a whole. On an error it may come into force
  // later.
  [[nodiscard]] virtual OrReason<void> commit() = 0;
  // Ensures: Ok means factory state. On an error the reader may be neither provisioned nor in factory state until the
  // next start.
  [[nodiscard]] virtual OrReason<void> erase(std::string_view order) = 0;
  // Wipes what is staged, if anything is.
  virtual void forget_staged() = 0;
};

struct ReaderTimeouts {
  std::chrono::milliseconds auth{10'000};     // from the reader's Hello to the station's proof
  std::chrono::milliseconds request{60'000};  // from one answer to the next request
  std::chrono::milliseconds write{10'000};
  std::chrono::milliseconds gap{2'000};  // the longest silence inside a frame
};

class FactoryReader {
 public:
  enum class Ended : std::uint8_t {
    LineGone,   // the other end has closed it, or this end was told to stop
    Committed,  // a session provisioned the reader; serve() may be called again
    Erased,     // a session brought it back to factory state; serve() may be called again
  };
  // What ended a session, for a log: one sentence without secrets.
  using Note = std::function<void(const std::string&)>;

  // `authority`: the manufacturing CA that a station's certificate must lead to. `wall_clock`: for its validity.
  // Lifetime: the stream and the home outlive the reader.
  FactoryReader(Stream& stream, ReaderHome& home, x509::Certificate authority, std::function<UtcMs()> wall_clock,
                Note note = {}, const ReaderTimeouts& timeouts = {});
  ~FactoryReader();

  // Serves one session after another. Errors: Io.
  [[nodiscard]] Result<Ended> serve();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace nightdrop::provisioning
