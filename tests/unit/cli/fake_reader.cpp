// The fake reader and the process runner, see fake_reader.hpp.
#include "fake_reader.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nightdrop::test {
namespace {

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

[[noreturn]] void become_command(const FakeReader& reader, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), NIGHTDROP_BIN_DIR "/nightdrop");
  std::vector<std::string> environment{"NIGHTDROP_SOCKET=" + reader.path(), "TZ=UTC", "TERM=xterm", "LANG=C.UTF-8",
                                       "ASAN_OPTIONS=detect_leaks=0"};
  auto values = pointers(arguments);
  auto variables = pointers(environment);
  ::execve(values[0], values.data(), variables.data());
  ::_exit(126);
}

int exit_of(int process) {
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(descriptor, text.data(), text.size());
    if (count <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

}  // namespace

Reply refusal(std::string_view code, std::string_view more) {
  return Reply{.error = R"({"code":-32000,"message":"No.","data":{"code":")" + std::string(code) + "\"" +
                        std::string(more) + "}}"};
}

FakeReader::FakeReader() {
  std::string name = (std::filesystem::temp_directory_path() / "nightdrop-cli-XXXXXX").string();
  directory_ = ::mkdtemp(name.data());
  path_ = directory_ + "/pos.sock";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.copy(address.sun_path, sizeof address.sun_path - 1);
  listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ND_ASSERT(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  ND_ASSERT(::listen(listener_, 4) == 0);
  ND_ASSERT(::pipe2(stop_, O_CLOEXEC) == 0);
  on("get_reader", result(R"({"serial_number":"ND000001","label":"Bar","device_type":"sim","firmware_version":"0.1.0",)"
                          R"("protocol_version":1,"livemode":false,"provisioned":true})"));
  on("subscribe", result(R"({"cursor":0})"));
  defaults_ = {"get_reader", "subscribe"};
  thread_ = std::thread([this] { serve(); });
}

FakeReader::~FakeReader() {
  ::close(stop_[1]);
  thread_.join();
  ::close(stop_[0]);
  ::close(listener_);
  std::filesystem::remove_all(directory_);
}

void FakeReader::on(const std::string& method, Reply reply) {
  on(method, [reply = std::move(reply)](JsonView) { return reply; });
}

void FakeReader::on(const std::string& method, Handler handler) {
  const std::lock_guard lock(mutex_);
  handlers_[method].push_back(std::move(handler));
}

std::vector<Call> FakeReader::calls() {
  const std::lock_guard lock(mutex_);
  return calls_;
}

std::vector<std::string> FakeReader::params_of(std::string_view method) {
  std::vector<std::string> all;
  for (const Call& call : calls()) {
    if (call.method == method) all.push_back(call.params);
  }
  return all;
}

void FakeReader::serve() {
  for (;;) {
    std::array<pollfd, 2> entries{pollfd{listener_, POLLIN, 0}, pollfd{stop_[0], POLLIN, 0}};
    ::poll(entries.data(), entries.size(), -1);
    if (entries[1].revents != 0) return;
    const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) continue;
    serve_connection(socket);
    ::close(socket);
  }
}

void FakeReader::serve_connection(int socket) {
  std::string input;
  for (;;) {
    std::array<pollfd, 2> entries{pollfd{socket, POLLIN, 0}, pollfd{stop_[0], POLLIN, 0}};
    ::poll(entries.data(), entries.size(), -1);
    if (entries[1].revents != 0) return;
    std::array<char, 4096> buffer{};
    const ssize_t count = ::recv(socket, buffer.data(), buffer.size(), 0);
    if (count <= 0) return;
    input.append(buffer.data(), static_cast<std::size_t>(count));
    for (std::size_t end = input.find('\n'); end != std::string::npos; end = input.find('\n')) {
      const auto request = Json::parse(std::string_view(input).substr(0, end));
      input.erase(0, end + 1);
      bool hang_up = false;
      const std::string lines = request ? lines_for(*request, hang_up) : std::string("no JSON\n");
      for (std::size_t at = 0; at < lines.size(); at += 7) {  // in small pieces: the client must put them together
        const std::string_view piece = std::string_view(lines).substr(at, lines.size() > 20'000 ? lines.size() : 7);
        ::send(socket, piece.data(), piece.size(), MSG_NOSIGNAL);
        if (piece.size() > 7) break;
      }
      if (hang_up) return;
    }
  }
}

std::string FakeReader::lines_for(const Json& request, bool& hang_up) {
  const std::string method(request["method"].string().value_or(std::string_view()));
  Handler handler;
  {
    const std::lock_guard lock(mutex_);
    calls_.push_back({method, request["params"].dump()});
    auto& all = handlers_[method];
    if (all.size() > 1 && defaults_.erase(method) > 0) all.erase(all.begin());
    if (!all.empty()) handler = all.front();
    if (all.size() > 1) all.erase(all.begin());
  }
  const std::string id = request["id"].dump();
  const std::string head = R"({"jsonrpc":"2.0","id":)";
  if (!handler) return head + id + R"(,"error":{"code":-32601,"message":"Unknown method."}})" + "\n";
  const Reply reply = handler(request["params"]);
  hang_up = reply.hang_up;
  std::string lines;
  for (const std::string& event : reply.events)
    lines += R"({"jsonrpc":"2.0","method":"event","params":)" + event + "}\n";
  if (!reply.raw.empty()) return lines + reply.raw;
  if (reply.release) {
    for (const std::string& held : std::exchange(held_, {}))
      lines += head + held + R"(,"error":)" + reply.held_error + "}\n";
  }
  if (reply.hold) {
    held_.push_back(id);
  } else if (!reply.error.empty()) {
    lines += head + id + R"(,"error":)" + reply.error + "}\n";
  } else if (!reply.result.empty()) {
    lines += head + id + R"(,"result":)" + reply.result + "}\n";
  }
  return lines;
}

Ran run(const FakeReader& reader, std::vector<std::string> arguments, std::string_view input,
        const std::function<void(int)>& started) {
  int in[2];
  int out[2];
  int err[2];
  ND_ASSERT(::pipe2(in, O_CLOEXEC) == 0 && ::pipe2(out, O_CLOEXEC) == 0 && ::pipe2(err, O_CLOEXEC) == 0);
  const pid_t process = ::fork();
  if (process == 0) {
    ::dup2(in[0], 0);
    ::dup2(out[1], 1);
    ::dup2(err[1], 2);
    become_command(reader, std::move(arguments));
  }
  for (const int descriptor : {in[0], out[1], err[1]}) ::close(descriptor);
  write_all(in[1], input);
  ::close(in[1]);
  if (started) started(process);
  Ran ran;
  std::array<std::pair<int, std::string*>, 2> streams{std::pair{out[0], &ran.out}, std::pair{err[0], &ran.err}};
  for (int open = 2; open > 0;) {
    std::array<pollfd, 2> entries{pollfd{streams[0].first, POLLIN, 0}, pollfd{streams[1].first, POLLIN, 0}};
    ::poll(entries.data(), entries.size(), -1);
    for (std::size_t i = 0; i < 2; ++i) {
      if (entries[i].fd < 0 || entries[i].revents == 0) continue;
      std::array<char, 4096> buffer{};
      const ssize_t count = ::read(entries[i].fd, buffer.data(), buffer.size());
      if (count > 0) {
        streams[i].second->append(buffer.data(), static_cast<std::size_t>(count));
      } else {
        ::close(streams[i].first);
        streams[i].first = -1;
        --open;
      }
    }
  }
  ran.exit = exit_of(process);
  return ran;
}

Ran run_on_terminal(const FakeReader& reader, std::vector<std::string> arguments,
                    const std::vector<std::pair<std::string, std::string>>& answers) {
  winsize size{.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
  int terminal = -1;
  const pid_t process = ::forkpty(&terminal, nullptr, nullptr, &size);
  if (process == 0) become_command(reader, std::move(arguments));
  Ran ran;
  std::size_t next = 0;
  std::size_t looked = 0;
  for (;;) {
    std::array<char, 4096> buffer{};
    const ssize_t count = ::read(terminal, buffer.data(), buffer.size());
    if (count <= 0) break;
    ran.out.append(buffer.data(), static_cast<std::size_t>(count));
    while (next < answers.size()) {
      const std::size_t at = ran.out.find(answers[next].first, looked);
      if (at == std::string::npos) break;
      looked = at + answers[next].first.size();
      write_all(terminal, answers[next++].second + "\n");
    }
  }
  ::close(terminal);
  ran.exit = exit_of(process);
  return ran;
}

}  // namespace nightdrop::test
