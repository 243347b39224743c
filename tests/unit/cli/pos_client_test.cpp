// The POS client against a socket that cuts lines into pieces, answers out of order, refuses, and hangs up.
#include "nightdrop/pos_client.hpp"

#include <gtest/gtest.h>

#include <chrono>

#include "fake_reader.hpp"

namespace nightdrop {
namespace {

using namespace std::chrono_literals;
using test::FakeReader;
using test::Reply;

PosClient connected(const FakeReader& reader) {
  auto client = PosClient::connect(reader.path());
  EXPECT_TRUE(client);
  return std::move(*client);
}

TEST(PosClient, GivesTheResultsExactText) {
  FakeReader reader;
  reader.on("ping",
            Reply{.raw = "{ \"jsonrpc\":\"2.0\", \"result\" : {\"a\" : [1, \"}\\\"]\", {}]} , \"id\" : 1 }\r\n"});
  EXPECT_EQ(connected(reader).call("ping"), R"({"a" : [1, "}\"]", {}]})");
}

TEST(PosClient, SendsParamsAsTheyAre) {
  FakeReader reader;
  reader.on("ping", test::result("{}"));
  auto client = connected(reader);
  EXPECT_TRUE(client.call("ping", R"({"x":[1,2]})"));
  EXPECT_TRUE(client.call("ping"));
  EXPECT_EQ(reader.params_of("ping"), (std::vector<std::string>{R"({"x":[1,2]})", "null"}));
}

TEST(PosClient, CarriesTheReadersErrorObject) {
  FakeReader reader;
  reader.on("ping", test::refusal("reader_busy"));
  const auto answer = connected(reader).call("ping");
  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().refused());
  EXPECT_EQ(answer.error().answer, R"({"code":-32000,"message":"No.","data":{"code":"reader_busy"}})");
}

TEST(PosClient, QueuesEventsThatComeDuringACall) {
  FakeReader reader;
  reader.on("ping", Reply{.events = {R"({"seq":1})", R"({"seq":2})"}, .result = "{}"});
  auto client = connected(reader);
  EXPECT_TRUE(client.call("ping"));
  EXPECT_EQ(client.next_event(0ms), R"({"seq":1})");
  EXPECT_EQ(client.next_event(0ms), R"({"seq":2})");
  EXPECT_EQ(client.next_event(0ms), std::nullopt);
}

TEST(PosClient, HandsEventsToTheCallback) {
  FakeReader reader;
  reader.on("ping", Reply{.events = {R"({"seq":1})"}, .result = "{}"});
  auto client = connected(reader);
  std::string seen;
  client.on_event([&](std::string_view params) { seen = params; });
  EXPECT_TRUE(client.call("ping"));
  EXPECT_EQ(seen, R"({"seq":1})");
}

TEST(PosClient, TellsAnswersApartThatComeOutOfOrder) {
  FakeReader reader;
  reader.on("slow", Reply{.hold = true});
  reader.on("quick", Reply{.result = R"("quick")", .release = true, .held_error = R"({"code":1})"});
  auto client = connected(reader);
  const auto slow = client.begin("slow");
  const auto quick = client.begin("quick");
  ASSERT_TRUE(slow && quick);
  EXPECT_EQ(client.wait(*quick), R"("quick")");
  EXPECT_EQ(client.wait(*slow).error().answer, R"({"code":1})");
  EXPECT_EQ(client.wait(*slow).error().error.code, Errc::InvalidArgument);  // it was taken
}

TEST(PosClient, TimesOutAndLeavesTheRequestOpen) {
  FakeReader reader;
  reader.on("slow", Reply{.hold = true});
  reader.on("quick", Reply{.result = "1", .release = true, .held_error = R"({"code":1})"});
  auto client = connected(reader);
  const auto slow = client.begin("slow");
  ASSERT_TRUE(slow);
  EXPECT_TRUE(client.wait(*slow, 1ms).error().timed_out());
  EXPECT_TRUE(client.call("quick"));
  EXPECT_TRUE(client.wait(*slow, 0ms).error().refused());
}

TEST(PosClient, ThrowsAwayTheLateAnswerOfACallThatTimedOut) {
  FakeReader reader;
  reader.on("slow", Reply{.hold = true});
  reader.on("quick", Reply{.result = "1", .release = true, .held_error = R"({"code":1})"});
  auto client = connected(reader);
  EXPECT_TRUE(client.call("slow", {}, 1ms).error().timed_out());
  EXPECT_EQ(client.call("quick"), "1");
}

TEST(PosClient, TakesAnswersLongerThanARequestMayBe) {
  FakeReader reader;
  const std::string big = '"' + std::string(300'000, 'x') + '"';
  reader.on("ping", test::result(big));
  EXPECT_EQ(connected(reader).call("ping"), big);
}

TEST(PosClient, DoesNotSendALineThatTheProtocolForbids) {
  FakeReader reader;
  reader.on("ping", test::result("{}"));
  auto client = connected(reader);
  EXPECT_EQ(client.call("ping", '"' + std::string(PosClient::request_bytes_max, 'x') + '"').error().error.native,
            EMSGSIZE);
  EXPECT_EQ(client.call("ping", "{\n}").error().error.code, Errc::InvalidArgument);
  EXPECT_TRUE(client.call("ping"));
  EXPECT_EQ(reader.calls().size(), 1U);
}

TEST(PosClient, AHangUpIsAnUnknownOutcomeAndNoSignal) {
  FakeReader reader;
  reader.on("ping", Reply{.raw = "{\"half", .hang_up = true});
  auto client = connected(reader);
  const auto lost = client.call("ping");
  ASSERT_FALSE(lost);
  EXPECT_FALSE(lost.error().refused());
  EXPECT_FALSE(lost.error().timed_out());
  EXPECT_EQ(lost.error().error.code, Errc::Unavailable);
  EXPECT_EQ(client.call("ping").error().error.native, ENOTCONN);
}

TEST(PosClient, AnErrorWithoutAnIdEndsWhatIsOpen) {
  FakeReader reader;
  reader.on("ping", Reply{.raw = "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600}}\n", .hang_up = true});
  EXPECT_EQ(connected(reader).call("ping").error().answer, R"({"code":-32600})");
}

TEST(PosClient, RefusesWhatIsNoJsonRpc) {
  for (const char* bad :
       {"\n", "hello\n", "[]\n", "{\"id\":1}\n", "{\"id\":1,\"result\":\n", "{\"id\"\n", "{\"id:1\n"}) {
    FakeReader reader;
    reader.on("ping", Reply{.raw = bad});
    EXPECT_EQ(connected(reader).call("ping").error().error.code, Errc::Malformed) << bad;
  }
}

TEST(PosClient, SaysWhenNobodyListens) {
  const auto nobody = PosClient::connect("/nonexistent/pos.sock");
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().code, Errc::Unavailable);
  EXPECT_EQ(nobody.error().native, ENOENT);
  EXPECT_EQ(PosClient::connect(std::string(200, 'x')).error().code, Errc::InvalidArgument);
  EXPECT_EQ(PosClient::connect("").error().code, Errc::InvalidArgument);
}

}  // namespace
}  // namespace nightdrop
