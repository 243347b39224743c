// What somebody on the line can do to a session: cut it, change it, repeat it, reorder it, talk over it. After each of
// these nothing is staged and nothing is committed, and the next honest session goes through.
#include "unit/provisioning/world.hpp"

#include <algorithm>
#include <random>

#include <fcntl.h>
#include <poll.h>

#include "provisioning/channel.hpp"

namespace nightdrop::provisioning {
namespace {

using Raw = std::vector<std::uint8_t>;
constexpr Timeouts impatient_station{std::chrono::milliseconds(400), std::chrono::milliseconds(50)};

class Harm : public testing::Test {
 protected:
  // One provisioning whose bytes to the reader pass through `harm`; whether the station believes it done.
  bool provision_through(const HarmedStream::Harm& harm, const Timeouts& timeouts = impatient_station) {
    const auto [ours, theirs] = make_line();
    ServedReader reader(stream_of(theirs), home, authority, std::chrono::milliseconds(20));
    HarmedStream stream(stream_of(ours), harm);
    return provision(stream, station.identity, timeouts).has_value();
  }
  void expect_untouched(const std::string& what) {
    EXPECT_FALSE(home.staged) << what;
    EXPECT_EQ(home.commits, 0) << what;
    EXPECT_EQ(home.hello.state, ReaderState::Factory) << what;
  }
  // What an honest station sends in a whole session.
  Raw recorded() {
    Raw all;
    EXPECT_TRUE(provision_through(
        [&all](std::span<const std::uint8_t> bytes) {
          all.insert(all.end(), bytes.begin(), bytes.end());
          return Raw(bytes.begin(), bytes.end());
        },
        quick_station));
    home.hello.state = ReaderState::Factory;
    home.commits = 0;
    return all;
  }
  // Sends bytes to a reader and gives all that it answers until it has read them and says no more.
  Raw answer_to(std::span<const std::uint8_t> bytes) {
    const auto [ours, theirs] = make_line();
    ServedReader reader(stream_of(theirs), home, authority, std::chrono::milliseconds(20));
    const auto stream = stream_of(ours);
    EXPECT_TRUE(stream->write_all(bytes, never));
    ::shutdown(ours, SHUT_WR);
    Raw answer;
    Raw chunk(4096);
    while (const auto got = stream->read_some(chunk, never)) {
      answer.insert(answer.end(), chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(*got));
    }
    return answer;
  }

  Authority authority;
  Station station{authority};
  NotingHome home;
};

// Lets through `size` bytes and then nothing more, as a cable that was pulled.
HarmedStream::Harm cut_after(std::size_t size) {
  return [left = size](std::span<const std::uint8_t> bytes) mutable {
    const std::size_t through = std::min(left, bytes.size());
    left -= through;
    return Raw(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(through));
  };
}
HarmedStream::Harm flip(std::size_t at, std::uint8_t mask) {
  return [at, mask, sent = std::size_t{0}](std::span<const std::uint8_t> bytes) mutable {
    Raw changed(bytes.begin(), bytes.end());
    if (at >= sent && at < sent + bytes.size()) changed[at - sent] ^= mask;
    sent += bytes.size();
    return changed;
  };
}

TEST_F(Harm, CutAnywhere) {
  const Raw whole = recorded();
  ASSERT_GT(whole.size(), 900U);
  // A signature in DER has 70 to 72 bytes, mostly: another session may be a little shorter than the recorded one.
  const std::size_t sure = whole.size() - 8;
  // Every byte of the first message and every fifth after; each byte of a frame by itself: Frames.WholeOrNone.
  for (std::size_t size = 0; size < sure; size += size < 110 ? std::size_t{1} : std::size_t{5}) {
    const auto [ours, theirs] = make_line();
    ServedReader reader(stream_of(theirs), home, authority, std::chrono::milliseconds(20));
    {
      // A line that is cut is closed at once: nobody has to wait.
      auto stream = stream_of(ours);
      std::size_t left = size;
      HarmedStream cut(std::move(stream), [&left, line = ours](std::span<const std::uint8_t> bytes) {
        const std::size_t through = std::min(left, bytes.size());
        left -= through;
        const Raw out(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(through));
        if (through < bytes.size()) {
          EXPECT_EQ(::send(line, out.data(), out.size(), MSG_NOSIGNAL), static_cast<ssize_t>(out.size()));
          ::shutdown(line, SHUT_RDWR);
        }
        return through < bytes.size() ? Raw() : out;
      });
      ASSERT_FALSE(provision(cut, station.identity, impatient_station)) << size;
    }
    reader.join();
    expect_untouched("cut after " + std::to_string(size));
  }
  EXPECT_TRUE(provision_through(cut_after(SIZE_MAX), quick_station));
}

TEST_F(Harm, AChangedBitAnywhere) {
  const Raw whole = recorded();
  // Where a change makes a frame longer than it is both ends wait for a while; so a step that is not the frames'.
  for (std::size_t at = 0; at + 8 < whole.size(); at += at < 16 ? std::size_t{1} : std::size_t{37}) {
    EXPECT_FALSE(provision_through(flip(at, static_cast<std::uint8_t>(1U << at % 8)))) << at;
    expect_untouched("bit changed in byte " + std::to_string(at));
  }
  EXPECT_TRUE(provision_through(flip(SIZE_MAX, 1), quick_station));
}

TEST_F(Harm, AWholeSessionPlayedAgainGetsNoFurtherThanItsHello) {
  const Raw whole = recorded();
  const int forgotten = home.forgotten;
  const Raw answer = answer_to(whole);
  expect_untouched("played again");
  EXPECT_GT(home.forgotten, forgotten);
  ASSERT_GT(answer.size(), frame_header_size);
  EXPECT_EQ(answer[4], static_cast<std::uint8_t>(FrameType::ReaderHello));
  const std::size_t hello = frame_header_size + (std::size_t{answer[6]} << 8 | answer[7]);
  EXPECT_EQ(Raw(answer.begin() + static_cast<std::ptrdiff_t>(hello), answer.end()),
            (Raw{'N', 'D', 'P', '1', 5, 0, 0, 1, 2}))
      << "an alert: authentication";
}

TEST_F(Harm, ARecordTwiceOrLeftOutOrInAnothersPlace) {
  for (int which = 0; which < 4; ++which) {
    for (const char what : {'2', '0', 'x'}) {
      const std::string name = std::string(1, what) + " of record " + std::to_string(which);
      // A repeated commit changes nothing: it is dropped by a reader that is provisioned already.
      const bool harmless = (what == '2' && which == 3) || (what == 'x' && which == 0);
      int number = 0;
      Raw kept;
      const bool done = provision_through(
          [&](std::span<const std::uint8_t> bytes) {
            Raw out(bytes.begin(), bytes.end());
            if (bytes[4] != static_cast<std::uint8_t>(FrameType::Record)) return out;
            const int now = number++;
            if (now == which && what == '2') out.insert(out.end(), bytes.begin(), bytes.end());
            if (now == which && what == '0') out.clear();
            if (what == 'x' && now < which) kept = out;
            if (what == 'x' && now == which && which > 0) return kept;
            return out;
          },
          harmless ? quick_station : impatient_station);
      EXPECT_EQ(done, harmless) << name;
      if (!harmless) expect_untouched(name);
      home.hello.state = ReaderState::Factory;
      home.commits = 0;
    }
  }
}

TEST(Records, OpenInTheirOrderAndDirectionAlone) {
  const auto keys = [] {
    return SessionKeys{SecretBytes(Raw(32, 1)), SecretBytes(Raw(32, 2)), SecretBytes(Raw(32, 3))};
  };
  Channel station(End::Station, keys());
  Channel reader(End::Reader, keys());
  const Raw first = station.seal(Raw{1}).value();
  const Raw second = station.seal(Raw{2}).value();
  EXPECT_FALSE(reader.open(second)) << "left out";
  EXPECT_FALSE(station.open(first)) << "sent back";
  EXPECT_TRUE(reader.open(first));
  EXPECT_FALSE(reader.open(first)) << "again";
  for (std::size_t i = 0; i < second.size(); ++i) {
    Raw changed = second;
    changed[i] ^= 0x10;
    EXPECT_FALSE(reader.open(changed));
    EXPECT_FALSE(reader.open(std::span(second).first(i)));
  }
  EXPECT_TRUE(reader.open(second));
  EXPECT_FALSE(station.seal(Raw(payload_max)));
}

TEST_F(Harm, GarbageBeforeAHelloIsNothing) {
  std::mt19937 random(7);
  Raw garbage(100'000);
  for (std::uint8_t& byte : garbage) byte = static_cast<std::uint8_t>("NDP1\x01\x02\x04\0\xff"[random() % 9]);
  const std::string_view login = "\r\nreader login: NDP1NDNDP1\x01\x00";
  garbage.insert(garbage.end(), login.begin(), login.end());
  const auto [ours, theirs] = make_line();
  ServedReader reader(stream_of(theirs), home, authority, std::chrono::milliseconds(20));
  const auto stream = stream_of(ours);
  ASSERT_TRUE(stream->write_all(garbage, never));
  const auto done = provision(*stream, station.identity);
  EXPECT_TRUE(done) << done.error().message;
  EXPECT_EQ(home.commits, 1);
}

TEST_F(Harm, AHelloInTheMiddleBeginsANewSession) {
  const auto [ours, theirs] = make_line();
  ServedReader reader(stream_of(theirs), home, authority);
  {
    const auto stream = stream_of(ours);
    auto first = StationSession::open(*stream, station.identity, anybody, impatient_station);
    ASSERT_TRUE(first);
    ASSERT_TRUE((*first)->make_identity("ND000007"));
    EXPECT_TRUE(home.staged);
    auto second = StationSession::open(*stream, station.identity, anybody, quick_station);
    ASSERT_TRUE(second) << second.error().message;
    EXPECT_FALSE(home.staged) << "the first session's key is wiped";
    EXPECT_EQ((*second)->install(small_installation()).error().kind, Failure::Kind::Refused);
    EXPECT_EQ((*first)->install(small_installation()).error().kind, Failure::Kind::Timeout)
        << "nobody listens to the first one any more";
  }
  reader.join();
  expect_untouched("two sessions");
}

TEST_F(Harm, AHelloThatACutFrameSwallowedIsFound) {
  for (const FrameType type : {FrameType::StationHello, FrameType::StationAuth, FrameType::Record}) {
    const auto [ours, theirs] = make_line();
    ServedReader reader(stream_of(theirs), home, authority, std::chrono::milliseconds(20));
    const auto stream = stream_of(ours);
    auto session = StationSession::open(*stream, station.identity, anybody, quick_station);
    ASSERT_TRUE(session);
    ASSERT_TRUE((*session)->make_identity("ND000007"));
    // A frame of 4096 bytes, of which a station that was killed has sent three.
    ASSERT_TRUE(stream->write_all(Raw{'N', 'D', 'P', '1', static_cast<std::uint8_t>(type), 0, 16, 0, 1, 2, 3}, never));
    const auto done = provision(*stream, station.identity);
    EXPECT_TRUE(done) << static_cast<int>(type) << ": " << (done ? "" : done.error().message);
    home.hello.state = ReaderState::Factory;
  }
  EXPECT_EQ(home.commits, 3);
}

TEST_F(Harm, ASilentStationIsWaitedForNoLongerThanItsTime) {
  const auto [ours, theirs] = make_line();
  const auto theirs_stream = stream_of(theirs);
  const auto ours_stream = stream_of(ours);
  std::vector<std::string> notes;
  FactoryReader reader(
      *theirs_stream, home, authority.certificate(), [] { return test_now; },
      [&](const std::string& note) {
        notes.push_back(note);
        ::shutdown(ours, SHUT_RDWR);
      },
      {std::chrono::milliseconds(30), std::chrono::milliseconds(30), std::chrono::milliseconds(30),
       std::chrono::milliseconds(30)});
  const Raw whole = recorded();
  ASSERT_TRUE(ours_stream->write_all(std::span(whole).first(frame_header_size + 98), never));
  EXPECT_EQ(reader.serve().value(), FactoryReader::Ended::LineGone);
  EXPECT_EQ(notes, std::vector<std::string>{"the session ended: no answer in time"});
}

TEST_F(Harm, AStationGivesUpOnAReaderThatSaysNothing) {
  const auto [ours, theirs] = make_line();
  const auto reader = stream_of(theirs);
  const auto stream = stream_of(ours);
  const Timeouts brief{std::chrono::milliseconds(30), std::chrono::milliseconds(30)};
  EXPECT_EQ(StationSession::open(*stream, station.identity, anybody, brief).error().kind, Failure::Kind::Timeout);
  ASSERT_TRUE(reader->write_all(Raw(50'000, 'N'), never));
  EXPECT_EQ(StationSession::open(*stream, station.identity, anybody, brief).error().kind, Failure::Kind::Timeout);
}

TEST_F(Harm, TheAnswersAreAsWellGuardedAsTheRequests) {
  // The other direction: what the reader says, changed on its way.
  for (std::size_t at = 0; at < 2000; at += at < 16 ? std::size_t{1} : std::size_t{61}) {
    const auto [ours, theirs] = make_line();
    std::size_t total = 0;
    bool changed = false;
    auto harmed = std::make_unique<HarmedStream>(stream_of(theirs), [&](std::span<const std::uint8_t> bytes) {
      Raw out(bytes.begin(), bytes.end());
      if (at >= total && at < total + bytes.size()) {
        out[at - total] ^= 4;
        changed = true;
      }
      total += bytes.size();
      return out;
    });
    home.hello.state = ReaderState::Factory;
    ServedReader reader(std::move(harmed), home, authority, std::chrono::milliseconds(20));
    bool done = false;
    {
      const auto stream = stream_of(ours);
      done = provision(*stream, station.identity, impatient_station).has_value();
    }
    reader.join();
    EXPECT_FALSE(done && changed) << at;
    EXPECT_FALSE(home.staged) << at;
    if (!changed) break;
  }
}

}  // namespace
}  // namespace nightdrop::provisioning
