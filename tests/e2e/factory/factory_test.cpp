// nightdropd --factory as a line uses it: the real program over a pty and a Unix socket, provisioned by a session,
// killed in the middle of one, stopped, and taken into use by nightdropd itself.
#include <array>
#include <csignal>
#include <string>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>

#include "crypto/primitives.hpp"
#include "e2e/provision/program.hpp"
#include "json/json.hpp"
#include "unit/pkcs11/softhsm.hpp"
#include "unit/provisioning/home.hpp"

namespace nightdrop::provisioning {
namespace {

namespace fs = std::filesystem;
using test::Ended;
using test::run;

UtcMs wall_clock() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}
Deadline soon() {
  return std::chrono::steady_clock::now() + std::chrono::seconds(20);
}
const std::string program = std::string(NIGHTDROP_BIN_DIR) + "/nightdropd";
constexpr Timeouts patient{std::chrono::milliseconds(20'000), std::chrono::milliseconds(5'000)};

// A running reader in factory state; the line that it printed.
class Running {
 public:
  explicit Running(const std::vector<std::string>& arguments) {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
    std::vector<std::string> words{program};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    EXPECT_EQ(posix_spawn(&child_, program.c_str(), &files, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&files);
    ::close(ends[1]);
    const auto out = stream_of(ends[0]);
    std::array<std::uint8_t, 1> byte{};
    while (out->read_some(byte, soon()) && byte[0] != '\n') line += static_cast<char>(byte[0]);
  }
  ~Running() {
    if (child_ > 0) end(SIGKILL);
  }
  // Its exit code, after a signal if any; -1 when a signal ended it.
  int end(int signal = 0) {
    if (signal != 0) ::kill(child_, signal);
    int status = 0;
    EXPECT_EQ(waitpid(child_, &status, 0), child_);
    child_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string line;

 private:
  pid_t child_{-1};
};

class Factory : public HomeTest {
 protected:
  Factory() : HomeTest(wall_clock()) { test::spill(root_ / "ca.pem", authority_.certificate().pem()); }

  std::vector<std::string> arguments(const std::string& listen) const {
    return {"--factory", "--home",      home_.string(),
            "--serial",  serial,        "--listen",
            listen,      "--authority", (root_ / "ca.pem").string()};
  }
  // A session as far as the proof.
  std::unique_ptr<StationSession> prove(Stream& stream) {
    auto session = StationSession::open(stream, station_.identity, anybody, patient);
    EXPECT_TRUE(session) << session.error().message;
    if (!session) return nullptr;
    const auto request = x509::parse_request((*session)->make_identity(serial).value());
    const auto installed = (*session)->install(installation(request->public_key, (*session)->kbpk()));
    EXPECT_TRUE(installed) << installed.error().message;
    EXPECT_TRUE((*session)->prove(std::array<std::uint8_t, 32>{1}));
    return std::move(*session);
  }
  std::string socket() const { return "unix:" + (root_ / "factory.sock").string(); }

  Station station_{authority_};
};

TEST_F(Factory, SaysWhoItIsAndBecomesAReader) {
  auto with_once = arguments(socket());
  with_once.emplace_back("--once");
  Running reader(with_once);
  const auto event = Json::parse(reader.line);
  ASSERT_TRUE(event) << reader.line;
  EXPECT_EQ((*event)["event"].string(), "factory");
  EXPECT_EQ((*event)["serial_number"].string(), serial);
  EXPECT_EQ((*event)["state"].string(), "factory");
  EXPECT_EQ((*event)["listen"].string(), socket());
  {
    const auto stream = connect(socket(), soon());
    ASSERT_TRUE(stream) << stream.error().text;
    const auto session = prove(**stream);
    ASSERT_TRUE(session);
    EXPECT_EQ((*event)["factory_key"].string(), hex_lower(sha256(p256_to_spki_der(session->reader().factory_key))));
    ASSERT_TRUE(session->commit());
  }
  EXPECT_EQ(reader.end(), 0);
  const Ended checked = run(program, {"--check", "--config", (home_ / "nightdrop.json").string()});
  EXPECT_EQ(checked.exit_code, 0) << checked.err;
}

TEST_F(Factory, ErasesAReaderThatIsAtHand) {
  {
    Running reader(arguments(socket()));
    const auto stream = connect(socket(), soon());
    ASSERT_TRUE(stream);
    const auto session = prove(**stream);
    ASSERT_TRUE(session && session->commit());
    EXPECT_EQ(reader.end(SIGTERM), 0);
  }
  const std::string config = home_ / "nightdrop.json";
  EXPECT_EQ(run(program, {"--check", "--config", config}).exit_code, 0);
  EXPECT_TRUE(has("queue/queue.db"));
  const auto certificate = x509::parse_certificate_pem(test::slurp(home_ / "reader.pem"));
  ASSERT_TRUE(certificate);
  const std::string file = root_ / "order.json";
  test::spill(file, order("0a"));
  const Ended refused = run(program, {"--erase", file, "--config", config});
  EXPECT_EQ(refused.exit_code, 65);
  EXPECT_NE(refused.err.find("order.certificate_serial"), std::string::npos) << refused.err;
  EXPECT_TRUE(has("vault"));
  test::spill(file, order(certificate->serial_number));
  const Ended erased = run(program, {"--erase", file, "--config", config});
  EXPECT_EQ(erased.exit_code, 0) << erased.err;
  EXPECT_EQ(erased.out, "{\"event\":\"erased\"}\n");
  for (const char* gone : {"nightdrop.json", "vault", "queue/queue.db", "reader.pem"}) EXPECT_FALSE(has(gone)) << gone;
  EXPECT_TRUE(has("factory.key"));
}

TEST_F(Factory, OverASerialLineKilledInTheMiddleAndAgain) {
  const int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  ASSERT_EQ(grantpt(master), 0);
  ASSERT_EQ(unlockpt(master), 0);
  const std::string slave = std::string("serial:") + ptsname(master);
  const int keeps_the_line_up = ::open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
  const auto stream = stream_of(master);
  {
    Running reader(arguments(slave));
    ASSERT_TRUE(prove(*stream));
    EXPECT_TRUE(has(".new"));
    EXPECT_EQ(reader.end(SIGKILL), -1);
  }
  EXPECT_FALSE(has("nightdrop.json"));
  Running reader(arguments(slave));
  EXPECT_FALSE(has(".new")) << "what was staged is wiped at the start";
  const auto session = prove(*stream);
  ASSERT_TRUE(session);
  ASSERT_TRUE(session->commit());
  // It serves on: as a provisioned reader, which takes an erase order and is in factory state again.
  auto again = StationSession::open(*stream, station_.identity, anybody, patient);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ((*again)->reader().state, ReaderState::Provisioned);
  const auto erased = (*again)->erase(order((*again)->reader().certificate_serial));
  EXPECT_TRUE(erased) << erased.error().message;
  EXPECT_EQ(reader.end(SIGTERM), 0);
  EXPECT_FALSE(has("nightdrop.json"));
  EXPECT_FALSE(has("vault"));
  ::close(keeps_the_line_up);
}

TEST_F(Factory, StopsInTheMiddleOfASessionWhenItIsTold) {
  Running reader(arguments("tcp:127.0.0.1:0"));
  const auto event = Json::parse(reader.line);
  ASSERT_TRUE(event);
  const auto stream = connect(*(*event)["listen"].string(), soon());
  ASSERT_TRUE(stream);
  const auto session = prove(**stream);
  ASSERT_TRUE(session);
  EXPECT_EQ(reader.end(SIGTERM), 0);
  EXPECT_FALSE(has(".new"));
  EXPECT_EQ(session->commit().error().kind, Failure::Kind::Io);
}

TEST_F(Factory, WithTheVaultsRootInAToken) {
  const auto token = test::soft_hsm().make_token();
  const std::string pin_file = root_ / "pin";
  test::spill(pin_file, "12345678\n");
  fs::permissions(pin_file, fs::perms::owner_read | fs::perms::owner_write);
  auto options = arguments(socket());
  for (const char* more : {"--pkcs11-module", token.module.c_str(), "--pkcs11-token", token.token_label.c_str(),
                           "--pkcs11-pin-file", pin_file.c_str()}) {
    options.emplace_back(more);
  }
  Running reader(options);
  const auto stream = connect(socket(), soon());
  ASSERT_TRUE(stream) << stream.error().text;
  backend_ = R"("vault_backend":{"pkcs11":{"module":")" + token.module + R"(","token_label":"another","pin_file":")" +
             pin_file + R"("}},)";
  auto session = StationSession::open(**stream, station_.identity, anybody, patient);
  ASSERT_TRUE(session) << session.error().message;
  auto request = x509::parse_request((*session)->make_identity(serial).value());
  EXPECT_EQ((*session)->install(installation(request->public_key, (*session)->kbpk())).error().message,
            "nightdrop.json: vault_backend: is not what this reader's vault is made on");
  backend_.replace(backend_.find("another"), 7, token.token_label);
  auto whole = prove(**stream);
  ASSERT_TRUE(whole);
  ASSERT_TRUE(whole->commit());
  const Ended checked = run(program, {"--check", "--config", (home_ / "nightdrop.json").string()});
  EXPECT_EQ(checked.exit_code, 0) << checked.err;
  EXPECT_FALSE(has("vault/root.key"));
  auto again = StationSession::open(**stream, station_.identity, anybody, patient);
  ASSERT_TRUE(again) << again.error().message;
  const auto erased = (*again)->erase(order((*again)->reader().certificate_serial));
  EXPECT_TRUE(erased) << erased.error().message;
  EXPECT_EQ(reader.end(SIGTERM), 0);
  const auto opened = pkcs11::Token::open(token, test::secret("12345678"));
  ASSERT_TRUE(opened);
  EXPECT_TRUE((*opened)->list().value().empty()) << "no key is left in the token";
}

TEST_F(Factory, OptionsThatDoNotFit) {
  const std::string config = (home_ / "nightdrop.json").string();
  EXPECT_EQ(run(program, {}).exit_code, 64);
  EXPECT_EQ(run(program, {"--factory", "--config", config}).exit_code, 64);
  EXPECT_EQ(run(program, {"--home", home_.string(), "--config", config}).exit_code, 64);
  for (std::size_t left_out = 1; left_out < 9; left_out += 2) {
    auto some = arguments(socket());
    some.erase(some.begin() + static_cast<std::ptrdiff_t>(left_out),
               some.begin() + static_cast<std::ptrdiff_t>(left_out) + 2);
    EXPECT_EQ(run(program, some).exit_code, 64);
  }
  test::spill(root_ / "ca.pem", "no certificate");
  EXPECT_EQ(run(program, arguments(socket())).exit_code, 65);
  EXPECT_EQ(run(program, arguments("udp:1")).exit_code, 65);
}

}  // namespace
}  // namespace nightdrop::provisioning
