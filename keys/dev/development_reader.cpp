// Puts a development reader together, step by step: everything that a user can have got wrong is looked at before the
// first file is touched; nightdrop.json comes last.
#include "keys/dev/development_reader.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <system_error>

#include <unistd.h>

#include "config/config.hpp"
#include "crypto/sealed_key_vault.hpp"
#include "crypto/vault_maker.hpp"
#include "crypto/p256.hpp"
#include "keys/certificates.hpp"
#include "keys/dev/development_keys.hpp"
#include "keys/files.hpp"
#include "keys/policy/policy_document.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop::keys {
namespace {

namespace fs = std::filesystem;

constexpr const char* mark_file = "DEVELOPMENT";
constexpr std::string_view mark_text =
    "Made by nightdrop-provision dev. The keys in this folder are for development alone: they take no real card.\n"
    "nightdrop-provision dev may make this folder anew, and everything it holds is then gone.\n";
// What this tool makes in the folder, or what daemon and acquirer add to it: the whole of what making anew takes away.
constexpr std::array parts{
    "nightdrop.json", "vault",    "queue",   "policy.json", "policy.json.sig", "policy_signer.pem", "ca.pem",
    "reader.pem",     "acquirer", "signing", "run",         "world.json",      "world.json.clock"};

// The configuration; paths are relative, so that the folder can be moved or copied.
std::string configuration(const DevelopmentOptions& options) {
  Json links = Json::object();
  for (const auto& [route, name] : words<Route>) {
    Json link = Json::object();
    link.set("state", route == Route::Wifi ? "up" : "down");
    links.set(name, std::move(link));
  }
  Json sim = Json::object();
  sim.set("links", std::move(links)).set("world_file", "world.json");
  Json uids = Json::array();
  uids.push(Json::integer(geteuid()));
  Json pos_socket = Json::object();
  pos_socket.set("path", "run/pos.sock").set("mode", "0660").set("uids", std::move(uids)).set("gids", Json::array());
  Json acquirer = Json::object();
  acquirer.set("url", options.acquirer_url)
      .set("ca_file", "ca.pem")
      .set("client_certificate_file", "reader.pem")
      .set("tls_min", "1.3")
      .set("window", 16)
      .set("batch", true);
  Json document = Json::object();
  document.set("hal", "sim")
      .set("serial_number", options.serial_number)
      .set("label", "Development reader " + options.serial_number)
      .set("device_type", "simulated_reader")
      .set("terminal_id", options.serial_number)
      .set("utc_offset_minutes", 0)
      .set("vault_dir", "vault")
      .set("queue_dir", "queue")
      .set("policy_file", "policy.json")
      .set("policy_signer", "policy_signer.pem")
      .set("pos_socket", std::move(pos_socket))
      .set("sim_socket", "run/sim.sock")
      .set("sim", std::move(sim))
      .set("acquirer", std::move(acquirer))
      .set("log_level", "info");
  return document.view().dump_pretty() + "\n";
}

// The host of a URL that parse_config() has accepted, without brackets.
std::string host_of(const std::string& url) {
  std::string host = url.substr(std::string_view("https://").size());
  if (host.starts_with('[')) return host.substr(1, host.find(']') - 1);
  return host.substr(0, host.find(':'));
}

Outcome<void> check_folder(const DevelopmentOptions& options) {
  const fs::path longest = options.folder / "run" / "sim.sock";
  if (longest.string().size() > socket_path_max) {
    return refuse(Exit::CannotCreate, longest.string() + ": is too long for a socket, which has at most " +
                                          std::to_string(socket_path_max) + " bytes; take a shorter folder");
  }
  std::error_code error;
  const fs::file_status status = fs::status(options.folder, error);
  if (!fs::exists(status)) return {};
  if (!fs::is_directory(status)) return refuse(Exit::CannotCreate, options.folder.string() + ": is no folder");
  const bool empty = fs::is_empty(options.folder, error);
  if (error) return refuse(Exit::CannotCreate, options.folder.string() + ": " + error.message());
  // A daemon holds its vault locked; to take the folder away under it would lose what it has stored.
  const auto vault = SealedKeyVault::open(options.folder / "vault", [](std::function<void()>) {});
  if (!vault && vault.error().code == Errc::Busy) {
    return refuse(Exit::CannotCreate, options.folder.string() + ": is in use by a running nightdropd");
  }
  if (empty || options.force || fs::exists(options.folder / mark_file, error)) return {};
  return refuse(
      Exit::CannotCreate,
      options.folder.string() + ": holds what this tool did not make; --force makes a reader in it all the same");
}

Outcome<void> clear(const fs::path& folder) {
  if (auto made = make_folder(folder); !made) return made;
  if (auto marked = write_file(folder / mark_file, mark_text); !marked) return marked;
  for (const char* part : parts) {
    std::error_code error;
    fs::remove_all(folder / part, error);
    if (error) return refuse(Exit::CannotCreate, (folder / part).string() + ": " + error.message());
  }
  for (const char* part : {"queue", "run", "signing", "acquirer", "acquirer/readers"}) {
    if (auto made = make_folder(folder / part); !made) return made;
  }
  return {};
}

// The policy to sign, whole and valid.
Outcome<std::string> policy_text(const DevelopmentOptions& options, UtcMs now) {
  if (options.policy_file.empty()) {
    const auto policy = development_policy(now);
    if (!policy) return std::unexpected(policy.error());
    return policy->view().dump_pretty() + "\n";
  }
  const auto document = read_file(options.policy_file);
  if (!document) return std::unexpected(document.error());
  auto text = fill_gaps(*document, now);
  if (!text) return refuse(text.error().exit, options.policy_file + ": " + text.error().message);
  return text;
}

Outcome<void> write_policy(const fs::path& folder, const std::string& policy) {
  const auto key = PrivateKey::generate();
  if (!key) return refuse("the policy's key", key.error());
  const auto pem = key->to_pem();
  const auto public_pem = key->public_pem();
  if (!pem || !public_pem) return refuse("the policy's key", pem ? public_pem.error() : pem.error());
  if (auto written = write_file(folder / "signing" / "policy_signing.key", pem->view()); !written) return written;
  if (auto written = write_file(folder / "policy_signer.pem", *public_pem); !written) return written;
  return write_signed(folder / "policy.json", policy, *key);
}

// The vault, and the reader's public key as SubjectPublicKeyInfo.
Outcome<std::vector<std::uint8_t>> write_vault(const DevelopmentOptions& options, const DevelopmentKeys& keys) {
  VaultContents contents;
  contents.development = true;
  contents.initial_key_id = initial_key_id(keys, options.serial_number);
  contents.fingerprint_key = SecretBytes(keys.fingerprint_key.view());
  auto initial_key = dukpt::derive_initial_key(keys.bdk.view(), contents.initial_key_id);
  if (!initial_key) return refuse("the initial key", initial_key.error());
  contents.initial_key = std::move(*initial_key);
  auto maker = VaultMaker::begin(options.folder / "vault");
  if (!maker) return refuse("the vault", maker.error());
  if (const auto made = maker->complete(contents); !made) return refuse("the vault", made.error());
  return p256_to_spki_der(maker->public_key());
}

Outcome<void> write_certificates(const DevelopmentOptions& options, std::span<const std::uint8_t> reader_key,
                                 UtcMs now) {
  const fs::path& folder = options.folder;
  const auto authority = CertificateAuthority::make("Nightdrop development CA", now);
  const auto server_key = PrivateKey::generate();
  if (!authority || !server_key) return refuse("certificates", authority ? server_key.error() : authority.error());
  std::vector<std::string> hosts{"localhost", "127.0.0.1", "::1"};
  if (const std::string host = host_of(options.acquirer_url);
      std::find(hosts.begin(), hosts.end(), host) == hosts.end()) {
    hosts.push_back(host);
  }
  const auto server = authority->issue_server(*server_key, hosts);
  const auto reader = authority->issue_client(reader_key, options.serial_number);
  const auto server_key_pem = server_key->to_pem();
  if (!server) return refuse("the server's certificate", server.error());
  if (!reader) return refuse("the reader's certificate", reader.error());
  if (!server_key_pem) return refuse("the server's key", server_key_pem.error());
  const std::array texts{
      std::pair{folder / "ca.pem", &authority->pem()},
      std::pair{folder / "reader.pem", &*reader},
      std::pair{folder / "acquirer" / "ca.pem", &authority->pem()},
      std::pair{folder / "acquirer" / "server.pem", &*server},
      std::pair{folder / "acquirer" / "readers" / (options.serial_number + ".pem"), &*reader},
  };
  for (const auto& [file, text] : texts) {
    if (auto written = write_file(file, *text); !written) return written;
  }
  return write_file(folder / "acquirer" / "server.key", server_key_pem->view());
}

Made report(const DevelopmentOptions& options, const Config& config, KeyType key_type) {
  const fs::path& folder = options.folder;
  const std::string config_file = (folder / "nightdrop.json").string();
  Made made;
  made.json.set("dir", folder.string())
      .set("config", config_file)
      .set("serial_number", config.serial_number)
      .set("acquirer_url", config.acquirer.url)
      .set("acquirer_dir", (folder / "acquirer").string())
      .set("pos_socket", config.pos_socket.path)
      .set("sim_socket", config.sim_socket)
      .set("policy", config.policy_file)
      .set("policy_signing_key", (folder / "signing" / "policy_signing.key").string())
      .set("key_type", word(key_type))
      .set("development", true);
  made.text = "Reader " + config.serial_number + " is in " + folder.string() +
              ", with development keys.\n"
              "  nightdrop-sim acquirer --dir " +
              (folder / "acquirer").string() + " --listen " + config.acquirer.url.substr(8) +
              "\n"
              "  nightdropd --config " +
              config_file + "\n";
  return made;
}

}  // namespace

Outcome<Made> make_development_reader(const DevelopmentOptions& given, UtcMs now) {
  DevelopmentOptions options;
  std::error_code error;
  options.folder = fs::absolute(given.folder, error).lexically_normal();
  if (!options.folder.has_filename()) options.folder = options.folder.parent_path();
  options.serial_number = given.serial_number;
  options.acquirer_url = given.acquirer_url;
  options.policy_file = given.policy_file;
  options.force = given.force;

  if (auto usable = check_folder(options); !usable) return std::unexpected(usable.error());
  const std::string config_file = (options.folder / "nightdrop.json").string();
  const std::string config_text = configuration(options);
  const auto config = parse_config(config_text, config_file);
  if (!config) return refuse(Exit::Config, config.error().message);
  const auto policy = policy_text(options, now);
  if (!policy) return std::unexpected(policy.error());
  const auto keys = make_development_keys(given.bdk.view(), given.key_type);
  if (!keys) return refuse("the BDK", keys.error());

  if (auto cleared = clear(options.folder); !cleared) return std::unexpected(cleared.error());
  const auto reader_key = write_vault(options, *keys);
  if (!reader_key) return std::unexpected(reader_key.error());
  const SecretBytes acquirer_keys = keys_json(*keys);
  if (auto written = write_file(options.folder / "acquirer" / "keys.json", acquirer_keys.view()); !written) {
    return std::unexpected(written.error());
  }
  if (auto written = write_certificates(options, *reader_key, now); !written) return std::unexpected(written.error());
  if (auto written = write_policy(options.folder, *policy); !written) return std::unexpected(written.error());
  if (auto written = write_file(config_file, config_text); !written) return std::unexpected(written.error());
  return Outcome<Made>(report(options, *config, keys->key_type));
}

}  // namespace nightdrop::keys
