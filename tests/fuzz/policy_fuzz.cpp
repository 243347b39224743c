// A policy document: what is taken prints and is taken again. The same bytes as an overlay: what is in force is no
// looser than what was signed.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "config/policy_compare.hpp"
#include "config/policy_json.hpp"
#include "config/policy_overlay.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern const char* const fuzz_seeds[];

const char* const fuzz_seeds[] = {
    R"({"version":1,"valid_from":"2026-01-01T00:00:00Z","valid_until":"2027-01-01T00:00:00Z","merchant_id":"m_1","currencies":{"usd":{"per_transaction":10000,"device_total":100000,"per_card_total":20000,"refund_total":10000,"approval_threshold":null}},"device_count":100,"entry_modes_offline":["contact_emv"],"blocked_bins":["4242"],"decline_retries":{"enabled":true,"max_per_day":1,"max_per_30_days":10}})",
    R"({"version":2,"ceiling":{"device_count":10}})",
    R"({"currencies":{"usd":{"per_transaction":5000,"approval_threshold":3000}},"device_count":40,"blocked_bins":["400012"],"approvers":[{"id":"anna"}],"brands_offline":["visa"],"valid_until":"2026-06-01T00:00:00Z"})",
    nullptr};

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace nightdrop;
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const auto policy = parse_policy(text);
  if (policy) ND_ASSERT(parse_policy(policy_json(*policy).dump()).has_value());
  Policy base;
  base.merchant_id = "m_1";
  base.valid_from = 1'767'225'600'000;
  base.valid_until = base.valid_from + 365 * INT64_C(86'400'000);
  base.approvers = {{"anna", std::vector<std::uint8_t>(16), std::vector<std::uint8_t>(32), 10'000}};
  const auto merged = tighten_policy(base, text);
  if (!merged) {
    ND_ASSERT(merged.error().kind != PolicyError::Kind::Loosens);
    return 0;
  }
  for (const PolicyDifference& difference : compare_policies(base, merged->policy))
    ND_ASSERT(difference.direction == PolicyDirection::Tighter);
  return 0;
}
