// What the chip and the terminal said, in words: the bits of CID, TVR, TSI and CVM Results for a log, a report or a
// support desk. Words only, no card data. Standard: EMV 4.4 Book 3, Annex C5, C6; Book 4, Annex A4 and A6.
#pragma once

#include <string_view>
#include <vector>

#include "emv/cryptogram.hpp"

namespace nightdrop::emv {

// "AAC: declined offline", "TC: approved offline", "ARQC: asks the issuer", "reserved".
std::string_view cryptogram_words(CryptogramType type);

// One phrase a bit that is set, in order; empty for a value that is not of 5 bytes. Lifetime: static text.
std::vector<std::string_view> tvr_words(Bytes tvr);

// One phrase a bit that is set, in order; empty for a value that is not of 2 bytes. Lifetime: static text.
std::vector<std::string_view> tsi_words(Bytes tsi);

enum class CvmOutcome : std::uint8_t { Unknown, Failed, Successful };
struct CvmWords {
  std::string_view method;     // "offline PIN, plain", "online PIN", "signature", "none required" …
  std::string_view condition;  // when the rule applied
  CvmOutcome outcome{CvmOutcome::Unknown};
  bool pin_by_card{false};  // the card itself checked a PIN
  bool online_pin{false};
};

// CVM Results (9F34) in words. Errors: Malformed (not 3 bytes).
Result<CvmWords> cvm_words(Bytes cvm_results);

// The offline authorization response codes: "Y1" … "Z3"; empty for any other.
std::string_view offline_response_words(std::string_view arc);

}  // namespace nightdrop::emv
