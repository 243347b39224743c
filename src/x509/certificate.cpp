// Reading and checking certificates. Strict where a certificate comes from outside: P-256 and ECDSA with SHA-256 alone,
// an extended key usage that must be there and name the purpose, and no path but the one through the certificates
// given.
#include "x509/certificate.hpp"

#include <utility>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "x509/encoding.hpp"
#include "x509/signer_key.hpp"

namespace nightdrop::x509 {
namespace {

constexpr std::size_t chain_max = 8;

using StorePtr = std::unique_ptr<X509_STORE, Freed<X509_STORE_free>>;
using StoreContextPtr = std::unique_ptr<X509_STORE_CTX, Freed<X509_STORE_CTX_free>>;
using UsagesPtr = std::unique_ptr<EXTENDED_KEY_USAGE, Freed<EXTENDED_KEY_USAGE_free>>;
using ObjectPtr = std::unique_ptr<ASN1_OBJECT, Freed<ASN1_OBJECT_free>>;
// The chain's certificates, which the stack does not own.
struct FreeStack {
  void operator()(STACK_OF(X509) * stack) const { sk_X509_free(stack); }
};
using StackPtr = std::unique_ptr<STACK_OF(X509), FreeStack>;

// The identifier of a purpose among extended key usages; null for an authority that has none.
const char* oid_of(Purpose purpose) {
  switch (purpose) {
    case Purpose::Server: return "1.3.6.1.5.5.7.3.1";
    case Purpose::Client:
    case Purpose::ClientAuthority: return "1.3.6.1.5.5.7.3.2";
    case Purpose::Station: return station_purpose_oid;
    case Purpose::Orders: return orders_purpose_oid;
    case Purpose::Authority: break;
  }
  return nullptr;
}

bool has_usages(const X509* certificate) {
  return X509_get_ext_by_NID(certificate, NID_ext_key_usage, -1) >= 0;
}

bool names(const X509* certificate, const char* oid) {
  const ObjectPtr wanted(OBJ_txt2obj(oid, 1));
  const UsagesPtr usages(
      static_cast<EXTENDED_KEY_USAGE*>(X509_get_ext_d2i(certificate, NID_ext_key_usage, nullptr, nullptr)));
  for (int i = 0; wanted && i < sk_ASN1_OBJECT_num(usages.get()); ++i) {
    if (OBJ_cmp(sk_ASN1_OBJECT_value(usages.get(), i), wanted.get()) == 0) return true;
  }
  return false;
}

bool is_for(X509* certificate, Purpose purpose) {
  const bool wants_authority = purpose == Purpose::Authority || purpose == Purpose::ClientAuthority;
  const std::uint32_t usage = X509_get_key_usage(certificate);
  const std::uint32_t needed = wants_authority ? KU_KEY_CERT_SIGN : KU_DIGITAL_SIGNATURE;
  if ((X509_check_ca(certificate) == 1) != wants_authority) return false;
  if (usage == UINT32_MAX || (usage & needed) == 0) return false;
  const char* const oid = oid_of(purpose);
  return oid == nullptr ? !has_usages(certificate) : names(certificate, oid);
}

// Whether an authority on the way may lead to such a leaf. OpenSSL knows this rule for its own purposes alone.
bool may_lead_to(const X509* authority, Purpose purpose) {
  const char* const oid = oid_of(purpose);
  return oid == nullptr || !has_usages(authority) || names(authority, oid);
}

bool is_about_time(int code) {
  return code == X509_V_ERR_CERT_NOT_YET_VALID || code == X509_V_ERR_CERT_HAS_EXPIRED;
}

}  // namespace

Result<Certificate> parse_certificate(std::span<const std::uint8_t> der) {
  auto decoded = decode(der);
  if (!decoded) return std::unexpected(decoded.error());
  X509* const from = decoded->get();
  const auto key = point_of(X509_get0_pubkey(from));
  if (!key) return std::unexpected(key.error());
  const X509_ALGOR* outer = nullptr;
  X509_get0_signature(nullptr, &outer, from);
  if (!is_ecdsa_sha256(outer) || !is_ecdsa_sha256(X509_get0_tbs_sigalg(from))) {
    return failure(Errc::Malformed, "the certificate is not signed by ECDSA with SHA-256");
  }
  const auto not_before = time_of(X509_get0_notBefore(from));
  const auto not_after = time_of(X509_get0_notAfter(from));
  Certificate certificate{.der = {der.begin(), der.end()},
                          .common_name = common_name_of(X509_get_subject_name(from)),
                          .issuer_name = common_name_of(X509_get_issuer_name(from)),
                          .serial_number = hex_of(X509_get0_serialNumber(from)),
                          .not_before = not_before.value_or(0),
                          .not_after = not_after.value_or(0),
                          .public_key = *key,
                          .is_authority = X509_check_ca(from) == 1};
  ERR_clear_error();
  if (!not_before || !not_after || certificate.serial_number.empty()) {
    return failure(Errc::Malformed, "the certificate has no validity or no serial number");
  }
  return certificate;
}

Result<std::vector<Certificate>> parse_chain_pem(std::string_view pem) {
  const BioPtr bio = bio_over(pem);
  std::vector<Certificate> chain;
  while (bio) {
    const CertificatePtr next(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!next) break;
    auto certificate = parse_certificate(encode<i2d_X509>(next.get()));
    if (!certificate) return std::unexpected(certificate.error());
    chain.push_back(*std::move(certificate));
    if (chain.size() > chain_max) return failure(Errc::Malformed, "there are more than eight certificates");
  }
  const auto error = ERR_peek_last_error();
  ERR_clear_error();
  const bool at_end = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  if (!at_end || chain.empty()) return failure(Errc::Malformed, "this is no PEM text of certificates");
  return chain;
}

Result<Certificate> parse_certificate_pem(std::string_view pem) {
  auto chain = parse_chain_pem(pem);
  if (!chain) return std::unexpected(chain.error());
  return std::move(chain->front());
}

std::string Certificate::pem() const {
  const auto certificate = decode(der);
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (!certificate || !bio || PEM_write_bio_X509(bio.get(), certificate->get()) != 1) return {};
  const auto bytes = content(bio.get());
  return {bytes.begin(), bytes.end()};
}

Result<void> verify_chain(const std::vector<Certificate>& chain, const Certificate& anchor, UtcMs now,
                          Purpose purpose) {
  if (chain.empty() || chain.size() > chain_max) return failure(Errc::WrongKey, "there is no chain of certificates");
  std::vector<CertificatePtr> decoded;
  const StackPtr between(sk_X509_new_null());
  for (const Certificate& each : chain) {
    auto certificate = decode(each.der);
    if (!certificate) return std::unexpected(certificate.error());
    if (!decoded.empty()) {
      if (!may_lead_to(certificate->get(), purpose)) {
        return openssl_failure(Errc::WrongKey, "an authority of the chain is not for this purpose");
      }
      sk_X509_push(between.get(), certificate->get());
    }
    decoded.push_back(*std::move(certificate));
  }
  const auto trusted = decode(anchor.der);
  if (!trusted) return std::unexpected(trusted.error());
  if (!is_for(decoded.front().get(), purpose) || !may_lead_to(trusted->get(), purpose)) {
    return openssl_failure(Errc::WrongKey, "the certificate is not for this purpose");
  }
  const StorePtr store(X509_STORE_new());
  const StoreContextPtr context(X509_STORE_CTX_new());
  if (!store || !context || X509_STORE_add_cert(store.get(), trusted->get()) != 1 ||
      X509_STORE_CTX_init(context.get(), store.get(), decoded.front().get(), between.get()) != 1) {
    return openssl_failure(Errc::CryptoFailed, "OpenSSL checked no chain");
  }
  X509_VERIFY_PARAM* const rules = X509_STORE_CTX_get0_param(context.get());
  // The anchor ends the path also where it is itself a sub-authority.
  X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_X509_STRICT | X509_V_FLAG_PARTIAL_CHAIN);
  X509_VERIFY_PARAM_set_time(rules, static_cast<std::time_t>(now / 1000));
  X509_VERIFY_PARAM_set_auth_level(rules, 2);
  const bool ok = X509_verify_cert(context.get()) == 1;
  const int code = X509_STORE_CTX_get_error(context.get());
  ERR_clear_error();
  if (ok) return {};
  if (is_about_time(code)) return failure(Errc::Unavailable, "a certificate of the chain is not valid now", code);
  return failure(Errc::WrongKey, "the certificate does not lead to the authority", code);
}

}  // namespace nightdrop::x509
