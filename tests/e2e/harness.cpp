#include "e2e/harness.hpp"

#include <httplib.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

namespace nightdrop::e2e {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void fail_test(const std::string& what) {
  throw std::runtime_error(what);
}

int left_of(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<Milliseconds>(deadline - Clock::now()).count();
  return left <= 0 ? 0 : static_cast<int>(left);
}

std::string slurp(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void spill(const std::string& path, const std::string& text) {
  std::ofstream stream(path, std::ios::binary | std::ios::trunc);
  stream << text;
  if (!stream.flush()) fail_test("cannot write " + path);
}

// A folder of its own, in memory where the system has that: a killed process leaves the page cache whole, so nothing
// here depends on a disk, and a busy one would only make the tests slow. Its path is short: sockets live below it.
std::string new_folder() {
  for (const char* parent : {"/dev/shm", "/tmp"}) {
    std::string name = std::string(parent) + "/nd-e2e-XXXXXX";
    if (::mkdtemp(name.data()) != nullptr) return name;
  }
  fail_test("no folder could be made");
}

std::string binary(const std::string& program) {
  return std::string(NIGHTDROP_BIN_DIR) + "/" + program;
}

pid_t spawn(const std::string& program, const std::vector<std::string>& arguments, int in, int out, int err) {
  const std::string file = binary(program);
  std::vector<std::string> words{file};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) fail_test("no process could be made");
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that is killed leaves nothing running
  if (::getppid() != parent) ::_exit(127);
  if (in >= 0) ::dup2(in, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  ::execv(file.c_str(), argv.data());
  ::_exit(127);
}

int exit_code(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Whether the process of this pidfd ends in that time.
bool ends_in_time(int handle, Milliseconds time = patience) {
  const auto deadline = Clock::now() + time;
  pollfd ended{handle, POLLIN, 0};
  int count = 0;
  while ((count = ::poll(&ended, 1, left_of(deadline))) < 0 && errno == EINTR) {
  }
  return count > 0;
}

bool is_free(int port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool bound = ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(socket);
  return bound;
}

// The development policy, as the tool makes it, once a test program: with its approver's salted PIN.
const Json& development_policy() {
  static const Json policy = [] {
    const std::string folder = new_folder();
    const Ended made = run("nightdrop-provision", {"dev", "--out", folder + "/r"});
    Json text = json(slurp(folder + "/r/policy.json"));
    std::filesystem::remove_all(folder);
    if (made.exit_code != 0) fail_test("provisioning failed: " + made.err);
    return text;
  }();
  return policy;
}

}  // namespace

int new_port() {
  static std::atomic<int> next{static_cast<int>(::getpid()) % 9'500};
  for (;;) {
    const int port = 12'000 + 2 * (next++ % 9'500);
    if (is_free(port) && is_free(port + 1)) return port;
  }
}

// --- processes ---

Ended run(const std::string& program, const std::vector<std::string>& arguments, const std::string& input) {
  const std::string folder = new_folder();
  spill(folder + "/in", input);
  const int in = ::open((folder + "/in").c_str(), O_RDONLY | O_CLOEXEC);
  const int out = ::open((folder + "/out").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  const int err = ::open((folder + "/err").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  const pid_t child = spawn(program, arguments, in, out, err);
  for (const int file : {in, out, err}) ::close(file);
  const int handle = static_cast<int>(::syscall(SYS_pidfd_open, child, 0));
  const bool ended_by_itself = ends_in_time(handle);
  if (!ended_by_itself) ::kill(child, SIGKILL);
  ::close(handle);
  int status = 0;
  ::waitpid(child, &status, 0);
  Ended ended{exit_code(status), slurp(folder + "/out"), slurp(folder + "/err")};
  std::filesystem::remove_all(folder);
  return ended;
}

Process::Process(const std::string& program, const std::vector<std::string>& arguments, const std::string& log) {
  std::array<int, 2> out{};
  if (::pipe2(out.data(), O_CLOEXEC) != 0) fail_test("no pipe could be made");
  const int err = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  process_ = spawn(program, arguments, -1, out[1], err);
  out_ = out[0];
  handle_ = static_cast<int>(::syscall(SYS_pidfd_open, process_, 0));
  ::close(out[1]);
  ::close(err);
  if (handle_ < 0) fail_test("no handle of the process");
}

Process::~Process() {
  if (process_ > 0) {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  ::close(out_);
  ::close(handle_);
}

std::string Process::first_line() {
  const auto deadline = Clock::now() + patience;
  std::string line;
  while (!line.ends_with('\n')) {
    pollfd ready{out_, POLLIN, 0};
    char c = 0;
    const int count = ::poll(&ready, 1, left_of(deadline));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) fail_test("a process did not become ready in time");
    if (::read(out_, &c, 1) != 1) return {};
    line += c;
  }
  return line;
}

bool Process::is_ready_within(Milliseconds time) const {
  pollfd ready{out_, POLLIN, 0};
  return ::poll(&ready, 1, static_cast<int>(time.count())) > 0;
}

void Process::signal(int number) const {
  ::kill(process_, number);
}

int Process::wait(Milliseconds time) {
  if (!ends_in_time(handle_, time)) fail_test("a process did not end in time");
  int status = 0;
  ::waitpid(process_, &status, 0);
  process_ = -1;
  return exit_code(status);
}

// --- JSON ---

Json json(std::string_view text) {
  auto document = Json::parse(text);
  if (!document) fail_test("no JSON: " + std::string(text));
  return *std::move(document);
}

Json merged(JsonView base, JsonView patch) {
  if (!patch.is_object()) return patch.copy();
  Json result = Json::object();
  if (base.is_object()) {
    for (const JsonView member : base.items()) {
      if (!patch[member.key()].exists()) result.set(member.key(), member);
    }
  }
  for (const JsonView member : patch.items()) {
    if (!member.is_null()) result.set(member.key(), merged(base[member.key()], member));
  }
  return result;
}

std::optional<std::string> differs(JsonView actual, JsonView expected, const std::string& path) {
  if (expected.is_object()) {
    for (const JsonView member : expected.items()) {
      const std::string at = path + "." + std::string(member.key());
      if (!actual[member.key()].exists()) return at + " is missing";
      if (auto difference = differs(actual[member.key()], member, at)) return difference;
    }
    return std::nullopt;
  }
  if (!actual.exists()) return path + " is missing";
  if (actual.dump() == expected.dump()) return std::nullopt;
  return path + " is " + actual.dump() + ", not " + expected.dump();
}

testing::AssertionResult holds(JsonView actual, std::string_view expected) {
  const Json wanted = json(expected);
  const auto difference = differs(actual, wanted.view());
  if (!difference) return testing::AssertionSuccess();
  return testing::AssertionFailure() << *difference << "\nin " << actual.dump();
}

// --- connections ---

std::string Answer::word() const {
  if (!ok()) {
    if (const auto code = error_["data"]["code"].string()) return std::string(*code);
    return std::to_string(error_["code"].integer().value_or(0));
  }
  return std::string(result_["status"].string().value_or("ok"));
}

Rpc::Rpc(const std::string& path)
    : client_([&] {
        auto made = PosClient::connect(path);
        if (!made) fail_test("cannot connect to " + path + ": " + made.error().text);
        return *std::move(made);
      }()) {}

namespace {

// Params are written over several lines in tests; the protocol has one.
std::string one_line(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  return text;
}

std::optional<Answer> answer_of(const PosResult<std::string>& got) {
  if (got) return Answer(json(*got), Json::null());
  if (got.error().refused()) return Answer(Json::null(), json(got.error().answer));
  return std::nullopt;
}

}  // namespace

Answer Rpc::call(const std::string& method, const std::string& params, Milliseconds timeout) {
  const auto got = client_.call(method, one_line(params), timeout);
  auto answer = answer_of(got);
  if (!answer) fail_test(method + ": " + got.error().error.text);
  return *std::move(answer);
}

std::optional<Answer> Rpc::try_call(const std::string& method, const std::string& params, Milliseconds timeout) {
  return answer_of(client_.call(method, one_line(params), timeout));
}

std::uint64_t Rpc::begin(const std::string& method, const std::string& params) {
  const auto id = client_.begin(method, one_line(params));
  if (!id) fail_test(method + ": " + id.error().error.text);
  return *id;
}

Answer Rpc::wait(std::uint64_t id, Milliseconds timeout) {
  const auto got = client_.wait(id, timeout);
  auto answer = answer_of(got);
  if (!answer) fail_test(std::string("waiting for an answer: ") + got.error().error.text);
  return *std::move(answer);
}

std::optional<Json> Rpc::next_event(Milliseconds timeout) {
  const auto event = client_.next_event(timeout);
  if (!event) fail_test(std::string("waiting for an event: ") + event.error().error.text);
  if (!*event) return std::nullopt;
  return json(**event);
}

Json Rpc::event(const std::string& type, Milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  while (auto event = next_event(Milliseconds(left_of(deadline)))) {
    if ((*event)["type"].string() == type) return *std::move(event);
  }
  fail_test("no event " + type + " came in time");
}

// --- the world ---

World::World(const WorldOptions& options) {
  base_ = new_folder();
  folder_ = base_ + "/r";
  try {
    make_folder(options);
    if (options.acquirer) start_acquirer();
    if (options.start) start();
  } catch (...) {
    std::filesystem::remove_all(base_);
    throw;
  }
}

World::~World() {
  daemon_.reset();
  acquirer_.reset();
  std::error_code ignored;
  if (std::getenv("NIGHTDROP_E2E_KEEP") == nullptr) std::filesystem::remove_all(base_, ignored);
}

void World::make_folder(const WorldOptions& options) {
  port_ = new_port();
  const std::string policy = merged(development_policy().view(), json(options.policy).view()).dump();
  spill(base_ + "/unsigned.json", policy);
  const Ended made =
      run("nightdrop-provision", {"dev", "--out", folder_, "--serial", options.serial, "--acquirer-url",
                                  "https://127.0.0.1:" + std::to_string(port_), "--policy", base_ + "/unsigned.json"});
  if (made.exit_code != 0) fail_test("provisioning failed: " + made.err);
  if (options.links != "{}") {
    Json patch = Json::object();
    Json sim = Json::object();
    sim.set("links", json(options.links));
    patch.set("sim", std::move(sim));
    spill(path("nightdrop.json"), merged(json(slurp(path("nightdrop.json"))).view(), patch.view()).dump());
  }
}

void World::start_acquirer() {
  const auto address = [](int port) { return "127.0.0.1:" + std::to_string(port); };
  acquirer_ = std::make_unique<Process>("nightdrop-sim",
                                        std::vector<std::string>{"acquirer", "--dir", path("acquirer"), "--listen",
                                                                 address(port_), "--admin", address(port_ + 1)},
                                        path("acquirer.log"));
  if (json(acquirer_->first_line())["event"].string() != "ready") fail_test("the acquirer did not become ready");
}

void World::kill_acquirer() {
  if (acquirer_ == nullptr) return;
  acquirer_->end(SIGKILL);
  acquirer_.reset();
}

void World::start() {
  daemon_ = std::make_unique<Process>("nightdropd", std::vector<std::string>{"--config", path("nightdrop.json")},
                                      path("daemon.log"));
  const std::string line = daemon_->first_line();
  if (line.empty() || json(line)["event"].string() != "ready") {
    const int code = daemon_->wait();
    daemon_.reset();
    fail_test("the daemon did not become ready, exit " + std::to_string(code) + ":\n" + log());
  }
  pos_ = std::make_unique<Rpc>(path("run/pos.sock"));
  sim_ = std::make_unique<Rpc>(path("run/sim.sock"));
  watch_ = std::make_unique<Rpc>(path("run/pos.sock"));
  // Only what comes from now on: waiting looks at the state itself.
  (void)watch_->call("subscribe", R"({"consumer":"harness-watch"})");
}

int World::stop() {
  const int code = daemon_->end(SIGTERM);
  daemon_.reset();
  return code;
}

void World::kill() {
  daemon_->end(SIGKILL);
  daemon_.reset();
}

void World::restart() {
  kill();
  start();
}

Ended World::refused_start() {
  return run("nightdropd", {"--config", path("nightdrop.json")});
}

void World::write_policy(const std::string& text, bool sign) {
  if (!sign) return spill(path("policy.json"), text);
  spill(path("unsigned.json"), text);
  const Ended signed_ = run("nightdrop-provision", {"policy", "sign", "--key", path("signing/policy_signing.key"),
                                                    "--in", path("unsigned.json"), "--out", path("policy.json")});
  if (signed_.exit_code != 0) fail_test("the policy could not be signed: " + signed_.err);
}

void World::sign_policy(const std::string& patch) {
  write_policy(merged(json(slurp(path("policy.json"))).view(), json(patch).view()).dump(), true);
}

std::string World::log() const {
  return slurp(path("daemon.log"));
}

// --- the POS ---

std::string World::create(std::int64_t amount, const std::string& more) {
  Json params = Json::object();
  params.set("amount", amount)
      .set("currency", "usd")
      .set("merchant_reference", "order-" + std::to_string(++next_reference_));
  const Answer made = call("create_payment_intent", merged(params.view(), json(more).view()).dump());
  if (!made.ok()) fail_test("create_payment_intent: " + made.dump());
  return made.id();
}

Answer World::process(const std::string& id, const std::string& card) {
  present(card);
  return call("process_payment_intent", R"({"id":")" + id + R"(","timeout_s":10})");
}

Answer World::pay(std::int64_t amount, const std::string& card, const std::string& more) {
  return process(create(amount, more), card);
}

Answer World::retrieve(const std::string& id) {
  return call("retrieve_payment_intent", R"({"id":")" + id + R"("})");
}

std::string World::status(const std::string& id) {
  return retrieve(id).word();
}

void World::await(const char* what, const std::function<bool()>& condition, Milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  while (!condition()) {
    const int left = left_of(deadline);
    if (left == 0) fail_test(std::string("did not come in time: ") + what);
    if (!watch_->next_event(Milliseconds(std::min(left, 20)))) continue;
    while (watch_->next_event(Milliseconds(0))) {  // all that has come tells the same: look again
    }
  }
}

Answer World::await_status(const std::string& id, const std::string& wanted, Milliseconds timeout) {
  std::optional<Answer> last;
  const auto reached = [&] {
    last.emplace(retrieve(id));
    return last->word() == wanted;
  };
  try {
    await("status", reached, timeout);
  } catch (const std::exception&) {
    fail_test("the payment is not " + wanted + " but " + last->dump());
  }
  return *std::move(last);
}

void World::await_drained(Milliseconds timeout) {
  await("an empty queue", [&] { return offline_status()["offline_payments_count"].integer() == 0; }, timeout);
}

// --- around it ---

void World::present(const std::string& card) {
  const std::string value = card.starts_with('{') ? card : '"' + card + '"';
  const Answer done = sim().call("present_card", R"({"card":)" + value + "}");
  if (!done.ok()) fail_test("present_card: " + done.dump());
}

void World::link(const std::string& name, const std::string& state, const std::string& more) {
  Json params = Json::object();
  params.set("link", name).set("state", state);
  const Answer done = sim().call("set_link", merged(params.view(), json(more).view()).dump());
  if (!done.ok()) fail_test("set_link: " + done.dump());
}

void World::offline() {
  for (const char* name : {"ethernet", "wifi", "cellular"}) link(name, "down");
  await("offline", [&] { return offline_status().text("network_status") == "offline"; });
}

void World::online() {
  link("wifi", "up");
  await("online", [&] { return offline_status().text("network_status") == "online"; });
}

void World::advance(std::int64_t seconds) {
  clock(R"({"advance_s":)" + std::to_string(seconds) + "}");
}

void World::clock(const std::string& params) {
  const Answer done = sim().call("set_clock", params);
  if (!done.ok()) fail_test("set_clock: " + done.dump());
}

void World::fail(const std::string& what, int count) {
  const Answer done = sim().call("fail", R"({"what":")" + what + R"(","count":)" + std::to_string(count) + "}");
  if (!done.ok()) fail_test("fail: " + done.dump());
}

// --- the acquirer ---

RawReply World::admin(const std::string& method, const std::string& path, const std::string& body) {
  httplib::Client client("127.0.0.1", port_ + 1);
  const httplib::Result result = method == "POST"     ? client.Post(path, body, "application/json")
                                 : method == "DELETE" ? client.Delete(path)
                                                      : client.Get(path);
  if (!result) fail_test("the acquirer's admin API does not answer");
  return {result->status, json(result->body)};
}

void World::faults(const std::string& plan) {
  const RawReply reply = admin("POST", "/admin/faults", plan);
  if (reply.status != 200) fail_test("faults: " + reply.body.dump());
}

Json World::ledger() {
  return admin("GET", "/admin/ledger").body["entries"].copy();
}
Json World::stats() {
  return std::move(admin("GET", "/admin/stats").body);
}

Json World::ledger_row(const std::string& id) {
  const Json entries = ledger();
  for (const JsonView row : entries.view().items()) {
    if (row["id"].string() == id) return row.copy();
  }
  return Json::null();
}

int World::posted(const std::string& id) {
  const Json row = ledger_row(id);
  if (row.view().is_null()) return -1;
  return row["reversed"].boolean().value_or(false) ? 0 : static_cast<int>(row["posted"].integer().value_or(0));
}

// --- cards ---

std::string new_card_number() {
  static std::atomic<std::int64_t> next{1};
  std::string digits = "476173" + std::to_string(100'000'000 + next++);
  int sum = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    int digit = digits[digits.size() - 1 - i] - '0';
    if (i % 2 == 0) digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
    sum += digit;
  }
  return digits + std::to_string((10 - sum % 10) % 10);
}

std::string new_card() {
  return R"({"pan":")" + new_card_number() + R"(","exp_month":12,"exp_year":2030})";
}

}  // namespace nightdrop::e2e
