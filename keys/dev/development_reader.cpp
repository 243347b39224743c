// Puts a development reader together, step by step: everything that a user can have got wrong is looked at before the
// first file is touched; nightdrop.json comes last.
#include "keys/dev/development_reader.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <system_error>
#include <thread>

#include <sys/socket.h>
#include <unistd.h>

#include "config/config.hpp"
#include "crypto/sealed_key_vault.hpp"
#include "keys/command_line.hpp"
#include "keys/dev/development_keys.hpp"
#include "keys/dev/development_station.hpp"
#include "keys/files.hpp"
#include "keys/line/provision_unit.hpp"
#include "keys/line/renewal_authority.hpp"
#include "keys/policy/policy_document.hpp"
#include "nightdrop/words.hpp"
#include "provisioning/reader.hpp"
#include "provisioning/reader_home.hpp"
#include "x509/memory_key.hpp"

namespace nightdrop::keys {
namespace {

namespace fs = std::filesystem;

constexpr UtcMs day_ms = 86'400'000;
constexpr std::int64_t certificate_days = 3'652;  // development has no renewal to wait for
constexpr const char* mark_file = "DEVELOPMENT";
constexpr std::string_view mark_text =
    "Made by nightdrop-provision dev. The keys in this folder are for development alone: they take no real card.\n"
    "nightdrop-provision dev may make this folder anew, and everything it holds is then gone.\n";
// What this tool makes in the folder, or what daemon and acquirer add to it: the whole of what making anew takes away.
constexpr std::array parts{"nightdrop.json",
                           "vault",
                           "queue",
                           "policy.json",
                           "policy.json.sig",
                           "policy_signer.pem",
                           "ca.pem",
                           "reader.pem",
                           "acquirer",
                           "signing",
                           "run",
                           "world.json",
                           "world.json.clock",
                           "world.json.tamper",
                           "station",
                           "factory.key",
                           ".new",
                           ".erasing",
                           "manufacturing_ca.pem"};

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

// What else the acquirer has: its server's certificate, by the same CA as the reader's, and the keys.
Outcome<void> write_acquirer(const DevelopmentOptions& options, Station& station, const DevelopmentKeys& keys,
                             UtcMs now) {
  const fs::path folder = options.folder / "acquirer";
  const auto key = x509::MemoryKey::generate();
  if (!key) return refuse("the server's key", key.error());
  const auto key_pem = key->to_pem();
  if (!key_pem) return refuse("the server's key", key_pem.error());
  const auto number = x509::random_serial_number();
  if (!number) return refuse("the server's certificate", number.error());
  x509::IssueOptions wanted;
  wanted.hosts = {"localhost", "127.0.0.1", "::1"};
  if (const std::string host = host_of(options.acquirer_url);
      std::ranges::find(wanted.hosts, host) == wanted.hosts.end()) {
    wanted.hosts.push_back(host);
  }
  wanted.common_name = wanted.hosts.front();
  wanted.serial_number = *number;
  wanted.not_before = now - day_ms;
  wanted.not_after = now + certificate_days * day_ms;
  wanted.purpose = x509::Purpose::Server;
  const auto certificate = x509::issue(station.authority_signer(), station.authority(), key->public_key(), wanted);
  if (!certificate) return refuse("the server's certificate", certificate.error());
  if (auto written = write_file(folder / "server.pem", certificate->pem()); !written) return written;
  if (auto written = write_file(folder / "server.key", key_pem->view()); !written) return written;
  if (auto written = write_file(folder / "ca.pem", station.authority_pem()); !written) return written;
  if (const auto made = make_renewal_authority(station, folder.string()); !made) return std::unexpected(made.error());
  const SecretBytes text = keys_json(keys);
  return write_file(folder / "keys.json", text.view());
}

// The reader's end, as its factory firmware would serve it, at the far end of a line in this process.
class ReaderInTheMaking {
 public:
  static Outcome<std::unique_ptr<ReaderInTheMaking>> open(const DevelopmentOptions& options, const Station& station) {
    provisioning::ReaderHomeSettings settings;
    settings.folder = options.folder;
    settings.serial_number = options.serial_number;
    settings.firmware_version = "development";
    settings.authority = station.authority();
    settings.root_settings = [](const VaultConfig&) { return RootSettings{}; };  // files, as the configuration says
    settings.open_vault = [](const fs::path& dir, const Config&) -> Result<std::unique_ptr<hal::KeyVault>> {
      auto vault = SealedKeyVault::open(
          dir, [](std::function<void()> call) { call(); }, {}, SealedKeyVault::Development::Accepted);
      if (!vault) return std::unexpected(vault.error());
      return std::unique_ptr<hal::KeyVault>(std::move(*vault));
    };
    settings.wall_clock = keys::now;
    auto home = provisioning::FileReaderHome::open(std::move(settings));
    if (!home) return refuse((options.folder.string() + ", the reader").c_str(), home.error());
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return refuse(Exit::Software, "no socket pair");
    std::unique_ptr<ReaderInTheMaking> self(new ReaderInTheMaking);
    self->home_ = std::move(*home);
    self->near_ = provisioning::stream_of(ends[0]);
    self->thread_ = std::thread([served = self->home_.get(), end = ends[1], authority = station.authority()] {
      const auto stream = provisioning::stream_of(end);
      provisioning::FactoryReader reader(*stream, *served, authority, keys::now);
      for (auto ended = reader.serve(); ended && *ended != provisioning::FactoryReader::Ended::LineGone;) {
        ended = reader.serve();
      }
    });
    return self;
  }
  ~ReaderInTheMaking() {
    near_.reset();
    if (thread_.joinable()) thread_.join();
  }
  ReaderInTheMaking(const ReaderInTheMaking&) = delete;
  ReaderInTheMaking& operator=(const ReaderInTheMaking&) = delete;
  provisioning::Stream& line() { return *near_; }

 private:
  ReaderInTheMaking() = default;
  std::unique_ptr<provisioning::FileReaderHome> home_;
  std::unique_ptr<provisioning::Stream> near_;
  std::thread thread_;
};

// Where the station is while it is at work: SoftHSM2 writes its files again for each attribute of a key, which takes
// seconds on a disk and nothing in memory. Without /dev/shm it works in its place. Gone with this object.
class WorkingFolder {
 public:
  explicit WorkingFolder(const fs::path& place) : place_(place), folder_(place) {
    std::string name = "/dev/shm/nightdrop-dev-XXXXXX";
    if (mkdtemp(name.data()) != nullptr) folder_ = temporary_ = name;
  }
  ~WorkingFolder() {
    std::error_code ignored;
    if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
  }
  WorkingFolder(const WorkingFolder&) = delete;
  WorkingFolder& operator=(const WorkingFolder&) = delete;
  const fs::path& folder() const { return folder_; }
  // Puts everything into its place.
  Outcome<void> keep() const {
    if (temporary_.empty()) return {};
    std::error_code error;
    fs::copy(temporary_, place_, fs::copy_options::recursive, error);
    if (error) return refuse(Exit::CannotCreate, place_.string() + ": " + error.message());
    return {};
  }

 private:
  fs::path place_;
  fs::path folder_;
  fs::path temporary_;
};

// As `device` does it, but for where the line ends.
Outcome<UnitResult> provision(const DevelopmentOptions& options, Station& station, const std::string& policy,
                              const DevelopmentKeys& keys) {
  Recipe recipe;
  auto signed_policy = sign_policy(station, policy, "the policy");
  if (!signed_policy) return std::unexpected(signed_policy.error());
  recipe.policy = std::move(*signed_policy);
  recipe.config_template = configuration(options);
  recipe.acquirer_ca_pem = station.authority_pem();
  recipe.acquirer_dir = options.folder / "acquirer";
  recipe.bdk_id = keys.bdk_id;
  recipe.development = true;
  recipe.certificate_days = certificate_days;
  const auto unit =
      station.db().take_order({"dev", options.serial_number, recipe.policy.merchant, "in this process", ""}, now());
  if (!unit) return std::unexpected(unit.error());
  const auto reader = ReaderInTheMaking::open(options, station);
  if (!reader) return std::unexpected(reader.error());
  return provision_unit({station, recipe, now}, *unit, (*reader)->line(),
                        crash_point_of_environment(options.serial_number));
}

// Everything after the checks.
Outcome<KeyType> make_all(const DevelopmentOptions& options, const std::string& policy, const std::string& merchant,
                          UtcMs now) {
  const fs::path& folder = options.folder;
  const auto policy_key = x509::MemoryKey::generate();
  if (!policy_key) return refuse("the policy's key", policy_key.error());
  const auto policy_key_pem = policy_key->to_pem();
  if (!policy_key_pem) return refuse("the policy's key", policy_key_pem.error());
  if (auto written = write_file(folder / "signing" / "policy_signing.key", policy_key_pem->view()); !written) {
    return std::unexpected(written.error());
  }
  const WorkingFolder work(folder / "station");
  const auto keys =
      make_development_station({work.folder(), merchant, options.key_type, options.bdk.view()}, *policy_key, now);
  if (!keys) return std::unexpected(keys.error());
  const auto range = derivation_range(options.serial_number);
  if (!range) return refuse("a derivation number", range.error());
  {
    const auto station = Station::open(work.folder(), *range);
    if (!station) return std::unexpected(station.error());
    if (auto written = write_acquirer(options, **station, *keys, now); !written)
      return std::unexpected(written.error());
    if (const auto done = provision(options, **station, policy, *keys); !done) return std::unexpected(done.error());
  }
  if (auto kept = work.keep(); !kept) return std::unexpected(kept.error());
  return keys->key_type;
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
      .set("station", (folder / "station").string())
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
  const auto parsed = check_policy(*policy, "the policy");
  if (!parsed) return std::unexpected(parsed.error());
  options.key_type = given.bdk.size() == 32 ? KeyType::Aes256 : given.bdk.empty() ? given.key_type : KeyType::Aes128;
  options.bdk = SecretBytes(given.bdk.view());

  if (auto cleared = clear(options.folder); !cleared) return std::unexpected(cleared.error());
  const auto key_type = make_all(options, *policy, parsed->merchant_id, now);
  if (!key_type) return std::unexpected(key_type.error());
  return Outcome<Made>(report(options, *config, *key_type));
}

}  // namespace nightdrop::keys
