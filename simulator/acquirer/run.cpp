#include "simulator/acquirer/run.hpp"

#include <charconv>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>
#include <thread>
#include <utility>

#include "simulator/acquirer/admin_server.hpp"
#include "simulator/acquirer/https_server.hpp"
#include "simulator/acquirer/import.hpp"

namespace nightdrop::simulator {
namespace {

// Of <sysexits.h>.
constexpr int exit_data = 65;
constexpr int exit_unavailable = 69;
constexpr int exit_io = 74;
constexpr int exit_busy = 75;
constexpr int exit_configuration = 78;

int complain(int code, const std::string& sentence) {
  std::fprintf(stderr, "nightdrop-sim: %s\n", sentence.c_str());
  return code;
}

struct Address {
  std::string host;
  int port{0};
};

std::optional<Address> parse_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  Address address{std::string(text.substr(0, colon)), -1};
  const std::string_view port = text.substr(colon + 1);
  const auto [end, problem] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (problem != std::errc{} || end != port.data() + port.size() || address.port < 0 || address.port > 65'535)
    return std::nullopt;
  return address;
}

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

std::expected<std::vector<FaultRule>, std::string> read_plan(const std::string& path) {
  std::ifstream file(path);
  if (!file) return std::unexpected(path + ": cannot be read");
  std::ostringstream text;
  text << file.rdbuf();
  const auto plan = Json::parse(std::move(text).str());
  if (!plan) return std::unexpected(path + ": is no JSON");
  auto rules = parse_fault_plan(plan->view());
  if (!rules) return std::unexpected(path + ": " + rules.error());
  return rules;
}

int exit_code_of(Errc code) {
  if (code == Errc::Busy) return exit_busy;
  if (code == Errc::Corrupt) return exit_data;
  return code == Errc::DiskFull ? exit_io : exit_configuration;
}

void print_ready(const std::string& listen, const std::string& admin) {
  Json line = Json::object();
  line.set("event", "ready").set("listen", listen).set("admin", admin);
  std::printf("%s\n", line.dump().c_str());
  std::fflush(stdout);
}

// For `acquirer import`, which finds the ledger held by this process.
void say_where(const std::string& directory, const std::string& admin) {
  std::ofstream(directory + "/" + running_name) << std::move(Json::object().set("admin", admin)).dump() << '\n';
}

// Signals that end the process in order are waited for by one thread and taken by no other.
sigset_t block_ending_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return signals;
}

int serve(HttpsServer& https, AdminServer& admin, Traffic& traffic, const sigset_t& signals) {
  std::jthread https_thread([&] { https.run(); });
  std::jthread admin_thread([&] { admin.run(); });
  int signal = 0;
  sigwait(&signals, &signal);
  traffic.stop();
  https.stop();
  admin.stop();
  return 0;
}

}  // namespace

int run_acquirer(const AcquirerOptions& options) {
  const sigset_t signals = block_ending_signals();
  const auto listen = parse_address(options.listen);
  if (!listen) return complain(exit_configuration, "--listen: must be ADDRESS:PORT");
  const int next_port = listen->port == 0 ? 0 : listen->port + 1;
  const auto admin = options.admin.empty() ? Address{"127.0.0.1", next_port} : parse_address(options.admin);
  if (!admin) return complain(exit_configuration, "--admin: must be ADDRESS:PORT");
  if (!is_loopback(admin->host))
    return complain(exit_configuration, "--admin: must be a loopback address; the admin API has no lock");

  std::error_code ignored;
  if (!std::filesystem::is_directory(options.directory, ignored)) {
    return complain(exit_configuration, options.directory + ": is no directory; nightdrop-provision dev makes one");
  }
  auto keys = load_card_keys(options.directory);
  if (!keys) return complain(exit_configuration, keys.error());
  Faults faults;
  if (!options.plan.empty()) {
    auto rules = read_plan(options.plan);
    if (!rules) return complain(exit_configuration, rules.error());
    faults.install(*std::move(rules));
  }
  auto host = Host::open(options.directory, *std::move(keys));
  if (!host) {
    return complain(exit_code_of(host.error().code), options.directory + "/" + ledger_name + ": " + host.error().text);
  }
  Traffic traffic(options.verbose);
  auto https = HttpsServer::open(options.directory, listen->host, listen->port, **host, faults, traffic);
  if (!https)
    return complain(https.error().starts_with("the address") ? exit_unavailable : exit_configuration, https.error());
  auto admin_server = AdminServer::open(options.directory, admin->host, admin->port, **host, faults, traffic);
  if (!admin_server) return complain(exit_unavailable, admin_server.error());
  const std::string admin_address = admin->host + ":" + std::to_string((*admin_server)->port());
  say_where(options.directory, admin_address);
  print_ready(listen->host + ":" + std::to_string((*https)->port()), admin_address);
  return serve(**https, **admin_server, traffic, signals);
}

}  // namespace nightdrop::simulator
