// An HTTPS server of a few lines for the tests of CurlHostLink: OpenSSL on loopback, a thread a connection, client
// certificates demanded, and each way to misbehave after the request was read. Certificates are made on the spot.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <condition_variable>
#include <mutex>

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "unit/hal_linux/signing_vault.hpp"

namespace nightdrop::test {

struct KeyFree {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using Key = std::unique_ptr<EVP_PKEY, KeyFree>;
using Certificate = std::unique_ptr<X509, KeyFree>;

Key new_key();
// Signed by the issuer, or by itself where that is null. `name` is its CN and, unless it is a CA, its DNS name.
Certificate new_certificate(const std::string& name, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key, bool ca);
std::string pem(X509* certificate);

// A CA, a server acquirer.test and a reader ND000001 under it.
struct Pki {
  Key ca_key = new_key();
  Certificate ca = new_certificate("Test CA", ca_key.get(), nullptr, nullptr, true);
  Key server_key = new_key();
  Certificate server = new_certificate("acquirer.test", server_key.get(), ca.get(), ca_key.get(), false);
  Key reader_key = new_key();
  Certificate reader = new_certificate("ND000001", reader_key.get(), ca.get(), ca_key.get(), false);
};

// A vault that can sign a digest and nothing else.
class SigningVault final : public hal::SigningOnlyVault {
 public:
  explicit SigningVault(EVP_PKEY* key) : key_(key) {}
  std::atomic<int> signatures{0};
  std::atomic<bool> broken{false};

  Result<std::vector<std::uint8_t>> sign_digest(std::span<const std::uint8_t> digest) override;

 private:
  EVP_PKEY* key_;
};

struct SeenRequest {
  std::string head;  // request line and headers
  std::string body;
  std::string client_name;  // CN of the client's certificate
};
// What the server does once it has read a request. `raw` goes out as it is.
struct Reaction {
  std::string raw;
  bool close{false};  // after raw
  bool hold{false};   // no answer: waits until the client or the server goes
};
std::string http_reply(int status, const std::string& body, const std::string& more_headers = {});

// A TCP port on loopback.
class Port {
 public:
  enum class Kind { Listening, Refusing };  // Refusing: bound, so that nobody else gets it, and not listening
  explicit Port(Kind kind);
  ~Port();
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;
  int fd() const { return fd_; }
  std::uint16_t number() const { return number_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(number_); }

 private:
  int fd_;
  std::uint16_t number_{0};
};

class TlsServer {
 public:
  using Handler = std::function<Reaction(const SeenRequest&)>;
  TlsServer(const Pki& pki, Handler handler, int tls_max = TLS1_3_VERSION);
  ~TlsServer();
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;

  std::string address() const { return port_.address(); }
  int connections() const { return connections_; }
  int requests() const { return requests_; }

 private:
  void accept_all();
  void serve(int fd);
  bool serve_one(SSL* ssl, std::string& buffer);

  std::unique_ptr<SSL_CTX, KeyFree> context_;
  Handler handler_;
  Port port_{Port::Kind::Listening};
  std::atomic<int> connections_{0};
  std::atomic<int> requests_{0};
  std::mutex mutex_;
  std::vector<int> open_;              // under mutex_
  std::vector<std::thread> sessions_;  // of the accepting thread
  std::thread accepting_;
};

}  // namespace nightdrop::test
