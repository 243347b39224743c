// The lines themselves: a serial line over a pty with real termios, a Unix socket, TCP on loopback; and frames on them.
#include "provisioning/stream.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>

#include "unit/provisioning/world.hpp"

namespace nightdrop::provisioning {
namespace {

namespace fs = std::filesystem;

Deadline soon() {
  return std::chrono::steady_clock::now() + std::chrono::seconds(2);
}

// Both ends of a pty: the master as a descriptor, the slave by its name, in the state the system gives it (echo,
// lines).
struct Pty {
  Pty() : master(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    EXPECT_GE(master, 0);
    EXPECT_EQ(grantpt(master), 0);
    EXPECT_EQ(unlockpt(master), 0);
    slave = ptsname(master);
  }
  int master;
  std::string slave;
};

class Lines : public testing::Test {
 protected:
  Lines() {
    std::string pattern = (fs::temp_directory_path() / "nightdrop-line-XXXXXX").string();
    folder = mkdtemp(pattern.data());
  }
  ~Lines() override { fs::remove_all(folder); }

  // A whole session between a listener and who connects to it.
  void provision_at(Listener& listener, const std::string& address) {
    auto station_line = connect(address, soon());
    ASSERT_TRUE(station_line) << station_line.error().text;
    auto reader_line = listener.accept();
    ASSERT_TRUE(reader_line) << reader_line.error().text;
    ServedReader reader(std::move(*reader_line), home, authority);
    const auto done = provision(**station_line, station.identity);
    EXPECT_TRUE(done) << done.error().message;
    station_line->reset();
    EXPECT_TRUE(reader.join().empty());
    EXPECT_EQ(home.commits, 1);
  }

  Authority authority;
  Station station{authority};
  NotingHome home;
  fs::path folder;
};

TEST_F(Lines, AUnixSocketOfTheOwnersAlone) {
  const std::string path = folder / "factory.sock";
  auto listener = Listener::open("unix:" + path);
  ASSERT_TRUE(listener) << listener.error().text;
  EXPECT_EQ((*listener)->address(), "unix:" + path);
  struct stat facts{};
  ASSERT_EQ(::stat(path.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777U, 0600U);
  provision_at(**listener, "unix:" + path);
  EXPECT_EQ(Listener::open("unix:" + path).error().code, Errc::Busy) << "somebody listens";
  listener->reset();
  EXPECT_FALSE(fs::exists(path));
  EXPECT_EQ(connect("unix:" + path, soon()).error().code, Errc::NotFound);
}

TEST_F(Lines, ASocketThatAKilledReaderLeftIsReplaced) {
  const std::string path = folder / "factory.sock";
  const int left = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(left, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(left);
  EXPECT_TRUE(Listener::open("unix:" + path));
  const std::string file = folder / "file";
  std::ofstream(file) << "somebody's";
  EXPECT_EQ(Listener::open("unix:" + file).error().code, Errc::InvalidArgument);
  EXPECT_TRUE(fs::exists(file));
}

TEST_F(Lines, TcpOnLoopbackWithAPortOfItsOwn) {
  auto listener = Listener::open("tcp:127.0.0.1:0");
  ASSERT_TRUE(listener) << listener.error().text;
  EXPECT_NE((*listener)->address(), "tcp:127.0.0.1:0");
  provision_at(**listener, (*listener)->address());
}

TEST_F(Lines, ASerialLineToTheReader) {
  const Pty pty;
  auto listener = Listener::open("serial:" + pty.slave);
  ASSERT_TRUE(listener) << listener.error().text;
  EXPECT_EQ(connect("serial:" + pty.slave, soon()).error().code, Errc::Busy);
  auto reader_line = (*listener)->accept();
  ASSERT_TRUE(reader_line);
  ServedReader reader(std::move(*reader_line), home, authority);
  {
    const auto stream = stream_of(pty.master);
    const auto done = provision(*stream, station.identity);
    EXPECT_TRUE(done) << done.error().message;
  }
  reader.join();
  EXPECT_EQ(home.commits, 1);
}

TEST_F(Lines, ASerialLineToTheStation) {
  const Pty pty;
  ServedReader reader(stream_of(pty.master), home, authority);
  auto stream = connect("serial:" + pty.slave, soon());
  ASSERT_TRUE(stream) << stream.error().text;
  const auto done = provision(**stream, station.identity);
  EXPECT_TRUE(done) << done.error().message;
  EXPECT_EQ(connect("serial:" + pty.slave, soon()).error().code, Errc::Busy);
  stream->reset();  // hangs the line up
  reader.join();
  EXPECT_EQ(home.commits, 1);
}

TEST_F(Lines, ASerialLineIsRaw) {
  const Pty pty;
  auto stream = connect("serial:" + pty.slave, soon());
  ASSERT_TRUE(stream);
  const auto master = stream_of(pty.master);
  std::vector<std::uint8_t> all(256);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint8_t>(i);
  ASSERT_TRUE(master->write_all(all, soon()));
  std::vector<std::uint8_t> read;
  std::vector<std::uint8_t> chunk(512);
  while (read.size() < all.size()) {
    const auto got = (*stream)->read_some(chunk, soon());
    ASSERT_TRUE(got);
    read.insert(read.end(), chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(*got));
  }
  EXPECT_EQ(read, all) << "no line editing, no signals, no flow control";
  const auto echoed = master->read_some(chunk, std::chrono::steady_clock::now());
  EXPECT_EQ(echoed.error().code, Errc::Unavailable) << "no echo";
}

TEST_F(Lines, ToldToStopTheyStop) {
  int stop[2];
  ASSERT_EQ(pipe(stop), 0);
  auto listener = Listener::open("tcp:127.0.0.1:0", stop[0]);
  ASSERT_TRUE(listener);
  const auto waiting = connect((*listener)->address(), soon());
  ASSERT_TRUE(waiting);
  const auto stream = (*listener)->accept();
  ASSERT_TRUE(stream);
  std::vector<std::uint8_t> chunk(16);
  EXPECT_EQ((*stream)->read_some(chunk, std::chrono::steady_clock::now()).error().code, Errc::Unavailable);
  std::thread stopper([&] { EXPECT_EQ(::write(stop[1], "", 1), 1); });
  EXPECT_EQ((*stream)->read_some(chunk, never).error().code, Errc::NotFound);
  EXPECT_EQ((*listener)->accept().error().code, Errc::NotFound);
  const Pty pty;
  auto serial = Listener::open("serial:" + pty.slave, stop[0]);
  ASSERT_TRUE(serial);
  EXPECT_EQ((*serial)->accept().error().code, Errc::NotFound);
  ::close(pty.master);
  stopper.join();
  ::close(stop[0]);
  ::close(stop[1]);
}

TEST_F(Lines, AddressesThatAreNone) {
  for (const char* address : {"", "unix:", "serial:ttyACM0", "tcp:127.0.0.1:", "tcp:127.0.0.1:65536", "tcp:127.0.0.1:x",
                              "tcp:127.0.0.1:80 ", "tcp:10.0.0.1:80", "tcp:localhost:80", "udp:127.0.0.1:80"}) {
    EXPECT_EQ(connect(address, soon()).error().code, Errc::InvalidArgument) << address;
    EXPECT_EQ(Listener::open(address).error().code, Errc::InvalidArgument) << address;
  }
  EXPECT_EQ(connect("unix:" + std::string(120, 'x'), soon()).error().code, Errc::InvalidArgument);
  EXPECT_EQ(connect("serial:/dev/null", soon()).error().code, Errc::InvalidArgument);
  EXPECT_EQ(connect("serial:/nowhere/tty", soon()).error().code, Errc::NotFound);
}

TEST(Frames, WholeOrNone) {
  const std::vector<std::uint8_t> payload{1, 2, 3, 4, 5};
  const auto whole = encode_frame(FrameType::Record, payload);
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const auto [ours, theirs] = make_line();
    const auto sender = stream_of(ours);
    const auto receiver = stream_of(theirs);
    ASSERT_TRUE(sender->write_all(std::span(whole).first(size), never));
    FrameLine line(*receiver, std::chrono::milliseconds(0));
    const auto frame = line.read(std::chrono::steady_clock::now());
    ASSERT_EQ(frame.has_value(), size == whole.size()) << size;
    if (frame) {
      EXPECT_EQ(frame->payload, payload);
    } else {
      EXPECT_EQ(frame.error().code, Errc::Unavailable);
    }
  }
}

TEST(Frames, TooLongOrUnknownIsNone) {
  using Raw = std::vector<std::uint8_t>;
  for (const Raw& bytes : {Raw{'N', 'D', 'P', '2', 4, 0, 0, 0}, Raw{'N', 'D', 'P', '1', 0, 0, 0, 0},
                           Raw{'N', 'D', 'P', '1', 6, 0, 0, 0}, Raw{'N', 'D', 'P', '1', 4, 4, 0, 1}}) {
    const auto [ours, theirs] = make_line();
    const auto sender = stream_of(ours);
    const auto receiver = stream_of(theirs);
    ASSERT_TRUE(sender->write_all(bytes, never));
    FrameLine line(*receiver, std::chrono::milliseconds(100));
    EXPECT_EQ(line.read(never).error().code, Errc::Malformed);
  }
}

}  // namespace
}  // namespace nightdrop::provisioning
