// The POS protocol's text, strictly: JSON-RPC lines in and out, params whose misspelt field is never ignored.
#include "pos/wire.hpp"

#include <gtest/gtest.h>

#include "pos/params.hpp"

namespace nightdrop::pos {
namespace {

TEST(Requests, AreReadWhole) {
  const auto request = read_request(R"({"jsonrpc":"2.0","id":"a\"b","method":"ping","params":{"x":1}})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->id, R"("a\"b")") << "as it was written";
  EXPECT_EQ(request->method, "ping");
  EXPECT_FALSE(request->notification);
  EXPECT_EQ(request->params["x"].integer(), 1);
  EXPECT_EQ(read_request(R"({"jsonrpc":"2.0","id":7,"method":"ping"})")->id, "7");
  EXPECT_FALSE(read_request(R"({"jsonrpc":"2.0","id":7,"method":"ping"})")->params.exists());
  EXPECT_TRUE(read_request(R"({"jsonrpc":"2.0","method":"ping"})")->notification);
  EXPECT_FALSE(read_request(R"({"jsonrpc":"2.0","id":null,"method":"ping"})")->notification);
}

TEST(Requests, SayWhatIsWrongUnderTheirIdWhereItCanBeRead) {
  struct {
    const char* line;
    int code;
    const char* id;
  } const wrong[] = {
      {"", parse_error, "null"},
      {"hello", parse_error, "null"},
      {R"({"jsonrpc":"2.0","id":1,"method":"ping"} x)", parse_error, "null"},
      {R"([{"jsonrpc":"2.0","id":1,"method":"ping"}])", invalid_request, "null"},
      {"[]", invalid_request, "null"},
      {"7", invalid_request, "null"},
      {R"({"id":1,"method":"ping"})", invalid_request, "1"},
      {R"({"jsonrpc":"1.0","id":1,"method":"ping"})", invalid_request, "1"},
      {R"({"jsonrpc":2.0,"id":1,"method":"ping"})", invalid_request, "1"},
      {R"({"jsonrpc":"2.0","id":1})", invalid_request, "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":5})", invalid_request, "1"},
      {R"({"jsonrpc":"2.0","id":[1],"method":"ping"})", invalid_request, "null"},
      {R"({"jsonrpc":"2.0","id":{"a":1},"method":"ping"})", invalid_request, "null"},
      {R"({"jsonrpc":"2.0","id":1.5,"method":"ping"})", invalid_request, "null"},
      {R"({"jsonrpc":"2.0","id":true,"method":"ping"})", invalid_request, "null"},
      {R"({"jsonrpc":"2.0","id":1,"method":"ping","param":{}})", invalid_request, "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":"ping","params":[1]})", invalid_params, "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":"ping","params":"x"})", invalid_params, "1"},
  };
  for (const auto& each : wrong) {
    const auto request = read_request(each.line);
    ASSERT_FALSE(request) << each.line;
    EXPECT_EQ(request.error().code, each.code) << each.line;
    EXPECT_EQ(request.error().id, each.id) << each.line;
    EXPECT_STRNE(request.error().message, "") << each.line;
  }
}

TEST(Lines, AreOneObjectEach) {
  const Json result = std::move(Json::object().set("text", "a\nb"));
  EXPECT_EQ(result_line("\"x\"", result.view()),
            "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":{\"text\":\"a\\nb\"}}\n");
  EXPECT_EQ(error_line("null", parse_error, "No."),
            "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"No.\"}}\n");
  EXPECT_EQ(notification_line(R"({"seq":1})"), "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"seq\":1}}\n");
}

TEST(Lines, AnErrorCarriesTheContractsData) {
  terminal::PosError failed{.code = PosCode::ApproverInvalid, .message = "The PIN is wrong.", .field = "pin"};
  failed.attempts_remaining = 3;
  EXPECT_EQ(error_line("4", failed),
            "{\"jsonrpc\":\"2.0\",\"id\":4,\"error\":{\"code\":-32000,\"message\":\"The PIN is wrong.\","
            "\"data\":{\"code\":\"approver_invalid\",\"field\":\"pin\",\"attempts_remaining\":3}}}\n");
  Payment payment;
  payment.id = "pi_1";
  const terminal::PosError with_payment{.code = PosCode::NetworkLost, .message = "Lost.", .payment = payment};
  const auto line = Json::parse(error_line("4", with_payment));
  ASSERT_TRUE(line);
  EXPECT_EQ((*line)["error"]["data"]["payment_intent"]["id"].string(), "pi_1");
  const terminal::PosError invalid{.code = PosCode::InvalidParams, .message = "No.", .field = "amount"};
  EXPECT_EQ((*Json::parse(error_line("4", invalid)))["error"]["code"].integer(), invalid_params);
}

// What error() says after a read: the field to blame, or "" when all is well.
template <class Read>
std::string blamed(const char* text, const Read& read) {
  const auto json = Json::parse(text);
  EXPECT_TRUE(json) << text;
  Params params(json->view());
  read(params);
  const auto error = params.error();
  if (!error) return "";
  EXPECT_EQ(error->code, PosCode::InvalidParams);
  EXPECT_FALSE(error->message.empty());
  return error->field;
}

TEST(ParamsRead, UnknownAndRepeatedFieldsAreRefused) {
  const auto amount = [](Params& params) { (void)params.integer("amount", 1, 100); };
  EXPECT_EQ(blamed(R"({"amount":5})", amount), "");
  EXPECT_EQ(blamed(R"({"amount":5,"max_offline_amont":1})", amount), "max_offline_amont");
  EXPECT_EQ(blamed(R"({"amount":5,"Amount":5})", amount), "Amount");
  EXPECT_EQ(blamed(R"({"amount":5,"amount":6})", amount), "amount");
  EXPECT_EQ(blamed("{}", amount), "amount");
  EXPECT_EQ(blamed(R"({"amount":null})", amount), "amount") << "null stands for absent";
}

TEST(ParamsRead, IntegersHaveTheirRange) {
  const auto amount = [](Params& params) { (void)params.integer("amount", 1, 99'999'999); };
  EXPECT_EQ(blamed(R"({"amount":1})", amount), "");
  EXPECT_EQ(blamed(R"({"amount":99999999})", amount), "");
  for (const char* bad : {"0", "100000000", "-1", "1.5", "\"5\"", "true", "[1]", "1e99"}) {
    EXPECT_EQ(blamed((std::string(R"({"amount":)") + bad + "}").c_str(), amount), "amount") << bad;
  }
}

TEST(ParamsRead, CurrenciesAreIso4217InLowerCase) {
  const auto currency = [](Params& params) { (void)params.currency("currency"); };
  for (const char* good : {"usd", "eur", "jpy", "kwd"})
    EXPECT_EQ(blamed((std::string(R"({"currency":")") + good + "\"}").c_str(), currency), "") << good;
  for (const char* bad : {"USD", "usx", "us", "usdd", "", "840", "Usd"}) {
    EXPECT_EQ(blamed((std::string(R"({"currency":")") + bad + "\"}").c_str(), currency), "currency") << bad;
  }
}

TEST(ParamsRead, ReferencesArePrintableAscii) {
  const auto reference = [](Params& params) { (void)params.printable("r", 64); };
  EXPECT_EQ(blamed(R"({"r":"order 10~01"})", reference), "");
  EXPECT_EQ(blamed((R"({"r":")" + std::string(64, 'a') + "\"}").c_str(), reference), "");
  EXPECT_EQ(blamed((R"({"r":")" + std::string(65, 'a') + "\"}").c_str(), reference), "r");
  for (const char* bad : {R"({"r":""})", R"({"r":"é"})", R"({"r":"a\n"})", R"({"r":"\u007f"})", R"({"r":5})", "{}"})
    EXPECT_EQ(blamed(bad, reference), "r") << bad;
}

TEST(ParamsRead, PinsAreFourToTwelveDigits) {
  const auto pin = [](Params& params) { (void)params.pin("pin"); };
  EXPECT_EQ(blamed(R"({"pin":"2468"})", pin), "");
  EXPECT_EQ(blamed(R"({"pin":"123456789012"})", pin), "");
  for (const char* bad : {R"({"pin":"123"})", R"({"pin":"1234567890123"})", R"({"pin":"12a4"})", R"({"pin":2468})",
                          R"({"pin":""})", R"({"pin":"12 34"})", "{}"}) {
    EXPECT_EQ(blamed(bad, pin), "pin") << bad;
  }
}

TEST(ParamsRead, TipsAndMetadata) {
  const auto tip = [](Params& params) { (void)params.tip(); };
  EXPECT_EQ(blamed(R"({"amount_details":{"tip":0}})", tip), "");
  EXPECT_EQ(blamed("{}", tip), "");
  for (const char* bad :
       {R"({"amount_details":{}})", R"({"amount_details":{"tip":-1}})", R"({"amount_details":{"tip":1,"x":2}})",
        R"({"amount_details":{"tip":"1"}})", R"({"amount_details":5})", R"({"amount_details":{"tip":1.5}})",
        R"({"amount_details":{"tip":100000000}})"}) {
    EXPECT_EQ(blamed(bad, tip), "amount_details") << bad;
  }
  const auto metadata = [](Params& params) { (void)params.metadata(); };
  EXPECT_EQ(blamed(R"({"metadata":{"table":"7","empty":""}})", metadata), "");
  std::string pairs;
  for (int i = 0; i < 17; ++i) pairs += (i == 0 ? "" : ",") + ("\"k" + std::to_string(i)) + "\":\"v\"";
  EXPECT_EQ(blamed(("{\"metadata\":{" + pairs + "}}").c_str(), metadata), "metadata");
  EXPECT_EQ(
      blamed(("{\"metadata\":{\"" + std::string(40, 'k') + "\":\"" + std::string(200, 'v') + "\"}}").c_str(), metadata),
      "");
  EXPECT_EQ(blamed(("{\"metadata\":{\"" + std::string(41, 'k') + "\":\"v\"}}").c_str(), metadata), "metadata");
  EXPECT_EQ(blamed(("{\"metadata\":{\"k\":\"" + std::string(201, 'v') + "\"}}").c_str(), metadata), "metadata");
  for (const char* bad :
       {R"({"metadata":[]})", R"({"metadata":{"a":1}})", R"({"metadata":{"":"v"}})", R"({"metadata":"x"})"})
    EXPECT_EQ(blamed(bad, metadata), "metadata") << bad;
}

TEST(ParamsRead, WordsListsAndTruths) {
  const auto word = [](Params& params) { (void)params.optional_word<OfflineBehavior>("w"); };
  EXPECT_EQ(blamed(R"({"w":"force_offline"})", word), "");
  EXPECT_EQ(blamed("{}", word), "");
  for (const char* bad : {R"({"w":"Force_offline"})", R"({"w":"force"})", R"({"w":1})", R"({"w":""})"})
    EXPECT_EQ(blamed(bad, word), "w") << bad;
  const auto truth = [](Params& params) { (void)params.optional_boolean("b"); };
  EXPECT_EQ(blamed(R"({"b":false})", truth), "");
  for (const char* bad : {R"({"b":0})", R"({"b":"true"})"}) EXPECT_EQ(blamed(bad, truth), "b") << bad;
  const auto list = [](Params& params) { (void)params.texts("l", 2, 3); };
  EXPECT_EQ(blamed(R"({"l":["a","bcd"]})", list), "");
  for (const char* bad :
       {R"({"l":["a","b","c"]})", R"({"l":["abcd"]})", R"({"l":[""]})", R"({"l":[1]})", R"({"l":{}})"})
    EXPECT_EQ(blamed(bad, list), "l") << bad;
}

TEST(ParamsRead, TheFirstThingWrongIsNamed) {
  const auto both = [](Params& params) {
    (void)params.integer("a", 1, 2);
    (void)params.integer("b", 1, 2);
  };
  EXPECT_EQ(blamed(R"({"a":9,"b":9,"c":9})", both), "a");
  EXPECT_EQ(blamed(R"({"a":1,"b":9,"c":9})", both), "b");
  EXPECT_EQ(blamed(R"({"a":1,"b":1,"c":9})", both), "c");
}

}  // namespace
}  // namespace nightdrop::pos
