// Making certificates and requests. Each certificate is checked against its issuer's public key before it is given out:
// a token that signs with another key than it says, or wrongly, is found here and not on a reader.
#include <algorithm>
#include <utility>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/rand.h>

#include "x509/certificate.hpp"
#include "x509/encoding.hpp"
#include "x509/signer_key.hpp"

namespace nightdrop::x509 {
namespace {

constexpr const char* authority_usage = "critical,keyCertSign,cRLSign";

// What the extensions say, in OpenSSL's notation.
struct Profile {
  const char* basic_constraints;
  const char* key_usage;
  std::string extended_key_usage;  // empty: none
  std::string alternative_names;   // empty: none
};

Profile profile_of(const IssueOptions& options, std::string alternative_names) {
  switch (options.purpose) {
    case Purpose::Authority: return {"critical,CA:TRUE,pathlen:0", authority_usage, "", ""};
    case Purpose::ClientAuthority: return {"critical,CA:TRUE,pathlen:0", authority_usage, "clientAuth", ""};
    case Purpose::Server:
      return {"critical,CA:FALSE", "critical,digitalSignature", "serverAuth", std::move(alternative_names)};
    case Purpose::Station: return {"critical,CA:FALSE", "critical,digitalSignature", station_purpose_oid, ""};
    case Purpose::Orders: return {"critical,CA:FALSE", "critical,digitalSignature", orders_purpose_oid, ""};
    case Purpose::Client: break;
  }
  return {"critical,CA:FALSE", "critical,digitalSignature", "clientAuth", ""};
}

// The hosts in OpenSSL's notation, where a comma would begin another name.
Result<std::string> alternative_names_of(const std::vector<std::string>& hosts) {
  std::string names;
  for (const std::string& host : hosts) {
    const bool plain = !host.empty() && std::ranges::all_of(host, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
             c == ':';
    });
    if (!plain) return failure(Errc::InvalidArgument, "hosts: must be DNS names and addresses");
    unsigned char address[sizeof(in6_addr)];
    const bool is_address =
        inet_pton(AF_INET, host.c_str(), address) == 1 || inet_pton(AF_INET6, host.c_str(), address) == 1;
    if (!is_address && host.find(':') != std::string::npos) {
      return failure(Errc::InvalidArgument, "hosts: must be DNS names and addresses");
    }
    names += (names.empty() ? "" : ",") + std::string(is_address ? "IP:" : "DNS:") + host;
  }
  return names;
}

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
         (profile.extended_key_usage.empty() ||
          add_extension(certificate, &context, NID_ext_key_usage, profile.extended_key_usage.c_str())) &&
         (profile.alternative_names.empty() ||
          add_extension(certificate, &context, NID_subject_alt_name, profile.alternative_names.c_str()));
}

// All but the issuer, the extensions and the signature.
Result<CertificatePtr> begin(const PublicKey& subject, const IssueOptions& options) {
  CertificatePtr certificate(X509_new());
  X509* const made = certificate.get();
  const auto key = public_key_of(subject);
  if (!key) return std::unexpected(key.error());
  const IntegerPtr serial_number = integer_of(options.serial_number);
  if (!serial_number) {
    return openssl_failure(Errc::InvalidArgument, "serial_number: must be hex, above 0 and below 2^159");
  }
  if (options.not_after <= options.not_before) {
    return failure(Errc::InvalidArgument, "not_after: must be later than not_before");
  }
  if (made == nullptr || X509_set_version(made, X509_VERSION_3) != 1 ||
      X509_set_serialNumber(made, serial_number.get()) != 1 || X509_set_pubkey(made, key->get()) != 1) {
    return openssl_failure(Errc::CryptoFailed, "a certificate could not be begun");
  }
  if (!set_time(X509_getm_notBefore(made), options.not_before) ||
      !set_time(X509_getm_notAfter(made), options.not_after)) {
    return openssl_failure(Errc::InvalidArgument, "not_before, not_after: must be in the years 1970 to 9999");
  }
  ND_TRY(set_common_name(X509_get_subject_name(made), options.common_name));
  return certificate;
}

Result<Certificate> finish(X509* made, X509* issuer, const Signer& signer, const Profile& profile) {
  auto key = SignerKey::create(signer);
  if (!key) return std::unexpected(key.error());
  const auto public_key = public_key_of(signer.public_key);
  if (!public_key) return std::unexpected(public_key.error());
  if (X509_set_issuer_name(made, X509_get_subject_name(issuer)) != 1 || !add_extensions(made, issuer, profile)) {
    return openssl_failure(Errc::CryptoFailed, "a certificate's extensions could not be made");
  }
  if (X509_sign(made, (*key)->get(), EVP_sha256()) <= 0) {
    ERR_clear_error();
    return std::unexpected((*key)->error().value_or(Error{Errc::CryptoFailed, 0, "a certificate could not be signed"}));
  }
  if (X509_verify(made, public_key->get()) != 1) {
    return openssl_failure(Errc::CryptoFailed, "the signer's signature is not by its public key");
  }
  return parse_certificate(encode<i2d_X509>(made));
}

}  // namespace

Result<std::string> random_serial_number() {
  std::array<unsigned char, 16> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
    return openssl_failure(Errc::CryptoFailed, "there are no random bytes");
  }
  bytes[0] = static_cast<unsigned char>((bytes[0] & 0x3F) | 0x40);
  std::string hex;
  for (const unsigned char byte : bytes) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

Result<Certificate> make_authority(const Signer& signer, const IssueOptions& options) {
  const auto made = begin(signer.public_key, options);
  if (!made) return std::unexpected(made.error());
  return finish(made->get(), made->get(), signer, {"critical,CA:TRUE,pathlen:1", authority_usage, "", ""});
}

Result<Certificate> issue(const Signer& authority, const Certificate& authority_certificate, const PublicKey& subject,
                          const IssueOptions& options) {
  if (!authority_certificate.is_authority || authority_certificate.public_key != authority.public_key) {
    return failure(Errc::InvalidArgument, "authority: its certificate is no authority's, or of another key");
  }
  const auto issuer = decode(authority_certificate.der);
  if (!issuer) return std::unexpected(issuer.error());
  auto names = alternative_names_of(options.hosts);
  if (!names) return std::unexpected(names.error());
  const auto made = begin(subject, options);
  if (!made) return std::unexpected(made.error());
  return finish(made->get(), issuer->get(), authority, profile_of(options, *std::move(names)));
}

Result<Bytes> make_request(const Signer& signer, std::string_view common_name) {
  auto key = SignerKey::create(signer);
  if (!key) return std::unexpected(key.error());
  const auto public_key = public_key_of(signer.public_key);
  if (!public_key) return std::unexpected(public_key.error());
  const RequestPtr request(X509_REQ_new());
  X509_REQ* const made = request.get();
  if (made == nullptr || X509_REQ_set_version(made, X509_REQ_VERSION_1) != 1 ||
      X509_REQ_set_pubkey(made, public_key->get()) != 1) {
    return openssl_failure(Errc::CryptoFailed, "a certificate request could not be begun");
  }
  ND_TRY(set_common_name(X509_REQ_get_subject_name(made), common_name));
  if (X509_REQ_sign(made, (*key)->get(), EVP_sha256()) <= 0) {
    ERR_clear_error();
    return std::unexpected((*key)->error().value_or(Error{Errc::CryptoFailed, 0, "a request could not be signed"}));
  }
  return encode<i2d_X509_REQ>(made);
}

Result<Request> parse_request(std::span<const std::uint8_t> der) {
  const unsigned char* at = der.data();
  const RequestPtr from(d2i_X509_REQ(nullptr, &at, static_cast<long>(der.size())));
  if (!from || at != der.data() + der.size()) {
    return openssl_failure(Errc::Malformed, "this is no certificate request");
  }
  EVP_PKEY* const key = X509_REQ_get0_pubkey(from.get());
  const auto point = point_of(key);
  if (!point) return std::unexpected(point.error());
  const X509_ALGOR* algorithm = nullptr;
  X509_REQ_get0_signature(from.get(), nullptr, &algorithm);
  if (!is_ecdsa_sha256(algorithm)) {
    return failure(Errc::Malformed, "the request is not signed by ECDSA with SHA-256");
  }
  if (X509_REQ_verify(from.get(), key) != 1) {
    return openssl_failure(Errc::WrongKey, "the request is not signed by its own key");
  }
  Request request{common_name_of(X509_REQ_get_subject_name(from.get())), *point};
  if (request.common_name.empty()) return failure(Errc::Malformed, "the request has no common name");
  return request;
}

}  // namespace nightdrop::x509
