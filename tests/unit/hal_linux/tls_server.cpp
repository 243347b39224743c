// Blocking OpenSSL, a thread a connection; enough HTTP/1.1 to read a request with a Content-Length.
#include "tls_server.hpp"

#include <algorithm>
#include <csignal>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace nightdrop::test {

Key new_key() {
  return Key(EVP_EC_gen("P-256"));
}

Certificate new_certificate(const std::string& name, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key, bool ca) {
  static std::atomic<long> serial{1};
  Certificate certificate(X509_new());
  X509* x = certificate.get();
  X509_set_version(x, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
  X509_gmtime_adj(X509_getm_notBefore(x), -3600);
  X509_gmtime_adj(X509_getm_notAfter(x), 3600);
  X509_set_pubkey(x, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(x, X509_get_subject_name(issuer == nullptr ? x : issuer));
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer == nullptr ? x : issuer, x, nullptr, nullptr, 0);
  const auto add = [&](int nid, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    X509_add_ext(x, extension, -1);
    X509_EXTENSION_free(extension);
  };
  add(NID_basic_constraints, ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
  if (!ca) add(NID_subject_alt_name, "DNS:" + name);
  X509_sign(x, issuer_key == nullptr ? key : issuer_key, EVP_sha256());
  return certificate;
}

std::string pem(X509* certificate) {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, certificate);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

Result<std::vector<std::uint8_t>> SigningVault::sign_digest(std::span<const std::uint8_t> digest) {
  if (broken) return failure(Errc::Unavailable, "the vault is shut");
  ++signatures;
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new(key_, nullptr);
  EVP_PKEY_sign_init(context);
  std::size_t size = 128;
  std::vector<std::uint8_t> der(size);
  EVP_PKEY_sign(context, der.data(), &size, digest.data(), digest.size());
  EVP_PKEY_CTX_free(context);
  der.resize(size);
  return der;
}

std::string http_reply(int status, const std::string& body, const std::string& more_headers) {
  return "HTTP/1.1 " + std::to_string(status) + " Whatever\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         more_headers + "\r\n" + body;
}

Port::Port(Kind kind) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  bind(fd_, reinterpret_cast<sockaddr*>(&address), length);
  if (kind == Kind::Listening) listen(fd_, 64);
  getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length);
  number_ = ntohs(address.sin_port);
}
Port::~Port() {
  close(fd_);
}

TlsServer::TlsServer(const Pki& pki, Handler handler, int tls_max)
    : context_(SSL_CTX_new(TLS_server_method())), handler_(std::move(handler)) {
  std::signal(SIGPIPE, SIG_IGN);  // this server's own writes; the link must do without
  SSL_CTX* context = context_.get();
  SSL_CTX_set_max_proto_version(context, tls_max);
  SSL_CTX_use_certificate(context, pki.server.get());
  SSL_CTX_use_PrivateKey(context, pki.server_key.get());
  X509_STORE_add_cert(SSL_CTX_get_cert_store(context), pki.ca.get());
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  static const unsigned char session_name[] = "test";
  SSL_CTX_set_session_id_context(context, session_name, sizeof session_name);
  accepting_ = std::thread([this] { accept_all(); });
}

TlsServer::~TlsServer() {
  shutdown(port_.fd(), SHUT_RDWR);
  accepting_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const int fd : open_) shutdown(fd, SHUT_RDWR);
  }
  for (std::thread& session : sessions_) session.join();
}

void TlsServer::accept_all() {
  for (;;) {
    const int fd = accept4(port_.fd(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    ++connections_;
    const int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    {
      const std::lock_guard lock(mutex_);
      open_.push_back(fd);
    }
    sessions_.emplace_back([this, fd] { serve(fd); });
  }
}

void TlsServer::serve(int fd) {
  SSL* ssl = SSL_new(context_.get());
  SSL_set_fd(ssl, fd);
  if (SSL_accept(ssl) == 1) {
    std::string buffer;
    while (serve_one(ssl, buffer)) {
    }
  }
  ERR_clear_error();
  SSL_free(ssl);
  const std::lock_guard lock(mutex_);
  std::erase(open_, fd);
  close(fd);
}

bool TlsServer::serve_one(SSL* ssl, std::string& buffer) {
  SeenRequest seen;
  std::array<char, 4096> block;
  const auto read_more = [&] {
    const int got = SSL_read(ssl, block.data(), static_cast<int>(block.size()));
    if (got > 0) buffer.append(block.data(), static_cast<std::size_t>(got));
    return got > 0;
  };
  std::size_t end = 0;
  while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
    if (!read_more()) return false;
  }
  seen.head = buffer.substr(0, end + 2);
  buffer.erase(0, end + 4);
  std::size_t length = 0;
  if (const auto at = seen.head.find("Content-Length: "); at != std::string::npos)
    length = std::stoul(seen.head.substr(at + 16));
  while (buffer.size() < length) {
    if (!read_more()) return false;
  }
  seen.body = buffer.substr(0, length);
  buffer.erase(0, length);
  if (X509* client = SSL_get0_peer_certificate(ssl)) {
    std::array<char, 64> name{};
    X509_NAME_get_text_by_NID(X509_get_subject_name(client), NID_commonName, name.data(),
                              static_cast<int>(name.size()));
    seen.client_name = name.data();
  }
  ++requests_;
  const Reaction reaction = handler_(seen);
  if (!reaction.raw.empty()) SSL_write(ssl, reaction.raw.data(), static_cast<int>(reaction.raw.size()));
  while (reaction.hold && read_more()) {
  }
  return !reaction.close && !reaction.hold;
}

}  // namespace nightdrop::test
