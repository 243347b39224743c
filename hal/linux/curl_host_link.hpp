// HostLink over libcurl: one thread, one epoll set and one curl multi handle a route, so that a connection of one route
// can never serve another and a route can be dropped whole. The thread sleeps without a timer while nothing is in
// flight. TLS trusts the configured CA alone; the reader's private key stays in the vault, which signs the handshake.
//
// NotSent or Unknown: curl calls back once a transfer's connection is through its TLS handshake and before the first
// byte of the request is written (CURLOPT_PREREQFUNCTION). What fails before that call is NotSent; after it, Unknown.
// When a kept-alive connection turns out dead, curl sends the same request once more on a fresh one by itself; that is
// the same id to an idempotent server, and the outcome of such a request is never again NotSent.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "hal/host_link.hpp"
#include "hal/key_vault.hpp"
#include "nightdrop/result.hpp"

namespace nightdrop::hal {

inline constexpr std::size_t reply_bytes_max = 64 * 1024;

// How a route reaches the acquirer. Both empty: as the system routes it.
struct RouteBinding {
  std::string interface;   // a network interface's name: the sockets are bound to that device
  std::string connect_to;  // "host:port" to connect to in the URL's place; names and certificates stay the URL's
};

struct CurlHostLinkConfig {
  std::string base_url;         // https://host[:port], no path
  std::string ca_pem;           // the only trust anchors
  std::string client_cert_pem;  // the reader's certificate, its chain after it; empty: no client authentication
  bool allow_tls_1_2{false};
  std::string serial;                              // sent as Nightdrop-Reader; empty: not sent
  std::array<RouteBinding, route_count> routes{};  // by Route
  long connections_max{32};                        // per route
};

// The text of a PEM file, for the fields above. Errors: NotFound, Io.
Result<std::string> read_pem_file(const std::string& path);

class CurlHostLink final : public HostLink {
 public:
  // Runs a function on the loop's thread, later. It is called from the link's own thread and from send().
  using Post = std::function<void(std::function<void()>)>;

  // Checks the configuration and starts the thread.
  // Errors: InvalidArgument (URL, CA or certificate cannot be used, not P-256), Io, Unsupported (libcurl without TLS).
  // Lifetime: `vault` and whatever `post` runs on outlive the link.
  static Result<std::unique_ptr<CurlHostLink>> create(CurlHostLinkConfig config, KeyVault& vault, Post post);

  // Ends every request (Unknown if begun, else NotSent) through post() before it returns; a loop that no longer runs
  // drops these completions, which is as if the process had stopped: in flight at start-up means again, same id.
  ~CurlHostLink() override;
  CurlHostLink(const CurlHostLink&) = delete;
  CurlHostLink& operator=(const CurlHostLink&) = delete;

  void send(HostRequest request, std::function<void(HostOutcome)> done) override;
  void drop_route(Route route) override;
  // Shows another certificate (PEM, its chain after it) of the same vault's key on connections that are made from now
  // on; a route's older connections go as soon as nothing is in flight on them. Errors: InvalidArgument, CryptoFailed.
  Result<void> use_certificate(const std::string& client_cert_pem);

 private:
  class Worker;
  CurlHostLink(std::unique_ptr<Worker> worker, KeyVault& vault);
  std::unique_ptr<Worker> worker_;
  KeyVault& vault_;
};

}  // namespace nightdrop::hal
