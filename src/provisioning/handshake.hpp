// The handshake's three messages as bytes, and what both ends make of them (docs/provisioning.md): two fresh P-256
// points and nonces, a signature of each end over everything that was said so far, and keys salted with the hash of all
// of it. Whoever changes a byte of the handshake, an identity included, ends up with keys that the other end does not
// have.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/p256.hpp"
#include "crypto/primitives.hpp"
#include "nightdrop/result.hpp"
#include "provisioning/channel.hpp"
#include "provisioning/station.hpp"

namespace nightdrop::provisioning {

using Bytes = std::vector<std::uint8_t>;
inline constexpr std::uint8_t protocol_version = 1;

struct HelloHead {  // what both Hellos begin with
  std::uint8_t version{protocol_version};
  P256Point ephemeral{};
  std::array<std::uint8_t, 32> nonce{};
};
struct SignedHello {  // the reader's
  HelloHead head;
  std::string facts;  // ReaderHello as JSON
  Bytes signature;    // DER, by the factory key
};
struct Auth {
  std::vector<Bytes> chain;  // certificates, DER, leaf first
  Bytes signature;           // DER, by the station's key
};

// Encoders and strict decoders. Errors: Malformed, Unsupported (the version).
Bytes encode_hello(const HelloHead& hello);
Bytes encode_reader_hello(const SignedHello& hello);
Bytes encode_auth(const Auth& auth);
[[nodiscard]] Result<HelloHead> decode_hello(std::span<const std::uint8_t> payload);
[[nodiscard]] Result<SignedHello> decode_reader_hello(std::span<const std::uint8_t> payload);
[[nodiscard]] Result<Auth> decode_auth(std::span<const std::uint8_t> payload);

std::string encode_facts(const ReaderHello& facts);
[[nodiscard]] Result<ReaderHello> decode_facts(std::string_view json);

// What each end signs: a name for who signs what, then the hash of what was said before and of the signer's own
// message.
Bytes reader_signs(std::span<const std::uint8_t> station_hello, const SignedHello& reader);
Bytes station_signs(std::span<const std::uint8_t> station_hello, std::span<const std::uint8_t> reader_hello,
                    const Auth& auth);

// The session's keys out of what p256_ecdh() gave.
SessionKeys derive_session_keys(std::span<const std::uint8_t, 32> shared, std::span<const std::uint8_t> station_hello,
                                std::span<const std::uint8_t> reader_hello, const Auth& auth);

}  // namespace nightdrop::provisioning
