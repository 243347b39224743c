// A simulated reader and its acquirer as real processes, for tests that know the contracts alone: provision a folder,
// start, stop, cut and restart the daemon and the acquirer, talk to both sockets, wait for what must come.
// Nothing here sleeps: every wait is a poll(2) with a deadline, on a pipe, a socket or the next event. Every process
// dies with its object and, by PR_SET_PDEATHSIG, with the test. Failures throw, so that a test ends where it went
// wrong.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include <gtest/gtest.h>

#include "json/json.hpp"
#include "nightdrop/pos_client.hpp"

namespace nightdrop::e2e {

using Milliseconds = std::chrono::milliseconds;
inline constexpr Milliseconds patience{15'000};  // longer than anything here should take on a busy machine

// What a program said and how it ended.
struct Ended {
  int exit_code{-1};  // 128 + the signal when it was killed
  std::string out;
  std::string err;
};
// Runs a program of the build to its end; one that goes on is killed when patience is over.
Ended run(const std::string& program, const std::vector<std::string>& arguments, const std::string& input = "");

// Two ports in a row that nobody has, for the API and its admin side. They lie below the range from which the kernel
// takes its own, so that none is ever a client's by chance, also while the acquirer is down.
int new_port();

// A process of the build that stays; it dies with this object.
class Process {
 public:
  Process(const std::string& program, const std::vector<std::string>& arguments, const std::string& log);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // The first line it prints; empty when it ended without one. Errors: throws when nothing comes in time.
  std::string first_line();
  // Whether it prints or ends before the time is over.
  bool is_ready_within(Milliseconds time) const;
  void signal(int number) const;
  // Waits for its end. Ensures: the exit code, or 128 + signal. Errors: throws when it goes on.
  int wait(Milliseconds time = patience);
  int end(int number) {
    signal(number);
    return wait();
  }
  pid_t id() const { return process_; }

 private:
  pid_t process_{-1};
  int out_{-1};
  int handle_{-1};  // pidfd: its end can be polled for
};

// JSON with `patch` laid over it: objects are merged, null removes, anything else replaces (RFC 7396).
Json merged(JsonView base, JsonView patch);
Json json(std::string_view text);  // Errors: throws when it is no JSON
// Whether `actual` holds all that `expected` says; what differs first, with its path, otherwise.
std::optional<std::string> differs(JsonView actual, JsonView expected, const std::string& path = "$");

// An answer of a JSON-RPC server: a result or an error.
class Answer {
 public:
  Answer(Json result, Json error) : result_(std::move(result)), error_(std::move(error)) {}
  bool ok() const { return error_.view().is_null(); }
  JsonView result() const { return result_.view(); }
  JsonView error() const { return error_.view(); }
  JsonView operator[](std::string_view key) const { return result_[key]; }
  std::string text(std::string_view key) const { return std::string(result_[key].string().value_or("")); }
  std::string id() const { return text("id"); }
  // What became of it in one word: the error's data.code (or its number), else the status, else "ok".
  std::string word() const;
  // The payment_intent of the result or of the error.
  JsonView payment() const { return ok() ? result() : error_["data"]["payment_intent"]; }
  JsonView whole() const { return ok() ? result() : error(); }
  std::string dump() const { return whole().dump(); }

 private:
  Json result_;
  Json error_;
};

testing::AssertionResult holds(JsonView actual, std::string_view expected);
inline testing::AssertionResult holds(const Json& actual, std::string_view expected) {
  return holds(actual.view(), expected);
}
inline testing::AssertionResult holds(const Answer& actual, std::string_view expected) {
  return holds(actual.whole(), expected);
}

// A JSON-RPC connection to the POS socket or to the world's.
class Rpc {
 public:
  explicit Rpc(const std::string& path);
  // Errors: throws when there is no answer in time, or the connection is lost.
  Answer call(const std::string& method, const std::string& params = "", Milliseconds timeout = patience);
  std::uint64_t begin(const std::string& method, const std::string& params = "");
  Answer wait(std::uint64_t id, Milliseconds timeout = patience);
  // As call(), but a lost connection is no failure: nothing.
  std::optional<Answer> try_call(const std::string& method, const std::string& params, Milliseconds timeout = patience);
  // The next event that comes before the time is over.
  std::optional<Json> next_event(Milliseconds timeout);
  // The next event of this type; those before it are dropped. Errors: throws when none comes.
  Json event(const std::string& type, Milliseconds timeout = patience);

 private:
  PosClient client_;
};

struct RawReply {
  int status{0};
  Json body;
};

struct WorldOptions {
  std::string policy{"{}"};  // laid over the development policy
  std::string serial{"ND000001"};
  bool acquirer{true};
  bool start{true};
  std::string links{"{}"};  // laid over the configuration's sim.links
};

// One reader, its acquirer and the world around both.
class World {
 public:
  explicit World(const WorldOptions& options = {});
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // --- processes ---
  void start();    // the daemon, until it is ready
  int stop();      // SIGTERM; the exit code
  void kill();     // SIGKILL
  void restart();  // kill() and start()
  bool running() const { return daemon_ != nullptr; }
  Ended refused_start();  // starts a daemon that must refuse
  void start_acquirer();
  void start_acquirer_if_gone() {
    if (acquirer_ == nullptr) start_acquirer();
  }
  void kill_acquirer();
  pid_t daemon_id() const { return daemon_->id(); }
  // Signs another policy for this reader, laid over the one it has; the next start takes it.
  void sign_policy(const std::string& patch);
  void write_policy(const std::string& text, bool sign);
  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  std::string log() const;  // the daemon's standard error so far, all starts

  // --- the POS ---
  Rpc& pos() { return *pos_; }
  Rpc connect() const { return Rpc(path("run/pos.sock")); }
  Answer call(const std::string& method, const std::string& params = "") { return pos_->call(method, params); }
  // Creates an intent in usd with a reference of its own; `more` is laid over the params.
  std::string create(std::int64_t amount, const std::string& more = "{}");
  // Creates, presents the card (a name, or an object as text) and processes; the answer of process_payment_intent.
  Answer pay(std::int64_t amount, const std::string& card, const std::string& more = "{}");
  Answer process(const std::string& id, const std::string& card);
  Answer retrieve(const std::string& id);
  std::string status(const std::string& id);
  // Waits until the payment has this status. Errors: throws with the one it has.
  Answer await_status(const std::string& id, const std::string& status, Milliseconds timeout = patience);
  // Waits until it is true; asked again at each event and at least every 20 ms.
  void await(const char* what, const std::function<bool()>& condition, Milliseconds timeout = patience);
  Answer offline_status() { return call("retrieve_offline_status"); }
  void await_drained(Milliseconds timeout = patience);

  // --- the world ---
  Rpc& sim() { return *sim_; }
  void present(const std::string& card);
  void link(const std::string& name, const std::string& state, const std::string& more = "{}");
  void offline();  // every link down, and known to be
  void online();   // wifi up, and known to be good
  void advance(std::int64_t seconds);
  void clock(const std::string& params);
  void fail(const std::string& what, int count);

  // --- the acquirer ---
  RawReply admin(const std::string& method, const std::string& path, const std::string& body = "");
  void faults(const std::string& plan);
  void heal() { faults("[]"); }
  Json ledger();  // its entries
  Json stats();
  Json ledger_row(const std::string& id);  // null when it has none
  // How often the payment was posted and not reversed; -1 when the acquirer has never heard of it.
  int posted(const std::string& id);

 private:
  void make_folder(const WorldOptions& options);

  std::string base_;
  std::string folder_;  // the reader's, below it
  int port_{0};
  std::unique_ptr<Process> acquirer_;
  std::unique_ptr<Process> daemon_;
  std::unique_ptr<Rpc> pos_;
  std::unique_ptr<Rpc> sim_;
  std::unique_ptr<Rpc> watch_;  // subscribed, so that waiting ends with the event
  int next_reference_{0};
};

// A Visa test card that no other call gives: a number of its own in a published test range.
std::string new_card();
std::string new_card_number();

}  // namespace nightdrop::e2e

// The answer holds at least what the JSON text says.
#define EXPECT_HOLDS(answer, expected_text) EXPECT_TRUE(::nightdrop::e2e::holds((answer), (expected_text)))
// The call ended in this word: an error's code, or the payment's status.
#define EXPECT_WORD(answer, expected) EXPECT_EQ((answer).word(), (expected)) << (answer).dump()
