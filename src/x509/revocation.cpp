// Revocation lists (RFC 5280, 5): whole lists by one authority, numbered, without reasons or extensions of entries.
#include <algorithm>
#include <utility>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "x509/certificate.hpp"
#include "x509/encoding.hpp"
#include "x509/signer_key.hpp"

namespace nightdrop::x509 {
namespace {

using RevokedPtr = std::unique_ptr<X509_REVOKED, Freed<X509_REVOKED_free>>;
using TimePtr = std::unique_ptr<ASN1_TIME, Freed<ASN1_TIME_free>>;

Result<void> add_entry(X509_CRL* list, const Revoked& revoked) {
  const IntegerPtr number = integer_of(revoked.serial_number);
  const TimePtr at(ASN1_TIME_new());
  if (!number || !set_time(at.get(), revoked.at)) {
    return openssl_failure(Errc::InvalidArgument, "revoked: needs serial numbers in hex and times");
  }
  RevokedPtr entry(X509_REVOKED_new());
  if (!entry || X509_REVOKED_set_serialNumber(entry.get(), number.get()) != 1 ||
      X509_REVOKED_set_revocationDate(entry.get(), at.get()) != 1 || X509_CRL_add0_revoked(list, entry.get()) != 1) {
    return openssl_failure(Errc::CryptoFailed, "a revocation could not be written");
  }
  static_cast<void>(entry.release());  // the list owns it now
  return {};
}

bool add_extensions(X509_CRL* list, X509* issuer, std::int64_t number) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, nullptr, nullptr, list, 0);
  X509_EXTENSION* key = X509V3_EXT_conf_nid(nullptr, &context, NID_authority_key_identifier, "keyid:always");
  const bool has_key = key != nullptr && X509_CRL_add_ext(list, key, -1) == 1;
  X509_EXTENSION_free(key);
  const IntegerPtr value(ASN1_INTEGER_new());
  return has_key && value && ASN1_INTEGER_set_int64(value.get(), number) == 1 &&
         X509_CRL_add1_ext_i2d(list, NID_crl_number, value.get(), 0, 0) == 1;
}

Result<void> set_times(X509_CRL* list, UtcMs now, UtcMs next_update) {
  const TimePtr last(ASN1_TIME_new());
  const TimePtr next(ASN1_TIME_new());
  if (next_update <= now || !set_time(last.get(), now) || !set_time(next.get(), next_update)) {
    return openssl_failure(Errc::InvalidArgument, "next_update: must be later than now");
  }
  if (X509_CRL_set1_lastUpdate(list, last.get()) != 1 || X509_CRL_set1_nextUpdate(list, next.get()) != 1) {
    return openssl_failure(Errc::CryptoFailed, "a revocation list could not be begun");
  }
  return {};
}

std::optional<std::int64_t> number_of(const X509_CRL* list) {
  const IntegerPtr number(static_cast<ASN1_INTEGER*>(X509_CRL_get_ext_d2i(list, NID_crl_number, nullptr, nullptr)));
  std::int64_t value = 0;
  if (!number || ASN1_INTEGER_get_int64(&value, number.get()) != 1 || value < 0) return std::nullopt;
  return value;
}

Result<std::string> to_pem(X509_CRL* list) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_X509_CRL(bio.get(), list) != 1) {
    return openssl_failure(Errc::CryptoFailed, "a revocation list could not be printed");
  }
  const auto bytes = content(bio.get());
  return std::string(bytes.begin(), bytes.end());
}

}  // namespace

Result<std::string> make_revocation_list(const Signer& authority, const Certificate& authority_certificate,
                                         std::int64_t number, UtcMs now, UtcMs next_update,
                                         const std::vector<Revoked>& revoked) {
  if (!authority_certificate.is_authority || authority_certificate.public_key != authority.public_key || number < 0) {
    return failure(Errc::InvalidArgument, "authority, number: need the authority's certificate and a number from 0");
  }
  const auto issuer = decode(authority_certificate.der);
  if (!issuer) return std::unexpected(issuer.error());
  auto key = SignerKey::create(authority);
  if (!key) return std::unexpected(key.error());
  const RevocationListPtr list(X509_CRL_new());
  X509_CRL* const made = list.get();
  if (made == nullptr || X509_CRL_set_version(made, X509_CRL_VERSION_2) != 1 ||
      X509_CRL_set_issuer_name(made, X509_get_subject_name(issuer->get())) != 1) {
    return openssl_failure(Errc::CryptoFailed, "a revocation list could not be begun");
  }
  ND_TRY(set_times(made, now, next_update));
  for (const Revoked& each : revoked) ND_TRY(add_entry(made, each));
  if (X509_CRL_sort(made) != 1 || !add_extensions(made, issuer->get(), number)) {
    return openssl_failure(Errc::CryptoFailed, "a revocation list's extensions could not be made");
  }
  if (X509_CRL_sign(made, (*key)->get(), EVP_sha256()) <= 0) {
    ERR_clear_error();
    return std::unexpected(
        (*key)->error().value_or(Error{Errc::CryptoFailed, 0, "a revocation list could not be signed"}));
  }
  auto pem = to_pem(made);
  // As with certificates: a token that signs wrongly is found here.
  if (pem && !read_revocation_list(*pem, authority_certificate)) {
    return failure(Errc::CryptoFailed, "the signer's signature is not by its public key");
  }
  return pem;
}

bool RevocationList::holds(std::string_view serial_number) const {
  return std::ranges::find(revoked, serial_number, &Revoked::serial_number) != revoked.end();
}

Result<RevocationList> read_revocation_list(std::string_view pem, const Certificate& authority) {
  const BioPtr bio = bio_over(pem);
  const RevocationListPtr from(bio ? PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr) : nullptr);
  if (!from) return openssl_failure(Errc::Malformed, "this is no revocation list in PEM");
  const auto issuer = decode(authority.der);
  if (!issuer) return std::unexpected(issuer.error());
  const X509_ALGOR* algorithm = nullptr;
  X509_CRL_get0_signature(from.get(), nullptr, &algorithm);
  if (!authority.is_authority || !is_ecdsa_sha256(algorithm) ||
      X509_NAME_cmp(X509_CRL_get_issuer(from.get()), X509_get_subject_name(issuer->get())) != 0 ||
      X509_CRL_verify(from.get(), X509_get0_pubkey(issuer->get())) != 1) {
    return openssl_failure(Errc::WrongKey, "the revocation list is not by this authority");
  }
  const auto number = number_of(from.get());
  const auto this_update = time_of(X509_CRL_get0_lastUpdate(from.get()));
  const auto next_update = time_of(X509_CRL_get0_nextUpdate(from.get()));
  if (!number || !this_update || !next_update) {
    return openssl_failure(Errc::Malformed, "the revocation list has no number or no times");
  }
  RevocationList list{*number, *this_update, *next_update, {}};
  const STACK_OF(X509_REVOKED)* entries = X509_CRL_get_REVOKED(from.get());
  for (int i = 0; i < sk_X509_REVOKED_num(entries); ++i) {
    const X509_REVOKED* entry = sk_X509_REVOKED_value(entries, i);
    auto serial_number = hex_of(X509_REVOKED_get0_serialNumber(entry));
    const auto at = time_of(X509_REVOKED_get0_revocationDate(entry));
    if (serial_number.empty() || !at) return openssl_failure(Errc::Malformed, "an entry of the list is no revocation");
    list.revoked.push_back({std::move(serial_number), *at});
  }
  return list;
}

}  // namespace nightdrop::x509
