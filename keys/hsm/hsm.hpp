// The operator's keys, by name, in a PKCS#11 HSM. Every secret of the operator is here and leaves neither the HSM nor
// this interface in clear; what a reader is to get leaves as a TR-31 block. Names (labels in the token):
//   bdk/ID           AES-128 or AES-256, ID = 8 hex digits, the start of its check value; several may exist
//   transport        AES-256: seals the station's database key; never extractable
//   fingerprint/M    32 bytes, one a merchant M
//   policy           P-256: signs policies                 ca        P-256: the manufacturing CA
//   station          P-256: the station in the session     orders    P-256: signs erase orders and transcripts
//   kbpk/NAME        AES: shared with an acquirer, imported in components
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/dukpt.hpp"
#include "crypto/p256.hpp"
#include "crypto/tr31.hpp"
#include "keys/outcome.hpp"
#include "nightdrop/payment.hpp"
#include "pkcs11/token.hpp"
#include "x509/certificate.hpp"

namespace nightdrop::keys {

// hsm.json of a station's folder: {"module","token_label","pin_file"?,"softhsm_dir"?}; paths relative to the folder.
struct HsmSettings {
  pkcs11::TokenLocation where;
  std::string pin_file;     // empty: asked for at the prompt
  std::string softhsm_dir;  // SoftHSM2 alone: its tokens; empty: as the environment says
};

// The settings of a station's folder. Errors: NoInput (no hsm.json), Config (what is in it).
Outcome<HsmSettings> load_hsm_settings(const std::string& folder);
// Writes hsm.json; what lies in `folder` is written relative to it. Errors: CannotCreate.
Outcome<void> save_hsm_settings(const std::string& folder, const HsmSettings& settings);

// "bdk/1A2B3C4D" for the first four bytes of an initial key ID.
std::string bdk_name(std::span<const std::uint8_t, 4> bdk_id);

class Hsm {
 public:
  // Logs in as `settings` say. Errors: NoInput (module, PIN file), Config (hsm.json), Data (wrong PIN).
  static Outcome<std::unique_ptr<Hsm>> open(const HsmSettings& settings);
  // As open(), with a PIN that was asked for already.
  static Outcome<std::unique_ptr<Hsm>> open(const HsmSettings& settings, const SecretBytes& pin);
  explicit Hsm(std::unique_ptr<pkcs11::Token> token) : token_(std::move(token)) {}

  pkcs11::Token& token() { return *token_; }

  // Check value of an AES key: the first 5 bytes of the CMAC of a zero block, 10 hex digits (ANSI X9.24-1:2017, annex
  // A).
  Outcome<std::string> check_value(std::string_view name);
  // The initial key of a reader: AES-ECB of the derivation data under the BDK, done in the HSM. The BDK is bdk/ID with
  // ID = the first 4 bytes of `id`. Standard: ANSI X9.24-3-2017, 6.3.1.
  Outcome<SecretBytes> derive_initial_key(const dukpt::InitialKeyId& id);
  Outcome<KeyType> bdk_type(std::string_view bdk_id_hex);
  // The key `name` as a TR-31 version D block under `kbpk` (in this process: the session's) or under kbpk/NAME. Its
  // clear bytes are in locked memory for the time of the call. Errors: Data (not extractable, a KBPK shorter than the
  // key).
  Outcome<std::string> export_block(std::string_view name, const tr31::Header& header,
                                    std::span<const std::uint8_t> kbpk);
  Outcome<std::string> export_block_under(std::string_view name, const tr31::Header& header,
                                          std::string_view kbpk_name);
  // ECDSA with SHA-256 by the key `name`; DER.
  Outcome<std::vector<std::uint8_t>> sign(std::string_view name, std::span<const std::uint8_t> message);
  Outcome<P256Point> public_key(std::string_view name);
  // What issues certificates and answers handshakes. Lifetime: this object's. Thread-safe.
  Outcome<x509::Signer> signer(std::string_view name);
  // The key of a TR-31 block under kbpk/NAME, for import, whose usage is one of `expect`. Errors: Data (the block; not
  // of that KBPK).
  Outcome<tr31::KeyBlock> open_block(std::string_view key_block, std::string_view kbpk_name,
                                     const std::vector<std::string_view>& expect);

 private:
  // The clear bytes of an extractable key, by way of a key that lives for this call alone.
  Outcome<SecretBytes> carry_out(std::string_view name);

  std::unique_ptr<pkcs11::Token> token_;
};

}  // namespace nightdrop::keys
