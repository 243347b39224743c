// The system's clock, entropy and watchdog against the system itself.
#include "hal/linux/system_clock.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace nightdrop::hal {
namespace {

TEST(SystemClock, GoesOnAndKnowsItsBoot) {
  const SystemClock clock;
  const auto first = clock.monotonic();
  EXPECT_GT(first.count(), 0);
  EXPECT_GE(clock.monotonic(), first);
  EXPECT_EQ(clock.boot_id().size(), 36u);
  EXPECT_EQ(clock.boot_id(), SystemClock().boot_id());
  const auto system =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch());
  EXPECT_LT(std::abs(clock.wall().utc_ms - system.count()), 10'000);
}

TEST(SystemEntropy, FillsTheWholeSpan) {
  std::array<std::uint8_t, 64> bytes{};
  SystemEntropy entropy;
  ASSERT_TRUE(entropy.fill(bytes).has_value());
  // Eight zero bytes in a row at either end are as likely as 2^-63.
  EXPECT_FALSE(std::all_of(bytes.begin(), bytes.begin() + 8, [](auto b) { return b == 0; }));
  EXPECT_FALSE(std::all_of(bytes.end() - 8, bytes.end(), [](auto b) { return b == 0; }));
  EXPECT_TRUE(entropy.fill({}).has_value());
}

// What a supervisor gives its service: a datagram socket under an abstract name, and the variables that say so.
class WatchdogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    socket_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string name = "nightdrop-test-" + std::to_string(getpid());
    std::copy(name.begin(), name.end(), address.sun_path + 1);
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    ASSERT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&address), length), 0);
    setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
  }
  void TearDown() override {
    close(socket_);
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) unsetenv(name);
  }
  // The next message; empty when there is none (a local datagram is there when send() has returned).
  std::string received() const {
    std::array<char, 64> text{};
    const ssize_t size = recv(socket_, text.data(), text.size(), MSG_DONTWAIT);
    return size < 0 ? std::string() : std::string(text.data(), static_cast<std::size_t>(size));
  }
  int socket_{-1};
};

TEST_F(WatchdogTest, TellsTheSupervisor) {
  setenv("WATCHDOG_USEC", "9000000", 1);
  SystemdWatchdog watchdog;
  EXPECT_EQ(watchdog.interval(), std::chrono::milliseconds(3000));
  watchdog.notify_ready();
  EXPECT_EQ(received(), "READY=1");
  watchdog.feed();
  EXPECT_EQ(received(), "WATCHDOG=1");
  watchdog.feed();
  EXPECT_EQ(received(), "") << "a turn right after the last one is not a message";
  watchdog.notify_stopping();
  EXPECT_EQ(received(), "STOPPING=1");
}

TEST_F(WatchdogTest, IsSilentWhereNobodyWatches) {
  SystemdWatchdog watchdog;
  EXPECT_FALSE(watchdog.interval().has_value());
  watchdog.feed();
  EXPECT_EQ(received(), "");
  setenv("WATCHDOG_USEC", "9000000", 1);
  setenv("WATCHDOG_PID", "1", 1);
  SystemdWatchdog another_process;
  another_process.feed();
  EXPECT_EQ(received(), "");
}

TEST_F(WatchdogTest, DoesNothingWithoutASupervisor) {
  unsetenv("NOTIFY_SOCKET");
  setenv("WATCHDOG_USEC", "9000000", 1);
  SystemdWatchdog watchdog;
  watchdog.notify_ready();
  watchdog.feed();
  EXPECT_FALSE(watchdog.interval().has_value());
}

}  // namespace
}  // namespace nightdrop::hal
