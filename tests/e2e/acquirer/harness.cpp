#include "e2e/acquirer/harness.hpp"

#include <httplib.h>

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <utility>

#include <gtest/gtest.h>

#include "crypto/envelope.hpp"
#include "nightdrop/encoding.hpp"

namespace nightdrop::e2e {
namespace {

const std::string program = std::string(NIGHTDROP_BIN_DIR) + "/nightdrop-sim";

struct Child {
  pid_t process{-1};
  int out{-1};
  int err{-1};
};

Child start(const std::vector<std::string>& arguments, bool take_errors) {
  std::array<int, 2> out{};
  std::array<int, 2> err{-1, -1};
  if (::pipe2(out.data(), O_CLOEXEC) != 0 || (take_errors && ::pipe2(err.data(), O_CLOEXEC) != 0)) std::abort();
  std::vector<char*> argv;
  std::vector<std::string> copy = arguments;
  copy.insert(copy.begin(), program);
  for (std::string& argument : copy) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const pid_t process = ::fork();
  if (process == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that is killed leaves nothing running
    ::dup2(out[1], STDOUT_FILENO);
    if (take_errors) ::dup2(err[1], STDERR_FILENO);
    ::execv(program.c_str(), argv.data());
    ::_exit(127);
  }
  ::close(out[1]);
  if (take_errors) ::close(err[1]);
  return {process, out[0], err[0]};
}

std::string read_all(int pipe) {
  std::string text;
  std::array<char, 4096> buffer{};
  ssize_t got = 0;
  while ((got = ::read(pipe, buffer.data(), buffer.size())) > 0)
    text.append(buffer.data(), static_cast<std::size_t>(got));
  ::close(pipe);
  return text;
}

// The first line, or what came of it in 20 seconds.
std::string read_line(int pipe) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  std::string line;
  while (line.empty() || line.back() != '\n') {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd ready{pipe, POLLIN, 0};
    char c = 0;
    if (left.count() <= 0 || ::poll(&ready, 1, static_cast<int>(left.count())) <= 0 || ::read(pipe, &c, 1) != 1) break;
    line += c;
  }
  return line;
}

int port_of(JsonView address) {
  const std::string text(address.string().value_or(":0"));
  return std::stoi(text.substr(text.rfind(':') + 1));
}

dukpt::DukptDevice new_device(const std::string& serial) {
  const auto bdk = secret_from_hex(bdk_hex);
  const auto bdk_id = secret_from_hex(bdk_id_hex);
  dukpt::InitialKeyId id{};
  std::copy_n(bdk_id->view().begin(), 4, id.begin());
  // The serial number's digits tell readers apart.
  id[7] = static_cast<std::uint8_t>(std::stoi(serial.substr(2)));
  const auto initial = dukpt::derive_initial_key(bdk->view(), id);
  auto device = dukpt::DukptDevice::load(initial->view(), id);
  if (!device) throw std::runtime_error("no DUKPT device");
  return *std::move(device);
}

Reply reply_of(const httplib::Result& result) {
  Reply reply;
  if (!result) return reply;
  reply.status = result->status;
  reply.body = result->body;
  reply.replayed = result->get_header_value("Idempotency-Replayed") == "true";
  reply.retry_after = result->get_header_value("Retry-After");
  reply.location = result->get_header_value("Location");
  reply.content_type = result->get_header_value("Content-Type");
  return reply;
}

}  // namespace

Ended run_to_end(const std::vector<std::string>& arguments) {
  const Child child = start(arguments, true);
  Ended ended;
  ended.out = read_all(child.out);
  ended.err = read_all(child.err);
  int status = 0;
  ::waitpid(child.process, &status, 0);
  ended.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return ended;
}

AcquirerProcess::AcquirerProcess(const DevFolder& folder, const std::vector<std::string>& more) {
  std::vector<std::string> arguments{"acquirer", "--dir", folder.path(), "--listen", "127.0.0.1:0"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const Child child = start(arguments, false);
  process_ = child.process;
  const std::string line = read_line(child.out);
  ::close(child.out);
  const auto ready = Json::parse(line);
  if (!ready || (*ready)["event"].string() != "ready")
    throw std::runtime_error("the acquirer did not become ready: " + line);
  port_ = port_of((*ready)["listen"]);
  admin_port_ = port_of((*ready)["admin"]);
}

AcquirerProcess::~AcquirerProcess() {
  if (process_ > 0) end(SIGKILL);
}

int AcquirerProcess::end(int signal) {
  ::kill(process_, signal);
  int status = 0;
  ::waitpid(process_, &status, 0);
  process_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Json Reply::json() const {
  auto document = Json::parse(body);
  return document ? *std::move(document) : Json::null();
}

std::string new_id() {
  static std::atomic<unsigned> next{0};
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "pi_0193f0c4a1b27c3d8e4f5a6b%08x", ++next);
  return text.data();
}

TestReader::TestReader(const DevFolder& folder, const AcquirerProcess& acquirer, std::string serial)
    : folder_(folder),
      port_(acquirer.port()),
      admin_port_(acquirer.admin_port()),
      serial_(std::move(serial)),
      device_(new_device(serial_)) {}

std::string TestReader::body(const Sale& sale) {
  EnvelopeBinding binding;
  binding.id = sale.id;
  binding.kind = sale.object == "refund" ? ObjectKind::Refund : ObjectKind::PaymentIntent;
  binding.card_amount = sale.card_amount;
  binding.terminal_id = serial_;
  const auto plaintext = secret_from_hex("5A08" + sale.pan + "5F2403301231");
  const auto envelope = seal_envelope(device_, plaintext->view(), envelope_aad(binding), {}, {});
  if (!envelope || !device_.advance()) throw std::runtime_error("the card could not be sealed");
  Json card = Json::object();
  card.set("format", "nd1").set("ksn", hex_upper(envelope->ksn)).set("key_type", "aes-128");
  card.set("ciphertext", to_base64(envelope->ciphertext));
  Json tip = Json::object();
  tip.set("tip", 0);
  Json body = Json::object();
  body.set("id", sale.id).set("object", sale.object).set("amount", sale.amount).set("amount_details", std::move(tip));
  body.set("card_amount", sale.card_amount)
      .set("currency", "usd")
      .set("merchant_id", "m_0001")
      .set("terminal_id", serial_);
  body.set("merchant_reference", sale.reference.empty() ? "order-" + sale.id.substr(27) : sale.reference);
  body.set("deferred", true).set("stored_at", "2026-11-21T19:40:03.123Z").set("stan", 1042);
  body.set("retrieval_reference_number", "632519001042").set("local_transaction_time", "2026-11-21T14:40:03-05:00");
  body.set("read_method", "contactless_emv").set("brand", "visa").set("last4", sale.last4);
  body.set("exp_month", 12).set("exp_year", 2030).set("fallback", false).set("approver", nullptr);
  body.set("emv", "9F2701809F0206" + sale.emv_amount)
      .set("encrypted_card", std::move(card))
      .set("encrypted_pin_block", nullptr);
  return body.dump();
}

Reply TestReader::post(const std::string& path, const std::string& body, const std::optional<std::string>& key,
                       const std::optional<std::string>& serial) const {
  httplib::SSLClient client("127.0.0.1", port_, folder_.certificate(serial_), folder_.key(serial_));
  client.set_ca_cert_path(folder_.authority().c_str());
  client.set_read_timeout(30);
  httplib::Headers headers;
  if (key) headers.emplace("Idempotency-Key", *key);
  if (serial) headers.emplace("Nightdrop-Reader", *serial);
  return reply_of(client.Post(path, headers, body, "application/json"));
}

Reply TestReader::get(const std::string& path) const {
  httplib::SSLClient client("127.0.0.1", port_, folder_.certificate(serial_), folder_.key(serial_));
  client.set_ca_cert_path(folder_.authority().c_str());
  return reply_of(client.Get(path));
}

Reply TestReader::reverse(const std::string& id, const std::string& reason) const {
  return post("/v1/payments/" + id + "/reversal", "{\"reason\":\"" + reason + "\"}", id + ":reversal", serial_);
}

Reply TestReader::batch(const std::vector<std::string>& bodies) const {
  std::string whole = "{\"payments\": [";
  for (const std::string& body : bodies) whole += (whole.back() == '[' ? "" : " ,\n") + body;
  return post("/v1/payments:batch", whole + "]}", std::nullopt, serial_);
}

Reply TestReader::admin(const std::string& method, const std::string& path, const std::string& body) const {
  httplib::Client client("127.0.0.1", admin_port_);
  if (method == "POST") return reply_of(client.Post(path, body, "application/json"));
  if (method == "DELETE") return reply_of(client.Delete(path));
  return reply_of(client.Get(path));
}

Json TestReader::row(const std::string& id) const {
  const Json ledger = admin("GET", "/admin/ledger").json();
  for (const JsonView row : ledger["entries"].items()) {
    if (row["id"].string() == id) return row.copy();
  }
  return Json::null();
}

void TestReader::faults(const std::string& plan) const {
  const Reply reply = admin("POST", "/admin/faults", plan);
  ASSERT_EQ(reply.status, 200) << reply.body;
}

}  // namespace nightdrop::e2e
