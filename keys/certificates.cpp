// X.509 (RFC 5280) by OpenSSL's C API. Every certificate names its issuer's key, says what it is for, and has a random
// serial number; a leaf is no CA. Failures say that it failed and no more: here they are never a user's mistake.
#include "keys/certificates.hpp"

#include <ctime>

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace nightdrop::keys {
namespace {

template <auto free>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    free(object);
  }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, Freed<X509_free>>;
using BioPtr = std::unique_ptr<BIO, Freed<BIO_free_all>>;

constexpr std::time_t day_s = 86'400;
constexpr std::time_t lifetime_s = 3'652 * day_s;

std::unexpected<Error> failed(const char* text) {
  return failure(Errc::CryptoFailed, text);
}

std::span<const std::uint8_t> content(BIO* bio) {
  const std::uint8_t* data = nullptr;
  const auto size = BIO_ctrl(bio, BIO_CTRL_INFO, 0, static_cast<void*>(&data));
  return {data, size > 0 ? static_cast<std::size_t>(size) : 0};
}

Result<std::string> certificate_pem(X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_X509(bio.get(), certificate) != 1) return failed("a certificate could not be printed");
  const auto bytes = content(bio.get());
  return std::string(bytes.begin(), bytes.end());
}

// What one certificate is to be.
struct Profile {
  std::string common_name;
  const char* basic_constraints;
  const char* key_usage;
  const char* extended_key_usage;  // null: none
  std::string alternative_names;   // OpenSSL's notation; empty: none
};

bool add_extension(X509* certificate, X509V3_CTX* context, int nid, const char* value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, context, nid, value);
  const bool added = extension != nullptr && X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

bool add_extensions(X509* certificate, X509* issuer, const Profile& profile) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  return add_extension(certificate, &context, NID_basic_constraints, profile.basic_constraints) &&
         add_extension(certificate, &context, NID_key_usage, profile.key_usage) &&
         add_extension(certificate, &context, NID_subject_key_identifier, "hash") &&
         add_extension(certificate, &context, NID_authority_key_identifier, "keyid:always") &&
         (profile.extended_key_usage == nullptr ||
          add_extension(certificate, &context, NID_ext_key_usage, profile.extended_key_usage)) &&
         (profile.alternative_names.empty() ||
          add_extension(certificate, &context, NID_subject_alt_name, profile.alternative_names.c_str()));
}

bool set_name(X509* certificate, const std::string& common_name) {
  X509_NAME* name = X509_get_subject_name(certificate);
  const auto add = [&](const char* field, const std::string& value) {
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(value.data()),
                                      static_cast<int>(value.size()), -1, 0) == 1;
  };
  return add("O", "Nightdrop development") && add("CN", common_name);
}

bool set_serial_number(X509* certificate) {
  const std::unique_ptr<BIGNUM, Freed<BN_free>> number(BN_new());
  return number && BN_rand(number.get(), 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

// A certificate for `key`, signed by `issuer_key`; by itself where `issuer` is null.
Result<CertificatePtr> issue(EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key, std::time_t now,
                             const Profile& profile) {
  CertificatePtr certificate(X509_new());
  X509* const made = certificate.get();
  const bool ok = made != nullptr && X509_set_version(made, X509_VERSION_3) == 1 && set_serial_number(made) &&
                  ASN1_TIME_set(X509_getm_notBefore(made), now - day_s) != nullptr &&
                  ASN1_TIME_set(X509_getm_notAfter(made), now + lifetime_s) != nullptr &&
                  set_name(made, profile.common_name) &&
                  X509_set_issuer_name(made, X509_get_subject_name(issuer == nullptr ? made : issuer)) == 1 &&
                  X509_set_pubkey(made, key) == 1 && add_extensions(made, issuer == nullptr ? made : issuer, profile) &&
                  X509_sign(made, issuer_key, EVP_sha256()) > 0;
  if (!ok) return failed("a certificate could not be made");
  return certificate;
}

std::string alternative_names(const std::vector<std::string>& hosts) {
  std::string names;
  for (const std::string& host : hosts) {
    unsigned char address[sizeof(in6_addr)];
    const bool is_address =
        inet_pton(AF_INET, host.c_str(), address) == 1 || inet_pton(AF_INET6, host.c_str(), address) == 1;
    names += (names.empty() ? "" : ",") + std::string(is_address ? "IP:" : "DNS:") + host;
  }
  return names;
}

}  // namespace

struct PrivateKey::Handle {
  KeyPtr key;
};

PrivateKey::PrivateKey(std::unique_ptr<Handle> handle) : handle_(std::move(handle)) {}
PrivateKey::PrivateKey(PrivateKey&&) noexcept = default;
PrivateKey& PrivateKey::operator=(PrivateKey&&) noexcept = default;
PrivateKey::~PrivateKey() = default;

Result<PrivateKey> PrivateKey::generate() {
  KeyPtr key(EVP_EC_gen("P-256"));
  if (!key) return failed("a key could not be made");
  return PrivateKey(std::make_unique<Handle>(std::move(key)));
}

Result<PrivateKey> PrivateKey::from_pem(std::span<const std::uint8_t> pem) {
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  // A passphrase is never asked for: the callback gives none.
  KeyPtr key(bio ? PEM_read_bio_PrivateKey(
                       bio.get(), nullptr, [](char*, int, int, void*) { return -1; }, nullptr)
                 : nullptr);
  char group[32] = {};
  if (!key || EVP_PKEY_get_group_name(key.get(), group, sizeof(group), nullptr) != 1 ||
      std::string_view(group) != "prime256v1") {
    return failure(Errc::Malformed, "this is not a P-256 private key in PEM");
  }
  return PrivateKey(std::make_unique<Handle>(std::move(key)));
}

Result<SecretBytes> PrivateKey::to_pem() const {
  const BioPtr bio(BIO_new(BIO_s_secmem()));
  if (!bio || PEM_write_bio_PrivateKey(bio.get(), handle_->key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return failed("a key could not be printed");
  }
  return SecretBytes(content(bio.get()));
}

Result<std::string> PrivateKey::public_pem() const {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_PUBKEY(bio.get(), handle_->key.get()) != 1) return failed("a key could not be printed");
  const auto bytes = content(bio.get());
  return std::string(bytes.begin(), bytes.end());
}

Result<std::vector<std::uint8_t>> PrivateKey::sign(std::span<const std::uint8_t> message) const {
  const std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
  std::size_t size = 0;
  if (!context || EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, handle_->key.get()) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, message.data(), message.size()) != 1) {
    return failed("a signature could not be made");
  }
  std::vector<std::uint8_t> signature(size);
  if (EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) != 1) {
    return failed("a signature could not be made");
  }
  signature.resize(size);
  return signature;
}

struct CertificateAuthority::State {
  KeyPtr key;
  CertificatePtr certificate;
  std::string pem;
  std::time_t now{0};
};

CertificateAuthority::CertificateAuthority(std::unique_ptr<State> state) : state_(std::move(state)) {}
CertificateAuthority::CertificateAuthority(CertificateAuthority&&) noexcept = default;
CertificateAuthority::~CertificateAuthority() = default;
const std::string& CertificateAuthority::pem() const {
  return state_->pem;
}

Result<CertificateAuthority> CertificateAuthority::make(std::string_view common_name, UtcMs now) {
  auto state = std::make_unique<State>();
  state->now = static_cast<std::time_t>(now / 1000);
  state->key.reset(EVP_EC_gen("P-256"));
  if (!state->key) return failed("a key could not be made");
  auto certificate =
      issue(state->key.get(), nullptr, state->key.get(), state->now,
            {std::string(common_name), "critical,CA:TRUE,pathlen:0", "critical,keyCertSign,cRLSign", nullptr, ""});
  if (!certificate) return std::unexpected(certificate.error());
  auto pem = certificate_pem(certificate->get());
  if (!pem) return std::unexpected(pem.error());
  state->certificate = std::move(*certificate);
  state->pem = std::move(*pem);
  return CertificateAuthority(std::move(state));
}

Result<std::string> CertificateAuthority::issue_server(const PrivateKey& key,
                                                       const std::vector<std::string>& hosts) const {
  ND_ASSERT(!hosts.empty());
  const auto certificate =
      issue(key.handle().key.get(), state_->certificate.get(), state_->key.get(), state_->now,
            {hosts.front(), "critical,CA:FALSE", "critical,digitalSignature", "serverAuth", alternative_names(hosts)});
  if (!certificate) return std::unexpected(certificate.error());
  return certificate_pem(certificate->get());
}

Result<std::string> CertificateAuthority::issue_client(std::span<const std::uint8_t> public_key_der,
                                                       std::string_view common_name) const {
  const unsigned char* der = public_key_der.data();
  const KeyPtr key(d2i_PUBKEY(nullptr, &der, static_cast<long>(public_key_der.size())));
  if (!key) return failed("the reader's public key could not be read");
  const auto certificate =
      issue(key.get(), state_->certificate.get(), state_->key.get(), state_->now,
            {std::string(common_name), "critical,CA:FALSE", "critical,digitalSignature", "clientAuth", ""});
  if (!certificate) return std::unexpected(certificate.error());
  return certificate_pem(certificate->get());
}

}  // namespace nightdrop::keys
