// Lines in, lines out. Each connection reads a line at a time and answers it before the next one is looked at.
#include "hal/sim/sim_control.hpp"

#include <cerrno>
#include <set>
#include <string_view>
#include <utility>

#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/read_until.hpp>
#include <asio/steady_timer.hpp>
#include <asio/write.hpp>

#include "hal/sim/sim_methods.hpp"

namespace nightdrop::hal {
namespace {

using Socket = asio::local::stream_protocol::socket;
using Endpoint = asio::local::stream_protocol::endpoint;

constexpr std::size_t line_bytes_max = 65'536;

Json answer(JsonView id, SimRpcResult result) {
  Json json = Json::object();
  json.set("jsonrpc", "2.0").set("id", id);
  if (result) return std::move(json.set("result", std::move(*result)));
  Json error = Json::object();
  error.set("code", result.error().code).set("message", result.error().message);
  if (!result.error().field.empty()) {
    Json data = Json::object();
    data.set("field", result.error().field);
    error.set("data", std::move(data));
  }
  return std::move(json.set("error", std::move(error)));
}

// One line's answer; empty when it was a notification.
std::string answer_line(SimMethods& methods, std::string_view line) {
  const auto refuse = [](JsonView id, int code, const char* why) {
    return answer(id, std::unexpected(SimRpcError{code, why, ""})).dump() + "\n";
  };
  const auto request = Json::parse(line);
  if (!request) return refuse({}, -32700, "the line is not JSON");
  const JsonView id = (*request)["id"];
  const bool id_fits = !id.exists() || id.is_null() || id.is_string() || id.is_integer();
  const auto method = (*request)["method"].string();
  const JsonView params = (*request)["params"];
  if (!request->view().is_object() || (*request)["jsonrpc"].string() != "2.0" || !method || !id_fits) {
    return refuse(id_fits ? id : JsonView{}, -32600, "the line is not a JSON-RPC 2.0 request");
  }
  if (params.exists() && !params.is_object()) return refuse(id, -32602, "params must be an object");
  Json reply = answer(id, methods.call(*method, params));
  return id.exists() ? reply.dump() + "\n" : std::string();
}

}  // namespace

class SimControl::Server : public std::enable_shared_from_this<SimControl::Server> {
 public:
  Server(asio::io_context& loop, std::string path, SimWorld world)
      : loop_(loop),
        path_(std::move(path)),
        acceptor_(loop),
        methods_(std::move(world), [this](std::chrono::milliseconds delay, std::function<void()> what) {
          after(delay, std::move(what));
        }) {}

  Result<void> listen();
  void close();

 private:
  struct Connection {
    explicit Connection(Socket socket_) : socket(std::move(socket_)) {}
    Socket socket;
    std::string in;
    std::string out;
  };
  using ConnectionPtr = std::shared_ptr<Connection>;

  void accept();
  void read(const ConnectionPtr& connection);
  void write(const ConnectionPtr& connection, bool go_on);
  void drop(const ConnectionPtr& connection);
  void after(std::chrono::milliseconds delay, std::function<void()> what);

  asio::io_context& loop_;
  const std::string path_;
  asio::local::stream_protocol::acceptor acceptor_;
  SimMethods methods_;
  std::set<ConnectionPtr> connections_;
  std::set<std::shared_ptr<asio::steady_timer>> timers_;
  bool closed_{false};
};

Result<void> SimControl::Server::listen() {
  if (path_.size() >= sizeof(sockaddr_un::sun_path))
    return failure(Errc::InvalidArgument, "the simulator's socket path is too long");
  asio::error_code error;
  Socket probe(loop_);
  probe.connect(Endpoint(path_), error);
  if (!error) return failure(Errc::Busy, "another process has the simulator's socket");
  if (error == asio::error::connection_refused) unlink(path_.c_str());  // whoever made it is gone

  error.clear();
  acceptor_.open(asio::local::stream_protocol(), error);
  if (!error) acceptor_.bind(Endpoint(path_), error);
  if (error) return failure(Errc::Io, "the simulator's socket cannot be made", error.value());
  // Nobody can connect before listen(), so the mode is in force from the first connection on.
  if (chmod(path_.c_str(), S_IRUSR | S_IWUSR) != 0)
    return failure(Errc::Io, "the simulator's socket cannot be closed to others", errno);
  acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error) return failure(Errc::Io, "the simulator's socket cannot be listened on", error.value());
  accept();
  return {};
}

void SimControl::Server::close() {
  closed_ = true;
  asio::error_code ignored;
  acceptor_.close(ignored);
  unlink(path_.c_str());
  for (const auto& connection : connections_) connection->socket.close(ignored);
  connections_.clear();
  for (const auto& timer : timers_) timer->cancel();
  timers_.clear();
}

void SimControl::Server::accept() {
  acceptor_.async_accept([self = shared_from_this()](const asio::error_code& error, Socket socket) {
    if (self->closed_) return;
    if (error) return self->after(std::chrono::milliseconds(100), [self] { self->accept(); });
    const auto connection = std::make_shared<Connection>(std::move(socket));
    self->connections_.insert(connection);
    self->read(connection);
    self->accept();
  });
}

void SimControl::Server::read(const ConnectionPtr& connection) {
  asio::async_read_until(
      connection->socket, asio::dynamic_buffer(connection->in, line_bytes_max + 1), '\n',
      [self = shared_from_this(), connection](const asio::error_code& error, std::size_t size) {
        if (self->closed_) return;
        if (error == asio::error::not_found) {  // the buffer is full, and there is no end of line in it
          connection->out = answer({}, std::unexpected(SimRpcError{-32600, "the line is too long", ""})).dump() + "\n";
          return self->write(connection, false);
        }
        if (error) return self->drop(connection);
        const std::string line = connection->in.substr(0, size - 1);
        connection->in.erase(0, size);
        connection->out = answer_line(self->methods_, line);
        if (connection->out.empty()) return self->read(connection);
        self->write(connection, true);
      });
}

void SimControl::Server::write(const ConnectionPtr& connection, bool go_on) {
  asio::async_write(connection->socket, asio::buffer(connection->out),
                    [self = shared_from_this(), connection, go_on](const asio::error_code& error, std::size_t) {
                      if (self->closed_) return;
                      if (error || !go_on) return self->drop(connection);
                      self->read(connection);
                    });
}

void SimControl::Server::drop(const ConnectionPtr& connection) {
  asio::error_code ignored;
  connection->socket.close(ignored);
  connections_.erase(connection);
}

void SimControl::Server::after(std::chrono::milliseconds delay, std::function<void()> what) {
  const auto timer = std::make_shared<asio::steady_timer>(loop_, delay);
  timers_.insert(timer);
  timer->async_wait([self = shared_from_this(), timer, what = std::move(what)](const asio::error_code& error) {
    self->timers_.erase(timer);
    if (!error && !self->closed_) what();
  });
}

SimControl::SimControl(std::shared_ptr<Server> server) : server_(std::move(server)) {}
SimControl::~SimControl() {
  server_->close();
}

Result<std::unique_ptr<SimControl>> SimControl::create(asio::io_context& loop, const std::string& socket_path,
                                                       SimWorld world) {
  auto server = std::make_shared<Server>(loop, socket_path, std::move(world));
  if (auto listening = server->listen(); !listening) return std::unexpected(listening.error());
  return std::unique_ptr<SimControl>(new SimControl(std::move(server)));
}

}  // namespace nightdrop::hal
