#include "provisioning/station.hpp"

#include <utility>

#include "crypto/p256.hpp"
#include "crypto/primitives.hpp"
#include "nightdrop/encoding.hpp"
#include "provisioning/channel.hpp"
#include "provisioning/frames.hpp"
#include "provisioning/handshake.hpp"
#include "provisioning/messages.hpp"

namespace nightdrop::provisioning {
namespace {

using Kind = Failure::Kind;

Deadline after(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

std::unexpected<Failure> fail(Kind kind, std::string message) {
  return std::unexpected(Failure{kind, std::move(message)});
}

std::unexpected<Failure> fail(const Error& error) {
  const Errc code = error.code;
  if (code == Errc::Unavailable) return fail(Kind::Timeout, "the reader does not answer in time");
  if (code == Errc::NotFound) return fail(Kind::Io, "the reader has closed the line");
  if (code == Errc::WrongKey) return fail(Kind::Authentication, error.text);
  if (code == Errc::Malformed || code == Errc::Unsupported) return fail(Kind::Protocol, error.text);
  return fail(Kind::Io, error.text);
}

Failure failure_of_alert(const Frame& alert) {
  const auto reason = alert.payload.size() == 1 ? static_cast<AlertReason>(alert.payload[0]) : AlertReason::Protocol;
  switch (reason) {
    case AlertReason::Authentication:
      return {Kind::Authentication, "the reader does not believe this station, or the line changed what was sent"};
    case AlertReason::Timeout: return {Kind::Timeout, "the reader waited too long for this station"};
    case AlertReason::Protocol: break;
  }
  return {Kind::Protocol, "the reader ended the session"};
}

}  // namespace

std::string proof_message(std::string_view serial_number, std::span<const std::uint8_t, 32> challenge) {
  return std::string("nightdrop-proof/1\n").append(serial_number).append("\n").append(hex_lower(challenge));
}

struct StationSession::State {
  State(Stream& stream, const Timeouts& given) : line(stream, given.gap), timeouts(given) {}

  FrameLine line;
  Timeouts timeouts;
  ReaderHello reader;
  std::unique_ptr<Channel> channel;
  bool over{false};

  Expected<Answer> receive() {
    const auto frame = line.read(after(timeouts.step));
    if (!frame) return fail(frame.error());
    if (frame->type == FrameType::Alert) return std::unexpected(failure_of_alert(*frame));
    if (frame->type != FrameType::Record) return fail(Kind::Protocol, "the reader sent another kind of message");
    const auto opened = channel->open(frame->payload);
    if (!opened) return fail(Kind::Authentication, "what came is not the reader's next record");
    const auto bytes = opened->view();
    auto answer = decode_answer({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    if (!answer) return fail(Kind::Protocol, "the reader's answer: " + answer.error());
    if (const auto* refused = std::get_if<Refused>(&*answer)) return fail(Kind::Refused, refused->reason);
    return std::move(*answer);
  }

  // One request and the answer that belongs to it. Any failure ends the session.
  template <class Wanted>
  Expected<Wanted> ask(const Request& request) {
    if (over) return fail(Kind::Protocol, "the session is over");
    over = true;
    const auto record = channel->seal(bytes_of(encode(request)));
    if (!record) return fail(Kind::Protocol, record.error().text);
    if (const auto sent = line.write(FrameType::Record, *record, after(timeouts.step)); !sent)
      return fail(sent.error());
    auto answer = receive();
    if (!answer) return std::unexpected(answer.error());
    auto* wanted = std::get_if<Wanted>(&*answer);
    if (wanted == nullptr) return fail(Kind::Protocol, "the reader answered something else");
    over = false;
    return std::move(*wanted);
  }
};

namespace {

// The reader's Hello, and that it is the answer to ours by the factory key that it names.
Expected<SignedHello> read_hello(const Frame& frame, std::span<const std::uint8_t> station_hello, ReaderHello& facts) {
  auto hello = decode_reader_hello(frame.payload);
  if (!hello) return fail(hello.error());
  const auto read = decode_facts(hello->facts);
  if (!read) return fail(read.error());
  if (!p256_verify(read->factory_key, reader_signs(station_hello, *hello), hello->signature)) {
    return fail(Kind::Authentication, "the reader's Hello is not signed by its factory key for this session");
  }
  facts = *read;
  return std::move(*hello);
}

Expected<Auth> make_auth(const StationIdentity& identity, std::span<const std::uint8_t> station_hello,
                         std::span<const std::uint8_t> reader_hello) {
  Auth auth;
  for (const x509::Certificate& certificate : identity.chain) auth.chain.push_back(certificate.der);
  auto signature = identity.signer.sign(sha256(station_signs(station_hello, reader_hello, auth)));
  if (!signature) return fail(Kind::Io, std::string("the station's key does not sign: ") + signature.error().text);
  auth.signature = std::move(*signature);
  return auth;
}

}  // namespace

Expected<std::unique_ptr<StationSession>> StationSession::open(
    Stream& stream, const StationIdentity& identity,
    const std::function<std::expected<void, std::string>(const ReaderHello&)>& accept, const Timeouts& timeouts) {
  auto state = std::make_unique<State>(stream, timeouts);
  const auto ephemeral = p256_generate();
  if (!ephemeral) return fail(ephemeral.error());
  HelloHead ours;
  const auto point = p256_public_key(ephemeral->view());
  if (!point) return fail(point.error());
  ours.ephemeral = *point;
  if (const auto random = random_bytes(ours.nonce); !random) return fail(random.error());
  const Bytes hello = encode_hello(ours);
  const Deadline by = after(timeouts.step);
  if (const auto sent = state->line.write(FrameType::StationHello, hello, by); !sent) return fail(sent.error());

  const auto frame = state->line.find(FrameType::ReaderHello, by);
  if (!frame) return fail(frame.error());
  const auto theirs = read_hello(*frame, hello, state->reader);
  if (!theirs) return std::unexpected(theirs.error());
  if (const auto accepted = accept(state->reader); !accepted) return fail(Kind::Authentication, accepted.error());

  const auto auth = make_auth(identity, hello, frame->payload);
  if (!auth) return std::unexpected(auth.error());
  const auto shared = p256_ecdh(ephemeral->view(), theirs->head.ephemeral);
  if (!shared) return fail(shared.error());
  state->channel =
      std::make_unique<Channel>(End::Station, derive_session_keys(shared->view(), hello, frame->payload, *auth));
  const auto sent = state->line.write(FrameType::StationAuth, encode_auth(*auth), after(timeouts.step));
  if (!sent) return fail(sent.error());
  const auto ready = state->receive();
  if (!ready) return std::unexpected(ready.error());
  if (!std::holds_alternative<Ready>(*ready)) return fail(Kind::Protocol, "the reader answered something else");
  return std::unique_ptr<StationSession>(new StationSession(std::move(state)));
}

StationSession::StationSession(std::unique_ptr<State> state) : state_(std::move(state)) {}
StationSession::~StationSession() = default;

const ReaderHello& StationSession::reader() const {
  return state_->reader;
}
std::span<const std::uint8_t> StationSession::kbpk() const {
  return state_->channel->kbpk();
}

Expected<x509::Bytes> StationSession::make_identity(std::string_view common_name) {
  auto made = state_->ask<IdentityMade>(MakeIdentity{std::string(common_name)});
  if (!made) return std::unexpected(made.error());
  return std::move(made->request);
}

Expected<Installed> StationSession::install(const Installation& what) {
  return state_->ask<Installed>(what);
}

Expected<Proof> StationSession::prove(std::span<const std::uint8_t, 32> challenge) {
  Prove request;
  std::copy(challenge.begin(), challenge.end(), request.challenge.begin());
  return state_->ask<Proof>(request);
}

Expected<void> StationSession::commit() {
  const auto done = state_->ask<Committed>(Commit{});
  state_->over = true;
  if (!done) return std::unexpected(done.error());
  return {};
}

Expected<void> StationSession::erase(std::string_view order) {
  const auto done = state_->ask<Erased>(Erase{std::string(order)});
  state_->over = true;
  if (!done) return std::unexpected(done.error());
  return {};
}

}  // namespace nightdrop::provisioning
