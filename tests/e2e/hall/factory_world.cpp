#include "e2e/hall/factory_world.hpp"

#include <httplib.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iterator>
#include <sstream>
#include <stdexcept>

#include "crypto/primitives.hpp"
#include "crypto/tr31.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::e2e {
namespace {

namespace fs = std::filesystem;

constexpr const char* step_timeout_s = "2";

std::string slurp(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void spill(const std::string& path, const std::string& text) {
  std::ofstream stream(path, std::ios::binary | std::ios::trunc);
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  stream << text;
  if (!stream.flush()) throw std::runtime_error("cannot write " + path);
}

Ended must(const std::string& program, const std::vector<std::string>& arguments, const std::string& input = "") {
  Ended ended = run(program, arguments, input);
  if (ended.exit_code != 0) {
    throw std::runtime_error(program + " " + arguments[0] + " ended with " + std::to_string(ended.exit_code) + ": " +
                             ended.err + ended.out);
  }
  return ended;
}

// CMAC of zeros, 5 bytes: what is written on a component's envelope.
std::string check_value(std::span<const std::uint8_t> key) {
  return hex_upper(tr31::check_value_cmac(key).value());
}

}  // namespace

FactoryWorld::FactoryWorld(std::size_t units, HallOptions options) : options_(std::move(options)) {
  std::string name = "/dev/shm/nd-hall-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no folder could be made");
  folder_ = name;
  fs::create_directory(path("ends"));
  lines_ = std::make_unique<SerialLines>(path("ends"));
  make_acquirer();
  make_station();
  for (std::size_t i = 0; i < units; ++i) {
    std::ostringstream serial;
    serial << "ND" << std::setw(6) << std::setfill('0') << 1000 + i;
    units_.push_back({serial.str(), path("homes/" + serial.str()), lines_->add(), path("station/ca.pem"), nullptr});
    fs::create_directories(units_.back().home);
  }
  write_orders();
}

FactoryWorld::~FactoryWorld() {
  units_.clear();
  acquirer_.reset();
  lines_.reset();
  std::error_code ignored;
  if (std::getenv("NIGHTDROP_E2E_KEEP") == nullptr) fs::remove_all(folder_, ignored);
}

// The acquirer's TLS server and its own authority come from a development folder; whose cards it opens and whose
// readers it hears is set by make_station().
void FactoryWorld::make_acquirer() {
  port_ = new_port();
  must("nightdrop-provision",
       {"dev", "--out", path("elsewhere"), "--acquirer-url", "https://127.0.0.1:" + std::to_string(port_)});
  fs::rename(path("elsewhere/acquirer"), path("acquirer"));
  fs::remove_all(path("acquirer/readers"));
  fs::create_directory(path("acquirer/readers"));
  fs::rename(path("acquirer/ca.pem"), path("acquirer_ca.pem"));
  fs::remove(path("acquirer/keys.json"));
}

// The ceremony, and the BDK on its way to the acquirer: a KBPK in two components under dual control, then a key block.
void FactoryWorld::make_station() {
  spill(path("pin"), "73650184\n");
  spill(path("so_pin"), "19384756\n");
  must("nightdrop-provision", {"hsm", "init", "--station", station(), "--softhsm", "--pin-file", path("pin"),
                               "--so-pin-file", path("so_pin")});
  must("nightdrop-provision",
       {"ceremony", "init", "--station", station(), "--key-type", "aes-128", "--merchant", "m_0001"});
  std::array<SecretBytes, 2> components{SecretBytes(32), SecretBytes(32)};
  SecretBytes kbpk(32);
  std::vector<std::string> import{"ceremony", "import", "--station", station(), "--key", "kbpk/acquirer"};
  for (std::size_t i = 0; i < components.size(); ++i) {
    if (!random_bytes(components[i].writable())) throw std::runtime_error("no random bytes");
    for (std::size_t j = 0; j < kbpk.size(); ++j) kbpk.writable()[j] ^= components[i].view()[j];
    const std::string file = path("component" + std::to_string(i));
    spill(file, hex_lower(components[i].view()) + "\n" + check_value(components[i].view()) + "\n");
    import.insert(import.end(), {"--custodian", i == 0 ? "Ada" : "Bob", "--component-file", file});
  }
  import.insert(import.end(), {"--check-value", check_value(kbpk.view())});
  must("nightdrop-provision", import);

  const Json shown = json(must("nightdrop-provision", {"ceremony", "show", "--station", station(), "--json"}).out);
  std::string bdk;
  for (const JsonView key : shown["keys"].items()) {
    const std::string name(key["key"].string().value_or(""));
    if (name.starts_with("bdk/")) bdk = name;
  }
  must("nightdrop-provision",
       {"ceremony", "export", "--station", station(), "--key", bdk, "--kbpk", "acquirer", "--out", path("bdk.tr31")});
  std::string block = slurp(path("bdk.tr31"));
  while (!block.empty() && block.back() == '\n') block.pop_back();
  const auto opened = tr31::unwrap(kbpk.view(), block, {"B0"});
  if (!opened) throw std::runtime_error(std::string("the exported BDK does not open: ") + opened.error().text);
  Json keys = Json::object();
  keys.set("bdk", hex_lower(opened->key.view()))
      .set("bdk_id", bdk.substr(4))
      .set("key_type", "aes-128")
      .set("fingerprint_key", std::string(64, '0'));  // the acquirer has no use for the merchant's
  spill(path("acquirer/keys.json"), keys.dump());
  fs::copy_file(path("station/ca.pem"), path("acquirer/ca.pem"));

  // What every unit gets: the development reader's configuration and policy, for any serial number.
  Json patch = json(R"({"serial_number":"{serial_number}","terminal_id":"{serial_number}",
    "label":"Reader {serial_number}","sim":{"links":{"wifi":{"state":"down"}}}})");
  const Json common = merged(json(slurp(path("elsewhere/nightdrop.json"))).view(), patch.view());
  spill(path("template.json"), merged(common.view(), json(options_.template_patch).view()).dump());
  fs::copy_file(path("elsewhere/policy.json"), path("policy.json"));
}

void FactoryWorld::write_orders() {
  std::string text = "serial_number,merchant_id,connect\r\n";
  for (const Unit& unit : units_) {
    text += unit.serial_number + ",m_0001,serial:" + lines_->station_end(unit.line) + "\r\n";
  }
  spill(path("orders.csv"), text);
}

std::string FactoryWorld::foreign_authority() {
  return path("acquirer_ca.pem");
}

void FactoryWorld::put_up(Unit& unit) {
  if (lines_->is_cut(unit.line)) {
    unit.process.reset();
    lines_->lay_anew(unit.line);
  }
  if (unit.process != nullptr) return;
  std::vector<std::string> words{"--factory",
                                 "--home",
                                 unit.home,
                                 "--serial",
                                 unit.serial_number,
                                 "--listen",
                                 "serial:" + lines_->reader_end(unit.line),
                                 "--authority",
                                 unit.authority};
  words.insert(words.end(), options_.reader_options.begin(), options_.reader_options.end());
  unit.process = std::make_unique<Process>("nightdropd", words, unit.home + ".log");
  const std::string line = unit.process->first_line();
  if (line.empty() || json(line)["event"].string() != "factory") {
    throw std::runtime_error(unit.serial_number + " does not wait for a station: " + line + slurp(unit.home + ".log"));
  }
}

void FactoryWorld::put_up_all() {
  for (Unit& unit : units_) put_up(unit);
}

void FactoryWorld::kill(Unit& unit) {
  unit.process.reset();
}

// What every unit is made by.
std::vector<std::string> FactoryWorld::recipe() const {
  return {"--station",         station(),
          "--policy",          path("policy.json"),
          "--config-template", path("template.json"),
          "--acquirer-url",    "https://127.0.0.1:" + std::to_string(port_),
          "--acquirer-ca",     path("acquirer_ca.pem"),
          "--acquirer-dir",    path("acquirer")};
}

void FactoryWorld::provision(const Unit& unit) {
  std::vector<std::string> words{
      "device",     "--serial", unit.serial_number, "--connect", "serial:" + lines_->station_end(unit.line),
      "--merchant", "m_0001"};
  const auto common = recipe();
  words.insert(words.end(), common.begin(), common.end());
  must("nightdrop-provision", words);
}

int FactoryWorld::batch(int jobs) {
  std::vector<std::string> words{"batch",          path("orders.csv"), "--jobs",      std::to_string(jobs),
                                 "--retry-failed", "--timeout",        step_timeout_s};
  const auto common = recipe();
  words.insert(words.end(), common.begin(), common.end());
  Process process("nightdrop-provision", words, path("batch.log"));
  {
    const std::lock_guard lock(station_mutex_);
    station_process_ = process.id();
  }
  const int code = process.wait(Milliseconds(600'000));
  const std::lock_guard lock(station_mutex_);
  station_process_ = -1;
  return code;
}

void FactoryWorld::kill_station() {
  const std::lock_guard lock(station_mutex_);
  if (station_process_ > 0) ::kill(station_process_, SIGKILL);
}

Json FactoryWorld::report(const std::string& command, const std::vector<std::string>& more) {
  std::vector<std::string> arguments{command, "--station", station(), "--json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return json(must("nightdrop-provision", arguments).out);
}

void FactoryWorld::start_acquirer() {
  const auto address = [](int port) { return "127.0.0.1:" + std::to_string(port); };
  acquirer_ = std::make_unique<Process>("nightdrop-sim",
                                        std::vector<std::string>{"acquirer", "--dir", path("acquirer"), "--listen",
                                                                 address(port_), "--admin", address(port_ + 1)},
                                        path("acquirer.log"));
  if (json(acquirer_->first_line())["event"].string() != "ready") {
    throw std::runtime_error("the acquirer did not become ready");
  }
}

Json FactoryWorld::admin(const std::string& path) {
  httplib::Client client("127.0.0.1", port_ + 1);
  const httplib::Result result = client.Get(path);
  if (!result) throw std::runtime_error("the acquirer's admin API does not answer");
  return json(result->body);
}

Json FactoryWorld::ledger() {
  return admin("/admin/ledger")["entries"].copy();
}

Json FactoryWorld::stats() {
  return admin("/admin/stats");
}

std::string FactoryWorld::take_and_forward(const Unit& unit) {
  Process daemon("nightdropd", {"--config", unit.home + "/nightdrop.json"}, unit.home + ".log");
  const std::string ready = daemon.first_line();
  if (ready.empty()) throw std::runtime_error(unit.serial_number + " does not start: " + slurp(unit.home + ".log"));
  Rpc pos(unit.home + "/run/pos.sock");
  Rpc sim(unit.home + "/run/sim.sock");
  (void)pos.call("subscribe", R"({"consumer":"factory"})");
  const Answer made =
      pos.call("create_payment_intent", R"({"amount":1250,"currency":"usd","merchant_reference":"first"})");
  (void)sim.call("present_card", R"({"card":)" + new_card() + "}");
  const Answer stored = pos.call("process_payment_intent", R"({"id":")" + made.id() + R"(","timeout_s":10})");
  if (stored.word() != "stored") throw std::runtime_error(unit.serial_number + " did not store: " + stored.dump());
  (void)sim.call("set_link", R"({"link":"wifi","state":"up"})");
  (void)pos.event("payment_intent.succeeded");
  if (daemon.end(SIGTERM) != 0) throw std::runtime_error(unit.serial_number + " did not end in order");
  return made.id();
}

}  // namespace nightdrop::e2e
