#include "firmware/nightdropd/factory.hpp"

#include <spdlog/spdlog.h>
#include <sys/signalfd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>

#include "crypto/p256.hpp"
#include "crypto/primitives.hpp"
#include "crypto/sealed_key_vault.hpp"
#include "crypto/vault_files.hpp"
#include "firmware/nightdropd/root_settings.hpp"
#include "firmware/nightdropd/sealed_exports.hpp"
#include "json/json.hpp"
#include "nightdrop/durable_file.hpp"
#include "nightdrop/encoding.hpp"
#include "provisioning/reader_home.hpp"
#include "store/sqlcipher_store.hpp"
#include "terminal/sealed_export.hpp"

namespace nightdrop::firmware {
namespace {

constexpr std::size_t text_max = 64 * 1024;  // a certificate, an erase order

using provisioning::FactoryReader;
using provisioning::FileReaderHome;

constexpr const char* firmware_version = "0.1.0";

StartFailure failed(const std::string& what, const Error& error) {
  const auto code = [&] {
    if (error.code == Errc::Busy) return exit_busy;
    if (error.code == Errc::Io || error.code == Errc::DiskFull) return exit_io;
    if (error.code == Errc::Corrupt || error.code == Errc::WrongKey || error.code == Errc::Malformed) return exit_data;
    return exit_config;
  };
  return {code(), what + ": " + error.text + " (" + errc_name(error.code) +
                      (error.native != 0 ? ", " + std::to_string(error.native) : "") + ")"};
}

UtcMs wall_clock() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

Result<std::unique_ptr<hal::KeyVault>> open_vault(const std::filesystem::path& dir, const Config& config) {
  auto vault = SealedKeyVault::open(dir, [](std::function<void()> run) { run(); }, root_settings(config.vault));
  if (!vault) return std::unexpected(vault.error());
  return std::unique_ptr<hal::KeyVault>(std::move(*vault));
}

std::expected<x509::Certificate, StartFailure> read_authority(const std::string& file) {
  const auto pem = read_text_file(file, text_max);
  if (!pem) return std::unexpected(failed("the manufacturing CA's certificate " + file, pem.error()));
  auto certificate = x509::parse_certificate_pem(*pem);
  if (!certificate) return std::unexpected(failed("the manufacturing CA's certificate " + file, certificate.error()));
  return std::move(*certificate);
}

std::expected<std::unique_ptr<FileReaderHome>, StartFailure> open_home(const std::string& folder,
                                                                       const std::string& serial_number,
                                                                       x509::Certificate authority,
                                                                       const VaultConfig& vault) {
  provisioning::ReaderHomeSettings settings;
  settings.folder = folder;
  settings.serial_number = serial_number;
  settings.firmware_version = firmware_version;
  settings.authority = std::move(authority);
  settings.vault = vault;
  settings.root_settings = root_settings;
  settings.open_vault = open_vault;
  settings.wall_clock = wall_clock;
  settings.may_erase = queue_may_go;
  auto home = FileReaderHome::open(std::move(settings));
  if (!home) return std::unexpected(failed("the reader's home " + folder, home.error()));
  return std::move(*home);
}

// SIGTERM and SIGINT as a descriptor, which every wait looks at.
Result<Descriptor> stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  if (::pthread_sigmask(SIG_BLOCK, &signals, nullptr) != 0)
    return failure(Errc::Io, "signals cannot be blocked", errno);
  Descriptor descriptor(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!descriptor.valid()) return failure(Errc::Io, "signals cannot be read", errno);
  return descriptor;
}

void announce(const FileReaderHome& home, const std::string& address) {
  const auto facts = home.facts();
  Json event = Json::object();
  event.set("event", "factory")
      .set("serial_number", facts.serial_number)
      .set("factory_key", hex_lower(sha256(p256_to_spki_der(facts.factory_key))))
      .set("state", facts.state == provisioning::ReaderState::Factory ? "factory" : "provisioned")
      .set("listen", address);
  std::printf("%s\n", event.dump().c_str());
  std::fflush(stdout);
}

}  // namespace

std::expected<void, StartFailure> run_factory(const FactoryOptions& options) {
  auto authority = read_authority(options.authority_file);
  if (!authority) return std::unexpected(authority.error());
  const auto stop = stop_signals();
  if (!stop) return std::unexpected(failed("signals", stop.error()));
  const auto home = open_home(options.home, options.serial_number, *authority, options.vault);
  if (!home) return std::unexpected(home.error());
  const auto listener = provisioning::Listener::open(options.listen, stop->get());
  if (!listener) return std::unexpected(failed(options.listen, listener.error()));
  announce(**home, (*listener)->address());

  const auto note = [](const std::string& text) { spdlog::warn("{}", text); };
  while (true) {
    const auto stream = (*listener)->accept();
    if (!stream && stream.error().code == Errc::NotFound) return {};
    if (!stream) return std::unexpected(failed(options.listen, stream.error()));
    FactoryReader reader(**stream, **home, *authority, wall_clock, note);
    while (true) {
      const auto ended = reader.serve();
      if (!ended) spdlog::error("the line failed: {}", ended.error().text);
      if (!ended || *ended == FactoryReader::Ended::LineGone) break;
      if (*ended == FactoryReader::Ended::Erased) spdlog::info("erased: in factory state again");
      if (*ended == FactoryReader::Ended::Committed) {
        spdlog::info("provisioned");
        if (options.once) return {};
      }
    }
  }
}

std::expected<void, StartFailure> erase_reader(const Config& config, const std::string& config_file,
                                               const std::string& order_file) {
  const auto folder = std::filesystem::absolute(config_file).lexically_normal().parent_path();
  auto authority = read_authority((folder / "manufacturing_ca.pem").string());
  if (!authority) return std::unexpected(authority.error());
  const auto order = read_text_file(order_file, text_max);
  if (!order) return std::unexpected(failed("the erase order " + order_file, order.error()));
  const auto home = open_home(folder.string(), config.serial_number, std::move(*authority), config.vault);
  if (!home) return std::unexpected(home.error());
  if (const auto erased = (*home)->erase(*order); !erased) {
    return std::unexpected(StartFailure{exit_data, "the erase order: " + erased.error()});
  }
  return {};
}

std::expected<void, std::string> queue_may_go(const Config& config) {
  std::error_code error;
  if (!std::filesystem::exists(std::filesystem::path(config.queue_dir) / "queue.db", error)) return {};
  const auto vault = open_vault(config.vault_dir, config);
  if (!vault && vault.error().code == Errc::Busy) {
    return std::unexpected("state: the reader is at work; stop its daemon first");
  }
  // A whole vault that does not open for want of its root: a credential that only the service gets, a token that is not
  // plugged in. Where the root is, the queue opens.
  const bool is_whole = std::filesystem::exists(std::filesystem::path(config.vault_dir) / vault_files::marks, error);
  if (!vault && vault.error().code == Errc::NotFound && is_whole) {
    return std::unexpected(
        std::string("vault: what its keys stand on is not to be reached here, and payments may wait: ") +
        vault.error().text);
  }
  // Without the vault's key nobody opens the queue any more: there is nothing left to lose in it.
  // But what a tampered reader left for the acquirer is of use to the end.
  if (!vault && vault.error().code == Errc::NotFound) {
    const auto sealed = newest_sealed_export(config.queue_dir);
    if (!sealed) return {};
    return std::unexpected("queue: " + sealed->string() +
                           " is for the acquirer; copy it by `nightdrop export-sealed --from`, then remove it");
  }
  if (!vault) return std::unexpected(std::string("vault: ") + vault.error().text);
  const auto hash = [](std::span<const std::uint8_t> prev, std::span<const std::uint8_t> bytes) {
    return sha256(prev, bytes);
  };
  SqlCipherStore::Options options;
  options.dir = config.queue_dir;
  options.with_key = [&](const SqlCipherStore::KeyUse& use) { return (*vault)->with_queue_key(use); };
  options.sha256 = hash;
  const auto store = SqlCipherStore::open(std::move(options));
  if (!store) return std::unexpected(std::string("queue: ") + store.error().text);
  std::int64_t count = 0;
  const auto free = terminal::may_erase(**store, hash, count);
  if (!free && free.error().code == Errc::Conflict) {
    return std::unexpected("queue: " + std::to_string(count) +
                           (count == 1 ? " payment waits and is" : " payments wait and are") +
                           " in no export; forward what waits, or run `nightdrop export-sealed`");
  }
  if (!free) return std::unexpected(std::string("queue: ") + free.error().text);
  return {};
}

}  // namespace nightdrop::firmware
