#include "pos/server.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/write.hpp>
#include <cerrno>
#include <map>

#include "nightdrop/time_text.hpp"
#include "pos/wire.hpp"

namespace nightdrop::pos {
namespace {

using asio::local::stream_protocol;
constexpr std::size_t events_at_once = 64;
constexpr std::size_t unsent_max = 256 * 1024;  // bytes waiting for a consumer before the journal is read less

std::string_view prompt_word(hal::Prompt prompt) {
  switch (prompt) {
    case hal::Prompt::InsertOrTap: return "insert_or_tap";
    case hal::Prompt::RemoveCard: return "remove_card";
    case hal::Prompt::TryAgain: return "try_again";
    case hal::Prompt::EnterPin: return "enter_pin";
    case hal::Prompt::UseChip: return "use_chip";
  }
  return "";
}

struct Connection {
  explicit Connection(stream_protocol::socket accepted) : socket(std::move(accepted)) {}
  stream_protocol::socket socket;
  std::string input;
  std::array<char, 8192> chunk{};
  std::string output;   // waits
  std::string sending;  // is being written
  std::size_t unanswered{0};
  bool closing{false};  // ends when everything was written
  bool paused{false};   // answers are not taken: nothing more is read until they are

  std::size_t unsent() const { return output.size() + sending.size(); }
  std::optional<Subscription> subscription;
};

}  // namespace

struct Server::Impl {
  Impl(asio::io_context& loop_in, terminal::Terminal& terminal_in, Methods& methods_in, ServerOptions options_in)
      : loop(loop_in),
        terminal(terminal_in),
        methods(methods_in),
        options(std::move(options_in)),
        acceptor(loop_in),
        accept_again(loop_in) {}

  asio::io_context& loop;
  terminal::Terminal& terminal;
  Methods& methods;
  ServerOptions options;
  stream_protocol::acceptor acceptor;
  asio::steady_timer accept_again;
  std::map<std::uint64_t, std::unique_ptr<Connection>> connections;
  std::uint64_t next_connection{1};

  Connection* find(std::uint64_t id) {
    const auto found = connections.find(id);
    return found == connections.end() ? nullptr : found->second.get();
  }

  bool is_allowed(stream_protocol::socket& socket) const {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
    if (options.uids.empty() && options.gids.empty()) return peer.uid == geteuid();
    return std::ranges::find(options.uids, peer.uid) != options.uids.end() ||
           std::ranges::find(options.gids, peer.gid) != options.gids.end();
  }

  void accept() {
    acceptor.async_accept([this](const std::error_code& problem, stream_protocol::socket socket) {
      if (problem == asio::error::operation_aborted) return;
      if (!problem) {
        const std::uint64_t id = next_connection++;
        auto& connection = connections.emplace(id, std::make_unique<Connection>(std::move(socket))).first->second;
        if (!is_allowed(connection->socket)) {
          refuse(id, "This user may not drive the reader.");
        } else if (connections.size() > connections_max) {
          refuse(id, "The reader has as many connections as it takes.");
        } else {
          read(id);
        }
      }
      if (!problem) return accept();
      // Out of descriptors: again when some have been given back, not at once.
      accept_again.expires_after(std::chrono::milliseconds(100));
      accept_again.async_wait([this](const std::error_code& ended) {
        if (!ended) accept();
      });
    });
  }

  void refuse(std::uint64_t id, const char* why) {
    send(id, error_line("null", refused, why));
    finish(id);
  }

  // Closes once everything was written.
  void finish(std::uint64_t id) {
    Connection* connection = find(id);
    if (connection == nullptr) return;
    connection->closing = true;
    if (connection->sending.empty() && connection->output.empty()) close(id);
  }

  void close(std::uint64_t id) {
    const auto found = connections.find(id);
    if (found == connections.end()) return;
    std::error_code ignored;
    (void)found->second->socket.close(ignored);
    // Handlers that are still queued look the connection up and find nothing; its buffers live until they ran.
    asio::post(loop, [gone = std::shared_ptr<Connection>(std::move(found->second))] {});
    connections.erase(found);
  }

  void read(std::uint64_t id) {
    Connection* connection = find(id);
    if (connection == nullptr || connection->closing) return;
    if (connection->unsent() > unsent_max) {
      connection->paused = true;
      return;
    }
    connection->socket.async_read_some(asio::buffer(connection->chunk),
                                       [this, id](const std::error_code& problem, std::size_t size) {
                                         Connection* from = find(id);
                                         if (from == nullptr) return;
                                         if (problem) return close(id);
                                         from->input.append(from->chunk.data(), size);
                                         explicit_bzero(from->chunk.data(), size);  // it may have held a PIN
                                         take_lines(id);
                                         read(id);
                                       });
  }

  void take_lines(std::uint64_t id) {
    std::size_t begin = 0;
    while (Connection* connection = find(id)) {
      if (connection->closing) return;
      if (connection->unsent() > unsent_max) {
        drop_input(*connection, begin);
        return;
      }
      const std::size_t end = connection->input.find('\n', begin);
      const std::size_t length = (end == std::string::npos ? connection->input.size() : end) - begin;
      if (length > line_max) {
        connection->input.clear();
        send(id, error_line("null", invalid_request, "A line is at most 65,536 bytes."));
        return finish(id);
      }
      if (end == std::string::npos) {
        drop_input(*connection, begin);
        return;
      }
      std::string line = connection->input.substr(begin, length);
      begin = end + 1;
      take_line(id, line);
      explicit_bzero(line.data(), line.size());
    }
  }

  // Forgets what was read up to `begin`; it may have held a PIN.
  static void drop_input(Connection& connection, std::size_t begin) {
    explicit_bzero(connection.input.data(), begin);
    connection.input.erase(0, begin);
  }

  void take_line(std::uint64_t id, std::string_view line) {
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) return;
    const auto request = read_request(line);
    if (!request) return send(id, error_line(request.error().id, request.error().code, request.error().message));
    Connection* connection = find(id);
    if (connection->unanswered >= unanswered_max) {
      return send(id, error_line(request->id, invalid_request, "Too many unanswered requests on this connection."));
    }
    ++connection->unanswered;
    const Responder respond = [this, id, request_id = request->id,
                               quiet = request->notification](const terminal::PosResult<Json>& value) {
      Connection* to = find(id);
      if (to == nullptr) return;
      --to->unanswered;
      if (quiet) return;
      send(id, value ? result_line(request_id, value->view()) : error_line(request_id, value.error()));
    };
    const bool known = methods.call(request->method, request->params, respond, [this, id](Subscription subscription) {
      Connection* to = find(id);
      if (to == nullptr) return;
      to->subscription = std::move(subscription);
      asio::post(loop, [this, id] { tell(id); });
    });
    if (!known) {
      --connection->unanswered;
      if (!request->notification) send(id, error_line(request->id, method_not_found, "There is no such method."));
    }
  }

  void send(std::uint64_t id, std::string_view line) {
    Connection* connection = find(id);
    if (connection == nullptr) return;
    connection->output += line;
    flush(id);
  }

  void flush(std::uint64_t id) {
    Connection* connection = find(id);
    if (connection == nullptr || !connection->sending.empty()) return;
    if (connection->output.empty()) {
      if (connection->closing) close(id);
      return;
    }
    connection->sending.swap(connection->output);
    asio::async_write(connection->socket, asio::buffer(connection->sending),
                      [this, id](const std::error_code& problem, std::size_t) {
                        Connection* to = find(id);
                        if (to == nullptr) return;
                        if (problem) return close(id);
                        to->sending.clear();
                        tell(id);
                        flush(id);
                        resume(id);
                      });
  }

  // The client takes its answers again: what it asked meanwhile is read.
  void resume(std::uint64_t id) {
    Connection* connection = find(id);
    if (connection == nullptr || !connection->paused || connection->unsent() > unsent_max) return;
    connection->paused = false;
    take_lines(id);
    read(id);
  }

  // --- events ---

  void tell_all() {
    std::vector<std::uint64_t> ids;
    for (const auto& [id, connection] : connections) {
      if (connection->subscription) ids.push_back(id);
    }
    for (const std::uint64_t id : ids) tell(id);
  }

  // Reads the journal on for one consumer, as far as it keeps up. Never tells what is not durable.
  void tell(std::uint64_t id) {
    Connection* connection = find(id);
    hal::RecordStore& store = terminal.books().ports().store;
    if (connection == nullptr || !connection->subscription || store.in_turn()) return;
    Subscription& subscription = *connection->subscription;
    while (connection->unsent() < unsent_max) {
      const auto events = store.events_after(subscription.sent_through, events_at_once);
      if (!events || events->empty()) break;
      for (const hal::JournalEvent& event : *events) {
        subscription.sent_through = event.seq;
        if (event.type.starts_with("audit.") || event.text.empty()) continue;  // empty: lost with a damaged page
        const bool wanted =
            subscription.types.empty() || std::ranges::find(subscription.types, event.type) != subscription.types.end();
        if (wanted) connection->output += notification_line(event.text);
      }
    }
    flush(id);
  }

  // What is not journalled, to every subscriber, as it happens.
  void tell_now(const char* type, Json data) {
    Json event = Json::object();
    event.set("seq", 0).set("type", type).set("created", rfc3339(terminal.books().now())).set("data", std::move(data));
    const std::string line = notification_line(event.dump());
    std::vector<std::uint64_t> ids;
    for (const auto& [id, connection] : connections) {
      if (!connection->subscription) continue;
      const auto& types = connection->subscription->types;
      if (types.empty() || std::ranges::find(types, type) != types.end()) ids.push_back(id);
    }
    for (const std::uint64_t id : ids) {
      // Whoever takes nothing misses prompts, which are worth nothing later; journalled events wait for it.
      if (find(id)->unsent() <= unsent_max) send(id, line);
    }
  }
};

Server::Server(asio::io_context& loop, terminal::Terminal& terminal, Methods& methods, ServerOptions options)
    : impl_(std::make_unique<Impl>(loop, terminal, methods, std::move(options))) {}
Server::~Server() {
  stop();
}

Result<void> Server::start() {
  const stream_protocol::endpoint endpoint(impl_->options.path);
  std::error_code problem;
  stream_protocol::socket probe(impl_->loop);
  (void)probe.connect(endpoint, problem);
  if (!problem) return failure(Errc::Busy, "another process listens on the POS socket");
  (void)probe.close(problem);
  if (unlink(impl_->options.path.c_str()) != 0 && errno != ENOENT)
    return failure(Errc::Io, "the POS socket cannot be replaced", errno);

  (void)impl_->acceptor.open(endpoint.protocol(), problem);
  const mode_t before = umask(0177);  // until chmod below nobody else may connect
  if (!problem) (void)impl_->acceptor.bind(endpoint, problem);
  umask(before);
  if (problem) return failure(Errc::Io, "the POS socket cannot be bound", problem.value());
  if (chmod(impl_->options.path.c_str(), impl_->options.mode) != 0)
    return failure(Errc::Io, "the POS socket's mode cannot be set", errno);
  (void)impl_->acceptor.listen(connections_max, problem);
  if (problem) return failure(Errc::Io, "the POS socket cannot listen", problem.value());

  Impl* impl = impl_.get();
  impl->terminal.books().on_events([impl] { impl->tell_all(); });
  impl->terminal.checkout().on_counter_events({.prompt =
                                                   [impl](hal::Prompt prompt, const std::string& id) {
                                                     Json data = Json::object();
                                                     data.set("action", prompt_word(prompt)).set("payment_intent", id);
                                                     impl->tell_now("reader.action_required", std::move(data));
                                                   },
                                               .card =
                                                   [impl](bool inserted, const std::string& id) {
                                                     impl->tell_now(
                                                         inserted ? "reader.card_inserted" : "reader.card_removed",
                                                         std::move(Json::object().set("payment_intent", id)));
                                                   }});
  impl->accept();
  return {};
}

void Server::stop() {
  std::error_code ignored;
  if (!impl_->acceptor.is_open()) return;
  (void)impl_->acceptor.close(ignored);
  impl_->accept_again.cancel();
  (void)unlink(impl_->options.path.c_str());
  while (!impl_->connections.empty()) impl_->close(impl_->connections.begin()->first);
}

}  // namespace nightdrop::pos
