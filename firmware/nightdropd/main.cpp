// nightdropd: the engine on a reader. Command line, the process's own hardening, and what an exit code says.
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "firmware/nightdropd/daemon.hpp"

namespace {

// Card data must not reach a core dump or swap. Locking may be limited on a desktop; SecretBytes locks its own pages
// too.
void harden_process() {
  // Nobody's environment may have TLS secrets written to a file, other code loaded, or other authorities trusted.
  for (const char* name :
       {"SSLKEYLOGFILE", "OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES", "SSL_CERT_FILE", "SSL_CERT_DIR"}) {
    (void)unsetenv(name);
  }
  const rlimit none{0, 0};
  (void)setrlimit(RLIMIT_CORE, &none);
  (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0)
    spdlog::debug("memory is locked in part only (RLIMIT_MEMLOCK)");
  std::signal(SIGPIPE, SIG_IGN);
}

void set_up_log(nightdrop::LogLevel level) {
  auto logger = std::make_shared<spdlog::logger>("nightdropd", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
  logger->set_level(static_cast<spdlog::level::level_enum>(
      level == nightdrop::LogLevel::Off ? static_cast<int>(spdlog::level::off) : static_cast<int>(level)));
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "nightdropd - store-and-forward card payments on a reader\n\n"
      "Stays in the foreground; prints one line {\"event\":\"ready\",...} when the POS socket takes connections and "
      "tells\n"
      "systemd (NOTIFY_SOCKET). Logs go to standard error. SIGTERM ends it in order."};
  std::string config_file;
  bool check = false;
  app.add_option("--config", config_file, "The reader's configuration (nightdrop.json)")->required()->type_name("FILE");
  app.add_flag("--check", check, "Open configuration, vault, queue and policy, say whether they can be used, and end");
  app.set_version_flag("--version", "nightdropd 0.1.0 (POS protocol 1)");
  app.footer(
      "Exit codes: 0 ended in order; 64 usage; 65 data that can't be used (wrong key, newer schema); 74 the system "
      "said no;\n"
      "75 another daemon has this queue; 78 configuration or policy.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : 64;
  }

  const auto config = nightdrop::load_config(config_file);
  if (!config) {
    std::fprintf(stderr, "nightdropd: %s\n", config.error().message.c_str());
    return nightdrop::firmware::exit_config;
  }
  set_up_log(config->log_level);
  harden_process();
  const auto done = check ? nightdrop::firmware::check_daemon(*config) : nightdrop::firmware::run_daemon(*config);
  if (!done) {
    std::fprintf(stderr, "nightdropd: %s\n", done.error().message.c_str());
    return done.error().exit_code;
  }
  if (check) std::puts("{\"event\":\"checked\",\"usable\":true}");
  return 0;
}
