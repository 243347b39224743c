#include "simulator/acquirer/reader_registry.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <utility>

#include <sys/stat.h>

#include "x509/certificate_file.hpp"

namespace nightdrop::simulator {
namespace {

std::string text_of(const x509::Bytes& der) {
  return {der.begin(), der.end()};
}

std::string peer_der(const ssl_st* connection) {
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(connection), &X509_free);
  unsigned char* bytes = nullptr;
  const int size = certificate ? i2d_X509(certificate.get(), &bytes) : 0;
  ERR_clear_error();
  if (size <= 0) return {};
  std::string der(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return der;
}

UtcMs utc_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

// What tells one version of a file from another; empty where there is none.
std::string version_of(const std::string& path) {
  struct stat about{};
  if (::stat(path.c_str(), &about) != 0) return {};
  return std::to_string(about.st_ino) + " " + std::to_string(about.st_size) + " " +
         std::to_string(about.st_mtim.tv_sec) + " " + std::to_string(about.st_mtim.tv_nsec);
}

}  // namespace

Result<x509::Certificate> manufacturing_authority(const std::string& directory) {
  auto chain = x509::read_chain_file(directory + "/manufacturing_ca.pem");
  if (!chain && chain.error().code == Errc::NotFound) chain = x509::read_chain_file(directory + "/ca.pem");
  if (!chain) return std::unexpected(chain.error());
  return std::move(chain->front());
}

bool RevocationWatch::holds(const std::string& serial_number) {
  const std::string version = version_of(directory_ + "/revoked.pem");
  if (version != seen_) {
    seen_ = version;
    reload();
  }
  return in_force_ && in_force_->holds(serial_number);
}

void RevocationWatch::reload() {
  if (seen_.empty()) {
    traffic_.warn("acquirer: revoked.pem is gone; the list that was in force stays in force");
    return;
  }
  const auto text = x509::read_text_file(directory_ + "/revoked.pem");
  const auto authority = manufacturing_authority(directory_);
  if (!text || !authority) {
    traffic_.warn("acquirer: revoked.pem is ignored: it or the authority's certificate cannot be read");
    return;
  }
  auto list = x509::read_revocation_list(*text, *authority);
  if (!list) {
    traffic_.warn("acquirer: revoked.pem is ignored: " + std::string(list.error().text));
    return;
  }
  if (in_force_ && list->number < in_force_->number) {
    traffic_.warn("acquirer: revoked.pem is ignored: number " + std::to_string(list->number) +
                  " is older than the list in force, " + std::to_string(in_force_->number));
    return;
  }
  if (list->next_update < utc_now()) {
    traffic_.warn("acquirer: revoked.pem is past its next update; it is used all the same");
  }
  traffic_.warn("acquirer: revocation list " + std::to_string(list->number) +
                " is in force: " + std::to_string(list->revoked.size()) + " certificates");
  in_force_ = *std::move(list);
}

ReaderRegistry::ReaderRegistry(std::string directory, Traffic& traffic)
    : directory_(std::move(directory)), revoked_(directory_, traffic) {
  reload();
}

void ReaderRegistry::reload() {
  registered_.clear();
  std::error_code ignored;
  for (const auto& file : std::filesystem::directory_iterator(directory_ + "/readers", ignored)) {
    if (file.path().extension() != ".pem") continue;
    auto chain = x509::read_chain_file(file.path().string());
    if (!chain) continue;
    for (x509::Certificate& certificate : *chain) {
      if (certificate.is_authority) continue;  // of a file that holds a whole chain
      std::string der = text_of(certificate.der);
      registered_[std::move(der)] = {file.path().stem().string(), std::move(certificate)};
    }
  }
}

// A reader that was revoked is refused under each of its certificates, renewed ones included.
bool ReaderRegistry::any_revoked(const std::string& reader) {
  bool any = false;
  for (const auto& [der, each] : registered_) {
    any = any || (each.reader == reader && revoked_.holds(each.certificate.serial_number));
  }
  return any;
}

Caller ReaderRegistry::caller(const ssl_st* connection) {
  const std::string der = peer_der(connection);
  const std::lock_guard lock(mutex_);
  auto at = registered_.find(der);
  if (at == registered_.end()) {
    reload();
    at = registered_.find(der);
  }
  if (der.empty() || at == registered_.end()) return {};
  Caller caller{Standing::Good, at->second.reader, at->second.certificate.public_key};
  if (any_revoked(caller.serial_number))
    caller.standing = Standing::Revoked;
  else if (at->second.certificate.not_after <= utc_now())
    caller.standing = Standing::Expired;
  return caller;
}

Result<void> ReaderRegistry::add(const std::string& reader, const x509::Certificate& certificate) {
  const std::lock_guard lock(mutex_);
  reload();
  if (registered_.contains(text_of(certificate.der))) return {};
  const std::string path = directory_ + "/readers/" + reader + ".pem";
  auto text = x509::read_text_file(path);
  if (!text) return std::unexpected(text.error());
  ND_TRY(x509::replace_file(path, *text + certificate.pem()));
  registered_[text_of(certificate.der)] = {reader, certificate};
  return {};
}

bool ReaderRegistry::is_revoked(const std::string& certificate_serial) {
  const std::lock_guard lock(mutex_);
  return revoked_.holds(certificate_serial);
}

}  // namespace nightdrop::simulator
