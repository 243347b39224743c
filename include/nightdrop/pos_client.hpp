// The client of the POS protocol (docs/pos_protocol.md): one header, the standard library and POSIX sockets alone.
// JSON goes in and out as text, so that a point-of-sale app brings its own JSON library, or none. Blocking, one thread.
// Lines are read whole however the kernel cuts them; answers to several requests may come in any order; notifications
// that arrive meanwhile go to the callback or wait in a queue. Nothing here raises a signal or throws on its own.
//
//   auto reader = nightdrop::PosClient::connect("/run/nightdrop/pos.sock");
//   if (!reader) return fail(reader.error().text);
//   auto intent = reader->call("create_payment_intent",
//   R"({"amount":1250,"currency":"usd","merchant_reference":"42"})"); if (!intent) return intent.error().refused() ?
//   show(intent.error().answer) : fail(intent.error().error.text);
#pragma once

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <deque>
#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "nightdrop/result.hpp"

namespace nightdrop {

// Why a call has no result: the reader said no, or there was no answer at all.
struct PosError {
  Error error;         // of the transport; of a refusal: Errc::Unavailable
  std::string answer;  // of a refusal: the JSON-RPC error object, {"code":…,"message":…,"data":{…}}; otherwise empty

  // Whether the reader answered, with an error. Otherwise the outcome of the call is unknown: ask again.
  bool refused() const { return !answer.empty(); }
  // Whether the time given was over; the request is still open, and wait() may be called again.
  bool timed_out() const { return answer.empty() && error.native == ETIMEDOUT; }
};
template <class T>
using PosResult = std::expected<T, PosError>;

namespace pos_client_detail {

inline std::size_t skip_space(std::string_view text, std::size_t at) {
  while (at < text.size() && (text[at] == ' ' || text[at] == '\t' || text[at] == '\r' || text[at] == '\n')) ++at;
  return at;
}

// The end of the string that opens at `at`; npos if it does not close.
inline std::size_t skip_string(std::string_view text, std::size_t at) {
  for (++at; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '"') {
      return at + 1;
    }
  }
  return std::string_view::npos;
}

// The end of the value that begins at `at`, found by its brackets alone; npos if it does not end.
inline std::size_t skip_value(std::string_view text, std::size_t at) {
  int depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at = skip_string(text, at);
      if (at == std::string_view::npos || depth == 0) return at;
      continue;
    }
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') {
      if (depth == 0) return at;
      if (--depth == 0) return at + 1;
    }
    if (depth == 0 && (c == ',' || c == ' ' || c == '\t' || c == '\r' || c == '\n')) return at;
    ++at;
  }
  return depth == 0 ? at : std::string_view::npos;
}

// The raw text of a member of the JSON object `object`, strings with their quotes; empty when absent or no object.
inline std::string_view member(std::string_view object, std::string_view name) {
  std::size_t at = skip_space(object, 0);
  if (at >= object.size() || object[at] != '{') return {};
  for (at = skip_space(object, at + 1); at < object.size() && object[at] == '"'; at = skip_space(object, at + 1)) {
    const std::size_t name_end = skip_string(object, at);
    if (name_end == std::string_view::npos) return {};
    const std::string_view key = object.substr(at + 1, name_end - at - 2);
    at = skip_space(object, name_end);
    if (at >= object.size() || object[at] != ':') return {};
    at = skip_space(object, at + 1);
    const std::size_t end = skip_value(object, at);
    if (end == std::string_view::npos || end == at) return {};
    if (key == name) return object.substr(at, end - at);
    at = skip_space(object, end);
    if (at >= object.size() || object[at] != ',') return {};
  }
  return {};
}

}  // namespace pos_client_detail

// A connection to the reader. Movable; closes the socket when destroyed. Not to be used by two threads at once.
class PosClient {
 public:
  using Milliseconds = std::chrono::milliseconds;
  using EventCallback = std::function<void(std::string_view params_json)>;

  static constexpr std::size_t request_bytes_max = 65'536;     // the protocol's line, LF included
  static constexpr std::size_t answer_bytes_max = 16U << 20U;  // lists and reports may be long
  static constexpr std::size_t queued_events_max = 65'536;
  static constexpr Milliseconds default_timeout{30'000};

  // Connects to the reader's socket.
  // Errors: InvalidArgument for a path that no socket can have; Unavailable when nobody listens; Io. `native` is errno.
  static Result<PosClient> connect(std::string_view path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof(address.sun_path) || path.find('\0') != std::string_view::npos) {
      return failure(Errc::InvalidArgument, "the socket's path is empty or too long", ENAMETOOLONG);
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return failure(Errc::Io, "no socket could be made", errno);
    PosClient client(socket);
    while (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      if (errno == EINTR) continue;
      const bool nobody = errno == ENOENT || errno == ECONNREFUSED || errno == EAGAIN;
      return failure(nobody ? Errc::Unavailable : Errc::Io, "the reader's socket cannot be reached", errno);
    }
    return client;
  }

  PosClient(PosClient&& other) noexcept { swap(other); }
  PosClient& operator=(PosClient&& other) noexcept {
    swap(other);
    return *this;
  }
  PosClient(const PosClient&) = delete;
  PosClient& operator=(const PosClient&) = delete;
  ~PosClient() { close(); }

  // Calls a method and waits for its answer; events that come before it are queued or handed to the callback.
  // Requires: params_json is a JSON object without line feeds, or empty for none.
  // Ensures: the JSON text of the result.
  // Errors: refused(): the reader's error. timed_out(): the request stays open; its late answer is discarded.
  //   InvalidArgument: the line is too long, nothing was sent. Otherwise the connection is lost, the outcome unknown.
  PosResult<std::string> call(std::string_view method, std::string_view params_json = {},
                              Milliseconds timeout = default_timeout) {
    const auto id = begin(method, params_json, timeout);
    if (!id) return std::unexpected(id.error());
    auto answer = wait(*id, timeout);
    if (!answer && answer.error().timed_out()) forget(*id);
    return answer;
  }

  // Sends a request without waiting: for process_payment_intent, which waits for a person, while others are made.
  // Ensures: the id for wait(). Errors: as of call().
  PosResult<std::uint64_t> begin(std::string_view method, std::string_view params_json = {},
                                 Milliseconds timeout = default_timeout) {
    if (params_json.find('\n') != std::string_view::npos) {
      return lost(Errc::InvalidArgument, "the params hold a line feed", EINVAL);
    }
    const std::uint64_t id = ++last_id_;
    std::string line = R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"method":")";
    line.append(method).append("\"");
    if (!params_json.empty()) line.append(",\"params\":").append(params_json);
    line += "}\n";
    if (line.size() > request_bytes_max) {
      return lost(Errc::InvalidArgument, "the request is longer than the protocol's line", EMSGSIZE);
    }
    auto sent = send_all(line, deadline_of(timeout));
    explicit_bzero(line.data(), line.size());  // a manager's PIN may be in it
    if (!sent) return std::unexpected(sent.error());
    open_[id] = {};
    return id;
  }

  // Waits for the answer to a request of begin().
  // Errors: as of call(); timed_out() leaves the request open, to be waited for again.
  PosResult<std::string> wait(std::uint64_t id, Milliseconds timeout = default_timeout) {
    const auto entry = open_.find(id);
    if (entry == open_.end()) return lost(Errc::InvalidArgument, "no such request is open", EINVAL);
    const auto deadline = deadline_of(timeout);
    while (!entry->second) {
      if (auto read = read_line(deadline); !read) return std::unexpected(read.error());
    }
    auto answer = std::move(*entry->second);
    open_.erase(entry);
    return answer;
  }

  // Gives up waiting for a request; its answer is thrown away when it comes.
  void forget(std::uint64_t id) { open_.erase(id); }

  // The params of the next notification, {"seq":…,"type":…,"created":…,"data":…}; nothing when none came in time.
  // Zero milliseconds: only what has already arrived. Subscribe first (method `subscribe`).
  PosResult<std::optional<std::string>> next_event(Milliseconds timeout) {
    const auto deadline = deadline_of(timeout);
    while (events_.empty()) {
      auto read = read_line(deadline);
      if (!read && read.error().timed_out()) return std::nullopt;
      if (!read) return std::unexpected(read.error());
    }
    std::string event = std::move(events_.front());
    events_.pop_front();
    return event;
  }

  // Hands notifications to `callback` as they are read, in call(), wait() and next_event(), instead of queueing them.
  // It must not call this client. An empty one queues again.
  void on_event(EventCallback callback) { callback_ = std::move(callback); }

  // The socket, for poll(); it must not be read, written or closed.
  int native_handle() const { return socket_; }

 private:
  using Clock = std::chrono::steady_clock;
  using Answer = std::optional<PosResult<std::string>>;

  explicit PosClient(int socket) : socket_(socket) {}

  static Clock::time_point deadline_of(Milliseconds timeout) { return Clock::now() + timeout; }
  static std::unexpected<PosError> lost(Errc code, const char* text, int native) {
    return std::unexpected(PosError{Error{code, native, text}, {}});
  }

  void swap(PosClient& other) noexcept {
    std::swap(socket_, other.socket_);
    std::swap(last_id_, other.last_id_);
    input_.swap(other.input_);
    std::swap(scanned_, other.scanned_);
    open_.swap(other.open_);
    events_.swap(other.events_);
    callback_.swap(other.callback_);
  }

  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }

  // Waits until the socket can be read or written.
  PosResult<void> ready(short what, Clock::time_point deadline) {
    if (socket_ < 0) return lost(Errc::Unavailable, "the connection is closed", ENOTCONN);
    for (;;) {
      const auto left = std::chrono::ceil<Milliseconds>(deadline - Clock::now()).count();
      const int timeout = left <= 0 ? 0 : left > 1'000'000'000 ? 1'000'000'000 : static_cast<int>(left);
      pollfd entry{socket_, what, 0};
      const int count = ::poll(&entry, 1, timeout);
      if (count > 0) return {};
      if (count == 0) return lost(Errc::Unavailable, "the reader did not answer in time", ETIMEDOUT);
      if (errno != EINTR) return lost(Errc::Io, "waiting for the reader failed", errno);
    }
  }

  PosResult<void> send_all(std::string_view rest, Clock::time_point deadline) {
    const std::size_t whole = rest.size();
    while (!rest.empty()) {
      if (auto writable = ready(POLLOUT, deadline); !writable) {
        if (rest.size() != whole) close();  // half a line: the stream is of no use any more
        return writable;
      }
      const ssize_t count = ::send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count >= 0) {
        rest.remove_prefix(static_cast<std::size_t>(count));
      } else if (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK) {
        const int native = errno;
        close();
        return lost(Errc::Unavailable, "the reader closed the connection", native);
      }
    }
    return {};
  }

  // Reads up to the end of one line and deals with it.
  PosResult<void> read_line(Clock::time_point deadline) {
    for (;;) {
      if (const std::size_t end = input_.find('\n', scanned_); end != std::string::npos) {
        const std::string line = input_.substr(0, end);
        input_.erase(0, end + 1);
        scanned_ = 0;
        return take_line(line);
      }
      scanned_ = input_.size();
      if (input_.size() > answer_bytes_max) {
        close();
        return lost(Errc::Malformed, "the reader sent a line without end", EMSGSIZE);
      }
      if (auto readable = ready(POLLIN, deadline); !readable) return readable;
      char buffer[16'384];
      const ssize_t count = ::recv(socket_, buffer, sizeof buffer, MSG_DONTWAIT);
      if (count > 0) {
        input_.append(buffer, static_cast<std::size_t>(count));
      } else if (count == 0 || (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)) {
        const int native = count == 0 ? ECONNRESET : errno;
        close();
        return lost(Errc::Unavailable, "the reader closed the connection", native);
      }
    }
  }

  PosResult<void> take_line(std::string_view line) {
    using pos_client_detail::member;
    if (member(line, "method") == "\"event\"") return take_event(member(line, "params"));
    const std::string_view id = member(line, "id");
    std::string_view error = member(line, "error");
    if (error == "null") error = {};
    const std::string_view result = member(line, "result");
    if (id.empty() || (error.empty() && result.empty())) {
      close();
      return lost(Errc::Malformed, "the reader sent a line that is no JSON-RPC 2.0", EPROTO);
    }
    PosResult<std::string> answer =
        error.empty() ? PosResult<std::string>(std::string(result))
                      : std::unexpected(PosError{{Errc::Unavailable, 0, "the reader refused"}, std::string(error)});
    if (id == "null") {  // the reader could not read a request, and closes: whichever is open gets it
      for (auto& [number, open] : open_) {
        if (!open) open = answer;
      }
      return {};
    }
    std::uint64_t number = 0;
    if (std::from_chars(id.data(), id.data() + id.size(), number).ec != std::errc()) return {};  // none of ours
    if (const auto open = open_.find(number); open != open_.end() && !open->second) open->second = std::move(answer);
    return {};
  }

  PosResult<void> take_event(std::string_view params) {
    if (callback_) {
      callback_(params);
      return {};
    }
    if (events_.size() >= queued_events_max) {
      close();  // they stay in the journal: subscribe again and they come again
      return lost(Errc::Busy, "too many events wait to be read", ENOBUFS);
    }
    events_.emplace_back(params);
    return {};
  }

  int socket_{-1};
  std::uint64_t last_id_{0};
  std::string input_;
  std::size_t scanned_{0};  // of input_, known to hold no line feed
  std::map<std::uint64_t, Answer> open_;
  std::deque<std::string> events_;
  EventCallback callback_;
};

}  // namespace nightdrop
