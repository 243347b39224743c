// A reader for the command to talk to: a thread that serves a Unix socket with canned answers, and a way to run the
// command as a process against it. Nothing here waits for time to pass.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "json/json.hpp"

namespace nightdrop::test {

// What a method's call makes the fake send, in this order.
struct Reply {
  std::vector<std::string> events;  // params of notifications, before the answer
  std::string result;               // JSON text
  std::string error;                // JSON text; instead of a result
  bool hold{false};                 // no answer yet
  bool release{false};              // first ends what is held, with `held_error`
  std::string held_error;
  std::string raw;      // these bytes instead of an answer
  bool hang_up{false};  // closes afterwards
};

inline Reply result(std::string json) {
  return Reply{.result = std::move(json)};
}
// A refusal with one of the protocol's codes.
Reply refusal(std::string_view code, std::string_view more = "");

struct Call {
  std::string method;
  std::string params;
};

class FakeReader {
 public:
  using Handler = std::function<Reply(JsonView params)>;

  FakeReader();
  ~FakeReader();
  FakeReader(const FakeReader&) = delete;
  FakeReader& operator=(const FakeReader&) = delete;

  // Answers of a method, one a call; the last one is kept.
  void on(const std::string& method, Reply reply);
  void on(const std::string& method, Handler handler);
  const std::string& path() const { return path_; }
  const std::string& directory() const { return directory_; }

  std::vector<Call> calls();
  // The params of the method's calls.
  std::vector<std::string> params_of(std::string_view method);

 private:
  void serve();
  void serve_connection(int socket);
  std::string lines_for(const Json& request, bool& hang_up);

  std::string directory_;
  std::string path_;
  int listener_{-1};
  int stop_[2]{-1, -1};
  std::mutex mutex_;
  std::map<std::string, std::vector<Handler>> handlers_;
  std::set<std::string> defaults_;  // methods that answer by themselves until a test says otherwise
  std::vector<Call> calls_;
  std::vector<std::string> held_;
  std::thread thread_;
};

struct Ran {
  int exit{-1};
  std::string out;
  std::string err;
};

// Runs `nightdrop` with these arguments, its input and output in pipes; NIGHTDROP_SOCKET names the fake.
// `started` is called with the process once it runs.
Ran run(const FakeReader& reader, std::vector<std::string> arguments, std::string_view input = "",
        const std::function<void(int process)>& started = {});

// The same on a terminal 80 columns wide; `answers` are typed, each after its question has been printed.
Ran run_on_terminal(const FakeReader& reader, std::vector<std::string> arguments,
                    const std::vector<std::pair<std::string, std::string>>& answers);

}  // namespace nightdrop::test
