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
#include <map>
#include <string>

#include "firmware/nightdropd/daemon.hpp"
#include "firmware/nightdropd/factory.hpp"

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

// The options of a reader that is not provisioned yet.
void add_factory_options(CLI::App& app, nightdrop::firmware::FactoryOptions& options, bool& wanted) {
  auto* factory = app.add_flag("--factory", wanted, "Wait for a provisioning station instead of taking payments");
  app.add_option("--home", options.home, "With --factory: the folder that becomes the reader")
      ->type_name("DIR")
      ->needs(factory);
  app.add_option("--serial", options.serial_number, "With --factory: the reader's serial number")
      ->type_name("SERIAL")
      ->needs(factory);
  app.add_option("--listen", options.listen,
                 "With --factory: unix:PATH, serial:/dev/ttyACM0 or tcp:127.0.0.1:PORT, where the station connects")
      ->type_name("ADDRESS")
      ->needs(factory);
  app.add_option("--authority", options.authority_file,
                 "With --factory: the manufacturing CA's certificate, which stations must lead to")
      ->type_name("FILE")
      ->needs(factory);
  app.add_flag("--once", options.once, "With --factory: end when the reader is provisioned")->needs(factory);
  auto& vault = options.vault;
  auto* module =
      app.add_option("--pkcs11-module", vault.module, "With --factory: the vault's root in a token of this module")
          ->type_name("FILE")
          ->needs(factory);
  auto* token =
      app.add_option("--pkcs11-token", vault.token_label, "The token's label")->type_name("LABEL")->needs(module);
  auto* pin = app.add_option("--pkcs11-pin-file", vault.pin_file, "A file with the token's PIN")->type_name("FILE");
  module->needs(token)->needs(pin->needs(module));
  app.add_option("--root-credential", vault.root_credential,
                 "With --factory: the systemd credential that holds the vault's root key")
      ->type_name("NAME")
      ->needs(factory)
      ->excludes(module);
}

nightdrop::hal::Older older_copy(const std::string& name) {
  using nightdrop::hal::Older;
  for (const auto& [known, older] :
       {std::pair{"queue", Older::AcceptQueue}, {"vault", Older::AcceptVault}, {"both", Older::AcceptBoth}}) {
    if (name == known) return older;
  }
  throw CLI::ValidationError("--accept-older", "must be queue, vault or both");  // CLI11's own way; main catches it
}

// Help in a line or two an option: which options go with which is said in their words.
class PlainHelp : public CLI::Formatter {
 public:
  std::string make_option_opts(const CLI::Option* option) const override {
    return option->get_type_size() == 0 ? "" : " " + option->get_type_name();
  }
};

int report(const std::expected<void, nightdrop::firmware::StartFailure>& done) {
  if (done) return 0;
  std::fprintf(stderr, "nightdropd: %s\n", done.error().message.c_str());
  return done.error().exit_code;
}

// What the two ways to start need beside each other's options; empty: nothing is missing.
std::string missing_option(bool factory, const std::string& config_file,
                           const nightdrop::firmware::FactoryOptions& options) {
  if (!factory) return config_file.empty() ? "--config is required" : "";
  if (!config_file.empty()) return "--config, --check and --erase do not go with --factory";
  if (options.home.empty()) return "--factory needs --home";
  if (options.serial_number.empty()) return "--factory needs --serial";
  if (options.listen.empty()) return "--factory needs --listen";
  return options.authority_file.empty() ? "--factory needs --authority" : "";
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "nightdropd - store-and-forward card payments on a reader\n\n"
      "Stays in the foreground; prints one line {\"event\":\"ready\",...} when the POS socket takes connections and "
      "tells\n"
      "systemd (NOTIFY_SOCKET). Logs go to standard error. SIGTERM ends it in order;\n"
      "SIGHUP reads the policy and its overlay again."};
  app.formatter(std::make_shared<PlainHelp>());
  std::string config_file;
  bool check = false;
  app.add_option("--config", config_file, "The reader's configuration (nightdrop.json)")->type_name("FILE");
  app.add_flag("--check", check, "Open configuration, vault, queue and policy, say whether they can be used, and end");
  nightdrop::hal::Older accepted = nightdrop::hal::Older::Refuse;
  app.add_option_function<std::string>(
         "--accept-older", [&accepted](const std::string& copy) { accepted = older_copy(copy); },
         "Once, after a start that was refused: go on with an older copy of this (queue, vault or both)")
      ->type_name("COPY");
  std::string erase_order;
  app.add_option("--erase", erase_order,
                 "Bring this reader back to factory state by a signed erase order, and end; its daemon is stopped")
      ->type_name("ORDER");
  nightdrop::firmware::FactoryOptions factory_options;
  bool in_factory = false;
  add_factory_options(app, factory_options, in_factory);
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

  if (const std::string missing = missing_option(in_factory, config_file, factory_options); !missing.empty()) {
    std::fprintf(stderr, "nightdropd: %s\nRun with --help for more information.\n", missing.c_str());
    return 64;
  }
  if (in_factory) {
    set_up_log(nightdrop::LogLevel::Info);
    harden_process();
    if (!factory_options.vault.module.empty()) factory_options.vault.backend = nightdrop::VaultBackend::Pkcs11;
    return report(nightdrop::firmware::run_factory(factory_options));
  }
  const auto config = nightdrop::load_config(config_file);
  if (!config) {
    std::fprintf(stderr, "nightdropd: %s\n", config.error().message.c_str());
    return nightdrop::firmware::exit_config;
  }
  set_up_log(config->log_level);
  harden_process();
  if (!erase_order.empty()) {
    const auto erased = nightdrop::firmware::erase_reader(*config, config_file, erase_order);
    if (erased) std::puts("{\"event\":\"erased\"}");
    return report(erased);
  }
  const auto done =
      check ? nightdrop::firmware::check_daemon(*config) : nightdrop::firmware::run_daemon(*config, accepted);
  if (!done) {
    std::fprintf(stderr, "nightdropd: %s\n", done.error().message.c_str());
    return done.error().exit_code;
  }
  if (check) std::puts("{\"event\":\"checked\",\"usable\":true}");
  return 0;
}
