#include "e2e/acquirer/dev_folder.hpp"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <utility>

#include <gtest/gtest.h>

namespace nightdrop::e2e {
namespace {

template <class T>
using Owned = std::unique_ptr<T, void (*)(T*)>;

Owned<EVP_PKEY> new_key() {
  return {EVP_EC_gen("P-256"), EVP_PKEY_free};
}

void extend(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

Owned<X509> new_certificate(const std::string& name, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key) {
  static long serial = 0;
  Owned<X509> made(X509_new(), X509_free);
  X509_set_version(made.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), 86'400);
  X509_NAME* subject = X509_get_subject_name(made.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1,
                             0);
  X509_set_issuer_name(made.get(), issuer == nullptr ? subject : X509_get_subject_name(issuer));
  X509_set_pubkey(made.get(), key);
  extend(made.get(), issuer == nullptr ? made.get() : issuer, NID_basic_constraints,
         issuer == nullptr ? "critical,CA:TRUE" : "CA:FALSE");
  if (issuer == nullptr) {
    extend(made.get(), made.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
    extend(made.get(), made.get(), NID_subject_key_identifier, "hash");
  }
  if (name == "server") extend(made.get(), issuer, NID_subject_alt_name, "IP:127.0.0.1");
  X509_sign(made.get(), issuer_key, EVP_sha256());
  return made;
}

void write_pem(const std::string& path, X509* certificate) {
  Owned<BIO> file(BIO_new_file(path.c_str(), "w"), BIO_free_all);
  PEM_write_bio_X509(file.get(), certificate);
}
void write_pem(const std::string& path, EVP_PKEY* key) {
  Owned<BIO> file(BIO_new_file(path.c_str(), "w"), BIO_free_all);
  PEM_write_bio_PrivateKey(file.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
}
Owned<X509> read_certificate(const std::string& path) {
  Owned<BIO> file(BIO_new_file(path.c_str(), "r"), BIO_free_all);
  return {PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr), X509_free};
}
Owned<EVP_PKEY> read_key(const std::string& path) {
  Owned<BIO> file(BIO_new_file(path.c_str(), "r"), BIO_free_all);
  return {PEM_read_bio_PrivateKey(file.get(), nullptr, nullptr, nullptr), EVP_PKEY_free};
}

}  // namespace

DevFolder::DevFolder() {
  std::signal(SIGPIPE, SIG_IGN);  // connections are cut on purpose
  std::string name = (std::filesystem::temp_directory_path() / "nightdrop-acquirer-").string() + std::string(6, 'X');
  path_ = ::mkdtemp(name.data());
  std::filesystem::create_directory(path_ + "/readers");
  const auto ca_key = new_key();
  const auto ca = new_certificate("Test CA", ca_key.get(), nullptr, ca_key.get());
  write_pem(path_ + "/ca.pem", ca.get());
  write_pem(path_ + "/ca.key", ca_key.get());
  const auto key = new_key();
  write_pem(path_ + "/server.key", key.get());
  write_pem(path_ + "/server.pem", new_certificate("server", key.get(), ca.get(), ca_key.get()).get());
  write_file(path_ + "/keys.json", std::string("{\"bdk\":\"") + bdk_hex + "\",\"bdk_id\":\"" + bdk_id_hex +
                                       "\",\"key_type\":\"aes-128\",\"fingerprint_key\":\"" + std::string(64, '0') +
                                       "\"}");
  add_reader("ND000001", true);
}

DevFolder::~DevFolder() {
  std::filesystem::remove_all(path_);
}

void DevFolder::add_reader(const std::string& name, bool registered) {
  const auto ca = read_certificate(authority());
  const auto ca_key = read_key(path_ + "/ca.key");
  const auto reader_key = new_key();
  const auto made = new_certificate(name, reader_key.get(), ca.get(), ca_key.get());
  write_pem(key(name), reader_key.get());
  write_pem(certificate(name), made.get());
  if (registered) write_pem(path_ + "/readers/" + name + ".pem", made.get());
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  ASSERT_TRUE(file.flush()) << path;
}

std::string raw_exchange(const DevFolder& folder, const std::string& reader, int port, const std::string& request) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer = "no handshake";
  const Owned<SSL_CTX> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  if (!reader.empty()) {
    SSL_CTX_use_certificate_file(context.get(), folder.certificate(reader).c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(context.get(), folder.key(reader).c_str(), SSL_FILETYPE_PEM);
  }
  const Owned<SSL> tls(SSL_new(context.get()), SSL_free);
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      SSL_set_fd(tls.get(), socket) == 1 && SSL_connect(tls.get()) == 1) {
    answer.clear();
    SSL_write(tls.get(), request.data(), static_cast<int>(request.size()));
    std::array<char, 4096> buffer{};
    int got = 0;
    while ((got = SSL_read(tls.get(), buffer.data(), static_cast<int>(buffer.size()))) > 0) {
      answer.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }
  ::close(socket);
  return answer;
}

}  // namespace nightdrop::e2e
