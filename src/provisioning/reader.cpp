// One session is a straight line: Hello, Auth, then requests in their order. A Hello may come at any time and begins
// anew; everything else that does not fit throws the session away (Broken).
#include "provisioning/reader.hpp"

#include <array>
#include <optional>
#include <utility>
#include <variant>

#include "crypto/p256.hpp"
#include "crypto/primitives.hpp"
#include "nightdrop/encoding.hpp"
#include "provisioning/channel.hpp"
#include "provisioning/frames.hpp"
#include "provisioning/handshake.hpp"
#include "provisioning/messages.hpp"

namespace nightdrop::provisioning {
namespace {

Deadline after(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

// How a session stops short of its end.
struct Broken {
  std::optional<AlertReason> alert;  // none: the other end knows already
  std::string why;
  std::optional<Frame> hello;  // the one that begins the next session
  std::optional<Error> line;   // the line itself failed
};
template <class T>
using Step = std::expected<T, Broken>;

std::unexpected<Broken> broken(AlertReason alert, std::string why) {
  return std::unexpected(Broken{alert, std::move(why), std::nullopt, std::nullopt});
}

std::unexpected<Broken> broken(const Error& error) {
  const Errc code = error.code;
  if (code == Errc::Unavailable) return broken(AlertReason::Timeout, error.text);
  if (code == Errc::WrongKey) return broken(AlertReason::Authentication, error.text);
  if (code == Errc::Malformed || code == Errc::Unsupported) return broken(AlertReason::Protocol, error.text);
  return std::unexpected(Broken{std::nullopt, error.text, std::nullopt, error});
}

// How far a session has come; each request needs the one before it.
enum class Stage : std::uint8_t { Open, IdentityMade, Installed, Proven };

}  // namespace

struct FactoryReader::State {
  FrameLine line;
  ReaderHome& home;
  x509::Certificate authority;
  std::function<UtcMs()> wall_clock;
  Note note;
  ReaderTimeouts timeouts;
  std::optional<Frame> pending_hello;
  bool asked{false};  // the present session has made a request

  // The next frame of that type.
  Step<Frame> expect(FrameType type, std::chrono::milliseconds time) {
    auto frame = line.read(after(time));
    if (!frame) return broken(frame.error());
    if (frame->type == FrameType::StationHello) {
      return std::unexpected(Broken{std::nullopt, "a new session", std::move(*frame), std::nullopt});
    }
    if (frame->type != type) return broken(AlertReason::Protocol, "a message out of its order");
    return std::move(*frame);
  }

  Step<void> send(FrameType type, std::span<const std::uint8_t> payload) {
    const auto sent = line.write(type, payload, after(timeouts.write));
    if (!sent) return broken(sent.error());
    return {};
  }

  Step<void> answer(Channel& channel, const Answer& what) {
    const auto record = channel.seal(bytes_of(encode(what)));
    if (!record) return broken(record.error());
    return send(FrameType::Record, *record);
  }

  // Our Hello to theirs, and what the station must prove by it.
  Step<Channel> handshake(const Frame& hello) {
    const auto theirs = decode_hello(hello.payload);
    if (!theirs) return broken(theirs.error());
    const auto ephemeral = p256_generate();
    if (!ephemeral) return broken(ephemeral.error());
    const auto point = p256_public_key(ephemeral->view());
    if (!point) return broken(point.error());
    // First of all: a Hello that is only garbage in a Hello's shape gets no answer that a station could take for its
    // own.
    const auto shared = p256_ecdh(ephemeral->view(), theirs->ephemeral);
    if (!shared) return broken(shared.error());
    SignedHello ours;
    ours.head.ephemeral = *point;
    if (const auto random = random_bytes(ours.head.nonce); !random) return broken(random.error());
    ours.facts = encode_facts(home.facts());
    auto signature = home.sign_with_factory_key(reader_signs(hello.payload, ours));
    if (!signature) return broken(signature.error());
    ours.signature = std::move(*signature);
    const Bytes reader_hello = encode_reader_hello(ours);
    if (auto sent = send(FrameType::ReaderHello, reader_hello); !sent) return std::unexpected(std::move(sent.error()));

    const auto frame = expect(FrameType::StationAuth, timeouts.auth);
    if (!frame) return std::unexpected(frame.error());
    const auto auth = decode_auth(frame->payload);
    if (!auth) return broken(auth.error());
    if (auto believed = believe(*auth, hello.payload, reader_hello); !believed) {
      return std::unexpected(std::move(believed.error()));
    }
    return Channel(End::Reader, derive_session_keys(shared->view(), hello.payload, reader_hello, *auth));
  }

  // That the station is one of the authority's, now, and that it is the one that speaks here.
  Step<void> believe(const Auth& auth, std::span<const std::uint8_t> station_hello,
                     std::span<const std::uint8_t> reader_hello) {
    std::vector<x509::Certificate> chain;
    for (const Bytes& der : auth.chain) {
      auto certificate = x509::parse_certificate(der);
      if (!certificate) return broken(AlertReason::Authentication, "a certificate of the station cannot be read");
      chain.push_back(std::move(*certificate));
    }
    const auto good = x509::verify_chain(chain, authority, wall_clock(), x509::Purpose::Station);
    if (!good)
      return broken(AlertReason::Authentication, std::string("the station's certificate: ") + good.error().text);
    const auto proven =
        p256_verify(chain.front().public_key, station_signs(station_hello, reader_hello, auth), auth.signature);
    if (!proven) return broken(AlertReason::Authentication, "the station's proof is not by its certificate's key");
    return {};
  }

  Step<Ended> session(const Frame& hello) {
    asked = false;
    auto opened = handshake(hello);
    if (!opened) return std::unexpected(std::move(opened.error()));
    Channel channel = std::move(*opened);
    if (auto sent = answer(channel, Ready{}); !sent) return std::unexpected(std::move(sent.error()));
    const bool provisioned = home.facts().state == ReaderState::Provisioned;
    Stage stage = Stage::Open;
    while (true) {
      const auto frame = expect(FrameType::Record, timeouts.request);
      if (!frame) return std::unexpected(frame.error());
      const auto record = channel.open(frame->payload);
      if (!record) return broken(AlertReason::Authentication, "not the station's next record");
      const auto bytes = record->view();
      const auto request = decode_request({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
      const OrReason<Answer> done =
          request ? carry_out(*request, channel, provisioned, stage) : std::unexpected(request.error());
      auto sent = answer(channel, done ? *done : Answer(Refused{done.error()}));
      // What has happened has, whether or not the station hears of it.
      if (done && std::holds_alternative<Committed>(*done)) return Ended::Committed;
      if (done && std::holds_alternative<Erased>(*done)) return Ended::Erased;
      if (!sent) return std::unexpected(std::move(sent.error()));
      if (!done) return std::unexpected(Broken{std::nullopt, "refused: " + done.error(), std::nullopt, std::nullopt});
    }
  }

  OrReason<Answer> carry_out(const Request& request, const Channel& channel, bool provisioned, Stage& stage) {
    asked = true;
    if (const auto* erase = std::get_if<Erase>(&request)) {
      if (!provisioned) return std::unexpected("state: the reader is in factory state, there is nothing to erase");
      if (auto erased = home.erase(erase->order); !erased) return std::unexpected(std::move(erased.error()));
      return Erased{};
    }
    if (provisioned) return std::unexpected("state: the reader is provisioned; an erase order comes first");
    if (const auto* identity = std::get_if<MakeIdentity>(&request)) {
      stage = Stage::Open;
      auto made = home.make_identity(identity->common_name);
      if (!made) return std::unexpected(std::move(made.error()));
      stage = Stage::IdentityMade;
      return IdentityMade{std::move(*made)};
    }
    if (const auto* install = std::get_if<Installation>(&request)) {
      if (stage != Stage::IdentityMade) return std::unexpected("type: install comes once, after make_identity");
      auto installed = home.install(*install, channel.kbpk());
      if (!installed) return std::unexpected(std::move(installed.error()));
      stage = Stage::Installed;
      return std::move(*installed);
    }
    if (const auto* prove = std::get_if<Prove>(&request)) {
      if (stage != Stage::Installed && stage != Stage::Proven)
        return std::unexpected("type: prove comes after install");
      auto proof = home.prove(prove->challenge);
      if (!proof) return std::unexpected(std::move(proof.error()));
      stage = Stage::Proven;
      return std::move(*proof);
    }
    if (stage != Stage::Proven) return std::unexpected("type: commit comes after prove");
    if (auto done = home.commit(); !done) return std::unexpected(std::move(done.error()));
    return Committed{};
  }

  Result<Frame> next_hello() {
    if (pending_hello) return std::move(*std::exchange(pending_hello, std::nullopt));
    return line.find(FrameType::StationHello, never);
  }
};

FactoryReader::FactoryReader(Stream& stream, ReaderHome& home, x509::Certificate authority,
                             std::function<UtcMs()> wall_clock, Note note, const ReaderTimeouts& timeouts)
    : state_(new State{FrameLine(stream, timeouts.gap), home, std::move(authority), std::move(wall_clock),
                       std::move(note), timeouts, std::nullopt, false}) {}

FactoryReader::~FactoryReader() = default;

Result<FactoryReader::Ended> FactoryReader::serve() {
  while (true) {
    const auto hello = state_->next_hello();
    if (!hello && hello.error().code == Errc::NotFound) return Ended::LineGone;
    if (!hello) return std::unexpected(hello.error());
    auto ended = state_->session(*hello);
    if (ended) return *ended;
    state_->home.forget_staged();
    Broken& why = ended.error();
    // A station may ask who a reader is and go away.
    const bool was_asked_who = why.line && why.line->code == Errc::NotFound && !state_->asked;
    if (state_->note && !was_asked_who) state_->note("the session ended: " + why.why);
    if (why.line) {
      if (why.line->code == Errc::NotFound) return Ended::LineGone;
      if (why.line->code == Errc::Io) return std::unexpected(*why.line);
    }
    if (why.hello) {
      state_->pending_hello = std::move(why.hello);
      continue;
    }
    // The frame that broke the session may have swallowed the Hello of the next one.
    state_->line.reject();
    if (!why.alert) continue;
    const std::array alert{static_cast<std::uint8_t>(*why.alert)};
    (void)state_->line.write(FrameType::Alert, alert, after(state_->timeouts.write));
  }
}

}  // namespace nightdrop::provisioning
