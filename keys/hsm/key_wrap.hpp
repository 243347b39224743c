// AES key wrap with padding, the unwrapping side: how a key's bytes come out of a PKCS#11 token on their way into a
// key block.
#pragma once

#include <span>

#include "nightdrop/result.hpp"
#include "nightdrop/secret.hpp"

namespace nightdrop::keys {

// The key of a wrapped one. Errors: InvalidArgument (sizes), WrongKey (the integrity check fails), CryptoFailed.
// Standard: RFC 5649, 4.2.
[[nodiscard]] Result<SecretBytes> unwrap_key(std::span<const std::uint8_t> wrapping_key,
                                             std::span<const std::uint8_t> wrapped);

}  // namespace nightdrop::keys
