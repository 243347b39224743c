// The configuration file: every key, every refusal with the field's name, and the paths.
#include "config/config.hpp"

#include <gtest/gtest.h>

namespace nightdrop {
namespace {

const std::string acquirer =
    R"("acquirer": {"url": "https://127.0.0.1:8443", "ca_file": "ca.pem", "client_certificate_file": "reader.pem"})";
const std::string identity = R"("hal": "sim", "serial_number": "ND000001")";
const std::string files =
    R"("vault_dir": "vault", "queue_dir": "/q/../queue", "policy_file": "policy.json", "policy_signer": "signer.pem")";

std::string document(const std::string& members) {
  return "{" + identity + ", " + files + ", " + acquirer + (members.empty() ? "" : ", ") + members + "}";
}

TEST(Config, the_shortest_one_has_defaults_and_paths_beside_the_file) {
  const auto config = parse_config(document(""), "/etc/nightdrop/nightdrop.json");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->hal, HalKind::Sim);
  EXPECT_EQ(config->serial_number, "ND000001");
  EXPECT_EQ(config->label, "ND000001");
  EXPECT_EQ(config->device_type, "simulated_reader");
  EXPECT_EQ(config->terminal_id, "ND000001");
  EXPECT_EQ(config->utc_offset_minutes, 0);
  EXPECT_EQ(config->vault_dir, "/etc/nightdrop/vault");
  EXPECT_EQ(config->queue_dir, "/queue");
  EXPECT_EQ(config->policy_file, "/etc/nightdrop/policy.json");
  EXPECT_EQ(config->policy_signature_file(), "/etc/nightdrop/policy.json.sig");
  EXPECT_EQ(config->policy_signer_file, "/etc/nightdrop/signer.pem");
  EXPECT_EQ(config->pos_socket.path, "/run/nightdrop/pos.sock");
  EXPECT_EQ(config->pos_socket.mode, 0660U);
  EXPECT_EQ(config->sim_socket, "");
  EXPECT_EQ(config->sim.links[static_cast<std::size_t>(Route::Wifi)].state, SimLinkState::Up);
  EXPECT_EQ(config->sim.links[static_cast<std::size_t>(Route::Cellular)].state, SimLinkState::Down);
  EXPECT_EQ(config->acquirer.url, "https://127.0.0.1:8443");
  EXPECT_EQ(config->acquirer.ca_file, "/etc/nightdrop/ca.pem");
  EXPECT_EQ(config->acquirer.tls_min, TlsMin::Tls13);
  EXPECT_EQ(config->acquirer.window, 16);
  EXPECT_TRUE(config->acquirer.batch);
  EXPECT_EQ(config->log_level, LogLevel::Info);
}

TEST(Config, every_key_is_read) {
  const auto config =
      parse_config("{" + identity + ", " + files + R"(, "label": "Bar 2", "device_type": "x1", "terminal_id": "T1",
        "utc_offset_minutes": -300, "pos_socket": {"path": "run/pos.sock", "mode": "0600", "uids": [0, 7], "gids": [8]},
        "sim_socket": "run/sim.sock",
        "sim": {"links": {"cellular": {"state": "captive", "latency_ms": 60, "loss_percent": 2, "bytes_per_s": 9,
                                       "signal_dbm": -91}}, "world_file": "world.json"},
        "acquirer": {"url": "https://[::1]:1", "ca_file": "/ca", "client_certificate_file": "c", "tls_min": "1.2",
                     "window": 4, "batch": false},
        "links": {"ethernet": "eth0", "wifi": "wlan0", "cellular": "wwan0"}, "log_level": "debug"})",
                   "/d/nightdrop.json");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->label, "Bar 2");
  EXPECT_EQ(config->device_type, "x1");
  EXPECT_EQ(config->terminal_id, "T1");
  EXPECT_EQ(config->utc_offset_minutes, -300);
  EXPECT_EQ(config->pos_socket.path, "/d/run/pos.sock");
  EXPECT_EQ(config->pos_socket.mode, 0600U);
  EXPECT_EQ(config->pos_socket.uids, (std::vector<std::uint32_t>{0, 7}));
  EXPECT_EQ(config->pos_socket.gids, (std::vector<std::uint32_t>{8}));
  EXPECT_EQ(config->sim_socket, "/d/run/sim.sock");
  const SimLink& cellular = config->sim.links[static_cast<std::size_t>(Route::Cellular)];
  EXPECT_EQ(cellular.state, SimLinkState::Captive);
  EXPECT_EQ(cellular.latency_ms, 60);
  EXPECT_EQ(cellular.loss_percent, 2);
  EXPECT_EQ(cellular.bytes_per_s, 9);
  EXPECT_EQ(cellular.signal_dbm, -91);
  EXPECT_EQ(config->sim.links[static_cast<std::size_t>(Route::Wifi)].state, SimLinkState::Down);
  EXPECT_EQ(config->sim.world_file, "/d/world.json");
  EXPECT_EQ(config->acquirer.url, "https://[::1]:1");
  EXPECT_EQ(config->acquirer.ca_file, "/ca");
  EXPECT_EQ(config->acquirer.client_certificate_file, "/d/c");
  EXPECT_EQ(config->acquirer.tls_min, TlsMin::Tls12);
  EXPECT_EQ(config->acquirer.window, 4);
  EXPECT_FALSE(config->acquirer.batch);
  EXPECT_EQ(config->links, (std::array<std::string, route_count>{"eth0", "wlan0", "wwan0"}));
  EXPECT_EQ(config->log_level, LogLevel::Debug);
}

TEST(Config, the_pos_socket_may_be_its_path_alone) {
  const auto config = parse_config(document(R"("pos_socket": "p.sock")"), "/d/nightdrop.json");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->pos_socket.path, "/d/p.sock");
}

struct Refusal {
  const char* name;
  std::string text;
  const char* field;
};

class RefusedConfig : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedConfig, names_file_and_field) {
  const auto config = parse_config(GetParam().text, "/d/nightdrop.json");
  ASSERT_FALSE(config);
  EXPECT_TRUE(config.error().message.starts_with("/d/nightdrop.json: " + std::string(GetParam().field)))
      << config.error().message;
}

std::string with_acquirer(const std::string& members) {
  return "{" + identity + ", " + files + R"(, "acquirer": {"ca_file": "a", "client_certificate_file": "b")" +
         (members.empty() ? "" : ", ") + members + "}}";
}

INSTANTIATE_TEST_SUITE_P(
    Members, RefusedConfig,
    testing::Values(
        Refusal{"no_json", "hal = sim", "is not a JSON object"}, Refusal{"list", "[]", "is not a JSON object"},
        Refusal{"no_hal", "{}", "hal: is missing"},
        Refusal{"hal", R"({"hal": "real"})", R"(hal: must be one of "sim", "linux")"},
        Refusal{"no_serial", R"({"hal": "sim"})", "serial_number: is missing"},
        Refusal{"serial", R"({"hal": "sim", "serial_number": "a b"})", "serial_number: "},
        Refusal{"no_vault", R"({"hal": "sim", "serial_number": "a"})", "vault_dir: is missing"},
        Refusal{"no_acquirer", "{" + identity + "," + files + "}", "acquirer: is missing"},
        Refusal{"unknown", document(R"("vault": "x")"), "vault: is an unknown key"},
        Refusal{"unknown_below", document(R"("pos_socket": {"paths": "x"})"), "pos_socket.paths: is an unknown key"},
        Refusal{"twice", document(R"("label": "x", "label": "y")"), "label: is given twice"},
        Refusal{"label", document(R"("label": "\n")"), "label: "},
        Refusal{"terminal", document(R"("terminal_id": "a\nb")"), "terminal_id: "},
        Refusal{"offset", document(R"("utc_offset_minutes": 900)"), "utc_offset_minutes: "},
        Refusal{"mode", document(R"("pos_socket": {"mode": "0668"})"), "pos_socket.mode: "},
        Refusal{"mode_number", document(R"("pos_socket": {"mode": 660})"), "pos_socket.mode: "},
        Refusal{"mode_sticky", document(R"("pos_socket": {"mode": "1777"})"), "pos_socket.mode: "},
        Refusal{"uids", document(R"("pos_socket": {"uids": ["root"]})"), "pos_socket.uids: "},
        Refusal{"gids", document(R"("pos_socket": {"gids": [-1]})"), "pos_socket.gids: "},
        Refusal{"long_socket", document(R"("sim_socket": ")" + std::string(120, 'x') + "\""), "sim_socket: "},
        Refusal{"link", document(R"("sim": {"links": {"wifi": {"state": "on"}}})"), "sim.links.wifi.state: "},
        Refusal{"link_name", document(R"("sim": {"links": {"lan": {}}})"), "sim.links.lan: is an unknown key"},
        Refusal{"loss", document(R"("sim": {"links": {"wifi": {"loss_percent": 101}}})"),
                "sim.links.wifi.loss_percent: "},
        Refusal{"interface", document(R"("links": {"wifi": "a/b"})"), "links.wifi: "},
        Refusal{"level", document(R"("log_level": "loud")"), "log_level: "},
        Refusal{"no_url", with_acquirer(""), "acquirer.url: is missing"},
        Refusal{"plain_http", with_acquirer(R"("url": "http://127.0.0.1")"), "acquirer.url: "},
        Refusal{"url_path", with_acquirer(R"("url": "https://h/v1")"), "acquirer.url: "},
        Refusal{"url_user", with_acquirer(R"("url": "https://u@h")"), "acquirer.url: "},
        Refusal{"url_port", with_acquirer(R"("url": "https://h:65536")"), "acquirer.url: "},
        Refusal{"url_no_host", with_acquirer(R"("url": "https://:1")"), "acquirer.url: "},
        Refusal{"tls", with_acquirer(R"("url": "https://h", "tls_min": "1.1")"), "acquirer.tls_min: "},
        Refusal{"window", with_acquirer(R"("url": "https://h", "window": 0)"), "acquirer.window: "},
        Refusal{"sim_on_linux",
                R"({"hal": "linux", "serial_number": "a", "sim_socket": "s", )" + files + "," + acquirer + "}",
                "sim_socket: "}),
    [](const auto& refusal) { return refusal.param.name; });

TEST(Config, a_file_that_is_not_there_is_named) {
  const auto config = load_config("/nowhere/nightdrop.json");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().message, "/nowhere/nightdrop.json: cannot be read");
}

}  // namespace
}  // namespace nightdrop
