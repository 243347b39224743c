// The format of key blocks below the rules of tr31.hpp, versions A to E: A, C and E stand in the published vectors and
// in nothing that this product takes. Versions differ in three choices: how the KBPK gives its two keys, what the MAC
// covers, and the cipher's mode.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "crypto/tr31.hpp"

namespace nightdrop::tr31 {

inline constexpr std::size_t fixed_header_size = 16;
inline constexpr std::size_t key_length_size = 2;  // before the key: its length in bits

struct OpenedBlock {
  Header header;
  SecretBytes key;
};

// Checks the MAC of a block of any version and gives its key; usage, algorithm, mode and the optional blocks' data are
// not looked at. Errors: as unwrap().
[[nodiscard]] Result<OpenedBlock> open_block(std::span<const std::uint8_t> kbpk, std::string_view key_block);

// Writes a block of any version. `padding`, a whole number of cipher blocks together with length and key, is used as
// given; none: random. Errors: InvalidArgument, CryptoFailed, Io.
[[nodiscard]] Result<std::string> seal_block(std::span<const std::uint8_t> kbpk, const Header& header,
                                             std::span<const std::uint8_t> key,
                                             std::optional<std::span<const std::uint8_t>> padding = std::nullopt);

// The text of header and optional blocks, with a PB block where these would not fill whole cipher blocks, for a key
// block whose encrypted part and MAC take `rest` characters.
// Errors: InvalidArgument (what would not be read back as it was meant, or is too long).
[[nodiscard]] Result<std::string> header_text(const Header& header, std::size_t cipher_block, std::size_t rest);

// The keys a KBPK gives for encryption and MAC.
struct BlockKeys {
  SecretBytes encryption;
  SecretBytes mac;
};
[[nodiscard]] Result<BlockKeys> derive_block_keys(char version, std::span<const std::uint8_t> kbpk);

// What an error about an optional block says: static texts, one set for each block that is known.
struct BlockTexts {
  std::string_view id;
  const char* twice;
  const char* length;
  const char* data;
};
const BlockTexts& texts_of(std::string_view id);
// Whether the id is one of known_blocks().
bool is_known(std::string_view id);

}  // namespace nightdrop::tr31
