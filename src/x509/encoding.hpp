// What the sources of this folder share: serial numbers, times, names and extensions between OpenSSL's types and ours.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "x509/certificate.hpp"
#include "x509/openssl_ptr.hpp"

namespace nightdrop::x509 {

// Clears OpenSSL's queue of errors, so that what failed here is not told to somebody else.
std::unexpected<Error> openssl_failure(Errc code, const char* text);

// Lower-case hex without leading zeros; empty for what is no positive number.
std::string hex_of(const ASN1_INTEGER* number);
// Null for what is not hex, zero, or above 20 octets in DER.
IntegerPtr integer_of(std::string_view hex);

std::optional<UtcMs> time_of(const ASN1_TIME* time);
// Whole seconds. Null outside of the years 1970 to 9999.
bool set_time(ASN1_TIME* time, UtcMs value);

// The common name; empty where there is none or more than one.
std::string common_name_of(const X509_NAME* name);
// Errors: InvalidArgument: 1 to 64 printable characters.
[[nodiscard]] Result<void> set_common_name(X509_NAME* name, std::string_view common_name);

// Whether the signature is ECDSA with SHA-256, inside and outside alike.
bool is_ecdsa_sha256(const X509_ALGOR* algorithm);

[[nodiscard]] Result<CertificatePtr> decode(std::span<const std::uint8_t> der);
// DER by one of OpenSSL's i2d functions; empty if it fails.
template <auto I2d, class T>
Bytes encode(T* object) {
  unsigned char* bytes = nullptr;
  const int size = I2d(object, &bytes);
  if (size <= 0) return {};
  Bytes der(bytes, bytes + size);
  OPENSSL_free(bytes);
  return der;
}

}  // namespace nightdrop::x509
