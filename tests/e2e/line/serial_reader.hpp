// A reader in factory state at the far end of a serial line (a pty), served by a thread of the test; its home is in
// memory and can be told to misbehave. Ends with its object.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "unit/station/world.hpp"

namespace nightdrop::keys {

// A reader at the far end of a serial line.
class SerialReader {
 public:
  SerialReader(const std::string& serial, const x509::Certificate& authority) : home(serial) {
    EXPECT_EQ(pipe2(stop_, O_CLOEXEC), 0);
    const int far = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    EXPECT_EQ(grantpt(far), 0);
    EXPECT_EQ(unlockpt(far), 0);
    path = ptsname(far);
    near_ = open(path.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC);  // kept open: the line is there whoever uses it
    termios raw{};
    tcgetattr(near_, &raw);
    cfmakeraw(&raw);
    tcsetattr(near_, TCSANOW, &raw);
    thread_ = std::thread([this, far, &authority] {
      const auto stream = provisioning::stream_of(far, stop_[0]);
      provisioning::FactoryReader reader(*stream, home, authority, now);
      for (auto ended = reader.serve(); ended && *ended != provisioning::FactoryReader::Ended::LineGone;)
        ended = reader.serve();
    });
  }
  ~SerialReader() {
    close(stop_[1]);
    thread_.join();
    close(stop_[0]);
    close(near_);
  }
  SerialReader(const SerialReader&) = delete;
  SerialReader& operator=(const SerialReader&) = delete;
  // As if something else on the line had spoken.
  void say_garbage() const {
    const std::string noise = "\r\nlogin: NDP\x7F\x00NDP1";
    EXPECT_GT(write(near_, noise.data(), noise.size()), 0);
  }

  MemoryHome home;
  std::string path;

 private:
  int stop_[2]{-1, -1};
  int near_{-1};
  std::thread thread_;
};

}  // namespace nightdrop::keys
