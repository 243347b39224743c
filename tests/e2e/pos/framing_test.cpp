// The POS socket from below: bytes on a Unix socket against docs/pos_protocol.md, "Transport" and "Errors".
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <gtest/gtest.h>

#include "e2e/harness.hpp"

namespace nightdrop::e2e {
namespace {

// A connection that sends whatever bytes it is given.
class Wire {
 public:
  explicit Wire(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("cannot connect");
    }
  }
  ~Wire() { ::close(socket_); }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  void send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return;  // closed: what was answered before tells why
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  // The next line; nothing when the connection is closed. Errors: throws when neither comes in time.
  std::optional<std::string> line() {
    for (;;) {
      if (const auto end = input_.find('\n'); end != std::string::npos) {
        std::string line = input_.substr(0, end);
        input_.erase(0, end + 1);
        return line;
      }
      pollfd ready{socket_, POLLIN, 0};
      if (::poll(&ready, 1, static_cast<int>(patience.count())) <= 0) throw std::runtime_error("no answer in time");
      char buffer[65'536];
      const ssize_t count = ::recv(socket_, buffer, sizeof buffer, 0);
      if (count <= 0) return std::nullopt;
      input_.append(buffer, static_cast<std::size_t>(count));
    }
  }
  Json answer() {
    const auto got = line();
    if (!got) throw std::runtime_error("the connection was closed");
    return json(*got);
  }
  bool is_closed() { return !line().has_value(); }

 private:
  int socket_;
  std::string input_;
};

class Framing : public testing::Test {
 protected:
  static void SetUpTestSuite() { world = std::make_unique<World>(WorldOptions{.acquirer = false}); }
  static void TearDownTestSuite() { world.reset(); }
  static Wire wire() { return Wire(world->path("run/pos.sock")); }
  static inline std::unique_ptr<World> world;
};

std::string ping(const std::string& id) {
  return R"({"jsonrpc":"2.0","id":)" + id + R"(,"method":"ping"})";
}

// "`AF_UNIX`, `SOCK_STREAM`; … mode 0660."
TEST_F(Framing, TheSocketHasItsMode) {
  struct stat about{};
  ASSERT_EQ(::stat(world->path("run/pos.sock").c_str(), &about), 0);
  EXPECT_TRUE(S_ISSOCK(about.st_mode));
  EXPECT_EQ(about.st_mode & 0777, 0660U);
}

// "JSON-RPC 2.0. One object a line (LF); UTF-8."
TEST_F(Framing, LinesMayComeInPiecesOrTogether) {
  auto connection = wire();
  connection.send(R"({"jsonrpc":"2.0",)");
  connection.send(R"("id":7,"method":"pi)");
  connection.send("ng\"}\n" + ping("8") + "\n" + ping("\"nine\"") + "\n");
  EXPECT_HOLDS(connection.answer(), R"({"jsonrpc":"2.0","id":7,"result":{}})");
  EXPECT_HOLDS(connection.answer(), R"({"jsonrpc":"2.0","id":8,"result":{}})");
  EXPECT_HOLDS(connection.answer(), R"({"jsonrpc":"2.0","id":"nine","result":{}})");
}

// JSON-RPC 2.0's own codes, as "Errors" says: "JSON-RPC's own codes for framing and params".
TEST_F(Framing, WhatIsNoRequestIsRefusedAndTheConnectionGoesOn) {
  struct Case {
    const char* about;
    std::string line;
    int code;
    std::string id;
  };
  const std::vector<Case> cases{
      {"no JSON", "give me money", -32700, "null"},
      {"half an object", R"({"jsonrpc":"2.0","id":1,"method":)", -32700, "null"},
      {"bytes that are no UTF-8", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\xfe\"}", -32700, "null"},
      {"a batch: \"Batches are refused with -32600\"", "[" + ping("1") + "," + ping("2") + "]", -32600, "null"},
      {"an empty batch", "[]", -32600, "null"},
      {"a number", "42", -32600, "null"},
      {"no version", R"({"id":1,"method":"ping"})", -32600, "1"},
      {"another version", R"({"jsonrpc":"1.0","id":1,"method":"ping"})", -32600, "1"},
      {"no method", R"({"jsonrpc":"2.0","id":1})", -32600, "1"},
      {"a method that is no string", R"({"jsonrpc":"2.0","id":1,"method":5})", -32600, "1"},
      {"an id that is an object", R"({"jsonrpc":"2.0","id":{},"method":"ping"})", -32600, "null"},
      {"an unknown method", R"({"jsonrpc":"2.0","id":1,"method":"take_all"})", -32601, "1"},
      {"params by position", R"({"jsonrpc":"2.0","id":1,"method":"ping","params":[1]})", -32602, "1"},
      {"an unknown field in params", R"({"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":1}})", -32602, "1"},
  };
  auto connection = wire();
  for (const Case& each : cases) {
    connection.send(each.line + "\n");
    const Json answer = connection.answer();
    EXPECT_EQ(answer["error"]["code"].integer(), each.code) << each.about << ": " << answer.dump();
    EXPECT_EQ(answer["id"].dump(), each.id) << each.about;
    EXPECT_TRUE(answer["error"]["message"].is_string()) << each.about;
  }
  connection.send(ping("99") + "\n");
  EXPECT_HOLDS(connection.answer(), R"({"id":99,"result":{}})");
}

// JSON-RPC 2.0: a notification is not answered.
TEST_F(Framing, ANotificationIsNotAnswered) {
  auto connection = wire();
  connection.send("{\"jsonrpc\":\"2.0\",\"method\":\"ping\"}\n" + ping("2") + "\n");
  EXPECT_HOLDS(connection.answer(), R"({"id":2})");
}

// "A line is at most 65,536 bytes; a longer one is answered with error -32600 and the connection is closed."
TEST_F(Framing, ALineTooLongEndsTheConnection) {
  const std::string request = ping("1");
  {
    auto connection = wire();
    connection.send(request + std::string(65'536 - request.size() - 1, ' ') + "\n");
    EXPECT_HOLDS(connection.answer(), R"({"id":1,"result":{}})");
  }
  for (const bool ended : {true, false}) {
    auto connection = wire();
    connection.send(request + std::string(65'537 - request.size() + (ended ? 0 : 10), ' ') + (ended ? "\n" : ""));
    const Json answer = connection.answer();
    EXPECT_EQ(answer["error"]["code"].integer(), -32600);
    EXPECT_TRUE(answer["id"].is_null());
    EXPECT_TRUE(connection.is_closed());
  }
}

// "At most 32 connections": the 33rd is told so and closed; one that goes makes room.
TEST_F(Framing, TheThirtyThirdConnectionIsRefused) {
  World fresh(WorldOptions{.acquirer = false});
  std::vector<std::unique_ptr<Wire>> open;
  for (int i = 0; i < 32 - 2; ++i) {  // the harness holds two
    open.push_back(std::make_unique<Wire>(fresh.path("run/pos.sock")));
    open.back()->send(ping("1") + "\n");
    EXPECT_HOLDS(open.back()->answer(), R"({"id":1,"result":{}})");
  }
  Wire one_more(fresh.path("run/pos.sock"));
  const auto refusal = one_more.line();
  if (refusal) {
    EXPECT_TRUE(json(*refusal)["error"]["code"].is_integer()) << *refusal;
    EXPECT_TRUE(one_more.is_closed());
  }
  open.pop_back();
  fresh.await("room for a connection", [&] {
    Wire again(fresh.path("run/pos.sock"));
    again.send(ping("5") + "\n");
    const auto line = again.line();
    return line && json(*line)["result"].exists();
  });
}

// "64 unanswered requests each": the 65th is refused, and those before it are still answered.
TEST_F(Framing, TheSixtyFifthUnansweredRequestIsRefused) {
  const std::string id = world->create(100);
  auto connection = wire();
  // One waits for a card; a cancel of another's would be answered at once, so all 64 wait for the same reader.
  std::string lines = R"({"jsonrpc":"2.0","id":0,"method":"collect_payment_method","params":{"id":")" + id + "\"}}\n";
  for (int i = 1; i <= 70; ++i) {
    lines += R"({"jsonrpc":"2.0","id":)" + std::to_string(i) + R"(,"method":"cancel_payment_intent","params":{"id":")" +
             id + "\"}}\n";
  }
  connection.send(lines);
  int refused = 0;
  int answered = 0;
  for (int i = 0; i <= 70; ++i) {
    const Json answer = connection.answer();
    const bool too_many = answer["error"]["code"].integer() == -32600;
    (too_many ? refused : answered) += 1;
    if (too_many) {
      EXPECT_GE(answer["id"].integer().value_or(0), 64);
    }
  }
  EXPECT_EQ(refused, 7);
  EXPECT_EQ(answered, 64);
}

// "Requests of one connection may be answered out of order: `process_payment_intent` waits for a person."
TEST_F(Framing, AWaitForACardHoldsUpNothingElse) {
  const std::string id = world->create(100);
  auto connection = wire();
  connection.send(R"({"jsonrpc":"2.0","id":1,"method":"process_payment_intent","params":{"id":")" + id + "\"}}\n" +
                  ping("2") + "\n");
  EXPECT_HOLDS(connection.answer(), R"({"id":2,"result":{}})");
  connection.send(R"({"jsonrpc":"2.0","id":3,"method":"cancel_payment_intent","params":{"id":")" + id + "\"}}\n");
  EXPECT_HOLDS(connection.answer(), R"({"id":1,"error":{"code":-32000,"data":{"code":"canceled"}}})");
  EXPECT_HOLDS(connection.answer(), R"({"id":3,"result":{"status":"canceled"}})");
}

// A POS that goes away in the middle of a line or of a payment leaves the reader as it was.
TEST_F(Framing, AHangUpHarmsNobody) {
  const std::string id = world->create(100);
  {
    auto connection = wire();
    connection.send(R"({"jsonrpc":"2.0","id":1,"method":"collect_payment_method","params":{"id":")" + id +
                    "\"}}\n{\"jsonrpc\":");
  }
  EXPECT_WORD(world->call("cancel_payment_intent", R"({"id":")" + id + R"("})"), "canceled");
}

}  // namespace
}  // namespace nightdrop::e2e
