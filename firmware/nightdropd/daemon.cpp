#include "firmware/nightdropd/daemon.hpp"

#include <spdlog/spdlog.h>

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "crypto/primitives.hpp"
#include "crypto/sealed_key_vault.hpp"
#include "crypto/vault_files.hpp"
#include "firmware/nightdropd/hardware.hpp"
#include "firmware/nightdropd/policy_keeper.hpp"
#include "firmware/nightdropd/root_settings.hpp"
#include "firmware/nightdropd/sealed_exports.hpp"
#include "hal/linux/file_certificate.hpp"
#include "hal/linux/system_clock.hpp"
#include "pos/server.hpp"
#include "store/sqlcipher_store.hpp"
#include "terminal/terminal.hpp"

namespace nightdrop::firmware {
namespace {

constexpr const char* firmware_version = "0.1.0";
constexpr std::int64_t timer_slack_ms = 2;
constexpr std::size_t handlers_a_turn = 256;  // what one commit carries at most

StartFailure failed(int exit_code, const std::string& what, const Error& error) {
  return {exit_code, what + ": " + error.text + " (" + errc_name(error.code) +
                         (error.native != 0 ? ", " + std::to_string(error.native) : "") + ")"};
}

// What a person can do about an older copy.
std::string way_on(const Error& error) {
  const std::string_view text(error.text);
  if (text == hal::replaced_keys_text) return "";
  const std::string which = text == hal::older_queue_text ? "queue" : "vault";
  return "; put the newest copy back, or start once with --accept-older " + which + " (docs/operations.md)";
}

// What --accept-older came to at this start.
void tell_accepted(const std::string& older) {
  if (!older.empty()) {
    spdlog::warn("went on with an older copy of the {}, as --accept-older said; leave that option out from now on",
                 older);
  } else {
    spdlog::warn(
        "--accept-older had nothing to do: neither vault nor queue is an older copy. Leave it out: as long as it is "
        "there, the reader goes on with any older copy that somebody puts back, and asks nobody");
  }
}

int exit_code_of(const Error& error) {
  switch (error.code) {
    case Errc::Busy: return exit_busy;
    case Errc::WrongKey:
    case Errc::NewerSchema:
    case Errc::Corrupt:
    case Errc::Malformed:
    case Errc::RolledBack:
    case Errc::ReadOnly: return exit_data;
    case Errc::Io:
    case Errc::DiskFull: return exit_io;
    case Errc::InvalidArgument:
    case Errc::NotFound:
    case Errc::Conflict:
    case Errc::CryptoFailed:
    case Errc::CounterExhausted:
    case Errc::Unavailable:
    case Errc::Unsupported:
    case Errc::DevelopmentKey: return exit_config;
  }
  return exit_config;
}

std::expected<std::string, StartFailure> read_file(const std::string& path, const char* what) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::unexpected(StartFailure{exit_config, std::string(what) + " cannot be read: " + path});
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// The reader's keys were erased: by an order, or because it was tampered with.
StartFailure erased_failure(const Config& config) {
  std::string message = "the reader's keys were erased; it must be provisioned anew";
  if (const auto sealed = newest_sealed_export(config.queue_dir)) {
    message += "; what waited when it was tampered with is in " + sealed->string() +
               ": `nightdrop export-sealed --from " + config.queue_dir +
               " --out FILE` copies it, and the acquirer takes it in";
  }
  return {exit_data, message};
}

// Everything a running daemon owns, in the order in which it is opened; destroyed in reverse.
class Daemon {
 public:
  explicit Daemon(const Config& config)
      : config_(config), signals_(loop_), hang_up_(loop_, SIGHUP), timer_(loop_), policy_(config) {}

  std::expected<void, StartFailure> open() {
    if (config_.hal != HalKind::Sim) {
      return std::unexpected(StartFailure{
          exit_config, "hal \"linux\" needs a card reader driver, and this build has none (docs/porting.md)"});
    }
    auto hardware = make_sim_hardware(loop_, config_);
    if (!hardware) return std::unexpected(failed(exit_io, "the simulated hardware cannot start", hardware.error()));
    hardware_ = std::move(*hardware);
    if (auto opened = open_vault(); !opened) return opened;
    // Before anything else is read or written: whoever has opened the reader finds no card key in it.
    if (hardware_->tamper().tampered()) (void)vault_->erase_card_keys();
    if (auto opened = open_queue(); !opened) return opened;
    if (auto opened = open_policy(); !opened) return opened;
    return open_host();
  }

  std::expected<void, StartFailure> start(hal::Older accepted) {
    settings_.accepted_copies = accepted;
    settings_.merchant = {policy_.policy().merchant_id, config_.terminal_id, config_.serial_number};
    settings_.utc_offset_minutes = config_.utc_offset_minutes;
    settings_.window = static_cast<std::size_t>(config_.acquirer.window);
    settings_.batch = config_.acquirer.batch;
    start_policy_ = policy_.policy();
    settings_.sha256 = [](std::span<const std::uint8_t> prev, std::span<const std::uint8_t> bytes) {
      return sha256(prev, bytes);
    };
    settings_.certificate_pem = facts_.certificate_pem;
    settings_.keep_export = [this](const terminal::SealedExport& made, UtcMs at) {
      return keep_sealed_export(config_.queue_dir, made.text, at);
    };
    terminal_ = std::make_unique<terminal::Terminal>(
        terminal::Ports{*store_, *vault_, hardware_->reader(), *host_, hardware_->links(), hardware_->clock(),
                        hardware_->entropy(), hardware_->indicator(), certificate_.get()},
        start_policy_, settings_);
    if (auto started = terminal_->start(); !started) {
      auto failure = failed(exit_code_of(started.error()), "the terminal cannot start", started.error());
      if (started.error().code == Errc::RolledBack) failure.message += way_on(started.error());
      return std::unexpected(std::move(failure));
    }
    if (accepted != hal::Older::Refuse) tell_accepted(terminal_->books().accepted_older());
    facts_.serial_number = config_.serial_number;
    facts_.label = config_.label;
    facts_.device_type = config_.device_type;
    facts_.firmware_version = firmware_version;
    policy_.attach(*terminal_, facts_, hardware_->clock());
    methods_ = std::make_unique<pos::Methods>(*terminal_, facts_);
    methods_->on_update_policy([this](const pos::PolicyHandedIn& handed_in, const pos::Responder& respond) {
      policy_.update(handed_in, respond);
    });
    server_ = std::make_unique<pos::Server>(
        loop_, *terminal_, *methods_,
        pos::ServerOptions{config_.pos_socket.path,
                           config_.pos_socket.mode,
                           {config_.pos_socket.uids.begin(), config_.pos_socket.uids.end()},
                           {config_.pos_socket.gids.begin(), config_.pos_socket.gids.end()}});
    hardware_->tamper().on_tamper([this] {
      spdlog::critical("the reader was tampered with: its keys are erased");
      terminal_->tamper().begin();
    });
    if (auto opened = hardware_->open([this] { asio::post(loop_, [] {}); }); !opened) {
      return std::unexpected(failed(exit_code_of(opened.error()), "the world socket cannot be opened", opened.error()));
    }
    if (auto started = server_->start(); !started) {
      return std::unexpected(failed(exit_code_of(started.error()), "the POS socket cannot be opened", started.error()));
    }
    return {};
  }

  void run() {
    signals_.add(SIGTERM);
    signals_.add(SIGINT);
    signals_.async_wait([this](const std::error_code& problem, int) {
      if (!problem) stopping_ = true;
    });
    await_hang_up();
    announce();
    while (!stopping_) {
      wait_for_work();
      for (std::size_t handled = 0; handled < handlers_a_turn && loop_.poll_one() != 0; ++handled) {
      }
      terminal_->tick();
      terminal_->end_turn();
      watchdog_.feed();
    }
    watchdog_.notify_stopping();
    server_->stop();
    if (const auto stopped = terminal_->stop(); !stopped)
      spdlog::error("the last checkpoint was not signed: {}", stopped.error().text);
    spdlog::info("stopped");
  }

 private:
  std::expected<void, StartFailure> open_vault() {
    auto vault = SealedKeyVault::open(
        config_.vault_dir, [this](std::function<void()> work) { asio::post(loop_, std::move(work)); },
        root_settings(config_.vault));
    if (!vault && std::filesystem::exists(config_.vault_dir + "/" + vault_files::erased))
      return std::unexpected(erased_failure(config_));
    if (!vault)
      return std::unexpected(failed(exit_code_of(vault.error()), "the key vault cannot be opened", vault.error()));
    vault_ = std::move(*vault);
    vault_->set_fault(hardware_->faults().vault);
    if (vault_->is_development()) spdlog::warn("the vault holds development keys; never take real cards with it");
    return {};
  }

  std::expected<void, StartFailure> open_queue() {
    SqlCipherStore::Options options;
    options.dir = config_.queue_dir;
    options.with_key = [this](const SqlCipherStore::KeyUse& use) { return vault_->with_queue_key(use); };
    options.sha256 = [](std::span<const std::uint8_t> prev, std::span<const std::uint8_t> bytes) {
      return sha256(prev, bytes);
    };
    const HardwareFaults faults = hardware_->faults();
    options.faults = {faults.disk_full, faults.disk_error, faults.commit_error};
    auto store = SqlCipherStore::open(std::move(options));
    if (!store)
      return std::unexpected(failed(exit_code_of(store.error()), "the queue cannot be opened", store.error()));
    store_ = std::move(*store);
    const auto health = store_->health();
    if (health.degraded) {
      spdlog::error(
          "the queue was damaged: {} rows carried over, {} lost, old file kept at {}; payments are refused until "
          "`nightdrop accept-damage`",
          health.carried_over, health.lost, health.set_aside_path);
    }
    return {};
  }

  std::expected<void, StartFailure> open_policy() {
    const auto state = store_->device_state();
    if (!state) return std::unexpected(failed(exit_data, "the queue cannot be read", state.error()));
    if (auto opened = policy_.open(state->policy_version, hardware_->clock(), vault_->identity_public_key()); !opened)
      return std::unexpected(StartFailure{exit_config, std::move(opened.error())});
    return {};
  }

  std::expected<void, StartFailure> open_host() {
    const auto ca = read_file(config_.acquirer.ca_file, "the acquirer's CA certificate");
    if (!ca) return std::unexpected(ca.error());
    const auto certificate = read_file(config_.acquirer.client_certificate_file, "the reader's certificate");
    if (!certificate) return std::unexpected(certificate.error());
    facts_.certificate_pem = *certificate;
    hal::CurlHostLinkConfig host;
    host.base_url = config_.acquirer.url;
    host.ca_pem = *ca;
    host.client_cert_pem = *certificate;
    host.allow_tls_1_2 = config_.acquirer.tls_min == TlsMin::Tls12;
    host.connections_max = config_.acquirer.window + 4;  // a probe and new sales never wait for forwarding
    for (const Route route : {Route::Ethernet, Route::Wifi, Route::Cellular}) {
      host.routes[static_cast<std::size_t>(route)] = hardware_->binding(route);
    }
    auto link = hal::CurlHostLink::create(std::move(host), *vault_,
                                          [this](std::function<void()> work) { asio::post(loop_, std::move(work)); });
    if (!link) return std::unexpected(failed(exit_config, "the acquirer's connection cannot be set up", link.error()));
    host_ = std::move(*link);
    return open_certificate();
  }

  // The same certificate as the connection's, watched: it is renewed before it runs out.
  std::expected<void, StartFailure> open_certificate() {
    const auto authority = std::filesystem::path(config_.acquirer.ca_file).replace_filename("manufacturing_ca.pem");
    auto certificate = hal::FileCertificate::open(
        config_.acquirer.client_certificate_file, authority.string(), *vault_, [this](const std::string& pem) {
          facts_.certificate_pem = pem;
          if (const auto used = host_->use_certificate(pem); !used)
            spdlog::error("the new certificate is used from the next start on: {}", used.error().text);
          else
            spdlog::info("the reader's certificate was renewed");
        });
    if (!certificate) {
      return std::unexpected(
          failed(exit_config, "the reader's certificate or manufacturing_ca.pem cannot be used", certificate.error()));
    }
    certificate_ = std::move(*certificate);
    return {};
  }

  // SIGHUP: the policy and the overlay are read again.
  void await_hang_up() {
    hang_up_.async_wait([this](const std::error_code& problem, int) {
      if (problem) return;
      policy_.reload();
      await_hang_up();
    });
  }

  void announce() {
    Json ready = Json::object();
    ready.set("event", "ready").set("serial_number", config_.serial_number).set("pos_socket", config_.pos_socket.path);
    if (!config_.sim_socket.empty()) ready.set("sim_socket", config_.sim_socket);
    std::printf("%s\n", ready.dump().c_str());
    std::fflush(stdout);
    watchdog_.notify_ready();
    spdlog::info("ready: reader {}, policy version {}", config_.serial_number, terminal_->policy().version);
  }

  // Sleeps until a handler is ready or the terminal has something to do. Arming the timer anew ends the wait it had
  // before, which is a handler too: so it is done only when the time to wake has really changed.
  void wait_for_work() {
    const std::int64_t now = hardware_->clock().monotonic().count();
    std::int64_t wake_at = terminal_->next_tick_ms().value_or(now + 3'600'000);
    if (const auto most = watchdog_.interval()) wake_at = std::min<std::int64_t>(wake_at, now + most->count());
    if (wake_at <= now) return;
    const bool armed_well =
        armed_for_ms_ && *armed_for_ms_ > now && std::llabs(*armed_for_ms_ - wake_at) <= timer_slack_ms;
    if (!armed_well) {
      armed_for_ms_ = wake_at;
      timer_.expires_after(std::chrono::milliseconds(wake_at - now));
      timer_.async_wait([](const std::error_code&) {});
    }
    loop_.run_one();
  }

  const Config& config_;
  asio::io_context loop_{1};
  asio::signal_set signals_;
  asio::signal_set hang_up_;  // from the first moment: without it SIGHUP would end the process
  asio::steady_timer timer_;
  std::optional<std::int64_t> armed_for_ms_;  // monotonic
  hal::SystemdWatchdog watchdog_;
  std::unique_ptr<Hardware> hardware_;
  std::unique_ptr<SealedKeyVault> vault_;
  std::unique_ptr<SqlCipherStore> store_;
  PolicyKeeper policy_;
  Policy start_policy_;
  terminal::Settings settings_;
  std::unique_ptr<hal::CurlHostLink> host_;
  std::unique_ptr<hal::FileCertificate> certificate_;
  pos::ReaderFacts facts_;
  std::unique_ptr<terminal::Terminal> terminal_;
  std::unique_ptr<pos::Methods> methods_;
  std::unique_ptr<pos::Server> server_;
  bool stopping_{false};
};

}  // namespace

std::expected<void, StartFailure> run_daemon(const Config& config, hal::Older accepted) {
  Daemon daemon(config);
  if (auto opened = daemon.open(); !opened) return opened;
  if (auto started = daemon.start(accepted); !started) return started;
  daemon.run();
  return {};
}

std::expected<void, StartFailure> check_daemon(const Config& config) {
  Daemon daemon(config);
  return daemon.open();
}

}  // namespace nightdrop::firmware
