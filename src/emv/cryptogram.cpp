// GENERATE AC and GET PROCESSING OPTIONS answers. Lengths are those of EMV 4.4 Book 3, Annex A; anything else is
// refused.
#include "emv/cryptogram.hpp"

#include <algorithm>

namespace nightdrop::emv {
namespace {

constexpr std::size_t iad_max = 32;
constexpr std::size_t afl_max = 252;

std::unexpected<Error> malformed(const char* text) {
  return failure(Errc::Malformed, text);
}

// The one template a response is made of.
Result<Tlv> only_template(Bytes response) {
  ND_TRY(check_tlv(response));
  TlvReader reader(response);
  const auto object = reader.next();
  if (!object) return std::unexpected(object.error());
  if (!*object) return malformed("A card's response is empty.");
  const auto after = reader.next();
  if (!after) return std::unexpected(after.error());
  if (*after) return malformed("A card's response has something after its template.");
  return **object;
}

Result<Cryptogram> positional(Bytes value) {
  if (value.size() < 11 || value.size() > 11 + iad_max) return malformed("A format 1 cryptogram has the wrong length.");
  Cryptogram result;
  result.cid = value[0];
  result.atc = static_cast<std::uint16_t>(value[1] * 256 + value[2]);
  std::copy_n(value.begin() + 3, 8, result.ac.emplace().begin());
  result.iad.assign(value.begin() + 11, value.end());
  return result;
}

Result<std::vector<AflEntry>> parse_afl(Bytes afl) {
  if (afl.size() % 4 != 0 || afl.size() > afl_max) return malformed("An AFL has the wrong length.");
  std::vector<AflEntry> entries;
  for (; !afl.empty(); afl = afl.subspan(4)) {
    const AflEntry entry{static_cast<std::uint8_t>(afl[0] >> 3U), afl[1], afl[2], afl[3]};
    const bool sfi_good = (afl[0] & 0x07U) == 0 && entry.sfi >= 1 && entry.sfi <= 30;
    const bool records_good =
        entry.first >= 1 && entry.first <= entry.last && entry.oda_records <= entry.last - entry.first + 1;
    if (!sfi_good || !records_good) return malformed("An AFL entry names impossible records.");
    entries.push_back(entry);
  }
  return entries;
}

Result<ProcessingOptions> options(Bytes aip, Bytes afl) {
  if (aip.size() != 2) return malformed("An AIP is not of two bytes.");
  auto entries = parse_afl(afl);
  if (!entries) return std::unexpected(entries.error());
  return ProcessingOptions{{aip[0], aip[1]}, std::move(*entries)};
}

}  // namespace

CryptogramType cryptogram_type(std::uint8_t cid) {
  constexpr std::array types{CryptogramType::Aac, CryptogramType::Tc, CryptogramType::Arqc, CryptogramType::Reserved};
  return types[cid >> 6U];
}

Result<Cryptogram> cryptogram_of(Bytes objects) {
  ND_TRY(check_tlv(objects));
  const auto cid = find_tlv(objects, 0x9F27);
  const auto atc = find_tlv(objects, 0x9F36);
  const auto ac = find_tlv(objects, 0x9F26);
  const auto sdad = find_tlv(objects, 0x9F4B);
  const auto iad = find_tlv(objects, 0x9F10);
  if (!cid || cid->size() != 1) return malformed("A cryptogram has no information data (9F27).");
  if (!atc || atc->size() != 2) return malformed("A cryptogram has no transaction counter (9F36).");
  if (ac && ac->size() != 8) return malformed("A cryptogram (9F26) is not of eight bytes.");
  if (!ac && (!sdad || sdad->empty())) return malformed("A cryptogram has neither 9F26 nor 9F4B.");
  if (iad && iad->size() > iad_max) return malformed("Issuer application data (9F10) is too long.");
  Cryptogram result;
  result.cid = (*cid)[0];
  result.atc = static_cast<std::uint16_t>((*atc)[0] * 256 + (*atc)[1]);
  if (ac) std::copy_n(ac->begin(), 8, result.ac.emplace().begin());
  if (sdad) result.signed_data_size = sdad->size();
  if (iad) result.iad.assign(iad->begin(), iad->end());
  return result;
}

Result<Cryptogram> parse_generate_ac(Bytes response) {
  const auto object = only_template(response);
  if (!object) return std::unexpected(object.error());
  if (object->tag == 0x80) return positional(object->value);
  if (object->tag == 0x77) return cryptogram_of(object->value);
  return malformed("A GENERATE AC response has an unknown template.");
}

Result<ProcessingOptions> parse_gpo(Bytes response) {
  const auto object = only_template(response);
  if (!object) return std::unexpected(object.error());
  if (object->tag == 0x80) {
    if (object->value.size() < 2) return malformed("A GPO response is too short.");
    return options(object->value.first(2), object->value.subspan(2));
  }
  if (object->tag != 0x77) return malformed("A GPO response has an unknown template.");
  const auto aip = find_tlv(object->value, 0x82);
  const auto afl = find_tlv(object->value, 0x94);
  if (!aip) return malformed("A GPO response has no AIP.");
  return options(*aip, afl.value_or(Bytes{}));
}

}  // namespace nightdrop::emv
