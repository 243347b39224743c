// Answers under damage: a good answer with bytes changed, cut, doubled or put in is read without a crash, and never as
// the outcome of another payment.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "property/property/answer_promises.hpp"

namespace nightdrop {
namespace {

std::string good_body(int which) {
  const std::string id(test::fuzzed_id);
  switch (which) {
    case 0:
      return R"({"id":"aq_1","payment":")" + id +
             R"(","outcome":"approved","approved_amount":1250,"authorization_code":"831000","response_code":"00","processed_at":"2026-11-21T19:40:04Z","emv":"8A023030"})";
    case 1:
      return R"({"payment":")" + id +
             R"(","outcome":"declined","response_code":"51","reason":"insufficient_funds","category":"soft","advice_code":"24"})";
    case 2: return R"({"payment":")" + id + R"(","outcome":"partial","approved_amount":800})";
    case 3: return R"({"payment":")" + id + R"(","outcome":"pending"})";
    case 4: return R"({"error":{"code":"unknown_payment","message":"m"}})";
    case 5: return R"({"payment":")" + id + R"(","outcome":"reversed"})";
    case 6:
      return R"({"results":[{"payment":")" + id + R"(","status":200,"body":{"payment":")" + id +
             R"(","outcome":"approved","approved_amount":5}},{"payment":"pi_2","status":409,"body":{"error":{"code":"x"}}}]})";
    default: return R"({"batch":100,"http2":true,"server_time":"2026-11-21T19:40:03Z"})";
  }
}

std::string damage(std::string body) {
  const int wounds = *rc::gen::inRange(0, 4);
  for (int i = 0; i < wounds && !body.empty(); ++i) {
    const auto at = *rc::gen::inRange<std::size_t>(0, body.size());
    switch (*rc::gen::inRange(0, 4)) {
      case 0: body[at] = static_cast<char>(*rc::gen::arbitrary<std::uint8_t>()); break;
      case 1: body.erase(at, *rc::gen::inRange<std::size_t>(1, 12)); break;
      case 2:
        body.insert(at, *rc::gen::element<std::string>("\"", "{", "}", "[", "]", ",", ":", "null", "-1", "1e9",
                                                       "\\u0000", "\xFF", std::string(1, '\0')));
        break;
      default: body.insert(at, body.substr(at, *rc::gen::inRange<std::size_t>(1, 30))); break;
    }
  }
  return body;
}

RC_GTEST_PROP(AnswerProperties, NoBodyBreaksTheReader, ()) {
  const int status = *rc::gen::element(200, 202, 400, 404, 409, 413, 422, 401, 503, 302, 0, -1, 1 << 30);
  test::exercise_answer(damage(good_body(*rc::gen::inRange(0, 8))), status);
}

RC_GTEST_PROP(AnswerProperties, RandomBytesBreakNothing, (const std::string& bytes)) {
  test::exercise_answer(bytes, 200);
}

// Damage that leaves a whole JSON can change an amount; it cannot make the outcome of another id ours.
RC_GTEST_PROP(AnswerProperties, AnotherPaymentsAnswerIsNeverOurs, ()) {
  std::string body = good_body(*rc::gen::inRange(0, 4));
  const std::size_t at = body.find(test::fuzzed_id) + 3 + *rc::gen::inRange<std::size_t>(0, 32);
  const char digit = *rc::gen::elementOf(std::string("0123456789abcdef"));
  RC_PRE(body[at] != digit);
  body[at] = digit;
  hal::HostReply reply;
  reply.status = 200;
  reply.body = body;
  RC_ASSERT(std::holds_alternative<NotAnAnswer>(
      acquirer::read_payment_answer(reply, std::string(test::fuzzed_id), false, 0)));
}

}  // namespace
}  // namespace nightdrop
