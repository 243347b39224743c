// TR-31 / ANSI X9.143 key blocks: how keys travel into a reader and between HSMs. Version D (AES) is written and read,
// version B (TDES) is read; nothing else is taken. Header and optional blocks are text and bound to the key by the MAC.
// Invariant: unwrap() compares the MAC, in constant time, before it believes anything that the block says. Errors name
// the field ("TR-31 key usage"), never what is in it. tr31_format.hpp holds the format below these rules.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/dukpt.hpp"
#include "nightdrop/payment.hpp"
#include "nightdrop/result.hpp"
#include "nightdrop/secret.hpp"

namespace nightdrop::tr31 {

// The key usages that this product knows, with their algorithms and modes of use.
// Standard: ANSI X9.143-2022, tables 2 to 5.
namespace usage {
inline constexpr std::string_view base_derivation_key{"B0"};   // AES, TDES; X
inline constexpr std::string_view initial_key{"B1"};           // AES, TDES; X
inline constexpr std::string_view data_encryption{"D0"};       // AES, TDES; B, D or E
inline constexpr std::string_view key_encryption{"K0"};        // AES, TDES; B, D or E
inline constexpr std::string_view key_block_protection{"K1"};  // AES, TDES; B, D or E
inline constexpr std::string_view pin_encryption{"P0"};        // AES, TDES; B, D or E
inline constexpr std::string_view cmac{"M6"};                  // AES, TDES; C, G or V
inline constexpr std::string_view hmac{"M7"};                  // HMAC; C, G or V
inline constexpr std::string_view signature{"S0"};             // EC, RSA, DSA; S or V
}  // namespace usage

struct OptionalBlock {
  std::string id;    // two alphanumeric characters
  std::string data;  // printable ASCII, without id and length
  // How many digits the extended length has; 0: the short form, or 4 where that does not reach. Kept, so that a block
  // that is read is written again to the same characters.
  std::uint8_t length_digits{0};
  bool operator==(const OptionalBlock&) const = default;
};

struct Header {
  char version{'D'};
  std::string usage{"K0"};
  char algorithm{'A'};    // A AES, T TDES, H HMAC, E EC, R RSA, D DSA
  char mode_of_use{'B'};  // B both ways, D, E, X derive, C both of G generate and V verify, S sign
  std::string key_version{"00"};
  char exportability{'N'};            // E under a trusted key, N not, S may be
  std::string reserved{"00"};         // X9.143: key context, reserved
  std::vector<OptionalBlock> blocks;  // in their order, known or not

  // The data of the first block with that id; nothing when there is none.
  std::optional<std::string_view> block(std::string_view id) const;
};

// KC and KP: how the check value was made, and its bytes.
struct CheckValue {
  bool by_cmac{true};  // else legacy: zeros encrypted
  std::vector<std::uint8_t> bytes;
  bool operator==(const CheckValue&) const = default;
};

// The optional blocks that this product understands.
struct KnownBlocks {
  std::optional<dukpt::InitialKeyId> initial_key_id;            // IK: AES DUKPT
  std::optional<std::vector<std::uint8_t>> key_set_identifier;  // KS: TDES DUKPT's KSN, or its start
  std::optional<std::string> label;                             // LB
  std::optional<UtcMs> time_stamp;                              // TS: when the block was made
  std::optional<CheckValue> key_check_value;                    // KC
  std::optional<CheckValue> protection_key_check_value;         // KP: of the KBPK
  bool padded{false};                                           // PB is there
};

// Reads IK, KS, LB, PB, TS, KC and KP; others are passed over.
// Errors: Malformed (a known block is there twice, or its data are wrong).
// Standard: ANSI X9.143-2022, 5.5.
[[nodiscard]] Result<KnownBlocks> known_blocks(const Header& header);

struct ParsedHeader {
  Header header;
  std::size_t declared_length{0};  // of the whole key block
  std::size_t size{0};             // of header and optional blocks
};
// Reads the header and the optional blocks at the start of a text, for showing: nothing of it is authentic yet.
// Errors: Malformed.
// Standard: ANSI X9.143-2022, 5.2 and 5.5 (lengths of extended blocks count characters).
[[nodiscard]] Result<ParsedHeader> parse_header(std::string_view text);

struct KeyBlock {
  Header header;
  KnownBlocks known;
  SecretBytes key;
};

// The key of a block whose usage is one of `expect`, e.g. unwrap(kbpk, text, {tr31::usage::initial_key}).
// Errors: Malformed (the text, a length, an algorithm or mode that its usage has not), WrongKey (the MAC differs, or a
// check value in KC or KP), Unsupported (a version or usage that is not wanted), InvalidArgument (the KBPK's length),
// CryptoFailed. After WrongKey nothing of the block is known to be true.
[[nodiscard]] Result<KeyBlock> unwrap(std::span<const std::uint8_t> kbpk, std::string_view key_block,
                                      const std::vector<std::string_view>& expect);

// A key block of version D. Random padding hides which key of its algorithm it is: AES up to 256 bits, TDES up to three
// keys, HMAC up to 512 bits. Optional blocks are filled up with PB to whole cipher blocks.
// Errors: Unsupported (another version), InvalidArgument (KBPK or key of a wrong length, a KBPK weaker than the key, a
// header that unwrap() would not take), CryptoFailed, Io (no random bytes).
[[nodiscard]] Result<std::string> wrap(std::span<const std::uint8_t> kbpk, const Header& header,
                                       std::span<const std::uint8_t> key);

// The header of a reader's initial key: B1, AES, derives only, not exportable; IK with its ID, KC with its check value.
// Errors: InvalidArgument (a key of a length that AES has not), CryptoFailed.
[[nodiscard]] Result<Header> make_initial_key_header(const dukpt::InitialKeyId& id, std::span<const std::uint8_t> key);

// Optional blocks to put into a header.
OptionalBlock initial_key_id_block(const dukpt::InitialKeyId& id);                      // IK
OptionalBlock label_block(std::string_view label);                                      // LB; printable ASCII
OptionalBlock time_stamp_block(UtcMs time);                                             // TS, e.g. 20260116101501Z
OptionalBlock key_check_value_block(std::span<const std::uint8_t> cmac_check_value);    // KC
OptionalBlock protection_check_value_block(std::span<const std::uint8_t> check_value);  // KP, by CMAC

// Check values: by CMAC of a zero block, 5 bytes; legacy by encrypting zeros, 3 bytes. Algorithm A or T.
// Errors: InvalidArgument, CryptoFailed.
// Standard: ANSI X9.24-1:2017, annex A.
[[nodiscard]] Result<std::vector<std::uint8_t>> check_value_cmac(std::span<const std::uint8_t> aes_key);
[[nodiscard]] Result<std::vector<std::uint8_t>> check_value_legacy(char algorithm, std::span<const std::uint8_t> key);

}  // namespace nightdrop::tr31
