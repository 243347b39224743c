// An erase order: the operator's signed word that one provisioned reader goes back to factory state. It names the
// reader and the certificate it has, so that an order serves for one provisioning of one reader, and ends by itself; it
// carries the certificate of the key that signed it, which must lead to the manufacturing CA.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "nightdrop/payment.hpp"
#include "nightdrop/result.hpp"
#include "x509/certificate.hpp"

namespace nightdrop::provisioning {

struct EraseOrder {
  std::string serial_number;
  std::string certificate_serial;  // of the reader's certificate; lower-case hex
  UtcMs valid_until{0};
  std::string nonce;  // 32 hex digits: names the order
};

// The order as a JSON text {"order": the signed text, "certificates": PEM, "signature": base64 DER}. `chain`: leaf
// first, Purpose::Orders, of the signer's key. Errors: CryptoFailed, or the signer's.
[[nodiscard]] Result<std::string> make_erase_order(const EraseOrder& order, const std::vector<x509::Certificate>& chain,
                                                   const x509::Signer& signer);

// The order in `text`, when it is by a key under `authority`, for this reader with this certificate, and valid at
// `now`. Errors: a sentence that names the field.
[[nodiscard]] std::expected<EraseOrder, std::string> check_erase_order(std::string_view text,
                                                                       const x509::Certificate& authority,
                                                                       std::string_view serial_number,
                                                                       std::string_view certificate_serial, UtcMs now);

}  // namespace nightdrop::provisioning
