// The tag dictionary as one table, searched by binary search; names after EMV 4.4 Book 3, Annex A.
#include "emv/dictionary.hpp"

#include <algorithm>
#include <array>

namespace nightdrop::emv {
namespace {

constexpr auto an = Format::Alphanumeric;
constexpr auto ans = Format::AlphanumericSpecial;
constexpr auto b = Format::Binary;
constexpr auto cn = Format::CompressedNumeric;
constexpr auto n = Format::Numeric;
constexpr auto never = Travel::Never;
constexpr auto acquirer = Travel::ToAcquirer;
constexpr auto encrypted = Travel::Encrypted;

constexpr auto dictionary = std::to_array<TagInfo>({
    {0x42, "Issuer Identification Number", n, never},
    {0x4F, "Application Identifier (ICC)", b, never},
    {0x50, "Application Label", ans, never},
    {0x56, "Track 1 Equivalent Data", ans, encrypted},
    {0x57, "Track 2 Equivalent Data", b, encrypted},
    {0x5A, "Application PAN", cn, encrypted},
    {0x61, "Application Template", b, never},
    {0x6F, "FCI Template", b, never},
    {0x70, "Record Template", b, never},
    {0x71, "Issuer Script Template 1", b, never},
    {0x72, "Issuer Script Template 2", b, never},
    {0x77, "Response Message Template Format 2", b, never},
    {0x80, "Response Message Template Format 1", b, never},
    {0x82, "Application Interchange Profile", b, acquirer},
    {0x84, "Dedicated File Name", b, acquirer},
    {0x86, "Issuer Script Command", b, never},
    {0x87, "Application Priority Indicator", b, never},
    {0x88, "Short File Identifier", b, never},
    {0x8A, "Authorisation Response Code", an, never},
    {0x8C, "CDOL1", b, never},
    {0x8D, "CDOL2", b, never},
    {0x8E, "CVM List", b, never},
    {0x8F, "CA Public Key Index", b, never},
    {0x91, "Issuer Authentication Data", b, never},
    {0x94, "Application File Locator", b, never},
    {0x95, "Terminal Verification Results", b, acquirer},
    {0x97, "TDOL", b, never},
    {0x9A, "Transaction Date", n, acquirer},
    {0x9B, "Transaction Status Information", b, acquirer},
    {0x9C, "Transaction Type", n, acquirer},
    {0xA5, "FCI Proprietary Template", b, never},
    {0x5F20, "Cardholder Name", ans, encrypted},
    {0x5F24, "Application Expiration Date", n, encrypted},
    {0x5F25, "Application Effective Date", n, never},
    {0x5F28, "Issuer Country Code", n, never},
    {0x5F2A, "Transaction Currency Code", n, acquirer},
    {0x5F2D, "Language Preference", an, never},
    {0x5F30, "Service Code", n, encrypted},
    {0x5F34, "PAN Sequence Number", n, acquirer},
    {0x5F36, "Transaction Currency Exponent", n, never},
    {0x5F57, "Account Type", n, never},
    {0x9F02, "Amount, Authorised", n, acquirer},
    {0x9F03, "Amount, Other", n, acquirer},
    {0x9F06, "Application Identifier (terminal)", b, never},
    {0x9F07, "Application Usage Control", b, never},
    {0x9F09, "Application Version Number (terminal)", b, never},
    {0x9F0B, "Cardholder Name, Extended", ans, encrypted},
    {0x9F0D, "Issuer Action Code, Default", b, never},
    {0x9F0E, "Issuer Action Code, Denial", b, never},
    {0x9F0F, "Issuer Action Code, Online", b, never},
    {0x9F10, "Issuer Application Data", b, acquirer},
    {0x9F11, "Issuer Code Table Index", n, never},
    {0x9F12, "Application Preferred Name", ans, never},
    {0x9F19, "Token Requestor ID", n, never},
    {0x9F1A, "Terminal Country Code", n, acquirer},
    {0x9F1E, "Interface Device Serial Number", an, acquirer},
    {0x9F1F, "Track 1 Discretionary Data", ans, encrypted},
    {0x9F20, "Track 2 Discretionary Data", cn, encrypted},
    {0x9F21, "Transaction Time", n, never},
    {0x9F24, "Payment Account Reference", an, encrypted},
    {0x9F26, "Application Cryptogram", b, acquirer},
    {0x9F27, "Cryptogram Information Data", b, acquirer},
    {0x9F33, "Terminal Capabilities", b, acquirer},
    {0x9F34, "CVM Results", b, acquirer},
    {0x9F35, "Terminal Type", n, acquirer},
    {0x9F36, "Application Transaction Counter", b, acquirer},
    {0x9F37, "Unpredictable Number", b, acquirer},
    {0x9F38, "PDOL", b, never},
    {0x9F39, "POS Entry Mode", n, never},
    {0x9F40, "Additional Terminal Capabilities", b, never},
    {0x9F41, "Transaction Sequence Counter", n, never},
    {0x9F45, "Data Authentication Code", b, never},
    {0x9F4B, "Signed Dynamic Application Data", b, never},
    {0x9F4C, "ICC Dynamic Number", b, never},
    {0x9F4E, "Merchant Name and Location", ans, never},
    {0x9F66, "Terminal Transaction Qualifiers", b, never},
    {0x9F6B, "Track 2 Data (contactless)", b, encrypted},
    {0x9F6C, "Card Transaction Qualifiers", b, never},
    {0x9F6E, "Form Factor Indicator", b, acquirer},
    {0xBF0C, "FCI Issuer Discretionary Data", b, never},
});
static_assert(std::ranges::is_sorted(dictionary, {}, &TagInfo::tag));
static_assert(std::ranges::all_of(dictionary, [](const TagInfo& info) { return valid_tag(info.tag); }));

Result<void> select_into(Bytes objects, TlvBuilder& chosen, std::vector<Tag>& seen, int depth) {
  if (depth <= 0) return failure(Errc::Malformed, "TLV templates are nested too deep.");
  TlvReader reader(objects);
  for (;;) {
    const auto object = reader.next();
    if (!object) return std::unexpected(object.error());
    if (!*object) return {};
    const auto& [tag, value] = **object;
    if (is_constructed(tag)) {
      ND_TRY(select_into(value, chosen, seen, depth - 1));
      continue;
    }
    const TagInfo* info = tag_info(tag);
    if (info == nullptr || info->travel != Travel::ToAcquirer || std::ranges::find(seen, tag) != seen.end()) continue;
    seen.push_back(tag);
    chosen.put(tag, value);
  }
}

}  // namespace

const TagInfo* tag_info(Tag tag) {
  const auto* found = std::ranges::lower_bound(dictionary, tag, {}, &TagInfo::tag);
  return found != dictionary.end() && found->tag == tag ? found : nullptr;
}

Format tag_format(Tag tag) {
  const TagInfo* info = tag_info(tag);
  return info == nullptr ? Format::Binary : info->format;
}

std::string_view format_name(Format format) {
  switch (format) {
    case Format::Binary: return "b";
    case Format::Numeric: return "n";
    case Format::CompressedNumeric: return "cn";
    case Format::Alphanumeric: return "an";
    case Format::AlphanumericSpecial: return "ans";
  }
  return "b";
}

bool identifies_card(Tag tag) {
  const TagInfo* info = tag_info(tag);
  return info != nullptr && info->travel == Travel::Encrypted;
}

Result<std::vector<std::uint8_t>> select_for_acquirer(Bytes objects) {
  TlvBuilder chosen;
  std::vector<Tag> seen;
  ND_TRY(select_into(objects, chosen, seen, tlv_depth_max));
  return chosen.take();
}

}  // namespace nightdrop::emv
