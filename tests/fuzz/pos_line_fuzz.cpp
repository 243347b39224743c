// One line from a POS: framing, strict params, and what is answered to what is wrong.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "pos/params.hpp"
#include "pos/wire.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern const char* const fuzz_seeds[];

const char* const fuzz_seeds[] = {
    R"({"jsonrpc":"2.0","id":1,"method":"create_payment_intent","params":{"amount":1250,"currency":"usd","merchant_reference":"a-1","amount_details":{"tip":100},"metadata":{"table":"7"}}})",
    R"({"jsonrpc":"2.0","id":"x","method":"approve_payment_intent","params":{"id":"pi_0","approver":"manager","pin":"2468"}})",
    R"([{"jsonrpc":"2.0"}])", nullptr};

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace nightdrop;
  const auto request = pos::read_request({reinterpret_cast<const char*>(data), size});
  if (!request) {
    ND_ASSERT(!pos::error_line(request.error().id, request.error().code, request.error().message).empty());
    return 0;
  }
  pos::Params params(request->params);
  (void)params.optional_integer("amount", 1, amount_max);
  (void)params.currency("currency");
  (void)params.printable("merchant_reference", 64);
  (void)params.tip();
  (void)params.metadata();
  (void)params.optional_prose("description", 200);
  (void)params.pin("pin");
  (void)params.optional_word<OfflineBehavior>("offline_behavior");
  (void)params.texts("types", 32, 64);
  if (const auto wrong = params.error()) ND_ASSERT(pos::error_line(request->id, *wrong).ends_with("}\n"));
  return 0;
}
