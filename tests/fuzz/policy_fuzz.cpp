// A policy document: what is taken prints and is taken again.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "config/policy_json.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern const char* const fuzz_seeds[];

const char* const fuzz_seeds[] = {
    R"({"version":1,"valid_from":"2026-01-01T00:00:00Z","valid_until":"2027-01-01T00:00:00Z","merchant_id":"m_1","currencies":{"usd":{"per_transaction":10000,"device_total":100000,"per_card_total":20000,"refund_total":10000,"approval_threshold":null}},"device_count":100,"entry_modes_offline":["contact_emv"],"blocked_bins":["4242"],"decline_retries":{"enabled":true,"max_per_day":1,"max_per_30_days":10}})",
    R"({"version":2,"ceiling":{"device_count":10}})", nullptr};

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace nightdrop;
  const auto policy = parse_policy({reinterpret_cast<const char*>(data), size});
  if (policy) ND_ASSERT(parse_policy(policy_json(*policy).dump()).has_value());
  return 0;
}
