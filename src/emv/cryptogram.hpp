// The card's answers to GENERATE AC and GET PROCESSING OPTIONS, in both of their formats, status word already cut off.
// Standard: EMV 4.4 Book 3, 6.5.5.4 and 6.5.8.4.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "emv/tlv.hpp"

namespace nightdrop::emv {

// The top two bits of the Cryptogram Information Data (9F27).
enum class CryptogramType : std::uint8_t { Aac, Tc, Arqc, Reserved };

CryptogramType cryptogram_type(std::uint8_t cid);

struct Cryptogram {
  std::uint8_t cid{0};
  std::uint16_t atc{0};
  std::optional<std::array<std::uint8_t, 8>> ac;  // absent where combined data authentication hides it in 9F4B
  std::size_t signed_data_size{0};                // of 9F4B; 0 if absent
  std::vector<std::uint8_t> iad;
  CryptogramType type() const { return cryptogram_type(cid); }
};

// Reads template 80 (positional) or 77. Errors: Malformed (another template, a mandatory part missing or misshapen).
Result<Cryptogram> parse_generate_ac(Bytes response);

// The same out of a flat list of objects, as in ISO 8583 DE55 or this project's `emv`. Errors: Malformed.
Result<Cryptogram> cryptogram_of(Bytes objects);

struct AflEntry {
  std::uint8_t sfi{0};
  std::uint8_t first{0};
  std::uint8_t last{0};
  std::uint8_t oda_records{0};
};
struct ProcessingOptions {
  std::array<std::uint8_t, 2> aip{};
  std::vector<AflEntry> afl;
};

// Reads template 80 or 77. Errors: Malformed (also an AFL that names impossible records).
Result<ProcessingOptions> parse_gpo(Bytes response);

}  // namespace nightdrop::emv
