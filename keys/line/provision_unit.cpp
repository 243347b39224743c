// One reader, step by step; see provision_unit.hpp.
#include "keys/line/provision_unit.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include <unistd.h>

#include "crypto/dukpt.hpp"
#include "crypto/p256.hpp"
#include "crypto/primitives.hpp"
#include "crypto/tr31.hpp"
#include "keys/files.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::keys {
namespace {

using Clock = std::chrono::steady_clock;
using provisioning::ReaderHello;
using provisioning::ReaderState;
using provisioning::StationSession;

constexpr UtcMs day_ms = 86'400'000;

std::unexpected<Refusal> refuse_unit(Exit exit, const char* word, const std::string& message) {
  return refuse(exit, std::string(word) + ": " + message);
}

// An operation of the station that failed; the reader has no part in it.
std::unexpected<Refusal> refuse_station(const Refusal& refusal) {
  return refuse_unit(refusal.exit, "station", refusal.message);
}
std::unexpected<Refusal> refuse_station(const char* doing, const Error& error) {
  return refuse_station(refuse(doing, error).error());
}

template <class T>
Outcome<T> ours(Outcome<T> outcome) {
  if (!outcome) return refuse_station(outcome.error());
  return outcome;
}
template <class T>
Outcome<T> theirs(provisioning::Expected<T> answer) {
  if (!answer) return std::unexpected(refusal_of(answer.error()));
  if constexpr (std::is_void_v<T>) {
    return {};
  } else {
    return std::move(*answer);
  }
}

// What one attempt holds in its hands.
struct Attempt {
  Allocation allocation;
  x509::Certificate certificate;
  SecretBytes initial_key;
  std::string key_check_value;
};

class UnitSteps {
 public:
  UnitSteps(const UnitRun& run, const Unit& unit, const CrashPoint& crash)
      : run_(run), unit_(unit), crash_(crash), begun_(Clock::now()) {
    result_.serial_number = unit.order.serial_number;
  }

  Outcome<UnitResult> all(provisioning::Stream& stream) {
    if (auto opened = open(stream); !opened) return std::unexpected(opened.error());
    if (session_->reader().state == ReaderState::Provisioned) return settle();
    for (const auto step :
         {&UnitSteps::allocate, &UnitSteps::issue, &UnitSteps::install, &UnitSteps::prove, &UnitSteps::commit}) {
      if (auto done = (this->*step)(); !done) return std::unexpected(done.error());
    }
    return finish(attempt_.allocation);
  }

 private:
  StationDb& db() { return run_.station.db(); }
  void at(const char* step) const {
    if (crash_) crash_(step);
  }

  Outcome<void> open(provisioning::Stream& stream) {
    const auto accept = [&](const ReaderHello& hello) -> std::expected<void, std::string> {
      result_.factory_key = key_fingerprint(hello.factory_key);
      if (hello.serial_number != unit_.order.serial_number)
        return std::unexpected("the reader has another serial number");
      if (!unit_.order.factory_key.empty() && unit_.order.factory_key != result_.factory_key) {
        return std::unexpected("the reader's factory key is not the one of the order");
      }
      return {};
    };
    auto session = StationSession::open(stream, run_.station.identity(), accept, run_.timeouts);
    if (!session) return std::unexpected(refusal_of(session.error()));
    session_ = std::move(*session);
    result_.trusted_on_first_use = unit_.trusted_on_first_use;
    if (unit_.order.factory_key.empty()) {
      result_.trusted_on_first_use = true;
      if (auto kept = ours(db().trust_factory_key(unit_.unit, result_.factory_key, run_.clock())); !kept) return kept;
    }
    at("opened");
    return {};
  }

  // A provisioned reader is this station's if it has what an attempt gave it whose end was not seen.
  Outcome<UnitResult> settle() {
    const auto open_end = ours(db().unsettled(unit_.unit));
    if (!open_end) return std::unexpected(open_end.error());
    const ReaderHello& hello = session_->reader();
    const bool is_ours = *open_end && (*open_end)->certificate == hello.certificate_serial &&
                         initial_key_id_text((*open_end)->initial_key_id) == hex_case(hello.initial_key_id);
    if (!is_ours) {
      const bool known = unit_.certificate == hello.certificate_serial && !hello.certificate_serial.empty();
      return refuse_unit(Exit::Data, "refused",
                         known ? "the reader is provisioned, as the station's database says"
                               : "the reader is provisioned, with a certificate that this attempt did not give it");
    }
    result_.settled = true;
    const auto der = ours(db().certificate((*open_end)->certificate));
    if (!der) return std::unexpected(der.error());
    auto certificate = x509::parse_certificate(*der);
    if (!certificate) return refuse_station("the reader's certificate", certificate.error());
    attempt_.certificate = std::move(*certificate);
    return finish(**open_end);
  }

  static std::string hex_case(std::string_view id) {
    const auto bytes = from_hex(id);
    return bytes ? hex_upper(*bytes) : std::string();
  }

  Outcome<void> allocate() {
    auto allocation = ours(run_.station.begin_attempt(unit_.unit, run_.recipe.bdk_id, run_.clock()));
    if (!allocation) return std::unexpected(allocation.error());
    attempt_.allocation = std::move(*allocation);
    at("allocated");
    return {};
  }

  Outcome<void> issue() {
    const auto request_der = theirs(session_->make_identity(unit_.order.serial_number));
    if (!request_der) return std::unexpected(request_der.error());
    const auto request = x509::parse_request(*request_der);
    if (!request) return refuse_unit(Exit::Data, "proof", "the certificate request is not signed by its own key");
    if (request->common_name != unit_.order.serial_number) {
      return refuse_unit(Exit::Data, "proof", "the certificate request is for another name");
    }
    at("identity");
    const UtcMs now = run_.clock();
    x509::IssueOptions options;
    options.common_name = unit_.order.serial_number;
    options.serial_number = attempt_.allocation.certificate;
    options.not_before = now - day_ms;
    options.not_after = now + run_.recipe.certificate_days * day_ms;
    options.purpose = x509::Purpose::Client;
    auto certificate =
        x509::issue(run_.station.authority_signer(), run_.station.authority(), request->public_key, options);
    if (!certificate) return refuse_station("the reader's certificate", certificate.error());
    attempt_.certificate = std::move(*certificate);
    auto key = ours(run_.station.hsm().derive_initial_key(attempt_.allocation.initial_key_id));
    if (!key) return std::unexpected(key.error());
    attempt_.initial_key = std::move(*key);
    const auto check_value = tr31::check_value_cmac(attempt_.initial_key.view());
    if (!check_value) return refuse_station("the initial key's check value", check_value.error());
    attempt_.key_check_value = hex_upper(*check_value);
    if (auto kept = ours(db().issued(attempt_.allocation, attempt_.certificate.der, attempt_.certificate.not_after,
                                     attempt_.key_check_value, now));
        !kept) {
      return kept;
    }
    at("issued");
    return {};
  }

  Outcome<provisioning::Installation> installation() {
    provisioning::Installation what;
    const auto config = ours(reader_configuration(run_.recipe, unit_.order));
    if (!config) return std::unexpected(config.error());
    what.files = {{"nightdrop.json", *config},
                  {"policy.json", run_.recipe.policy.document},
                  {"policy.json.sig", run_.recipe.policy.signature},
                  {"policy_signer.pem", run_.station.policy_signer_pem()},
                  {"ca.pem", run_.recipe.acquirer_ca_pem},
                  {"reader.pem", attempt_.certificate.pem()},
                  {"manufacturing_ca.pem", run_.station.authority_pem()}};
    what.development = run_.recipe.development;
    const auto initial = tr31::make_initial_key_header(attempt_.allocation.initial_key_id, attempt_.initial_key.view());
    if (!initial) return refuse_station("the initial key's block", initial.error());
    auto block = tr31::wrap(session_->kbpk(), *initial, attempt_.initial_key.view());
    if (!block) return refuse_station("the initial key's block", block.error());
    what.initial_key_block = std::move(*block);
    tr31::Header fingerprint;
    fingerprint.usage = "M7";
    fingerprint.algorithm = 'H';
    fingerprint.mode_of_use = 'C';
    auto other = ours(run_.station.hsm().export_block(fingerprint_key(), fingerprint, session_->kbpk()));
    if (!other) return std::unexpected(other.error());
    what.fingerprint_key_block = std::move(*other);
    return what;
  }

  std::string fingerprint_key() const { return "fingerprint/" + unit_.order.merchant; }

  Outcome<void> install() {
    const auto what = installation();
    if (!what) return std::unexpected(what.error());
    if (auto kept = ours(db().sent(attempt_.allocation, run_.clock())); !kept) return kept;
    at("sent");
    const auto installed = theirs(session_->install(*what));
    if (!installed) return std::unexpected(installed.error());
    const auto fingerprint = ours(run_.station.hsm().check_value(fingerprint_key()));
    if (!fingerprint) return std::unexpected(fingerprint.error());
    if (hex_case(installed->initial_key_check_value) != attempt_.key_check_value) {
      return refuse_unit(Exit::Data, "check_value", "the reader's initial key is not the one that was sent");
    }
    if (hex_case(installed->fingerprint_key_check_value) != hex_case(*fingerprint)) {
      return refuse_unit(Exit::Data, "check_value", "the reader's fingerprint key is not the one that was sent");
    }
    at("installed");
    return {};
  }

  Outcome<void> prove() {
    std::array<std::uint8_t, 32> challenge{};
    if (const auto filled = random_bytes(challenge); !filled) return refuse_station("the challenge", filled.error());
    const auto proof = theirs(session_->prove(challenge));
    if (!proof) return std::unexpected(proof.error());
    const std::string message = provisioning::proof_message(unit_.order.serial_number, challenge);
    if (!p256_verify(attempt_.certificate.public_key, bytes_of(message), proof->signature)) {
      return refuse_unit(Exit::Data, "proof", "the reader's signature is not by its certificate's key");
    }
    if (dukpt::initial_key_id(proof->ksn) != attempt_.allocation.initial_key_id ||
        !dukpt::is_transaction_counter(dukpt::transaction_counter(proof->ksn))) {
      return refuse_unit(Exit::Data, "proof", "the reader's key serial number is not of its initial key");
    }
    const auto kind = dukpt::aes_kind(attempt_.initial_key.size());
    if (!kind) return refuse_station("the DUKPT MAC key", kind.error());
    const auto key =
        dukpt::derive_working_key(attempt_.initial_key.view(), proof->ksn, dukpt::Usage::MacGeneration, *kind);
    if (!key) return refuse_station("the DUKPT MAC key", key.error());
    const auto mac = cmac(BlockCipher::Aes, key->view(), bytes_of(message));
    if (!mac) return refuse_station("the DUKPT MAC", mac.error());
    if (!equal_in_constant_time(*mac, proof->mac)) {
      return refuse_unit(Exit::Data, "proof", "the reader's MAC is not by a key of its initial key");
    }
    if (auto kept = ours(db().proven(attempt_.allocation, run_.clock())); !kept) return kept;
    at("proven");
    return {};
  }

  Outcome<void> commit() {
    if (auto done = theirs(session_->commit()); !done) return done;
    at("committed");
    return {};
  }

  // The certificate of an earlier life of the reader stays with the acquirer: a sealed export that was made then may
  // still be on its way, and is checked with it. A run that was cut off here finds its own certificate, which is none.
  Outcome<void> keep_former(const std::filesystem::path& file) const {
    std::error_code ignored;
    if (!std::filesystem::exists(file, ignored)) return {};
    const auto former = ours(read_file(file));
    if (!former) return std::unexpected(former.error());
    const auto certificate = x509::parse_certificate_pem(*former);
    if (certificate && certificate->public_key == attempt_.certificate.public_key) return {};
    const std::filesystem::path folder = file.parent_path() / "former" / unit_.order.serial_number;
    if (auto made = ours(make_folder(folder)); !made) return made;
    return ours(write_file(folder / (hex_lower(sha256(bytes_of(*former))).substr(0, 16) + ".pem"), *former));
  }

  // The acquirer's file comes before the record: a record says that everything is done.
  Outcome<UnitResult> finish(const Allocation& allocation) {
    if (!run_.recipe.acquirer_dir.empty()) {
      const std::filesystem::path readers = run_.recipe.acquirer_dir / "readers";
      if (auto made = ours(make_folder(readers)); !made) return std::unexpected(made.error());
      const auto file = readers / (unit_.order.serial_number + ".pem");
      if (auto kept = keep_former(file); !kept) return std::unexpected(kept.error());
      if (auto written = ours(write_file(file, attempt_.certificate.pem())); !written)
        return std::unexpected(written.error());
    }
    at("published");
    result_.duration_ms = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begun_).count();
    if (auto kept = ours(db().provisioned(allocation, result_.duration_ms, run_.clock())); !kept) {
      return std::unexpected(kept.error());
    }
    at("recorded");
    const auto unit = ours(db().find(unit_.order.serial_number));
    if (!unit || !*unit)
      return unit ? refuse_unit(Exit::Software, "station", "the record is gone") : std::unexpected(unit.error());
    result_.initial_key_id = (*unit)->initial_key_id;
    result_.key_check_value = (*unit)->key_check_value;
    result_.certificate = (*unit)->certificate;
    return result_;
  }

  const UnitRun& run_;
  const Unit& unit_;
  const CrashPoint& crash_;
  Clock::time_point begun_;
  std::unique_ptr<StationSession> session_;
  Attempt attempt_;
  UnitResult result_;
};

}  // namespace

std::string key_fingerprint(const x509::PublicKey& key) {
  return hex_lower(sha256(p256_to_spki_der(key)));
}

Refusal refusal_of(const provisioning::Failure& failure) {
  using Kind = provisioning::Failure::Kind;
  const auto made = [&](Exit exit, const char* word) {
    return Refusal{exit, std::string(word) + ": " + failure.message};
  };
  switch (failure.kind) {
    case Kind::Io: return made(Exit::Unavailable, "line");
    case Kind::Timeout: return made(Exit::Unavailable, "timeout");
    case Kind::Authentication: return made(Exit::Data, "authentication");
    case Kind::Protocol: return made(Exit::Data, "protocol");
    case Kind::Refused: return made(Exit::Unavailable, "refused");
  }
  return made(Exit::Software, "protocol");
}

CrashPoint crash_point_of_environment(const std::string& serial_number) {
#ifdef NIGHTDROP_RELEASE_KEYS
  static_cast<void>(serial_number);
  return {};
#else
  const char* wanted = std::getenv("NIGHTDROP_STATION_CRASH");
  if (wanted == nullptr) return {};
  const std::string_view text(wanted);
  const std::size_t colon = text.find(':');
  if (colon != std::string_view::npos && text.substr(colon + 1) != serial_number) return {};
  return [step = std::string(text.substr(0, colon))](const char* at) {
    if (step == at) _exit(86);
  };
#endif
}

Outcome<UnitResult> provision_unit(const UnitRun& run, const Unit& unit, provisioning::Stream& stream,
                                   const CrashPoint& crash) {
  return UnitSteps(run, unit, crash).all(stream);
}

Outcome<UnitResult> run_unit(const UnitRun& run, const Order& order) {
  const CrashPoint crash = crash_point_of_environment(order.serial_number);
  Outcome<UnitResult> done = refuse(Exit::Software, "station: not tried");
  // Twice where the commit's answer was lost: the reader is asked what became of it.
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto unit = run.station.db().take_order(order, run.clock());
    if (!unit) return refuse_station(unit.error());
    if (attempt > 0 && !unit->provisioned_in_part) break;
    auto stream = provisioning::connect(order.connection, Clock::now() + run.timeouts.step);
    if (!stream) {
      done = refuse_unit(Exit::Unavailable, "line", order.connection + ": " + stream.error().text);
    } else {
      done = provision_unit(run, *unit, **stream, crash);
    }
    if (done || done.error().exit != Exit::Unavailable) break;
  }
  if (!done) {
    if (const auto unit = run.station.db().find(order.serial_number); unit && *unit) {
      if (auto kept = run.station.db().set_aside((*unit)->unit, done.error().message, run.clock()); !kept)
        return refuse_station(kept.error());
    }
  }
  return done;
}

}  // namespace nightdrop::keys
