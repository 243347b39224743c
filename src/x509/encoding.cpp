#include "x509/encoding.hpp"

#include <algorithm>
#include <ctime>

#include <openssl/err.h>

#include "x509/signer_key.hpp"

namespace nightdrop::x509 {
namespace {

constexpr int serial_number_bits_max = 159;     // 20 octets with a sign bit: RFC 5280, 4.1.2.2
constexpr std::size_t common_name_max = 64;     // RFC 5280, appendix A
constexpr UtcMs last_ms = 253'402'300'799'999;  // 9999-12-31T23:59:59.999Z

}  // namespace

std::unexpected<Error> openssl_failure(Errc code, const char* text) {
  ERR_clear_error();
  return failure(code, text);
}

std::string hex_of(const ASN1_INTEGER* number) {
  const NumberPtr value(number == nullptr ? nullptr : ASN1_INTEGER_to_BN(number, nullptr));
  if (!value || BN_is_negative(value.get()) == 1 || BN_is_zero(value.get()) == 1) return {};
  char* const text = BN_bn2hex(value.get());
  if (text == nullptr) return {};
  std::string hex(text);
  OPENSSL_free(text);
  hex.erase(0, hex.find_first_not_of('0'));
  std::ranges::transform(hex, hex.begin(), [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c; });
  return hex;
}

IntegerPtr integer_of(std::string_view hex) {
  if (hex.empty() || hex.size() > 40 || hex.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos)
    return {};
  BIGNUM* number = nullptr;
  const int read = BN_hex2bn(&number, std::string(hex).c_str());
  const NumberPtr value(number);
  if (read == 0 || BN_is_zero(number) == 1 || BN_num_bits(number) > serial_number_bits_max) return {};
  return IntegerPtr(BN_to_ASN1_INTEGER(number, nullptr));
}

std::optional<UtcMs> time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return std::nullopt;
  return static_cast<UtcMs>(timegm(&parts)) * 1000;
}

bool set_time(ASN1_TIME* time, UtcMs value) {
  return time != nullptr && value >= 0 && value <= last_ms &&
         ASN1_TIME_set(time, static_cast<std::time_t>(value / 1000)) != nullptr;
}

std::string common_name_of(const X509_NAME* name) {
  const int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0) return {};
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
  if (size < 0) {
    ERR_clear_error();
    return {};
  }
  std::string text(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size));
  OPENSSL_free(utf8);
  return text;
}

Result<void> set_common_name(X509_NAME* name, std::string_view common_name) {
  const bool printable = std::ranges::all_of(common_name, [](char c) { return c >= ' ' && c <= '~'; });
  if (common_name.empty() || common_name.size() > common_name_max || !printable) {
    return failure(Errc::InvalidArgument, "common_name: must be 1 to 64 printable ASCII characters");
  }
  if (X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(common_name.data()),
                                 static_cast<int>(common_name.size()), -1, 0) != 1) {
    return openssl_failure(Errc::CryptoFailed, "OpenSSL took no common name");
  }
  return {};
}

bool is_ecdsa_sha256(const X509_ALGOR* algorithm) {
  const ASN1_OBJECT* name = nullptr;
  if (algorithm != nullptr) X509_ALGOR_get0(&name, nullptr, nullptr, algorithm);
  return name != nullptr && OBJ_obj2nid(name) == NID_ecdsa_with_SHA256;
}

Result<CertificatePtr> decode(std::span<const std::uint8_t> der) {
  const unsigned char* at = der.data();
  CertificatePtr certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (!certificate || at != der.data() + der.size()) {
    return openssl_failure(Errc::Malformed, "this is no X.509 certificate");
  }
  return certificate;
}

}  // namespace nightdrop::x509
