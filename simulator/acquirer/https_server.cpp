#include "simulator/acquirer/https_server.hpp"

#include <httplib.h>

#include <chrono>
#include <thread>
#include <utility>

#include <sys/socket.h>

#include "simulator/acquirer/api.hpp"
#include "simulator/acquirer/tls.hpp"

namespace nightdrop::simulator {
namespace {

constexpr std::size_t connection_threads = 128;
constexpr std::size_t request_body_max = 4 * 1024 * 1024;
constexpr int backlog = 256;

std::optional<std::string> header(const httplib::Request& request, const char* name) {
  if (!request.has_header(name)) return std::nullopt;
  return request.get_header_value(name);
}

// The library's server, reaching the parts that it keeps for its heirs.
class TlsServer final : public httplib::SSLServer {
 public:
  using SSLServer::SSLServer;
  void widen_backlog() { ::listen(svr_sock_, backlog); }
};

}  // namespace

class HttpsServer::Inside {
 public:
  Inside(const std::string& directory, Host& host, Faults& faults, Traffic& traffic)
      : readers_(directory, traffic),
        renewals_(directory, readers_),
        api_(host, faults, traffic, renewals_),
        traffic_(traffic),
        connections_([&faults, &traffic] {
          ++traffic.connections;
          return faults.refuse_connection();
        }),
        server_([&](SSL_CTX& context) {
          problem_ = configure_tls(&context, directory, connections_);
          return !problem_;
        }) {}

  std::optional<std::string> bind(const std::string& address, int port);
  int port() const { return port_; }
  void run() { server_.listen_after_bind(); }
  void stop() {
    // A stop that comes before the first turn of the accepting loop would be lost.
    while (!server_.is_running()) std::this_thread::yield();
    server_.stop();
    connections_.shut_all();
  }

 private:
  void handle(const httplib::Request& request, httplib::Response& response);
  void send(const httplib::Request& request, httplib::Response& response, ApiReply reply);

  ReaderRegistry readers_;
  Renewals renewals_;
  Api api_;
  Traffic& traffic_;
  Connections connections_;
  std::optional<std::string> problem_;
  TlsServer server_;
  int port_{0};
};

std::optional<std::string> HttpsServer::Inside::bind(const std::string& address, int port) {
  if (problem_) return problem_;
  if (!server_.is_valid()) return std::string("TLS cannot be set up");
  const auto handler = [this](const httplib::Request& request, httplib::Response& response) {
    handle(request, response);
  };
  server_.Get(".*", handler).Post(".*", handler).Put(".*", handler).Delete(".*", handler);
  server_.set_error_handler([](const httplib::Request&, httplib::Response& response) {
    if (!response.body.empty()) return;
    const ApiError error{response.status, response.status == 413 ? "too_large" : "bad_request",
                         "the request cannot be used"};
    response.set_content(error_answer(error).body, "application/json");
  });
  server_.new_task_queue = [] { return new httplib::ThreadPool(connection_threads); };
  server_.set_tcp_nodelay(true);
  server_.set_keep_alive_max_count(1'000'000);
  server_.set_keep_alive_timeout(120);
  server_.set_payload_max_length(request_body_max);
  // Without SO_REUSEPORT, which the library would set: two acquirers on one port would share its connections.
  server_.set_socket_options([](socket_t socket) {
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  if (port == 0)
    port_ = server_.bind_to_any_port(address);
  else
    port_ = server_.bind_to_port(address, port) ? port : -1;
  if (port_ <= 0) return "the address " + address + ":" + std::to_string(port) + " cannot be listened on";
  server_.widen_backlog();
  return std::nullopt;
}

void HttpsServer::Inside::handle(const httplib::Request& request, httplib::Response& response) {
  const Traffic::Working working(traffic_);  // a delay counts too
  ApiRequest asked;
  asked.method = request.method;
  asked.path = request.path;
  asked.caller = readers_.caller(request.ssl);
  asked.reader_header = header(request, "Nightdrop-Reader");
  asked.idempotency_key = header(request, "Idempotency-Key");
  asked.body = request.body;
  send(request, response, api_.handle(asked));
}

void HttpsServer::Inside::send(const httplib::Request& request, httplib::Response& response, ApiReply reply) {
  const bool stopped = reply.delay_ms > 0 && !traffic_.pause(std::chrono::milliseconds(reply.delay_ms));
  if (reply.cut || stopped) {
    cut(request.ssl);  // what the library writes now goes nowhere
    return;
  }
  response.status = reply.answer.status;
  if (reply.answer.replayed) response.set_header("Idempotency-Replayed", "true");
  if (!reply.answer.retry_after.empty()) response.set_header("Retry-After", reply.answer.retry_after);
  if (!reply.location.empty()) response.set_header("Location", reply.location);
  if (reply.drip_ms == 0) {
    response.set_content(std::move(reply.answer.body), reply.content_type);
    return;
  }
  const std::chrono::milliseconds pace(reply.drip_ms);
  const std::size_t length = reply.answer.body.size();
  response.set_content_provider(
      length, reply.content_type,
      [this, pace, body = std::move(reply.answer.body)](std::size_t offset, std::size_t, httplib::DataSink& sink) {
        return traffic_.pause(pace) && sink.write(body.data() + offset, 1);
      });
}

HttpsServer::HttpsServer(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
HttpsServer::~HttpsServer() = default;

std::expected<std::unique_ptr<HttpsServer>, std::string> HttpsServer::open(const std::string& directory,
                                                                           const std::string& address, int port,
                                                                           Host& host, Faults& faults,
                                                                           Traffic& traffic) {
  auto inside = std::make_unique<Inside>(directory, host, faults, traffic);
  if (auto problem = inside->bind(address, port)) return std::unexpected(*std::move(problem));
  return std::unique_ptr<HttpsServer>(new HttpsServer(std::move(inside)));
}

int HttpsServer::port() const {
  return inside_->port();
}
void HttpsServer::run() {
  inside_->run();
}
void HttpsServer::stop() {
  inside_->stop();
}

}  // namespace nightdrop::simulator
