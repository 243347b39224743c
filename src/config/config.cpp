// The configuration file's members, each with its range; see config.hpp.
#include "config/config.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "config/fields.hpp"
#include "json/json.hpp"

namespace nightdrop {
namespace {

using config::Fields;
using config::Problem;

// Reads paths of one file's directory.
class Paths {
 public:
  explicit Paths(const std::string& file) {
    std::error_code ignored;
    directory_ = std::filesystem::absolute(file, ignored).parent_path();
  }
  void read(Fields& fields, std::string_view key, std::string& into) const {
    const JsonView value = fields.take(key);
    if (!value.exists()) return;
    const auto text = value.string();
    if (!text || text->empty() || text->size() > 4095) {
      fields.refuse(key, "must be a path");
      return;
    }
    into = (directory_ / std::filesystem::path(*text)).lexically_normal().string();
  }
  void read_socket(Fields& fields, std::string_view key, std::string& into) const {
    read(fields, key, into);
    if (into.size() > socket_path_max) {
      fields.refuse(key, "is a socket's path, of which " + std::to_string(socket_path_max) + " bytes are the most");
    }
  }

 private:
  std::filesystem::path directory_;
};

void read_ids(Fields& fields, std::string_view key, std::vector<std::uint32_t>& into) {
  const JsonView value = fields.take(key);
  if (!value.exists()) return;
  if (!value.is_array() || value.size() > 64) {
    fields.refuse(key, "must be a list of at most 64 numbers");
    return;
  }
  for (const JsonView item : value.items()) {
    const auto id = item.integer();
    if (!id || *id < 0 || *id > 0xFFFF'FFFE) {
      fields.refuse(key, "must be a list of user or group numbers");
      return;
    }
    into.push_back(static_cast<std::uint32_t>(*id));
  }
}

// "0660": octal, as chmod takes it; no bits beyond read, write and execute.
void read_mode(Fields& fields, std::string_view key, std::uint32_t& into) {
  std::string text;
  fields.text(key, text);
  if (text.empty()) return;
  if (!config::only(text, "01234567") || text.size() < 3 || text.size() > 4 || (text.size() == 4 && text[0] != '0')) {
    fields.refuse(key, "must be an octal mode such as \"0660\"");
    return;
  }
  into = static_cast<std::uint32_t>(std::stoul(text, nullptr, 8));
}

void read_pos_socket(Fields& fields, const Paths& paths, PosSocket& into) {
  const JsonView value = fields.take("pos_socket");
  if (value.is_string()) {
    paths.read_socket(fields, "pos_socket", into.path);
    return;
  }
  Fields members(value, "pos_socket", fields.problem());
  paths.read_socket(members, "path", into.path);
  read_mode(members, "mode", into.mode);
  read_ids(members, "uids", into.uids);
  read_ids(members, "gids", into.gids);
}

void read_sim(Fields& fields, const Paths& paths, SimConfig& into) {
  into.links[static_cast<std::size_t>(Route::Wifi)].state = SimLinkState::Up;
  Fields members(fields.take("sim"), "sim", fields.problem());
  paths.read(members, "world_file", into.world_file);
  if (!members.has("links")) return;
  into.links = {};
  Fields links(members.take("links"), "sim.links", fields.problem());
  for (const auto& [route, name] : words<Route>) {
    SimLink& link = into.links[static_cast<std::size_t>(route)];
    Fields one(links.take(name), links.name(name), fields.problem());
    one.choice<SimLinkState>("state", link.state,
                             {{"up", SimLinkState::Up},
                              {"down", SimLinkState::Down},
                              {"blackhole", SimLinkState::Blackhole},
                              {"captive", SimLinkState::Captive}});
    one.integer("latency_ms", link.latency_ms, 0, 60'000);
    one.integer("loss_percent", link.loss_percent, 0, 100);
    one.integer("bytes_per_s", link.bytes_per_s, 0, 10'000'000'000);
    if (one.has("signal_dbm")) {
      link.signal_dbm = 0;
      one.integer("signal_dbm", *link.signal_dbm, -150, 0);
    }
  }
}

// https://host[:port]: no user, no path, so that a request's path is the contract's and nothing else.
bool is_acquirer_url(std::string_view url) {
  constexpr std::string_view scheme = "https://";
  if (!url.starts_with(scheme)) return false;
  std::string_view host = url.substr(scheme.size());
  const std::size_t bracket = host.starts_with('[') ? host.find(']') : 0;
  if (bracket == std::string_view::npos) return false;
  if (const std::size_t colon = host.find(':', bracket); colon != std::string_view::npos) {
    const std::string_view port = host.substr(colon + 1);
    if (!config::only(port, config::digits) || port.size() > 5) return false;
    const int number = std::stoi(std::string(port));
    if (number < 1 || number > 65'535) return false;
    host = host.substr(0, colon);
  }
  if (host.starts_with('[')) {
    return host.ends_with(']') && config::only(host.substr(1, host.size() - 2), "0123456789abcdefABCDEF:.");
  }
  return host.size() <= 253 && host.find('_') == std::string_view::npos && config::only(host, config::id_characters);
}

void read_acquirer(Fields& fields, const Paths& paths, AcquirerConfig& into) {
  fields.require("acquirer");
  Fields members(fields.take("acquirer"), "acquirer", fields.problem());
  for (const char* key : {"url", "ca_file", "client_certificate_file"}) members.require(key);
  members.text("url", into.url);
  if (!is_acquirer_url(into.url)) members.refuse("url", "must be https://host or https://host:port");
  paths.read(members, "ca_file", into.ca_file);
  paths.read(members, "client_certificate_file", into.client_certificate_file);
  members.choice<TlsMin>("tls_min", into.tls_min, {{"1.3", TlsMin::Tls13}, {"1.2", TlsMin::Tls12}});
  std::int64_t window = into.window;
  members.integer("window", window, 1, 256);
  into.window = static_cast<int>(window);
  members.boolean("batch", into.batch);
}

void read_token(Fields& backend, const Paths& paths, VaultConfig& into) {
  Fields members(backend.take("pkcs11"), backend.name("pkcs11"), backend.problem());
  for (const char* key : {"module", "token_label"}) members.require(key);
  paths.read(members, "module", into.module);
  members.text("token_label", into.token_label, 32);  // CKA_LABEL of a token: CK_TOKEN_INFO
  paths.read(members, "pin_file", into.pin_file);
  members.text("pin_credential", into.pin_credential);
  if (into.pin_file.empty() == into.pin_credential.empty()) {
    members.refuse("pin_file", "must be there, or pin_credential, and not both");
  }
}

// "files", or an object with one member: what the named backend needs.
void read_vault_backend(Fields& fields, const Paths& paths, VaultConfig& into) {
  const JsonView value = fields.take("vault_backend");
  if (!value.exists() || value.string() == "files") return;
  Fields members(value, "vault_backend", fields.problem());
  const bool files = members.has("files");
  if (files == members.has("pkcs11")) {
    fields.refuse("vault_backend", "must be \"files\", {\"files\": …} or {\"pkcs11\": …}");
  } else if (files) {
    Fields of_files(members.take("files"), "vault_backend.files", fields.problem());
    of_files.require("root_credential");
    of_files.text("root_credential", into.root_credential);
  } else {
    into.backend = VaultBackend::Pkcs11;
    read_token(members, paths, into);
  }
}

void read_links(Fields& fields, std::array<std::string, route_count>& into) {
  Fields members(fields.take("links"), "links", fields.problem());
  for (const auto& [route, name] : words<Route>) {
    std::string& interface = into[static_cast<std::size_t>(route)];
    members.text(name, interface, 15);  // IFNAMSIZ less its terminating zero
    if (interface.find_first_of(" /:") != std::string::npos) members.refuse(name, "must be an interface's name");
  }
}

void read_identity(Fields& fields, Config& config) {
  fields.require("hal");
  fields.choice<HalKind>("hal", config.hal, {{"sim", HalKind::Sim}, {"linux", HalKind::Linux}});
  fields.require("serial_number");
  fields.text("serial_number", config.serial_number, 32);
  if (!config::only(config.serial_number, config::id_characters)) {
    fields.refuse("serial_number", "must be letters, digits, _ . or -");
  }
  config.label = config.serial_number;
  fields.text("label", config.label, 64);
  config.device_type = config.hal == HalKind::Sim ? "simulated_reader" : "nightdrop_reader";
  fields.text("device_type", config.device_type, 64);
  config.terminal_id = config.serial_number;
  fields.text("terminal_id", config.terminal_id, 32);
  if (!config::only(config.terminal_id, config::id_characters)) {
    fields.refuse("terminal_id", "must be letters, digits, _ . or -");
  }
  std::int64_t offset = 0;
  fields.integer("utc_offset_minutes", offset, -840, 840);
  config.utc_offset_minutes = static_cast<int>(offset);
}

Config read_config(JsonView document, const std::string& file, Problem& problem) {
  const Paths paths(file);
  Config config;
  Fields fields(document, "", problem);
  read_identity(fields, config);
  for (const char* key : {"vault_dir", "queue_dir", "policy_file", "policy_signer"}) fields.require(key);
  paths.read(fields, "vault_dir", config.vault_dir);
  read_vault_backend(fields, paths, config.vault);
  paths.read(fields, "queue_dir", config.queue_dir);
  paths.read(fields, "policy_file", config.policy_file);
  paths.read(fields, "policy_signer", config.policy_signer_file);
  paths.read(fields, "policy_overlay_file", config.policy_overlay_file);
  read_pos_socket(fields, paths, config.pos_socket);
  paths.read_socket(fields, "sim_socket", config.sim_socket);
  read_sim(fields, paths, config.sim);
  if (config.hal != HalKind::Sim) {
    for (const char* key : {"sim", "sim_socket"}) {
      if (fields.has(key)) fields.refuse(key, "goes with hal \"sim\" alone");
    }
  }
  read_acquirer(fields, paths, config.acquirer);
  read_links(fields, config.links);
  fields.choice<LogLevel>("log_level", config.log_level,
                          {{"trace", LogLevel::Trace},
                           {"debug", LogLevel::Debug},
                           {"info", LogLevel::Info},
                           {"warn", LogLevel::Warn},
                           {"error", LogLevel::Error},
                           {"off", LogLevel::Off}});
  return config;
}

}  // namespace

std::expected<Config, ConfigError> parse_config(std::string_view text, const std::string& file) {
  const auto document = Json::parse(text);
  if (!document || !document->view().is_object()) {
    return std::unexpected(ConfigError{file + ": is not a JSON object"});
  }
  Problem problem;
  Config config = read_config(document->view(), file, problem);
  if (problem.found()) return std::unexpected(ConfigError{file + ": " + problem.sentence()});
  return config;
}

std::expected<Config, ConfigError> load_config(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return std::unexpected(ConfigError{file + ": cannot be read"});
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (stream.bad() || text.size() > 1'000'000) return std::unexpected(ConfigError{file + ": cannot be read"});
  return parse_config(text, file);
}

}  // namespace nightdrop
