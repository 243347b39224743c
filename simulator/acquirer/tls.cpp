#include "simulator/acquirer/tls.hpp"

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <sys/socket.h>

namespace nightdrop::simulator {
namespace {

// Where a context keeps its Connections.
int context_slot() {
  static const int slot = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return slot;
}
// Where a TLS connection keeps the same; freed before its socket is closed, so no other connection has its number yet.
int connection_slot() {
  const auto on_free = [](void* parent, void* data, CRYPTO_EX_DATA*, int, long, void*) {
    if (data != nullptr) static_cast<Connections*>(data)->closed(SSL_get_fd(static_cast<const SSL*>(parent)));
  };
  static const int slot = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, on_free);
  return slot;
}

void on_state(const SSL* connection, int where, int /*result*/) {
  if ((where & SSL_CB_HANDSHAKE_START) == 0 || SSL_get_ex_data(connection, connection_slot()) != nullptr) return;
  auto* connections = static_cast<Connections*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(connection), context_slot()));
  const int socket = SSL_get_fd(connection);
  SSL_set_ex_data(const_cast<SSL*>(connection), connection_slot(), connections);
  if (!connections->opened(socket)) ::shutdown(socket, SHUT_RDWR);
}

}  // namespace

bool Connections::opened(int socket) {
  const bool refused = refuse_();
  const std::lock_guard lock(mutex_);
  sockets_.insert(socket);
  return !refused && !stopping_;
}

void Connections::closed(int socket) {
  const std::lock_guard lock(mutex_);
  sockets_.erase(socket);
}

void Connections::shut_all() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
}

std::optional<std::string> configure_tls(ssl_ctx_st* context, const std::string& directory, Connections& connections) {
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION);
  const std::string certificate = directory + "/server.pem";
  const std::string key = directory + "/server.key";
  const std::string authority = directory + "/ca.pem";
  if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1)
    return certificate + ": is no certificate that can be read";
  if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1)
    return key + ": is no private key that can be read";
  if (SSL_CTX_check_private_key(context) != 1) return key + ": is not the key of server.pem";
  // Tells clients which certificates are welcome.
  if (auto* names = SSL_load_client_CA_file(authority.c_str()))
    SSL_CTX_set_client_CA_list(context, names);
  else
    return authority + ": is no certificate that can be read";
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                     [](int, X509_STORE_CTX*) { return 1; });
  // A session that is taken up again keeps its client certificate, and needs a name for that.
  static constexpr unsigned char session_name[] = "nightdrop-acquirer";
  SSL_CTX_set_session_id_context(context, session_name, sizeof session_name - 1);
  SSL_CTX_set_ex_data(context, context_slot(), &connections);
  connection_slot();
  SSL_CTX_set_info_callback(context, on_state);
  return std::nullopt;
}

void cut(const ssl_st* connection) {
  ::shutdown(SSL_get_fd(connection), SHUT_RDWR);
}

}  // namespace nightdrop::simulator
