// X.509 certificates, certificate requests and revocation lists over P-256, by OpenSSL, whose types stay inside.
// Private keys are never here: whoever signs hands in a Signer, be the key in an HSM, in a reader's vault or in memory.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nightdrop/payment.hpp"
#include "nightdrop/result.hpp"

namespace nightdrop::x509 {

using Bytes = std::vector<std::uint8_t>;
using PublicKey = std::array<std::uint8_t, 65>;  // 04 | x | y

// ECDSA P-256 of a SHA-256 digest of 32 bytes; DER.
using SignDigest = std::function<Result<Bytes>(std::span<const std::uint8_t> digest)>;
struct Signer {
  PublicKey public_key{};
  SignDigest sign;
};

struct Certificate {
  Bytes der;
  std::string common_name;
  std::string issuer_name;    // its common name
  std::string serial_number;  // lower-case hex, no leading zeros
  UtcMs not_before{0};
  UtcMs not_after{0};
  PublicKey public_key{};
  bool is_authority{false};
  std::string pem() const;
};

// What a certificate is for, by its extended key usage: serverAuth, clientAuth, or this project's own for a station and
// for who signs orders (below). An Authority issues certificates and revocation lists and has no extended key usage; a
// ClientAuthority is a sub-authority with clientAuth, which reaches nobody but clients: an acquirer that renews
// readers' certificates must not be able to make itself a station.
enum class Purpose : std::uint8_t { Server, Client, Station, Orders, Authority, ClientAuthority };
// The extended key usage of a station's certificate: an identifier under the arc for UUIDs, which needs no registration
// (ITU-T X.667). A reader lets nobody without it provision it.
inline constexpr const char* station_purpose_oid = "2.25.153835646138463798637558907082903157664";
// That of who signs erase orders. Another one, so that a station's certificate, which is on the line day and night,
// erases no reader, and one for orders provisions none.
inline constexpr const char* orders_purpose_oid = "2.25.83471658795222254868383125472059487484";

// Errors of all that read: Malformed (also for any key that is not P-256, and any signature other than ECDSA with
// SHA-256).
[[nodiscard]] Result<Certificate> parse_certificate(std::span<const std::uint8_t> der);
// The first certificate of a PEM text; parse_chain_pem() gives all, at least one.
[[nodiscard]] Result<Certificate> parse_certificate_pem(std::string_view pem);
[[nodiscard]] Result<std::vector<Certificate>> parse_chain_pem(std::string_view pem);

// Whether `chain` (leaf first) leads to `anchor`, is valid at `now` and is for `purpose`; an authority on the way that
// has an extended key usage must name the purpose too. Errors: WrongKey (a signature, the chain, the purpose),
// Unavailable (not yet or no longer valid at `now`). Standard: RFC 5280, 6.
[[nodiscard]] Result<void> verify_chain(const std::vector<Certificate>& chain, const Certificate& anchor, UtcMs now,
                                        Purpose purpose);

// A certificate request (PKCS #10) for `common_name` by the signer's key; DER.
// Errors: InvalidArgument (the name), the signer's.
[[nodiscard]] Result<Bytes> make_request(const Signer& signer, std::string_view common_name);
struct Request {
  std::string common_name;
  PublicKey public_key{};
};
// Checks the request's own signature (proof of possession). Errors: Malformed, WrongKey.
[[nodiscard]] Result<Request> parse_request(std::span<const std::uint8_t> der);

struct IssueOptions {
  std::string common_name;    // 1 to 64 characters
  std::string serial_number;  // hex, above 0 and below 2^159; the caller makes it unique
  UtcMs not_before{0};
  UtcMs not_after{0};
  Purpose purpose{Purpose::Client};
  std::vector<std::string> hosts;  // Server: DNS names and addresses
};
// 127 random bits with the highest set, for a caller that keeps no book of serial numbers. Errors: CryptoFailed.
[[nodiscard]] Result<std::string> random_serial_number();
// A self-signed authority, which may have sub-authorities (path length 1); `purpose` and `hosts` count for nothing.
// Errors of both: InvalidArgument (a field of the options; an authority that is none or not the signer's), the
// signer's. Standard: RFC 5280, 4.
[[nodiscard]] Result<Certificate> make_authority(const Signer& signer, const IssueOptions& options);
// A certificate by an authority; with Purpose::Authority or ClientAuthority a sub-authority (path length 0).
[[nodiscard]] Result<Certificate> issue(const Signer& authority, const Certificate& authority_certificate,
                                        const PublicKey& subject, const IssueOptions& options);

struct Revoked {
  std::string serial_number;  // as Certificate's
  UtcMs at{0};
};
// A revocation list by the authority, PEM; `number` only goes upwards. Errors: InvalidArgument, the signer's.
// Standard: RFC 5280, 5.
[[nodiscard]] Result<std::string> make_revocation_list(const Signer& authority,
                                                       const Certificate& authority_certificate, std::int64_t number,
                                                       UtcMs now, UtcMs next_update,
                                                       const std::vector<Revoked>& revoked);
struct RevocationList {
  std::int64_t number{0};
  UtcMs this_update{0};
  UtcMs next_update{0};
  std::vector<Revoked> revoked;
  bool holds(std::string_view serial_number) const;
};
// A list that `authority` signed. Errors: Malformed (also without a number), WrongKey.
[[nodiscard]] Result<RevocationList> read_revocation_list(std::string_view pem, const Certificate& authority);

}  // namespace nightdrop::x509
