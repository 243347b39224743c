// What comes back from the acquirer, or from whoever answers in its place: only an exact answer may be an outcome.
#include <cstddef>
#include <cstdint>
#include <string>

#include "acquirer/https/answer.hpp"
#include "nightdrop/result.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern const char* const fuzz_seeds[];

const char* const fuzz_seeds[] = {
    R"({"id":"aq_1","payment":"pi_1","outcome":"approved","approved_amount":1250,"authorization_code":"831000","response_code":"00","processed_at":"2026-11-21T19:40:03.123Z"})",
    R"({"id":"aq_1","payment":"pi_1","outcome":"declined","response_code":"51","reason":"insufficient_funds","category":"soft","advice_code":"24"})",
    R"({"results":[{"payment":"pi_1","status":200,"body":{"payment":"pi_1","outcome":"pending"}},{"payment":"pi_2","status":422,"body":{"error":{"code":"x"}}}]})",
    R"({"batch":100,"http2":true,"server_time":"2026-11-21T19:40:03.123Z"})",
    "<html>",
    nullptr};

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace nightdrop;
  const std::string body(reinterpret_cast<const char*>(data), size);
  for (const int status : {200, 202, 400, 404, 429, 503, 302}) {
    hal::HostReply reply;
    reply.status = status;
    reply.body = body;
    reply.headers = {{"retry-after", body.substr(0, 40)}};
    const Answer answer = acquirer::read_payment_answer(reply, "pi_1", false, 0);
    // An outcome comes with 200 and in no other way.
    if (std::holds_alternative<Approved>(answer) || std::holds_alternative<DeclinedAnswer>(answer)) {
      ND_ASSERT(status == 200);
    }
    (void)acquirer::read_payment_answer(reply, "pi_1", true, 0);
    (void)acquirer::read_reversal_answer(reply, "pi_1", 0);
    ND_ASSERT(acquirer::read_batch_answer(reply, {"pi_1", "pi_2"}, 0).size() == 2);
    (void)acquirer::read_capabilities(reply);
  }
  return 0;
}
