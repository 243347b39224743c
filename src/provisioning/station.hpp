// The station's end of the provisioning session (docs/provisioning.md): mutual authentication, then requests and
// answers that nobody else can read, change, repeat or reorder. Blocking, with a deadline for each step; one session a
// Stream. After any failure the session is over; the reader is in factory state again unless commit() was asked for,
// after which only a new session tells (ReaderHello::state).
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nightdrop/payment.hpp"
#include "nightdrop/secret.hpp"
#include "provisioning/stream.hpp"
#include "x509/certificate.hpp"

namespace nightdrop::provisioning {

struct Failure {
  enum class Kind : std::uint8_t {
    Io,              // the line: cannot be opened, cut
    Timeout,         // no answer within the step's time
    Authentication,  // the other end is not who it must be, or a record was changed, repeated or reordered
    Protocol,        // an answer that this protocol does not know
    Refused,         // the reader said no; `message` is its reason
  };
  Kind kind{Kind::Protocol};
  std::string message;  // one sentence; no key material
};
template <class T>
using Expected = std::expected<T, Failure>;

// Who the station is, and what it signs with: chain is leaf first, up to below the manufacturing CA.
struct StationIdentity {
  std::vector<x509::Certificate> chain;
  x509::Signer signer;
};

enum class ReaderState : std::uint8_t { Factory, Provisioned };

// What a reader says of itself, signed by its factory key over the handshake.
struct ReaderHello {
  std::string serial_number;
  x509::PublicKey factory_key{};
  ReaderState state{ReaderState::Factory};
  std::string firmware_version;
  std::string certificate_serial;  // Provisioned: of the certificate it has
  std::string initial_key_id;      // Provisioned: 16 hex digits
};

struct File {
  std::string name;  // nightdrop.json, policy.json, policy.json.sig, policy_signer.pem, ca.pem, reader.pem,
                     // manufacturing_ca.pem
  std::string content;
};
struct Installation {
  std::vector<File> files;
  std::string initial_key_block;      // TR-31 D, B1, optional block IK = IKID; under the session's KBPK
  std::string fingerprint_key_block;  // TR-31 D, M7
  bool development{false};            // marks the vault: a release build of nightdropd refuses it
};
struct Installed {
  std::string initial_key_check_value;      // 10 hex digits (CMAC)
  std::string fingerprint_key_check_value;  // 10 hex digits
};
// Over "nightdrop-proof/1" LF serial number LF challenge in hex: ECDSA by the identity key, and CMAC by the DUKPT MAC
// generation key (usage 2000) of `ksn`. The reader spends that counter value.
struct Proof {
  x509::Bytes signature;  // DER
  Ksn ksn{};
  x509::Bytes mac;  // 16 bytes
};
std::string proof_message(std::string_view serial_number, std::span<const std::uint8_t, 32> challenge);

struct Timeouts {
  std::chrono::milliseconds step{10'000};  // for each answer
  std::chrono::milliseconds gap{2'000};    // the longest silence inside a frame
};

class StationSession {
 public:
  // Handshake. `accept` sees who the reader says it is before the station answers; an error text refuses it.
  static Expected<std::unique_ptr<StationSession>> open(
      Stream& stream, const StationIdentity& identity,
      const std::function<std::expected<void, std::string>(const ReaderHello&)>& accept, const Timeouts& timeouts);
  ~StationSession();

  const ReaderHello& reader() const;
  // The session's key block protection key, AES-256.
  std::span<const std::uint8_t> kbpk() const;

  // The reader makes its identity key (again, if asked again) and gives a certificate request, DER.
  Expected<x509::Bytes> make_identity(std::string_view common_name);
  // Stages everything; the reader checks all of it and takes nothing into use.
  Expected<Installed> install(const Installation& what);
  Expected<Proof> prove(std::span<const std::uint8_t, 32> challenge);
  // What was staged comes into force, durably and as a whole; the reader is locked from here on.
  Expected<void> commit();
  // A provisioned reader goes back to factory state; `order` is a signed erase order (provisioning/erase_order.hpp).
  Expected<void> erase(std::string_view order);

 private:
  struct State;
  explicit StationSession(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace nightdrop::provisioning
