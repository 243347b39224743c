// CurlHostLink against a real TLS server on loopback: what is a reply, what was surely not sent, and what is unknown.
#include "hal/linux/curl_host_link.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <thread>

#include <sys/socket.h>
#include <unistd.h>

#include "test_loop.hpp"
#include "tls_server.hpp"

namespace nightdrop::hal {
namespace {

using test::http_reply;
using test::Pki;
using test::Port;
using test::Reaction;
using test::SeenRequest;
using test::TlsServer;
using ::testing::HasSubstr;
using ::testing::Not;

class CurlHostLinkTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { pki_ = std::make_unique<Pki>(); }
  static void TearDownTestSuite() { pki_.reset(); }

  CurlHostLinkConfig config(const std::string& address) const {
    CurlHostLinkConfig config;
    config.base_url = "https://acquirer.test:8443";
    config.ca_pem = test::pem(pki_->ca.get());
    config.client_cert_pem = test::pem(pki_->reader.get());
    config.serial = "ND000001";
    for (RouteBinding& route : config.routes) route.connect_to = address;
    return config;
  }
  std::unique_ptr<CurlHostLink> link(const CurlHostLinkConfig& config) {
    auto made = CurlHostLink::create(config, vault_, loop_.post());
    EXPECT_TRUE(made.has_value());
    return made ? std::move(*made) : nullptr;
  }
  static HostRequest request(std::chrono::milliseconds timeout = test::patience) {
    HostRequest request;
    request.method = "POST";
    request.path = "/v1/payments";
    request.headers = {{"Idempotency-Key", "pi_1"}, {"Content-Type", "application/json"}};
    request.body = R"({"id":"pi_1"})";
    request.timeout = timeout;
    return request;
  }
  // Sends and waits for the one completion.
  HostOutcome exchange(CurlHostLink& host, HostRequest what) {
    std::optional<HostOutcome> outcome;
    host.send(std::move(what), [&](HostOutcome result) {
      EXPECT_FALSE(outcome.has_value()) << "completed twice";
      outcome = std::move(result);
    });
    EXPECT_FALSE(outcome.has_value()) << "completed from inside send()";
    EXPECT_TRUE(loop_.run_until([&] { return outcome.has_value(); }));
    return outcome.value_or(HostOutcome(Unknown{"the test saw no completion"}));
  }
  HostOutcome exchange_with(const std::string& address, HostRequest what) {
    const auto host = link(config(address));
    return exchange(*host, std::move(what));
  }

  static inline std::unique_ptr<Pki> pki_;
  test::TestLoop loop_;
  test::SigningVault vault_{pki_->reader_key.get()};
};

std::string head_of(const HostOutcome& outcome) {
  if (const auto* reply = std::get_if<HostReply>(&outcome)) return "reply " + std::to_string(reply->status);
  if (const auto* not_sent = std::get_if<NotSent>(&outcome)) {
    return std::string(not_sent->timed_out ? "not sent, timed out: " : "not sent: ") + not_sent->why;
  }
  const auto& unknown = std::get<Unknown>(outcome);
  return std::string(unknown.timed_out ? "unknown, timed out: " : "unknown: ") + unknown.why;
}
bool is_not_sent(const HostOutcome& outcome, bool timed_out) {
  const auto* not_sent = std::get_if<NotSent>(&outcome);
  return not_sent != nullptr && not_sent->timed_out == timed_out;
}
bool is_unknown(const HostOutcome& outcome, bool timed_out) {
  const auto* unknown = std::get_if<Unknown>(&outcome);
  return unknown != nullptr && unknown->timed_out == timed_out;
}

TEST_F(CurlHostLinkTest, CarriesARequestUnderMutualTlsThatTheVaultSigned) {
  std::mutex mutex;
  std::vector<SeenRequest> seen;
  TlsServer server(*pki_, [&](const SeenRequest& request) {
    const std::lock_guard lock(mutex);
    seen.push_back(request);
    return Reaction{http_reply(200, R"({"outcome":"approved"})", "Idempotency-Replayed: true\r\nX-Empty:\r\n")};
  });
  const HostOutcome outcome = exchange_with(server.address(), request());
  ASSERT_TRUE(std::holds_alternative<HostReply>(outcome)) << head_of(outcome);
  const auto& reply = std::get<HostReply>(outcome);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, R"({"outcome":"approved"})");
  EXPECT_FALSE(reply.too_long);
  EXPECT_THAT(reply.headers, ::testing::Contains(::testing::Pair("idempotency-replayed", "true")));
  EXPECT_THAT(reply.headers, ::testing::Contains(::testing::Pair("x-empty", "")));
  const std::lock_guard lock(mutex);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].client_name, "ND000001");
  EXPECT_EQ(seen[0].body, R"({"id":"pi_1"})");
  EXPECT_THAT(seen[0].head, HasSubstr("POST /v1/payments HTTP/1.1\r\n"));
  EXPECT_THAT(seen[0].head, HasSubstr("Idempotency-Key: pi_1\r\n"));
  EXPECT_THAT(seen[0].head, HasSubstr("Nightdrop-Reader: ND000001\r\n"));
  EXPECT_THAT(seen[0].head, Not(HasSubstr("Expect:")));
  EXPECT_EQ(vault_.signatures, 1);
}

TEST_F(CurlHostLinkTest, ARefusedConnectionIsNotSent) {
  const Port refusing(Port::Kind::Refusing);
  const HostOutcome outcome = exchange_with(refusing.address(), request());
  EXPECT_TRUE(is_not_sent(outcome, false)) << head_of(outcome);
}

TEST_F(CurlHostLinkTest, ACutAfterTheRequestIsUnknown) {
  TlsServer server(*pki_, [](const SeenRequest&) { return Reaction{.close = true}; });
  const HostOutcome outcome = exchange_with(server.address(), request());
  EXPECT_TRUE(is_unknown(outcome, false)) << head_of(outcome);
}

TEST_F(CurlHostLinkTest, ACutWithinTheReplyIsUnknown) {
  TlsServer server(*pki_, [](const SeenRequest&) {
    return Reaction{.raw = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"outcome\":\"appr", .close = true};
  });
  const HostOutcome outcome = exchange_with(server.address(), request());
  EXPECT_TRUE(is_unknown(outcome, false)) << head_of(outcome);
}

TEST_F(CurlHostLinkTest, AServerOfAnotherCaIsNotSent) {
  const Pki other;
  TlsServer server(other, [](const SeenRequest&) { return Reaction{http_reply(200, "{}")}; });
  const HostOutcome outcome = exchange_with(server.address(), request());
  EXPECT_TRUE(is_not_sent(outcome, false)) << head_of(outcome);
  EXPECT_EQ(server.requests(), 0);
}

TEST_F(CurlHostLinkTest, AServerOfAnotherNameIsNotSent) {
  TlsServer server(*pki_, [](const SeenRequest&) { return Reaction{http_reply(200, "{}")}; });
  CurlHostLinkConfig elsewhere = config(server.address());
  elsewhere.base_url = "https://other.test:8443";
  const auto host = link(elsewhere);
  const HostOutcome outcome = exchange(*host, request());
  EXPECT_TRUE(is_not_sent(outcome, false)) << head_of(outcome);
  EXPECT_EQ(server.requests(), 0);
}

TEST_F(CurlHostLinkTest, APortalWithoutTlsIsNotSent) {
  const Port port(Port::Kind::Listening);
  std::thread portal([&] {
    const int fd = accept(port.fd(), nullptr, nullptr);
    const std::string page = http_reply(302, "", "Location: http://portal.test/\r\n");
    [[maybe_unused]] const ssize_t sent = send(fd, page.data(), page.size(), MSG_NOSIGNAL);
    char byte = 0;
    while (read(fd, &byte, 1) > 0) {
    }
    close(fd);
  });
  const HostOutcome outcome = exchange_with(port.address(), request());
  portal.join();
  EXPECT_TRUE(is_not_sent(outcome, false)) << head_of(outcome);
}

TEST_F(CurlHostLinkTest, SilenceBeforeTheHandshakeIsNotSentAndTimedOut) {
  const Port silent(Port::Kind::Listening);  // the kernel takes the connection, nobody reads it
  const HostOutcome outcome = exchange_with(silent.address(), request(std::chrono::milliseconds(150)));
  EXPECT_TRUE(is_not_sent(outcome, true)) << head_of(outcome);
}

TEST_F(CurlHostLinkTest, SilenceAfterTheRequestIsUnknownAndTimedOut) {
  TlsServer server(*pki_, [](const SeenRequest&) { return Reaction{.hold = true}; });
  const HostOutcome outcome = exchange_with(server.address(), request(std::chrono::milliseconds(1500)));
  EXPECT_TRUE(is_unknown(outcome, true)) << head_of(outcome);
  EXPECT_EQ(server.requests(), 1);
}

TEST_F(CurlHostLinkTest, AVaultThatDoesNotSignIsNotSent) {
  TlsServer server(*pki_, [](const SeenRequest&) { return Reaction{http_reply(200, "{}")}; });
  vault_.broken = true;
  const HostOutcome outcome = exchange_with(server.address(), request());
  EXPECT_TRUE(is_not_sent(outcome, false)) << head_of(outcome);
  EXPECT_EQ(server.requests(), 0);
}

TEST_F(CurlHostLinkTest, WithoutACertificateThereIsNoReply) {
  TlsServer server(*pki_, [](const SeenRequest&) { return Reaction{http_reply(200, "{}")}; });
  CurlHostLinkConfig anonymous = config(server.address());
  anonymous.client_cert_pem.clear();
  const auto host = link(anonymous);
  const HostOutcome outcome = exchange(*host, request());
  EXPECT_FALSE(std::holds_alternative<HostReply>(outcome)) << head_of(outcome);
  EXPECT_EQ(server.requests(), 0);
}

TEST_F(CurlHostLinkTest, Tls12IsSpokenOnlyWhereItIsAllowed) {
  TlsServer server(*pki_, [](const SeenRequest&) { return Reaction{http_reply(200, "{}")}; }, TLS1_2_VERSION);
  const HostOutcome refused = exchange_with(server.address(), request());
  EXPECT_TRUE(is_not_sent(refused, false)) << head_of(refused);
  CurlHostLinkConfig lenient = config(server.address());
  lenient.allow_tls_1_2 = true;
  const auto host = link(lenient);
  const HostOutcome allowed = exchange(*host, request());
  EXPECT_TRUE(std::holds_alternative<HostReply>(allowed)) << head_of(allowed);
  EXPECT_EQ(vault_.signatures, 1);
}

TEST_F(CurlHostLinkTest, MoreThan64KiBIsCutAndSaid) {
  TlsServer server(*pki_,
                   [](const SeenRequest&) { return Reaction{http_reply(200, std::string(reply_bytes_max + 1, 'x'))}; });
  const HostOutcome outcome = exchange_with(server.address(), request());
  ASSERT_TRUE(std::holds_alternative<HostReply>(outcome)) << head_of(outcome);
  EXPECT_TRUE(std::get<HostReply>(outcome).too_long);
  EXPECT_EQ(std::get<HostReply>(outcome).body.size(), reply_bytes_max);
}

TEST_F(CurlHostLinkTest, Exactly64KiBIsWhole) {
  TlsServer server(*pki_,
                   [](const SeenRequest&) { return Reaction{http_reply(200, std::string(reply_bytes_max, 'x'))}; });
  const HostOutcome outcome = exchange_with(server.address(), request());
  ASSERT_TRUE(std::holds_alternative<HostReply>(outcome)) << head_of(outcome);
  EXPECT_FALSE(std::get<HostReply>(outcome).too_long);
  EXPECT_EQ(std::get<HostReply>(outcome).body.size(), reply_bytes_max);
}

TEST_F(CurlHostLinkTest, ARedirectIsAnAnswerAndIsNotFollowed) {
  TlsServer server(*pki_, [](const SeenRequest&) { return Reaction{http_reply(302, "", "Location: /elsewhere\r\n")}; });
  const HostOutcome outcome = exchange_with(server.address(), request());
  ASSERT_TRUE(std::holds_alternative<HostReply>(outcome)) << head_of(outcome);
  EXPECT_EQ(std::get<HostReply>(outcome).status, 302);
  EXPECT_EQ(server.requests(), 1);
}

TEST_F(CurlHostLinkTest, TwentyRequestsAreUnderWayAtOnceAndEachGetsItsOwnReply) {
  constexpr int count = 20;
  std::mutex mutex;
  std::condition_variable all_in;
  int in = 0;
  TlsServer server(*pki_, [&](const SeenRequest& request) {
    std::unique_lock lock(mutex);
    if (++in == count) all_in.notify_all();
    const bool together = all_in.wait_for(lock, test::patience, [&] { return in >= count; });
    return Reaction{http_reply(together ? 200 : 500, request.body)};
  });
  const auto host = link(config(server.address()));
  int done = 0;
  for (int i = 0; i < count; ++i) {
    HostRequest one = request();
    one.body = std::to_string(i);
    host->send(std::move(one), [&done, i](HostOutcome outcome) {
      ++done;
      ASSERT_TRUE(std::holds_alternative<HostReply>(outcome)) << head_of(outcome);
      EXPECT_EQ(std::get<HostReply>(outcome).status, 200);
      EXPECT_EQ(std::get<HostReply>(outcome).body, std::to_string(i));
    });
  }
  EXPECT_TRUE(loop_.run_until([&] { return done == count; }));
  EXPECT_EQ(server.connections(), count);
}

TEST_F(CurlHostLinkTest, AConnectionIsKeptForItsRouteAloneAndForgottenWithIt) {
  TlsServer server(*pki_, [](const SeenRequest&) { return Reaction{http_reply(200, "{}")}; });
  const auto host = link(config(server.address()));
  HostRequest over_wifi = request();
  HostRequest over_cellular = request();
  over_cellular.route = Route::Cellular;
  exchange(*host, over_wifi);
  exchange(*host, over_wifi);
  EXPECT_EQ(server.connections(), 1);
  exchange(*host, over_cellular);
  EXPECT_EQ(server.connections(), 2);
  host->drop_route(Route::Wifi);
  exchange(*host, over_wifi);
  EXPECT_EQ(server.connections(), 3);
  exchange(*host, over_cellular);
  EXPECT_EQ(server.connections(), 3);
  EXPECT_EQ(server.requests(), 5);
}

TEST_F(CurlHostLinkTest, AKeptConnectionThatTheServerClosedIsReplaced) {
  TlsServer server(*pki_, [](const SeenRequest&) { return Reaction{.raw = http_reply(200, "{}"), .close = true}; });
  const auto host = link(config(server.address()));
  for (int i = 1; i <= 3; ++i) {
    const HostOutcome outcome = exchange(*host, request());
    EXPECT_TRUE(std::holds_alternative<HostReply>(outcome)) << head_of(outcome);
    EXPECT_EQ(server.connections(), i);
  }
  EXPECT_EQ(vault_.signatures, 1) << "the TLS session is resumed, the vault need not sign each time";
}

// A handler that says when a request came in, and then does not answer.
struct Holding {
  std::mutex mutex;
  std::condition_variable changed;
  int seen{0};
  TlsServer::Handler handler() {
    return [this](const SeenRequest&) {
      const std::lock_guard lock(mutex);
      ++seen;
      changed.notify_all();
      return Reaction{.hold = true};
    };
  }
  bool wait_for(int count) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, test::patience, [&] { return seen >= count; });
  }
};

TEST_F(CurlHostLinkTest, DroppingARouteEndsWhatIsInFlightOnItAlone) {
  Holding holding;
  TlsServer server(*pki_, holding.handler());
  const auto host = link(config(server.address()));
  std::optional<HostOutcome> wifi;
  std::optional<HostOutcome> cellular;
  HostRequest over_cellular = request();
  over_cellular.route = Route::Cellular;
  host->send(request(), [&](HostOutcome outcome) { wifi = outcome; });
  host->send(over_cellular, [&](HostOutcome outcome) { cellular = outcome; });
  ASSERT_TRUE(holding.wait_for(2));
  host->drop_route(Route::Wifi);
  ASSERT_TRUE(loop_.run_until([&] { return wifi.has_value(); }));
  EXPECT_TRUE(is_unknown(*wifi, false)) << head_of(*wifi);
  EXPECT_FALSE(cellular.has_value());
  host->drop_route(Route::Cellular);
  ASSERT_TRUE(loop_.run_until([&] { return cellular.has_value(); }));
}

TEST_F(CurlHostLinkTest, TheEndOfTheLinkEndsEveryRequestOnce) {
  Holding holding;
  TlsServer server(*pki_, holding.handler());
  const Port silent(Port::Kind::Listening);
  CurlHostLinkConfig both = config(server.address());
  both.routes[static_cast<std::size_t>(Route::Ethernet)].connect_to = silent.address();
  auto host = link(both);
  std::vector<std::string> ends;
  const auto note = [&](HostOutcome outcome) { ends.push_back(head_of(outcome)); };
  HostRequest unheard = request();
  unheard.route = Route::Ethernet;
  host->send(request(), note);
  host->send(unheard, note);
  ASSERT_TRUE(holding.wait_for(1));
  host.reset();
  EXPECT_TRUE(loop_.run_until([&] { return ends.size() == 2; }));
  EXPECT_THAT(ends,
              ::testing::UnorderedElementsAre("unknown: the host link is ending", "not sent: the host link is ending"));
}

TEST_F(CurlHostLinkTest, ALineBreakInAHeaderOrAPathNeverLeaves) {
  TlsServer server(*pki_, [](const SeenRequest&) { return Reaction{http_reply(200, "{}")}; });
  const auto host = link(config(server.address()));
  HostRequest split = request();
  split.headers.emplace_back("X-Note", "a\r\nIdempotency-Key: pi_2");
  EXPECT_TRUE(is_not_sent(exchange(*host, split), false));
  HostRequest bent = request();
  bent.path = "/v1/payments HTTP/1.1\r\nX: y";
  EXPECT_TRUE(is_not_sent(exchange(*host, bent), false));
  EXPECT_EQ(server.connections(), 0);
}

TEST_F(CurlHostLinkTest, ARouteIsBoundToItsInterface) {
  TlsServer server(*pki_, [](const SeenRequest&) { return Reaction{http_reply(200, "{}")}; });
  CurlHostLinkConfig bound = config(server.address());
  bound.routes[static_cast<std::size_t>(Route::Wifi)].interface = "lo";
  bound.routes[static_cast<std::size_t>(Route::Cellular)].interface = "no-such-if0";
  const auto host = link(bound);
  const HostOutcome over_lo = exchange(*host, request());
  EXPECT_TRUE(std::holds_alternative<HostReply>(over_lo)) << head_of(over_lo);
  HostRequest nowhere = request();
  nowhere.route = Route::Cellular;
  const HostOutcome outcome = exchange(*host, nowhere);
  EXPECT_TRUE(is_not_sent(outcome, false)) << head_of(outcome);
}

TEST_F(CurlHostLinkTest, AConfigurationThatCannotWorkIsRefused) {
  const auto refused = [&](auto change) {
    CurlHostLinkConfig wrong = config("127.0.0.1:1");
    change(wrong);
    const auto made = CurlHostLink::create(wrong, vault_, loop_.post());
    return !made.has_value() && made.error().code == Errc::InvalidArgument;
  };
  EXPECT_TRUE(refused([](CurlHostLinkConfig& c) { c.base_url = "http://acquirer.test"; }));
  EXPECT_TRUE(refused([](CurlHostLinkConfig& c) { c.base_url = "https://acquirer.test/"; }));
  EXPECT_TRUE(refused([](CurlHostLinkConfig& c) { c.base_url = "https://acquirer.test/api"; }));
  EXPECT_TRUE(refused([](CurlHostLinkConfig& c) { c.ca_pem = "no certificate"; }));
  EXPECT_TRUE(refused([](CurlHostLinkConfig& c) { c.client_cert_pem = "-----BEGIN CERTIFICATE-----\nAAAA\n"; }));
}

}  // namespace
}  // namespace nightdrop::hal
