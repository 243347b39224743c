// TR-31 / ANSI X9.143 key blocks, versions A to E: how keys travel into a reader. Header and optional blocks are text
// and bound to the key by the MAC; unwrap() decrypts, compares the MAC in constant time, and only then believes the
// length inside. Every way to fail gives an error without the key's bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nightdrop/result.hpp"
#include "nightdrop/secret.hpp"

namespace nightdrop::tr31 {

struct OptionalBlock {
  std::string id;    // two alphanumeric characters
  std::string data;  // printable ASCII, without id and length
  bool operator==(const OptionalBlock&) const = default;
};

struct Header {
  char version{'D'};        // A, B, C: TDES; D, E: AES
  std::string usage{"K0"};  // two characters: B0 BDK, B1 initial key, P0 PIN, D0 data, K0 key encryption …
  char algorithm{'A'};      // A AES, T TDES, H HMAC, R RSA …
  char mode_of_use{'B'};
  std::string key_version{"00"};
  char exportability{'N'};
  std::string reserved{"00"};  // X9.143: key context, reserved
  std::vector<OptionalBlock> blocks;

  // The data of the first block with that id; nothing when there is none.
  std::optional<std::string_view> block(std::string_view id) const;
};

struct ParsedHeader {
  Header header;
  std::size_t declared_length{0};  // of the whole key block
  std::size_t size{0};             // of header and optional blocks
};

struct KeyBlock {
  Header header;
  SecretBytes key;
};

// Reads the header and the optional blocks at the start of a text; what follows them is not looked at.
// Errors: Malformed.
// Standard: ANSI X9.143-2022, 5.2 and 5.5 (lengths of extended blocks count characters).
[[nodiscard]] Result<ParsedHeader> parse_header(std::string_view text);

// The key of a block.
// Errors: Malformed (the text), InvalidArgument (a KBPK that does not fit the version), WrongKey (the MAC differs),
// CryptoFailed.
[[nodiscard]] Result<KeyBlock> unwrap(std::span<const std::uint8_t> kbpk, std::string_view key_block);

// A key block; optional blocks are padded with PB to whole cipher blocks where needed. `padding` of a whole number of
// blocks together with the 2-byte length and the key is used as given; none: random, hiding the length of shorter keys.
// Errors: InvalidArgument (KBPK, header or padding), CryptoFailed, Io (no random bytes).
[[nodiscard]] Result<std::string> wrap(std::span<const std::uint8_t> kbpk, const Header& header,
                                       std::span<const std::uint8_t> key,
                                       std::optional<std::span<const std::uint8_t>> padding = std::nullopt);

// The keys a KBPK gives for encryption and MAC.
struct BlockKeys {
  SecretBytes encryption;
  SecretBytes mac;
};
[[nodiscard]] Result<BlockKeys> derive_block_keys(char version, std::span<const std::uint8_t> kbpk);

// Check values: AES by CMAC of a zero block, 5 bytes (KC and KP data "01" + hex); legacy by encrypting zeros, 3 bytes.
// Errors: InvalidArgument, CryptoFailed.
[[nodiscard]] Result<std::vector<std::uint8_t>> check_value_cmac(std::span<const std::uint8_t> aes_key);
[[nodiscard]] Result<std::vector<std::uint8_t>> check_value_legacy(char algorithm, std::span<const std::uint8_t> key);

}  // namespace nightdrop::tr31
