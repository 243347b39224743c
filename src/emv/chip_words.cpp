// Bits and codes as tables of phrases.
#include "emv/chip_words.hpp"

#include <array>
#include <span>

namespace nightdrop::emv {
namespace {

struct BitWords {
  std::uint8_t byte;
  std::uint8_t mask;
  std::string_view words;
};

constexpr auto tvr_bits = std::to_array<BitWords>({
    {0, 0x80, "offline data authentication not performed"},
    {0, 0x40, "SDA failed"},
    {0, 0x20, "ICC data missing"},
    {0, 0x10, "card on terminal exception file"},
    {0, 0x08, "DDA failed"},
    {0, 0x04, "CDA failed"},
    {1, 0x80, "different application versions"},
    {1, 0x40, "expired application"},
    {1, 0x20, "application not yet effective"},
    {1, 0x10, "service not allowed"},
    {1, 0x08, "new card"},
    {2, 0x80, "cardholder verification failed"},
    {2, 0x40, "unrecognised CVM"},
    {2, 0x20, "PIN try limit exceeded"},
    {2, 0x10, "PIN required, pad absent or broken"},
    {2, 0x08, "PIN required, not entered"},
    {2, 0x04, "online PIN entered"},
    {3, 0x80, "exceeds floor limit"},
    {3, 0x40, "lower consecutive offline limit exceeded"},
    {3, 0x20, "upper consecutive offline limit exceeded"},
    {3, 0x10, "selected randomly for online"},
    {3, 0x08, "merchant forced online"},
    {4, 0x80, "default TDOL used"},
    {4, 0x40, "issuer authentication failed"},
    {4, 0x20, "script failed before final GENERATE AC"},
    {4, 0x10, "script failed after final GENERATE AC"},
});

constexpr auto tsi_bits = std::to_array<BitWords>({
    {0, 0x80, "offline data authentication performed"},
    {0, 0x40, "cardholder verification performed"},
    {0, 0x20, "card risk management performed"},
    {0, 0x10, "issuer authentication performed"},
    {0, 0x08, "terminal risk management performed"},
    {0, 0x04, "script processing performed"},
});

std::vector<std::string_view> set_bits(std::span<const BitWords> table, Bytes value, std::size_t size) {
  std::vector<std::string_view> words;
  if (value.size() != size) return words;
  for (const auto& bit : table) {
    if ((value[bit.byte] & bit.mask) != 0) words.push_back(bit.words);
  }
  return words;
}

std::string_view method_words(std::uint8_t code) {
  switch (code) {
    case 0x00: return "failed";
    case 0x01: return "offline PIN, plain";
    case 0x02: return "online PIN";
    case 0x03: return "offline PIN, plain, and signature";
    case 0x04: return "offline PIN, enciphered";
    case 0x05: return "offline PIN, enciphered, and signature";
    case 0x1E: return "signature";
    case 0x1F: return "none required";
    case 0x3F: return "none performed";
    default: return "other";
  }
}

std::string_view condition_words(std::uint8_t code) {
  constexpr auto words = std::to_array<std::string_view>(
      {"always", "unattended cash", "neither cash nor cashback", "terminal supports the CVM", "manual cash", "cashback",
       "below amount X", "above amount X", "below amount Y", "above amount Y"});
  return code < words.size() ? words[code] : "other";
}

}  // namespace

std::string_view cryptogram_words(CryptogramType type) {
  switch (type) {
    case CryptogramType::Aac: return "AAC: declined offline";
    case CryptogramType::Tc: return "TC: approved offline";
    case CryptogramType::Arqc: return "ARQC: asks the issuer";
    case CryptogramType::Reserved: return "reserved";
  }
  return "reserved";
}

std::vector<std::string_view> tvr_words(Bytes tvr) {
  return set_bits(tvr_bits, tvr, 5);
}

std::vector<std::string_view> tsi_words(Bytes tsi) {
  return set_bits(tsi_bits, tsi, 2);
}

Result<CvmWords> cvm_words(Bytes cvm_results) {
  if (cvm_results.size() != 3) return failure(Errc::Malformed, "CVM Results are not of three bytes.");
  // Bit 40 of the method says "go to the next rule if this one fails"; 3F stands for none as a whole.
  const std::uint8_t code = cvm_results[0] == 0x3F ? 0x3F : cvm_results[0] & 0x3FU;
  CvmWords words;
  words.method = method_words(code);
  words.condition = condition_words(cvm_results[1]);
  words.outcome = cvm_results[2] == 2   ? CvmOutcome::Successful
                  : cvm_results[2] == 1 ? CvmOutcome::Failed
                                        : CvmOutcome::Unknown;
  words.online_pin = code == 0x02;
  words.pin_by_card =
      (code == 0x01 || code == 0x03 || code == 0x04 || code == 0x05) && words.outcome == CvmOutcome::Successful;
  return words;
}

std::string_view offline_response_words(std::string_view arc) {
  if (arc == "Y1") return "offline approved";
  if (arc == "Z1") return "offline declined";
  if (arc == "Y3") return "unable to go online, offline approved";
  if (arc == "Z3") return "unable to go online, offline declined";
  return {};
}

}  // namespace nightdrop::emv
