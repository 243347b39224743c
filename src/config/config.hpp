// The configuration of nightdropd: one strict JSON file (docs/operations.md). What is not known is refused by name;
// paths are absolute, or relative to the file's directory, and come out absolute. Holds no secret: keys are in the
// vault.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nightdrop/payment.hpp"

namespace nightdrop {

// Names the file and the field, in one sentence for a person.
struct ConfigError {
  std::string message;
};

enum class HalKind : std::uint8_t { Sim, Linux };
enum class TlsMin : std::uint8_t { Tls12, Tls13 };
enum class VaultBackend : std::uint8_t { Files, Pkcs11 };
enum class LogLevel : std::uint8_t { Trace, Debug, Info, Warn, Error, Off };
enum class SimLinkState : std::uint8_t { Up, Down, Blackhole, Captive };

// Where the POS connects. With neither uids nor gids only the daemon's own user may.
struct PosSocket {
  std::string path{"/run/nightdrop/pos.sock"};
  std::uint32_t mode{0660};
  std::vector<std::uint32_t> uids;
  std::vector<std::uint32_t> gids;
};

// A simulated link as it is at start-up; the simulator's set_link changes it.
struct SimLink {
  SimLinkState state{SimLinkState::Down};
  std::int64_t latency_ms{0};
  std::int64_t loss_percent{0};
  std::int64_t bytes_per_s{0};  // 0: no limit
  std::optional<std::int64_t> signal_dbm;
};

struct SimConfig {
  std::array<SimLink, route_count> links{};  // by Route; with no "sim.links" wifi is up
  std::string world_file;                    // empty: none
};

struct AcquirerConfig {
  std::string url;  // https://host[:port], nothing after
  std::string ca_file;
  std::string client_certificate_file;  // the private key is in the vault
  TlsMin tls_min{TlsMin::Tls13};
  int window{16};  // requests in flight at once
  bool batch{true};
};

// What the vault's keys stand on. The default: root.key in the vault's folder, or the credential nightdrop-root-key.
struct VaultConfig {
  VaultBackend backend{VaultBackend::Files};
  std::string root_credential;  // Files: a systemd credential's name; empty: the default
  std::string module;           // Pkcs11, as the rest: the module's path
  std::string token_label;
  std::string pin_file;  // one of these two
  std::string pin_credential;
};

struct Config {
  HalKind hal{HalKind::Linux};
  std::string serial_number;
  std::string label;
  std::string device_type;
  std::string terminal_id;  // the serial number where not given
  int utc_offset_minutes{0};
  std::string vault_dir;
  VaultConfig vault;
  std::string queue_dir;
  std::string policy_file;
  std::string policy_signer_file;
  std::string policy_overlay_file;  // empty: none
  PosSocket pos_socket;
  std::string sim_socket;  // empty: none; hal "sim" alone
  SimConfig sim;           // hal "sim" alone
  AcquirerConfig acquirer;
  std::array<std::string, route_count> links{};  // interface names by Route; empty: the reader has no such link
  LogLevel log_level{LogLevel::Info};

  std::string policy_signature_file() const { return policy_file + ".sig"; }
};

// The bytes a socket's path may have: what sockaddr_un holds, less its terminating zero.
inline constexpr std::size_t socket_path_max = 107;

// The configuration in `text`, as if it stood in `file` (which is not read).
std::expected<Config, ConfigError> parse_config(std::string_view text, const std::string& file);

// The configuration in `file`.
std::expected<Config, ConfigError> load_config(const std::string& file);

}  // namespace nightdrop
