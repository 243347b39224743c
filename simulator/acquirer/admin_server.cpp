#include "simulator/acquirer/admin_server.hpp"

#include <httplib.h>

#include <thread>
#include <utility>

#include <sys/socket.h>

#include "simulator/acquirer/import.hpp"
#include "simulator/acquirer/issuer.hpp"

namespace nightdrop::simulator {
namespace {

void reply(httplib::Response& response, int status, const Json& body) {
  response.status = status;
  response.set_content(body.dump(), "application/json");
}

void refuse(httplib::Response& response, const std::string& message) {
  response.status = 422;
  response.set_content(error_answer({422, "invalid", message}).body, "application/json");
}

std::expected<ForcedOutcome, std::string> read_outcome(JsonView body) {
  if (!body.is_object()) return std::unexpected("the body must be a JSON object");
  for (const JsonView member : body.items()) {
    const auto key = member.key();
    if (key != "id" && key != "last4" && key != "response_code" && key != "advice_code") {
      return std::unexpected(std::string(key) + ": is no field here; known are: id last4 response_code advice_code");
    }
    if (!member.is_string()) return std::unexpected(std::string(key) + ": must be a string");
  }
  const auto text = [&](const char* name) { return std::string(body[name].string().value_or("")); };
  ForcedOutcome outcome{text("id"), text("last4"), text("response_code"), text("advice_code")};
  if (outcome.id.empty() == outcome.last4.empty()) return std::unexpected("id: give either id or last4");
  if (!outcome.id.empty() && !is_payment_id(outcome.id)) return std::unexpected("id: is no payment's id");
  if (!outcome.last4.empty() && outcome.last4.size() != 4) return std::unexpected("last4: must be four digits");
  if (!is_response_code(outcome.response_code)) {
    return std::unexpected("response_code: must be two digits or capital letters; 00 approves");
  }
  return outcome;
}

}  // namespace

class AdminServer::Inside {
 public:
  Inside(std::string directory, Host& host, Faults& faults, Traffic& traffic)
      : directory_(std::move(directory)), host_(host), faults_(faults), traffic_(traffic) {}

  std::optional<std::string> bind(const std::string& address, int port);
  int port() const { return port_; }
  void run() { server_.listen_after_bind(); }
  void stop() {
    while (!server_.is_running()) std::this_thread::yield();
    server_.stop();
  }

 private:
  using Request = httplib::Request;
  using Response = httplib::Response;
  Json stats() const;
  void install(const Request& request, Response& response);
  void force(const Request& request, Response& response);
  void import(const Request& request, Response& response);

  const std::string directory_;
  Host& host_;
  Faults& faults_;
  Traffic& traffic_;
  httplib::Server server_;
  int port_{0};
};

std::optional<std::string> AdminServer::Inside::bind(const std::string& address, int port) {
  const auto done = [this](Response& response) {
    Json body = Json::object();
    body.set("rules", static_cast<std::uint64_t>(faults_.size()));
    reply(response, 200, body);
  };
  server_.Get("/admin/ledger", [this](const Request&, Response& response) { reply(response, 200, host_.ledger()); });
  server_.Get("/admin/stats", [this](const Request&, Response& response) { reply(response, 200, stats()); });
  server_.Post("/admin/faults", [this](const Request& request, Response& response) { install(request, response); });
  server_.Delete("/admin/faults", [this, done](const Request&, Response& response) {
    faults_.clear();
    done(response);
  });
  server_.Post("/admin/reset-faults", [this, done](const Request&, Response& response) {
    faults_.reset();
    done(response);
  });
  server_.Post("/admin/outcome", [this](const Request& request, Response& response) { force(request, response); });
  server_.Delete("/admin/outcome", [this](const Request&, Response& response) {
    host_.clear_forced();
    reply(response, 200, Json::object());
  });
  server_.Post("/admin/import", [this](const Request& request, Response& response) { import(request, response); });
  server_.set_error_handler([](const Request&, Response& response) {
    if (!response.body.empty()) return;
    response.set_content(
        error_answer({response.status, "not_found", "there is nothing here; see nightdrop-sim acquirer --help"}).body,
        "application/json");
  });
  // A connection that is kept would hold up the end of the process.
  server_.set_keep_alive_max_count(1);
  server_.set_keep_alive_timeout(1);
  server_.set_read_timeout(1);
  server_.new_task_queue = [] { return new httplib::ThreadPool(4); };
  server_.set_tcp_nodelay(true);
  server_.set_socket_options([](socket_t socket) {
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  if (port == 0)
    port_ = server_.bind_to_any_port(address);
  else
    port_ = server_.bind_to_port(address, port) ? port : -1;
  if (port_ <= 0) return "the admin address " + address + ":" + std::to_string(port) + " cannot be listened on";
  return std::nullopt;
}

Json AdminServer::Inside::stats() const {
  Json stats = Json::object();
  stats.set("requests", traffic_.requests.load()).set("connections", traffic_.connections.load());
  stats.set("forbidden", traffic_.forbidden.load()).set("cut", traffic_.cuts.load());
  stats.set("max_concurrent", traffic_.max_concurrent());
  host_.add_stats(stats);
  std::uint64_t fired = 0;
  Json kinds = Json::object();
  for (const auto& [kind, count] : faults_.fired()) {
    fired += count;
    kinds.set(kind, count);
  }
  stats.set("faults_fired", fired).set("faults_by_kind", std::move(kinds));
  return stats;
}

void AdminServer::Inside::install(const Request& request, Response& response) {
  const auto plan = Json::parse(request.body);
  if (!plan) return refuse(response, "plan: is no JSON");
  auto rules = parse_fault_plan(plan->view());
  if (!rules) return refuse(response, rules.error());
  faults_.install(*std::move(rules));
  Json body = Json::object();
  body.set("rules", static_cast<std::uint64_t>(faults_.size()));
  reply(response, 200, body);
}

void AdminServer::Inside::force(const Request& request, Response& response) {
  const auto body = Json::parse(request.body);
  auto outcome = read_outcome(body ? body->view() : JsonView());
  if (!outcome) return refuse(response, outcome.error());
  host_.force(*std::move(outcome));
  reply(response, 200, Json::object());
}

void AdminServer::Inside::import(const Request& request, Response& response) {
  const auto file = read_sealed(request.body, directory_);
  if (!file) return refuse(response, file.error());
  const bool with_expired = request.get_param_value("with_expired") == "true";
  reply(response, 200, report_json(import_sealed(host_, *file, with_expired, [](std::size_t, std::size_t) {})));
}

AdminServer::AdminServer(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
AdminServer::~AdminServer() = default;

std::expected<std::unique_ptr<AdminServer>, std::string> AdminServer::open(const std::string& directory,
                                                                           const std::string& address, int port,
                                                                           Host& host, Faults& faults,
                                                                           Traffic& traffic) {
  auto inside = std::make_unique<Inside>(directory, host, faults, traffic);
  if (auto problem = inside->bind(address, port)) return std::unexpected(*std::move(problem));
  return std::unique_ptr<AdminServer>(new AdminServer(std::move(inside)));
}

int AdminServer::port() const {
  return inside_->port();
}
void AdminServer::run() {
  inside_->run();
}
void AdminServer::stop() {
  inside_->stop();
}

}  // namespace nightdrop::simulator
