// What the tests of the provisioning session share: a manufacturing CA with a station, a home that only notes what it
// was asked for, a reader that serves one end of a socketpair on a thread, and a line in between that can do harm.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "crypto/p256.hpp"
#include "provisioning/frames.hpp"
#include "provisioning/reader.hpp"
#include "provisioning/station.hpp"
#include "x509/memory_key.hpp"

namespace nightdrop::provisioning {

inline constexpr UtcMs test_now = 1'800'000'000'000;
inline constexpr UtcMs a_day = 86'400'000;
inline constexpr Timeouts quick_station{std::chrono::milliseconds(2'000), std::chrono::milliseconds(200)};

class Authority {
 public:
  explicit Authority(const std::string& name = "Nightdrop test manufacturing CA", UtcMs now = test_now)
      : now_(now),
        key_(x509::MemoryKey::generate().value()),
        certificate_(x509::make_authority(key_.signer(), {.common_name = name,
                                                          .serial_number = "01",
                                                          .not_before = now_ - a_day,
                                                          .not_after = now_ + 1000 * a_day,
                                                          .purpose = x509::Purpose::Authority,
                                                          .hosts = {}})
                         .value()) {}

  x509::Certificate issue(const x509::PublicKey& key, const std::string& name, x509::Purpose purpose) const {
    return issue(key, name, purpose, now_ + 100 * a_day);
  }
  x509::Certificate issue(const x509::PublicKey& key, const std::string& name, x509::Purpose purpose,
                          UtcMs not_after) const {
    return x509::issue(key_.signer(), certificate_, key,
                       {.common_name = name,
                        .serial_number = std::to_string(++issued_ + 10),
                        .not_before = now_ - a_day,
                        .not_after = not_after,
                        .purpose = purpose,
                        .hosts = {}})
        .value();
  }
  const x509::Certificate& certificate() const { return certificate_; }
  UtcMs now() const { return now_; }

 private:
  UtcMs now_;
  x509::MemoryKey key_;
  x509::Certificate certificate_;
  mutable int issued_{0};
};

// A station and the key it signs with.
struct Station {
  explicit Station(const Authority& authority, x509::Purpose purpose = x509::Purpose::Station)
      : Station(authority, purpose, authority.now() + 100 * a_day) {}
  Station(const Authority& authority, x509::Purpose purpose, UtcMs not_after)
      : key(x509::MemoryKey::generate().value()) {
    identity.chain = {authority.issue(key.public_key(), "Station 1", purpose, not_after)};
    identity.signer = key.signer();
  }
  x509::MemoryKey key;
  StationIdentity identity;
};

// Notes what happens; `staged` is what a real home would have to wipe.
class NotingHome final : public ReaderHome {
 public:
  ReaderHello facts() const override { return hello; }
  Result<x509::Bytes> sign_with_factory_key(std::span<const std::uint8_t> message) override {
    return p256_sign(factory_key.view(), message);
  }
  OrReason<x509::Bytes> make_identity(std::string_view) override {
    staged = true;
    return x509::Bytes{1, 2, 3};
  }
  OrReason<Installed> install(const Installation& what, std::span<const std::uint8_t> given) override {
    kbpk.assign(given.begin(), given.end());
    installation = what;
    if (!refusal.empty()) return std::unexpected(refusal);
    return Installed{"0123456789", "ABCDEF0123"};
  }
  OrReason<Proof> prove(std::span<const std::uint8_t, 32>) override {
    return Proof{x509::Bytes(70, 7), {}, x509::Bytes(16, 9)};
  }
  OrReason<void> commit() override {
    ++commits;
    staged = false;
    hello.state = ReaderState::Provisioned;
    hello.certificate_serial = "0a";
    hello.initial_key_id = "0011223344556677";
    return {};
  }
  OrReason<void> erase(std::string_view) override {
    ++erasures;
    hello.state = ReaderState::Factory;
    return {};
  }
  void forget_staged() override {
    ++forgotten;
    staged = false;
  }

  Secret<32> factory_key{p256_generate().value()};
  ReaderHello hello{.serial_number = "ND000007",
                    .factory_key = p256_public_key(factory_key.view()).value(),
                    .state = ReaderState::Factory,
                    .firmware_version = "0.1.0",
                    .certificate_serial = {},
                    .initial_key_id = {}};
  std::string refusal;
  bool staged{false};
  int commits{0}, erasures{0}, forgotten{0};
  Installation installation;
  std::vector<std::uint8_t> kbpk;
};

// Two ends of a line; whoever takes one closes it.
inline std::pair<int, int> make_line() {
  int ends[2];
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  return {ends[0], ends[1]};
}

// Serves one stream until its other end is gone.
class ServedReader {
 public:
  ServedReader(std::unique_ptr<Stream> stream, ReaderHome& home, const Authority& authority,
               std::chrono::milliseconds gap = std::chrono::milliseconds(50))
      : stream_(std::move(stream)),
        reader_(
            *stream_, home, authority.certificate(), [] { return test_now; },
            [this](const std::string& note) { notes_.push_back(note); },
            {std::chrono::seconds(2), std::chrono::seconds(2), std::chrono::seconds(2), gap}),
        thread_([this] { serve(); }) {}
  ~ServedReader() { join(); }
  // Requires: the other end is closed. Gives what ended each session.
  const std::vector<std::string>& join() {
    if (thread_.joinable()) thread_.join();
    return notes_;
  }

 private:
  void serve() {
    while (true) {
      const auto ended = reader_.serve();
      if (!ended || *ended == FactoryReader::Ended::LineGone) break;
    }
    stream_.reset();  // as a process that ends: the station sees it
  }

  std::unique_ptr<Stream> stream_;
  std::vector<std::string> notes_;
  FactoryReader reader_;
  std::thread thread_;
};

// A stream whose writes pass through `harm`, which gives what really goes out.
class HarmedStream final : public Stream {
 public:
  using Harm = std::function<std::vector<std::uint8_t>(std::span<const std::uint8_t>)>;
  HarmedStream(std::unique_ptr<Stream> inner, Harm harm) : inner_(std::move(inner)), harm_(std::move(harm)) {}
  Result<std::size_t> read_some(std::span<std::uint8_t> into, Deadline deadline) override {
    return inner_->read_some(into, deadline);
  }
  Result<void> write_all(std::span<const std::uint8_t> bytes, Deadline deadline) override {
    return inner_->write_all(harm_(bytes), deadline);
  }

 private:
  std::unique_ptr<Stream> inner_;
  Harm harm_;
};

inline std::expected<void, std::string> anybody(const ReaderHello&) {
  return {};
}

inline Installation small_installation() {
  return {{{"nightdrop.json", "{}\n"}}, "D0000B1", "D0000M7", false};
}

// A whole provisioning; the first step that failed, or the proof.
inline Expected<Proof> provision(Stream& stream, const StationIdentity& identity,
                                 const Timeouts& timeouts = quick_station) {
  auto session = StationSession::open(stream, identity, anybody, timeouts);
  if (!session) return std::unexpected(session.error());
  if (auto made = (*session)->make_identity("ND000007"); !made) return std::unexpected(made.error());
  if (auto done = (*session)->install(small_installation()); !done) return std::unexpected(done.error());
  auto proof = (*session)->prove(std::array<std::uint8_t, 32>{});
  if (!proof) return proof;
  if (auto done = (*session)->commit(); !done) return std::unexpected(done.error());
  return proof;
}

}  // namespace nightdrop::provisioning
