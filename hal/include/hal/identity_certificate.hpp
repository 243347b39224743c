// Port: the certificate of the reader's identity key, as it is in force, and how a new one comes in its place. The key
// stays the same for the reader's life; only its certificate is renewed.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "nightdrop/payment.hpp"
#include "nightdrop/result.hpp"

namespace nightdrop::hal {

class IdentityCertificate {
 public:
  virtual ~IdentityCertificate() = default;
  // When the one in force runs out.
  virtual UtcMs not_after() const = 0;
  // Whether a new one could be checked: without the manufacturing CA's certificate none is taken.
  virtual bool renewable() const = 0;
  // A certificate request (PKCS #10, DER) for the same name, signed by the identity key.
  // Errors: the vault's; WrongKey (the certificate in force is not the identity key's).
  [[nodiscard]] virtual Result<std::vector<std::uint8_t>> request() = 0;
  // Takes a new certificate (PEM, its chain after it) in the old one's place, if it is for the same name and key, leads
  // to the manufacturing CA, is good at `now` and for longer than the old one. Ensures: durable on return, and used for
  // connections that are made from now on; on an error all is as it was. Errors: Malformed, WrongKey (name, key,
  // chain), Unavailable (not valid at `now`), Conflict (not longer), Unsupported (no manufacturing CA), Io, DiskFull.
  [[nodiscard]] virtual Result<void> accept(std::string_view chain_pem, UtcMs now) = 0;
};

}  // namespace nightdrop::hal
